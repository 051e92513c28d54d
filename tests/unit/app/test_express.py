"""A paid call that goes the short way is answered as it would be by the general way.

The same bytes are sent to two servers over equal worlds, of which one has no short way.
"""

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
from service_parts import BODY, MODEL, PATH, PRICE, Services, World, nonce, running
from starlette.types import Scope

from inferproof.api.context import ApiSettings
from inferproof.api.context import Services as Served
from inferproof.api.create import create_app
from inferproof.api.express import Express
from inferproof.api.gate import Gate
from inferproof.api.metrics import Metrics
from inferproof.connections import ConnectionLimits, Watch
from inferproof.payments.x402.challenge import Challenge, read_challenge
from inferproof.payments.x402.forms import Forms
from inferproof.payments.x402.payment import parse_payment, payment_payload
from inferproof.payments.x402.short import ShortReader
from inferproof.payments.x402.wire import encode_header
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.commitments import bound_nonce
from inferproof.protocol.signature import SigningKey
from inferproof.proving.sumcheck.library import library
from inferproof.server import Server, listen
from inferproof.services.limits.keys import ApiKeys
from inferproof.services.limits.service import Limits, Policy
from inferproof.storage.ratelimit.memory import MemoryLimiter
from inferproof.storage.sql.api_keys import SqlApiKeys
from inferproof.testing.samples import ASSET, PAYER
from inferproof.types.limits import Rate
from inferproof.types.payment import Authorization

STRANGER = SigningKey(b"\x31" * 32)


class Counting(Express):
    """Counts the answers that it gave itself."""

    def __init__(self, services: Served, forms: Forms | None) -> None:
        super().__init__(services, forms)
        self.answered = 0

    async def run(self, scope: Scope, finish: Any) -> bytes | None:
        answer = await super().run(scope, finish)
        self.answered += answer is not None
        return answer


@dataclass
class Market:
    """A server over services, and how to call it."""

    port: int
    services: Services
    metrics: Metrics
    gate: Gate
    express: Counting

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
async def market(
    folder: Path, *, short: bool, native: bool = False, **settings: Any
) -> AsyncIterator[Market]:
    folder.mkdir()  # noqa: ASYNC240
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
        gate = Gate(limits, most=most, on_refused=metrics.refused)
        served = Served(
            gateway=services.gateway,
            short=services.gateway,
            metrics=metrics,
            settings=ApiSettings(version="0.1.0", sync_wait_s=0.05),
            gate=gate,
        )
        forms = Forms([ASSET], library().PaymentForm) if native else None
        express = Counting(served, forms)
        with listen("127.0.0.1", 0) as listener:
            server = Server(
                create_app(served),
                shutdown_s=1,
                watch=Watch(ConnectionLimits()),
                shortcut=express if short else None,
            )
            task = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            try:
                yield Market(listener.getsockname()[1], services, metrics, gate, express)
            finally:
                server.should_exit = True
                await task


def sign(
    challenge: Challenge, world: World, salt: bytes, key: SigningKey = PAYER, **changes: Any
) -> Authorization:
    quote = challenge.quote
    unsigned = Authorization(
        asset=quote.price.asset,
        payer=key.address,
        payee=quote.payee,
        amount=quote.price.amount,
        valid_after=0,
        valid_before=world.clock.now + 600,
        nonce=bound_nonce(challenge.request, salt),
        signature=b"",
    )
    changed = replace(unsigned, **changes)
    return replace(changed, signature=key.sign(authorization_digest(changed)))


def salt_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


AT_ONCE = "Prefer: respond-async"
Change = Callable[[dict[str, Any]], object]


