"""Deliveries of orders in SQL, as the settler needs them."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, NotFound, Reason
from inferproof.storage.ports.jobs import Failure, ValidatedOrder
from inferproof.storage.ports.order_deliveries import OrderDelivery
from inferproof.storage.ports.outbox import (
    BlockRef,
    NewTransaction,
    OutboxItem,
    OutboxKind,
    OutboxState,
)
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.mapping import failure_values, payment_of_row
from inferproof.storage.sql.outbox import add_item, close_items, watch
from inferproof.storage.sql.tables import jobs, order_deliveries, outbox, payment_reservations
from inferproof.storage.sql.transitions import number_of, numbers_of
from inferproof.types.digest import Digest
from inferproof.types.escrow import OrderDeliveryState
from inferproof.types.job import JobState
from inferproof.types.money import Asset, Network

_OPEN = OrderDeliveryState.OPEN.value
_ENDED = OrderDeliveryState.ENDED.value
_OVER = (JobState.DONE.value, JobState.FAILED.value)


class SqlOrderDeliveries:
    """The OrderDeliveries of one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def due(self, asset: Asset, *, now: int, limit: int) -> Sequence[OrderDelivery]:
        c = order_deliveries.c
        query = (
            _select(asset)
            .where(c.state == _OPEN, c.retry_at <= now, _is_idle(), jobs.c.state.in_(_OVER))
            .order_by(c.deliver_by, c.job)
            .limit(limit)
        )
        return await self._ask(query, asset)

    async def carried(self, asset: Asset, item: OutboxItem) -> OrderDelivery | None:
        query = _select(asset).where(order_deliveries.c.outbox == item.id)
        found = await self._ask(query, asset)
        return found[0] if found else None

    async def of_jobs(self, asset: Asset, *, limit: int) -> Sequence[OrderDelivery]:
        query = _select(asset).order_by(order_deliveries.c.job.desc()).limit(limit)
        return await self._ask(query, asset)

    async def send(self, job_id: Digest, tx: NewTransaction, *, now: int) -> OutboxItem:
        async def change(connection: AsyncConnection) -> OutboxItem:
            await _require_due(connection, job_id)
            item = await add_item(connection, OutboxKind.DELIVERY, [], tx, now)
            await _set(connection, job_id, outbox=item.id, updated_at=now)
            return item

        return await self._db.write(change)

    async def delivered(
        self,
        job_id: Digest,
        item: OutboxItem | None,
        tx: Digest,
        block: BlockRef,
        *,
        fee: int,
        now: int,
    ) -> None:
        async def change(connection: AsyncConnection) -> None:
            network = await _require_open(connection, job_id)
            if item is not None:
                await close_items(connection, item.id, tx=tx, block=block.number)
            await watch(connection, network, block)
            await _set(
                connection,
                job_id,
                state=OrderDeliveryState.DELIVERED.value,
                tx=tx,
                block=block.number,
                fee=fee,
                updated_at=now,
            )

        await self._db.write(change)

    async def put_off(self, job_id: Digest, *, retry_at: int, now: int) -> None:
        async def change(connection: AsyncConnection) -> None:
            await _require_open(connection, job_id)
            await _set(connection, job_id, retry_at=retry_at, updated_at=now)

        await self._db.write(change)

    async def reverted(
        self, job_id: Digest | None, item: OutboxItem, tx: Digest, block: BlockRef, *, retry_at: int
    ) -> None:
        async def change(connection: AsyncConnection) -> None:
            await close_items(connection, item.id, tx=tx, block=block.number)
            await watch(connection, item.network, block)
            if job_id is not None:
                attempts = order_deliveries.c.attempts + 1
                await _set(connection, job_id, outbox=None, attempts=attempts, retry_at=retry_at)

        await self._db.write(change)

    async def ended(self, job_id: Digest, failure: Failure, *, now: int) -> None:
        async def change(connection: AsyncConnection) -> None:
            await _require_open(connection, job_id)
            values = failure_values(failure)
            await _set(connection, job_id, state=_ENDED, updated_at=now, **values)

        await self._db.write(change)

    async def _ask(self, query: Select[Any], asset: Asset) -> Sequence[OrderDelivery]:
        async def ask(connection: AsyncConnection) -> Sequence[OrderDelivery]:
            return [_delivery(row, asset) for row in await connection.execute(query)]

        return await self._db.read(ask)


# -- steps, inside the caller's transaction --------------------------------------------------


async def await_deliveries(
    connection: AsyncConnection, numbered: Sequence[tuple[int, ValidatedOrder]]
) -> None:
    """A delivery for each of the new jobs, by its number, whose order asks for one."""
    rows = [
        {
            "job": number,
            "deliver_by": order.deliver_by,
            "state": _OPEN,
            "attempts": 0,
            "retry_at": 0,
            "updated_at": order.created_at,
        }
        for number, order in numbered
        if order.deliver_by is not None
    ]
    if rows:
        await connection.execute(insert(order_deliveries), rows)


