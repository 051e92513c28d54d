"""Turns: what one process does for all on one database, and whose process it is."""

import hashlib
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.ports.leader_lock import Turn
from inferproof.storage.sql.closing import to_the_end
from inferproof.storage.sql.dialect import (
    BUSY_TIMEOUT_MS,
    is_memory,
    lock_key,
    one_server_connection,
    storage_error,
)
from inferproof.storage.sql.writing import WriteTurn


class _ServerTurn:
    """A turn held by a connection: the server gives it back when the connection ends."""

    def __init__(self, url: URL, name: str) -> None:
        self._engine = one_server_connection(url)
        self._take = text(f"SELECT pg_try_advisory_lock({lock_key(name)})")
        self._connection: AsyncConnection | None = None
        self._held = False

    async def mine(self) -> bool:
        try:
            if self._connection is None:
                self._connection = await self._engine.connect()
            if self._held:
                await self._connection.execute(text("SELECT 1"))
            else:
                self._held = bool(await self._connection.scalar(self._take))
        except (DBAPIError, OSError) as error:
            await self.give_back()
            raise storage_error(error) or error from error
        return self._held

    async def give_back(self) -> None:
        await to_the_end(self._close())

    async def _close(self) -> None:
        connection, self._connection, self._held = self._connection, None, False
        async with AsyncExitStack() as stack:  # each is closed, also where another fails
            stack.push_async_callback(self._engine.dispose)
            if connection is not None:
                stack.push_async_callback(connection.close)
                await connection.invalidate()


class _FileTurn:
    """A turn held by a lock on a file beside the database, which ends with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    async def mine(self) -> bool:
        # Not in a thread: one that goes on when its caller is cancelled would open the file, and
        # take the lock, after it was given back. To ask without waiting takes microseconds.
        import fcntl  # not on Windows

        if self._file is not None:
            return True
        try:
            file = self._path.open("ab")
        except OSError as error:
            raise storage_error(error) or error from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            if isinstance(error, BlockingIOError):
                return False
            raise storage_error(error) or error from error
        self._file = file
        return True

    async def give_back(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _MemoryTurn:
    """A turn in a database that no other process sees."""

    def __init__(self, holders: dict[str, object], name: str) -> None:
        self._holders = holders
        self._name = name

    async def mine(self) -> bool:
        return self._holders.setdefault(self._name, self) is self

    async def give_back(self) -> None:
        if self._holders.get(self._name) is self:
            del self._holders[self._name]


def write_turn(url: URL) -> WriteTurn | None:
    """What is to be held around each transaction; None where the database queues by itself."""
    if url.get_backend_name() != "sqlite" or is_memory(url):
        return None
    return WriteTurn(Path(str(url.database)), patience_s=BUSY_TIMEOUT_MS / 1000)


def turn(url: URL, name: str, holders: dict[str, object]) -> Turn:
    """The turn of this name, not taken yet. `holders` is the open database's own."""
    if is_memory(url):
        return _MemoryTurn(holders, name)
    if url.get_backend_name() == "sqlite":
        slug = hashlib.sha256(name.encode()).hexdigest()[:16]
        return _FileTurn(Path(f"{url.database}.{slug}.turn"))
    return _ServerTurn(url, name)
