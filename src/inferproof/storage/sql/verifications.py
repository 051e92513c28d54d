"""The records of verifications in SQL: the newest, so many and so old as the operator keeps."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import NotFound, Reason
from inferproof.storage.ports.verifications import VerificationRecord
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.mapping import verification_of_row, verification_values
from inferproof.storage.sql.tables import verifications
from inferproof.types.digest import Digest

KEPT = 100_000
DAYS = 90
DAY_S = 86_400
AT_A_TIME = 16
"""Records that one new record makes room for. They are as old as their numbers, so the oldest are
found without an index of their own."""

_MAX_NUMBER = 2**62
_LISTED = 100


class SqlVerifications:
    """The Verifications over one database."""

    def __init__(self, database: Database, *, kept: int = KEPT, days: int = DAYS) -> None:
        self._db = database
        self._kept = kept
        self._days = days

    async def record(self, record: VerificationRecord) -> VerificationRecord:
        async def change(connection: AsyncConnection) -> VerificationRecord:
            number = await connection.scalar(
                insert(verifications)
                .values(**verification_values(record))
                .returning(verifications.c.number)
            )
            await self._forget(connection, int(number or 0), record.at)
            return replace(record, id=number)

        return await self._db.write(change)

    async def _forget(self, connection: AsyncConnection, newest: int, now: int) -> None:
        c = verifications.c
        await connection.execute(delete(verifications).where(c.number <= newest - self._kept))
        oldest = select(c.number).order_by(c.number).limit(AT_A_TIME).scalar_subquery()
        await connection.execute(
            delete(verifications).where(c.number.in_(oldest), c.at < now - self._days * DAY_S)
        )

    async def get(self, number: int) -> VerificationRecord:
        async def ask(connection: AsyncConnection) -> VerificationRecord:
            found = await connection.execute(
                select(verifications).where(
                    verifications.c.number == min(max(number, 0), _MAX_NUMBER)
                )
            )
            row = found.one_or_none()
            if row is None:
                raise NotFound(Reason.VERIFICATION_UNKNOWN, number=number)
            return verification_of_row(row)

        return await self._db.read(ask)

    async def of_job(self, job_id: Digest) -> Sequence[VerificationRecord]:
        async def ask(connection: AsyncConnection) -> Sequence[VerificationRecord]:
            found = await connection.execute(
                select(verifications)
                .where(verifications.c.job_id == job_id)
                .order_by(verifications.c.number.desc())
                .limit(_LISTED)
            )
            return [verification_of_row(row) for row in found]

        return await self._db.read(ask)
