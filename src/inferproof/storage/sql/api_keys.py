"""API keys in SQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import NotFound, Reason
from inferproof.storage.ports.rate_limits import ApiKey
from inferproof.storage.sql.constructs import is_text
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.tables import api_keys


class SqlApiKeys:
    """The ApiKeyStore over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, key: ApiKey) -> None:
        async def change(connection: AsyncConnection) -> None:
            await connection.execute(
                insert(api_keys).values(
                    id=key.id,
                    digest=key.digest,
                    label=key.label,
                    factor=key.factor,
                    created_at=key.created_at,
                    revoked_at=key.revoked_at,
                )
            )

        await self._db.write(change)

    async def find(self, key_id: str) -> ApiKey | None:
        if not is_text(key_id):
            return None
        return await self._db.read(lambda connection: _one(connection, key_id))

    async def list(self) -> Sequence[ApiKey]:
        async def ask(connection: AsyncConnection) -> Sequence[ApiKey]:
            query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
            return [_key(row) for row in await connection.execute(query)]

        return await self._db.read(ask)

    async def revoke(self, key_id: str, *, now: int) -> ApiKey:
        async def change(connection: AsyncConnection) -> ApiKey:
            there = await _one(connection, key_id) if is_text(key_id) else None
            if there is None:
                raise NotFound(Reason.API_KEY_NOT_FOUND, id=key_id)
            c = api_keys.c
            await connection.execute(
                update(api_keys)
                .where(c.id == key_id, c.revoked_at.is_(None))
                .values(revoked_at=now)
            )
            changed = await _one(connection, key_id)
            assert changed is not None  # noqa: S101 - the same transaction just found it
            return changed

        return await self._db.write(change)


async def _one(connection: AsyncConnection, key_id: str) -> ApiKey | None:
    found = await connection.execute(select(api_keys).where(api_keys.c.id == key_id))
    row = found.one_or_none()
    return None if row is None else _key(row)


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(row.id, row.digest, row.label, row.factor, row.created_at, row.revoked_at)
