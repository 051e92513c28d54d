"""What a task in a worker process may take, and which of its limits ended one.

The system ends a process that has had its processor time; memory that it does not give is a
MemoryError of Python, an abort of native code, or a kill where the machine itself has none left.
"""

import math
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from inferproof.errors import Reason, Unavailable


@dataclass(frozen=True, slots=True)
class Limits:
    """What one task may take: processor time of all threads, and address space."""

    cpu_s: int
    memory_bytes: int


class Met(Enum):
    """The limit that a task met."""

    TIME = "time"
    MEMORY = "memory"


def limit_met(error: Unavailable) -> Met | None:
    """Which limit ended the task that failed so, if one did."""
    how = error.facts.get("how")
    if how == _ended_by(signal.SIGXCPU):
        return Met.TIME
    short = error.reason is Reason.PROVER_FAILED and "MemoryError" in str(error.facts["why"])
    # Native code aborts when it is given no memory; the system kills when it has none.
    if short or how in (_ended_by(signal.SIGABRT), _ended_by(signal.SIGKILL)):
        return Met.MEMORY
    return None


def _ended_by(number: signal.Signals) -> str:
    """How PROVER_CRASHED says it."""
    return f"signal {number.value}"


def bound_time(args: dict[str, Any]) -> None:
    """Lets the system end this process when the task at hand has had its processor time, `cpu_s`.

    The limit is of the whole process, so each task moves it on from what those before it took.
    """
    taken = time.process_time()
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(taken) + args["cpu_s"], most))


@contextmanager
def bounded(args: dict[str, Any]) -> Iterator[None]:
    """Bounds the time of this process and its memory, by `memory_bytes` beyond what it has now,
    while the block runs. For workers that serve other tasks afterwards."""
    kinds = (resource.RLIMIT_CPU, resource.RLIMIT_AS)
    before = [resource.getrlimit(kind) for kind in kinds]
    bound_time(args)
    memory = _address_space() + int(args["memory_bytes"])
    if before[1][0] == resource.RLIM_INFINITY or memory < before[1][0]:
        resource.setrlimit(resource.RLIMIT_AS, (memory, before[1][1]))
    try:
        yield
    finally:
        for kind, limits in zip(kinds, before, strict=True):
            resource.setrlimit(kind, limits)


def _address_space() -> int:
    """Bytes of this process's address space, of which most is only reserved: for the stacks of as
    many threads as there are cores. 0 where the system does not tell."""
    told = Path("/proc/self/statm")
    return int(told.read_text().split()[0]) * resource.getpagesize() if told.exists() else 0
