"""The ledger of revenue in SQL."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, Reason
from inferproof.storage.ports.revenue import PayoutTerms, Period, Settled
from inferproof.storage.sql.constructs import insert_new, lock_name
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.payouts import read_payouts, select_payouts, state_of
from inferproof.storage.sql.tables import (
    jobs,
    order_deliveries,
    outbox,
    payment_reservations,
    payout_items,
    payouts,
    revenue,
    settlements,
    watched_blocks,
)
from inferproof.storage.sql.transitions import numbered
from inferproof.types.digest import Address
from inferproof.types.escrow import OrderDeliveryState
from inferproof.types.job import JobState
from inferproof.types.money import Asset
from inferproof.types.payment import SettlementState
from inferproof.types.revenue import (
    Balance,
    Entry,
    OrderFacts,
    Payout,
    PayoutItem,
    PayoutState,
    Shares,
    Standing,
)

_AT_ONCE = 500
"""Rows that one statement changes: a statement has a bounded number of parameters."""


class SqlRevenue:
    """The Revenue of one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # -- entries ----------------------------------------------------------------------------

    async def to_enter(self, asset: Asset, *, limit: int) -> Sequence[Settled]:
        query = (
            _of_asset(
                select(
                    jobs.c.job_id,
                    jobs.c.model_id,
                    jobs.c.model_version,
                    payment_reservations.c.amount,
                    order_deliveries.c.fee,
                ),
                asset,
            )
            .where(
                jobs.c.state == JobState.DONE.value,
                settlements.c.state == SettlementState.SETTLED.value,
                or_(jobs.c.deliver_by.is_(None), _was_delivered()),
                ~_is_watched(asset),
                ~exists().where(revenue.c.job == jobs.c.number),
            )
            .order_by(jobs.c.number)
            .limit(limit)
        )

        async def ask(connection: AsyncConnection) -> Sequence[Settled]:
            found = await connection.execute(query)
            return [
                Settled(job, model, version, price - (fee or 0))
                for job, model, version, price, fee in found
            ]

        return await self._db.read(ask)

    async def enter(self, entries: Sequence[Entry], *, now: int) -> int:
        async def change(connection: AsyncConnection) -> int:
            numbers = await numbered(connection, [entry.job_id for entry in entries])
            rows = [
                {
                    "job": numbers[entry.job_id],
                    "developer": entry.developer,
                    "developer_share": entry.shares.developer,
                    "platform_share": entry.shares.platform,
                    "at": now,
                }
                for entry in entries
            ]
            return len(await insert_new(connection, revenue, rows, returning=revenue.c.job))

        return await self._db.write(change) if entries else 0

    # -- statements -------------------------------------------------------------------------

    async def balances(self, asset: Asset) -> Sequence[Balance]:
        async def ask(connection: AsyncConnection) -> Sequence[Balance]:
            return [balance for balance, _ in await _unpaid(connection, asset)]

        return await self._db.read(ask)

    async def facts(
        self, asset: Asset, period: Period, *, after: int, limit: int
    ) -> Sequence[OrderFacts]:
        r, created = revenue.c, jobs.c.created_at
        query = (
            _of_asset(
                select(
                    *(jobs.c.number, jobs.c.job_id, created, jobs.c.model_id),
                    *(jobs.c.model_version, jobs.c.state),
                    *(payment_reservations.c.method, payment_reservations.c.amount),
                    settlements.c.state,
                    _is_watched(asset).label("watched"),
                    *(r.developer, r.developer_share, r.platform_share, r.payout),
                    *(payouts.c.outbox, payouts.c.found_tx, payouts.c.found_block),
                    *(outbox.c.state, outbox.c.included_tx, outbox.c.block),
                    payout_items.c.credited,
                    *(order_deliveries.c.state, order_deliveries.c.fee),
                ),
                asset,
            )
            .outerjoin(revenue, r.job == jobs.c.number)
            .outerjoin(payouts, payouts.c.number == r.payout)
            .outerjoin(outbox, outbox.c.number == payouts.c.outbox)
            .outerjoin(
                payout_items,
                and_(payout_items.c.payout == r.payout, payout_items.c.developer == r.developer),
            )
            .where(
                jobs.c.number > after,
                *([] if period.since is None else [created >= period.since]),
                *([] if period.until is None else [created < period.until]),
            )
            .order_by(jobs.c.number)
            .limit(limit)
        )

        async def ask(connection: AsyncConnection) -> Sequence[OrderFacts]:
            return [_facts(row._mapping) for row in await connection.execute(query)]

        return await self._db.read(ask)

    # -- payouts ----------------------------------------------------------------------------

    async def next_number(self) -> int:
        return await self._db.read(_next_number)

    async def plan(
        self, asset: Asset, terms: PayoutTerms, *, first: int, now: int, dry: bool = False
    ) -> Sequence[Payout]:
        async def change(connection: AsyncConnection) -> Sequence[Payout]:
            if not dry:
                await lock_name(connection, "payouts")
            if await _next_number(connection) != first:
                raise Conflict(Reason.PAYOUT_NUMBER_TAKEN, number=first)
            unpaid = [
                (balance, entries)
                for balance, entries in await _unpaid(connection, asset)
                if balance.amount >= terms.least and balance.developer != terms.payer
            ]
            made = []
            for number, at in enumerate(range(0, len(unpaid), terms.size), first):
                part = unpaid[at : at + terms.size]
                payout = _payout(terms, number, [balance for balance, _ in part], now)
                made.append(payout)
                if not dry:
                    await _store(connection, asset, payout, [job for _, e in part for job in e])
            return made

        # A dry one asks what a real one would, where nothing is held up by it.
        return await (self._db.read(change) if dry else self._db.write(change))

    async def payouts(self, asset: Asset, *, after: int, limit: int) -> Sequence[Payout]:
        query = (
            select_payouts(asset)
            .where(payouts.c.number > after)
            .order_by(payouts.c.number)
            .limit(limit)
        )
        return await self._db.read(lambda connection: read_payouts(connection, query))


