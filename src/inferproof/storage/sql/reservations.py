"""Reserving payments, many in one go: the row that makes an authorization single-use."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, InferproofError
from inferproof.storage.ports.jobs import Job, Order, Outcome, Reservation
from inferproof.storage.ports.reuse import (
    check_same_payment,
    check_same_payment_id,
    check_same_webhook,
)
from inferproof.storage.sql.bulk import insert_new, insert_rows
from inferproof.storage.sql.intake import find_payments, payment_key
from inferproof.storage.sql.mapping import (
    job_of_row,
    job_values,
    reservation_values,
    select_jobs,
)
from inferproof.storage.sql.order_rows import JOB_ID, ORDERS, order_row
from inferproof.storage.sql.queue_quota import Asked, QueueQuota
from inferproof.storage.sql.tables import jobs, payment_reservations
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.money import Network
from inferproof.types.payment import Payment, Settlement, SettlementState

PaymentKey = tuple[Network, Address, Address, Digest]


def is_payment(payment: Payment) -> tuple[ColumnElement[bool], ...]:
    """What holds for the reservation of this payment alone."""
    c = payment_reservations.c
    network, token, payer, nonce = _key(payment)
    return (c.network == network.caip2, c.token == token, c.payer == payer, c.nonce == nonce)


def _key(payment: Payment) -> PaymentKey:
    return (payment.asset.network, payment.asset.address, payment.payer, payment.nonce)


async def reserve(
    connection: AsyncConnection, asked: Sequence[Asked], room: QueueQuota
) -> list[Reservation | InferproofError]:
    """One reservation or failure for each order, in their order.

    Soundness: which of two orders with one key comes first is decided by the unique keys of
    payment_reservations, whoever else writes at the time.
    """
    await room.refresh(connection, asked)
    first = {_key(order.payment): (order, limits) for order, limits in reversed(asked)}
    turns, refused = await _places(connection, list(reversed(first.values())), room)
    placed = [order for order, _ in first.values() if order.job_id in turns]
    placed.reverse()
    new = await _insert(connection, placed, turns)
    for order in reversed(placed):
        if new.get(order.job_id) is not order:
            room.remove(order, turns[order.job_id])
    results: list[Reservation | InferproofError] = []
    for order, _ in asked:
        if new.get(order.job_id) is order:
            results.append(Reservation(Outcome.NEW, _fresh(order)))
        elif _key(order.payment) in refused:
            results.append(refused[_key(order.payment)])
        else:
            results.append(await _existing(connection, order))
    return results


async def reserve_at_once(
    connection: AsyncConnection, asked: Sequence[Asked], room: QueueQuota
) -> Sequence[Reservation | None]:
    """The new reservations, durable, made in a transaction of their own; None for each order that
    `reserve` must decide on. Nearly all are new.

    Soundness: as for `reserve`.
    """
    differ = len({order.payment.nonce for order, _ in asked}) == len(asked)
    turns = room.add_all(asked) if differ else None
    if turns is None:
        return [None] * len(asked)
    rows = [order_row(order, turn) for (order, _), turn in zip(asked, turns, strict=True)]
    ids = await ORDERS.commit(connection, rows)
    new = [row[JOB_ID] in ids for row in rows]
    for (order, _), turn, is_new in reversed(list(zip(asked, turns, new, strict=True))):
        if not is_new:
            room.remove(order, turn)
    return [
        Reservation(Outcome.NEW, _fresh(order)) if is_new else None
        for (order, _), is_new in zip(asked, new, strict=True)
    ]


async def _places(
    connection: AsyncConnection, asked: Sequence[Asked], room: QueueQuota
) -> tuple[dict[Digest, int], dict[PaymentKey, InferproofError]]:
    """The turns of those that there is room for, by job, and why there is none for the others.

    A payment that has its job already needs no room.
    """
    turns: dict[Digest, int] = {}
    without: list[tuple[Order, InferproofError]] = []
    for order, limits in asked:
        error = room.refuse(order, limits)
        if error is None:
            turns[order.job_id] = room.add(order)
        else:
            without.append((order, error))
    if not without:
        return turns, {}
    known = await find_payments(connection, [payment_key(order.payment) for order, _ in without])
    refused = {
        _key(order.payment): error
        for order, error in without
        if known[payment_key(order.payment)] is None
    }
    return turns, refused


async def _insert(
    connection: AsyncConnection, orders: Sequence[Order], turns: Mapping[Digest, int]
) -> dict[Digest, Order]:
    if not orders:
        return {}
    # In one order everywhere: two gateways that insert the same payments would else wait for
    # each other.
    in_order = sorted(orders, key=lambda order: (order.payment.payer, order.payment.nonce))
    rows = [reservation_values(order) for order in in_order]
    ids = await insert_new(connection, payment_reservations, rows, returning="job_id")
    new = [order for order in orders if order.job_id.hex in ids]
    if new:
        await insert_rows(connection, jobs, [job_values(o, turns[o.job_id]) for o in new])
        await ORDERS.follow_up(connection, [order.job_id.hex for order in new])
    return {order.job_id: order for order in new}


def _fresh(order: Order) -> Job:
    return Job(
        order=order,
        state=JobState.RESERVED,
        attempts=0,
        fence=0,
        lease_until=None,
        updated_at=order.created_at,
        settlement=Settlement(SettlementState.PENDING),
    )


async def _existing(connection: AsyncConnection, order: Order) -> Reservation | InferproofError:
    c = payment_reservations.c
    asked = select_jobs().where(*is_payment(order.payment))
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


def _again(job: Job, order: Order) -> Reservation | InferproofError:
    try:
        check_same_payment(job, order.request_digest, order.payment, order.nonce_salt)
        check_same_webhook(job, order.webhook)
    except Conflict as conflict:
        return conflict
    return Reservation(Outcome.SAME, job)
