"""The jobs in SQL."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.concurrency.request_coalescing import RequestCoalescer
from inferproof.errors import InferproofError, NotFound, Reason
from inferproof.storage.ports.jobs import (
    Failure,
    Job,
    JobEvent,
    Progress,
    QueueLimits,
    Reservation,
    ValidatedOrder,
)
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.events import histories, progress
from inferproof.storage.sql.payments import PaymentKey, find_payments, payment_key
from inferproof.storage.sql.queue_quota import Asked, QueueQuota, count_waiting
from inferproof.storage.sql.reservations import redeem, reserve
from inferproof.storage.sql.tables import (
    answers,
    jobs,
    payment_reservations,
)
from inferproof.storage.sql.transitions import (
    cancel,
    some_jobs,
)
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.payment import Payment


async def _nothing(_: AsyncConnection) -> None:
    """A write whose end tells that all writes before it have ended."""


class SqlJobs:
    """The Jobs over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._find_payment = RequestCoalescer(self._payments)
        self._quota = QueueQuota()
        self._histories = RequestCoalescer(self._events_of)

    async def reserve(
        self, order: ValidatedOrder, *, quota: QueueLimits | None = None
    ) -> Reservation:
        if self._quota.is_old:
            await self._quota.count_beside(
                lambda: self._db.write(_nothing), lambda: self._db.read(count_waiting)
            )
        return await self._db.write_item(self._reserve, (order, quota))

    async def _reserve(
        self, connection: AsyncConnection, asked: Sequence[Asked]
    ) -> Sequence[Reservation | InferproofError]:
        return await reserve(connection, asked, self._quota)

    async def redeem(
        self, order: ValidatedOrder, *, settled_in: Digest, quota: QueueLimits | None = None
    ) -> Reservation:
        return await self._db.write(
            lambda connection: redeem(connection, order, settled_in, quota, self._quota)
        )

    async def find(self, job_id: Digest) -> Job | None:
        return await self._first(jobs.c.job_id == job_id)

    async def job(self, job_id: Digest) -> Job:
        job = await self.find(job_id)
        if job is None:
            raise NotFound(Reason.JOB_UNKNOWN, job=job_id)
        return job

    async def job_of_proof(self, proof_digest: Digest) -> Job | None:
        return await self._first(answers.c.proof_digest == proof_digest)

    async def find_payment(self, payment: Payment) -> Job | None:
        return await self._find_payment(payment_key(payment))

    async def find_payment_id(self, payer: Address, payment_id: str) -> Job | None:
        c = payment_reservations.c
        return await self._first(c.payer == payer, c.payment_id == payment_id)

    async def in_state(self, state: JobState, *, limit: int) -> Sequence[Job]:
        return await self._db.read(
            lambda connection: some_jobs(connection, jobs.c.state == state.value, limit=limit)
        )

    async def events(self, job_id: Digest) -> Sequence[JobEvent]:
        return await self._histories(job_id)

    async def progress(self, ids: Sequence[Digest]) -> Mapping[Digest, Progress]:
        return await self._db.read(lambda connection: progress(connection, ids))

    async def cancel(self, job_id: Digest, failure: Failure, *, running: bool, now: int) -> Job:
        return await self._db.write(
            lambda connection: cancel(connection, job_id, failure, running=running, now=now)
        )

    async def _events_of(self, ids: Sequence[Digest]) -> Mapping[Digest, Sequence[JobEvent]]:
        return await self._db.read(lambda connection: histories(connection, ids))

    async def _payments(self, keys: Sequence[PaymentKey]) -> Mapping[PaymentKey, Job | None]:
        return await self._db.read(lambda connection: find_payments(connection, keys))

    async def _first(self, *conditions: ColumnElement[bool]) -> Job | None:
        found = await self._db.read(lambda connection: some_jobs(connection, *conditions, limit=1))
        return found[0] if found else None
