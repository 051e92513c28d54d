"""The steps that changes of the order book are made of, each inside the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, NotFound, Reason
from inferproof.protocol.lifecycle import WORKABLE, Transition, after, sources
from inferproof.storage.ports.jobs import Failure, Job, RefundState
from inferproof.storage.ports.outbox import SettlementStep
from inferproof.storage.sql.bulk import Given, Run, given_rows
from inferproof.storage.sql.events import Step, record, record_steps
from inferproof.storage.sql.mapping import failure_values, job_of_row, select_jobs
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
    await record_steps(connection, [Step(job_id, transition.value, following, now)])
    return JobState(state), following


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
    """A job that made a transition: its number, and where it led."""

    number: int
    job_id: Digest
    state: JobState


def move_many(
    run: Run, job_ids: Sequence[Digest], transition: Transition, *, now: int, more: str = ""
) -> list[Moved]:
    """The jobs that made the transition, recorded: those of the given whose state allows it.
    `more` is SQL that sets other columns of theirs."""
    if not job_ids:
        return []
    rows = [(job_id.hex, now) for job_id in job_ids]
    moved = [
        Moved(number, Digest.from_hex(job_id), JobState(state))
        for number, job_id, state in run(_moving(transition, more), rows)
    ]
    over = [(job.job_id.hex,) for job in moved if job.state not in WORKABLE]
    if over:
        run(_NO_LEASE, over)
        run(_NO_CHECKPOINTS, over)
    if moved:
        record(run, [Step(job.job_id, transition.value, job.state, now) for job in moved])
    return moved


@lru_cache(maxsize=32)
def _moving(transition: Transition, more: str) -> Given:
    allowed = {state.value: after(state, transition).value for state in sources(transition)}
    cases = " ".join(f"WHEN '{state}' THEN '{led}'" for state, led in allowed.items())
    leads_to = f"CASE state {cases} END"
    # Not by a list of states: SQLite would look for the jobs in its index, among all that wait.
    return Given(
        f"UPDATE jobs SET state = {leads_to}, updated_at = happened{more} FROM given "  # noqa: S608
        f"WHERE job_id = wanted AND {leads_to} IS NOT NULL RETURNING number, job_id, state",
        {"wanted": "text", "happened": "bigint"},
    )


_ONE = {"wanted": "text"}
_NO_LEASE = Given("UPDATE jobs SET lease_until = NULL FROM given WHERE job_id = wanted", _ONE)
_NO_CHECKPOINTS = Given("DELETE FROM checkpoints WHERE job_id IN (SELECT wanted FROM given)", _ONE)


def these(connection: AsyncConnection, job_ids: Sequence[Digest]) -> Select[Any]:
    """The ids as a question to compare with: one parameter for any number of them."""
    given, (column,) = given_rows(connection, [(job_id.hex,) for job_id in job_ids], 1)
    return select(column).select_from(given)


def number_of(job_id: Digest) -> ScalarSelect[int]:
    """The number of a job, to compare with."""
    return select(jobs.c.number).where(jobs.c.job_id == job_id).scalar_subquery()


def numbers_of(connection: AsyncConnection, job_ids: Sequence[Digest]) -> Select[Any]:
    """The numbers of jobs, to compare with."""
    return select(jobs.c.number).where(jobs.c.job_id.in_(these(connection, job_ids)))


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


_COUNT = (
    "UPDATE models SET calls = calls + {by} * made FROM (SELECT model_id, model_version, count(*) "
    "AS made FROM given JOIN jobs ON number = wanted GROUP BY model_id, model_version) AS counted "
    "WHERE id = model_id AND version = model_version"
)


def count_calls(run: Run, moved: Sequence[Moved], by: int) -> None:
    """Adds to the calls of each of the jobs' models."""
    if moved:
        counting = Given(_COUNT.format(by=by), {"wanted": "bigint"})
        run(counting, [(job.number,) for job in moved])
