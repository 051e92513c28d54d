"""A database that is full, only reads or is gone, as a buyer meets it: 503, and nothing lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from paid_calls import Caller, caller
from postgres_server import Databases, PostgresServer
from service_parts import World, running
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.types.job import JobState


@pytest.fixture
async def buyer(tmp_path: Path) -> AsyncIterator[Caller]:
    async with running(World(tmp_path)) as services, caller(services) as buyer:
        yield buyer


def refused(answer: httpx.Response, code: str) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["error"]["code"] == code


async def pragma(buyer: Caller, words: str) -> None:
    async def run(connection: AsyncConnection) -> None:
        await connection.execute(text(f"PRAGMA {words}"))

    await buyer.services.stores.database.write(run)


async def answered(buyer: Caller, header: str) -> None:
    """The same payment again, after the fault: taken once, computed, answered."""
    again = await buyer.send(header)
    assert again.status_code == 202
    await buyer.finish()
    job = (await buyer.http.get(again.headers["Location"])).json()
    assert job["state"] == "done"
    depth = await buyer.services.stores.orders.ledger.depth()
    assert depth[JobState.DONE] == sum(depth.values())


async def test_a_database_that_only_reads(buyer: Caller) -> None:
    header = await buyer.header()
    await pragma(buyer, "query_only = ON")
    refused(await buyer.send(header), "STORAGE_UNAVAILABLE")
    # Questions are answered all the same.
    assert (await buyer.http.get("/v1/models")).status_code == 200
    await buyer.services.stores.database._writing.dispose()
    await answered(buyer, header)


async def test_a_full_disk(buyer: Caller) -> None:
    header = await buyer.header()
    await pragma(buyer, "max_page_count = 1")
    codes = set()
    for number in range(2, 60):
        answer = await buyer.send(await buyer.header(number))
        codes.add(answer.status_code)
        if answer.status_code == 503:
            refused(answer, "STORAGE_FULL")
            break
    assert 503 in codes
    await pragma(buyer, "max_page_count = 1073741823")
    await answered(buyer, header)


@pytest.mark.postgres
async def test_a_server_that_is_gone(tmp_path: Path) -> None:
    with PostgresServer() as server:
        url = Databases(server.url).fresh()
        async with running(World(tmp_path), url=url) as services, caller(services) as buyer:
            header = await buyer.header()
            await asyncio.to_thread(server.stop)
            refused(await buyer.send(header), "STORAGE_UNAVAILABLE")
            await asyncio.to_thread(server.start)
            await answered(buyer, header)
