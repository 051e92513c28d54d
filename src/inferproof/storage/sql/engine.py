"""A database that is open: migrated, with its writer and its readers."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inferproof.errors import Reason, Unavailable
from inferproof.storage.ports.leader_lock import LeaderLock
from inferproof.storage.sql.address import check_file, is_memory, read_address
from inferproof.storage.sql.constructs import lock_name
from inferproof.storage.sql.engines import migrating_engine, reading_engine, writing_engine
from inferproof.storage.sql.failures import passes, storage_error
from inferproof.storage.sql.leader_lock import leader_lock
from inferproof.storage.sql.migrate import upgrade
from inferproof.storage.sql.process_lock import ProcessLock
from inferproof.storage.sql.wal_checkpoint import WalCheckpointer
from inferproof.storage.sql.writer import BatchOperation, Writer

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - the item of a batch

MEMORY = "sqlite+aiosqlite:///:memory:"


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite database in a file."""
    return f"sqlite+aiosqlite:///{path}"


class Database:
    """One open database. Make it with `Database.open` and close it."""

    def __init__(self, url: URL, writing: AsyncEngine, serving: ProcessLock | None) -> None:
        self._writing = writing
        self._reading = reading_engine(url, writing)
        self._url = url
        self._serving = serving
        self._leaders: dict[str, object] = {}
        lock = asyncio.Lock()
        # In memory there is one connection; a question in the middle of a transaction would
        # see what is not committed.
        self._reads_alone = lock if is_memory(url) else nullcontext()
        self._writer = Writer(writing, lock)
        self._checkpointer: WalCheckpointer | None = None
        if url.get_backend_name() == "sqlite" and not is_memory(url):
            self._checkpointer = WalCheckpointer(Path(str(url.database)), lock)

    @classmethod
    async def open(cls, url: str, *, serving: bool = False) -> "Database":
        """The database at the URL, brought to this version's schema.

        `serving` is for a process that stays: a SQLite file takes one of these at a time.
        Raises: Misconfigured DATABASE_ADDRESS, DATABASE_IN_USE, DATABASE_NEWER; MissingPart
        MISSING_LIBRARY; Unavailable STORAGE_UNAVAILABLE, STORAGE_FULL.
        """
        parsed = read_address(url)
        check_file(parsed)
        lock = ProcessLock.take(parsed) if serving else None
        writing = writing_engine(parsed)
        migrating = migrating_engine(parsed, writing)
        try:
            async with migrating.begin() as connection:
                await lock_name(connection, "schema")
                await connection.run_sync(upgrade)
        except BaseException as error:  # cancelled too, the lock and the connection are let go
            await writing.dispose()
            if lock is not None:
                lock.close()
            if isinstance(error, DBAPIError | OSError):
                raise storage_error(error) or error from error
            raise
        finally:
            if migrating is not writing:
                await migrating.dispose()
        return cls(parsed, writing, lock)

    async def close(self) -> None:
        """Returns when every write is committed and the connections are closed."""
        await self._writer.close()
        if self._checkpointer is not None:
            await self._checkpointer.close()
        await self._reading.dispose()
        await self._writing.dispose()
        if self._serving is not None:
            self._serving.close()

    async def read(self, question: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What the question returns of what is committed. Each statement is consistent by itself.

        Raises: Unavailable STORAGE_UNAVAILABLE.
        """
        try:
            try:
                return await self._ask(question)
            except DBAPIError as error:
                if not passes(error):
                    raise
            return await self._ask(question)
        except (DBAPIError, OSError) as error:
            raise storage_error(error) or error from error
        except PoolTimeoutError as error:
            raise Unavailable(
                Reason.STORAGE_UNAVAILABLE, why="every connection is in use"
            ) from error

    async def _ask(self, question: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async with self._reads_alone, self._reading.connect() as connection:
            return await question(connection)

    def leader_lock(self, name: str) -> LeaderLock:
        """The right to do what the name says for all processes on this database, to be taken."""
        return leader_lock(self._url, name, self._leaders)

    async def write(self, operation: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """See Writer.write."""
        return await self._writer.write(operation)

    async def write_item(self, operation: BatchOperation[I, T], item: I) -> T:
        """See Writer.write_item."""
        return await self._writer.write_item(operation, item)
