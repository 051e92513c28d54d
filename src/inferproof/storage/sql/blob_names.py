"""Which blobs the rows name. A new column that names a blob belongs here: a test looks for it."""

from collections.abc import Sequence

from sqlalchemy import select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.tables import answers, checkpoints, models
from inferproof.types.digest import Digest

NAMING = (
    models.c.bundle_blob,
    answers.c.proof_blob,
    answers.c.verifier_blob,
    checkpoints.c.blob,
)


class SqlBlobNames:
    """The BlobNames of one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def named(self, names: Sequence[Digest]) -> set[Digest]:
        query = union(*(select(column).where(column.in_(names)) for column in NAMING))

        async def ask(connection: AsyncConnection) -> set[Digest]:
            return set(await connection.scalars(query))

        return await self._db.read(ask)
