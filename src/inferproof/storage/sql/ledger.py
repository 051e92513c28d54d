"""The ledger in SQL: sums, and entries in pages, by statements that change nothing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.ports.jobs import RefundState
from inferproof.storage.ports.ledger import Backlog, Figures, Owed, PayerKey
from inferproof.storage.ports.outbox import OutboxKind
from inferproof.storage.sql.backlog import BacklogReader
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.figures import FiguresReader
from inferproof.storage.sql.tables import (
    answers,
    jobs,
    outbox,
    outbox_jobs,
    outbox_raws,
    payment_reservations,
    refunds,
    settlements,
)
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.money import Asset
from inferproof.types.payment import Settlement, SettlementState
from inferproof.types.reconciliation import Entry, RefundEntry, Reserved, Scope

ANSWERED = answers.c.job_id.label("answered")
RESERVED = payment_reservations.c.job_id.label("reserved")


class SqlLedger:
    """The Ledger over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._figures = FiguresReader()
        self._backlog = BacklogReader()

    async def depth(self) -> Mapping[JobState, int]:
        async def ask(connection: AsyncConnection) -> Mapping[JobState, int]:
            found = await connection.execute(
                select(jobs.c.state, func.count()).group_by(jobs.c.state)
            )
            counted = {JobState(state): int(count) for state, count in found}
            return {state: counted.get(state, 0) for state in JobState}

        return await self._db.read(ask)

    async def backlog(self) -> Backlog:
        return await self._db.read(self._backlog)

    async def figures(self) -> Figures:
        return await self._db.read(self._figures)

    async def settled_amounts(self, payer: PayerKey, *, limit: int) -> Sequence[int]:
        network, token, holder = payer
        c = payment_reservations.c
        query = (
            select(c.amount)
            .join(jobs, jobs.c.job_id == c.job_id)
            .join(settlements, settlements.c.job == jobs.c.number)
            .where(
                c.network == network,
                c.token == token,
                c.payer == holder,
                settlements.c.state == SettlementState.SETTLED.value,
            )
            .limit(limit)
        )

        async def ask(connection: AsyncConnection) -> Sequence[int]:
            return [int(amount) for amount in await connection.scalars(query)]

        return await self._db.read(ask)

    async def owed(self) -> Owed:
        failing = func.sum(case((refunds.c.attempts > 0, 1), else_=0))

        async def ask(connection: AsyncConnection) -> Owed:
            found = await connection.execute(
                select(func.count(), failing)
                .select_from(refunds)
                .where(refunds.c.state != RefundState.SETTLED.value)
            )
            count, tried = found.one()
            return Owed(int(count), int(tried or 0))

        return await self._db.read(ask)

    async def scope(self, asset: Asset) -> Scope:
        """Where money in this asset can have moved."""

        async def ask(connection: AsyncConnection) -> Scope:
            c = payment_reservations.c
            ours = _in_asset(asset)
            payees = await connection.scalars(select(c.payee).where(*ours).distinct())
            senders = await connection.scalars(
                select(outbox.c.sender)
                .join(outbox_jobs, outbox_jobs.c.outbox == outbox.c.number)
                .join(jobs, jobs.c.number == outbox_jobs.c.job)
                .join(payment_reservations, c.job_id == jobs.c.job_id)
                .where(*ours, outbox.c.kind == OutboxKind.REFUND.value)
                .distinct()
            )
            accounts = frozenset(payees) | frozenset(senders)
            # An authorization was unused in its order's first block: it can only move later.
            earliest = await connection.execute(
                select(func.min(jobs.c.first_block) + 1, func.min(settlements.c.block))
                .join(payment_reservations, c.job_id == jobs.c.job_id)
                .join(settlements, settlements.c.job == jobs.c.number, isouter=True)
                .where(*ours, jobs.c.deliver_by.is_(None))
            )
            blocks = [block for block in earliest.one() if block is not None]
            others = await connection.scalar(
                select(func.count())
                .select_from(payment_reservations)
                .where(or_(c.network != asset.network.caip2, c.token != asset.address))
            )
            return Scope(accounts, min(blocks, default=None), int(others or 0))

        return await self._db.read(ask)

    async def page(self, asset: Asset, *, after: int, limit: int) -> Sequence[Entry]:
        """The next entries of jobs, in the order of their numbers."""
        query = (
            _select_entries()
            .select_from(
                jobs.outerjoin(payment_reservations, payment_reservations.c.job_id == jobs.c.job_id)
                .outerjoin(settlements, settlements.c.job == jobs.c.number)
                .outerjoin(refunds, refunds.c.job_id == jobs.c.job_id)
                .outerjoin(answers, answers.c.job_id == jobs.c.job_id)
            )
            # A job without its reservation has no asset any more; it is told of in each. The money
            # of orders in an escrow moves there.
            .where(
                jobs.c.number > after,
                jobs.c.deliver_by.is_(None),
                or_(payment_reservations.c.job_id.is_(None), and_(*_in_asset(asset))),
            )
            .order_by(jobs.c.number)
            .limit(limit)
        )
        return await self._entries(query)

    async def orphans(self, asset: Asset, *, limit: int) -> Sequence[Entry]:
        """Entries of reservations whose job is not there."""
        query = (
            _select_entries()
            .select_from(
                payment_reservations.outerjoin(jobs, jobs.c.job_id == payment_reservations.c.job_id)
                .outerjoin(settlements, settlements.c.job == jobs.c.number)
                .outerjoin(refunds, refunds.c.job_id == payment_reservations.c.job_id)
                .outerjoin(answers, answers.c.job_id == payment_reservations.c.job_id)
            )
            .where(jobs.c.job_id.is_(None), *_in_asset(asset))
            .order_by(payment_reservations.c.created_at)
            .limit(limit)
        )
        return await self._entries(query)

    async def _entries(self, query: Select[Any]) -> Sequence[Entry]:
        async def ask(connection: AsyncConnection) -> Sequence[Entry]:
            rows = (await connection.execute(query)).all()
            ids = [_job_id(row._mapping) for row in rows]
            # Read after the rows: it may know of more refunds than they do, never of fewer.
            sent = await connection.execute(
                select(jobs.c.job_id, outbox_raws.c.tx)
                .join_from(jobs, outbox_jobs, outbox_jobs.c.job == jobs.c.number)
                .join(outbox, outbox.c.number == outbox_jobs.c.outbox)
                .join(outbox_raws, outbox_raws.c.outbox == outbox.c.number)
                .where(jobs.c.job_id.in_(ids), outbox.c.kind == OutboxKind.REFUND.value)
            )
            signed: defaultdict[Digest, list[Digest]] = defaultdict(list)
            for job_id, tx in sent:
                signed[job_id].append(tx)
            return [_entry(row, signed) for row in rows]

        return await self._db.read(ask)