async def end_delivery(connection: AsyncConnection, job_id: Digest, now: int) -> None:
    """ENDED where the job has a delivery that is open: the job says why."""
    c = order_deliveries.c
    await connection.execute(
        update(order_deliveries)
        .where(c.job == number_of(job_id), c.state == _OPEN)
        .values(state=_ENDED, updated_at=now)
    )


async def reopen_deliveries(
    connection: AsyncConnection,
    network: Network,
    blocks: Sequence[int],
    unrefunded: Sequence[Digest],
) -> None:
    """OPEN again for what was made in blocks that the chain took back, and for jobs whose refund
    was."""
    c, r = order_deliveries.c, payment_reservations.c
    here = (
        select(jobs.c.number)
        .join(payment_reservations, r.job_id == jobs.c.job_id)
        .where(r.network == network.caip2)
    )
    await connection.execute(
        update(order_deliveries)
        .where(c.block.in_(blocks), c.job.in_(here))
        .values(state=_OPEN, tx=None, block=None, fee=None, retry_at=0)
    )
    if unrefunded:
        await connection.execute(
            update(order_deliveries)
            .where(c.job.in_(numbers_of(connection, unrefunded)), c.state == _ENDED)
            .values(state=_OPEN, retry_at=0)
        )


def _select(asset: Asset) -> Select[Any]:
    r = payment_reservations.c
    return (
        select(
            order_deliveries,
            *(jobs.c[name] for name in ("job_id", "state", "first_block")),
            *(r[name] for name in ("payer", "payee", "amount", "nonce", "ends")),
            *(r[name] for name in ("signature", "method", "terms")),
            outbox.c.state,
        )
        .join(jobs, jobs.c.number == order_deliveries.c.job)
        .join(payment_reservations, r.job_id == jobs.c.job_id)
        .outerjoin(outbox, outbox.c.number == order_deliveries.c.outbox)
        .where(r.network == asset.network.caip2, r.token == asset.address)
    )


def _is_idle() -> ColumnElement[bool]:
    """In no transaction that may still make it."""
    c = order_deliveries.c
    return or_(c.outbox.is_(None), outbox.c.state != OutboxState.OPEN.value)


def _delivery(row: Row[Any], asset: Asset) -> OrderDelivery:
    m, c = row._mapping, order_deliveries.c
    code = m[c.failure_code]
    return OrderDelivery(
        job_id=m[jobs.c.job_id],
        job_state=JobState(m[jobs.c.state]),
        payment=payment_of_row(m, asset),
        first_block=m[jobs.c.first_block],
        deliver_by=m[c.deliver_by],
        state=OrderDeliveryState(m[c.state]),
        under_way=m[outbox.c.state] == OutboxState.OPEN.value,
        attempts=m[c.attempts],
        updated_at=m[c.updated_at],
        transaction=m[c.tx],
        block=m[c.block],
        fee=m[c.fee],
        failure=None
        if code is None
        else Failure(code, m[c.failure_message], json.loads(m[c.failure_facts])),
    )


async def _require_open(connection: AsyncConnection, job_id: Digest) -> Network:
    """The delivery's network.

    Raises: NotFound ORDER_DELIVERY_UNKNOWN; Conflict ORDER_DELIVERY_NOT_DUE.
    """
    c = order_deliveries.c
    state = await connection.scalar(
        select(c.state).where(c.job == number_of(job_id)).with_for_update()
    )
    if state is None:
        raise NotFound(Reason.ORDER_DELIVERY_UNKNOWN, job=job_id)
    if state != _OPEN:
        raise Conflict(Reason.ORDER_DELIVERY_NOT_DUE, job=job_id, state=state)
    r = payment_reservations.c
    network = await connection.scalar(select(r.network).where(r.job_id == job_id))
    return Network(str(network))


async def _require_due(connection: AsyncConnection, job_id: Digest) -> None:
    """Raises: as `_require_open`, also for one that is under way."""
    await _require_open(connection, job_id)
    c = order_deliveries.c
    state = await connection.scalar(
        select(outbox.c.state)
        .join(order_deliveries, c.outbox == outbox.c.number)
        .where(c.job == number_of(job_id))
    )
    if state == OutboxState.OPEN.value:
        raise Conflict(Reason.ORDER_DELIVERY_NOT_DUE, job=job_id, state="under way")


async def _set(connection: AsyncConnection, job_id: Digest, **values: Any) -> None:
    await connection.execute(
        update(order_deliveries).where(order_deliveries.c.job == number_of(job_id)).values(**values)
    )
