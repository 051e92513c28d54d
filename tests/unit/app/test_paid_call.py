"""What the paid call answers on the wire, from sockets to the order book."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from service_parts import BODY, PATH, Services, World, running
from waiting import until

from inferproof.api.admission import Admission
from inferproof.api.context import ApiSettings
from inferproof.api.context import Services as Served
from inferproof.api.create import create_app
from inferproof.observability.metrics import Metrics
from inferproof.payments.header import encode_header
from inferproof.payments.x402.challenge import Challenge, read_challenge
from inferproof.payments.x402.payment import payment_payload
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.commitments import bound_nonce
from inferproof.server.limits import COMMON
from inferproof.server.listening import listen
from inferproof.services.limits.keys import ApiKeys
from inferproof.services.limits.service import Limits, Policy
from inferproof.storage.ratelimit.memory import MemoryLimiter
from inferproof.storage.sql.api_keys import SqlApiKeys
from inferproof.testing.samples import PAYER
from inferproof.types.limits import Rate
from inferproof.types.payment import Authorization


@dataclass
class Market:
    """A server over services, and how to call it."""

    port: int
    services: Services
    metrics: Metrics
    admission: Admission

    async def send(self, *parts: bytes, answers: int = 1, pause: float = 0.02) -> list[bytes]:
        """The answers to bytes that are sent in these parts on one connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                if len(parts) > 1:
                    await asyncio.sleep(pause)
            async with asyncio.timeout(20):
                return [await _answer(reader) for _ in range(answers)]
        finally:
            writer.close()

    async def challenge(self, body: bytes = BODY) -> Challenge:
        (said,) = await self.send(request(body))
        found = re.search(rb"\r\npayment-required: ([^\r]*)", said)
        assert found is not None, said
        return read_challenge(found[1].decode())


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head = await reader.readuntil(b"\r\n\r\n")
    size = re.search(rb"\r\ncontent-length: (\d+)", head)
    assert size is not None, head
    return head + await reader.readexactly(int(size[1]))


