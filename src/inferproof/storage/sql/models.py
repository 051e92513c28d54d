"""The registry of models in SQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.concurrency.request_coalescing import RequestCoalescer
from inferproof.errors import Conflict, NotFound, Reason
from inferproof.storage.ports.models import (
    ModelEstimate,
    ModelFilter,
    ModelOrder,
    ModelRecord,
    ModelStatus,
)
from inferproof.storage.sql.constructs import by_bytes, is_text, lock_name
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.mapping import encode_estimate, model_of_row, model_values
from inferproof.storage.sql.tables import models, provider_scores
from inferproof.types.digest import Address, Digest

_PRICE = func.coalesce(models.c.listed_price, models.c.price)
"""What a call costs: by the registry, where one is followed, else by the card."""

_SCORE = func.coalesce(
    select(provider_scores.c.score)
    .where(provider_scores.c.provider == models.c.provider)
    .scalar_subquery(),
    0,
)
"""The reputation of who has the model: 0 where there is none, and for all where none is asked."""

_ORDER: dict[ModelOrder, tuple[ColumnElement[Any], ...]] = {
    ModelOrder.USE: (_SCORE.desc(), models.c.calls.desc(), models.c.number),
    ModelOrder.PRICE: (_PRICE, models.c.number),
    ModelOrder.TITLE: (by_bytes(models.c.title), models.c.number),
    ModelOrder.NEWEST: (models.c.number.desc(),),
}


class SqlModelStore:
    """The ModelStore over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._find = RequestCoalescer(self._found)

    async def add(self, record: ModelRecord) -> ModelRecord:
        async def change(connection: AsyncConnection) -> ModelRecord:
            # Another gateway may be adding a version of another owner.
            await lock_name(connection, f"model {record.id}")
            there = await _known(connection, record.name, record.provider, record.document)
            if there is None:
                await connection.execute(insert(models).values(**model_values(record)))
                return record
            return there

        return await self._db.write(change)

    async def check_add(self, name: str, provider: Address, document: bytes) -> ModelRecord | None:
        return await self._db.read(lambda c: _known(c, name, provider, document))

    async def of_commitment(self, commitment: Digest) -> Sequence[ModelRecord]:
        async def ask(connection: AsyncConnection) -> Sequence[ModelRecord]:
            query = select(models).where(models.c.commitment == commitment)
            return [model_of_row(row) for row in await connection.execute(query)]

        return await self._db.read(ask)

    async def find(self, name: str) -> ModelRecord | None:
        return await self._find(name)

    async def _found(self, names: Sequence[str]) -> Mapping[str, ModelRecord | None]:
        async def ask(connection: AsyncConnection) -> Mapping[str, ModelRecord | None]:
            return {name: await _named(connection, name) for name in names}

        return await self._db.read(ask)

    async def list(self, wanted: ModelFilter) -> Sequence[ModelRecord]:
        c = models.c
        query = select(models).order_by(*_ORDER[wanted.order])
        equal = {
            c.status: None if wanted.status is None else wanted.status.value,
            c.id: wanted.id,
            c.category: wanted.category,
            c.input_type: wanted.input_type,
            c.output_type: wanted.output_type,
            c.proof_system: wanted.proof_system,
        }
        for column, value in equal.items():
            if value is not None and not is_text(value):
                return []
            if value is not None:
                query = query.where(column == value)
        if wanted.max_price is not None:
            # A card's price is below 10^18 units, a buyer's limit need not be.
            query = query.where(min(wanted.max_price, 2**62) >= _PRICE)
        query = query.limit(wanted.limit).offset(wanted.offset)

        async def ask(connection: AsyncConnection) -> Sequence[ModelRecord]:
            return [model_of_row(row) for row in await connection.execute(query)]

        return await self._db.read(ask)

    async def set_status(
        self,
        name: str,
        status: ModelStatus,
        *,
        estimate: ModelEstimate | None = None,
        listed_price: int | None = None,
        now: int,
    ) -> ModelRecord:
        async def change(connection: AsyncConnection) -> ModelRecord:
            there = await _version(connection, name)
            if there is None:
                raise NotFound(Reason.MODEL_UNKNOWN, model=name)
            values: dict[str, Any] = {"status": status.value, "updated_at": now}
            if estimate is not None:
                values["estimate"] = encode_estimate(estimate)
            if listed_price is not None:
                values["listed_price"] = listed_price
            await connection.execute(
                update(models)
                .where(models.c.id == there.id, models.c.version == there.version)
                .values(**values)
            )
            changed = await _version(connection, name)
            assert changed is not None  # noqa: S101 - the same transaction just found it
            return changed

        return await self._db.write(change)


async def _known(
    connection: AsyncConnection, name: str, provider: Address, document: bytes
) -> ModelRecord | None:
    """The model that this submission made before. Raises: see ModelStore.add."""
    model_id = name.partition("@")[0]
    owner = await connection.scalar(
        select(models.c.provider).where(models.c.id == model_id).limit(1)
    )
    if owner is not None and owner != provider:
        raise Conflict(Reason.MODEL_OWNED, id=model_id, owner=owner)
    there = await _version(connection, name)
    if there is not None and there.document != document:
        raise Conflict(Reason.MODEL_VERSION_TAKEN, model=name)
    return there


async def _named(connection: AsyncConnection, name: str) -> ModelRecord | None:
    if "@" in name or not is_text(name):
        return await _version(connection, name)
    newest = select(models).where(models.c.id == name).order_by(models.c.number.desc())
    active = newest.where(models.c.status == ModelStatus.ACTIVE.value)
    return await _first(connection, active) or await _first(connection, newest)


async def _version(connection: AsyncConnection, name: str) -> ModelRecord | None:
    if not is_text(name):
        return None
    model_id, _, version = name.partition("@")
    return await _first(
        connection, select(models).where(models.c.id == model_id, models.c.version == version)
    )


async def _first(connection: AsyncConnection, query: Select[Any]) -> ModelRecord | None:
    row = (await connection.execute(query.limit(1))).one_or_none()
    return None if row is None else model_of_row(row)
