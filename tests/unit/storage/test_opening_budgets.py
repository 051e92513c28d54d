"""Every store of opening budgets is one, and none is taken for another that it was copied from."""

import errno
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opening_budget_suite import KEY, TestOpeningBudget, record_of, sql_budgets
from postgres_server import NAMED, Databases, PostgresServer
from sqlalchemy import update
from sqlalchemy.engine import make_url

from inferproof.errors import Conflict, Reason, RequestRejected, Unavailable
from inferproof.protocol.documents import encode_document
from inferproof.storage.openings import identity
from inferproof.storage.openings.identity import place_of, state_folder
from inferproof.storage.openings.local import FORMAT, LocalOpeningBudgets
from inferproof.storage.sql.engine import MEMORY, Database, sqlite_url
from inferproof.storage.sql.opening_budgets import SqlOpeningBudgets
from inferproof.storage.sql.tables import opening_ranges
from inferproof.testing.rejections import rejects

__all__ = ["TestOpeningBudget"]

COPIED = (
    f"the count of the openings of key {KEY} was copied here or brought back from a backup, so "
    "they count as spent; prove where it is counted, or bring openings from "
    "there: inferproof provider openings show DIR here tells the store, give DIR --to STORE "
    "there writes them, accept FILE here counts them"
)


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
    await other.store(KEY)
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
        server.stop(signal.SIGQUIT)  # it has to recover what was committed
        server.start()
        async with sql_budgets(server.url) as budgets:
            assert (await budgets.take(KEY)).slot == 1
        server.stop()
        replica = server.folder / "data" / "standby.signal"
        replica.touch()
        if server.account:
            shutil.chown(replica, "postgres", "postgres")
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


async def test_a_store_that_lost_its_count_takes_no_slice_again(
    records: LocalOpeningBudgets, tmp_path: Path
) -> None:
    """Whoever finds that a count is lost may still have the file of the slice."""
    await records.register(KEY, 9)
    other = LocalOpeningBudgets(tmp_path / "other")
    store = await other.store(KEY)
    slots = await records.delegate(KEY, store, 3)
    await other.accept(slots)
    await other.take(KEY)
    record_of(tmp_path / "other").unlink()
    begun = await other.store(KEY)
    with rejects(
        Reason.SLICE_OTHER_STORE,
        f"the slice of openings is for the store {store}, and this is {begun}",
        kind=RequestRejected,
    ):
        await other.accept(slots)


async def test_records_without_their_lock_are_spent(
    records: LocalOpeningBudgets, tmp_path: Path
) -> None:
    await records.register(KEY, 9)
    (tmp_path / "openings" / "lock").unlink()
    with rejects(Reason.OPENINGS_COPIED, COPIED, kind=Conflict):
        await records.take(KEY)


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


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"taken": 10}, "more is taken or reserved than a range holds"),
        ({"taken": -1}, "field taken of the inferproof/opening-count/1.ranges is malformed"),
        ({"more": 1}, "field more of the inferproof/opening-count/1.ranges is malformed"),
        (None, "its ranges overlap"),
    ],
)
async def test_a_record_that_no_store_wrote_is_no_count(
    records: LocalOpeningBudgets, tmp_path: Path, changes: dict[str, int] | None, why: str
) -> None:
    """Its checksum holds."""
    await records.register(KEY, 9)
    path = record_of(tmp_path / "openings")
    body = json.loads(path.read_bytes())["body"]
    if changes is None:
        body["ranges"] *= 2
    else:
        body["ranges"][0] |= changes
    path.write_bytes(encode_document(FORMAT, body))
    with rejects(
        Reason.OPENINGS_DAMAGED,
        f"the count of openings in {path} cannot be read, so they count as spent: {why}",
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
    for name in ("INFERPROOF_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert state_folder() == Path(expected)


def test_a_place_is_what_copies_do_not_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"1")
    place = place_of(file)
    file.write_bytes(b"2")
    file.chmod(0o600)
    os.utime(file, (1, 1))
    moved = file.rename(tmp_path / "moved")
    assert place_of(moved) == place
    shutil.copy2(moved, file)
    assert place_of(file) != place
    for fact in ("machine_id", "_birth"):
        with monkeypatch.context() as patch:
            patch.setattr(identity, fact, lambda *_: "another")
            assert place_of(moved) != place


@pytest.mark.skipif(sys.platform != "linux", reason="the library's own call is used elsewhere")
def test_the_moment_in_which_a_file_was_made(tmp_path: Path) -> None:
    told = subprocess.run(
        ["stat", "--format=%W", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    known = identity._birth(tmp_path).partition(".")[0]
    assert known == ("" if told == "0" else told)
    assert identity._birth(tmp_path / "missing") == ""
