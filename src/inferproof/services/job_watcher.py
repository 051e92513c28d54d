"""Tells the event bus of jobs that other processes move on, while somebody here waits for them.

The event bus reaches one process only. So all jobs that are waited for are looked at together, in
one question each time, however many callers wait.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from inferproof.errors import InferproofError
from inferproof.services.event_bus import EventBus
from inferproof.storage.ports.jobs import Jobs, Progress
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

LOOK_AGAIN_S = 0.5
"""How much later than in one process a waiting call is told of what another process did."""


@dataclass(slots=True)
class _Watched:
    """A job that somebody waits for: how far it had come, and how often that changed."""

    progress: Progress | None = None
    changes: int = 0
    watches: int = 0


@dataclass(slots=True)
class Watch:
    """One caller's look at a job. What changes after `mark` ends the next wait."""

    _job: Digest
    _watched: _Watched
    _event_bus: EventBus
    _mark: int = field(default=-1)

    def mark(self) -> None:
        """To be called before the job is read: what changes meanwhile is not missed."""
        self._mark = self._watched.changes

    async def wait(self, timeout_s: float, passing: frozenset[JobState] = frozenset()) -> None:
        """Returns when the job may have made a step since the mark, or the time is over. A step of
        another process into one of the states `passing` does not count."""
        end = time.monotonic() + timeout_s
        while True:
            if self._watched.changes == self._mark:
                await self._event_bus.wait(self._job, max(0.0, end - time.monotonic()))
                if self._watched.changes == self._mark:
                    return  # rung in this process, or the time is over
            progress = self._watched.progress
            if progress is None or progress.state not in passing or time.monotonic() >= end:
                return
            self._mark = self._watched.changes


class JobWatcher:
    """Looks at the jobs of one order book for those who wait in this process."""

    def __init__(self, jobs: Jobs, event_bus: EventBus, every_s: float = LOOK_AGAIN_S) -> None:
        self._jobs = jobs
        self._event_bus = event_bus
        self._every_s = every_s
        self._watched: dict[Digest, _Watched] = {}
        self._looking: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watch(self, job_id: Digest) -> Iterator[Watch]:
        """A look at the job for as long as the block lasts."""
        watched = self._watched.setdefault(job_id, _Watched())
        watched.watches += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_forever(), name="job watcher")
        try:
            yield Watch(job_id, watched, self._event_bus)
        finally:
            watched.watches -= 1
            if not watched.watches:
                del self._watched[job_id]
            if not self._watched:
                self._looking.cancel()

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                made = await self._jobs.progress(list(self._watched))
            except InferproofError:
                # Whoever waits asks for the job itself then, and is told what is wrong.
                made = {}
            for job_id, watched in list(self._watched.items()):
                progress = made.get(job_id)
                if progress is None or progress != watched.progress:
                    watched.progress = progress
                    watched.changes += 1
                    self._event_bus.publish(job_id)
