"""`inferproof worker`: proves the jobs of a gateway, in a process of its own."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inferproof.cli.console import JsonFlag, err, failures, plain, print_json
from inferproof.cli.parts import MetricsPort, need

if TYPE_CHECKING:
    from inferproof.app.worker import WorkerApp


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("worker")(worker)


def worker(
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Proofs that are made at the same time.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Data folder of the gateway.")] = None,
    metrics_port: MetricsPort = None,
    as_json: JsonFlag = False,
) -> None:
    """Prove the jobs of a gateway, beside it. Any number of these may run.

    Takes the gateway's own settings, from the same INFERPROOF_… variables: its database, its data
    folder and its key. It takes no requests and asks no chain. When it is stopped it ends what
    it works on, or gives it back after INFERPROOF_SHUTDOWN_S; a second signal gives it back at
    once.
    """
    given = {"workers": workers, "data_dir": data_dir, "metrics_port": metrics_port}
    with failures(as_json=as_json):
        need("proving for a gateway", "uvloop", "inferproof.app.worker", extra="server")
        from inferproof.observability.logs import set_up_logs
        from inferproof.server.processes import run, run_worker
        from inferproof.settings import Settings

        settings = Settings.load(**{k: v for k, v in given.items() if v is not None})
        set_up_logs(
            settings.log_level,
            settings.log_format,
            traced=settings.otel_endpoint is not None,
        )
        run(run_worker(settings, announce=partial(_announce, as_json=as_json)))


def _announce(app: "WorkerApp", *, as_json: bool) -> None:
    count, signer = app.settings.workers, app.signer.hex
    if as_json:
        print_json({"worker": os.getpid(), "workers": count, "gateway": signer})
        return
    err.print(f"[bold]inferproof[/] works for gateway {signer}, {count} at a time")
    err.print(f"  data in {plain(app.settings.data_dir)}")
