"""What a database opens, it closes: also where it is cancelled while it opens it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from lifetimes import cancelled_everywhere, leaves_nothing, lifetime
from order_book_suite import order
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Reason, Unavailable
from inferproof.storage.sql.engine import Database, sqlite_url
from inferproof.testing.memory_store import open_stores
from inferproof.testing.rejections import rejects

KINDS = [
    "memory",
    "file",
    pytest.param("postgres", marks=pytest.mark.postgres),
]


async def one_life(url: str) -> None:
    """Opened, written, read, taken for all processes, closed."""
    async with open_stores(url) as stores:
        await stores.orders.jobs.reserve(order(0))
        await stores.orders.jobs.job(order(0).job_id)
        lock = stores.database.leader_lock("something")
        assert await lock.held()
        await lock.release()
        assert await lock.held()  # what is not given back ends with the database


@pytest.mark.parametrize("kind", KINDS)
def test_a_life(kind: str, url_of_kind: Callable[[str], str]) -> None:
    url = url_of_kind(kind)
    with leaves_nothing():
        lifetime(lambda: one_life(url))


@pytest.mark.parametrize("kind", KINDS)
def test_a_life_that_is_cancelled_wherever_it_waits(
    kind: str, url_of_kind: Callable[[str], str]
) -> None:
    url = url_of_kind(kind)

    async def life() -> None:
        database = await Database.open(url)
        try:
            await database.read(_question)
            lock = database.leader_lock("something")
            try:
                assert await lock.held()
            finally:
                await lock.release()
        finally:
            await database.close()

    assert cancelled_everywhere(life) > 20


async def _question(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))


async def test_closing_waits_for_the_questions_that_nobody_waits_for(tmp_path: Path) -> None:
    database = await Database.open(sqlite_url(tmp_path / "orders.db"))
    asked, goes_on, answered = asyncio.Event(), asyncio.Event(), []

    async def question(connection: AsyncConnection) -> None:
        asked.set()
        await goes_on.wait()
        await connection.execute(text("SELECT 1"))
        answered.append(True)

    reader = asyncio.create_task(database.read(question))
    await asked.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    with rejects(
        Reason.STORAGE_UNAVAILABLE,
        "the storage does not answer: it is being closed",
        kind=Unavailable,
    ):
        await database.read(question)
    goes_on.set()
    await closing
    assert answered
