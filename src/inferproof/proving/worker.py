"""A worker process: reads tasks as JSON lines, answers as JSON lines, ends with its input.

Started by `pool` as `python -m inferproof.proving.worker`. A process of its own because ezkl
holds the interpreter lock through a whole proof, can panic, and hangs when forked after a proof.

    in    {"task": "module:function", "args": {...}}
    out   {"stage": text, "share": number}     any number of times
    out   {"result": {...}, "peak_bytes": n} | {"error": {"kind", "reason", "facts"}}
          | {"failed": text}
"""

import importlib
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from inferproof.errors import InferproofError

_LOOK_S = 1.0
"""How often a worker looks whether its parent is there."""

Report = Callable[[str, float], None]
Task = Callable[[dict[str, Any], Report], dict[str, Any]]


def main() -> None:
    """Serves tasks until standard input ends."""
    # Native code prints to descriptor 1; answers go out on a copy that it does not know.
    channel = os.fdopen(os.dup(1), "w")
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    _end_with_parent()
    limit = int(os.environ.get("INFERPROOF_WORKER_MEMORY", "0"))
    if limit:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for line in sys.stdin:
        request = json.loads(line)
        _answer(channel, _run(channel, request))


def _end_with_parent() -> None:
    """Ends this process once its parent is gone, in the midst of a task too: one that was killed
    ends nobody, and a task may take minutes before it reports again."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _run(channel: TextIO, request: dict[str, Any]) -> dict[str, Any]:
    def report(stage: str, share: float) -> None:
        _answer(channel, {"stage": stage, "share": share})

    reset_peak()
    try:
        result = _load(request["task"])(request["args"], report)
    except InferproofError as error:
        return {"error": error_json(error)}
    except BaseException as error:  # noqa: BLE001 - the edge of a process; panics are BaseException
        return {"failed": f"{type(error).__name__}: {error}"[:2000]}
    return {"result": result, "peak_bytes": peak_bytes()}


def _load(task: str) -> Task:
    module, _, function = task.partition(":")
    if not module.startswith("inferproof."):
        raise ValueError("a task is a function of this package")
    loaded: Task = getattr(importlib.import_module(module), function)
    return loaded


def error_json(error: InferproofError) -> dict[str, Any]:
    """A typed failure as JSON."""
    facts = {
        name: value if isinstance(value, str | int | float | bool) else str(value)
        for name, value in error.facts.items()
    }
    return {"kind": type(error).__name__, "reason": error.code, "facts": facts}


def _answer(channel: TextIO, value: dict[str, Any]) -> None:
    channel.write(json.dumps(value) + "\n")
    channel.flush()


def reset_peak() -> None:
    """Lets the kernel count this process's peak memory anew, where it can (Linux)."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        try:
            reset.write_text("5")
        except OSError:
            return


def peak_bytes() -> int:
    """The most memory this process held since its task began; since its start where unknown."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
