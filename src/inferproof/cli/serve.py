"""`inferproof serve`: a gateway on this machine, settings from the environment."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inferproof.cli.console import JsonFlag, err, failures, print_json
from inferproof.errors import Misconfigured, MissingPart, Reason

if TYPE_CHECKING:
    from inferproof.settings import Settings

BACKLOG = 2048


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("serve")(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of database, proofs, models and keys.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Serve models for money. Settings come from INFERPROOF_… variables; options go before them.

    Refuses to start when the chain, the token or the key is not what the settings say.
    """
    given = {"host": host, "port": port, "data_dir": data_dir}
    with failures(as_json=as_json):
        settings = _settings({name: value for name, value in given.items() if value is not None})
        _log(settings.log_level)
        asyncio.run(_serve(settings, as_json=as_json))


def _settings(given: dict[str, object]) -> "Settings":
    try:
        from inferproof.settings import Settings
    except ImportError as missing:
        raise _no_server(missing) from missing
    return Settings.load(**given)


async def _serve(settings: "Settings", *, as_json: bool) -> None:
    try:
        import uvicorn

        from inferproof.app import build
    except ImportError as missing:
        raise _no_server(missing) from missing

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            # uvicorn raises the signal again once it is down, which would end the process
            # before the gateway's own parts are closed.
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.handle_exit, number, None)
            yield

    with _listen(settings.host, settings.port) as listener:
        async with build(settings) as app:
            server = Server(
                uvicorn.Config(
                    app.asgi,
                    loop="none",
                    http="httptools",
                    ws="none",
                    lifespan="off",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    proxy_headers=False,
                    timeout_graceful_shutdown=int(settings.shutdown_s),
                )
            )
            _announce(listener, settings, app.gateway.address.hex, as_json=as_json)
            await server.serve(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = error.strerror or str(error)
        raise Misconfigured(Reason.CANNOT_LISTEN, host=host, port=port, why=why) from None


def _announce(
    listener: socket.socket, settings: "Settings", address: str, *, as_json: bool
) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if as_json:
        print_json({"url": url, "gateway": address, "network": str(settings.asset.network)})
    else:
        err.print(f"[bold]inferproof[/] serves at {url}", soft_wrap=True)
        err.print(f"  gateway {address}, {settings.asset.symbol} on {settings.asset.network}")
        err.print(f"  data in {settings.data_dir}, documentation at {url}/docs", soft_wrap=True)


def _log(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("web3", "aiosqlite", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _Formatter(logging.Formatter):
    """Adds the job, where a record is about one."""

    def format(self, record: logging.LogRecord) -> str:
        job = getattr(record, "job", None)
        return super().format(record) + (f" job={job}" if job is not None else "")


def _no_server(missing: ImportError) -> MissingPart:
    return MissingPart(
        Reason.MISSING_LIBRARY,
        feature="serving",
        package=missing.name or "fastapi",
        command="pip install 'inferproof[server]'",
    )
