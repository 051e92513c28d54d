"""Settlements, steps and what transactions carry, from the ids of their jobs to their numbers."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from test_migrations import OLD

from inferproof.storage.sql.address import read_address
from inferproof.storage.sql.dump import load, revision_of
from inferproof.storage.sql.engines import writing_engine
from inferproof.storage.sql.migrate import upgrade
from inferproof.testing.memory_store import open_stores

BEFORE = {
    "settlements": "SELECT job_id, state, tx, block, updated_at, step, doubted_at FROM settlements",
    "job_events": "SELECT job_id, seq, transition, state, at FROM job_events",
    "outbox_jobs": "SELECT job_id, outbox, position FROM outbox_jobs",
}
NOW = {
    "settlements": "SELECT job_id, settlements.state, tx, block, settlements.updated_at, step, "
    "doubted_at FROM settlements JOIN jobs ON number = job",
    "job_events": "SELECT job_id, seq, transition, job_events.state, at FROM job_events "
    "JOIN jobs ON number = job",
    "outbox_jobs": "SELECT job_id, outbox, position FROM outbox_jobs JOIN jobs ON number = job",
}
Rows = dict[str, list[Any]]


def rows(connection: Connection, questions: dict[str, str]) -> Rows:
    return {
        table: sorted(map(str, connection.execute(text(question)).all()))
        for table, question in questions.items()
    }


def fill(connection: Connection) -> Rows:
    load(connection, "0001", OLD)
    upgrade(connection, "0007")
    assert revision_of(connection) == "0007"
    # Nobody counts on numbers that begin with one and have no gaps.
    connection.execute(text("UPDATE jobs SET number = 1000 - 7 * number"))
    connection.execute(
        text("UPDATE settlements SET step = 'again', doubted_at = 5 WHERE block IS NULL")
    )
    return rows(connection, BEFORE)


@pytest.fixture
def before(empty_url: str) -> tuple[str, Rows]:
    """The address of a database as version 0007 left it, and what is in it."""

    async def work() -> Rows:
        engine = writing_engine(read_address(empty_url))
        async with engine.begin() as connection:
            found = await connection.run_sync(fill)
        await engine.dispose()
        return found

    return empty_url, asyncio.run(work())


async def test_each_row_stays_with_its_job(before: tuple[str, Rows]) -> None:
    url, was = before
    assert all(was.values()), "there is something to bring forward"

    async def ask(connection: AsyncConnection) -> Rows:
        return await connection.run_sync(rows, NOW)

    async with open_stores(url) as stores:
        assert await stores.database.read(ask) == was


async def test_a_job_has_one_settlement_at_most(before: tuple[str, Rows]) -> None:
    twice = text(
        "INSERT INTO settlements (job, state, updated_at) SELECT job, state, 1 FROM settlements"
    )
    nobodys = text("INSERT INTO settlements (job, state, updated_at) VALUES (1, 'pending', 1)")

    async with open_stores(before[0]) as stores:
        for forged in (twice, nobodys):

            async def forge(connection: AsyncConnection, what: TextClause = forged) -> None:
                await connection.execute(what)

            with pytest.raises(IntegrityError):
                await stores.database.write(forge)
