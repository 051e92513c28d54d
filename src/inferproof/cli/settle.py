"""`inferproof settle`: settles for gateways that only take requests, in a process of its own."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inferproof.cli.console import JsonFlag, err, failures, plain, print_json
from inferproof.cli.parts import MetricsPort, need

if TYPE_CHECKING:
    from inferproof.app.background import SettleApp


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("settle")(settle)


def settle(
    data_dir: Annotated[Path | None, typer.Option(help="Data folder of the gateway.")] = None,
    metrics_port: MetricsPort = None,
    as_json: JsonFlag = False,
) -> None:
    """Settle, refund, notify and keep the books of a gateway that only takes requests.

    Takes the gateway's own settings, from the same INFERPROOF_… variables: its database, which is
    PostgreSQL, its data folder and its key. Of several, one does the work, and another takes it
    over when that one ends.
    """
    given = {"data_dir": data_dir, "metrics_port": metrics_port}
    with failures(as_json=as_json):
        need("settling for a gateway", "uvloop", "inferproof.app.background", extra="server")
        from inferproof.observability.logs import set_up_logs
        from inferproof.server.processes import run, run_settle
        from inferproof.settings import Settings

        settings = Settings.load(**{k: v for k, v in given.items() if v is not None})
        set_up_logs(
            settings.log_level,
            settings.log_format,
            traced=settings.otel_endpoint is not None,
        )
        run(run_settle(settings, announce=partial(_announce, as_json=as_json)))


def _announce(app: "SettleApp", *, as_json: bool) -> None:
    if as_json:
        print_json({"settle": os.getpid(), "gateway": app.signer.hex})
        return
    err.print(f"[bold]inferproof[/] settles for gateway {app.signer.hex}")
    err.print(f"  data in {plain(app.settings.data_dir)}")
