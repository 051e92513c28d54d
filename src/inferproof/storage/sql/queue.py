"""Claims, leases and checkpoints: the steps by which workers share jobs, each in the caller's
transaction.

Whoever holds a job has its newest fence and a lease that was not given back. Both are asked for
in the statement that writes, so a worker that was overtaken, or gave the job up, writes nothing.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, Reason
from inferproof.protocol.lifecycle import Transition
from inferproof.storage.ports.jobs import Answer, Failure, Job, Kept, KeptProof
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.mapping import (
    answer_values,
    checkpoint_values,
    failure_values,
    kept_of_rows,
)
from inferproof.storage.sql.queue_quota import IN_TURN
from inferproof.storage.sql.tables import (
    answers,
    checkpoints,
    jobs,
    models,
    payment_reservations,
)
from inferproof.storage.sql.transitions import (
    count_for_model,
    move,
    owe_refund,
    read_job,
    some_jobs,
)
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

_IS_STARTABLE = (
    jobs.c.state.in_((JobState.RESERVED.value, JobState.SETTLING.value))
    & (jobs.c.fence == 0)
    & jobs.c.deliver_by.is_(None)
    & ~exists().where(
        payment_reservations.c.job_id == jobs.c.job_id, payment_reservations.c.amount == 0
    )
)
"""No order in an escrow: who is not the first to accept it would have proven for nothing. And none
by a call that was bought before: that the call can be taken, its transaction tells."""


RECOVERY_LIMIT = 256
"""How many jobs one look for lost leases or passed deadlines takes; the next look takes more."""


class SqlQueue:
    """The Queue over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def runnable(self, *, now: int) -> bool:
        return await self._db.read(lambda connection: _runnable(connection, now))

    async def claim(self, *, now: int, lease_until: int) -> Job | None:
        return await self._db.write(lambda c: _claim(c, now, lease_until))

    async def startable(self) -> bool:
        return await self._db.read(_startable)

    async def claim_early(self, *, lease_until: int) -> Job | None:
        return await self._db.write(lambda c: _claim_early(c, lease_until))

    async def leave_early(self, job_id: Digest, fence: int) -> None:
        await self._db.write(lambda c: _leave_early(c, job_id, fence))

    async def heartbeat(self, job_id: Digest, fence: int, *, lease_until: int) -> None:
        await self._db.write(lambda c: _heartbeat(c, job_id, fence, lease_until))

    async def checkpoint(
        self, job_id: Digest, fence: int, done: KeptProof | Answer, *, now: int
    ) -> None:
        await self._db.write(lambda c: _checkpoint(c, job_id, fence, done, now))

    async def kept(self, job_id: Digest) -> Kept:
        return await self._db.read(lambda connection: _kept(connection, job_id))

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

    async def expired_leases(self, *, now: int) -> Sequence[Job]:
        c = jobs.c
        return await self._lost(c.state == JobState.RUNNING.value, c.lease_until < now)

    async def overdue(self, *, now: int) -> Sequence[Job]:
        c = jobs.c
        return await self._lost(c.state == JobState.QUEUED.value, c.deadline < now)

    async def _lost(self, *conditions: ColumnElement[bool]) -> Sequence[Job]:
        return await self._db.read(
            lambda connection: some_jobs(connection, *conditions, limit=RECOVERY_LIMIT)
        )


# -- steps, inside the caller's transaction --------------------------------------------------


def _is_runnable(now: int) -> ColumnElement[bool]:
    c = jobs.c
    return (c.state == JobState.QUEUED.value) & or_(c.lease_until.is_(None), c.lease_until < now)


def _is_held(job_id: Digest, fence: int) -> ColumnElement[bool]:
    c = jobs.c
    return (c.job_id == job_id) & (c.fence == fence) & c.lease_until.is_not(None)


async def _runnable(connection: AsyncConnection, now: int) -> bool:
    """Whether a job waits for a worker."""
    found = await connection.scalar(select(jobs.c.number).where(_is_runnable(now)).limit(1))
    return found is not None


async def _claim(connection: AsyncConnection, now: int, lease_until: int) -> Job | None:
    """The oldest job that waits, claimed."""
    job_id = await _next(connection, _is_runnable(now))
    if job_id is None:
        return None
    await move(
        connection,
        job_id,
        Transition.CLAIM,
        now=now,
        fence=jobs.c.fence + 1,
        attempts=jobs.c.attempts + 1,
        lease_until=lease_until,
    )
    return await read_job(connection, job_id)


async def _startable(connection: AsyncConnection) -> bool:
    """Whether a job can be started ahead of its settlement."""
    found = await connection.scalar(select(jobs.c.number).where(_IS_STARTABLE).limit(1))
    return found is not None


async def _claim_early(connection: AsyncConnection, lease_until: int) -> Job | None:
    """The oldest unsettled job that nobody claimed before, with a lease and the next fence.

    Once is enough: where it ended badly, or its worker was lost, the claim after the settlement
    decides what becomes of the job.
    """
    job_id = await _next(connection, _IS_STARTABLE)
    if job_id is None:
        return None
    await connection.execute(
        update(jobs)
        .where(jobs.c.job_id == job_id)
        .values(fence=jobs.c.fence + 1, lease_until=lease_until)
    )
    return await read_job(connection, job_id)


async def _leave_early(connection: AsyncConnection, job_id: Digest, fence: int) -> None:
    """Ends the lease on a job that is not settled, or was settled meanwhile."""
    running = jobs.c.state == JobState.RUNNING.value
    await _held(connection, job_id, fence, ~running, lease_until=None)


async def _heartbeat(
    connection: AsyncConnection, job_id: Digest, fence: int, lease_until: int
) -> None:
    """A longer lease."""
    await _held(connection, job_id, fence, lease_until=lease_until)


async def _checkpoint(
    connection: AsyncConnection, job_id: Digest, fence: int, done: KeptProof | Answer, now: int
) -> None:
    """Keeps what a step gave, for the holder of the job."""
    held = await connection.scalar(
        select(jobs.c.number).where(_is_held(job_id, fence)).with_for_update()
    )
    if held is None:
        raise Conflict(Reason.FENCE_STALE, fence=fence, job=job_id)
    values, c = checkpoint_values(done), checkpoints.c
    await connection.execute(
        delete(checkpoints).where(c.job_id == job_id, c.step == values["step"])
    )
    await connection.execute(
        insert(checkpoints).values(job_id=job_id, fence=fence, at=now, **values)
    )


async def _kept(connection: AsyncConnection, job_id: Digest) -> Kept:
    """What is kept of the job."""
    found = await connection.execute(select(checkpoints).where(checkpoints.c.job_id == job_id))
    return kept_of_rows(found)


async def _next(connection: AsyncConnection, wanted: ColumnElement[bool]) -> Digest | None:
    found: Digest | None = await connection.scalar(
        select(jobs.c.job_id)
        .where(wanted)
        .order_by(*IN_TURN)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return found


async def _held(
    connection: AsyncConnection,
    job_id: Digest,
    fence: int,
    *conditions: ColumnElement[bool],
    **values: int | None,
) -> None:
    result = await connection.execute(
        update(jobs).where(_is_held(job_id, fence), *conditions).values(**values)
    )
    if result.rowcount != 1:
        raise Conflict(Reason.FENCE_STALE, fence=fence, job=job_id)
