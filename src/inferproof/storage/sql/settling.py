"""The steps of settling and of undoing it, each inside the caller's transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, case, select, update
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
from inferproof.storage.sql.bulk import Given, Run, Value, at_one_go
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
    Moved,
    count_calls,
    move_many,
    numbers_of,
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

_IDS = {"wanted": "text"}
_SENT = (
    f"UPDATE settlements SET tx = hash, step = '{SettlementStep.SENT.value}', "  # noqa: S608
    "updated_at = happened FROM given"
)
_SEND = Given(
    f"{_SENT} WHERE job = wanted", {"wanted": "bigint", "hash": "text", "happened": "bigint"}
)
_SEND_AGAIN = Given(
    f"{_SENT} JOIN jobs ON job_id = wanted WHERE job = number AND step IN {WAITING_STEPS} "
    "RETURNING job",
    {"wanted": "text", "hash": "text", "happened": "bigint"},
)
_SETTLE = Given(
    f"UPDATE settlements SET state = '{SETTLED}', tx = hash, block = height, step = NULL, "  # noqa: S608
    "doubted_at = NULL, updated_at = happened FROM given WHERE job = wanted",
    {"wanted": "bigint", "hash": "text", "height": "bigint", "happened": "bigint"},
)
_TAKEN_BACK = Given(
    "SELECT number, job_id FROM given JOIN jobs ON job_id = wanted "  # noqa: S608
    "JOIN settlements ON job = number "
    f"WHERE settlements.state <> '{SETTLED}' AND step IS NOT NULL",
    _IDS,
)
_OWE = Given(
    "INSERT INTO refunds (job_id, state, updated_at) "  # noqa: S608
    f"SELECT wanted, '{RefundState.DUE.value}', happened FROM given",
    {"wanted": "text", "happened": "bigint"},
)
_NUMBERS = Given("SELECT number, job_id FROM given JOIN jobs ON job_id = wanted", _IDS)


async def send_settlement(
    connection: AsyncConnection, job_ids: Sequence[Digest], tx: NewTransaction, now: int
) -> OutboxItem:
    def send(run: Run) -> OutboxItem | list[Digest]:
        refused = _sent(run, job_ids, tx.tx, now)
        return refused or add_item(run, OutboxKind.SETTLEMENT, job_ids, tx, now)

    sent = await at_one_go(connection, send)
    if isinstance(sent, OutboxItem):
        return sent
    for job_id in sent:
        await require(connection, job_id, Transition.SEND_SETTLEMENT)
    raise AssertionError("what may not be sent is not required")


def _sent(run: Run, job_ids: Sequence[Digest], tx: Digest, now: int) -> list[Digest]:
    """Those that may not be sent."""
    moved = move_many(run, job_ids, Transition.SEND_SETTLEMENT, now=now)
    if moved:
        run(_SEND, [(job.number, tx.hex, now) for job in moved])
    rest = _without(job_ids, moved)
    if not rest:
        return []
    again = {number for (number,) in run(_SEND_AGAIN, [(i.hex, tx.hex, now) for i in rest])}
    known = {job_id: number for number, job_id in run(_NUMBERS, _hexes(rest))}
    return [job_id for job_id in rest if known.get(job_id.hex) not in again]


def _without(job_ids: Sequence[Digest], moved: Sequence[Moved]) -> list[Digest]:
    done = {job.job_id for job in moved}
    return [job_id for job_id in job_ids if job_id not in done]


def _hexes(job_ids: Sequence[Digest]) -> list[tuple[Value]]:
    return [(job_id.hex,) for job_id in job_ids]


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
    return await at_one_go(connection, lambda run: _settled(run, job_ids, tx, block, now))


def _settled(run: Run, job_ids: Sequence[Digest], tx: Digest, block: int, now: int) -> list[Digest]:
    moved = move_many(run, job_ids, Transition.SETTLED, now=now)
    count_calls(run, [job for job in moved if job.state is JobState.QUEUED], 1)
    owed = [(job.job_id.hex, now) for job in moved if job.state is not JobState.QUEUED]
    if owed:
        run(_OWE, owed)
    settled = {job.job_id: job.number for job in moved}
    rest = _without(job_ids, moved)
    for number, job_id in run(_TAKEN_BACK, _hexes(rest)) if rest else ():
        settled[Digest.from_hex(job_id)] = number
    if settled:
        run(_SETTLE, [(number, tx.hex, block, now) for number in settled.values()])
    return list(settled)


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

    def move(run: Run) -> None:
        again = ", fence = fence + 1, lease_until = NULL"
        count_calls(run, move_many(run, job_ids, Transition.UNSETTLED, now=now, more=again), -1)

    await at_one_go(connection, move)
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
        await at_one_go(
            connection, lambda run: move_many(run, job_ids, Transition.UNREFUNDED, now=now)
        )
        await connection.execute(
            update(refunds)
            .where(c.job_id.in_(these(connection, job_ids)))
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
        .where(c.job_id.in_(these(connection, job_ids)), c.job_id.not_in(carried))
        .values(state=RefundState.DUE.value, tx=None, updated_at=now)
        .returning(c.job_id)
    )
    lost = list(found)
    await at_one_go(connection, lambda run: move_many(run, lost, Transition.REFUND_LOST, now=now))


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
