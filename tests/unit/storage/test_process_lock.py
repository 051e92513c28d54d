"""A SQLite file serves one long-lived process; short commands write beside it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from order_book_suite import digest, order
from postgres_server import Databases

from inferproof.errors import Misconfigured, Reason, Unavailable
from inferproof.storage.ports.rate_limits import ApiKey
from inferproof.storage.sql.api_keys import SqlApiKeys
from inferproof.storage.sql.engine import MEMORY, Database, sqlite_url
from inferproof.testing.memory_store import open_stores
from inferproof.testing.rejections import rejects

SERVER = """
import asyncio, sys
from inferproof.storage.sql.engine import Database

async def main():
    database = await Database.open(sys.argv[1], serving=True)
    print("serves", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path, migrated_file: Path) -> Path:
    path = tmp_path / "orders.db"
    path.write_bytes(migrated_file.read_bytes())
    return path


@pytest.fixture
async def server(path: Path) -> AsyncIterator[Any]:
    """Another process that serves with the file."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVER, sqlite_url(path)), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"serves\n"
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


def refused(path: Path) -> Any:
    message = (
        f"another process serves with the database {path}; SQLite is for one gateway process, "
        "with settler and worker inside it: stop the other one, or use PostgreSQL"
    )
    return rejects(Reason.DATABASE_IN_USE, message, kind=Misconfigured)


def lock_of(path: Path) -> Path:
    return Path(f"{path}.lock")


def exchanged(path: Path, content: bytes) -> bytes:
    """What was in the file before."""
    before = path.read_bytes()
    path.write_bytes(content)
    return before


async def test_a_second_process_that_stays_is_refused(path: Path, server: Any) -> None:
    with refused(path):
        await Database.open(sqlite_url(path), serving=True)
    assert server.returncode is None


async def test_a_second_one_in_the_same_process_is_refused_until_the_first_closes(
    path: Path,
) -> None:
    first = await Database.open(sqlite_url(path), serving=True)
    with refused(path):
        await Database.open(sqlite_url(path), serving=True)
    await first.close()
    await (await Database.open(sqlite_url(path), serving=True)).close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_process_that_ends_leaves_nothing_that_blocks(
    path: Path, server: Any, how: signal.Signals
) -> None:
    os.kill(server.pid, how)
    await server.wait()
    assert lock_of(path).exists()
    await (await Database.open(sqlite_url(path), serving=True)).close()


async def test_opening_that_fails_lets_the_lock_go(path: Path) -> None:
    good = exchanged(path, b"this is not a database" * 100)
    with pytest.raises(Unavailable):
        await Database.open(sqlite_url(path), serving=True)
    exchanged(path, good)
    await (await Database.open(sqlite_url(path), serving=True)).close()


async def test_a_short_command_writes_beside_a_server_that_commits_all_the_time(
    path: Path,
) -> None:
    async with open_stores(sqlite_url(path)) as server:
        command = await Database.open(sqlite_url(path))
        ends = asyncio.Event()

        async def busy() -> int:
            number = 0
            while not ends.is_set():
                reserved = (server.orders.jobs.reserve(order(number + n)) for n in range(8))
                await asyncio.gather(*reserved)
                number += 8
            return number

        working = asyncio.create_task(busy())
        await asyncio.sleep(0.05)
        for number in range(5):
            key = ApiKey(f"{number:016x}", digest("secret"), "label", 2, 1, None)
            await SqlApiKeys(command).add(key)
        ends.set()
        assert await working > 0
        assert len(await SqlApiKeys(server.database).list()) == 5
        await command.close()


async def test_in_memory_each_is_its_own() -> None:
    one, two = [await Database.open(MEMORY, serving=True) for _ in range(2)]
    await one.close()
    await two.close()


@pytest.mark.postgres
async def test_a_server_serves_several(postgres: Databases) -> None:
    url = postgres.fresh()
    one, two = [await Database.open(url, serving=True) for _ in range(2)]
    await one.close()
    await two.close()
