"""The operator's view of the ledger, in pages."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from api_fakes import ADMIN_TOKEN, error_of
from order_book_suite import ASSET, BLOCK, NETWORK, SENDER, brought_to, order
from payout_parts import answered

from inferproof.api.context import Services
from inferproof.api.create import create_app
from inferproof.api.routes.revenue import _ledger
from inferproof.errors import NotFound, Reason
from inferproof.protocol.revenue import split
from inferproof.services.models.catalog import Catalog
from inferproof.services.revenue.service import RevenueService, RevenueSettings
from inferproof.storage.ports.revenue import PayoutTerms
from inferproof.storage.sql.revenue import SqlRevenue
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address
from inferproof.types.job import JobState
from inferproof.types.revenue import Entry

ANN = Address(b"\xaa" * 20)
ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}


@pytest.fixture
async def stores() -> AsyncIterator[Stores]:
    """Three answered orders with entries, and one that was refunded."""
    async with open_stores() as made:
        entries = []
        for number in range(3):
            job_id = await answered(made, ASSET, number)
            entries.append(Entry(job_id, ANN, split(order(number).payment.amount, 7_000)))
        await SqlRevenue(made.database).enter(entries, now=9)
        await brought_to(made.orders, JobState.REFUNDED, 3)
        await made.orders.outbox.unwatch(NETWORK, below=BLOCK.number + 9)
        yield made


@pytest.fixture
async def http(services: Services, stores: Stores) -> AsyncIterator[httpx.AsyncClient]:
    ledger = RevenueService(
        revenue=SqlRevenue(stores.database),
        catalog=Catalog(stores.models),
        settings=RevenueSettings(ASSET, SENDER, least=1, size=50),
        clock=lambda: 10,
    )
    transport = httpx.ASGITransport(create_app(replace(services, revenue=ledger)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        yield client


async def test_orders_in_pages(http: httpx.AsyncClient) -> None:
    first = (await http.get("/v1/revenue", params={"limit": 2}, headers=ADMIN)).json()
    assert [line["reason"] for line in first["lines"]] == ["waits", "waits"]
    assert first["token"] == ASSET.address.hex
    share = split(order(0).payment.amount, 7_000).developer
    assert first["balances"] == [{"developer": ANN.hex, "amount": str(3 * share), "orders": 3}]
    query = {"limit": 2, "after": first["next_after"]}
    second = (await http.get("/v1/revenue", params=query, headers=ADMIN)).json()
    assert [line["reason"] for line in second["lines"]] == ["waits", "given_back"]
    refunded = second["lines"][1]
    assert (refunded["developer"], refunded["developer_share"], refunded["paid"]) == (
        None,
        "0",
        "0",
    )
    assert refunded["why"] == "the price went back to the buyer"
    query["after"] = second["next_after"]
    third = (await http.get("/v1/revenue", params=query, headers=ADMIN)).json()
    assert (third["lines"], third.get("next_after")) == ([], None)


async def test_orders_of_some_time(http: httpx.AsyncClient) -> None:
    query = {"since": 1001, "until": 1003}
    told = (await http.get("/v1/revenue", params=query, headers=ADMIN)).json()
    assert [line["created_at"] for line in told["lines"]] == [1001, 1002]


async def test_payouts_in_pages(http: httpx.AsyncClient, stores: Stores) -> None:
    revenue = SqlRevenue(stores.database)
    terms = PayoutTerms(SENDER, ANN, 1, 50, 7)
    (payout,) = await revenue.plan(ASSET, terms, first=1, now=11)
    told = (await http.get("/v1/revenue/payouts", params={"limit": 1}, headers=ADMIN)).json()
    (shown,) = told["payouts"]
    assert (shown["number"], shown["state"], shown["amount"]) == (1, "due", str(payout.total))
    assert shown["items"] == [
        {"developer": ANN.hex, "amount": str(payout.total), "credited": False}
    ]
    query = {"after": told["next_after"]}
    told = (await http.get("/v1/revenue/payouts", params=query, headers=ADMIN)).json()
    assert told["payouts"] == []


@pytest.mark.parametrize("path", ["/v1/revenue", "/v1/revenue/payouts"])
async def test_it_is_the_operators_alone(http: httpx.AsyncClient, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}):
        answer = await http.get(path, headers=headers)
        assert (answer.status_code, error_of(answer)["code"]) == (401, "ADMIN_ONLY")
    assert (await http.get(path, headers=ADMIN)).status_code == 200


@pytest.mark.parametrize("query", ["after=-1", "limit=0", "limit=501", "since=x", "until=-1"])
async def test_queries_are_read_strictly(http: httpx.AsyncClient, query: str) -> None:
    answer = await http.get(f"/v1/revenue?{query}", headers=ADMIN)
    assert (answer.status_code, error_of(answer)["code"]) == (422, "REQUEST_INVALID")


async def test_a_server_without_a_ledger_says_so(services: Services) -> None:
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        answer = await client.get("/v1/revenue", headers=ADMIN)
    assert (answer.status_code, error_of(answer)) == (
        404,
        {
            "code": "REVENUE_NOT_KEPT",
            "message": "this server keeps no ledger of revenue",
        },
    )


def test_a_ledger_that_is_not_kept_is_not_there() -> None:
    class Nothing:
        revenue = None

    with rejects(Reason.REVENUE_NOT_KEPT, "this server keeps no ledger of revenue", kind=NotFound):
        _ledger(Nothing())  # type: ignore[arg-type]
