"""Models that are sold by a registry on a chain, in SQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.ports.listings import ListingChange, SoldModel
from inferproof.storage.ports.models import ModelStatus
from inferproof.storage.sql.constructs import insert_new
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.tables import followed_registries, models
from inferproof.types.registry import Followed, Heard

_SOLD = (ModelStatus.ACTIVE.value, ModelStatus.WITHDRAWN.value)


class SqlListings:
    """The ListingStore over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def sold(self) -> Sequence[SoldModel]:
        c = models.c
        # Not whole rows: a document is as large as a verifying key, and this is asked all the time.
        query = (
            select(c.id, c.version, c.commitment, c.provider, c.status, c.listed_price)
            .where(c.status.in_(_SOLD))
            .order_by(c.number)
        )

        async def ask(connection: AsyncConnection) -> Sequence[SoldModel]:
            return [
                SoldModel(f"{row[0]}@{row[1]}", row[2], row[3], ModelStatus(row[4]), row[5])
                for row in await connection.execute(query)
            ]

        return await self._db.read(ask)

    async def heard(self, followed: Followed) -> Heard | None:
        c = followed_registries.c
        query = select(c.block, c.heard_at).where(_of(followed))

        async def ask(connection: AsyncConnection) -> Heard | None:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else Heard(row[0], row[1])

        return await self._db.read(ask)

    async def record(
        self, followed: Followed, heard: Heard, changes: Sequence[ListingChange]
    ) -> Sequence[str]:
        async def change(connection: AsyncConnection) -> Sequence[str]:
            changed = [each.name for each in changes if await _changed(connection, each, heard.at)]
            key: dict[str, Any] = {
                "network": followed.network.caip2,
                "registry": followed.registry,
                "token": followed.token,
            }
            values = {"block": heard.block, "heard_at": heard.at}
            table = followed_registries
            if not await insert_new(connection, table, [key | values], returning=table.c.block):
                await connection.execute(update(table).where(_of(followed)).values(**values))
            return changed

        return await self._db.write(change)

    async def forget(self, *, now: int) -> int:
        listed = models.c.listed_price.is_not(None)

        async def change(connection: AsyncConnection) -> int:
            query = update(models).where(listed).values(listed_price=None, updated_at=now)
            await connection.execute(delete(followed_registries))
            return (await connection.execute(query)).rowcount

        return await self._db.write(change)


def _of(followed: Followed) -> ColumnElement[bool]:
    c = followed_registries.c
    return and_(
        c.network == followed.network.caip2,
        c.registry == followed.registry,
        c.token == followed.token,
    )


async def _changed(connection: AsyncConnection, change: ListingChange, now: int) -> bool:
    c, (model_id, _, version) = models.c, change.name.partition("@")
    done = await connection.execute(
        update(models)
        .where(c.id == model_id, c.version == version, c.status == change.before.value)
        .values(status=change.status.value, listed_price=change.listed_price, updated_at=now)
    )
    return done.rowcount == 1
