"""Migrations, group commit, and a medium that fails."""

import asyncio
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from order_book_suite import order
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import Conflict, Misconfigured, Reason, Unavailable
from inferproof.storage.ports.jobs import Outcome
from inferproof.storage.sql import writer as writer_module
from inferproof.storage.sql.engine import MEMORY, Database, sqlite_url
from inferproof.storage.sql.failures import storage_error
from inferproof.storage.sql.tables import metadata, settlements, verifications
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest
from inferproof.types.job import JobState


async def test_migrations_make_the_tables(stores: Stores) -> None:
    def compare(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async def ask(connection: AsyncConnection) -> list[Any]:
        return await connection.run_sync(compare)

    assert await stores.database.read(ask) == []


@pytest.mark.parametrize(
    ("table", "condition", "index"),
    [
        (
            "payment_reservations",
            "payer = :a AND payment_id = :b",
            "uq_payment_reservations_payer_payment_id",
        ),
        ("settlements", "block IN (1, 2)", "ix_settlements_block"),
        ("settlements", "step IN ('again', 'alone')", "ix_settlements_step"),
        ("refunds", "block IN (1, 2)", "ix_refunds_block"),
    ],
)
async def test_indexes_without_empty_rows_find_what_is_asked_for(
    tmp_path: Path, table: str, condition: str, index: str
) -> None:
    question = text(f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {condition}")  # noqa: S608
    given = {"a": "x", "b": "y"} if ":a" in condition else {}
    async with open_stores(sqlite_url(tmp_path / "plan.db")) as stores:
        found = await stores.database.read(lambda c: c.execute(question, given))
        plan = " ".join(str(row) for row in found)
        sql = await stores.database.read(
            lambda c: c.scalar(text("SELECT sql FROM sqlite_master WHERE name = :n"), {"n": index})
        )
    assert f"USING INDEX {index}" in plan
    assert sql.endswith(f"WHERE {'payment_id' if given else condition.split()[0]} IS NOT NULL")


async def test_reopening_keeps_what_is_there(shared_url: str) -> None:
    async with open_stores(shared_url) as stores:
        await stores.orders.jobs.reserve(order())
    async with open_stores(shared_url) as stores:
        assert (await stores.orders.jobs.job(order().job_id)).order == order()


async def test_a_newer_database_is_left_alone(shared_url: str) -> None:
    async with open_stores(shared_url) as stores:

        async def later(connection: AsyncConnection) -> None:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

        await stores.database.write(later)
    with rejects(
        Reason.DATABASE_NEWER,
        "the database is of schema 9999, which this version does not know; run a newer version",
        kind=Misconfigured,
    ):
        await Database.open(shared_url)


async def test_file_database_is_durable_and_readable_while_written(tmp_path: Path) -> None:
    async with open_stores(sqlite_url(tmp_path / "orders.db")) as stores:

        async def pragmas(connection: AsyncConnection) -> tuple[Any, Any]:
            return (
                await connection.scalar(text("PRAGMA journal_mode")),
                await connection.scalar(text("PRAGMA synchronous")),
            )

        assert await stores.database.write(pragmas) == ("wal", 2)
        entered, leave = asyncio.Event(), asyncio.Event()

        async def slow(connection: AsyncConnection) -> None:
            entered.set()
            await leave.wait()

        writing = asyncio.create_task(stores.database.write(slow))
        await entered.wait()
        assert (await stores.orders.ledger.depth())[JobState.RESERVED] == 0
        leave.set()
        await writing


async def test_readers_cannot_write(tmp_path: Path) -> None:
    async with open_stores(sqlite_url(tmp_path / "orders.db")) as stores:

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(text("DELETE FROM jobs"))

        with pytest.raises(Unavailable):
            await stores.database.read(write)


async def test_writes_share_commits(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    execute = writer_module._execute

    async def executed(connection: AsyncConnection, batch: Sequence[Any]) -> Any:
        # A gateway of another test, in a thread of its own, writes through the same function.
        if connection.sync_engine is stores.database._writing.sync_engine:
            batches.append(len(batch))
        return await execute(connection, batch)

    monkeypatch.setattr(writer_module, "_execute", executed)
    await asyncio.gather(*(stores.orders.jobs.reserve(order(n)) for n in range(600)))
    assert sum(batches) == 600
    assert max(batches) == 256
    assert len(batches) <= 4


async def test_orders_that_follow_a_shared_commit_share_the_next(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores.database._writer, "_gather_s", 0.3)
    asked: list[int] = []
    commit = writer_module.Writer._commit

    async def noted(writer: writer_module.Writer, batch: Sequence[Any]) -> None:
        if writer is stores.database._writer:
            asked.append(len(batch))
        await commit(writer, batch)

    monkeypatch.setattr(writer_module.Writer, "_commit", noted)
    await asyncio.gather(*(stores.orders.jobs.reserve(order(n)) for n in range(2)))
    third = asyncio.create_task(stores.orders.jobs.reserve(order(2)))
    for _ in range(20):
        await asyncio.sleep(0)
    await asyncio.gather(third, stores.orders.jobs.reserve(order(3)))
    assert asked == [2, 2]


async def test_an_order_that_comes_alone_waits_for_no_other(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores.database._writer, "_gather_s", 3600.0)
    for number in range(3):
        await stores.orders.jobs.reserve(order(number))


async def test_a_bug_in_the_writer_is_told_to_who_waits_and_ends_nothing(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_writer: writer_module.Writer, _batch: object) -> None:
        raise ZeroDivisionError

    writer = stores.database._writer
    monkeypatch.setattr(writer, "_commit", partial(broken, writer))
    async with asyncio.timeout(60):
        told = await asyncio.gather(
            *(stores.orders.jobs.reserve(order(n)) for n in range(3)), return_exceptions=True
        )
    assert list(map(type, told)) == [ZeroDivisionError] * 3
    monkeypatch.undo()
    assert (await stores.orders.ledger.depth())[JobState.RESERVED] == 0
    assert (await stores.orders.jobs.reserve(order(0))).outcome is Outcome.NEW


async def test_one_bad_write_fails_alone(stores: Stores) -> None:
    async def good(connection: AsyncConnection) -> str:
        return "good"

    async def half_done(connection: AsyncConnection) -> None:
        await connection.execute(
            insert(verifications).values(
                subject=Digest(bytes(32)), kind="x", verified=True, at=1, steps="[]"
            )
        )
        raise Conflict(Reason.PAYMENT_REPLAYED)

    async def broken_rule(connection: AsyncConnection) -> None:
        await connection.execute(insert(settlements).values(job=7, state="x", updated_at=1))

    results = await asyncio.gather(
        stores.database.write(good),
        stores.database.write(half_done),
        stores.database.write(broken_rule),
        stores.orders.jobs.reserve(order()),
        return_exceptions=True,
    )
    assert results[0] == "good"
    assert isinstance(results[1], Conflict)
    assert isinstance(results[2], IntegrityError)
    assert not isinstance(results[3], BaseException)

    async def count(connection: AsyncConnection) -> int:
        return len((await connection.execute(select(verifications))).all())

    assert await stores.database.read(count) == 0


async def test_a_bug_reaches_its_caller_and_the_writer_lives(stores: Stores) -> None:
    async def bug(connection: AsyncConnection) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stores.database.write(bug)
    await stores.orders.jobs.reserve(order())


async def test_nothing_is_acknowledged_before_the_commit(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_connection: Any) -> None:
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(stores.database._writing.sync_engine.dialect, "do_commit", fail)
    message = "the disk is full; nothing was lost, try again once the operator made room"
    results = await asyncio.gather(
        *(stores.orders.jobs.reserve(order(n)) for n in range(3)), return_exceptions=True
    )
    for result in results:
        with rejects(Reason.STORAGE_FULL, message, kind=Unavailable):
            assert isinstance(result, BaseException)
            raise result
    monkeypatch.undo()
    assert (await stores.orders.ledger.depth())[JobState.RESERVED] == 0
    await stores.orders.jobs.reserve(order())


async def attempt(stores: Stores, number: int) -> Reason | None:
    try:
        await stores.orders.jobs.reserve(order(number))
    except Unavailable as error:
        return error.reason
    return None


async def test_full_database(tmp_path: Path) -> None:
    async with open_stores(sqlite_url(tmp_path / "orders.db")) as stores:

        async def limit(connection: AsyncConnection) -> None:
            pages = await connection.scalar(text("PRAGMA page_count"))
            await connection.execute(text(f"PRAGMA max_page_count = {pages + 20}"))

        await stores.database.write(limit)
        results = [await attempt(stores, number) for number in range(200)]
        reserved = results.count(None)
        assert 0 < reserved < 200
        assert set(results) == {None, Reason.STORAGE_FULL}
        assert (await stores.orders.ledger.depth())[JobState.RESERVED] == reserved


async def test_unreachable_database(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "orders.db"
    with rejects(
        Reason.STORAGE_UNAVAILABLE,
        f"the storage does not answer: {path}: No such file or directory",
        kind=Unavailable,
    ):
        await Database.open(sqlite_url(path))


async def test_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    path.write_bytes(b"this is not a database" * 100)
    with rejects(
        Reason.STORAGE_UNAVAILABLE,
        "the storage does not answer: file is not a database",
        kind=Unavailable,
    ):
        await Database.open(sqlite_url(path))


async def test_closed_database_takes_nothing() -> None:
    database = await Database.open(MEMORY)
    await database.close()

    async def nothing(connection: AsyncConnection) -> None:
        return None

    with rejects(Reason.STORAGE_UNAVAILABLE, "the storage does not answer: it is being closed"):
        await database.write(nothing)


def test_a_bug_is_not_called_unavailable() -> None:
    bug = IntegrityError("INSERT", {}, sqlite3.IntegrityError("NOT NULL constraint failed"))
    assert storage_error(bug) is None
