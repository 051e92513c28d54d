"""The steps that changes of the order book are made of, each inside the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    case,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, NotFound, Reason
from inferproof.protocol.lifecycle import WORKABLE, Transition, after, sources
from inferproof.storage.ports.jobs import Failure, Job, RefundState
from inferproof.storage.ports.outbox import SettlementStep
from inferproof.storage.sql.constructs import listed
from inferproof.storage.sql.events import record
from inferproof.storage.sql.mapping import failure_values, job_of_row, select_jobs
from inferproof.storage.sql.queue_quota import IN_TURN
from inferproof.storage.sql.tables import checkpoints, jobs, models, refunds, settlements
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
    following = after(JobState(state), transition)
    if following not in WORKABLE:
        values["lease_until"] = None
        await connection.execute(delete(checkpoints).where(checkpoints.c.job_id == job_id))
    result = await connection.execute(
        update(jobs)
        .where(jobs.c.job_id == job_id, jobs.c.state == state, jobs.c.fence == fence)
        .values(state=following.value, updated_at=now, **values)
    )
    if result.rowcount != 1:  # the row was locked above; a driver that ignores locks ends here
        raise Conflict(Reason.FENCE_STALE, fence=fence, job=job_id)
    await record(connection, [job_id], transition.value, {following}, now)
    return JobState(state), following


async def cancel(
    connection: AsyncConnection, job_id: Digest, failure: Failure, *, running: bool, now: int
) -> Job:
    """The job, cancelled; see Jobs.cancel."""
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
    else:
        # Not sent any more; whoever has seen the authorization may settle it until it is over.
        c = settlements.c
        await connection.execute(
            update(settlements)
            .where(
                c.job == number_of(job_id),
                c.step.is_(None) | (c.step != SettlementStep.SENT.value),
            )
            .values(step=SettlementStep.REFUSED.value, updated_at=now)
        )
    return await read_job(connection, job_id)


async def owe_refund(connection: AsyncConnection, job_id: Digest, now: int) -> None:
    await connection.execute(
        insert(refunds).values(job_id=job_id, state=RefundState.DUE.value, updated_at=now)
    )


@dataclass(frozen=True, slots=True)
class Moved:
    """A job that made a transition, and where it led."""

    job_id: Digest
    state: JobState


async def move_many(
    connection: AsyncConnection,
    job_ids: Sequence[Digest],
    transition: Transition,
    *,
    now: int,
    **values: Any,
) -> list[Moved]:
    """The jobs that made the transition, recorded: those of the given whose state allows it.
    `values` are set in their rows."""
    if not job_ids:
        return []
    allowed = {state.value: after(state, transition).value for state in sources(transition)}
    leads_to = case(allowed, value=jobs.c.state)
    found = await connection.execute(
        update(jobs)
        # Not by a list of states: SQLite would look for the jobs in its index, among all that wait.
        .where(jobs.c.job_id.in_(listed(connection, job_ids)), leads_to.is_not(None))
        .values(state=leads_to, updated_at=now, **values)
        .returning(jobs.c.job_id, jobs.c.state)
    )
    moved = [Moved(job_id, JobState(state)) for job_id, state in found]
    over = [job.job_id for job in moved if job.state not in WORKABLE]
    if over:
        await connection.execute(
            update(jobs).where(jobs.c.job_id.in_(listed(connection, over))).values(lease_until=None)
        )
        await connection.execute(
            delete(checkpoints).where(checkpoints.c.job_id.in_(listed(connection, over)))
        )
    if moved:
        ids, states = [job.job_id for job in moved], {job.state for job in moved}
        await record(connection, ids, transition.value, states, now)
    return moved


def number_of(job_id: Digest) -> ScalarSelect[int]:
    """The number of a job, to compare with."""
    return select(jobs.c.number).where(jobs.c.job_id == job_id).scalar_subquery()


def numbers_of(connection: AsyncConnection, job_ids: Sequence[Digest]) -> Select[Any]:
    """The numbers of jobs, to compare with."""
    return select(jobs.c.number).where(jobs.c.job_id.in_(listed(connection, job_ids)))


async def numbered(connection: AsyncConnection, job_ids: Sequence[Digest]) -> Mapping[Digest, int]:
    """The number of each of these jobs, without those that are not there."""
    found = await connection.execute(
        select(jobs.c.job_id, jobs.c.number).where(jobs.c.job_id.in_(listed(connection, job_ids)))
    )
    return {row.job_id: row.number for row in found}


async def some_jobs(
    connection: AsyncConnection, *conditions: ColumnElement[bool], limit: int
) -> Sequence[Job]:
    """The first jobs for which all of this holds, in turn."""
    query = select_jobs().where(*conditions).order_by(*IN_TURN).limit(limit)
    return [job_of_row(row) for row in await connection.execute(query)]


async def read_job(connection: AsyncConnection, job_id: Digest) -> Job:
    return job_of_row(
        (await connection.execute(select_jobs().where(jobs.c.job_id == job_id))).one()
    )


async def set_settlement(
    connection: AsyncConnection, job_id: Digest, now: int, **values: Any
) -> None:
    await connection.execute(
        update(settlements)
        .where(settlements.c.job == number_of(job_id))
        .values(updated_at=now, **values)
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


async def count_calls(connection: AsyncConnection, job_ids: Sequence[Digest], by: int) -> None:
    """Adds to the calls of each of the jobs' models."""
    if not job_ids:
        return
    made = (
        select(jobs.c.model_id, jobs.c.model_version, func.count().label("made"))
        .where(jobs.c.job_id.in_(listed(connection, job_ids)))
        .group_by(jobs.c.model_id, jobs.c.model_version)
        .subquery()
    )
    await connection.execute(
        update(models)
        .where(models.c.id == made.c.model_id, models.c.version == made.c.model_version)
        .values(calls=models.c.calls + by * made.c.made)
    )
