"""A file's log is written back beside the commits, and begun again when it is long."""

import asyncio
import shutil
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from order_book_suite import order

from inferproof.storage.sql import wal_checkpoint as module
from inferproof.storage.sql.engine import MEMORY, Database, sqlite_url
from inferproof.storage.sql.wal_checkpoint import WalCheckpointer, log_connection
from inferproof.testing.memory_store import Stores, open_stores


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


@pytest.fixture
async def stores(path: Path) -> AsyncIterator[Stores]:
    """Stores whose log is written back when it is asked for."""
    async with open_stores(sqlite_url(path)) as stores:
        of(stores.database)._task.cancel()
        yield stores


def of(database: Database) -> WalCheckpointer:
    found = database._checkpointer
    assert found is not None
    return found


def eager(path: Path) -> WalCheckpointer:
    """One that does it all the time."""
    return WalCheckpointer(path, asyncio.Lock(), period_s=0.001)


def jobs_in_the_file_alone(path: Path, tmp_path: Path) -> int:
    """What somebody finds who takes the file without its log."""
    alone = shutil.copy(path, tmp_path / "alone.db")
    connection = sqlite3.connect(alone)
    try:
        return int(connection.execute("SELECT count(*) FROM jobs").fetchone()[0])
    except sqlite3.DatabaseError:  # not even the tables
        return 0
    finally:
        connection.close()


def length(path: Path) -> int:
    """Bytes of the log's file, whose end may be left over from a longer one."""
    return Path(f"{path}-wal").stat().st_size


async def test_what_is_in_the_log_comes_into_the_file(
    stores: Stores, path: Path, tmp_path: Path
) -> None:
    for number in range(3):
        await stores.orders.jobs.reserve(order(number))
    assert jobs_in_the_file_alone(path, tmp_path) == 0
    await of(stores.database).once()
    assert jobs_in_the_file_alone(path, tmp_path) == 3


class BusyWriter:
    """Commits something while the log is written back, unless somebody has the turn. What came
    after the beginning is not written back; a reader who began before it has the same effect."""

    def __init__(self, path: Path, checkpointer: WalCheckpointer) -> None:
        self._path = path
        self._lock = checkpointer._lock
        self._pages_written_back = checkpointer._pages_written_back
        self.commits = 0

    def __call__(self) -> int:
        if self._lock.locked():
            return self._pages_written_back()
        self.commits += 1
        reader, writer = (sqlite3.connect(self._path, isolation_level=None) for _ in range(2))
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM jobs").fetchone()
        writer.execute("CREATE TABLE IF NOT EXISTS busy (n INTEGER)")
        writer.execute("INSERT INTO busy SELECT value FROM json_each(?)", (str([*range(5000)]),))
        pages = self._pages_written_back()
        reader.close()
        writer.close()
        return pages


@pytest.mark.parametrize(("long", "grows"), [(1, False), (10**6, True)])
async def test_a_long_log_is_begun_again_though_commits_never_pause(
    stores: Stores, path: Path, monkeypatch: pytest.MonkeyPatch, long: int, grows: bool
) -> None:
    monkeypatch.setattr(module, "LONG_PAGES", long)
    writer = BusyWriter(path, of(stores.database))
    monkeypatch.setattr(of(stores.database), "_pages_written_back", writer)
    await of(stores.database).once()
    lengths = []
    for _ in range(6):
        await of(stores.database).once()
        lengths.append(length(path))
    assert writer.commits == (7 if grows else 2 * 7)
    if grows:
        assert lengths == sorted(set(lengths))  # longer each time
    else:
        assert max(lengths) == lengths[0]


async def test_a_reader_in_the_log_is_not_disturbed(stores: Stores, path: Path) -> None:
    await stores.orders.jobs.reserve(order(0))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    count = "SELECT count(*) FROM jobs"
    assert reader.execute(count).fetchone() == (1,)
    await stores.orders.jobs.reserve(order(1))
    await of(stores.database).once()
    assert reader.execute(count).fetchone() == (1,)
    reader.execute("COMMIT")
    await of(stores.database).once()
    assert reader.execute(count).fetchone() == (2,)
    reader.close()


async def test_it_is_done_beside_all_the_time(stores: Stores, path: Path, tmp_path: Path) -> None:
    checkpointer = eager(path)
    for number in range(2):
        await stores.orders.jobs.reserve(order(number))
        await until(lambda wanted=number + 1: jobs_in_the_file_alone(path, tmp_path) == wanted)
    await checkpointer.close()


async def until(condition: Callable[[], bool]) -> None:
    """Returns once the condition holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.01)


async def test_what_fails_is_tried_again(
    stores: Stores, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpointer = eager(path)
    pages_written_back, failures = checkpointer._pages_written_back, 0

    def full() -> int:
        nonlocal failures
        failures += 1
        if failures < 5:
            raise sqlite3.OperationalError("database or disk is full")
        return pages_written_back()

    monkeypatch.setattr(checkpointer, "_pages_written_back", full)
    await stores.orders.jobs.reserve(order(0))
    await until(lambda: jobs_in_the_file_alone(path, tmp_path) == 1)
    assert failures >= 5
    await checkpointer.close()


async def test_closing_waits_for_what_is_being_written(stores: Stores) -> None:
    begun, ended = threading.Event(), list[bool]()
    checkpointer = of(stores.database)

    def slow() -> int:
        begun.set()
        time.sleep(0.2)
        ended.append(True)
        return 0

    checkpointer._pages_written_back = slow  # type: ignore[method-assign]
    task = asyncio.create_task(checkpointer.once())
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended


@pytest.mark.parametrize("name", ["gone.db", "a ?mode=rwc#%41 name.db"])
def test_a_file_that_is_gone_is_not_made_anew(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        log_connection(path)
    assert list(tmp_path.iterdir()) == []
    path.touch()
    log_connection(path).close()
    assert list(tmp_path.iterdir()) == [path]


async def test_in_memory_there_is_no_log() -> None:
    async with open_stores(MEMORY) as stores:
        assert stores.database._checkpointer is None
