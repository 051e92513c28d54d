"""A whole order with marked inputs and secrets: no mark comes out where an operator looks."""

import base64
import json
import logging
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from log_lines import log_lines
from order_book_suite import order
from paid_calls import ADMIN_TOKEN, Caller, caller
from service_parts import PROVIDER_KEY, World, build
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from test_reports import Project
from test_traces import Traces

from inferproof.app.reporting import open_reports
from inferproof.errors import InputRejected, Reason, Unavailable
from inferproof.services.traced import traced
from inferproof.settings import Settings
from inferproof.testing.memory_store import open_stores
from inferproof.testing.samples import GATEWAY, PAYER

INPUT = b'{"input":[1.5,-2,0.25],"note":"marked-7c1f0b-input"}'
MARK = b"marked-7c1f0b-input"


def spellings(secret: bytes) -> set[bytes]:
    """The secret in the forms in which things are logged by accident."""
    plain = {secret, repr(secret)[2:-1].encode(), json.dumps(secret.decode("latin-1")).encode()}
    shifted = {base64.b64encode(bytes(n) + secret)[4 : 4 * (len(secret) // 3)] for n in (0, 1, 2)}
    quoted = {urllib.parse.quote(secret).encode()}
    return plain | quoted | shifted | {secret.hex().encode(), secret.hex().upper().encode()}


@pytest.fixture
def project() -> Iterator[Project]:
    project = Project()
    yield project
    project.close()


async def whole_order(buyer: Caller, world: World, payment: str) -> None:
    """Paid, repeated, failed on the way in every manner, and answered."""
    assert (await buyer.send(payment)).status_code == 202
    assert (await buyer.send(payment)).status_code == 202
    world.system.faults = [
        ValueError(f"cannot read {MARK.decode()}"),
        Unavailable(Reason.PROVER_FAILED, why=MARK.decode()),
    ]
    await buyer.finish()
    # Another one, which fails for good, and is refunded.
    other = await buyer.header(2)
    assert (await buyer.send(other)).status_code == 202
    world.system.faults = [
        InputRejected(
            Reason.INPUT_OUT_OF_RANGE, name="x", value=MARK.decode(), minimum=0, maximum=1, unit=""
        )
    ]
    await buyer.finish()
    for _ in range(3):
        await buyer.services.settler.settle_once()
    # A request that dies by a bug of ours with the input in its hands.
    gateway, good = buyer.services.gateway, buyer.services.gateway.accept

    async def broken(*given: object, **more: object) -> None:
        raise ValueError(repr(given))

    gateway.accept = broken  # type: ignore[method-assign]
    assert (await buyer.send(await buyer.header(3))).status_code == 500
    gateway.accept = good  # type: ignore[method-assign]
    # A statement that the database refuses, rows and all.
    admin = {"authorization": f"Bearer {ADMIN_TOKEN}"}
    await buyer.http.post("/v1/models/sample@1.0.0/suspend", headers=admin)
    await buyer.http.get("/metrics")
    await buyer.http.post("/v1/models/none/infer", content=INPUT)
    logging.getLogger("inferproof.test").info("the last line")


async def failing_statement(buyer: Caller) -> None:
    async def insert(connection: AsyncConnection) -> None:
        await connection.execute(
            text("INSERT INTO verifications (number, subject) VALUES (1, :row)"), {"row": INPUT}
        )

    try:
        await buyer.services.stores.database.write(insert)
    except Exception:
        logging.getLogger("inferproof.test").exception("a fault of ours")


async def test_no_mark_comes_out(world: World, project: Project) -> None:
    traces = Traces()
    with ExitStack() as stack, log_lines(traced=True) as logged:
        open_reports(Settings(sentry_dsn=project.dsn), stack)
        async with open_stores(world.url) as stores:
            services = build(world, replace(stores, orders=traced(stores.orders, traces.tracer)))
            await services.register()
            async with caller(services, tracer=traces.tracer) as buyer:
                buyer.body = INPUT
                payment = await buyer.header()
                signature = buyer.authorize(await buyer.challenge(), b"\x01" * 32).signature
                await whole_order(buyer, world, payment)
                await failing_statement(buyer)
                shown = buyer.metrics.render()
    told = {
        "logs": logged.text.encode(),
        "traces": "".join(span.to_json() for span in traces.spans).encode(),
        "metrics": shown + repr(services.metrics.__dict__).encode(),
        "reports": b"".join(project.bodies),
    }
    secrets = {
        "input": MARK,
        "payment": payment.encode(),
        "authorization": signature,
        "gateway key": GATEWAY.secret(),
        "payer key": PAYER.secret(),
        "provider key": PROVIDER_KEY.secret(),
        "admin token": ADMIN_TOKEN.encode(),
    }
    found = [
        f"{name} in {where}"
        for name, secret in secrets.items()
        for spelling in spellings(secret)
        for where, text_ in told.items()
        if spelling in text_
    ]
    assert found == []
    # The test looks where something is: each of them told of the order and of its faults.
    assert b"the last line" in told["logs"]
    assert b'"kind": "ValueError"' in told["logs"]
    assert b"IntegrityError" in told["logs"]
    assert b"PROVER_FAILED" in told["logs"]
    assert b"INPUT_OUT_OF_RANGE" in told["traces"]
    assert b"inferproof_payments_total" in told["metrics"]
    assert len(project.events) >= 3


def test_the_search_finds_a_secret_in_every_spelling() -> None:
    secret = bytes(range(65))
    for text_ in (
        b"x" + secret,
        secret.hex().encode(),
        repr(secret).encode(),
        base64.b64encode(b"a" + secret + b"b"),
        base64.b64encode(b"ab" + secret),
    ):
        assert any(spelling in text_ for spelling in spellings(secret)), text_


def test_an_order_does_not_print_what_it_holds() -> None:
    made = order()
    assert made.payment.signature.hex() not in repr(made)
    assert repr(made.payment.signature)[2:-1] not in repr(made)
    assert repr(made.request.body)[2:-1] not in repr(made)
