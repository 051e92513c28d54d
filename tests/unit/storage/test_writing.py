"""Turns at writing a SQLite file."""

import asyncio
import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from inferproof.storage.sql.engine import Database, sqlite_url
from inferproof.storage.sql.writing import WriteTurn
from inferproof.testing.memory_store import open_stores


async def test_a_turn_is_one_at_a_time_and_none_is_overtaken(tmp_path: Path) -> None:
    first, second = (WriteTurn(tmp_path / "db", patience_s=30) for _ in range(2))
    order: list[str] = []
    waits = asyncio.Event()

    async def eager() -> None:
        for n in range(50):
            async with first:
                order.append(f"eager {n}")
                if n == 0:
                    await waits.wait()
                await asyncio.sleep(0.005)

    async def patient() -> None:
        waits.set()
        async with second:
            order.append("patient")
            await asyncio.sleep(0)

    task = asyncio.create_task(eager())
    await asyncio.sleep(0)
    await asyncio.gather(patient(), task)
    assert order.index("patient") <= 3
    first.close()
    second.close()


async def test_whoever_waits_too_long_goes_on(tmp_path: Path) -> None:
    first, second = (WriteTurn(tmp_path / "db", patience_s=0.05) for _ in range(2))
    async with first:
        async with second:  # SQLite's own lock decides
            pass
        third = WriteTurn(tmp_path / "db", patience_s=0.05)
        async with asyncio.timeout(5):
            async with third:
                pass
        third.close()
    async with second:
        pass
    first.close()
    second.close()


async def test_whoever_gives_up_waiting_leaves_the_queue(tmp_path: Path) -> None:
    first, second, third = (WriteTurn(tmp_path / "db", patience_s=30) for _ in range(3))
    async with first:
        waiting = asyncio.create_task(second.__aenter__())
        await asyncio.sleep(0.02)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(5), third:
        pass
    for turn in (first, second, third):
        turn.close()


async def test_where_no_file_can_be_made_nothing_is_queued_for(tmp_path: Path) -> None:
    async with WriteTurn(tmp_path / "absent" / "db", patience_s=30):
        pass


def _hold(path: Path, told: Connection) -> None:
    async def hold() -> None:
        async with WriteTurn(path, patience_s=1):
            told.send(None)
            await asyncio.sleep(60)

    asyncio.run(hold())


async def test_the_turn_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_hold, args=(tmp_path / "db", theirs), daemon=True)
    process.start()
    await asyncio.to_thread(ours.recv)
    turn = WriteTurn(tmp_path / "db", patience_s=30)
    waiting = asyncio.create_task(turn.__aenter__())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    process.kill()
    async with asyncio.timeout(5):
        await waiting
    turn.close()
    process.join()


async def test_opening_takes_its_turn(tmp_path: Path) -> None:
    """To try again and again beside one that writes all the time ends in `database is locked`."""
    path = tmp_path / "orders.db"
    async with open_stores(sqlite_url(path)):
        other = WriteTurn(path, patience_s=30)
        async with other:
            opening = asyncio.create_task(Database.open(sqlite_url(path)))
            await asyncio.sleep(0.2)
            assert not opening.done()
        database = await opening
        async with other:  # it gave its turn back
            pass
        await database.close()
        other.close()


async def test_opening_goes_on_where_a_turn_never_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inferproof.storage.sql.leader_lock.BUSY_TIMEOUT_MS", 50)
    path = tmp_path / "orders.db"
    hangs = WriteTurn(path, patience_s=30)
    async with hangs:
        database = await Database.open(sqlite_url(path))  # SQLite's own lock decides
        await database.close()
    hangs.close()
