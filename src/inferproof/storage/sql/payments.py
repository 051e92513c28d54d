"""The questions that every paid request asks, each for many requests at a time."""

import operator
from collections.abc import Mapping, Sequence

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.ports.jobs import Job
from inferproof.storage.sql.constructs import given_rows
from inferproof.storage.sql.mapping import job_of_row, select_jobs
from inferproof.storage.sql.tables import jobs, payment_reservations
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Payment

PaymentKey = tuple[str, Address, Address, Digest]
"""Network (CAIP-2), token, payer, nonce: what makes an authorization single-use."""


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