async def paid(
    it: Market,
    number: int = 1,
    *more: str,
    change: Change = lambda _: None,
    body: bytes = BODY,
    **changes: Any,
) -> bytes:
    """A paid request, answered at once; `change` alters the payload after it was signed."""
    challenge, salt = await it.challenge(), salt_of(number)
    signed = sign(challenge, it.services.world, salt, **changes)
    payload = json.loads(json.dumps(payment_payload(challenge, signed, salt)))
    change(payload)
    return request(body, f"PAYMENT-SIGNATURE: {encode_header(payload)}", *(more or (AT_ONCE,)))


Scenario = Callable[[Market], Any]
SCENARIOS: dict[str, tuple[Scenario, dict[str, Any]]] = {}


def scenario(**settings: Any) -> Callable[[Scenario], Scenario]:
    def add(run: Scenario) -> Scenario:
        SCENARIOS[run.__name__] = run, settings
        return run

    return add


@scenario()
async def an_order(it: Market) -> list[bytes]:
    return await it.send(await paid(it))


@scenario()
async def a_caller_who_waits(it: Market) -> list[bytes]:
    return await it.send(await paid(it, 1, "Prefer: wait=1")) + await it.send(
        await paid(it, 2, "Accept: */*")
    )


@scenario()
async def the_same_payment_again(it: Market) -> list[bytes]:
    sent = await paid(it)
    return await it.send(sent) + await it.send(sent)


@scenario()
async def the_same_payment_many_times_at_once(it: Market) -> list[bytes]:
    sent = await paid(it)
    return [
        said for one in await asyncio.gather(*[it.send(sent) for _ in range(8)]) for said in one
    ]


@scenario()
async def the_same_payment_for_another_body(it: Market) -> list[bytes]:
    sent = await paid(it)
    header = re.search(rb"PAYMENT-SIGNATURE: ([^\r]*)", sent)
    assert header is not None
    other = request(b'{"input":[2,2,2]}', f"PAYMENT-SIGNATURE: {header[1].decode()}", AT_ONCE)
    return await it.send(sent) + await it.send(other)


@scenario()
async def a_job_that_is_done(it: Market) -> list[bytes]:
    sent = await paid(it)
    first = await it.send(sent)
    await it.services.settler.settle_once()
    second = await it.send(sent)
    while await it.services.worker.work_once() is not None:
        pass
    return first + second


@scenario()
async def a_signature_of_somebody_else(it: Market) -> list[bytes]:
    def change(payload: dict[str, Any]) -> None:
        payload["payload"]["authorization"]["from"] = STRANGER.address.hex

    return await it.send(await paid(it, change=change))


@scenario()
async def a_malformed_signature(it: Market) -> list[bytes]:
    def change(payload: dict[str, Any]) -> None:
        payload["payload"]["signature"] = "0x" + "ff" * 65

    return await it.send(await paid(it, change=change))


@scenario()
async def a_nonce_of_another_request(it: Market) -> list[bytes]:
    return await it.send(await paid(it, nonce=nonce(7)))


@scenario()
async def a_salt_of_zeros(it: Market) -> list[bytes]:
    return await it.send(await paid(it, 0))


@scenario()
async def a_quote_of_somebody_else(it: Market) -> list[bytes]:
    def change(payload: dict[str, Any]) -> None:
        payload["extensions"]["inferproof"]["info"]["quoteSignature"] = "0x" + "01" * 65

    return await it.send(await paid(it, change=change))


@scenario()
async def a_quote_with_another_price(it: Market) -> list[bytes]:
    def change(payload: dict[str, Any]) -> None:
        payload["extensions"]["inferproof"]["info"]["quote"]["amount"] = "1"

    return await it.send(await paid(it, change=change))


@scenario()
async def no_quote(it: Market) -> list[bytes]:
    def change(payload: dict[str, Any]) -> None:
        del payload["extensions"]["inferproof"]["info"]["quote"]

    return await it.send(await paid(it, change=change))


@scenario()
async def a_quote_that_is_over(it: Market) -> list[bytes]:
    sent = await paid(it)
    it.services.world.clock.now += 301
    return await it.send(sent)


