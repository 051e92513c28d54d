"""Every store of opening budgets is one, and none is taken for another that it was copied from."""

import errno
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opening_budget_suite import KEY, Again, TestOpeningBudget, slots_of
from postgres_server import NAMED, Databases, PostgresServer
from sqlalchemy import update
from sqlalchemy.engine import make_url

from inferproof.errors import Conflict, Reason, Unavailable
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.storage.openings.marks import MarkedOpenings
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.storage.sql.engine import MEMORY, Database, sqlite_url
from inferproof.storage.sql.opening_budgets import SqlOpeningBudgets
from inferproof.storage.sql.tables import opening_ranges
from inferproof.testing.rejections import rejects

__all__ = ["TestOpeningBudget"]

KINDS = [
    "records",
    "memory",
    "file",
    pytest.param("postgres", marks=pytest.mark.postgres),
]
COPIED = (
    f"the count of the openings of key {KEY} was copied here or brought back from a backup, so "
    "they count as spent; prove where it is counted, or bring a slice from there"
)
OLDER = (
    "{} openings of key " + str(KEY) + " are counted and {} were taken before: the count was "
    "brought back from a backup, so they count as spent"
)


@asynccontextmanager
async def sql_budgets(url: str) -> AsyncIterator[SqlOpeningBudgets]:
    database = await Database.open(url)
    try:
        yield SqlOpeningBudgets(database)
    finally:
        await database.close()


@pytest.fixture(params=KINDS)
async def stores(
    request: pytest.FixtureRequest, tmp_path: Path, url_of_kind: Callable[[str], str]
) -> AsyncIterator[tuple[OpeningBudgets, Again]]:
    @asynccontextmanager
    async def records() -> AsyncIterator[OpeningBudgets]:
        yield LocalOpeningBudgets(tmp_path / "openings")

    if request.param == "records":
        async with records() as budgets:
            yield budgets, records
        return
    url = url_of_kind(request.param)
    async with sql_budgets(url) as sql:

        @asynccontextmanager
        async def the_same() -> AsyncIterator[OpeningBudgets]:
            yield sql  # in memory there is no second way in

        yield sql, the_same if url == MEMORY else lambda: sql_budgets(url)


@pytest.fixture
def budgets(stores: tuple[OpeningBudgets, Again]) -> OpeningBudgets:
    return stores[0]


@pytest.fixture
def again(stores: tuple[OpeningBudgets, Again]) -> Again:
    return stores[1]


@pytest.fixture
def elsewhere(tmp_path: Path) -> OpeningBudgets:
    return LocalOpeningBudgets(tmp_path / "elsewhere")


@pytest.fixture
def records(tmp_path: Path) -> LocalOpeningBudgets:
    return LocalOpeningBudgets(tmp_path / "openings")


def record_of(root: Path) -> Path:
    return root / f"{KEY.raw.hex()}.json"


# -- copies -----------------------------------------------------------------------------------


async def test_records_that_were_copied_are_spent(
    records: LocalOpeningBudgets, tmp_path: Path
) -> None:
    await records.register(KEY, 9)
    await records.take(KEY)
    copy = shutil.copytree(tmp_path / "openings", tmp_path / "copy")
    with rejects(Reason.OPENINGS_COPIED, COPIED, kind=Conflict):
        await LocalOpeningBudgets(copy).take(KEY)
    assert (await records.take(KEY)).slot == 1


async def test_one_record_among_those_of_another_store_is_spent(
    records: LocalOpeningBudgets, tmp_path: Path
) -> None:
    await records.register(KEY, 9)
    other = LocalOpeningBudgets(tmp_path / "other")
    await other.store()
    shutil.copy(record_of(tmp_path / "openings"), tmp_path / "other")
    with rejects(Reason.OPENINGS_COPIED, COPIED, kind=Conflict):
        await other.take(KEY)


