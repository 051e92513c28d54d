"""Room in the queue, and turns: what keeps one payer from filling it.

Counting every waiting job for every batch of orders would cost more than the orders do. So one
process keeps counts that are never too low, since it alone adds to them: each is what was last
counted and what was reserved since. While they leave room there is room. Once a second one order
counts again before its turn to be written, beside the others, which go on. Before an order is
refused the database is counted again in the transaction that reserves.

A turn is a number that each new job gets: one more than the newest waiting job of its payer has,
and one more than the smallest of all that have not begun. Jobs are taken by turn and then by age,
so the n-th job of a payer stands behind the earlier ones of every other. Whoever comes now joins
the next round and not the present one, which therefore ends: none starves, however many come.

Source: after start-time fair queueing (Goyal, Vin, Cheng 1996), with every job of one length.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import InferproofError, Reason, TooMany, Unavailable
from inferproof.storage.ports.jobs import QueueLimits, ValidatedOrder
from inferproof.storage.sql.backlog import WAITING
from inferproof.storage.sql.tables import jobs, payment_reservations
from inferproof.types.digest import Address
from inferproof.types.job import JobState

IN_TURN = (jobs.c.turn, jobs.c.number)
"""The order in which waiting jobs are settled and worked on."""

COUNTED_S = 1.0
"""How old a count may be; also how late the jobs of another process on the database are seen."""
SHARE = 50
"""A count that takes long is used for so many times its length."""
LATE = 3
"""A count that is older by so many times, because nobody could count beside, is not used."""
FEW = 1000
TENTH = 10
"""Counting more than FEW jobs takes no more than a tenth of the time: whoever is refused over and
over must not keep the database counting. What was counted that recently decides."""

Asked = tuple[ValidatedOrder, QueueLimits | None]
Counts = Sequence[tuple[Address, str | None, int, int | None, int]]
"""For each payer and API key: how many jobs wait, the smallest turn of those that have not begun,
and the largest."""


async def count_waiting(connection: AsyncConnection) -> Counts:
    """What waits, by payer and key."""
    r = payment_reservations.c
    found = await connection.execute(
        select(
            r.payer,
            jobs.c.api_key,
            func.count(),
            func.min(case((jobs.c.state != JobState.RUNNING.value, jobs.c.turn))),
            func.max(jobs.c.turn),
        )
        .select_from(jobs)
        .join(payment_reservations, r.job_id == jobs.c.job_id)
        .where(jobs.c.state.in_(WAITING))
        .group_by(r.payer, jobs.c.api_key)
    )
    return [(payer, key, count, low, high) for payer, key, count, low, high in found]


class QueueQuota:
    """The counts of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counted_at = float("-inf")
        self._rest = 0.0
        self._lasts_s = COUNTED_S
        self._total = 0
        self._payers: Counter[Address] = Counter()
        self._keys: Counter[str] = Counter()
        self._first_turn = 0
        self._last_turn: dict[Address, int] = {}
        self._since: list[tuple[ValidatedOrder, int]] | None = None
        """What was added since somebody began to count beside; None where nobody does."""

    @property
    def is_old(self) -> bool:
        """Whether somebody should count beside."""
        age = self._clock() - self._counted_at
        return self._since is None and self._lasts_s < age < float("inf")

    async def count_beside(
        self, written: Callable[[], Awaitable[None]], count: Callable[[], Awaitable[Counts]]
    ) -> None:
        """Counts while others are added. `written` returns when all that were added before it was
        called are in the database, or were removed again.

        Soundness: what is added from here on is counted once more where `count` saw it, and never
        left out.
        """
        self._since = []
        try:
            await written()
            began = self._clock()
            self._take(await count(), began)
            for order, turn in self._since:
                self._put(order, turn)
        finally:
            self._since = None

    async def refresh(self, connection: AsyncConnection, asked: Sequence[Asked]) -> None:
        """Counts again where the counts are old, or leave no room for all of these."""
        age = self._clock() - self._counted_at
        if age > LATE * self._lasts_s or (age >= self._rest and not self._fits(asked)):
            began = self._clock()
            self._take(await count_waiting(connection), began)

    def refuse(self, order: ValidatedOrder, quota: QueueLimits | None) -> InferproofError | None:
        """Why there is no room for this order; None where there is."""
        if quota is None:
            return None
        if self._total >= quota.total:
            return Unavailable(Reason.QUEUE_FULL, depth=self._total, limit=quota.total)
        of_payer = self._payers[order.payment.payer]
        if of_payer >= quota.each:
            return TooMany(
                Reason.QUEUE_SHARE_FULL, waiting=of_payer, whose="payer", limit=quota.each
            )
        of_key = 0 if order.api_key is None else self._keys[order.api_key]
        if of_key >= quota.each:
            return TooMany(
                Reason.QUEUE_SHARE_FULL, waiting=of_key, whose="API key", limit=quota.each
            )
        return None

    def add(self, order: ValidatedOrder) -> int:
        """The turn of this order, which waits from now on."""
        turn = max(self._first_turn, self._last_turn.get(order.payment.payer, 0)) + 1
        self._put(order, turn)
        if self._since is not None:
            self._since.append((order, turn))
        return turn

    def _put(self, order: ValidatedOrder, turn: int) -> None:
        payer = order.payment.payer
        self._total += 1
        self._payers[payer] += 1
        if order.api_key is not None:
            self._keys[order.api_key] += 1
        self._last_turn[payer] = max(turn, self._last_turn.get(payer, 0))

    def remove(self, order: ValidatedOrder, turn: int) -> None:
        """The order was not new, or another process was first. The next of its payer gets its turn,
        where none had a later one."""
        payer = order.payment.payer
        self._total -= 1
        self._payers[payer] -= 1
        if self._last_turn.get(payer) == turn:
            self._last_turn[payer] = turn - 1
        if order.api_key is not None:
            self._keys[order.api_key] -= 1
        if self._since is not None:
            self._since = [each for each in self._since if each[0] is not order]

    def _fits(self, asked: Sequence[Asked]) -> bool:
        payers = Counter(order.payment.payer for order, _ in asked)
        keys = Counter(order.api_key for order, _ in asked if order.api_key is not None)
        return all(
            quota is None
            or (
                self._total + len(asked) <= quota.total
                and self._payers[order.payment.payer] + payers[order.payment.payer] <= quota.each
                and (
                    order.api_key is None
                    or self._keys[order.api_key] + keys[order.api_key] <= quota.each
                )
            )
            for order, quota in asked
        )

    def _take(self, counts: Counts, began: float) -> None:
        self._total, self._payers, self._keys, self._last_turn = 0, Counter(), Counter(), {}
        first: int | None = None
        for payer, key, count, low, high in counts:
            self._total += count
            self._payers[payer] += count
            if key is not None:
                self._keys[key] += count
            self._last_turn[payer] = max(high, self._last_turn.get(payer, high))
            if low is not None:  # what runs had its turn
                first = low if first is None else min(first, low)
        self._first_turn = 0 if first is None else first
        self._counted_at = self._clock()
        took = self._counted_at - began
        self._lasts_s = max(COUNTED_S, SHARE * took)
        self._rest = TENTH * took if self._total > FEW else 0.0
