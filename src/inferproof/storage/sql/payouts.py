"""Payouts in SQL, as the settler needs them. Where one stands follows from its outbox item: what
the chain takes back opens that again, and the payout with it."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, NotFound, Reason
from inferproof.storage.ports.outbox import (
    BlockRef,
    NewTransaction,
    OutboxItem,
    OutboxKind,
    OutboxState,
)
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.outbox import add_item, close_items, watch
from inferproof.storage.sql.tables import outbox, payout_items, payouts
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset, Network
from inferproof.types.revenue import Payout, PayoutItem, PayoutState


class SqlPayouts:
    """The Payouts of one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def due(self, asset: Asset, payer: Address, *, now: int, limit: int) -> Sequence[Payout]:
        c = payouts.c
        numbers = (
            select(c.number)
            .outerjoin(outbox, outbox.c.number == c.outbox)
            .where(
                c.network == asset.network.caip2,
                c.token == asset.address,
                c.payer == payer,
                c.retry_at <= now,
                *_is_due(),
            )
            .order_by(c.number)
            .limit(limit)
        )
        query = select_payouts(asset).where(c.number.in_(numbers)).order_by(c.number)
        return await self._db.read(lambda connection: read_payouts(connection, query))

    async def carried(self, asset: Asset, item: OutboxItem) -> Payout:
        query = select_payouts(asset).where(payouts.c.outbox == item.id)
        found = await self._db.read(lambda connection: read_payouts(connection, query))
        if not found:
            raise NotFound(Reason.PAYOUT_UNKNOWN, number=f"in outbox item {item.id}")
        return found[0]

    async def send(self, number: int, tx: NewTransaction, *, now: int) -> OutboxItem:
        async def change(connection: AsyncConnection) -> OutboxItem:
            await _require_due(connection, number)
            item = await add_item(connection, OutboxKind.PAYOUT, [], tx, now)
            await _set(connection, number, outbox=item.id)
            return item

        return await self._db.write(change)

    async def paid(
        self, number: int, item: OutboxItem, tx: Digest, block: BlockRef, credited: frozenset[int]
    ) -> None:
        async def change(connection: AsyncConnection) -> None:
            await close_items(connection, item.id, tx=tx, block=block.number)
            await watch(connection, item.network, block)
            await _credit(connection, number, credited)

        await self._db.write(change)

    async def found(
        self, number: int, tx: Digest, block: BlockRef, credited: frozenset[int]
    ) -> None:
        async def change(connection: AsyncConnection) -> None:
            network = await _require_due(connection, number)
            await _set(connection, number, found_tx=tx, found_block=block.number)
            await watch(connection, network, block)
            await _credit(connection, number, credited)

        await self._db.write(change)

    async def failed(self, number: int, item: OutboxItem | None, *, retry_at: int) -> None:
        async def change(connection: AsyncConnection) -> None:
            if item is not None:
                await close_items(connection, item.id)
            attempts = payouts.c.attempts + int(item is not None)
            await _set(connection, number, attempts=attempts, retry_at=retry_at)

        await self._db.write(change)


# -- steps, inside the caller's transaction --------------------------------------------------


async def lose_found(connection: AsyncConnection, network: Network, blocks: Sequence[int]) -> None:
    """DUE again for payouts that were found in these blocks, which the chain took back."""
    c = payouts.c
    await connection.execute(
        update(payouts)
        .where(c.network == network.caip2, c.found_block.in_(blocks))
        .values(found_tx=None, found_block=None)
    )


def select_payouts(asset: Asset) -> Select[Any]:
    """The query that `read_payouts` reads, of payouts in this asset."""
    c = payouts.c
    return (
        select(payouts, outbox.c.state, outbox.c.included_tx, outbox.c.block)
        .outerjoin(outbox, outbox.c.number == c.outbox)
        .where(c.network == asset.network.caip2, c.token == asset.address)
    )


async def read_payouts(connection: AsyncConnection, query: Select[Any]) -> Sequence[Payout]:
    """The payouts of a query of `select_payouts`, with their items, in its order."""
    c, i = payouts.c, payout_items.c
    rows = [row._mapping for row in await connection.execute(query)]
    found = await connection.execute(
        select(i.payout, i.position, i.developer, i.amount, i.credited)
        .where(i.payout.in_([m[c.number] for m in rows]))
        .order_by(i.payout, i.position)
    )
    items = {n: list(group) for n, group in itertools.groupby(found, key=lambda row: row.payout)}
    return [_payout(m, items.get(m[c.number], [])) for m in rows]


def _payout(m: Mapping[Any, Any], items: Sequence[Any]) -> Payout:
    c = payouts.c
    state, tx, block = state_of(m)
    paid = state is PayoutState.PAID
    return Payout(
        number=m[c.number],
        payer=m[c.payer],
        contract=m[c.contract],
        items=[PayoutItem(row.position, row.developer, row.amount) for row in items],
        first_block=m[c.first_block],
        created_at=m[c.created_at],
        attempts=m[c.attempts],
        state=state,
        transaction=tx,
        block=block,
        credited=frozenset(row.position for row in items if paid and row.credited),
    )


def state_of(m: Mapping[Any, Any]) -> tuple[PayoutState, Digest | None, int | None]:
    """Where the payout of a row stands, and the transaction and block that paid it."""
    if m[payouts.c.found_tx] is not None:
        return PayoutState.PAID, m[payouts.c.found_tx], m[payouts.c.found_block]
    state = m[outbox.c.state]
    if state == OutboxState.INCLUDED.value:
        return PayoutState.PAID, m[outbox.c.included_tx], m[outbox.c.block]
    is_open = state == OutboxState.OPEN.value
    return (PayoutState.SENT if is_open else PayoutState.DUE), None, None


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return (
        payouts.c.found_tx.is_(None),
        or_(payouts.c.outbox.is_(None), outbox.c.state == OutboxState.DROPPED.value),
    )


async def _require_due(connection: AsyncConnection, number: int) -> Network:
    """The payout's network. Raises: NotFound PAYOUT_UNKNOWN; Conflict PAYOUT_NOT_DUE."""
    c = payouts.c
    # Locked first, alone: an outer join cannot be.
    await connection.execute(select(c.number).where(c.number == number).with_for_update())
    row = (
        await connection.execute(
            select(payouts, outbox.c.state, outbox.c.included_tx, outbox.c.block)
            .outerjoin(outbox, outbox.c.number == c.outbox)
            .where(c.number == number)
        )
    ).one_or_none()
    if row is None:
        raise NotFound(Reason.PAYOUT_UNKNOWN, number=number)
    state, _, _ = state_of(row._mapping)
    if state is not PayoutState.DUE:
        raise Conflict(Reason.PAYOUT_NOT_DUE, number=number, state=state.value)
    return Network(row._mapping[c.network])


async def _set(connection: AsyncConnection, number: int, **values: Any) -> None:
    await connection.execute(update(payouts).where(payouts.c.number == number).values(**values))


async def _credit(connection: AsyncConnection, number: int, credited: frozenset[int]) -> None:
    i = payout_items.c
    await connection.execute(
        update(payout_items)
        .where(i.payout == number)
        .values(credited=i.position.in_(sorted(credited)))
    )
