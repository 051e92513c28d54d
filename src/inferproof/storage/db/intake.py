"""The questions that every paid request asks, each for many requests at a time."""

import operator
from collections.abc import Mapping, Sequence

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.base import Backlog, Job, PurseKey
from inferproof.storage.db.codec import job_of_row, select_jobs
from inferproof.storage.db.dialect import given_rows
from inferproof.storage.db.tables import jobs, payment_reservations
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.payment import Payment

PaymentKey = tuple[str, Address, Address, Digest]
"""Network (CAIP-2), token, payer, nonce: what makes an authorization single-use."""
WAITING = tuple(
    state.value
    for state in (JobState.RESERVED, JobState.SETTLING, JobState.QUEUED, JobState.RUNNING)
)
_UNSETTLED = (JobState.RESERVED.value, JobState.SETTLING.value, JobState.WITHDRAWN.value)


def payment_key(payment: Payment) -> PaymentKey:
    """What is this payment's alone."""
    asset = payment.asset
    return (asset.network.caip2, asset.address, payment.payer, payment.nonce)


async def find_payments(
    connection: AsyncConnection, keys: Sequence[PaymentKey]
) -> Mapping[PaymentKey, Job | None]:
    """The jobs that these payments bought, None for each that is free."""
    c = payment_reservations.c
    texts = [(network, token.hex, payer.hex, nonce.hex) for network, token, payer, nonce in keys]
    given, columns = given_rows(connection, texts, 4)
    # Nearly all are free: the wide rows are only read for those that are not.
    ids = await connection.scalars(
        select(c.job_id).select_from(
            given.join(
                payment_reservations,
                and_(*map(operator.eq, (c.network, c.token, c.payer, c.nonce), columns)),
            )
        )
    )
    taken = list(ids)
    if not taken:
        return dict.fromkeys(keys)
    found = await connection.execute(select_jobs().where(jobs.c.job_id.in_(taken)))
    there = [job_of_row(row) for row in found]
    return dict.fromkeys(keys) | {payment_key(job.order.payment): job for job in there}


async def backlog(connection: AsyncConnection) -> Backlog:
    """See OrderBook.backlog."""
    c = payment_reservations.c
    # By the jobs, which the queue limit bounds, and not by the payers, who may have paid for years.
    found = await connection.execute(
        select(c.network, c.token, c.payer, c.nonce, c.amount)
        .select_from(jobs)
        .join(payment_reservations, jobs.c.job_id == c.job_id)
        .where(jobs.c.state.in_(_UNSETTLED))
    )
    unsettled: dict[PurseKey, dict[Digest, int]] = {}
    for network, token, payer, nonce, amount in found:
        unsettled.setdefault((network, token, payer), {})[nonce] = amount
    # Counted last: what is reserved in between is counted rather than missed.
    count = await connection.scalar(
        select(func.count()).select_from(jobs).where(jobs.c.state.in_(WAITING))
    )
    return Backlog(int(count or 0), unsettled)
