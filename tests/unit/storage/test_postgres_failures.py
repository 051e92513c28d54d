"""A PostgreSQL that goes away, hangs, only reads or is full: 503, and nothing is lost."""

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from order_book_suite import brought_to, order
from postgres_server import Databases, PostgresServer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import InferproofError, Misconfigured, MissingPart, Reason, Unavailable
from inferproof.storage.ports.jobs import Failure, Outcome
from inferproof.storage.ports.models import ModelFilter
from inferproof.storage.sql import engines
from inferproof.storage.sql.address import read_address
from inferproof.storage.sql.engine import Database
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.testing.rejections import rejects
from inferproof.types.job import JobState

postgres_only = pytest.mark.postgres


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that these tests may stop."""
    with PostgresServer("deadlock_timeout=100ms") as running:
        yield running


@pytest.fixture
def own(server: PostgresServer) -> str:
    """A fresh database on it."""
    return Databases(server.url).fresh()


async def attempt(stores: Stores, number: int) -> Reason | None:
    try:
        await stores.orders.jobs.reserve(order(number))
    except Unavailable as error:
        return error.reason
    return None


@postgres_only
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_restart_between_calls_is_not_noticed(
    server: PostgresServer, own: str, how: signal.Signals
) -> None:
    async with open_stores(own) as stores:
        await stores.orders.jobs.reserve(order(1))
        await stores.orders.ledger.depth()
        await asyncio.to_thread(server.stop, how)
        await asyncio.to_thread(server.start)
        assert await attempt(stores, 2) is None
        assert (await stores.orders.ledger.depth())[JobState.RESERVED] == 2


@pytest.mark.slow
@postgres_only
async def test_what_was_acknowledged_outlives_the_server(server: PostgresServer, own: str) -> None:
    acknowledged: set[int] = set()
    refused: set[Reason] = set()

    async def buyer(stores: Stores, first: int) -> None:
        for number in range(first, first + 50):
            reason = await attempt(stores, number)
            if reason is None:
                acknowledged.add(number)
            else:
                refused.add(reason)
                await asyncio.sleep(0.02)

    async with open_stores(own) as stores:
        async with asyncio.TaskGroup() as group:
            for first in range(0, 1000, 50):
                group.create_task(buyer(stores, first))
            while len(acknowledged) < 100:  # noqa: ASYNC110 - the buyers end on their own
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.stop, signal.SIGQUIT)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(server.start)
        assert refused == {Reason.STORAGE_UNAVAILABLE}
        assert len(acknowledged) < 1000
        for number in acknowledged:
            assert (await stores.orders.jobs.reserve(order(number))).outcome is Outcome.SAME
        # A repeated call finds the order done, or does it now.
        for number in set(range(1000)) - acknowledged:
            await stores.orders.jobs.reserve(order(number))
        assert (await stores.orders.ledger.depth())[JobState.RESERVED] == 1000


@postgres_only
async def test_a_server_that_is_down(server: PostgresServer, own: str) -> None:
    async with open_stores(own) as stores:
        await stores.orders.jobs.reserve(order(1))
        await stores.orders.ledger.depth()
        leader = stores.database.leader_lock("x")
        assert await leader.held()
        await asyncio.to_thread(server.stop)
        try:
            for call in (
                stores.orders.jobs.reserve(order(2)),
                stores.orders.queue.claim(now=1, lease_until=2),
                stores.orders.ledger.depth(),
                Database.open(own),
                leader.held(),
                leader.held(),
            ):
                with pytest.raises(Unavailable) as caught:
                    await call
                assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
        finally:
            await asyncio.to_thread(server.start)
        assert await leader.held()
        await leader.release()
        assert await attempt(stores, 2) is None


@postgres_only
async def test_a_server_that_hangs_is_not_waited_for(
    server: PostgresServer, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "ANSWER_S", 0.5)
    monkeypatch.setattr(engines, "CONNECT_S", 0.5)
    async with open_stores(own) as stores:
        await stores.orders.jobs.reserve(order(1))
        await stores.orders.ledger.depth()
        with server.hanging():
            async with asyncio.timeout(60):
                for call in (stores.orders.jobs.reserve(order(2)), stores.orders.ledger.depth()):
                    with rejects(
                        Reason.STORAGE_UNAVAILABLE,
                        "the storage does not answer: it did not answer in time",
                        kind=Unavailable,
                    ):
                        await call
        assert await attempt(stores, 2) is None
        assert (await stores.orders.ledger.depth())[JobState.RESERVED] == 2


@postgres_only
async def test_a_server_that_only_reads(server: PostgresServer, own: str) -> None:
    async with open_stores(own) as stores:
        await stores.orders.jobs.reserve(order(1))

        async def only_read(connection: AsyncConnection) -> None:
            await connection.execute(text("SET default_transaction_read_only = on"))

        async def write_again(connection: AsyncConnection) -> None:
            await connection.execute(text("SET default_transaction_read_only = off"))

        await stores.database.write(only_read)
        with rejects(
            Reason.STORAGE_UNAVAILABLE,
            "the storage does not answer: cannot execute INSERT in a read-only transaction",
            kind=Unavailable,
        ):
            await stores.orders.jobs.reserve(order(2))
        assert (await stores.orders.ledger.depth())[JobState.RESERVED] == 1
        await stores.database.write(write_again)
        assert await attempt(stores, 2) is None


@postgres_only
async def test_a_full_disk(server: PostgresServer, own: str) -> None:
    async with open_stores(own) as stores:

        async def full(connection: AsyncConnection) -> None:
            await connection.execute(
                text("DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$")
            )

        with rejects(
            Reason.STORAGE_FULL,
            "the disk is full; nothing was lost, try again once the operator made room",
            kind=Unavailable,
        ):
            await stores.database.write(full)
        assert await attempt(stores, 1) is None


@postgres_only
async def test_a_statement_has_a_time_limit(
    server: PostgresServer, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "STATEMENT_MS", 200)
    async with open_stores(own) as stores:

        async def slow(connection: AsyncConnection) -> None:
            await connection.execute(text("SELECT pg_sleep(60)"))

        with rejects(
            Reason.STORAGE_UNAVAILABLE,
            "the storage does not answer: canceling statement due to statement timeout",
            kind=Unavailable,
        ):
            await stores.database.read(slow)
        assert await attempt(stores, 1) is None


@postgres_only
async def test_readers_cannot_write(own: str) -> None:
    async with open_stores(own) as stores:

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(text("DELETE FROM jobs"))

        with pytest.raises(Unavailable):
            await stores.database.read(write)


@postgres_only
async def test_every_reader_busy(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "SERVER_READERS", 1)
    monkeypatch.setattr(engines, "POOL_WAIT_S", 0.1)
    async with open_stores(own) as stores:

        async def slow(connection: AsyncConnection) -> None:
            await connection.execute(text("SELECT pg_sleep(1)"))

        first = asyncio.create_task(stores.database.read(slow))
        await asyncio.sleep(0.3)
        with rejects(
            Reason.STORAGE_UNAVAILABLE, "the storage does not answer: every connection is in use"
        ):
            await stores.orders.ledger.depth()
        await first


@postgres_only
async def test_a_migration_under_prepared_statements(own: str) -> None:
    async with open_stores(own) as stores, open_stores(own) as other:
        job = await brought_to(stores.orders, JobState.QUEUED)
        job_id = job.order.job_id
        await stores.orders.jobs.job(job_id)

        async def migrate(connection: AsyncConnection) -> None:
            for statement in (
                "ALTER TABLE jobs ALTER COLUMN attempts TYPE BIGINT",
                "ALTER TABLE jobs ALTER COLUMN failure_code TYPE TEXT",
            ):
                await connection.execute(text(statement))

        await other.database.write(migrate)
        assert (await stores.orders.jobs.job(job_id)) == job
        assert await stores.orders.queue.claim(now=1, lease_until=2) is not None


async def test_names_that_no_text_can_be(stores: Stores) -> None:
    assert await stores.models.find("a\0b") is None
    assert await stores.models.find("a@1\0") is None
    assert list(await stores.models.list(ModelFilter(category="a\0b"))) == []


async def test_a_message_with_a_character_that_no_text_has(stores: Stores) -> None:
    await stores.orders.jobs.reserve(order())
    why = Failure("INPUT_NOT_FINITE", "input a\0b holds a NaN", {"name": "a\0b"})
    await stores.orders.settlements.void(order().job_id, why, now=2)
    failure = (await stores.orders.jobs.job(order().job_id)).failure
    assert failure == Failure(why.code, "input a\u2400b holds a NaN", why.facts)


async def test_a_bad_write_fails_alone_whatever_it_meets(stores: Stores) -> None:
    async def wrong(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT 1"))
        raise ZeroDivisionError

    results: list[Any] = await asyncio.gather(
        stores.database.write(wrong),
        *(stores.orders.jobs.reserve(order(n)) for n in range(5)),
        return_exceptions=True,
    )
    assert isinstance(results[0], ZeroDivisionError)
    assert [r.outcome for r in results[1:]] == [Outcome.NEW] * 5


class TestAddress:
    @pytest.mark.parametrize(
        ("given", "read"),
        [
            ("postgresql+asyncpg://u:p@h:1/d", "postgresql+asyncpg://u:p@h:1/d"),
            ("postgres://u:p@h/d?sslmode=require", "postgresql+asyncpg://u:p@h/d?ssl=require"),
            (
                "postgresql:///d?host=/run/postgresql",
                "postgresql+asyncpg:///d?host=/run/postgresql",
            ),
            ("sqlite+aiosqlite:///a.db", "sqlite+aiosqlite:///a.db"),
            ("sqlite:///a.db", "sqlite+aiosqlite:///a.db"),
        ],
    )
    def test_read(self, given: str, read: str) -> None:
        url = read_address(given).render_as_string(hide_password=False)
        assert url.replace("%2F", "/") == read

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ("orders.db", "it is not an address"),
            ("postgresql://u:secret@h:port/d", "it is not an address"),
            ("mysql://u:secret@h/d", "mysql is not supported"),
            ("postgresql+psycopg://u:secret@h/d", "postgresql+psycopg is not supported"),
            ("postgresql://u:secret@h/d?option=1", "its parameter option is not supported"),
        ],
    )
    def test_wrong(self, given: str, problem: str) -> None:
        with rejects(
            Reason.DATABASE_ADDRESS,
            f"the database address cannot be used: {problem}; write "
            "postgresql+asyncpg://user:password@host/name or sqlite+aiosqlite:///path",
            kind=Misconfigured,
        ) as caught:
            read_address(given)
        assert "secret" not in str(caught)

    def test_without_the_driver(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
        with rejects(
            Reason.MISSING_LIBRARY,
            "PostgreSQL needs the Python package asyncpg; install it with: "
            "pip install 'inferproof[postgres]'",
            kind=MissingPart,
        ):
            read_address("postgresql://h/d")

    @postgres_only
    @pytest.mark.parametrize("place", ["absent", "refused"])
    async def test_a_database_that_is_not_there(self, server: PostgresServer, place: str) -> None:
        url = server.database("nowhere") if place == "absent" else "postgresql://127.0.0.1:1/x"
        with pytest.raises(InferproofError) as caught:
            await Database.open(url)
        assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
