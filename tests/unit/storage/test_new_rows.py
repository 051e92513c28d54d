"""New orders and all their rows in one transaction of its own, on every database."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from order_book_suite import order
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import InferproofError, Reason, Unavailable
from inferproof.storage.ports.jobs import Order, Outcome
from inferproof.storage.sql import new_rows
from inferproof.storage.sql.order_rows import ORDERS, order_row
from inferproof.storage.sql.tables import job_events, jobs, payment_reservations, settlements
from inferproof.testing.memory_store import Stores
from inferproof.testing.rejections import rejects

TABLES = (payment_reservations, jobs, settlements, job_events)


async def committed(stores: Stores, *orders: Order) -> set[str]:
    async with stores.database._writing.connect() as connection:
        return await ORDERS.commit(connection, [order_row(o, n) for n, o in enumerate(orders)])


async def counted(stores: Stores) -> list[int]:
    async def ask(connection: AsyncConnection) -> list[int]:
        counts = [await connection.scalar(select(func.count()).select_from(t)) for t in TABLES]
        return [int(count or 0) for count in counts]

    return await stores.database.read(ask)


def ids(*numbers: int) -> set[str]:
    return {order(number).job_id.hex for number in numbers}


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 256])
async def test_all_that_are_new(stores: Stores, count: int) -> None:
    assert await committed(stores, *map(order, range(count))) == ids(*range(count))
    assert await counted(stores) == [count] * 4


async def test_a_payment_that_is_known_is_left_out(stores: Stores) -> None:
    await committed(stores, order(0), order(1))
    again = order(1, job_id=order(7).job_id)
    assert await committed(stores, order(0), order(2), again, order(3)) == ids(2, 3)
    assert await committed(stores, order(0)) == set()
    assert await counted(stores) == [4] * 4


async def test_a_payment_id_is_a_key_too(stores: Stores) -> None:
    made = await committed(stores, order(0, payment_id="a"), order(1, payment_id="a"), order(2))
    first = min(0, 1, key=lambda number: order(number).payment.nonce)
    assert made == ids(first, 2)
    assert await counted(stores) == [2] * 4


async def test_jobs_are_numbered_as_they_were_given(stores: Stores) -> None:
    given = [order(number) for number in (5, 3, 8, 1, 9, 2)]
    await committed(stores, *given)
    found = await stores.database.read(
        lambda c: c.scalars(select(jobs.c.job_id).order_by(jobs.c.number))
    )
    assert list(found) == [each.job_id for each in given]


async def test_a_commit_that_fails_answers_so_and_leaves_nothing(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stores.orders.reserve(order(9))  # the queue was counted
    if stores.database._writing.dialect.name == "postgresql":
        await stores.database.write(_fail_at_commit)
    else:
        monkeypatch.setattr(new_rows, "in_thread_alone", _with_a_full_disk(new_rows))
    message = "the disk is full; nothing was lost, try again once the operator made room"
    results: list[Any] = await asyncio.gather(
        *(stores.orders.reserve(order(n)) for n in range(3)), return_exceptions=True
    )
    for result in results:
        with rejects(Reason.STORAGE_FULL, message, kind=Unavailable):
            assert isinstance(result, InferproofError)
            raise result
    monkeypatch.undo()
    assert await counted(stores) == [1] * 4
    if stores.database._writing.dialect.name == "postgresql":
        await stores.database.write(_mend)
    assert (await stores.orders.reserve(order(1))).outcome is Outcome.NEW


async def _fail_at_commit(connection: AsyncConnection) -> None:
    await connection.execute(
        text(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$"
        )
    )
    await connection.execute(
        text(
            "CREATE CONSTRAINT TRIGGER full_disk AFTER INSERT ON jobs DEFERRABLE INITIALLY "
            "DEFERRED FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
    )


async def _mend(connection: AsyncConnection) -> None:
    await connection.execute(text("DROP TRIGGER full_disk ON jobs"))


class _Full:
    """A connection whose commits fail."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def execute(self, statement: str, *values: Any) -> Any:
        if statement == "COMMIT":
            raise sqlite3.OperationalError("database or disk is full")
        return self._db.execute(statement, *values)


def _with_a_full_disk(module: Any) -> Callable[..., Any]:
    run = module.in_thread_alone

    async def full(connection: AsyncConnection, work: Callable[[Any], Any]) -> Any:
        return await run(connection, lambda db: work(_Full(db)))

    return full
