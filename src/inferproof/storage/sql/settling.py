"""The steps of settling and of undoing it, each inside the caller's transaction."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, case, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import NotFound, Reason
from inferproof.protocol.lifecycle import Transition, after
from inferproof.storage.ports.jobs import RefundState
from inferproof.storage.ports.outbox import (
    Inclusion,
    NewTransaction,
    OutboxItem,
    OutboxKind,
    OutboxState,
    SettlementStep,
)
from inferproof.storage.sql.constructs import listed
from inferproof.storage.sql.outbox import add_item, close_items, watch
from inferproof.storage.sql.tables import (
    jobs,
    outbox,
    outbox_jobs,
    payment_reservations,
    refunds,
    settlements,
)
from inferproof.storage.sql.transitions import (
    count_calls,
    move_many,
    numbered,
    numbers_of,
    set_settlement,
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
    """The transaction in the outbox, with the jobs that it settles.

    Raises: as `require`, where one of them may not be sent.
    """
    moved = await move_many(connection, job_ids, Transition.SEND_SETTLEMENT, now=now)
    sent = {"tx": tx.tx, "step": SettlementStep.SENT.value, "updated_at": now}
    c, new = settlements.c, [job.job_id for job in moved]
    if new:
        await connection.execute(
            update(settlements).where(c.job.in_(numbers_of(connection, new))).values(**sent)
        )
    rest = _without(job_ids, new)
    if rest:
        known = await numbered(connection, rest)
        found = await connection.scalars(
            update(settlements)
            .where(c.job.in_(numbers_of(connection, rest)), c.step.in_(WAITING_STEPS))
            .values(**sent)
            .returning(c.job)
        )
        again = set(found)
        for job_id in rest:
            if known.get(job_id) not in again:
                await require(connection, job_id, Transition.SEND_SETTLEMENT)
    return await add_item(connection, OutboxKind.SETTLEMENT, job_ids, tx, now)


def _without(job_ids: Sequence[Digest], done: Collection[Digest]) -> list[Digest]:
    known = set(done)
    return [job_id for job_id in job_ids if job_id not in known]


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
                c.job.in_(numbers_of(connection, job_ids)),
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
    queued = [job.job_id for job in moved if job.state is JobState.QUEUED]
    await count_calls(connection, queued, 1)
    settled = [job.job_id for job in moved]
    due = {"state": RefundState.DUE.value, "updated_at": now}
    owed = [{"job_id": job_id, **due} for job_id in _without(settled, queued)]
    if owed:
        await connection.execute(insert(refunds), owed)
    rest = _without(job_ids, settled)
    if rest:
        settled += await _taken_back(connection, rest)
    if settled:
        await connection.execute(
            update(settlements)
            .where(settlements.c.job.in_(numbers_of(connection, settled)))
            .values(state=SETTLED, tx=tx, block=block, step=None, doubted_at=None, updated_at=now)
        )
    return settled


async def _taken_back(connection: AsyncConnection, job_ids: Sequence[Digest]) -> list[Digest]:
    """Those of the jobs whose settlement the chain took back, and which are sent again."""
    c = settlements.c
    found = await connection.scalars(
        select(jobs.c.job_id)
        .join(settlements, c.job == jobs.c.number)
        .where(
            jobs.c.job_id.in_(listed(connection, job_ids)),
            c.state != SETTLED,
            c.step.is_not(None),
        )
    )
    return list(found)


async def unsettle(
    connection: AsyncConnection, network: Network, blocks: Sequence[int], now: int
) -> list[Digest]:
    c = settlements.c
    # A transfer that the payer made is none of ours to make again.
    authorized = payment_reservations.c.tx.is_(None)
    found = await connection.scalars(
        _in_blocks(settlements, settlements.c.job == jobs.c.number, network, blocks, SETTLED).where(
            authorized
        )
    )
    job_ids = list(found)
    if not job_ids:
        return []
    carried = _carried(OutboxKind.SETTLEMENT)
    await connection.execute(
        update(settlements)
        .where(c.job.in_(numbers_of(connection, job_ids)))
        .values(
            state=SettlementState.UNCERTAIN.value,
            block=None,
            step=case(
                (c.job.in_(carried), SettlementStep.SENT.value),
                else_=SettlementStep.AGAIN.value,
            ),
            updated_at=now,
        )
    )

    again = {"fence": jobs.c.fence + 1, "lease_until": None}
    moved = await move_many(connection, job_ids, Transition.UNSETTLED, now=now, **again)
    await count_calls(connection, [job.job_id for job in moved], -1)
    return job_ids


async def unrefund(
    connection: AsyncConnection, network: Network, blocks: Sequence[int], now: int
) -> list[Digest]:
    c = refunds.c
    found = await connection.scalars(
        _in_blocks(
            refunds, refunds.c.job_id == jobs.c.job_id, network, blocks, RefundState.SETTLED.value
        )
    )
    job_ids = list(found)
    if job_ids:
        await move_many(connection, job_ids, Transition.UNREFUNDED, now=now)
        await connection.execute(
            update(refunds)
            .where(c.job_id.in_(listed(connection, job_ids)))
            .values(state=RefundState.PENDING.value, block=None, updated_at=now)
        )
        await _owe_again(connection, job_ids, now)
    return job_ids


async def _owe_again(connection: AsyncConnection, job_ids: Sequence[Digest], now: int) -> None:
    """Those whose transaction is in no outbox, since it was found on the chain, are due again."""
    carried = select(jobs.c.job_id).where(jobs.c.number.in_(_carried(OutboxKind.REFUND)))
    c = refunds.c
    found = await connection.scalars(
        update(refunds)
        .where(c.job_id.in_(listed(connection, job_ids)), c.job_id.not_in(carried))
        .values(state=RefundState.DUE.value, tx=None, updated_at=now)
        .returning(c.job_id)
    )
    lost = list(found)
    await move_many(connection, lost, Transition.REFUND_LOST, now=now)


def _carried(kind: OutboxKind) -> Select[Any]:
    """The numbers of the jobs that open transactions of this kind carry."""
    return (
        select(outbox_jobs.c.job)
        .join(outbox, outbox.c.number == outbox_jobs.c.outbox)
        .where(outbox.c.state == OutboxState.OPEN.value, outbox.c.kind == kind.value)
    )


def _in_blocks(
    table: Table, of_job: ColumnElement[bool], network: Network, blocks: Sequence[int], state: str
) -> Select[Any]:
    c = payment_reservations.c
    return (
        select(jobs.c.job_id)
        .select_from(table)
        .join(jobs, of_job)
        .join(payment_reservations, c.job_id == jobs.c.job_id)
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
