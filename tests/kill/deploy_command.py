"""Forks commands of `inferproof chain` that die where they are told to.

The variable COMMAND has a command's words, as JSON. It passes a boundary on both sides of each
transaction that it sends, and of the file that it writes; see inferproof.testing.boundaries.
"""

import json
import os
import sys
from pathlib import Path

from inferproof.chain import deployments
from inferproof.chain.deployments import Deployment
from inferproof.chain.rpc import Rpc
from inferproof.cli.main import app
from inferproof.testing.boundaries import AFTER, BEFORE, Watcher
from inferproof.testing.kill_server import WATCH, raise_children
from inferproof.types.digest import Digest

COMMAND = "INFERPROOF_TEST_COMMAND"
DEPLOY = "deploy"


def run(_role: str) -> None:
    """Runs the command. Raises: SystemExit with its exit code where that is not zero."""
    passed, words = Watcher(Path(os.environ[WATCH])).passed, json.loads(os.environ[COMMAND])
    send, save = Rpc.send_raw, deployments.save_deployment

    async def watched_send(rpc: Rpc, raw: bytes) -> Digest:
        passed(f"{DEPLOY}.send:{BEFORE}", "-", "-")
        tx = await send(rpc, raw)
        passed(f"{DEPLOY}.send:{AFTER}", "-", "-")
        return tx

    def watched_save(path: Path, deployment: Deployment) -> None:
        passed(f"{DEPLOY}.save:{BEFORE}", "-", "-")
        save(path, deployment)
        passed(f"{DEPLOY}.save:{AFTER}", "-", "-")

    Rpc.send_raw = watched_send  # type: ignore[method-assign,assignment]
    deployments.save_deployment = watched_save
    code = app(words, standalone_mode=False)
    if code:
        sys.exit(code)


if __name__ == "__main__":
    raise_children(run)
