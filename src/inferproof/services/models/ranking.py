"""Ranking lists of models by the reputation of their providers, as a market on a chain has it.

A round, every few seconds, by one process for all that share a database:

    1  whose models are active
    2  the score of each, in the newest block
    3  all of them, in one transaction

So no request asks the chain. A chain that cannot be asked leaves the scores as they were last
known: they say in what order models are shown, and nothing else rests on them.
"""

import asyncio
import logging
from asyncio import timeout as time_limit
from collections.abc import Mapping, Sequence
from typing import Protocol

from inferproof.errors import InferproofError
from inferproof.observability.faults import loggable
from inferproof.services.base import Clock
from inferproof.services.heartbeat import Heartbeat
from inferproof.storage.ports.leader_lock import LeaderLock
from inferproof.storage.ports.scores import ScoreStore
from inferproof.types.digest import Address

log = logging.getLogger("inferproof.ranking")

ROUND_S = 60.0
"""Longest that a round may take, as one of following a registry."""


class Scores(Protocol):
    """What a market on a chain says of servers."""

    async def ask(self, servers: Sequence[Address]) -> Mapping[Address, int]:
        """The score of each, from 0 to 10,000, as of now. Raises: InferproofError, whatever keeps
        it from answering."""
        ...


class Ranking:
    """Keeps the scores of one gateway's providers fresh. Units: seconds."""

    def __init__(self, *, scores: Scores, store: ScoreStore, clock: Clock, poll_s: float) -> None:
        self._scores = scores
        self._store = store
        self._clock = clock
        self._poll_s = poll_s

    async def rank(self) -> None:
        """One round; see the steps of this module.

        Raises: as `Scores.ask`; Unavailable STORAGE_UNAVAILABLE, STORAGE_FULL.
        """
        # 1
        providers = await self._store.providers()
        # 2
        found = await self._scores.ask(providers)
        # 3
        await self._store.record(found, now=self._clock())

    async def try_rank(self, leader: LeaderLock | None = None) -> None:
        """One round, within its time, where the lock is held or none is given; a failure is logged,
        and the next round may do better."""
        try:
            if leader is None or await leader.held():
                async with time_limit(ROUND_S):
                    await self.rank()
        except InferproofError as error:
            log.warning("cannot ask for reputations: %s", loggable(error))
        except TimeoutError:
            log.warning("cannot ask for reputations: a round took %g seconds", ROUND_S)
        except Exception:  # the edge of a service that must not end with one bad day
            log.exception("a fault of ours")

    async def run(self, leader: LeaderLock, heartbeat: Heartbeat) -> None:
        """A round every few seconds, while it holds the lock, until it is cancelled."""
        try:
            while True:
                heartbeat.beat("ranking")
                await self.try_rank(leader)
                await asyncio.sleep(self._poll_s)
        finally:
            await leader.release()
