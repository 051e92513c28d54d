"""The history of jobs: one row for each step, in the transaction that makes the step.

Each function takes any number of steps and sends one statement for all of them: orders come by
the thousand a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, String, bindparam, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.protocol.lifecycle import RESERVE
from inferproof.protocol.webhook import TOLD
from inferproof.storage.base.deliveries import DeliveryState
from inferproof.storage.base.jobs import JobEvent, Order, Progress
from inferproof.storage.db.bulk import execute_given, given_rows
from inferproof.storage.db.tables import DigestText, job_events, jobs, webhook_deliveries
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

_COLUMNS = job_events.c
_NEXT = (
    "INSERT INTO job_events (job_id, seq, transition, state, at) SELECT job, coalesce((SELECT "
    "max(seq) FROM job_events AS made WHERE made.job_id = job), 0) + 1, step, led, happened "
    "FROM given"
)
_STEP = {"job": "text", "step": "text", "led": "text", "happened": "bigint"}

_LAST = (
    select(func.max(_COLUMNS.seq))
    .where(_COLUMNS.job_id == bindparam("step_job", type_=DigestText))
    .scalar_subquery()
)
_TELL = insert(webhook_deliveries).from_select(
    ["job_id", "seq", "job_state", "at", "url", "state", "attempts", "next_at"],
    select(
        _COLUMNS.job_id,
        _COLUMNS.seq,
        _COLUMNS.state,
        _COLUMNS.at,
        jobs.c.webhook,
        literal(DeliveryState.PENDING.value, String),
        literal(0, Integer),
        _COLUMNS.at,
    )
    .join_from(job_events, jobs, jobs.c.job_id == _COLUMNS.job_id)
    .where(
        _COLUMNS.job_id == bindparam("step_job", type_=DigestText),
        _COLUMNS.seq == _LAST,
        jobs.c.webhook.is_not(None),
    ),
)


@dataclass(frozen=True, slots=True)
class Step:
    """A transition that is being made. `state` is where it leads."""

    job_id: Digest
    transition: str
    state: JobState
    at: int


def reservation_steps(orders: Sequence[Order]) -> list[dict[str, Any]]:
    """The rows of job_events for the first step of new jobs, in the database's own types."""
    return [
        {
            "job_id": order.job_id.hex,
            "seq": 1,
            "transition": RESERVE,
            "state": JobState.RESERVED.value,
            "at": order.created_at,
        }
        for order in orders
    ]


async def record_steps(connection: AsyncConnection, steps: Sequence[Step]) -> None:
    """Writes the next step of each of these jobs, and the webhooks that tell it; no job may be
    there twice.

    Soundness: the caller's transaction holds the rows of the jobs, so that nobody else counts
    on from the same step.
    """
    rows = [(step.job_id.hex, step.transition, step.state.value, step.at) for step in steps]
    await execute_given(connection, _NEXT, _STEP, rows)
    told = [step for step in steps if step.state in TOLD]
    if told:
        await connection.execute(_TELL, [{"step_job": step.job_id} for step in told])


async def progress(connection: AsyncConnection, ids: Sequence[Digest]) -> Mapping[Digest, Progress]:
    """How far these jobs have come, without those that are not there."""
    given, (wanted,) = given_rows(connection, [(job_id.hex,) for job_id in ids], 1)
    found = await connection.execute(
        select(jobs.c.job_id, jobs.c.state, func.max(_COLUMNS.seq).label("steps"))
        .select_from(
            given.join(jobs, jobs.c.job_id == wanted).join(
                job_events, _COLUMNS.job_id == jobs.c.job_id
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
        select(c.job_id, c.seq, c.transition, c.state, c.at)
        .select_from(given.join(job_events, c.job_id == wanted))
        .order_by(c.job_id, c.seq)
    )
    steps: dict[Digest, list[JobEvent]] = {job_id: [] for job_id in ids}
    for job_id, seq, transition, state, at in found:
        steps[job_id].append(JobEvent(seq, transition, JobState(state), at))
    return steps
