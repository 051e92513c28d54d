"""A command within limits of time and memory, ended with all that it started when it passes one."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from bench.measure import environment

LOOK_S = 0.2
"""How often time and memory are looked at: so much a command may pass its limits by."""
PAGE = os.sysconf("SC_PAGE_SIZE")


class Limit(StrEnum):
    """What a command passed."""

    TIME = "time"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds by the clock, and resident memory in 10^9 bytes, of all processes together.

    Memory is watched where the kernel shows it in /proc.
    """

    seconds: float
    gigabytes: float

    def json(self) -> dict[str, float]:
        """The limits as results.json has them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command printed before it ended, or was ended for the limit it had passed."""

    printed: str
    complaint: str
    status: int
    passed: Limit | None
    wall_s: float


def run_within(arguments: list[str], limits: Limits) -> Ended:
    """Runs a command in a process group of its own until it ends or passes a limit."""
    with contextlib.ExitStack() as stack:
        out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        began = time.monotonic()
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment(),
            start_new_session=True,
        )
        try:
            passed = _watch(process, limits, began)
        finally:  # also at an interrupt, and what the command left behind, goes with it
            _kill(process.pid)
            process.wait()
        wall_s = time.monotonic() - began
        out.seek(0)
        err.seek(0)
        printed, complaint = (file.read().decode(errors="replace") for file in (out, err))
    return Ended(printed, complaint, process.returncode, passed, wall_s)


def _watch(process: subprocess.Popen[bytes], limits: Limits, began: float) -> Limit | None:
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_S)
            return None
        if time.monotonic() - began > limits.seconds:
            return Limit.TIME
        if held_bytes(process.pid) > limits.gigabytes * 1e9:
            return Limit.MEMORY


def held_bytes(group: int) -> int:
    """Resident memory of a process group; pages that two of its processes share count twice."""
    return sum(_resident(folder, group) for folder in Path("/proc").glob("[0-9]*"))


def _resident(folder: Path, group: int) -> int:
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        if int(fields[2]) != group:
            return 0
        return int((folder / "statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):  # it ended meanwhile
        return 0


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