def request(
    body: bytes, *more: str, path: str = PATH, version: str = "1.1", name: str = "the-same"
) -> bytes:
    lines = [
        f"POST {path} HTTP/{version}",
        "Host: gateway.test",
        "Content-Type: application/json",
        f"X-Request-Id: {name}",
        *more,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def market(folder: Path, **settings: Any) -> AsyncIterator[Market]:
    orders = settings.pop("orders", None)
    most = settings.pop("most", 100)
    requests = settings.pop("requests", Rate(100, 60))
    world = World(folder, **settings)
    async with running(world) as services:
        metrics, now = Metrics(), 10**12
        policy = Policy(requests=requests, quotes=Rate(100, 60), orders=orders)
        limits = Limits(
            MemoryLimiter(clock=lambda: now),
            ApiKeys(SqlApiKeys(services.stores.database)),
            policy,
            metrics.refused,
        )
        services.gateway._intake._limits = limits
        admission = Admission(limits, most=most, on_refused=metrics.refused)
        served = Served(
            gateway=services.gateway,
            metrics=metrics,
            settings=ApiSettings(version="0.1.0", sync_wait_s=0.05),
            admission=admission,
        )
        with listen("127.0.0.1", 0) as listener:
            server = uvicorn.Server(uvicorn.Config(create_app(served), **COMMON, lifespan="off"))
            task = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            try:
                yield Market(listener.getsockname()[1], services, metrics, admission)
            finally:
                server.should_exit = True
                await task


def sign(challenge: Challenge, world: World, salt: bytes) -> Authorization:
    quote = challenge.quote
    unsigned = Authorization(
        asset=quote.price.asset,
        payer=PAYER.address,
        payee=quote.payee,
        amount=quote.price.amount,
        valid_after=0,
        valid_before=world.clock.now + 600,
        nonce=bound_nonce(challenge.request, salt),
        signature=b"",
    )
    return replace(unsigned, signature=PAYER.sign(authorization_digest(unsigned)))


def salt_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


AT_ONCE = "Prefer: respond-async"


async def paid(
    it: Market,
    number: int = 1,
    *more: str,
) -> bytes:
    """A paid request, answered at once."""
    challenge, salt = await it.challenge(), salt_of(number)
    signed = sign(challenge, it.services.world, salt)
    payload = payment_payload(challenge, signed, salt)
    return request(BODY, f"PAYMENT-SIGNATURE: {encode_header(payload)}", *(more or (AT_ONCE,)))


Run = Callable[[Market], Any]


@dataclass(frozen=True)
class Scenario:
    """What is sent, and what is to come of it: answers as `told` puts them, payments by outcome."""

    run: Run
    answers: list[str]
    payments: dict[str, int]
    settings: dict[str, Any]


SCENARIOS: dict[str, Scenario] = {}


def scenario(answers: list[str], payments: dict[str, int], **settings: Any) -> Callable[[Run], Run]:
    def add(run: Run) -> Run:
        SCENARIOS[run.__name__] = Scenario(run, answers, payments, settings)
        return run

    return add


@scenario(["202 reserved"], {"reserved": 1})
async def an_order(it: Market) -> list[bytes]:
    return await it.send(await paid(it))


@scenario(["202 reserved", "202 reserved"], {"reserved": 2})
async def a_caller_who_waits(it: Market) -> list[bytes]:
    return await it.send(await paid(it, 1, "Prefer: wait=1")) + await it.send(
        await paid(it, 2, "Accept: */*")
    )


@scenario(8 * ["202 reserved"], {"reserved": 1, "repeated": 7})
async def the_same_payment_many_times_at_once(it: Market) -> list[bytes]:
    sent = await paid(it)
    return [
        said for one in await asyncio.gather(*[it.send(sent) for _ in range(8)]) for said in one
    ]


@scenario(["202 reserved", "409 PAYMENT_REPLAYED"], {"reserved": 1, "PAYMENT_REPLAYED": 1})
async def the_same_payment_for_another_body(it: Market) -> list[bytes]:
    sent = await paid(it)
    header = re.search(rb"PAYMENT-SIGNATURE: ([^\r]*)", sent)
    assert header is not None
    other = request(b'{"input":[2,2,2]}', f"PAYMENT-SIGNATURE: {header[1].decode()}", AT_ONCE)
    return await it.send(sent) + await it.send(other)


@scenario(["202 reserved", "503 QUEUE_FULL"], {"reserved": 1, "QUEUE_FULL": 1}, queue_limit=1)
async def a_full_queue(it: Market) -> list[bytes]:
    sent = [await paid(it, n) for n in (1, 2)]
    return [said for each in sent for said in await it.send(each)]


@scenario(
    ["202 reserved", "202 reserved", "429 RATE_LIMITED", "429 RATE_LIMITED"],
    {"reserved": 2, "RATE_LIMITED": 2},
    orders=Rate(2, 60),
)
async def a_payer_who_orders_too_often(it: Market) -> list[bytes]:
    sent = [await paid(it, n) for n in range(1, 5)]
    return [said for each in sent for said in await it.send(each)]


@scenario(["503 OVERLOADED"], {}, most=0)
async def too_many_under_way(it: Market) -> list[bytes]:
    it.admission._most = 1
    sent = await paid(it)
    it.admission._most = 0
    return await it.send(sent)


@scenario(
    [
        "202 reserved",
        "202 reserved",
        "202 reserved",
        "202 reserved",
        "429 RATE_LIMITED",
        "429 RATE_LIMITED",
    ],
    {"reserved": 1, "repeated": 3},
    requests=Rate(5, 60),
)
async def an_address_that_asks_too_often(it: Market) -> list[bytes]:
    sent = await paid(it)
    return [said for _ in range(6) for said in await it.send(sent)]


@scenario(
    [
        "202 reserved",
        "422 IDEMPOTENCY_KEY_MALFORMED",
        "202 reserved",
        "422 WEBHOOK_URL",
        "422 PAYMENT_TWICE",
        "202 reserved",
        "401 API_KEY_UNKNOWN",
        "401 API_KEY_UNKNOWN",
        "202 reserved",
        "202 reserved",
        "202 reserved",
        "202 reserved",
        "202 reserved",
        "202 reserved",
        "202 reserved",
        "202 reserved",
        "202 reserved",
        "202 reserved",
        "202 reserved",
        "202 reserved",
        "202 reserved",
    ],
    {"reserved": 16, "WEBHOOK_URL": 1},
)
async def other_headers(it: Market) -> list[bytes]:
    given = (
        "Idempotency-Key: 0123456789abcdef",
        "Idempotency-Key: short",
        "Inferproof-Webhook: https://buyer.example/hook",
        "Inferproof-Webhook: http://127.0.0.1/hook",
        "Inferproof-Transfer: AAAA",
        "X-PAYMENT: AAAA",
        "X-API-Key: inf_0123456789abcdef_" + "A" * 43,
        "Authorization: Bearer inf_x",
        "Authorization: Bearer else",
        "PAYMENT-SIGNATURE: AAAA",
        "Content-Type: text/plain",
        "Content-Encoding: gzip",
        "X-Forwarded-For: 1.2.3.4",
        "Traceparent: 00-" + "1" * 32 + "-" + "2" * 16 + "-01",
        "Connection: close",
        "Connection: keep-alive",
        "Upgrade: websocket",
        "Expect: 100-continue",
        "X-Request-Id: bad id",
        "Cookie: a=b",
        "Prefer: wait=0",
    )
    sent = [await paid(it, n, header, AT_ONCE) for n, header in enumerate(given, 1)]
    return [said for each in sent for said in await it.send(each)]


@scenario(
    [
        "405 METHOD_NOT_ALLOWED",
        "405 METHOD_NOT_ALLOWED",
        "202 reserved",
        "404 ROUTE_UNKNOWN",
        "409 PAYMENT_REPLAYED",
        "409 PAYMENT_REPLAYED",
        "422 REQUEST_INVALID",
        "202 reserved",
    ],
    {"reserved": 1, "PAYMENT_REPLAYED": 2, "repeated": 1},
)
async def other_first_lines(it: Market) -> list[bytes]:
    sent = await paid(it)
    changes = [
        (b"POST ", b"GET "),
        (b"POST ", b"PUT "),
        (b"/infer ", b"/infer?a=1 "),
        (b"/infer ", b"/infer/ "),
        (b"/sample/", b"/s%61mple/"),
        (b"/sample/", b"/sample@1.0.0/"),
        (b"/sample/", b"/SAMPLE/"),
        (b"HTTP/1.1", b"HTTP/1.0"),
    ]
    return [said for old, new in changes for said in await it.send(sent.replace(old, new, 1))]


@scenario(["202 reserved", "202 reserved"], {"reserved": 2})
async def requests_in_pieces(it: Market) -> list[bytes]:
    whole = await paid(it)
    at = whole.index(b"\r\n\r\n") + 4
    other = await paid(it, 2)
    return await it.send(whole[:at], whole[at : at + 5], whole[at + 5 :]) + await it.send(
        other[:30], other[30:at], other[at:]
    )


@scenario(
    ["202 reserved", "202 reserved", "200", "202 reserved", "202 reserved", "202 reserved", "200"],
    {"reserved": 3, "repeated": 2},
)
async def requests_one_behind_the_other(it: Market) -> list[bytes]:
    sent = [await paid(it, n) for n in (1, 2, 3)]
    read = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: r\r\n\r\n"
    said = await it.send(b"".join([sent[0], sent[1], read, sent[2]]), answers=4)
    return said + await it.send(sent[0], sent[1], read, answers=3)


@scenario(
    [
        "402 PAYMENT_HEADER_MALFORMED+offer",
        "402 PAYMENT_VERSION+offer",
        "402 PAYMENT_HEADER_MALFORMED+offer",
        "402 PAYMENT_SCHEME+offer",
        "402 PAYMENT_NETWORK+offer",
        "202 reserved",
    ],
    {"reserved": 1},
)
async def payments_that_cannot_be_read(it: Market) -> list[bytes]:
    sent = await paid(it)
    found = re.search(rb"PAYMENT-SIGNATURE: ([^\r]*)", sent)
    assert found is not None
    text = base64.b64decode(found[1])
    said = []
    for other in (
        text[:-1],
        text.replace(b'"x402Version":2', b'"x402Version":1'),
        text.replace(b'"salt":', b'"salt":"0x00","salt":'),
        text.replace(b"exact", b"upto"),
        text.replace(b"eip155:31337", b"eip155:1"),
        b" " + text,
    ):
        said += await it.send(sent.replace(found[1], base64.b64encode(other), 1))
    return said


def told(said: bytes) -> str:
    """The status, and the code of the refusal or the state of the job."""
    head, _, body = said.partition(b"\r\n\r\n")
    status = head.split()[1].decode()
    value = json.loads(body)
    what = value["error"]["code"] if "error" in value else value.get("state", "")
    offers = "+offer" if b"\r\npayment-required: " in head else ""
    return f"{status} {what}{offers}".strip()


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_paid_call_answers(name: str, tmp_path: Path) -> None:
    wanted = SCENARIOS[name]
    async with market(tmp_path, **wanted.settings) as it:
        assert [told(answer) for answer in await wanted.run(it)] == wanted.answers
        assert it.services.metrics.payments == wanted.payments
        assert it.admission._under_way == 0


async def test_a_caller_who_leaves_has_its_order_all_the_same(tmp_path: Path) -> None:
    async with market(tmp_path) as it:
        sent = await paid(it)
        _, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(sent)
        await writer.drain()
        writer.close()
        reserved = it.services.metrics.payments
        await until(lambda: reserved["reserved"] == 1, "the order")
        await until(lambda: it.admission._under_way == 0, "the end of the call")
        (said,) = await it.send(sent)
        assert said.startswith(b"HTTP/1.1 202 ")
        assert it.services.metrics.payments["reserved"] == 1
        assert it.admission._under_way == 0
