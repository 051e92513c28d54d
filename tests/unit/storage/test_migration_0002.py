"""From one settlement a transaction to many: what was stored goes on where it was."""

import importlib
from typing import Any

import pytest
from alembic.command import upgrade as alembic_upgrade
from alembic.config import Config
from order_book_suite import ASSET, BLOCK, NETWORK, SENDER, digest, order, transaction
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.payments.x402.receipt import authorization_of
from inferproof.protocol.encoding import canonical_json
from inferproof.protocol.quote import quote_json
from inferproof.storage.ports.outbox import Inclusion, OutboxKind, SettlementStep
from inferproof.storage.sql import migrate
from inferproof.storage.sql.engine import Database
from inferproof.testing.memory_store import open_stores
from inferproof.types.job import JobState

engine = importlib.import_module("inferproof.storage.sql.engine")

JOB = (
    "INSERT INTO jobs (job_id, state, model_id, model_version, model_commitment, method, path, "
    "body, request_digest, quote, quote_signature, salt, first_block, attempts, fence, deadline, "
    "created_at, updated_at) VALUES (:job_id, :state, 'sample', '1.0.0', :commitment, 'POST', "
    "'/x', :body, :request, :quote, :body, :body, 7, 0, 0, 5000, 1000, 1000)"
)
RESERVATION = (
    "INSERT INTO payment_reservations (network, token, payer, nonce, job_id, request_digest, "
    "payee, amount, valid_after, valid_before, signature, created_at) VALUES (:network, :token, "
    ":payer, :nonce, :job_id, :request, :payee, :amount, :after, :before, :signature, 1000)"
)
SETTLEMENT = (
    "INSERT INTO settlements (job_id, state, tx, block, updated_at) "
    "VALUES (:job_id, :settlement, :tx, :block, 1000)"
)
REFUND = "INSERT INTO refunds (job_id, state, tx, updated_at) VALUES (:job_id, 'pending', :tx, 9)"
OUTBOX = (
    "INSERT INTO outbox (kind, job_id, network, sender, nonce, tx, raw, state, attempts, "
    "created_at, sent_at) VALUES (:kind, :job_id, :network, :sender, :nonce, :tx, :raw, "
    ":outbox, 2, 1000, 1001)"
)


def to_first(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    config.attributes["connection"] = connection
    alembic_upgrade(config, "0001")


async def store(connection: AsyncConnection, number: int, state: JobState, **more: Any) -> None:
    made = order(number)
    payment, sent = authorization_of(made.payment), transaction(number)
    values = {
        "job_id": made.job_id.hex,
        "state": state.value,
        "commitment": made.model_commitment.hex,
        "body": b"x",
        "request": made.request_digest.hex,
        "quote": canonical_json(quote_json(made.quote)).decode(),
        "network": NETWORK.caip2,
        "token": ASSET.address.hex,
        "payer": payment.payer.hex,
        "nonce": payment.nonce.hex,
        "payee": payment.payee.hex,
        "amount": str(payment.amount),
        "after": str(payment.valid_after),
        "before": str(payment.valid_before),
        "signature": payment.signature,
        "settlement": "pending",
        "tx": sent.tx.hex,
        "block": None,
        "kind": "settlement",
        "sender": SENDER.hex,
        "raw": sent.raw,
        "outbox": "open",
        **more,
    }
    for statement in (JOB, RESERVATION, SETTLEMENT):
        await _run(connection, statement, values)
    if state is JobState.REFUNDING:
        await _run(connection, REFUND, values)
    if state is not JobState.RESERVED:
        await _run(connection, OUTBOX, {**values, "nonce": number})


async def _run(connection: AsyncConnection, statement: str, values: dict[str, Any]) -> None:
    wanted = text(statement)
    names = wanted.compile().params
    await connection.execute(wanted, {name: values[name] for name in names})


async def test_what_was_under_way_goes_on(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(engine, "upgrade", to_first)
        old = await Database.open(empty_url)

    async def fill(connection: AsyncConnection) -> None:
        await store(connection, 1, JobState.RESERVED, tx=None)
        await store(connection, 2, JobState.SETTLING)
        settled = {"settlement": "settled", "block": 42, "outbox": "included"}
        await store(connection, 3, JobState.QUEUED, **settled)
        await store(connection, 4, JobState.REFUNDING, kind="refund")

    await old.write(fill)
    await old.close()

    async with open_stores(empty_url) as stores:
        orders = stores.orders
        settling, refunding = await orders.outbox.open_outbox(NETWORK, SENDER)
        assert (settling.nonce, settling.kind) == (2, OutboxKind.SETTLEMENT)
        assert (settling.newest.attempts, settling.newest.sent_at) == (2, 1001)
        assert (settling.newest.fee_cap, settling.newest.fee_tip) == (0, 0)
        assert await orders.outbox.raw(settling.newest.tx) == transaction(2).raw
        carried = await orders.settlements.payables(ASSET, [settling, refunding])
        ((two,), (four,)) = carried[settling.id], carried[refunding.id]
        assert (two.job_id, two.step) == (order(2).job_id, SettlementStep.SENT)
        assert two.payment == order(2).payment
        assert (four.job_id, refunding.kind) == (order(4).job_id, OutboxKind.REFUND)
        assert [p.job_id for p in await orders.settlements.to_settle(ASSET, limit=9)] == [
            order(1).job_id
        ]
        assert await orders.outbox.free_nonces(NETWORK, SENDER, least=0, count=3) == [0, 1, 5]
        done = Inclusion(settling, settling.newest.tx, BLOCK, {two.job_id: None})
        assert await orders.settlements.included([done], now=9) == [two.job_id]
        refund = (await orders.settlements.refunded(four.job_id, digest("x"), 43, now=9)).refund
        assert refund is not None
        assert (refund.attempts, refund.retry_at) == (0, 0)
        assert (await orders.jobs.job(order(3).job_id)).settlement.block == 42
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == []
