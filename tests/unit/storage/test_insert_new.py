"""Rows that a unique key forbids are left out, and told apart from those that went in."""

import pytest
from order_book_suite import order
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.sql.constructs import insert_new
from inferproof.storage.sql.mapping import reservation_values
from inferproof.storage.sql.tables import payment_reservations
from inferproof.testing.memory_store import Stores
from inferproof.types.digest import Digest

PAYMENTS = payment_reservations


async def inserted(stores: Stores, *rows: dict[str, object]) -> set[Digest]:
    async def change(connection: AsyncConnection) -> set[Digest]:
        return await insert_new(connection, PAYMENTS, rows, returning=PAYMENTS.c.job_id)

    return await stores.database.write(change)


def row(number: int, **changes: object) -> dict[str, object]:
    return {**reservation_values(order(number)), **changes}


def ids(*numbers: int) -> set[Digest]:
    return {order(number).job_id for number in numbers}


@pytest.mark.parametrize("before", [(), (0, 1, 2)])
async def test_all_that_are_new(stores: Stores, before: tuple[int, ...]) -> None:
    if before:
        await inserted(stores, *map(row, before))
    assert await inserted(stores, row(3), row(4)) == ids(3, 4)


async def test_none_is_new(stores: Stores) -> None:
    await inserted(stores, row(0), row(1))
    assert await inserted(stores, row(1), row(0)) == set()


async def test_the_same_payment_again_is_not_new(stores: Stores) -> None:
    await inserted(stores, row(0), row(1))
    another, third = order(70).job_id, order(71).job_id
    mixed = [row(1), row(2), row(0, job_id=another), row(3), row(3), row(3, job_id=third)]
    assert await inserted(stores, *mixed) == ids(2, 3)
    found = await stores.database.read(lambda c: c.scalars(select(PAYMENTS.c.job_id)))
    assert set(found) == ids(0, 1, 2, 3)


async def test_a_payment_id_is_a_key_too(stores: Stores) -> None:
    first = await inserted(stores, row(0, payment_id="a"), row(1, payment_id="a"), row(2))
    assert first == ids(0, 2)


async def test_one_statement_at_any_size(stores: Stores) -> None:
    for count, first in ((1, 0), (7, 1), (256, 8)):
        rows = [row(n) for n in range(first, first + count)]
        assert await inserted(stores, *rows) == {r["job_id"] for r in rows}
