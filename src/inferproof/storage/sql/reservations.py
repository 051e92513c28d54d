"""Orders and all their rows: the reservation that makes a payment single-use, the job, its
settlement and its first step, many orders in one go.

    reserve    orders whose payments are settled later
    redeem     an order whose money was moved before: its settlement is recorded with it
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, InferproofError, Reason
from inferproof.protocol.lifecycle import REDEEM, RESERVE, STARTS
from inferproof.storage.ports.jobs import Job, Outcome, QueueLimits, Reservation, ValidatedOrder
from inferproof.storage.ports.reuse import (
    check_same_payment,
    check_same_payment_id,
    check_same_webhook,
)
from inferproof.storage.sql.constructs import insert_new
from inferproof.storage.sql.mapping import (
    job_of_row,
    job_values,
    reservation_values,
    select_jobs,
    settlement_values,
)
from inferproof.storage.sql.order_deliveries import await_deliveries
from inferproof.storage.sql.payments import PaymentKey, find_payments, payment_key
from inferproof.storage.sql.queue_quota import Asked, QueueQuota
from inferproof.storage.sql.tables import (
    job_events,
    jobs,
    models,
    payment_reservations,
    settlements,
)
from inferproof.storage.sql.transitions import count_for_model, read_job
from inferproof.types.digest import Digest
from inferproof.types.payment import Payment, Settlement, SettlementState

_PENDING = Settlement(SettlementState.PENDING)


async def reserve(
    connection: AsyncConnection, asked: Sequence[Asked], quota: QueueQuota
) -> list[Reservation | InferproofError]:
    """One reservation or failure for each order, in their order.

    Soundness: which of two orders with one key comes first is decided by the unique keys of
    payment_reservations, whoever else writes at the time.
    """
    await quota.refresh(connection, asked)
    first = {payment_key(order.payment): (order, limits) for order, limits in reversed(asked)}
    turns, refused = await _places(connection, list(reversed(first.values())), quota)
    placed = [order for order, _ in reversed(first.values()) if order.job_id in turns]
    new = await _insert(connection, placed, turns, RESERVE, _PENDING)
    for order in reversed(placed):
        if new.get(order.job_id) is not order:
            quota.remove(order, turns[order.job_id])
    results: list[Reservation | InferproofError] = []
    for order, _ in asked:
        key = payment_key(order.payment)
        if new.get(order.job_id) is order:
            results.append(Reservation(Outcome.NEW, _fresh(order)))
        elif key in refused:
            results.append(refused[key])
        else:
            results.append(await _existing(connection, order))
    return results


async def redeem(
    connection: AsyncConnection,
    order: ValidatedOrder,
    settled_in: Digest,
    limits: QueueLimits | None,
    quota: QueueQuota,
) -> Reservation:
    """The job of an order whose money was moved before; see `Jobs.redeem`.

    Soundness: which of two orders with one payment comes first, and that one job has one payment,
    is decided by the unique keys of payment_reservations, whoever else writes at the time.
    """
    await quota.refresh(connection, [(order, limits)])
    full = quota.refuse(order, limits)
    if full is not None:
        known = await _job(connection, order)
        if known is None:
            raise full
        return Reservation(Outcome.SAME, known)
    turn = quota.add(order)
    paid = Settlement(SettlementState.SETTLED, settled_in, order.first_block)
    if not await _insert(connection, [order], {order.job_id: turn}, REDEEM, paid):
        quota.remove(order, turn)
        known = await _job(connection, order)
        if known is None:
            raise Conflict(Reason.PAYMENT_REPLAYED)
        return Reservation(Outcome.SAME, known)
    job = await read_job(connection, order.job_id)
    await count_for_model(connection, job, calls=models.c.calls + 1)
    return Reservation(Outcome.NEW, job)


async def _insert(
    connection: AsyncConnection,
    orders: Sequence[ValidatedOrder],
    turns: Mapping[Digest, int],
    start: str,
    settlement: Settlement,
) -> dict[Digest, ValidatedOrder]:
    """Those of the orders that are new, by job, with all their rows; `start` is their first step.
    No two of them have one payment."""
    if not orders:
        return {}
    # In one order everywhere: two gateways that insert the same payments would else wait for
    # each other.
    in_order = sorted(orders, key=lambda order: (order.payment.payer, order.payment.nonce))
    rows = [reservation_values(order, settlement.transaction) for order in in_order]
    ids = await insert_new(
        connection, payment_reservations, rows, returning=payment_reservations.c.job_id
    )
    new = {order.job_id: order for order in orders if order.job_id in ids}
    if not new:
        return {}
    state = STARTS[start]
    made = await connection.execute(
        insert(jobs).returning(jobs.c.number, jobs.c.job_id),
        [job_values(order, turns[order.job_id], state) for order in new.values()],
    )
    numbered = [(number, new[job_id]) for number, job_id in made]
    await connection.execute(
        insert(settlements),
        [settlement_values(number, settlement, order.created_at) for number, order in numbered],
    )
    await await_deliveries(connection, numbered)
    step = {"seq": 1, "transition": start, "state": state.value}
    await connection.execute(
        insert(job_events),
        [{"job": number, "at": order.created_at, **step} for number, order in numbered],
    )
    return new


async def _places(
    connection: AsyncConnection, asked: Sequence[Asked], quota: QueueQuota
) -> tuple[dict[Digest, int], dict[PaymentKey, InferproofError]]:
    """The turns of those that there is room for, by job, and why there is none for the others.

    A payment that has its job already needs no room.
    """
    turns: dict[Digest, int] = {}
    without: list[tuple[ValidatedOrder, InferproofError]] = []
    for order, limits in asked:
        error = quota.refuse(order, limits)
        if error is None:
            turns[order.job_id] = quota.add(order)
        else:
            without.append((order, error))
    if not without:
        return turns, {}
    known = await find_payments(connection, [payment_key(order.payment) for order, _ in without])
    refused = {
        payment_key(order.payment): error
        for order, error in without
        if known[payment_key(order.payment)] is None
    }
    return turns, refused


def _fresh(order: ValidatedOrder) -> Job:
    return Job(
        order=order,
        state=STARTS[RESERVE],
        attempts=0,
        fence=0,
        lease_until=None,
        updated_at=order.created_at,
        settlement=_PENDING,
    )


async def _existing(
    connection: AsyncConnection, order: ValidatedOrder
) -> Reservation | InferproofError:
    c = payment_reservations.c
    asked = select_jobs().where(*_is_payment(order.payment))
    found = (await connection.execute(asked)).one_or_none()
    if found is not None:
        return _again(job_of_row(found), order)
    found = (
        await connection.execute(
            select_jobs().where(c.payer == order.payment.payer, c.payment_id == order.payment_id)
        )
    ).one()
    job = job_of_row(found)
    try:
        check_same_payment_id(job, order.request_digest)
        check_same_webhook(job, order.webhook)
    except Conflict as conflict:
        return conflict
    return Reservation(Outcome.SAME, job)


def _is_payment(payment: Payment) -> tuple[ColumnElement[bool], ...]:
    """What holds for the reservation of this payment alone."""
    c = payment_reservations.c
    network, token, payer, nonce = payment_key(payment)
    return (c.network == network, c.token == token, c.payer == payer, c.nonce == nonce)


def _again(job: Job, order: ValidatedOrder) -> Reservation | InferproofError:
    try:
        check_same_payment(job, order.request_digest, order.payment, order.nonce_salt)
        check_same_webhook(job, order.webhook)
    except Conflict as conflict:
        return conflict
    return Reservation(Outcome.SAME, job)


async def _job(connection: AsyncConnection, order: ValidatedOrder) -> Job | None:
    found = await connection.execute(select_jobs().where(jobs.c.job_id == order.job_id))
    there = found.one_or_none()
    return None if there is None else job_of_row(there)
