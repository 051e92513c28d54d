"""Admission before the routes: addresses, keys, limits, requests under way, slow bodies."""

import asyncio
import ipaddress
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from api_fakes import BODY, INFER, MODEL, FakeGateway, challenged, sign_payment
from waiting import until

from inferproof.api.admission import Admission, client_address
from inferproof.api.context import Services
from inferproof.api.create import create_app
from inferproof.errors import Reason, RequestRejected, Unavailable
from inferproof.observability.metrics import Metrics
from inferproof.services.limits.keys import ApiKeys, new_key
from inferproof.services.limits.service import Limits, Policy
from inferproof.storage.ratelimit.memory import MemoryLimiter
from inferproof.storage.sql.api_keys import SqlApiKeys
from inferproof.storage.sql.engine import MEMORY, Database
from inferproof.testing.rejections import rejects
from inferproof.types.job import JobState
from inferproof.types.limits import Rate

PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]
Open = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def store() -> AsyncIterator[SqlApiKeys]:
    database = await Database.open(MEMORY)
    yield SqlApiKeys(database)
    await database.close()


@pytest.fixture
def opened(services: Services, metrics: Metrics, store: SqlApiKeys) -> Open:
    """A client from an address, of a gateway with these limits."""

    def make(
        policy: Policy, *, most: int = 100, trusted: Any = (), **settings: Any
    ) -> Callable[[str], httpx.AsyncClient]:
        limits = Limits(MemoryLimiter(clock=lambda: 10**9), ApiKeys(store), policy, metrics.refused)
        admission = Admission(limits, most=most, trusted=trusted, on_refused=metrics.refused)
        changed = replace(services.settings, **settings)
        app = create_app(replace(services, admission=admission, settings=changed))

        def client(address: str = "192.0.2.1") -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app, client=(address, 1))
            return httpx.AsyncClient(transport=transport, base_url="http://gateway.test")

        return client

    return make


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


async def test_an_answer_tells_the_limit_and_a_refusal_when_to_come_back(opened: Open) -> None:
    client = opened(Policy(requests=Rate(100, 60), quotes=Rate(2, 3600)))
    async with client() as http:
        first = await http.post(INFER, content=BODY, headers={"content-type": "application/json"})
        assert first.status_code == 402
        assert first.headers["RateLimit-Policy"] == '"quotes";q=2;w=3600'
        assert first.headers["RateLimit"] == '"quotes";r=1;t=1800'
        await http.post("/v1/quotes", json={"model": MODEL})
        refused = await http.post("/v1/quotes", json={"model": MODEL})
        assert refused.status_code == 429
        assert code(refused) == "RATE_LIMITED"
        assert refused.headers["Retry-After"] == "1800"
        assert refused.json()["error"]["facts"]["limit"] == "2/hour"
        read = await http.get(f"/v1/models/{MODEL}")
        assert read.headers["RateLimit-Policy"] == '"requests";q=100;w=60'
    async with client("192.0.2.2") as other:
        assert (await other.post("/v1/quotes", json={"model": MODEL})).status_code == 201


async def test_a_payment_is_no_quote(opened: Open, gateway: FakeGateway) -> None:
    client = opened(Policy(quotes=Rate(1, 3600)))
    async with client() as http:
        header = sign_payment(await challenged(http))
        for _ in range(3):
            paid = await http.post(INFER, content=BODY, headers={"PAYMENT-SIGNATURE": header})
            assert paid.status_code == 200


