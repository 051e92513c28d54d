"""The webhook deliveries in SQL. They are added in events.py, with the step that they tell."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, NotFound, Reason
from inferproof.storage.ports.deliveries import Delivery, DeliveryState
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.tables import webhook_deliveries
from inferproof.types.job import JobState

_C = webhook_deliveries.c
_MAX_NUMBER = 2**62


class SqlDeliveries:
    """The Deliveries over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def due(self, *, now: int, limit: int) -> Sequence[Delivery]:
        async def ask(connection: AsyncConnection) -> Sequence[Delivery]:
            found = await connection.execute(
                select(webhook_deliveries)
                .where(_C.state == DeliveryState.PENDING.value, _C.next_at <= now)
                .order_by(_C.next_at, _C.number)
                .limit(limit)
            )
            return [_delivery(row) for row in found]

        return await self._db.read(ask)

    async def delivered(self, number: int, *, now: int) -> None:
        await self._note(number, now, DeliveryState.DELIVERED, problem=None)

    async def failed(self, number: int, problem: str, *, now: int, next_at: int | None) -> None:
        if next_at is None:
            await self._note(number, now, DeliveryState.DEAD, problem=problem)
        else:
            await self._note(number, now, DeliveryState.PENDING, problem=problem, next_at=next_at)

    async def _note(self, number: int, now: int, state: DeliveryState, **values: Any) -> None:
        async def change(connection: AsyncConnection) -> None:
            await connection.execute(
                update(webhook_deliveries)
                .where(_C.number == number, _C.state == DeliveryState.PENDING.value)
                .values(state=state.value, attempts=_C.attempts + 1, tried_at=now, **values)
            )

        await self._db.write(change)

    async def in_state(self, state: DeliveryState, *, limit: int) -> Sequence[Delivery]:
        async def ask(connection: AsyncConnection) -> Sequence[Delivery]:
            found = await connection.execute(
                select(webhook_deliveries)
                .where(_C.state == state.value)
                .order_by(_C.number.desc())
                .limit(limit)
            )
            return [_delivery(row) for row in found]

        return await self._db.read(ask)

    async def retry(self, number: int, *, now: int) -> Delivery:
        async def change(connection: AsyncConnection) -> Delivery:
            one = _C.number == min(max(number, 0), _MAX_NUMBER)
            await connection.execute(
                update(webhook_deliveries)
                .where(one, _C.state == DeliveryState.DEAD.value)
                .values(state=DeliveryState.PENDING.value, attempts=0, next_at=now)
            )
            row = (await connection.execute(select(webhook_deliveries).where(one))).one_or_none()
            if row is None:
                raise NotFound(Reason.DELIVERY_UNKNOWN, number=number)
            delivery = _delivery(row)
            if delivery.state is DeliveryState.DELIVERED or delivery.attempts:
                raise Conflict(Reason.DELIVERY_NOT_DEAD, number=number, state=delivery.state.value)
            return delivery

        return await self._db.write(change)


def _delivery(row: Row[Any]) -> Delivery:
    m = row._mapping
    return Delivery(
        number=m[_C.number],
        job_id=m[_C.job_id],
        seq=m[_C.seq],
        job_state=JobState(m[_C.job_state]),
        at=m[_C.at],
        url=m[_C.url],
        state=DeliveryState(m[_C.state]),
        attempts=m[_C.attempts],
        next_at=m[_C.next_at],
        tried_at=m[_C.tried_at],
        problem=m[_C.problem],
    )
