"""Records of verifications are kept so many and so long."""

from collections.abc import AsyncIterator, Callable

import pytest
from order_book_suite import digest
from postgres_server import KINDS

from inferproof.errors import NotFound
from inferproof.storage.ports.verifications import VerificationRecord
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.verifications import DAY_S, SqlVerifications


@pytest.fixture(params=KINDS)
async def database(
    request: pytest.FixtureRequest, url_of_kind: Callable[[str], str]
) -> AsyncIterator[Database]:
    opened = await Database.open(url_of_kind(request.param))
    yield opened
    await opened.close()


async def kept(records: SqlVerifications, numbers: list[int]) -> list[bool]:
    found = []
    for number in numbers:
        try:
            await records.get(number)
            found.append(True)
        except NotFound:
            found.append(False)
    return found


async def made(records: SqlVerifications, at: int) -> int:
    record = VerificationRecord(id=0, subject=digest("x"), kind="proof", verified=False, at=at)
    return (await records.record(record)).id


async def test_the_newest_are_kept(database: Database) -> None:
    records = SqlVerifications(database, kept=3)
    numbers = [await made(records, 1) for _ in range(5)]
    assert await kept(records, numbers) == [False, False, True, True, True]


async def test_the_old_are_forgotten(database: Database) -> None:
    records = SqlVerifications(database, days=2)
    numbers = [await made(records, at) for at in (0, 1, DAY_S, 2 * DAY_S + 1)]
    assert await kept(records, numbers) == [False, True, True, True]