@pytest.mark.parametrize(
    "payment",
    [{"PAYMENT-SIGNATURE": "e30="}, {"X-PAYMENT": "e30="}, {"Inferproof-Transfer": "e30="}],
)
async def test_what_is_refused_with_a_fresh_quote_is_charged_as_one(
    opened: Open, payment: dict[str, str]
) -> None:
    client = opened(Policy(requests=Rate(100, 60), quotes=Rate(2, 3600)))
    async with client() as http:
        answers = [await http.post(INFER, content=BODY, headers=payment) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [402, 402, 429, 429]
        assert answers[2].headers["Retry-After"] == "1800"
        assert "PAYMENT-REQUIRED" not in answers[2].headers
        assert (await http.post("/v1/quotes", json={"model": MODEL})).status_code == 429


async def test_a_void_job_draws_no_more_quotes_than_others(
    opened: Open, gateway: FakeGateway
) -> None:
    gateway.ending = JobState.VOID
    gateway.failure = type(gateway.failure)("SETTLEMENT_REVERTED", "no money moved", {})
    async with opened(Policy(quotes=Rate(2, 3600)))() as http:
        sent = {"PAYMENT-SIGNATURE": sign_payment(await challenged(http))}
        answers = [await http.post(INFER, content=BODY, headers=sent) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [402, 429]


async def test_health_is_never_counted(opened: Open) -> None:
    client = opened(Policy(requests=Rate(1, 3600)), most=1)
    async with client() as http:
        assert [(await http.get("/health")).status_code for _ in range(5)] == [200] * 5
        assert [(await http.get("/v1/models")).status_code for _ in range(2)] == [200, 429]


async def test_refusals_are_counted(opened: Open, metrics: Metrics) -> None:
    client = opened(Policy(requests=Rate(1, 3600)))
    async with client() as http:
        await http.get("/v1/models")
        await http.get("/v1/models")
    assert b'inferproof_refusals_total{limit="requests"} 1.0' in metrics.render()


@pytest.mark.parametrize("how", ["x-api-key", "authorization"])
async def test_an_api_key_raises_limits(opened: Open, store: SqlApiKeys, how: str) -> None:
    key, text = new_key("one", 3, entropy=os.urandom, now=0)
    await store.add(key)
    headers = {how: text if how == "x-api-key" else f"Bearer {text}"}
    client = opened(Policy(requests=Rate(1, 86_400)))
    async with client() as http:
        statuses = [(await http.get("/v1/models", headers=headers)).status_code for _ in range(4)]
    # One more counts for the address, for looking the key up.
    assert statuses == [200, 200, 200, 429]


async def test_a_key_that_is_none_is_401_and_other_bearers_are_not_ours(opened: Open) -> None:
    async with opened(Policy(requests=Rate(100, 60)))() as http:
        refused = await http.get("/v1/models", headers={"X-API-Key": "inf_nonsense"})
        assert (refused.status_code, code(refused)) == (401, "API_KEY_UNKNOWN")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        other = await http.get("/v1/models", headers={"Authorization": "Bearer something"})
        assert other.status_code == 200


async def test_the_order_carries_its_key(
    opened: Open, store: SqlApiKeys, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, text = new_key("one", 3, entropy=os.urandom, now=0)
    await store.add(key)
    seen: list[Any] = []

    async def accept(paid: Any) -> Any:
        seen.append(paid.holder)
        raise RequestRejected(Reason.PAYMENT_ID_MALFORMED)

    monkeypatch.setattr(gateway, "accept", accept)
    async with opened(Policy())() as http:
        header = sign_payment(await challenged(http))
        headers = {"PAYMENT-SIGNATURE": header, "X-API-Key": text}
        await http.post(INFER, content=BODY, headers=headers)
    assert seen == [key]


async def test_requests_under_way_are_bounded(
    opened: Open, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, entered = asyncio.Event(), []

    async def slow(_: Any) -> list[Any]:
        entered.append(True)
        await hold.wait()
        return []

    monkeypatch.setattr(gateway, "list_models", slow)
    async with opened(Policy(), most=2)() as http:
        calls = [asyncio.create_task(http.get("/v1/models")) for _ in range(2)]
        await until(lambda: len(entered) == 2, "both are under way")
        refused = await http.get("/v1/models")
        assert (refused.status_code, code(refused)) == (503, "OVERLOADED")
        assert refused.headers["Retry-After"] == "5"
        assert (await http.get("/health")).status_code == 200
        hold.set()
        assert [(await call).status_code for call in calls] == [200, 200]
        assert (await http.get("/v1/models")).status_code == 200


def test_too_much_under_way() -> None:
    admission = Admission(None, most=0, on_refused=lambda _: None)  # type: ignore[arg-type]
    with (
        rejects(
            Reason.OVERLOADED,
            "0 requests are under way, which is the limit; come back",
            kind=Unavailable,
        ),
        admission.under_way({"path": "/v1/models"}),
    ):
        pass


async def test_a_body_that_trickles_is_cut_off(opened: Open) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b" "
            await asyncio.sleep(0.05)

    async with opened(Policy(), body_timeout_s=0.2)() as http:
        answer = await http.post("/v1/quotes", content=trickle())
    assert (answer.status_code, code(answer)) == (408, "BODY_TOO_SLOW")
    assert answer.headers["Connection"] == "close"
    with rejects(
        Reason.BODY_TOO_SLOW,
        "the request body comes too slowly; after 0.2 seconds it must come at 16384 bytes a second",
    ):
        raise RequestRejected(Reason.BODY_TOO_SLOW, **answer.json()["error"]["facts"])


async def test_a_large_body_that_comes_steadily_may_take_longer(opened: Open) -> None:
    async def steady() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b" " * 20_000
            await asyncio.sleep(0.05)

    async with opened(Policy(), body_timeout_s=0.2, body_limit=200_000)() as http:
        answer = await http.post(INFER, content=steady())
    assert answer.status_code != 408


def scope(peer: str, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"client": (peer, 1), "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("192.0.2.1", ("198.51.100.7",), "192.0.2.1"),  # no proxy of ours: forged
        ("10.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("1.1.1.1, 198.51.100.7",), "198.51.100.7"),  # the left is the caller's word
        ("10.0.0.1", ("1.1.1.1", "198.51.100.7, 10.0.0.9"), "198.51.100.7"),
        ("10.0.0.1", ("198.51.100.7:4711",), "198.51.100.7"),
        ("10.0.0.1", ("[2001:db8:1:2::5]:443",), "2001:db8:1:2::"),
        ("10.0.0.1", ("nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.7, nonsense",), "10.0.0.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("::ffff:10.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        ("2001:db8::1", (), "2001:db8::"),
        ("2001:db8:0:0:ffff::2", (), "2001:db8::"),
        ("2001:db8:0:1::2", (), "2001:db8:0:1::"),
        ("::ffff:192.0.2.1", (), "192.0.2.1"),
        ("", (), "unknown"),
    ],
)
def test_whose_address_counts(peer: str, forwarded: tuple[str, ...], expected: str) -> None:
    assert client_address(scope(peer, *forwarded), PROXIES) == expected


def test_without_trusted_proxies_the_header_is_not_read() -> None:
    assert client_address(scope("10.0.0.1", "198.51.100.7"), ()) == "10.0.0.1"
