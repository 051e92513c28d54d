"""The marks that compiled models keep of their openings."""

import errno
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opening_budget_suite import KEY, record_of, slots_of
from sqlalchemy import update

from inferproof.errors import Conflict, Reason, Unavailable
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.storage.openings.marks import MarkedOpenings
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.storage.sql.opening_budgets import SqlOpeningBudgets
from inferproof.storage.sql.tables import opening_ranges
from inferproof.testing.rejections import rejects

OLDER = (
    "{} openings of key " + str(KEY) + " are counted and {} were taken before: the count was "
    "brought back from a backup, so they count as spent"
)


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
        "key was made, or bring openings from "
        "there: inferproof provider openings show DIR here tells the store, give DIR --to STORE "
        "there writes them, accept FILE here counts them",
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
    await other.accept(await marked.delegate(KEY, await other.store(KEY), 3))
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


async def test_a_folder_without_room_costs_no_slot(
    records: LocalOpeningBudgets, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any, **_options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    await records.register(KEY, 9)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", full)
        with rejects(
            Reason.STORAGE_FULL,
            "the disk is full; nothing was lost, try again once the operator made room",
            kind=Unavailable,
        ):
            await MarkedOpenings(records, folder).take(KEY)
    assert (await MarkedOpenings(records, folder).take(KEY)).slot == 0


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