@scenario()
async def a_payment_that_is_over(it: Market) -> list[bytes]:
    return await it.send(await paid(it, valid_before=it.services.world.clock.now + 20))


@scenario()
async def a_payment_that_is_not_yet_valid(it: Market) -> list[bytes]:
    return await it.send(await paid(it, valid_after=it.services.world.clock.now + 5))


@scenario()
async def a_payment_to_somebody_else(it: Market) -> list[bytes]:
    def change(payload: dict[str, Any]) -> None:
        payload["accepted"]["payTo"] = STRANGER.address.hex

    return await it.send(await paid(it, change=change, payee=STRANGER.address))


@scenario()
async def another_amount(it: Market) -> list[bytes]:
    def change(payload: dict[str, Any]) -> None:
        payload["accepted"]["amount"] = str(PRICE + 1)

    return await it.send(await paid(it, change=change, amount=PRICE + 1))


@scenario()
async def a_payer_without_money(it: Market) -> list[bytes]:
    return await it.send(await paid(it, key=STRANGER))


@scenario()
async def a_payer_who_promised_it_already(it: Market) -> list[bytes]:
    it.services.world.ledger.credit(STRANGER.address, 2 * PRICE)
    sent = [await paid(it, n, key=STRANGER) for n in range(1, 4)]
    return [said for each in sent for said in await it.send(each)]


@scenario()
async def an_authorization_that_is_used(it: Market) -> list[bytes]:
    sent = await paid(it)
    it.services.world.ledger.cancel(
        PAYER.address, bound_nonce((await it.challenge()).request, salt_of(1))
    )
    return await it.send(sent)


@scenario()
async def an_unknown_model(it: Market) -> list[bytes]:
    sent = await paid(it)
    return await it.send(sent.replace(b"/models/sample/", b"/models/simple/", 1))


@scenario()
async def a_model_that_is_suspended(it: Market) -> list[bytes]:
    sent = await paid(it)
    await it.services.gateway.suspend(f"{MODEL}@1.0.0")
    return await it.send(sent)


@scenario()
async def inputs_that_are_refused(it: Market) -> list[bytes]:
    bodies = [b"", b"[", b'{"input":[1,2]}', b'{"input":NaN}', b'{"input":"' + b"x" * 5000 + b'"}']
    sent = [await paid(it, n, body=body) for n, body in enumerate(bodies, 1)]
    return [said for each in sent for said in await it.send(each)]


@scenario(queue_limit=1)
async def a_full_queue(it: Market) -> list[bytes]:
    sent = [await paid(it, n) for n in (1, 2)]
    return [said for each in sent for said in await it.send(each)]


@scenario(orders=Rate(2, 60))
async def a_payer_who_orders_too_often(it: Market) -> list[bytes]:
    sent = [await paid(it, n) for n in range(1, 5)]
    return [said for each in sent for said in await it.send(each)]


@scenario(most=0)
async def too_many_under_way(it: Market) -> list[bytes]:
    it.gate._most = 1
    sent = await paid(it)
    it.gate._most = 0
    return await it.send(sent)


@scenario(requests=Rate(5, 60))
async def an_address_that_asks_too_often(it: Market) -> list[bytes]:
    sent = await paid(it)
    return [said for _ in range(6) for said in await it.send(sent)]


@scenario()
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


@scenario()
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


@scenario()
async def requests_in_pieces(it: Market) -> list[bytes]:
    whole = await paid(it)
    at = whole.index(b"\r\n\r\n") + 4
    other = await paid(it, 2)
    return await it.send(whole[:at], whole[at : at + 5], whole[at + 5 :]) + await it.send(
        other[:30], other[30:at], other[at:]
    )


@scenario()
async def requests_one_behind_the_other(it: Market) -> list[bytes]:
    sent = [await paid(it, n) for n in (1, 2, 3)]
    read = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: r\r\n\r\n"
    said = await it.send(b"".join([sent[0], sent[1], read, sent[2]]), answers=4)
    return said + await it.send(sent[0], sent[1], read, answers=3)


