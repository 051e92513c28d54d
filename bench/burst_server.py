"""A gateway or a worker of bench.burst: what `inferproof serve` and `inferproof worker` run, with
the toy proof system beside the installed ones.

    python -m bench.burst_server gateway|worker

Settings are INFERPROOF_… variables. Prints one line of JSON once it is ready.
"""

import json
import sys

from inferproof.app.gateway import App
from inferproof.app.worker import WorkerApp
from inferproof.server.processes import run, run_gateway, run_worker
from inferproof.settings import Settings
from inferproof.testing.toy_proofs import ACKNOWLEDGEMENT, ToySystem


def _gateway_ready(url: str, _app: App | None) -> None:
    print(json.dumps({"url": url}), flush=True)


def _worker_ready(_app: WorkerApp) -> None:
    print(json.dumps({}), flush=True)


def main() -> None:
    """Runs the role of the command line until the process is told to stop."""
    (role,) = sys.argv[1:]
    settings, systems = Settings.load(), {ToySystem.name: ToySystem(ACKNOWLEDGEMENT)}
    if role == "gateway":
        run_gateway(settings, announce=_gateway_ready, more_systems=systems)
    else:
        run(run_worker(settings, announce=_worker_ready, more_systems=systems))


if __name__ == "__main__":
    main()
