"""Orders whose money moved before: job, reservation and settlement in one transaction."""

from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, Reason
from inferproof.protocol.lifecycle import REDEEM, STARTS
from inferproof.storage.ports.jobs import Job, Order, Outcome, QueueRoom, Reservation
from inferproof.storage.sql.bulk import Given, execute_given, insert_new, insert_rows
from inferproof.storage.sql.events import Step, record_steps
from inferproof.storage.sql.mapping import (
    job_of_row,
    job_values,
    reservation_values,
    select_jobs,
)
from inferproof.storage.sql.queue_quota import QueueQuota
from inferproof.storage.sql.tables import jobs, models, payment_reservations
from inferproof.storage.sql.transitions import count_for_model, read_job
from inferproof.types.digest import Digest
from inferproof.types.payment import SettlementState

_SETTLED = Given(
    "INSERT INTO settlements (job, state, tx, block, updated_at) "  # noqa: S608
    f"SELECT number, '{SettlementState.SETTLED.value}', hash, first_block, created_at "
    "FROM given JOIN jobs ON job_id = wanted",
    {"wanted": "text", "hash": "text"},
)


async def redeem(
    connection: AsyncConnection,
    order: Order,
    settled_in: Digest,
    limits: QueueRoom | None,
    room: QueueQuota,
) -> Reservation:
    """The job of an order whose payment was settled before; see `OrderBook.redeem`.

    Soundness: which of two orders with one payment comes first, and that one job has one payment,
    is decided by the unique keys of payment_reservations, whoever else writes at the time.
    """
    await room.refresh(connection, [(order, limits)])
    full = room.refuse(order, limits)
    if full is not None:
        known = await _job(connection, order)
        if known is None:
            raise full
        return Reservation(Outcome.SAME, known)
    turn = room.add(order)
    rows = [reservation_values(order, settled_in)]
    added = await insert_new(connection, payment_reservations, rows, returning="job_id")
    if not added:
        room.remove(order, turn)
        known = await _job(connection, order)
        if known is None:
            raise Conflict(Reason.PAYMENT_REPLAYED)
        return Reservation(Outcome.SAME, known)
    queued = {**job_values(order, turn), "state": STARTS[REDEEM].value}
    await insert_rows(connection, jobs, [queued])
    await execute_given(connection, _SETTLED, [(order.job_id.hex, settled_in.hex)])
    step = Step(order.job_id, REDEEM, STARTS[REDEEM], order.created_at)
    await record_steps(connection, [step])
    job = await read_job(connection, order.job_id)
    await count_for_model(connection, job, calls=models.c.calls + 1)
    return Reservation(Outcome.NEW, job)


async def _job(connection: AsyncConnection, order: Order) -> Job | None:
    found = await connection.execute(select_jobs().where(jobs.c.job_id == order.job_id))
    there = found.one_or_none()
    return None if there is None else job_of_row(there)
