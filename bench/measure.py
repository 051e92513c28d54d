"""What every measurement is made of: commands as processes of their own, and spreads of figures."""

import contextlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = ROOT / "build"
"""On the disk of the checkout, where a commit waits for it (a system's own place for such files may
be memory), and ignored by git: a run that is killed leaves its files."""
LIMIT_S = 300.0
"""A command that takes longer hangs: the slowest one measured takes a tenth of it."""

_BEGAN = time.monotonic()


class BenchFailed(Exception):
    """A command that is measured failed; what it said is the message."""


def scratch(name: str) -> tempfile.TemporaryDirectory[str]:
    """A folder for one run's files, as a context manager that removes it."""
    SCRATCH.mkdir(exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=f"{name}-", dir=SCRATCH)


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of `count` figures, and the smallest and largest of them."""

    median: float
    low: float
    high: float
    count: int

    def json(self) -> dict[str, float | int]:
        """The spread as results.json has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command printed. Units: wall_s seconds; peak_mb of the largest of its processes."""

    answer: dict[str, Any]
    wall_s: float
    peak_mb: float


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one figure."""
    return Spread(statistics.median(values), min(values), max(values), len(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the figures that at least `percent` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def say(text: str) -> None:
    """A line of progress on standard error, with the seconds since the start."""
    print(f"[{time.monotonic() - _BEGAN:5.0f} s] {text}", file=sys.stderr, flush=True)


def environment() -> dict[str, str]:
    """What every command runs with: a prover has as many threads as there are cores."""
    threads = str(os.cpu_count() or 1)
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "RAYON_NUM_THREADS": threads, "PYTHONPATH": paths}


def run_json(
    arguments: list[str], given: dict[str, Any] | None = None, *, limit_s: float = LIMIT_S
) -> Ran:
    """What a command answers in JSON, and what it took; `given` is its standard input.

    Raises: BenchFailed.
    """
    with contextlib.ExitStack() as stack:
        source, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        source.write(json.dumps(given).encode() if given is not None else b"")
        source.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen(
            arguments,
            stdin=source,
            stdout=out,
            stderr=err,
            env=environment(),
            start_new_session=True,
        )
        timer = threading.Timer(limit_s, _kill, (process.pid,))
        timer.start()
        try:
            # Not Popen.wait: only this call tells the memory of this process and its children.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # also at an interrupt, no process is left behind
            _kill(process.pid)
            raise
        finally:
            timer.cancel()
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        printed, complaint = out.read().decode(), err.read().decode()
    if process.returncode != 0:
        what = " ".join(arguments[:4])
        raise BenchFailed(f"{what} ended with {process.returncode}: {printed}{complaint[-2000:]}")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    # The answer is the last line: native code prints before it.
    return Ran(json.loads(printed.strip().splitlines()[-1]), wall_s, usage.ru_maxrss / unit)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