async def test_records_that_were_removed_and_brought_back_are_spent(
    records: LocalOpeningBudgets, tmp_path: Path
) -> None:
    """Also where the file system gives the same number again."""
    await records.register(KEY, 9)
    backup = shutil.copytree(tmp_path / "openings", tmp_path / "backup")
    await records.take(KEY)
    shutil.rmtree(tmp_path / "openings")
    shutil.copytree(backup, tmp_path / "openings")
    with rejects(Reason.OPENINGS_COPIED, COPIED, kind=Conflict):
        await records.take(KEY)


async def test_a_folder_that_was_moved_goes_on(
    records: LocalOpeningBudgets, tmp_path: Path
) -> None:
    await records.register(KEY, 9)
    await records.take(KEY)
    moved = (tmp_path / "openings").rename(tmp_path / "moved")
    assert (await LocalOpeningBudgets(moved).take(KEY)).slot == 1


async def test_a_database_file_that_was_copied_is_spent(
    tmp_path: Path, url_of_kind: Callable[[str], str]
) -> None:
    url = url_of_kind("file")
    async with sql_budgets(url) as budgets:
        await budgets.register(KEY, 9)
    shutil.copy(tmp_path / "orders.db", tmp_path / "copy.db")
    async with sql_budgets(sqlite_url(tmp_path / "copy.db")) as copy:
        with rejects(Reason.OPENINGS_COPIED, COPIED, kind=Conflict):
            await copy.take(KEY)
    async with sql_budgets(url) as budgets:
        assert (await budgets.take(KEY)).slot == 0


@pytest.mark.postgres
async def test_a_database_on_a_server_that_was_copied_is_spent(postgres: Databases) -> None:
    url = postgres.fresh()
    async with sql_budgets(url) as budgets:
        await budgets.register(KEY, 9)
    async with sql_budgets(postgres.copy_of(url)) as copy:
        with rejects(Reason.OPENINGS_COPIED, COPIED, kind=Conflict):
            await copy.take(KEY)
    async with sql_budgets(url) as budgets:
        assert (await budgets.take(KEY)).slot == 0


@pytest.mark.postgres
@pytest.mark.slow
async def test_a_server_that_was_a_replica_is_another_store() -> None:
    """It may lack the last commits of the one whose place it takes, and so may one that was
    brought back to a moment: each begins a new timeline."""
    if os.environ.get(NAMED):
        pytest.skip("needs a server of its own")
    with PostgresServer() as server:
        async with sql_budgets(server.url) as budgets:
            await budgets.register(KEY, 9)
            assert (await budgets.take(KEY)).slot == 0
        server.stop()
        server.start()
        async with sql_budgets(server.url) as budgets:
            assert (await budgets.take(KEY)).slot == 1
        server.stop()
        signal = server.folder / "data" / "standby.signal"
        signal.touch()
        if server.account:
            shutil.chown(signal, "postgres", "postgres")
        server.start()
        assert Databases(server.url).sql("SELECT pg_promote()")
        async with sql_budgets(server.url) as budgets:
            with rejects(Reason.OPENINGS_COPIED, COPIED, kind=Conflict):
                await budgets.take(KEY)


@pytest.mark.postgres
async def test_an_account_of_a_server_that_is_no_superuser_may_count(postgres: Databases) -> None:
    name = f"inferproof_test_{secrets.token_hex(4)}"
    url = postgres.empty()
    postgres.sql(f"CREATE ROLE {name} LOGIN")
    postgres.sql(f"GRANT ALL ON SCHEMA public TO {name}", url)
    try:
        async with sql_budgets(
            make_url(url).set(username=name).render_as_string(hide_password=False)
        ) as budgets:
            await budgets.register(KEY, 9)
            assert (await budgets.take(KEY)).slot == 0
    finally:
        postgres.sql(f"DROP OWNED BY {name}", url)
        postgres.sql(f"DROP ROLE {name}")


# -- what cannot be read ----------------------------------------------------------------------


