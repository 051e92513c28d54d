"""Takes away jobs that never cost anything: void, and never in a transaction of ours.

An order that is cancelled before it settles costs its payer nothing and leaves rows in six tables.
Its authorization is over by then, so that the same payment cannot come again as a new one.
"""

from collections.abc import Sequence

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.tables import (
    checkpoints,
    job_events,
    jobs,
    outbox_jobs,
    payment_reservations,
    settlements,
    webhook_deliveries,
)
from inferproof.types.digest import Digest
from inferproof.types.job import JobState


class SqlUnpaidJobs:
    """The UnpaidJobs of one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def forget(self, before: int, *, limit: int) -> int:
        c = payment_reservations.c
        query = (
            select(jobs.c.number, jobs.c.job_id, c.ends)
            .join(payment_reservations, c.job_id == jobs.c.job_id)
            .where(
                jobs.c.state == JobState.VOID.value,
                jobs.c.updated_at < before,
                ~exists().where(outbox_jobs.c.job == jobs.c.number),
            )
            .order_by(jobs.c.number)
            .limit(limit)
        )

        async def change(connection: AsyncConnection) -> int:
            found = (await connection.execute(query)).all()
            over = [(n, i) for n, i, end in found if end is not None and end < before]
            await _delete(connection, [n for n, _ in over], [i for _, i in over])
            return len(over)

        return await self._db.write(change)


async def _delete(
    connection: AsyncConnection, numbers: Sequence[int], ids: Sequence[Digest]
) -> None:
    for table in (webhook_deliveries, checkpoints, payment_reservations):
        await connection.execute(delete(table).where(table.c.job_id.in_(ids)))
    for table in (job_events, settlements):
        await connection.execute(delete(table).where(table.c.job.in_(numbers)))
    await connection.execute(delete(jobs).where(jobs.c.number.in_(numbers)))
