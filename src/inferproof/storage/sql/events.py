"""The history of jobs: one row for each step, in the transaction that makes the step.

Each function takes any number of jobs and sends one statement for all of them: orders come by
the hundred a second.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, String, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.protocol.webhook import TOLD
from inferproof.storage.ports.deliveries import DeliveryState
from inferproof.storage.ports.jobs import JobEvent, Progress
from inferproof.storage.sql.constructs import given_rows, listed
from inferproof.storage.sql.tables import job_events, jobs, webhook_deliveries
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

_COLUMNS = job_events.c
_TOLD = [state.value for state in TOLD]


async def record(
    connection: AsyncConnection,
    job_ids: Sequence[Digest],
    transition: str,
    states: Collection[JobState],
    now: int,
) -> None:
    """Writes the next step of each of these jobs, which are in one of these states by it, and the
    webhooks that tell it; no job may be there twice.

    Soundness: the caller's transaction holds the rows of the jobs, so that nobody else counts
    on from the same step.
    """
    made = job_events.alias("made")
    last = select(func.coalesce(func.max(made.c.seq), 0)).where(made.c.job == jobs.c.number)
    await _copy(
        connection,
        job_events,
        select(
            jobs.c.number.label("job"),
            (last.scalar_subquery() + 1).label("seq"),
            literal(transition, String).label("transition"),
            jobs.c.state.label("state"),
            literal(now, BigInteger).label("at"),
        ).where(jobs.c.job_id.in_(listed(connection, job_ids))),
    )
    if TOLD.isdisjoint(states):
        return
    newest = last.scalar_subquery()
    await _copy(
        connection,
        webhook_deliveries,
        select(
            jobs.c.job_id.label("job_id"),
            _COLUMNS.seq.label("seq"),
            _COLUMNS.state.label("job_state"),
            _COLUMNS.at.label("at"),
            jobs.c.webhook.label("url"),
            literal(DeliveryState.PENDING.value, String).label("state"),
            literal(0).label("attempts"),
            _COLUMNS.at.label("next_at"),
        )
        .select_from(jobs)
        .join(job_events, (_COLUMNS.job == jobs.c.number) & (_COLUMNS.seq == newest))
        .where(
            jobs.c.job_id.in_(listed(connection, job_ids)),
            jobs.c.webhook.is_not(None),
            _COLUMNS.state.in_(_TOLD),
        ),
    )


async def _copy(connection: AsyncConnection, table: Any, rows: Any) -> None:
    """Inserts the rows of a question, whose columns are called as the table's."""
    names = [column.name for column in rows.selected_columns]
    await connection.execute(insert(table).from_select(names, rows))


async def progress(connection: AsyncConnection, ids: Sequence[Digest]) -> Mapping[Digest, Progress]:
    """How far these jobs have come, without those that are not there."""
    given, (wanted,) = given_rows(connection, [(job_id.hex,) for job_id in ids], 1)
    found = await connection.execute(
        select(jobs.c.job_id, jobs.c.state, func.max(_COLUMNS.seq).label("steps"))
        .select_from(
            given.join(jobs, jobs.c.job_id == wanted).join(
                job_events, _COLUMNS.job == jobs.c.number
            )
        )
        .group_by(jobs.c.job_id, jobs.c.state)
    )
    return {row.job_id: Progress(row.steps, JobState(row.state)) for row in found}


async def histories(
    connection: AsyncConnection, ids: Sequence[Digest]
) -> Mapping[Digest, Sequence[JobEvent]]:
    """The steps of these jobs in their order, none for a job that is not there."""
    given, (wanted,) = given_rows(connection, [(job_id.hex,) for job_id in ids], 1)
    c = job_events.c
    found = await connection.execute(
        select(jobs.c.job_id, c.seq, c.transition, c.state, c.at)
        .select_from(
            given.join(jobs, jobs.c.job_id == wanted).join(job_events, c.job == jobs.c.number)
        )
        .order_by(c.job, c.seq)
    )
    steps: dict[Digest, list[JobEvent]] = {job_id: [] for job_id in ids}
    for job_id, seq, transition, state, at in found:
        steps[job_id].append(JobEvent(seq, transition, JobState(state), at))
    return steps
