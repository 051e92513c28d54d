"""Scores of those whose models are listed, in SQL."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.ports.models import ModelStatus
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.tables import models, provider_scores
from inferproof.types.digest import Address


class SqlScores:
    """The ScoreStore over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def providers(self) -> Sequence[Address]:
        c = models.c
        query = select(c.provider).where(c.status == ModelStatus.ACTIVE.value).distinct()

        async def ask(connection: AsyncConnection) -> Sequence[Address]:
            return sorted(await connection.scalars(query), key=lambda provider: provider.raw)

        return await self._db.read(ask)

    async def record(self, scores: Mapping[Address, int], *, now: int) -> None:
        rows = [
            {"provider": provider, "score": score, "at": now} for provider, score in scores.items()
        ]

        async def change(connection: AsyncConnection) -> None:
            await connection.execute(delete(provider_scores))
            if rows:
                await connection.execute(insert(provider_scores), rows)

        await self._db.write(change)

    async def forget(self) -> None:
        await self.record({}, now=0)
