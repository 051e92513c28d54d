"""The budgets of openings in SQL: one store for all gateways and workers on a database."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, Reason
from inferproof.protocol.opening_budget import Budget, Change, Opening, Range, Slice, Use, ordered
from inferproof.storage.openings.identity import new_secret, store_identity
from inferproof.storage.sql.constructs import insert_new, place_of_database
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.tables import opening_ranges, opening_stores
from inferproof.types.digest import Digest

T = TypeVar("T")


class SqlOpeningBudgets:
    """The OpeningBudgets over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def store(self, key: Digest) -> Digest:
        async def change(connection: AsyncConnection) -> Digest:
            return (await _budget(connection, key, begin=True)).store

        return await self._db.write(change)

    async def register(self, key: Digest, size: int, *, reserved: int = 1) -> None:
        await self._change(key, lambda budget: budget.register(size, reserved))

    async def take(self, key: Digest, use: Use = Use.PROOF, *, seen: int = 0) -> Opening:
        return await self._change(key, lambda budget: budget.take(use, seen))

    async def delegate(
        self, key: Digest, taker: Digest, count: int | None, *, seen: int = 0
    ) -> Slice:
        return await self._change(key, lambda budget: budget.delegate(taker, count, seen))

    async def accept(self, slots: Slice) -> None:
        await self._change(slots.key, lambda budget: budget.accept(slots))

    async def forget(self, key: Digest) -> None:
        async def change(connection: AsyncConnection) -> None:
            (await _budget(connection, key)).check_forgotten()
            c = opening_ranges.c
            await connection.execute(delete(opening_ranges).where(c.key == key, c.reserved == 0))
            await connection.execute(delete(opening_stores).where(opening_stores.c.key == key))

        await self._db.write(change)

    async def budget(self, key: Digest) -> Budget:
        return await self._db.write(lambda connection: _budget(connection, key))

    async def _change(self, key: Digest, rule: Callable[[Budget], Change[T]]) -> T:
        """What the rule gives, once its change is committed. Where another process came first, the
        rule is asked again about what it left."""

        async def change(connection: AsyncConnection) -> T:
            while True:
                wanted = rule(await _budget(connection, key, begin=True))
                if await _swapped(connection, key, wanted):
                    return wanted.gives

        return await self._db.write(change)


async def _budget(connection: AsyncConnection, key: Digest, *, begin: bool = False) -> Budget:
    secret = await _secret(connection, key, begin=begin)
    store = store_identity(secret, await place_of_database(connection))
    found = await connection.execute(select(opening_ranges).where(opening_ranges.c.key == key))
    try:
        return Budget(key, store, ordered(map(_range, found)))
    except ValueError as error:
        raise Conflict(Reason.OPENINGS_DAMAGED, path="the database", why=error) from None


async def _secret(connection: AsyncConnection, key: Digest, *, begin: bool) -> Digest:
    """The secret of the key's count; a new one where there is none, kept where one begins."""
    query = select(opening_stores.c.secret).where(opening_stores.c.key == key)
    secret: Digest | None = await connection.scalar(query)
    if secret is not None:
        return secret
    drawn = new_secret()
    if not begin:
        return drawn
    row = {"key": key, "secret": drawn}
    if await insert_new(connection, opening_stores, [row], returning=opening_stores.c.key):
        return drawn
    first: Digest = (await connection.scalars(query)).one()  # of another process
    return first


async def _swapped(connection: AsyncConnection, key: Digest, wanted: Change[Any]) -> bool:
    """Compares and swaps: False where the range is not any more what the change began from."""
    c, after = opening_ranges.c, wanted.after
    values = {
        "store": after.store,
        "size": after.size,
        "reserved": after.reserved,
        "taken": after.taken,
        "delegated": after.delegated,
    }
    if wanted.before is None:
        row = {"key": key, "first": after.first, **values}
        return bool(await insert_new(connection, opening_ranges, [row], returning=c.first))
    swapped = await connection.execute(
        update(opening_ranges)
        .where(
            c.key == key,
            c.first == after.first,
            c.store == wanted.before.store,
            c.taken == wanted.before.taken,
        )
        .values(**values)
    )
    return swapped.rowcount == 1


def _range(row: Row[Any]) -> Range:
    return Range(row.store, row.first, row.size, row.reserved, row.taken, row.delegated)
