"""The questions that every paid request asks, each for many requests at a time."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.base import Job
from inferproof.storage.db.codec import job_of_row, select_jobs
from inferproof.storage.db.tables import jobs, payment_reservations
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.payment import Authorization

PaymentKey = tuple[str, Address, Address, Digest]
"""Network (CAIP-2), token, payer, nonce: what makes an authorization single-use."""
PayerKey = tuple[str, Address, Address]
"""Network (CAIP-2), token, payer."""

_WAITING = tuple(
    state.value
    for state in (JobState.RESERVED, JobState.SETTLING, JobState.QUEUED, JobState.RUNNING)
)
_UNSETTLED = (JobState.RESERVED.value, JobState.SETTLING.value)


def payment_key(payment: Authorization) -> PaymentKey:
    """What is this authorization's alone."""
    asset = payment.asset
    return (asset.network.caip2, asset.address, payment.payer, payment.nonce)


async def find_payments(
    connection: AsyncConnection, keys: Sequence[PaymentKey]
) -> Mapping[PaymentKey, Job | None]:
    """The jobs that reserved these authorizations, None for each that is free."""
    c = payment_reservations.c
    found = await connection.execute(
        select_jobs().where(tuple_(c.network, c.token, c.payer, c.nonce).in_(keys))
    )
    there = [job_of_row(row) for row in found]
    return dict.fromkeys(keys) | {payment_key(job.order.payment): job for job in there}


async def unsettled(
    connection: AsyncConnection, keys: Sequence[PayerKey]
) -> Mapping[PayerKey, Mapping[Digest, int]]:
    """Amounts, by nonce, of the payers' payments whose jobs are reserved or settling."""
    c = payment_reservations.c
    found = await connection.execute(
        select(c.network, c.token, c.payer, c.nonce, c.amount)
        .join(jobs, jobs.c.job_id == c.job_id)
        .where(jobs.c.state.in_(_UNSETTLED), tuple_(c.network, c.token, c.payer).in_(keys))
    )
    amounts: dict[PayerKey, dict[Digest, int]] = {key: {} for key in keys}
    for network, token, payer, nonce, amount in found:
        amounts[network, token, payer][nonce] = amount
    return amounts


async def waiting(connection: AsyncConnection) -> int:
    """How many jobs are reserved, settling, queued or running."""
    count = await connection.scalar(
        select(func.count()).select_from(jobs).where(jobs.c.state.in_(_WAITING))
    )
    return int(count or 0)
