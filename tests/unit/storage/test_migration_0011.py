"""Payments, from columns of the two first methods to one form for all."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from order_book_suite import order
from sqlalchemy import Connection, text
from test_migrations import OLD

from inferproof.payments.transfer.receipt import transfer_payment
from inferproof.protocol.transfer import Transfer, spent
from inferproof.storage.sql.address import read_address
from inferproof.storage.sql.dump import load, revision_of
from inferproof.storage.sql.engines import writing_engine
from inferproof.storage.sql.migrate import upgrade
from inferproof.testing.memory_store import open_stores
from inferproof.testing.samples import PAYEE, PAYER, TransferSample
from inferproof.types.payment import Payment

NAMED, CHOSEN = (TransferSample(named=named, log_index=2**40) for named in (True, False))


def as_0010(payment: Payment, sample: TransferSample) -> Mapping[str, Any]:
    """What the columns held of a payment by a transfer."""
    return {
        "payer": payment.payer.hex,
        "payee": payment.payee.hex,
        "nonce": payment.nonce.hex,
        "amount": str(payment.amount),
        "signature": payment.signature,
        "tx": sample.claim().transaction.hex,
        "log_index": sample.log_index,
        "log_named": sample.named,
    }


def fill(connection: Connection) -> None:
    """All jobs of the first schema, of which two come to be paid by transfers."""
    load(connection, "0001", OLD)
    upgrade(connection, "0008")
    assert revision_of(connection) == "0008"
    for number, sample in ((0, NAMED), (1, CHOSEN)):
        job_id = order(number).job_id.hex
        values = as_0010(payment_of(number, sample), sample)
        columns = ", ".join(f"{name} = :{name}" for name in values)
        changed = connection.execute(
            text(
                f"UPDATE payment_reservations SET {columns}, valid_after = NULL, "  # noqa: S608
                "valid_before = NULL WHERE job_id = :job_id"
            ),
            {**values, "job_id": job_id},
        )
        assert changed.rowcount == 1
        connection.execute(
            text("UPDATE jobs SET nonce_salt = :salt WHERE job_id = :job_id"),
            {"salt": sample.claim().salt.hex, "job_id": job_id},
        )


def payment_of(number: int, sample: TransferSample) -> Payment:
    """Of two that are otherwise alike, each in a log of its own."""
    moved = Transfer(sample.log_index, PAYER.address, PAYEE, sample.amount + number)
    payment = transfer_payment(spent(sample.claim(), moved))
    return replace(payment, nonce=order(number).payment.nonce)


@pytest.fixture
def before(empty_url: str) -> str:
    """The address of a database as version 0008 left it."""

    async def work() -> None:
        engine = writing_engine(read_address(empty_url))
        async with engine.begin() as connection:
            await connection.run_sync(fill)
        await engine.dispose()

    asyncio.run(work())
    return empty_url


async def test_each_payment_is_read_as_it_was(before: str) -> None:
    async with open_stores(before) as stores:
        for number, sample in ((0, NAMED), (1, CHOSEN)):
            job = await stores.orders.jobs.job(order(number).job_id)
            assert job.order.payment == payment_of(number, sample)
            assert await stores.orders.jobs.find_payment(job.order.payment) == job
        authorized = [
            n for n in range(2, 20) if order(n).job_id.hex in {r["job_id"] for r in OLD["jobs"]}
        ]
        assert authorized
        for number in authorized:
            job = await stores.orders.jobs.job(order(number).job_id)
            assert job.order.payment == order(number).payment
