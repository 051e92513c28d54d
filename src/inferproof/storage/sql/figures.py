"""How many jobs are in each state, and how old the oldest are: what an operator watches."""

import time
from collections.abc import Callable, Mapping

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.protocol.lifecycle import FINAL
from inferproof.storage.ports.ledger import Figures
from inferproof.storage.ports.outbox import OutboxState
from inferproof.storage.sql.tables import jobs, outbox
from inferproof.types.job import JobState

_OPEN = [state for state in JobState if state not in FINAL]

RESTING_S = 60.0
"""Jobs that have ended are only ever more: counting them reads them all, so it is done seldom."""
SHARE = 100
"""However many there are, counting them takes at most this part of the time: one hundredth."""


class FiguresReader:
    """Reads the figures. What moves is read each time, by its index; what rests, now and then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ended: Mapping[JobState, int] = {}
        self._next = float("-inf")

    async def __call__(self, connection: AsyncConnection) -> Figures:
        started = self._clock()
        if started >= self._next:
            self._ended = await _count(connection, list(FINAL))
            took = self._clock() - started
            self._next = started + max(RESTING_S, SHARE * took)
        moving, oldest = await _moving(connection)
        count, since = await _transactions(connection)
        return Figures({**self._ended, **moving}, oldest, count, since)


async def _moving(
    connection: AsyncConnection,
) -> tuple[dict[JobState, int], dict[JobState, int]]:
    """How many jobs are in each state that something leaves, and when the oldest was ordered.
    They are found by their state in an index; the queue's limit bounds them."""
    found = await connection.execute(
        select(jobs.c.state, func.count(), func.min(jobs.c.created_at))
        .where(jobs.c.state.in_([state.value for state in _OPEN]))
        .group_by(jobs.c.state)
    )
    counted, oldest = dict.fromkeys(_OPEN, 0), {}
    for state, count, since in found:
        counted[JobState(state)], oldest[JobState(state)] = int(count), int(since)
    return counted, oldest


async def _count(connection: AsyncConnection, states: list[JobState]) -> dict[JobState, int]:
    found = await connection.execute(
        select(jobs.c.state, func.count())
        .where(jobs.c.state.in_([state.value for state in states]))
        .group_by(jobs.c.state)
    )
    counted = {JobState(state): int(count) for state, count in found}
    return {state: counted.get(state, 0) for state in states}


async def _transactions(connection: AsyncConnection) -> tuple[int, int | None]:
    found = await connection.execute(
        select(func.count(), func.min(outbox.c.created_at)).where(
            outbox.c.state == OutboxState.OPEN.value
        )
    )
    count, since = found.one()
    return int(count), None if since is None else int(since)
