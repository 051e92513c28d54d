"""What /ready asks of a process: checks by name, each of which answers with one line, or raises."""

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inferproof.errors import InferproofError, Reason, Unavailable

log = logging.getLogger("inferproof.app")

ReadyCheck = Callable[[], Awaitable[str]]
"""Returns one line on what was found, or raises an InferproofError."""

CHECK_LIMIT_S = 5.0
"""A check that takes longer has failed: probes of orchestrators wait about as long."""
KEPT_S = 1.0
"""How long an answer of /ready holds: probes must not be able to keep node and disk busy."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    ok: bool
    detail: str


class Readiness:
    """The checks of one process, and what they found last."""

    def __init__(
        self,
        checks: Mapping[str, ReadyCheck] | None = None,
        *,
        kept_s: float = KEPT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.checks = checks or {}
        self._kept_s = kept_s
        self._clock = clock
        self._asking = asyncio.Lock()
        self._last: tuple[float, dict[str, Finding]] | None = None

    async def find(self) -> dict[str, Finding]:
        """What each check found, within the last `kept_s` seconds or now. Who asks while the
        checks run waits for their answer."""
        async with self._asking:
            if self._last is None or self._clock() >= self._last[0] + self._kept_s:
                found = await asyncio.gather(*map(_run, self.checks.values()))
                self._last = self._clock(), dict(zip(self.checks, found, strict=True))
            return self._last[1]


async def _run(check: ReadyCheck) -> Finding:
    try:
        async with asyncio.timeout(CHECK_LIMIT_S):
            return Finding(ok=True, detail=await check())
    except InferproofError as error:
        return Finding(ok=False, detail=f"{error.code}: {error.message}")
    except TimeoutError:
        return Finding(ok=False, detail=f"no answer within {CHECK_LIMIT_S:g} seconds")


class Pulse(Protocol):
    """What a service beats while it makes steps. services.heartbeat has one."""

    def silence(self) -> tuple[str, float]:
        """The part that is silent longest, and for how many seconds."""
        ...


def alive(
    name: str, task: asyncio.Task[None], heartbeat: Pulse | None = None, stall_s: float = 0
) -> ReadyCheck:
    """Holds while the task runs and, where it has a heartbeat, that it beats."""

    async def check() -> str:
        if task.done():
            raise Unavailable(Reason.SERVICE_ENDED, service=name)
        part, silent = heartbeat.silence() if heartbeat is not None else ("", 0.0)
        if silent > stall_s:
            raise Unavailable(
                Reason.SERVICE_STALLED, service=f"{name} ({part})", seconds=round(silent)
            )
        return "runs"

    return check


def space(folder: Path, wanted: int) -> ReadyCheck:
    """Holds while the folder's disk has that many bytes free."""

    async def check() -> str:
        try:
            free = (await asyncio.to_thread(shutil.disk_usage, folder)).free
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, why=f"{folder}: {why}") from error
        if free < wanted:
            raise Unavailable(Reason.DISK_LOW, path=folder, free=free, wanted=wanted)
        return f"{free // 2**20} MiB free"

    return check


def report_end(task: asyncio.Task[None]) -> None:
    """Logs a task that ended by a bug."""
    if not task.cancelled() and task.exception() is not None:
        log.critical("the %s ended by a bug", task.get_name(), exc_info=task.exception())
