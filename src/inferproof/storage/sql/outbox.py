"""The outbox in SQL: numbers of a sender, the transactions signed for them, and their blocks."""

import itertools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import NotFound, Reason
from inferproof.storage.ports.outbox import (
    BlockRef,
    NewTransaction,
    OutboxItem,
    OutboxKind,
    OutboxState,
    SettlementStep,
    StoredRaw,
)
from inferproof.storage.sql.constructs import insert_new
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.mapping import outbox_of_row, outbox_values, raw_values
from inferproof.storage.sql.tables import (
    jobs,
    outbox,
    outbox_jobs,
    outbox_raws,
    refunds,
    settlements,
    watched_blocks,
)
from inferproof.storage.sql.transitions import numbered
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Network

_OPEN = OutboxState.OPEN.value


class SqlOutbox:
    """The Outbox over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def open_outbox(self, network: Network, sender: Address) -> Sequence[OutboxItem]:
        c, r = outbox.c, outbox_raws.c
        # Without the bytes: this is asked several times a second, and they may be megabytes.
        query = (
            select(outbox, r.tx, r.fee_cap, r.fee_tip, r.attempts, r.sent_at)
            .join(outbox_raws, r.outbox == c.number)
            .where(c.network == network.caip2, c.sender == sender, c.state == _OPEN)
            .order_by(c.nonce, c.number, r.number)
        )

        async def ask(connection: AsyncConnection) -> Sequence[OutboxItem]:
            rows = (await connection.execute(query)).all()
            items = []
            for _, group in itertools.groupby(rows, key=lambda row: row._mapping[c.number]):
                raws = list(group)
                stored = tuple(StoredRaw(*raw[-5:]) for raw in raws)
                items.append(outbox_of_row(raws[0], stored))
            return items

        return await self._db.read(ask)

    async def raw(self, tx: Digest) -> bytes:
        async def ask(connection: AsyncConnection) -> bytes | None:
            raw: bytes | None = await connection.scalar(
                select(outbox_raws.c.raw).where(outbox_raws.c.tx == tx)
            )
            return raw

        raw = await self._db.read(ask)
        if raw is None:
            raise NotFound(Reason.TX_NOT_STORED, tx=tx)
        return raw

    async def free_nonces(
        self, network: Network, sender: Address, *, least: int, count: int
    ) -> Sequence[int]:
        c = outbox.c

        async def ask(connection: AsyncConnection) -> Sequence[int]:
            found = await connection.scalars(
                select(c.nonce).where(
                    c.network == network.caip2, c.sender == sender, c.nonce >= least
                )
            )
            taken = set(found)
            free = (number for number in itertools.count(least) if number not in taken)
            return list(itertools.islice(free, count))

        return await self._db.read(ask)

    async def replace(self, item: OutboxItem, tx: NewTransaction, *, now: int) -> OutboxItem:
        async def change(connection: AsyncConnection) -> OutboxItem:
            await connection.execute(insert(outbox_raws).values(raw_values(item.id, tx, now)))
            before = [raw.tx for raw in item.raws]
            carried = _carried_by(item)
            ids = select(jobs.c.job_id).where(jobs.c.number.in_(carried))
            for table, which in (
                (settlements, settlements.c.job.in_(carried)),
                (refunds, refunds.c.job_id.in_(ids)),
            ):
                c = table.c
                await connection.execute(
                    update(table)
                    .where(which, c.tx.in_(before), c.block.is_(None))
                    .values(tx=tx.tx, updated_at=now)
                )
            return await _read(connection, item.id)

        return await self._db.write(change)

    async def fill(
        self, tx: NewTransaction, *, now: int, kind: OutboxKind = OutboxKind.FILLER
    ) -> OutboxItem:
        async def change(connection: AsyncConnection) -> OutboxItem:
            return await add_item(connection, kind, [], tx, now)

        return await self._db.write(change)

    async def note_sent(self, txs: Sequence[Digest], *, now: int) -> None:
        async def change(connection: AsyncConnection) -> None:
            c = outbox_raws.c
            await connection.execute(
                update(outbox_raws)
                .where(c.tx.in_(list(txs)))
                .values(attempts=c.attempts + 1, sent_at=now)
            )

        await self._db.write(change)

    async def note_nonce_spent(self, item: OutboxItem, *, now: int) -> int:
        c = outbox.c

        async def change(connection: AsyncConnection) -> int:
            await connection.execute(
                update(outbox)
                .where(c.number == item.id, c.nonce_spent_at.is_(None))
                .values(nonce_spent_at=now)
            )
            since = await connection.scalar(select(c.nonce_spent_at).where(c.number == item.id))
            return now if since is None else int(since)

        return await self._db.write(change)

    async def drop(self, item: OutboxItem, *, now: int) -> None:
        async def change(connection: AsyncConnection) -> None:
            await close_items(connection, item.id)
            c = settlements.c
            await connection.execute(
                update(settlements)
                .where(
                    c.job.in_(_carried_by(item)),
                    c.tx.in_([raw.tx for raw in item.raws]),
                    c.step == SettlementStep.SENT.value,
                )
                .values(step=SettlementStep.AGAIN.value, updated_at=now)
            )

        await self._db.write(change)

    async def watched(self, network: Network) -> Sequence[BlockRef]:
        c = watched_blocks.c

        async def ask(connection: AsyncConnection) -> Sequence[BlockRef]:
            found = await connection.execute(
                select(c.block, c.hash).where(c.network == network.caip2).order_by(c.block.desc())
            )
            return [BlockRef(block, digest) for block, digest in found]

        return await self._db.read(ask)

    async def unwatch(self, network: Network, *, below: int) -> None:
        c = watched_blocks.c

        async def change(connection: AsyncConnection) -> None:
            await connection.execute(
                delete(watched_blocks).where(c.network == network.caip2, c.block < below)
            )

        await self._db.write(change)


# -- steps, inside the caller's transaction --------------------------------------------------


def _carried_by(item: OutboxItem) -> Select[Any]:
    """The numbers of the jobs in this transaction."""
    return select(outbox_jobs.c.job).where(outbox_jobs.c.outbox == item.id)


async def add_item(
    connection: AsyncConnection,
    kind: OutboxKind,
    job_ids: Sequence[Digest],
    tx: NewTransaction,
    now: int,
) -> OutboxItem:
    """A number that was taken, with its first transaction and the jobs that this carries."""
    taken = insert(outbox).values(outbox_values(kind, tx, now)).returning(outbox.c.number)
    number: int = (await connection.execute(taken)).scalar_one()
    await connection.execute(insert(outbox_raws).values(raw_values(number, tx, now)))
    if job_ids:
        numbers = await numbered(connection, job_ids)
        await connection.execute(
            insert(outbox_jobs),
            [
                {"outbox": number, "position": place, "job": numbers[job_id]}
                for place, job_id in enumerate(job_ids)
            ],
        )
    return OutboxItem(
        number,
        kind,
        tx.network,
        tx.sender,
        tx.nonce,
        OutboxState.OPEN,
        now,
        None,
        (StoredRaw(tx.tx, tx.fee_cap, tx.fee_tip, 0, None),),
    )


async def close_items(
    connection: AsyncConnection,
    which: int | Digest,
    kind: OutboxKind | None = None,
    *,
    tx: Digest | None = None,
    block: int | None = None,
) -> None:
    """INCLUDED, or DROPPED without a transaction: one item, or a job's open ones of a kind."""
    c = outbox.c
    state = OutboxState.DROPPED if tx is None else OutboxState.INCLUDED
    if isinstance(which, Digest):
        carrying = (
            select(outbox_jobs.c.outbox)
            .join(jobs, jobs.c.number == outbox_jobs.c.job)
            .where(jobs.c.job_id == which)
        )
        chosen = [c.number.in_(carrying), c.state == _OPEN]
    else:
        chosen = [c.number == which]
    if kind is not None:
        chosen.append(c.kind == kind.value)
    await connection.execute(
        update(outbox)
        .where(*chosen)
        .values(state=state.value, included_tx=tx, block=block, nonce_spent_at=None)
    )