def _in_asset(asset: Asset) -> tuple[ColumnElement[bool], ...]:
    c = payment_reservations.c
    return c.network == asset.network.caip2, c.token == asset.address


def _select_entries() -> Select[Any]:
    p = payment_reservations.c
    return select(
        *(jobs.c.number, jobs.c.job_id, jobs.c.state),
        *(RESERVED, p.payer, p.payee, p.amount, p.nonce, p.tx),
        *(settlements.c.state, settlements.c.tx, settlements.c.block),
        *(refunds.c.state, refunds.c.tx, refunds.c.block),
        ANSWERED,
    )


def _job_id(m: Mapping[Any, Any]) -> Digest:
    found: Digest = m[jobs.c.job_id] or m[RESERVED]
    return found


def _entry(row: Row[Any], signed: Mapping[Digest, Sequence[Digest]]) -> Entry:
    m: Mapping[Any, Any] = row._mapping
    p, s, r = payment_reservations.c, settlements.c, refunds.c
    job_id, state = _job_id(m), m[jobs.c.state]
    return Entry(
        number=m[jobs.c.number] or 0,
        job_id=job_id,
        state=None if state is None else JobState(state),
        reserved=None
        if m[RESERVED] is None
        else Reserved(m[p.payer], m[p.payee], m[p.amount], m[p.nonce], m[p.tx]),
        settlement=None
        if m[s.state] is None
        else Settlement(SettlementState(m[s.state]), m[s.tx], m[s.block]),
        refund=None if m[r.state] is None else RefundEntry(m[r.state], m[r.tx], m[r.block]),
        refund_transactions=tuple(signed.get(job_id, ())),
        answered=m[ANSWERED] is not None,
    )
