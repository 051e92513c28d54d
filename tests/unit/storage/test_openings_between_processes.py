"""Processes that share a count of openings, and die at it: no slot is ever given out twice."""

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import IO

import pytest
from opening_budget_suite import KEY, slots_of
from waiting import until

from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.storage.ports.opening_budgets import OpeningBudgets
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.opening_budgets import SqlOpeningBudgets

SUITES = str(Path(__file__).resolve().parents[2] / "suites")
PLACES = [
    "records",
    pytest.param("file", marks=pytest.mark.sqlite_file),
    pytest.param("postgres", marks=pytest.mark.postgres),
]
SIZE = 61
ENDLESS = 10**6
DEATHS = 4


@asynccontextmanager
async def opened(place: str) -> AsyncIterator[OpeningBudgets]:
    """The store at the address of a database, or in the folder."""
    if "://" not in place:
        yield LocalOpeningBudgets(Path(place))
        return
    database = await Database.open(place)
    try:
        yield SqlOpeningBudgets(database)
    finally:
        await database.close()


async def take_all(place: str) -> None:
    """What one process does: takes openings, and says each that it got."""
    async with opened(place) as budgets:
        async for slot in slots_of(budgets):
            print(slot, flush=True)


async def register(place: str, size: int) -> None:
    async with opened(place) as budgets:
        await budgets.register(KEY, size)


async def taken(place: str) -> int:
    async with opened(place) as budgets:
        return (await budgets.budget(KEY)).taken


def start(place: str, *before: str, out: IO[str] | int = subprocess.PIPE) -> subprocess.Popen[str]:
    code = (
        f"import sys; sys.path[:0] = [{SUITES!r}, {str(Path(__file__).parent)!r}]\n"
        "import asyncio, test_openings_between_processes as t\n"
        + "".join(f"{line}\n" for line in before)
        + f"asyncio.run(t.take_all({place!r}))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=out, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path, url_of_kind: Callable[[str], str]) -> str:
    return str(tmp_path / "openings") if request.param == "records" else url_of_kind(request.param)


def test_two_processes_share_a_count(place: str) -> None:
    asyncio.run(register(place, SIZE))
    processes = [start(place), start(place)]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    slots = [[int(line) for line in out.split()] for out, _ in said]
    assert sorted(slots[0] + slots[1]) == list(range(SIZE - 1))
    assert all(each == sorted(each) for each in slots)


def _all_written(files: Sequence[Path]) -> bool:
    return all(file.stat().st_size for file in files)


@pytest.mark.slow
def test_processes_that_are_killed(place: str, tmp_path: Path) -> None:
    """Two at a time, each killed at a random moment of its work and followed by another."""
    asyncio.run(register(place, ENDLESS))
    chance = random.Random(17)  # noqa: S311 - for moments
    files = [tmp_path / f"slots {number}" for number in range(2 * DEATHS)]
    for pair in zip(files[::2], files[1::2], strict=True):
        processes = []
        for file in pair:
            with file.open("w") as out:
                processes.append(start(place, out=out))
        asyncio.run(until(partial(_all_written, pair), "each process took a slot"))
        for process in processes:
            time.sleep(chance.random() * 0.05)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=120)
            assert process.returncode == -signal.SIGKILL
    # A line may be cut short with its process.
    given = [int(line) for file in files for line in file.read_text().split("\n")[:-1]]
    count = asyncio.run(taken(place))
    assert len(given) == len(set(given))
    assert max(given) < count
    # Each that died may have taken one that it never said.
    assert len(given) <= count <= len(given) + len(files)


def test_a_process_that_forks_shares_the_count(tmp_path: Path) -> None:
    """Records alone: a connection to a database is nothing that forks."""
    budgets = LocalOpeningBudgets(tmp_path / "openings")
    asyncio.run(budgets.register(KEY, SIZE))
    first = asyncio.run(budgets.take(KEY)).slot
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(writing, f"{asyncio.run(budgets.take(KEY)).slot}".encode())
            status = 0
        finally:
            os._exit(status)
    own = asyncio.run(budgets.take(KEY)).slot
    assert os.waitpid(child, 0)[1] == 0
    assert sorted([first, own, int(os.read(reading, 16))]) == [0, 1, 2]
    os.close(reading)
    os.close(writing)


def test_a_disk_that_fills_gives_no_slot(tmp_path: Path) -> None:
    place = tmp_path / "openings"
    asyncio.run(register(str(place), SIZE))
    process = start(
        str(place),
        "import resource, signal",
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (100, {resource.RLIM_INFINITY}))",
    )
    out, error = process.communicate(timeout=120)
    assert (out, process.returncode) == ("", 1)
    assert "the disk is full; nothing was lost, try again once the operator made room" in error
    assert sorted(path.name for path in place.iterdir()) == [f"{KEY.raw.hex()}.json", "lock"]
    assert asyncio.run(taken(str(place))) == 0