async def test_a_record_of_another_key_is_no_count(
    records: LocalOpeningBudgets, tmp_path: Path
) -> None:
    await records.register(KEY, 9)
    other = bytes([8]) * 32
    path = tmp_path / "openings" / f"{other.hex()}.json"
    record_of(tmp_path / "openings").rename(path)
    with rejects(
        Reason.OPENINGS_DAMAGED,
        f"the count of openings in {path} cannot be read, so they count as spent: it is of another "
        "key",
        kind=Conflict,
    ):
        await records.take(type(KEY)(other))


async def test_a_record_that_was_changed_is_no_count(
    records: LocalOpeningBudgets, tmp_path: Path
) -> None:
    await records.register(KEY, 9)
    path = record_of(tmp_path / "openings")
    path.write_bytes(path.read_bytes().replace(b'"size":9', b'"size":8'))
    with rejects(
        Reason.OPENINGS_DAMAGED,
        f"the count of openings in {path} cannot be read, so they count as spent: the checksum of "
        "the inferproof/opening-count/1 file does not match its content",
        kind=Conflict,
    ):
        await records.take(KEY)


async def test_a_store_without_its_secret_is_no_store(
    records: LocalOpeningBudgets, tmp_path: Path
) -> None:
    await records.register(KEY, 9)
    path = tmp_path / "openings" / "store"
    path.write_bytes(b"")
    with rejects(
        Reason.OPENINGS_DAMAGED,
        f"the count of openings in {path} cannot be read, so they count as spent: it is not whole",
        kind=Conflict,
    ):
        await records.take(KEY)


async def test_a_row_that_no_store_wrote_is_no_count() -> None:
    database = await Database.open(MEMORY)
    try:
        budgets = SqlOpeningBudgets(database)
        await budgets.register(KEY, 9)
        await database.write(lambda c: c.execute(update(opening_ranges).values(taken=10)))
        with rejects(
            Reason.OPENINGS_DAMAGED,
            "the count of openings in the database cannot be read, so they count as spent: more is "
            "taken or reserved than a range holds",
            kind=Conflict,
        ):
            await budgets.take(KEY)
    finally:
        await database.close()


# -- a disk that is full or does not answer -----------------------------------------------------