@scenario()
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


def plain(said: bytes) -> tuple[bytes, bytes, bytes]:
    """First line, headers in order but for the date and drawn request ids, body."""
    head, _, body = said.partition(b"\r\n\r\n")
    first, _, headers = head.partition(b"\r\n")
    headers = re.sub(rb"x-request-id: [0-9a-f]{16}\r", b"x-request-id: drawn\r", headers)
    return first, re.sub(rb"date: [^\r]*", b"date:", headers), body


async def know(it: Market) -> int:
    """Makes a form of what will be sent, where there are any; how many are known."""
    forms, most = it.express._forms, it.gate._most
    it.gate._most = 100
    sent = await paid(it, 10**6)
    it.gate._most = most
    header = re.search(rb"PAYMENT-SIGNATURE: ([^\r]*)", sent)
    assert header is not None
    if forms is None:
        return 0
    forms.learn(header[1], PATH.encode(), parse_payment(header[1].decode(), [ASSET]))
    return len(forms._of[PATH.encode()].forms)


@pytest.mark.parametrize("native", [False, pytest.param(True, marks=pytest.mark.native)])
@pytest.mark.parametrize("name", SCENARIOS)
async def test_both_ways_answer_alike(name: str, native: bool, tmp_path: Path) -> None:
    run, settings = SCENARIOS[name]
    said, counted = [], []
    for short in (True, False):
        ways = {"short": short, "native": short and native}
        async with market(tmp_path / str(short), **ways, **settings) as it:
            if native:
                assert await know(it) == short
            said.append([plain(answer) for answer in await run(it)])
            assert it.gate._under_way == 0
            samples = [s for m in it.metrics.registry.collect() for s in m.samples]
            counted.append(
                {
                    (s.name, *sorted(s.labels.items())): s.value
                    for s in samples
                    if s.name in ("inferproof_refusals_total", "inferproof_http_seconds_count")
                }
            )
            counted[-1]["payments",] = dict(it.services.metrics.payments)
    assert said[0] == said[1]
    assert counted[0] == counted[1]


async def test_usual_orders_go_the_short_way(tmp_path: Path) -> None:
    async with market(tmp_path / "market", short=True) as it:
        for number in range(1, 11):  # now and then one brings what is known up to date
            (said,) = await it.send(await paid(it, number))
            assert said.startswith(b"HTTP/1.1 202 Accepted\r\n")
        assert it.express.answered >= 7


@pytest.mark.native
async def test_payments_of_a_known_form_are_checked_in_one_native_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_: ShortReader, header: str) -> None:
        raise AssertionError(f"it was read in Python: {header}")

    async with market(tmp_path / "market", short=True, native=True) as it:
        forms = it.express._forms
        assert forms is not None
        for number in range(1, 11):  # now and then one brings what is known up to date
            (said,) = await it.send(await paid(it, number))
            assert said.startswith(b"HTTP/1.1 202 Accepted\r\n")
        assert len(forms._of[PATH.encode()].forms) == 1
        monkeypatch.setattr(ShortReader, "read", read)
        for number in range(11, 16):
            (said,) = await it.send(await paid(it, number))
            assert said.startswith(b"HTTP/1.1 202 Accepted\r\n")


async def test_a_caller_who_leaves_has_its_order_all_the_same(tmp_path: Path) -> None:
    async with market(tmp_path / "market", short=True) as it:
        sent = await paid(it)
        _, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(sent)
        await writer.drain()
        writer.close()
        await asyncio.sleep(0.5)
        (said,) = await it.send(sent)
        assert said.startswith(b"HTTP/1.1 202 ")
        assert it.services.metrics.payments["reserved"] == 1
        assert it.gate._under_way == 0
