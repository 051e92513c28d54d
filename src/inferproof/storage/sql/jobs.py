"""The order book in SQL. Every change of state is one guarded update, named by its transition."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.concurrency.request_coalescing import RequestCoalescer
from inferproof.errors import InferproofError, NotFound, Reason
from inferproof.protocol.lifecycle import Transition
from inferproof.storage.ports.jobs import (
    Answer,
    Failure,
    Job,
    JobEvent,
    Kept,
    KeptProof,
    Order,
    Progress,
    QueueRoom,
    Reservation,
)
from inferproof.storage.ports.orders import Backlog, Figures
from inferproof.storage.sql import queue
from inferproof.storage.sql.backlog import BacklogReader
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.events import histories, progress
from inferproof.storage.sql.figures import FiguresReader
from inferproof.storage.sql.mapping import (
    answer_values,
    failure_values,
    job_of_row,
    select_jobs,
)
from inferproof.storage.sql.payments import PaymentKey, find_payments, payment_key
from inferproof.storage.sql.queue_quota import IN_TURN, Asked, QueueQuota, count_waiting
from inferproof.storage.sql.reservations import redeem, reserve
from inferproof.storage.sql.settlements import SqlSettlements
from inferproof.storage.sql.tables import (
    answers,
    jobs,
    models,
    payment_reservations,
)
from inferproof.storage.sql.transitions import (
    cancel,
    count_for_model,
    move,
    owe_refund,
    read_job,
)
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.payment import Payment

RECOVERY_LIMIT = 256
"""How many jobs one look for lost leases or passed deadlines takes; the next look takes more."""


async def _nothing(_: AsyncConnection) -> None:
    """A write whose end tells that all writes before it have ended."""


class SqlOrderBook(SqlSettlements):
    """The OrderBook over one database."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._find_payment = RequestCoalescer(self._payments)
        self._quota = QueueQuota()
        self._figures = FiguresReader()
        self._backlog = BacklogReader()
        self._histories = RequestCoalescer(self._events_of)

    async def reserve(self, order: Order, *, room: QueueRoom | None = None) -> Reservation:
        if self._quota.is_old:
            await self._quota.count_beside(
                lambda: self._db.write(_nothing), lambda: self._db.read(count_waiting)
            )
        return await self._db.write_item(self._reserve, (order, room))

    async def _reserve(
        self, connection: AsyncConnection, asked: Sequence[Asked]
    ) -> Sequence[Reservation | InferproofError]:
        return await reserve(connection, asked, self._quota)

    async def redeem(
        self, order: Order, *, settled_in: Digest, room: QueueRoom | None = None
    ) -> Reservation:
        return await self._db.write(
            lambda connection: redeem(connection, order, settled_in, room, self._quota)
        )

    # -- questions --------------------------------------------------------------------------

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
        return await self._some(jobs.c.state == state.value, limit=limit)

    async def expired_leases(self, *, now: int) -> Sequence[Job]:
        return await self._some(
            jobs.c.state == JobState.RUNNING.value, jobs.c.lease_until < now, limit=RECOVERY_LIMIT
        )

    async def overdue(self, *, now: int) -> Sequence[Job]:
        return await self._some(
            jobs.c.state == JobState.QUEUED.value, jobs.c.deadline < now, limit=RECOVERY_LIMIT
        )

    async def depth(self) -> Mapping[JobState, int]:
        async def ask(connection: AsyncConnection) -> Mapping[JobState, int]:
            found = await connection.execute(
                select(jobs.c.state, func.count()).group_by(jobs.c.state)
            )
            counted = {JobState(state): int(count) for state, count in found}
            return {state: counted.get(state, 0) for state in JobState}

        return await self._db.read(ask)

    async def backlog(self) -> Backlog:
        return await self._db.read(self._backlog)

    async def figures(self) -> Figures:
        return await self._db.read(self._figures)

    async def events(self, job_id: Digest) -> Sequence[JobEvent]:
        return await self._histories(job_id)

    async def progress(self, ids: Sequence[Digest]) -> Mapping[Digest, Progress]:
        return await self._db.read(lambda connection: progress(connection, ids))

    async def _events_of(self, ids: Sequence[Digest]) -> Mapping[Digest, Sequence[JobEvent]]:
        return await self._db.read(lambda connection: histories(connection, ids))

    async def _payments(self, keys: Sequence[PaymentKey]) -> Mapping[PaymentKey, Job | None]:
        return await self._db.read(lambda connection: find_payments(connection, keys))

    async def _first(self, *conditions: ColumnElement[bool]) -> Job | None:
        found = await self._some(*conditions, limit=1)
        return found[0] if found else None

    async def _some(self, *conditions: ColumnElement[bool], limit: int) -> Sequence[Job]:
        async def ask(connection: AsyncConnection) -> Sequence[Job]:
            query = select_jobs().where(*conditions).order_by(*IN_TURN).limit(limit)
            return [job_of_row(row) for row in await connection.execute(query)]

        return await self._db.read(ask)

    async def cancel(self, job_id: Digest, failure: Failure, *, running: bool, now: int) -> Job:
        return await self._db.write(
            lambda connection: cancel(connection, job_id, failure, running=running, now=now)
        )

    # -- work -------------------------------------------------------------------------------

    async def runnable(self, *, now: int) -> bool:
        return await self._db.read(lambda connection: queue.runnable(connection, now))

    async def claim(self, *, now: int, lease_until: int) -> Job | None:
        return await self._db.write(lambda c: queue.claim(c, now, lease_until))

    async def startable(self) -> bool:
        return await self._db.read(queue.startable)

    async def claim_early(self, *, lease_until: int) -> Job | None:
        return await self._db.write(lambda c: queue.claim_early(c, lease_until))

    async def leave_early(self, job_id: Digest, fence: int) -> None:
        await self._db.write(lambda c: queue.leave_early(c, job_id, fence))

    async def heartbeat(self, job_id: Digest, fence: int, *, lease_until: int) -> None:
        await self._db.write(lambda c: queue.heartbeat(c, job_id, fence, lease_until))

    async def checkpoint(
        self, job_id: Digest, fence: int, done: KeptProof | Answer, *, now: int
    ) -> None:
        await self._db.write(lambda c: queue.checkpoint(c, job_id, fence, done, now))

    async def kept(self, job_id: Digest) -> Kept:
        return await self._db.read(lambda connection: queue.kept(connection, job_id))

    async def release(self, job_id: Digest, fence: int, *, now: int, counts: bool = True) -> Job:
        async def change(connection: AsyncConnection) -> Job:
            await move(
                connection,
                job_id,
                Transition.RELEASE,
                now=now,
                held=fence,
                lease_until=None,
                **({} if counts else {"attempts": jobs.c.attempts - 1}),
            )
            return await read_job(connection, job_id)

        return await self._db.write(change)

    async def finish(self, job_id: Digest, fence: int, answer: Answer, *, now: int) -> Job:
        async def change(connection: AsyncConnection) -> Job:
            await move(connection, job_id, Transition.FINISH, now=now, held=fence)
            values = answer_values(answer)
            await connection.execute(
                insert(answers).values(job_id=job_id, created_at=now, **values)
            )
            job = await read_job(connection, job_id)
            prove_ms = sum(t.microseconds for t in answer.timings if t.stage == "prove") // 1000
            await count_for_model(
                connection,
                job,
                done=models.c.done + 1,
                prove_ms_total=models.c.prove_ms_total + prove_ms,
            )
            return job

        return await self._db.write(change)

    async def give_up(self, job_id: Digest, fence: int, failure: Failure, *, now: int) -> Job:
        async def change(connection: AsyncConnection) -> Job:
            await move(
                connection,
                job_id,
                Transition.GIVE_UP,
                now=now,
                held=fence,
                **failure_values(failure),
            )
            await owe_refund(connection, job_id, now)
            job = await read_job(connection, job_id)
            await count_for_model(connection, job, failed=models.c.failed + 1)
            return job

        return await self._db.write(change)
