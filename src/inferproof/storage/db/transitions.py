"""The steps that changes of the order book are made of, each inside the caller's transaction."""

from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, NotFound, Reason
from inferproof.protocol.lifecycle import WORKABLE, Transition, after
from inferproof.storage.base import (
    Failure,
    Job,
    NewTransaction,
    OutboxItem,
    OutboxKind,
    OutboxState,
    RefundState,
)
from inferproof.storage.db.codec import (
    failure_values,
    job_of_row,
    outbox_of_row,
    outbox_values,
    select_jobs,
)
from inferproof.storage.db.events import Step, record_steps
from inferproof.storage.db.tables import (
    checkpoints,
    jobs,
    models,
    outbox,
    refunds,
    settlements,
)
from inferproof.types.digest import Digest
from inferproof.types.job import JobState


async def move(
    connection: AsyncConnection,
    job_id: Digest,
    transition: Transition,
    *,
    now: int,
    held: int | None = None,
    **values: Any,
) -> tuple[JobState, JobState]:
    """One transition, recorded: the states before and after it. `held` is the fence that the
    caller holds, where it must hold one."""
    found = (
        await connection.execute(
            select(jobs.c.state, jobs.c.fence).where(jobs.c.job_id == job_id).with_for_update()
        )
    ).one_or_none()
    if found is None:
        raise NotFound(Reason.JOB_UNKNOWN, job=job_id)
    state, fence = found
    if held is not None and held != fence:
        raise Conflict(Reason.FENCE_STALE, fence=held, job=job_id)
    target = after(JobState(state), transition)
    if target not in WORKABLE:
        values["lease_until"] = None
        await connection.execute(delete(checkpoints).where(checkpoints.c.job_id == job_id))
    result = await connection.execute(
        update(jobs)
        .where(jobs.c.job_id == job_id, jobs.c.state == state, jobs.c.fence == fence)
        .values(state=target.value, updated_at=now, **values)
    )
    if result.rowcount != 1:  # the row was locked above; a driver that ignores locks ends here
        raise Conflict(Reason.FENCE_STALE, fence=fence, job=job_id)
    await record_steps(connection, [Step(job_id, transition.value, target, now)])
    return JobState(state), target


async def cancel(
    connection: AsyncConnection, job_id: Digest, failure: Failure, *, running: bool, now: int
) -> Job:
    """The job, cancelled; see OrderBook.cancel."""
    before, state = await move(
        connection,
        job_id,
        Transition.CANCEL,
        now=now,
        fence=jobs.c.fence + 1,
        **failure_values(failure),
    )
    if before is JobState.RUNNING and not running:
        raise Conflict(Reason.CANCEL_RUNNING, job=job_id)
    if state is JobState.FAILED:
        await owe_refund(connection, job_id, now)
    return await read_job(connection, job_id)


async def owe_refund(connection: AsyncConnection, job_id: Digest, now: int) -> None:
    await connection.execute(
        insert(refunds).values(job_id=job_id, state=RefundState.DUE.value, updated_at=now)
    )


async def require_state(connection: AsyncConnection, job_id: Digest, state: JobState) -> None:
    found = await connection.scalar(
        select(jobs.c.state).where(jobs.c.job_id == job_id).with_for_update()
    )
    if found is None:
        raise NotFound(Reason.JOB_UNKNOWN, job=job_id)
    if found != state.value:
        raise Conflict(
            Reason.JOB_TRANSITION_ILLEGAL, state=found, transition=Transition.SEND_SETTLEMENT.value
        )


async def read_job(connection: AsyncConnection, job_id: Digest) -> Job:
    return job_of_row(
        (await connection.execute(select_jobs().where(jobs.c.job_id == job_id))).one()
    )


async def add_to_outbox(
    connection: AsyncConnection, kind: OutboxKind, job_id: Digest, tx: NewTransaction, now: int
) -> OutboxItem:
    number = await connection.scalar(
        insert(outbox).values(**outbox_values(kind, job_id, tx, now)).returning(outbox.c.number)
    )
    found = await connection.execute(select(outbox).where(outbox.c.number == number))
    return outbox_of_row(found.one())


async def close_outbox(
    connection: AsyncConnection, job_id: Digest, kind: OutboxKind, state: OutboxState
) -> None:
    c = outbox.c
    await connection.execute(
        update(outbox)
        .where(c.job_id == job_id, c.kind == kind.value, c.state == OutboxState.OPEN.value)
        .values(state=state.value)
    )


async def set_settlement(
    connection: AsyncConnection, job_id: Digest, now: int, **values: Any
) -> None:
    await connection.execute(
        update(settlements).where(settlements.c.job_id == job_id).values(updated_at=now, **values)
    )


async def set_refund(
    connection: AsyncConnection, job_id: Digest, now: int, state: RefundState, **values: Any
) -> None:
    await connection.execute(
        update(refunds)
        .where(refunds.c.job_id == job_id)
        .values(state=state.value, updated_at=now, **values)
    )


async def count_for_model(
    connection: AsyncConnection, job: Job, **values: ColumnElement[int]
) -> None:
    await connection.execute(
        update(models)
        .where(models.c.id == job.order.model_id, models.c.version == job.order.model_version)
        .values(**values)
    )
