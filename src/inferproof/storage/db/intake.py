"""The questions that every paid request asks, each for many requests at a time."""

import asyncio
import operator
from collections.abc import Mapping, Sequence

from sqlalchemy import String, and_, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.base.jobs import Job
from inferproof.storage.base.orders import Backlog, PurseKey
from inferproof.storage.db.bulk import given_rows
from inferproof.storage.db.codec import job_of_row, select_jobs
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
_AS_TEXT = tuple(payment_reservations.c[name] for name in ("token", "payer", "nonce", "amount"))
"""Read as they are stored: what they mean is only made of them where it differs."""
_AT_A_TIME = 500
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
        select(c.network, *(type_coerce(column, String) for column in _AS_TEXT))
        .select_from(jobs)
        .join(payment_reservations, jobs.c.job_id == c.job_id)
        .where(jobs.c.state.in_(_UNSETTLED))
    )
    rows, unsettled = found.all(), dict[PurseKey, dict[Digest, int]]()
    purses: dict[tuple[str, str, str], dict[Digest, int]] = {}
    for at in range(0, len(rows), _AT_A_TIME):
        for network, token, payer, nonce, amount in rows[at : at + _AT_A_TIME]:
            purse = purses.get((network, token, payer))
            if purse is None:
                key = (network, Address.from_hex(token), Address.from_hex(payer))
                purse = purses[network, token, payer] = unsettled[key] = {}
            purse[Digest(bytes.fromhex(nonce[2:]))] = int(amount)
        await asyncio.sleep(0)  # others go on: a long backlog takes tens of milliseconds
    # Counted last: what is reserved in between is counted rather than missed.
    count = await connection.scalar(
        select(func.count()).select_from(jobs).where(jobs.c.state.in_(WAITING))
    )
    return Backlog(int(count or 0), unsettled)
