"""The settlements in SQL: those of jobs, their refunds, and what the chain takes back."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import NotFound, Reason
from inferproof.protocol.lifecycle import Transition, after
from inferproof.storage.ports.jobs import Failure, Job, RefundState
from inferproof.storage.ports.outbox import (
    BlockRef,
    Inclusion,
    NewTransaction,
    OutboxItem,
    OutboxKind,
    Payable,
    SettlementStep,
    TakenBack,
)
from inferproof.storage.sql.constructs import compared
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.mapping import failure_values, payable_of_row, select_payables
from inferproof.storage.sql.order_deliveries import end_delivery, reopen_deliveries
from inferproof.storage.sql.outbox import add_item, close_items, reopen, watch
from inferproof.storage.sql.payouts import lose_found
from inferproof.storage.sql.queue_quota import IN_TURN
from inferproof.storage.sql.settling import (
    SETTLED,
    WAITING_STEPS,
    include,
    no_settlement,
    require,
    send_settlement,
    settle,
    unrefund,
    unsettle,
)
from inferproof.storage.sql.tables import (
    jobs,
    outbox_jobs,
    payment_reservations,
    refunds,
    settlements,
    watched_blocks,
)
from inferproof.storage.sql.transitions import (
    move,
    number_of,
    numbers_of,
    read_job,
    set_refund,
)
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.money import Asset, Network
from inferproof.types.payment import SettlementState

_OF_FEW = (jobs.c.number + 0,)
"""Of jobs of which few are wanted none is looked for in the order of all: a sum has no index, so
that a database begins with the conditions and sorts what it found."""


class SqlSettlements:
    """The Settlements over one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # -- what is to be settled --------------------------------------------------------------

    async def to_settle(self, asset: Asset, *, limit: int) -> Sequence[Payable]:
        waiting, withdrawn = settlements.c.step.in_(WAITING_STEPS), JobState.WITHDRAWN.value
        again = await self._payables(asset, waiting, jobs.c.state != withdrawn, limit=limit)
        quota = limit - len(again)
        if quota <= 0:
            return again
        reserved = jobs.c.state == JobState.RESERVED.value
        unsent = settlements.c.step.is_(None)
        new = await self._payables(asset, reserved, unsent, limit=quota, order=IN_TURN)
        return [*again, *new]

    async def refused(self, asset: Asset, *, limit: int) -> Sequence[Payable]:
        c, withdrawn = settlements.c, jobs.c.state == JobState.WITHDRAWN.value
        refused = c.step == SettlementStep.REFUSED.value
        steps = c.step.in_((SettlementStep.REFUSED.value, *WAITING_STEPS))
        return await self._payables(asset, steps, or_(refused, withdrawn), limit=limit)

    async def due_refunds(self, asset: Asset, *, now: int, limit: int) -> Sequence[Payable]:
        due = select(refunds.c.job_id).where(refunds.c.retry_at <= now)
        return await self._payables(
            asset,
            jobs.c.state == JobState.FAILED.value,
            settlements.c.state == SETTLED,
            # The money of an order in an escrow is given back there.
            jobs.c.deliver_by.is_(None),
            jobs.c.job_id.in_(due),
            limit=limit,
        )

    async def payables(
        self, asset: Asset, items: Sequence[OutboxItem]
    ) -> Mapping[int, tuple[Payable, ...]]:
        carried: dict[int, list[Payable]] = {item.id: [] for item in items}
        query = (
            select_payables()
            .add_columns(outbox_jobs.c.outbox)
            .join(outbox_jobs, outbox_jobs.c.job == jobs.c.number)
            .where(outbox_jobs.c.outbox.in_(list(carried)))
            .order_by(outbox_jobs.c.outbox, outbox_jobs.c.position)
        )

        async def ask(connection: AsyncConnection) -> None:
            for row in await connection.execute(query):
                carried[row[-1]].append(payable_of_row(row, asset))

        await self._db.read(ask)
        return {number: tuple(found) for number, found in carried.items()}

    async def _payables(
        self,
        asset: Asset,
        *conditions: ColumnElement[bool],
        limit: int,
        order: Sequence[ColumnElement[int]] = _OF_FEW,
    ) -> list[Payable]:
        # Nearly all payments are in one asset.
        c = payment_reservations.c
        network, token = compared(c.network), compared(c.token)
        query = (
            select_payables()
            .where(network == asset.network.caip2, token == asset.address, *conditions)
            .order_by(*order)
            .limit(limit)
        )

        async def ask(connection: AsyncConnection) -> list[Payable]:
            return [payable_of_row(row, asset) for row in await connection.execute(query)]

        return await self._db.read(ask)

    # -- settlements ------------------------------------------------------------------------

    async def send_settlements(
        self, sendings: Sequence[tuple[Sequence[Digest], NewTransaction]], *, now: int
    ) -> Sequence[OutboxItem]:
        async def change(connection: AsyncConnection) -> Sequence[OutboxItem]:
            return [await send_settlement(connection, job_ids, tx, now) for job_ids, tx in sendings]

        return await self._db.write(change)

    async def included(self, inclusions: Sequence[Inclusion], *, now: int) -> Sequence[Digest]:
        async def change(connection: AsyncConnection) -> Sequence[Digest]:
            runnable: list[Digest] = []
            for inclusion in inclusions:
                runnable += await include(connection, inclusion, now)
            return runnable

        return await self._db.write(change)

    async def settled(
        self, job_id: Digest, tx: Digest, block: int, *, now: int, block_hash: Digest | None = None
    ) -> Job:
        async def change(connection: AsyncConnection) -> Job:
            moved = await settle(connection, [job_id], tx, block, now)
            if not moved:
                await require(connection, job_id, Transition.SETTLED)
            job = await read_job(connection, job_id)
            if block_hash is not None:
                network = job.order.payment.asset.network
                await watch(connection, network, BlockRef(block, block_hash))
            return job

        return await self._db.write(change)

    async def uncertain(self, job_ids: Sequence[Digest], *, now: int) -> None:
        async def change(connection: AsyncConnection) -> None:
            await connection.execute(
                update(settlements)
                .where(
                    settlements.c.job.in_(numbers_of(connection, job_ids)),
                    settlements.c.state == SettlementState.PENDING.value,
                    settlements.c.step.is_not(None),
                )
                .values(state=SettlementState.UNCERTAIN.value, updated_at=now)
            )

        await self._db.write(change)

    async def doubt(self, job_id: Digest, *, now: int) -> int:
        c = settlements.c

        async def change(connection: AsyncConnection) -> int:
            await connection.execute(
                update(settlements)
                .where(c.job == number_of(job_id), c.doubted_at.is_(None))
                .values(doubted_at=now)
            )
            since = await connection.scalar(select(c.doubted_at).where(c.job == number_of(job_id)))
            if since is None:
                raise NotFound(Reason.JOB_UNKNOWN, job=job_id)
            return int(since)

        return await self._db.write(change)

    async def refuse(self, job_ids: Sequence[Digest], *, now: int) -> None:
        c = settlements.c
        reserved = select(jobs.c.number).where(jobs.c.state == JobState.RESERVED.value)
        unsent = and_(c.step.is_(None), c.job.in_(reserved))

        async def change(connection: AsyncConnection) -> None:
            await connection.execute(
                update(settlements)
                .where(
                    c.job.in_(numbers_of(connection, job_ids)),
                    or_(c.step.in_(WAITING_STEPS), unsent),
                )
                .values(step=SettlementStep.REFUSED.value, updated_at=now)
            )

        await self._db.write(change)

    async def void(self, job_id: Digest, failure: Failure, *, now: int) -> Job:
        async def change(connection: AsyncConnection) -> Job:
            await move(connection, job_id, Transition.VOID, now=now, **failure_values(failure))
            await no_settlement(connection, job_id, now)
            await end_delivery(connection, job_id, now)
            return await read_job(connection, job_id)

        return await self._db.write(change)

    async def lost(self, job_id: Digest, failure: Failure, *, now: int) -> Job:
        async def change(connection: AsyncConnection) -> Job:
            state = (await read_job(connection, job_id)).state
            if state is JobState.FAILED:
                values = failure_values(failure)
                await move(connection, job_id, Transition.UNOWED, now=now, **values)
                await connection.execute(delete(refunds).where(refunds.c.job_id == job_id))
            elif state not in (JobState.DONE, JobState.REFUNDING, JobState.REFUNDED):
                after(state, Transition.UNOWED)
            await no_settlement(connection, job_id, now)
            await end_delivery(connection, job_id, now)
            return await read_job(connection, job_id)

        return await self._db.write(change)

    # -- what the chain takes back ----------------------------------------------------------

    async def take_back(self, network: Network, *, first: int, now: int) -> TakenBack:
        async def change(connection: AsyncConnection) -> TakenBack:
            found = await connection.scalars(
                select(watched_blocks.c.block).where(
                    watched_blocks.c.network == network.caip2, watched_blocks.c.block >= first
                )
            )
            blocks = list(found)
            await reopen(connection, network, blocks)
            await lose_found(connection, network, blocks)
            unsettled = await unsettle(connection, network, blocks, now)
            unrefunded = await unrefund(connection, network, blocks, now)
            await reopen_deliveries(connection, network, blocks, unrefunded)
            await connection.execute(
                delete(watched_blocks).where(
                    watched_blocks.c.network == network.caip2, watched_blocks.c.block >= first
                )
            )
            return TakenBack(tuple(unsettled), tuple(unrefunded))

        return await self._db.write(change)

    # -- refunds ----------------------------------------------------------------------------

    async def send_refund(self, job_id: Digest, tx: NewTransaction, *, now: int) -> OutboxItem:
        async def change(connection: AsyncConnection) -> OutboxItem:
            await move(connection, job_id, Transition.SEND_REFUND, now=now)
            await set_refund(connection, job_id, now, RefundState.PENDING, tx=tx.tx)
            return await add_item(connection, OutboxKind.REFUND, [job_id], tx, now)

        return await self._db.write(change)

    async def refunded(
        self,
        job_id: Digest,
        tx: Digest,
        block: int,
        *,
        now: int,
        block_hash: Digest | None = None,
        found: bool = False,
    ) -> Job:
        async def change(connection: AsyncConnection) -> Job:
            step = Transition.REFUND_FOUND if found else Transition.REFUNDED
            await move(connection, job_id, step, now=now)
            await set_refund(connection, job_id, now, RefundState.SETTLED, tx=tx, block=block)
            await close_items(connection, job_id, OutboxKind.REFUND, tx=tx, block=block)
            await end_delivery(connection, job_id, now)
            job = await read_job(connection, job_id)
            if block_hash is not None:
                network = job.order.payment.asset.network
                await watch(connection, network, BlockRef(block, block_hash))
            return job

        return await self._db.write(change)

    async def refund_lost(self, job_id: Digest, *, now: int, retry_at: int | None = None) -> Job:
        async def change(connection: AsyncConnection) -> Job:
            await move(connection, job_id, Transition.REFUND_LOST, now=now)
            await set_refund(
                connection,
                job_id,
                now,
                RefundState.DUE,
                tx=None,
                attempts=refunds.c.attempts + int(retry_at is not None),
                retry_at=retry_at or 0,
            )
            await close_items(connection, job_id, OutboxKind.REFUND)
            return await read_job(connection, job_id)

        return await self._db.write(change)