async def reopen(connection: AsyncConnection, network: Network, blocks: Sequence[int]) -> None:
    """OPEN for all that was included in these blocks, to be sent again at once."""
    c = outbox.c
    opened = await connection.scalars(
        update(outbox)
        .where(
            c.network == network.caip2,
            c.state == OutboxState.INCLUDED.value,
            c.block.in_(blocks),
        )
        .values(state=_OPEN, included_tx=None, block=None, nonce_spent_at=None)
        .returning(c.number)
    )
    numbers = list(opened)
    if numbers:
        await connection.execute(
            update(outbox_raws).where(outbox_raws.c.outbox.in_(numbers)).values(sent_at=None)
        )


async def watch(connection: AsyncConnection, network: Network, block: BlockRef) -> None:
    """Watches the block; where one with its number is watched, that one stays.

    Soundness: if the older one was taken back, all that is known to be in either is undone.
    """
    row = {"network": network.caip2, "block": block.number, "hash": block.digest}
    await insert_new(connection, watched_blocks, [row], returning=watched_blocks.c.block)


async def _read(connection: AsyncConnection, number: int) -> OutboxItem:
    r = outbox_raws.c
    row = (await connection.execute(select(outbox).where(outbox.c.number == number))).one()
    found = await connection.execute(
        select(r.tx, r.fee_cap, r.fee_tip, r.attempts, r.sent_at)
        .where(r.outbox == number)
        .order_by(r.number)
    )
    return outbox_of_row(row, tuple(StoredRaw(*raw) for raw in found))
