"""Ports of orders that tell a tracer of every step of a job.

Each step of a job is a change that one of the ports makes, so this is the one place that sees them
all, whichever process makes them; who is not traced uses the bare ports and pays nothing.

    accept      the request came → reserved
    settle      reserved → the settlement is in a block
    queue       settled → claimed
    attempt     claimed → finished, or given back, or given up
      preprocess, load, witness, prove, verify, store    as the worker timed them
      finish    the commit of the answer
    refund      given up → the refund is in a block

Rows keep whole seconds. Where this process saw the step before, it knows the moment better.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

from inferproof.observability.base import Fact, Tracer, current
from inferproof.storage.ports.jobs import (
    Answer,
    Failure,
    Job,
    Jobs,
    Outcome,
    Reservation,
    ValidatedOrder,
)
from inferproof.storage.ports.orders import Orders
from inferproof.storage.ports.outbox import Inclusion, NewTransaction, OutboxItem
from inferproof.storage.ports.queue import Queue
from inferproof.storage.ports.settlements import Settlements
from inferproof.types.digest import Digest

MAX_KNOWN = 10_000
"""Jobs whose last moment is kept: more than wait at any time in a gateway of usual limits."""
SECOND = 1_000_000_000


class _Steps:
    """What this process saw of the steps of jobs, and the tracer that is told of them."""

    def __init__(self, tracer: Tracer, now_ns: Callable[[], int]) -> None:
        self.tracer = tracer
        self.now_ns = now_ns
        self._last: OrderedDict[Digest, int] = OrderedDict()

    def stage(
        self, job_id: Digest, name: str, since: int, failed: str | None = None, /, **facts: Fact
    ) -> None:
        """A stage that began with the job's last one, or at `since`, and is over now."""
        start, end = self.since(job_id, since), self.now_ns()
        self.tracer.stage(
            job_id, name, start_ns=min(start, end), end_ns=end, facts=facts, failed=failed
        )
        self.note(job_id, end)

    def since(self, job_id: Digest, seconds: int) -> int:
        return self._last.get(job_id, seconds * SECOND)

    def note(self, job_id: Digest, moment: int) -> None:
        self._last[job_id] = moment
        while len(self._last) > MAX_KNOWN:
            self._last.popitem(last=False)

    def forget(self, job_id: Digest) -> None:
        """The job is over."""
        self._last.pop(job_id, None)


P = TypeVar("P")


class _Traced(Generic[P]):
    """A port with a tracer. What a class of it does not name goes through as it is."""

    def __init__(self, port: P, steps: _Steps) -> None:
        self._port = port
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class _TracedJobs(_Traced[Jobs]):
    async def reserve(self, order: ValidatedOrder, **terms: Any) -> Reservation:
        reservation = await self._port.reserve(order, **terms)
        if reservation.outcome is Outcome.NEW:
            about, end = current(), self._steps.now_ns()
            start = about.started_ns if about and about.started_ns else order.created_at * SECOND
            self._steps.tracer.accepted(order.job_id, about, start_ns=start, end_ns=end)
            self._steps.note(order.job_id, end)
        return reservation


class _TracedSettlements(_Traced[Settlements]):
    async def included(self, inclusions: Sequence[Inclusion], *, now: int) -> Sequence[Digest]:
        settled = await self._port.included(inclusions, now=now)
        at = {job_id: each for each in inclusions for job_id in each.outcomes}
        for job_id in settled:
            tx, block = at[job_id].tx.hex, at[job_id].block.number
            self._steps.stage(job_id, "settle", at[job_id].item.created_at, tx=tx, block=block)
        return settled

    async def settled(
        self, job_id: Digest, tx: Digest, block: int, *, now: int, block_hash: Digest | None = None
    ) -> Job:
        job = await self._port.settled(job_id, tx, block, now=now, block_hash=block_hash)
        self._steps.stage(job_id, "settle", job.order.created_at, tx=tx.hex, block=block)
        return job

    async def void(self, job_id: Digest, failure: Failure, *, now: int) -> Job:
        job = await self._port.void(job_id, failure, now=now)
        self._steps.stage(job_id, "settle", job.order.created_at, failure.code)
        return job

    async def send_refund(self, job_id: Digest, tx: NewTransaction, *, now: int) -> OutboxItem:
        item = await self._port.send_refund(job_id, tx, now=now)
        self._steps.note(job_id, min(self._steps.since(job_id, now), self._steps.now_ns()))
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
        job = await self._port.refunded(
            job_id, tx, block, now=now, block_hash=block_hash, found=found
        )
        self._steps.stage(job_id, "refund", now, tx=tx.hex, block=block)
        return job

    async def refund_lost(self, job_id: Digest, *, now: int, retry_at: int | None = None) -> Job:
        job = await self._port.refund_lost(job_id, now=now, retry_at=retry_at)
        self._steps.stage(job_id, "refund", now, "REFUND_LOST")
        return job


class _TracedQueue(_Traced[Queue]):
    async def claim(self, *, now: int, lease_until: int) -> Job | None:
        job = await self._port.claim(now=now, lease_until=lease_until)
        if job is not None:
            self._steps.stage(job.order.job_id, "queue", now)
        return job

    async def release(self, job_id: Digest, fence: int, *, now: int, counts: bool = True) -> Job:
        job = await self._port.release(job_id, fence, now=now, counts=counts)
        self._steps.stage(job_id, "attempt", now, "RELEASED", fence=fence, attempt=job.attempts)
        return job

    async def finish(self, job_id: Digest, fence: int, answer: Answer, *, now: int) -> Job:
        committing, stage = self._steps.now_ns(), self._steps.tracer.stage
        job = await self._port.finish(job_id, fence, answer, now=now)
        end = self._steps.now_ns()
        took = sum(timing.microseconds for timing in answer.timings) * 1000
        start = min(self._steps.since(job_id, now), committing - took)
        attempt = stage(
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
            stage(job_id, timing.stage, start_ns=at, end_ns=until, parent=attempt)
            at = until
        stage(job_id, "finish", start_ns=committing, end_ns=end, parent=attempt)
        self._steps.forget(job_id)
        return job

    async def give_up(self, job_id: Digest, fence: int, failure: Failure, *, now: int) -> Job:
        job = await self._port.give_up(job_id, fence, failure, now=now)
        self._steps.stage(job_id, "attempt", now, failure.code, fence=fence, attempt=job.attempts)
        return job


def traced(orders: Orders, tracer: Tracer, now_ns: Callable[[], int] = time.time_ns) -> Orders:
    """The ports with a tracer on those that make steps."""
    steps = _Steps(tracer, now_ns)
    return replace(
        orders,
        jobs=cast("Jobs", _TracedJobs(orders.jobs, steps)),
        settlements=cast("Settlements", _TracedSettlements(orders.settlements, steps)),
        queue=cast("Queue", _TracedQueue(orders.queue, steps)),
    )