def _of_asset(query: Select[Any], asset: Asset) -> Select[Any]:
    """The query over orders that are paid in this asset, with settlements and deliveries."""
    c = payment_reservations.c
    return (
        query.select_from(jobs)
        .join(payment_reservations, c.job_id == jobs.c.job_id)
        .outerjoin(settlements, settlements.c.job == jobs.c.number)
        .outerjoin(order_deliveries, order_deliveries.c.job == jobs.c.number)
        .where(c.network == asset.network.caip2, c.token == asset.address)
    )


def _is_watched(asset: Asset) -> ColumnElement[bool]:
    """Whether the chain may still take back the block of the settlement, or of the delivery."""
    w = watched_blocks.c
    blocks = (settlements.c.block, order_deliveries.c.block)
    return exists().where(w.network == asset.network.caip2, w.block.in_(blocks))


def _was_delivered() -> ColumnElement[bool]:
    """Whether an escrow has paid for it, and how much is known."""
    c = order_deliveries.c
    return and_(c.state == OrderDeliveryState.DELIVERED.value, c.fee.is_not(None))


async def _next_number(connection: AsyncConnection) -> int:
    return int(await connection.scalar(select(func.max(payouts.c.number))) or 0) + 1


async def _unpaid(
    connection: AsyncConnection, asset: Asset
) -> Sequence[tuple[Balance, Sequence[int]]]:
    """What is due to each developer, in the order of addresses, and the orders that it is for."""
    # Amounts are texts: no sum in SQL is exact over all of uint256.
    query = _of_asset(select(revenue.c.job, revenue.c.developer, revenue.c.developer_share), asset)
    found = await connection.execute(
        query.join(revenue, revenue.c.job == jobs.c.number).where(revenue.c.payout.is_(None))
    )
    entries: defaultdict[Address, list[int]] = defaultdict(list)
    amounts: defaultdict[Address, int] = defaultdict(int)
    for job, developer, amount in found:
        if amount:
            entries[developer].append(job)
            amounts[developer] += amount
    return [
        (Balance(developer, amounts[developer], len(entries[developer])), entries[developer])
        for developer in sorted(entries, key=lambda address: address.raw)
    ]


def _payout(terms: PayoutTerms, number: int, balances: Sequence[Balance], now: int) -> Payout:
    items = [
        PayoutItem(position, balance.developer, balance.amount)
        for position, balance in enumerate(balances)
    ]
    return Payout(number, terms.payer, terms.contract, items, terms.first_block, now)


async def _store(
    connection: AsyncConnection, asset: Asset, payout: Payout, orders: Sequence[int]
) -> None:
    """The payout, and in it the entries of these orders."""
    await connection.execute(
        insert(payouts).values(
            number=payout.number,
            network=asset.network.caip2,
            token=asset.address,
            payer=payout.payer,
            contract=payout.contract,
            first_block=payout.first_block,
            created_at=payout.created_at,
            attempts=0,
            retry_at=0,
        )
    )
    await connection.execute(
        insert(payout_items),
        [
            {
                "payout": payout.number,
                "position": item.position,
                "developer": item.developer,
                "amount": item.amount,
                "credited": False,
            }
            for item in payout.items
        ],
    )
    for at in range(0, len(orders), _AT_ONCE):
        await connection.execute(
            update(revenue)
            .where(revenue.c.job.in_(orders[at : at + _AT_ONCE]))
            .values(payout=payout.number)
        )


def _facts(m: Mapping[Any, Any]) -> OrderFacts:
    r, number = revenue.c, m[revenue.c.payout]
    settlement, delivery = m[settlements.c.state], m[order_deliveries.c.state]
    entry = None
    if m[r.developer] is not None:
        shares = Shares(m[r.developer_share], m[r.platform_share])
        entry = Entry(m[jobs.c.job_id], m[r.developer], shares)
    payout = None
    if number is not None:
        state, tx, block = state_of(m)
        payout = Standing(
            number, state, state is PayoutState.PAID and bool(m[payout_items.c.credited]), tx, block
        )
    return OrderFacts(
        number=m[jobs.c.number],
        job_id=m[jobs.c.job_id],
        created_at=m[jobs.c.created_at],
        model=f"{m[jobs.c.model_id]}@{m[jobs.c.model_version]}",
        method=m[payment_reservations.c.method],
        price=m[payment_reservations.c.amount],
        state=JobState(m[jobs.c.state]),
        settlement=None if settlement is None else SettlementState(settlement),
        is_deep=not m["watched"],
        delivery=None if delivery is None else OrderDeliveryState(delivery),
        fee=m[order_deliveries.c.fee] or 0,
        entry=entry,
        payout=payout,
    )
