"""uvicorn, held by us: our sockets, our signals, our order of closing; and the worker process."""

import asyncio
import contextlib
import gc
import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from inferproof.app.gateway import App, build
from inferproof.app.worker import WorkerApp, build_worker
from inferproof.connections import Connection, ConnectionLimits, Watch
from inferproof.errors import Misconfigured, Reason
from inferproof.settings import Settings

BACKLOG = 2048
COLLECT_AFTER = (50_000, 20, 20)
"""Objects made, and rounds, before the garbage collector looks; a request makes a thousand."""


class Server(uvicorn.Server):
    """Ends when `should_exit` is set. It takes no signals: uvicorn raises them again once it is
    down, which would end the process before the gateway's own parts are closed."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        shutdown_s: float,
        on_shutdown: Callable[[], None] = lambda: None,
        keep_alive_s: int = 5,
        watch: Watch | None = None,
    ) -> None:
        """`on_shutdown` is called before open requests are waited for."""
        self._on_shutdown = on_shutdown
        self._watch = watch or Watch(ConnectionLimits())
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http=partial(Connection, watch=self._watch),  # type: ignore[arg-type]
                timeout_keep_alive=keep_alive_s,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=max(1, round(shutdown_s)),
            )
        )

    @classmethod
    def of(cls, app: App, *, shutdown_s: float) -> "Server":
        """The server of a gateway, with the limits of its settings."""
        settings = app.settings
        limits = ConnectionLimits(
            most=settings.connections_limit,
            per_address=settings.connections_per_address,
            head_s=settings.head_timeout_s,
            write_s=settings.write_timeout_s,
            trusted=tuple(map(ipaddress.ip_network, settings.trusted_proxies)),
        )
        watch = Watch(limits, app.services.metrics.refused)
        return cls(
            app.asgi,
            shutdown_s=shutdown_s,
            on_shutdown=app.services.streams.close,
            keep_alive_s=settings.keep_alive_s,
            watch=watch,
        )

    async def on_tick(self, counter: int) -> bool:
        """uvicorn calls it ten times a second."""
        if counter % 10 == 0:
            self._watch.sweep(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_shutdown()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket that listens; where it is `shared`, beside others of this user on the same port,
    among which the system divides the connections. Raises: Misconfigured CANNOT_LISTEN."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server(
            (host, port), family=family, backlog=BACKLOG, reuse_port=shared
        )
    except OSError as error:
        # create_server adds the address to the text; a name that is not found has no errno.
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else (error.strerror or str(error))
        raise Misconfigured(Reason.CANNOT_LISTEN, host=host, port=port, why=why) from None
    # uvicorn writes head and body apart; without this each answer waits 40 ms for the caller's
    # delayed acknowledgement. Connections inherit it. asyncio sets it only on sockets that name
    # their protocol, which create_server does not.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """The address under which the socket is reached on this machine."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def run_gateway(
    settings: Settings, *, announce: Callable[[str, App], None], **parts: Any
) -> None:
    """Serves until the process is told to stop. `announce` is told the address once it is ready;
    `parts` are passed on to `app.build`."""
    with listen(settings.host, settings.port) as listener:
        async with build(settings, **parts) as app:
            server = Server.of(app, shutdown_s=settings.shutdown_s)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, server.handle_exit, number, None)
            settle_memory()
            announce(url_of(listener), app)
            await server.serve(sockets=[listener])


def settle_memory() -> None:
    """What was loaded stays: the collector need not look at it again, nor look so often.

    With its defaults it takes a tenth of the time under load, in pauses of tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def run_worker(
    settings: Settings, *, announce: Callable[[WorkerApp], None], **parts: Any
) -> None:
    """Works until the process is told to stop; then it takes no more jobs, and gives back those
    that have not ended within `shutdown_s`, or when it is told a second time.

    `parts` are passed on to `app.build_worker`.
    """
    told, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: again.set() if told.is_set() else told.set())
    async with build_worker(settings, **parts) as app:
        announce(app)
        await _first(told.wait(), asyncio.shield(app.task))
        await _first(app.worker.finish_work(settings.shutdown_s), again.wait())


async def _first(*waits: Any) -> None:
    """Returns when one of them has ended; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
