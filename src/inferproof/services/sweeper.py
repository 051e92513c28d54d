"""Takes away blobs that nothing names any more, and jobs that never cost anything.

A job that fails leaves the proof that its worker had kept, a crash what it was about to name. A
blob of an answer or of a model is named by its row, and stays as long as that does.

Soundness: a blob is stored before the row that names it is written, so it must be older than any
step that may still do that; storing it again makes it new.

An order that its payer cancels before it settles is free for the payer. Without an end to such
jobs, anybody could fill the order book with them.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Protocol

from inferproof.errors import InferproofError
from inferproof.observability.faults import loggable
from inferproof.services.base import Clock
from inferproof.storage.ports.leader_lock import LeaderLock
from inferproof.types.digest import Digest

log = logging.getLogger("inferproof.sweeper")

EVERY_S = 3600.0
AT_A_TIME = 500
DAY_S = 86_400


class OldBlobs(Protocol):
    """Blobs by their age. Implementations block."""

    def old(self, before: int) -> Sequence[Digest]:
        """Those that were stored before this moment; what crashes left of others is removed."""
        ...

    def remove(self, name: Digest, before: int) -> bool:
        """Whether it is gone: it stays where it was stored again since `before`."""
        ...


class BlobNames(Protocol):
    """The rows that name blobs."""

    async def named(self, names: Sequence[Digest]) -> Collection[Digest]:
        """Those of the names that a row has. Raises: Unavailable STORAGE_UNAVAILABLE."""
        ...


class UnpaidJobs(Protocol):
    """Jobs that are void and were in no transaction of ours."""

    async def forget(self, before: int, *, limit: int) -> int:
        """How many were removed, of those that came to their end before this moment.

        Raises: Unavailable STORAGE_UNAVAILABLE.
        """
        ...


class Sweeper:
    """Removes blobs that are older than `blobs_days` and named by nothing, and unpaid jobs that
    ended `jobs_days` ago; zero keeps them."""

    def __init__(
        self,
        *,
        blobs: OldBlobs,
        names: BlobNames,
        jobs: UnpaidJobs,
        blobs_days: int,
        jobs_days: int,
        clock: Clock,
    ) -> None:
        self._blobs = blobs
        self._names = names
        self._jobs = jobs
        self._blobs_days = blobs_days
        self._jobs_days = jobs_days
        self._clock = clock

    async def run(self, leader: LeaderLock, every_s: float = EVERY_S) -> None:
        """Sweeps every so many seconds, while it holds the lock, until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(every_s)
                try:
                    if await leader.held():
                        await self.sweep_jobs()
                        await self.sweep_blobs()
                except InferproofError as error:
                    log.warning("cannot sweep: %s", loggable(error))
        finally:
            await leader.release()

    async def sweep_jobs(self) -> int:
        """How many jobs were removed. Raises: Unavailable STORAGE_UNAVAILABLE."""
        removed, more = 0, self._jobs_days > 0
        while more:
            before = self._clock() - self._jobs_days * DAY_S
            count = await self._jobs.forget(before, limit=AT_A_TIME)
            removed, more = removed + count, count == AT_A_TIME
        if removed:
            log.info("%d jobs that never cost anything were removed", removed)
        return removed

    async def sweep_blobs(self) -> int:
        """How many blobs were removed. Raises: Unavailable STORAGE_UNAVAILABLE."""
        if not self._blobs_days:
            return 0
        before, removed = self._clock() - self._blobs_days * DAY_S, 0
        old = await asyncio.to_thread(self._blobs.old, before)
        for at in range(0, len(old), AT_A_TIME):
            part = old[at : at + AT_A_TIME]
            named = await self._names.named(part)
            for name in part:
                if name not in named:
                    removed += await asyncio.to_thread(self._blobs.remove, name, before)
        if removed:
            log.info("%d blobs that nothing names were removed", removed)
        return removed
