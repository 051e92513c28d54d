"""`inferproof serve`: a gateway on this machine, settings from the environment."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inferproof.cli.console import JsonFlag, err, failures, plain, print_json
from inferproof.cli.parts import need

if TYPE_CHECKING:
    from inferproof.settings import Settings


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("serve")(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of database, proofs, models and keys.")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="Processes that take requests. With more than one, `inferproof settle` and "
            "`inferproof worker` do the rest.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Serve models for money. Settings come from INFERPROOF_… variables; options go before them.

    Refuses to start when the chain, the token or the key is not what the settings say.
    """
    given = {"host": host, "port": port, "data_dir": data_dir, "processes": processes}
    with failures(as_json=as_json):
        need("serving", "uvloop", "inferproof.app.gateway", extra="server")
        from inferproof.observability.logs import set_up_logs
        from inferproof.server.processes import run_gateway
        from inferproof.settings import Settings, variable

        # Processes that are started from this one read the environment.
        os.environ |= {variable(k): str(v) for k, v in given.items() if v is not None}
        settings = Settings.load()
        set_up_logs(
            settings.log_level,
            settings.log_format,
            traced=settings.otel_endpoint is not None,
        )
        run_gateway(settings, announce=lambda url, _: _announce(url, settings, as_json=as_json))


def _announce(url: str, settings: "Settings", *, as_json: bool) -> None:
    address, asset = settings.signing_key().address.hex, settings.asset
    if as_json:
        print_json({"url": url, "gateway": address, "network": str(asset.network)})
        return
    err.print(f"[bold]inferproof[/] serves at {url}")
    err.print(f"  gateway {address}, {plain(asset.symbol)} on {asset.network}")
    err.print(f"  data in {plain(settings.data_dir)}, documentation at {url}/docs")
