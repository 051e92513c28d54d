"""The steps of settling and of undoing it, each inside the caller's transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, Table, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import NotFound, Reason
from inferproof.protocol.lifecycle import Transition, after
from inferproof.storage.base.jobs import RefundState
from inferproof.storage.base.outbox import (
    Inclusion,
    NewTransaction,
    OutboxItem,
    OutboxKind,
    OutboxState,
    SettlementStep,
)
from inferproof.storage.db.outbox import add_item, close_items, watch
from inferproof.storage.db.tables import (
    jobs,
    outbox,
    outbox_jobs,
    payment_reservations,
    refunds,
    settlements,
)
from inferproof.storage.db.transitions import (
    count_calls,
    move_many,
    owe_refund,
    set_settlement,
    these,
)
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.money import Network
from inferproof.types.payment import SettlementState

WAITING_STEPS = (SettlementStep.AGAIN.value, SettlementStep.ALONE.value)
"""The steps of payments that wait for a place in a transaction."""
SETTLED = SettlementState.SETTLED.value


async def send_settlement(
    connection: AsyncConnection, job_ids: Sequence[Digest], tx: NewTransaction, now: int
) -> OutboxItem:
    moved = await move_many(connection, job_ids, Transition.SEND_SETTLEMENT, now=now)
    values = {"tx": tx.tx, "step": SettlementStep.SENT.value, "updated_at": now}
    if moved:
        await connection.execute(
            update(settlements)
            .where(settlements.c.job_id.in_(these(connection, list(moved))))
            .values(values)
        )
    rest = [job_id for job_id in job_ids if job_id not in moved]
    if rest:
        again = await connection.scalars(
            update(settlements)
            .where(
                settlements.c.job_id.in_(these(connection, rest)),
                settlements.c.step.in_(WAITING_STEPS),
            )
            .values(values)
            .returning(settlements.c.job_id)
        )
        for job_id in set(rest) - set(again):
            await require(connection, job_id, Transition.SEND_SETTLEMENT)
    return await add_item(connection, OutboxKind.SETTLEMENT, job_ids, tx, now)


async def include(connection: AsyncConnection, inclusion: Inclusion, now: int) -> list[Digest]:
    item, block = inclusion.item, inclusion.block
    await close_items(connection, item.id, tx=inclusion.tx, block=block.number)
    await watch(connection, item.network, block)
    by_step: dict[SettlementStep | None, list[Digest]] = {}
    for job_id, step in inclusion.outcomes.items():
        by_step.setdefault(step, []).append(job_id)
    runnable = await settle(connection, by_step.pop(None, []), inclusion.tx, block.number, now)
    for step, job_ids in by_step.items():
        c = settlements.c
        await connection.execute(
            update(settlements)
            .where(
                c.job_id.in_(these(connection, job_ids)),
                # Another transaction may carry it by now, or may have settled it.
                c.tx.in_([raw.tx for raw in item.raws]),
                c.step.is_not(None),
            )
            .values(step=step and step.value, updated_at=now)
        )
    return runnable


async def settle(
    connection: AsyncConnection, job_ids: Sequence[Digest], tx: Digest, block: int, now: int
) -> list[Digest]:
    """The jobs whose money moved now, as far as it was not known to have: they may run, or are
    to be refunded because the payer cancelled, or are further on and were settled again."""
    if not job_ids:
        return []
    moved = await move_many(connection, job_ids, Transition.SETTLED, now=now)
    runnable = [job_id for job_id, state in moved.items() if state is JobState.QUEUED]
    if runnable:
        await count_calls(connection, runnable, 1)
    for job_id in moved.keys() - runnable:
        await owe_refund(connection, job_id, now)
    c, settled = settlements.c, list(moved)
    if len(moved) < len(job_ids):
        rest = [job_id for job_id in job_ids if job_id not in moved]
        taken_back = await connection.scalars(
            select(c.job_id).where(
                c.job_id.in_(these(connection, rest)), c.state != SETTLED, c.step.is_not(None)
            )
        )
        settled += taken_back
    if settled:
        await connection.execute(
            update(settlements)
            .where(c.job_id.in_(these(connection, settled)))
            .values(state=SETTLED, tx=tx, block=block, step=None, doubted_at=None, updated_at=now)
        )
    return settled


async def unsettle(
    connection: AsyncConnection, network: Network, blocks: Sequence[int], now: int
) -> list[Digest]:
    c = settlements.c
    # A transfer that the payer made is none of ours to make again.
    authorized = payment_reservations.c.tx.is_(None)
    found = await connection.scalars(
        _in_blocks(settlements, network, blocks, SETTLED).where(authorized)
    )
    job_ids = list(found)
    if not job_ids:
        return []
    carried = (
        select(outbox_jobs.c.job_id)
        .join(outbox, outbox.c.number == outbox_jobs.c.outbox)
        .where(
            outbox.c.state == OutboxState.OPEN.value, outbox.c.kind == OutboxKind.SETTLEMENT.value
        )
    )
    await connection.execute(
        update(settlements)
        .where(c.job_id.in_(these(connection, job_ids)))
        .values(
            state=SettlementState.UNCERTAIN.value,
            block=None,
            step=case(
                (c.job_id.in_(carried), SettlementStep.SENT.value),
                else_=SettlementStep.AGAIN.value,
            ),
            updated_at=now,
        )
    )
    moved = await move_many(
        connection,
        job_ids,
        Transition.UNSETTLED,
        now=now,
        fence=jobs.c.fence + 1,
        lease_until=None,
    )
    if moved:
        await count_calls(connection, list(moved), -1)
    return job_ids


async def unrefund(
    connection: AsyncConnection, network: Network, blocks: Sequence[int], now: int
) -> list[Digest]:
    c = refunds.c
    found = await connection.scalars(
        _in_blocks(refunds, network, blocks, RefundState.SETTLED.value)
    )
    job_ids = list(found)
    if job_ids:
        await move_many(connection, job_ids, Transition.UNREFUNDED, now=now)
        await connection.execute(
            update(refunds)
            .where(c.job_id.in_(these(connection, job_ids)))
            .values(state=RefundState.PENDING.value, block=None, updated_at=now)
        )
        await _owe_again(connection, job_ids, now)
    return job_ids


async def _owe_again(connection: AsyncConnection, job_ids: Sequence[Digest], now: int) -> None:
    """Those whose transaction is in no outbox, since it was found on the chain, are due again."""
    carried = (
        select(outbox_jobs.c.job_id)
        .join(outbox, outbox.c.number == outbox_jobs.c.outbox)
        .where(outbox.c.state == OutboxState.OPEN.value, outbox.c.kind == OutboxKind.REFUND.value)
    )
    c = refunds.c
    lost = await connection.scalars(
        update(refunds)
        .where(c.job_id.in_(these(connection, job_ids)), c.job_id.not_in(carried))
        .values(state=RefundState.DUE.value, tx=None, updated_at=now)
        .returning(c.job_id)
    )
    await move_many(connection, list(lost), Transition.REFUND_LOST, now=now)


def _in_blocks(table: Table, network: Network, blocks: Sequence[int], state: str) -> Select[Any]:
    c = payment_reservations.c
    return (
        select(table.c.job_id)
        .join(payment_reservations, c.job_id == table.c.job_id)
        .where(c.network == network.caip2, table.c.state == state, table.c.block.in_(blocks))
    )


async def no_settlement(connection: AsyncConnection, job_id: Digest, now: int) -> None:
    await set_settlement(
        connection,
        job_id,
        now,
        state=SettlementState.FAILED.value,
        tx=None,
        block=None,
        step=None,
    )


async def require(connection: AsyncConnection, job_id: Digest, transition: Transition) -> None:
    """Raises: NotFound JOB_UNKNOWN; Conflict JOB_TRANSITION_ILLEGAL, also where the state would
    allow the transition and the step does not."""
    state = await connection.scalar(select(jobs.c.state).where(jobs.c.job_id == job_id))
    if state is None:
        raise NotFound(Reason.JOB_UNKNOWN, job=job_id)
    after(JobState(state), transition)
