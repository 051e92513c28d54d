"""An order book that tells a tracer of every step of a job.

Each step of a job is a change in the order book, so this is the one place that sees them all,
whichever process makes them; who is not traced uses the bare order book and pays nothing.

    accept      the request came → reserved
    settle      reserved → the settlement is in a block
    queue       settled → claimed
    attempt     claimed → finished, or given back, or given up
      preprocess, load, witness, prove, self-check, verify, store    as the worker timed them
      finish    the commit of the answer
    refund      given up → the refund is in a block

Rows keep whole seconds. Where this process saw the step before, it knows the moment better.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from inferproof.storage.ports.jobs import Answer, Failure, Job, Order, Outcome, Reservation
from inferproof.storage.ports.orders import OrderBook
from inferproof.storage.ports.outbox import Inclusion, NewTransaction, OutboxItem
from inferproof.telemetry.base import Fact, Tracer, current
from inferproof.types.digest import Digest

MAX_KNOWN = 10_000
"""Jobs whose last moment is kept: more than wait at any time in a gateway of usual limits."""
SECOND = 1_000_000_000


class TracedOrders:
    """The order book with a tracer. What is not named here goes through as it is."""

    def __init__(
        self, orders: OrderBook, tracer: Tracer, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._orders = orders
        self._tracer = tracer
        self._now_ns = now_ns
        self._last: OrderedDict[Digest, int] = OrderedDict()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._orders, name)

    async def reserve(self, order: Order, **terms: Any) -> Reservation:
        reservation = await self._orders.reserve(order, **terms)
        if reservation.outcome is Outcome.NEW:
            about, end = current(), self._now_ns()
            start = about.started_ns if about and about.started_ns else order.created_at * SECOND
            self._tracer.accepted(order.job_id, about, start_ns=start, end_ns=end)
            self._note(order.job_id, end)
        return reservation

    async def included(self, inclusions: Sequence[Inclusion], *, now: int) -> Sequence[Digest]:
        settled = await self._orders.included(inclusions, now=now)
        at = {job_id: each for each in inclusions for job_id in each.outcomes}
        for job_id in settled:
            tx, block = at[job_id].tx.hex, at[job_id].block.number
            self._stage(job_id, "settle", at[job_id].item.created_at, tx=tx, block=block)
        return settled

    async def settled(
        self, job_id: Digest, tx: Digest, block: int, *, now: int, block_hash: Digest | None = None
    ) -> Job:
        job = await self._orders.settled(job_id, tx, block, now=now, block_hash=block_hash)
        self._stage(job_id, "settle", job.order.created_at, tx=tx.hex, block=block)
        return job

    async def void(self, job_id: Digest, failure: Failure, *, now: int) -> Job:
        job = await self._orders.void(job_id, failure, now=now)
        self._stage(job_id, "settle", job.order.created_at, failure.code)
        return job

    async def claim(self, *, now: int, lease_until: int) -> Job | None:
        job = await self._orders.claim(now=now, lease_until=lease_until)
        if job is not None:
            self._stage(job.order.job_id, "queue", now)
        return job

    async def release(self, job_id: Digest, fence: int, *, now: int, counts: bool = True) -> Job:
        job = await self._orders.release(job_id, fence, now=now, counts=counts)
        self._stage(job_id, "attempt", now, "RELEASED", fence=fence, attempt=job.attempts)
        return job

    async def finish(self, job_id: Digest, fence: int, answer: Answer, *, now: int) -> Job:
        committing = self._now_ns()
        job = await self._orders.finish(job_id, fence, answer, now=now)
        end = self._now_ns()
        took = sum(timing.microseconds for timing in answer.timings) * 1000
        start = min(self._since(job_id, now), committing - took)
        attempt = self._tracer.stage(
            job_id,
            "attempt",
            start_ns=start,
            end_ns=end,
            facts={
                "fence": fence,
                "attempt": job.attempts,
                "model": job.order.model_id,
                "system": job.order.quote.proof_system,
            },
        )
        at = committing - took
        for timing in answer.timings:
            until = at + timing.microseconds * 1000
            self._tracer.stage(job_id, timing.stage, start_ns=at, end_ns=until, parent=attempt)
            at = until
        self._tracer.stage(job_id, "finish", start_ns=committing, end_ns=end, parent=attempt)
        self._last.pop(job_id, None)
        return job

    async def give_up(self, job_id: Digest, fence: int, failure: Failure, *, now: int) -> Job:
        job = await self._orders.give_up(job_id, fence, failure, now=now)
        self._stage(job_id, "attempt", now, failure.code, fence=fence, attempt=job.attempts)
        return job

    async def send_refund(self, job_id: Digest, tx: NewTransaction, *, now: int) -> OutboxItem:
        item = await self._orders.send_refund(job_id, tx, now=now)
        self._note(job_id, min(self._since(job_id, now), self._now_ns()))
        return item

    async def refunded(
        self,
        job_id: Digest,
        tx: Digest,
        block: int,
        *,
        now: int,
        block_hash: Digest | None = None,
        found: bool = False,
    ) -> Job:
        job = await self._orders.refunded(
            job_id, tx, block, now=now, block_hash=block_hash, found=found
        )
        self._stage(job_id, "refund", now, tx=tx.hex, block=block)
        return job

    async def refund_lost(self, job_id: Digest, *, now: int, retry_at: int | None = None) -> Job:
        job = await self._orders.refund_lost(job_id, now=now, retry_at=retry_at)
        self._stage(job_id, "refund", now, "REFUND_LOST")
        return job

    def _stage(
        self, job_id: Digest, name: str, since: int, failed: str | None = None, /, **facts: Fact
    ) -> None:
        """A stage that began with the job's last one, or at `since`, and is over now."""
        start, end = self._since(job_id, since), self._now_ns()
        self._tracer.stage(
            job_id, name, start_ns=min(start, end), end_ns=end, facts=facts, failed=failed
        )
        self._note(job_id, end)

    def _since(self, job_id: Digest, seconds: int) -> int:
        return self._last.get(job_id, seconds * SECOND)

    def _note(self, job_id: Digest, moment: int) -> None:
        self._last[job_id] = moment
        while len(self._last) > MAX_KNOWN:
            self._last.popitem(last=False)