@pytest.mark.parametrize("call", ["replace", "fsync"])
async def test_a_full_disk_gives_no_slot(
    records: LocalOpeningBudgets, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_args: Any, **_options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    await records.register(KEY, 9)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with rejects(
            Reason.STORAGE_FULL,
            "the disk is full; nothing was lost, try again once the operator made room",
            kind=Unavailable,
        ):
            await records.take(KEY)
    assert (await records.take(KEY)).slot == 0


async def test_a_name_that_is_not_durable_gives_no_slot(
    records: LocalOpeningBudgets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count is written by then: the slot is spent, and nobody has it."""
    calls, real = [], os.fsync

    def fails(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:  # the file first, then its folder
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    await records.register(KEY, 9)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with rejects(
            Reason.STORAGE_UNAVAILABLE,
            "the storage does not answer: Input/output error",
            kind=Unavailable,
        ):
            await records.take(KEY)
    assert (await records.take(KEY)).slot == 1


# -- the mark that a compiled model keeps -------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "compiled").mkdir()
    return tmp_path / "compiled"


async def test_a_count_that_was_written_over_with_an_older_one_is_spent(
    budgets: OpeningBudgets, folder: Path, tmp_path: Path
) -> None:
    """What a backup tool does that keeps the file: the store's own identity stays."""
    marked = MarkedOpenings(budgets, folder)
    await budgets.register(KEY, 9)
    await marked.take(KEY)
    before = await _kept(budgets, tmp_path)
    assert (await marked.take(KEY)).slot == 1
    await before()
    with rejects(Reason.OPENINGS_OLDER, OLDER.format(1, 2), kind=Conflict):
        await marked.take(KEY)
    with rejects(Reason.OPENINGS_OLDER, OLDER.format(1, 2), kind=Conflict):
        await marked.delegate(KEY, KEY, 1)


async def _kept(budgets: OpeningBudgets, tmp_path: Path) -> Callable[[], Any]:
    """Brings back the count as it is now."""
    if isinstance(budgets, SqlOpeningBudgets):

        async def set_back() -> None:
            await budgets._db.write(lambda c: c.execute(update(opening_ranges).values(taken=1)))

        return set_back
    path = record_of(tmp_path / "openings")
    data = path.read_bytes()

    async def write_back() -> None:
        path.write_bytes(data)

    return write_back


async def test_copies_of_a_folder_share_the_count(
    records: LocalOpeningBudgets, folder: Path, tmp_path: Path
) -> None:
    await records.register(KEY, 9)
    assert (await MarkedOpenings(records, folder).take(KEY)).slot == 0
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert (await MarkedOpenings(records, copy).take(KEY)).slot == 1
    assert (await MarkedOpenings(records, folder).take(KEY)).slot == 2


async def test_a_folder_without_its_record_is_spent(
    records: LocalOpeningBudgets, folder: Path, tmp_path: Path
) -> None:
    await records.register(KEY, 9)
    await MarkedOpenings(records, folder).take(KEY)
    record_of(tmp_path / "openings").unlink()
    with rejects(
        Reason.OPENINGS_UNKNOWN,
        f"nothing here counts the openings of key {KEY}, so they count as spent; prove where the "
        "key was made, or bring a slice from there",
        kind=Conflict,
    ):
        await MarkedOpenings(records, folder).take(KEY)


async def test_an_older_folder_follows_the_count(
    records: LocalOpeningBudgets, folder: Path, tmp_path: Path
) -> None:
    await records.register(KEY, 9)
    await MarkedOpenings(records, folder).take(KEY)
    older = shutil.copytree(folder, tmp_path / "older")
    await MarkedOpenings(records, folder).take(KEY)
    assert (await MarkedOpenings(records, older).take(KEY)).slot == 2


async def test_a_mark_says_nothing_of_another_store(
    records: LocalOpeningBudgets, folder: Path, tmp_path: Path
) -> None:
    await records.register(KEY, 9)
    marked = MarkedOpenings(records, folder)
    await marked.take(KEY)
    other = LocalOpeningBudgets(tmp_path / "other")
    await other.accept(await marked.delegate(KEY, await other.store(), 3))
    assert (await MarkedOpenings(other, folder).take(KEY)).slot == 1


async def test_a_mark_that_cannot_be_read_is_no_mark(
    records: LocalOpeningBudgets, folder: Path
) -> None:
    await records.register(KEY, 9)
    marked = MarkedOpenings(records, folder)
    await marked.take(KEY)
    path = folder / "openings.json"
    path.write_bytes(b"{}")
    with rejects(
        Reason.OPENINGS_DAMAGED,
        f"the count of openings in {path} cannot be read, so they count as spent: field format of "
        "the inferproof/opening-mark/1 is malformed",
        kind=Conflict,
    ):
        await marked.take(KEY)


async def test_a_folder_that_cannot_be_written_costs_no_slot(
    records: LocalOpeningBudgets, folder: Path
) -> None:
    await records.register(KEY, 9)
    shutil.rmtree(folder)
    with rejects(
        Reason.STORAGE_UNAVAILABLE,
        "the storage does not answer: No such file or directory",
        kind=Unavailable,
    ):
        await MarkedOpenings(records, folder).take(KEY)
    assert [slot async for slot in slots_of(records)] == list(range(8))


# -- where counts are kept ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"INFERPROOF_HOME": "/own", "XDG_STATE_HOME": "/state"}, "/own/openings"),
        ({"XDG_STATE_HOME": "/state"}, "/state/inferproof/openings"),
        ({"HOME": "/home/me"}, "/home/me/.local/state/inferproof/openings"),
    ],
)
def test_where_counts_are_kept(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    from inferproof.storage.openings.identity import state_folder

    for name in ("INFERPROOF_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert state_folder() == Path(expected)
