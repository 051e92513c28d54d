"""The history of jobs: one row for each step, in the transaction that makes the step.

Each function takes any number of steps and sends one statement for all of them: orders come by
the thousand a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.protocol.webhook import TOLD
from inferproof.storage.ports.deliveries import DeliveryState
from inferproof.storage.ports.jobs import JobEvent, Progress
from inferproof.storage.sql.bulk import Given, Run, at_one_go, given_rows
from inferproof.storage.sql.tables import job_events, jobs
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

_COLUMNS = job_events.c
_NEXT = Given(
    "INSERT INTO job_events (job, seq, transition, state, at) SELECT number, coalesce((SELECT "
    "max(seq) FROM job_events AS made WHERE made.job = number), 0) + 1, step, led, happened "
    "FROM given JOIN jobs ON jobs.job_id = wanted",
    {"wanted": "text", "step": "text", "led": "text", "happened": "bigint"},
)
_TELL = Given(
    "INSERT INTO webhook_deliveries (job_id, seq, job_state, at, url, state, attempts, next_at) "  # noqa: S608
    f"SELECT wanted, seq, told.state, at, webhook, '{DeliveryState.PENDING.value}', 0, at "
    "FROM given JOIN jobs ON jobs.job_id = wanted JOIN job_events AS told ON told.job = number "
    "AND seq = (SELECT max(seq) FROM job_events AS made WHERE made.job = number) "
    "WHERE webhook IS NOT NULL",
    {"wanted": "text"},
)


@dataclass(frozen=True, slots=True)
class Step:
    """A transition that is being made. `state` is where it leads."""

    job_id: Digest
    transition: str
    state: JobState
    at: int


async def record_steps(connection: AsyncConnection, steps: Sequence[Step]) -> None:
    """As `record`, for one that does nothing else at that go."""
    await at_one_go(connection, lambda run: record(run, steps))


def record(run: Run, steps: Sequence[Step]) -> None:
    """Writes the next step of each of these jobs, and the webhooks that tell it; no job may be
    there twice.

    Soundness: the caller's transaction holds the rows of the jobs, so that nobody else counts
    on from the same step.
    """
    run(_NEXT, [(s.job_id.hex, s.transition, s.state.value, s.at) for s in steps])
    told = [(step.job_id.hex,) for step in steps if step.state in TOLD]
    if told:
        run(_TELL, told)


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
