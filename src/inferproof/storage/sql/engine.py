"""A database that is open: migrated, with its writer and its readers."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inferproof.errors import Reason, Unavailable
from inferproof.storage.ports.leader_lock import LeaderLock
from inferproof.storage.sql.address import check_file, is_memory, read_address
from inferproof.storage.sql.closing import to_the_end
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
        self._given: list[LeaderLock] = []
        self._asked: set[asyncio.Task[Any]] = set()
        self._closing = False
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
        async with AsyncExitStack() as stack:  # what was opened is closed, also when cancelled
            lock = ProcessLock.take(parsed) if serving else None
            if lock is not None:
                stack.callback(lock.close)
            writing = writing_engine(parsed)
            stack.push_async_callback(_dispose, writing)
            try:
                await _migrate(migrating_engine(parsed, writing), writing)
            except (DBAPIError, OSError) as error:
                raise storage_error(error) or error from error
            database = cls(parsed, writing, lock)
            stack.pop_all()
        return database

    async def close(self) -> None:
        """Returns when every write is committed, every question that was put is answered, what was
        taken for all processes is given back, and the connections are closed."""
        self._closing = True
        await to_the_end(self._close())

    async def _close(self) -> None:
        async with AsyncExitStack() as stack:  # each is closed, also where another fails
            if self._serving is not None:
                stack.callback(self._serving.close)
            stack.push_async_callback(self._writing.dispose)
            stack.push_async_callback(self._reading.dispose)
            # A connection that is in use is not closed with its engine.
            stack.push_async_callback(self._all_answered)
            for lock in self._given:
                stack.push_async_callback(lock.release)
            if self._checkpointer is not None:
                stack.push_async_callback(self._checkpointer.close)
            await self._writer.close()

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
        if self._closing:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, why="it is being closed")
        # A driver that is interrupted may leave a connection to nobody. So a question ends by
        # itself, whoever still waits for it; how long that takes, the statement's limit says.
        asked = asyncio.create_task(self._answer(question), name="database question")
        self._asked.add(asked)
        asked.add_done_callback(self._asked.discard)
        return await asyncio.shield(asked)

    async def _answer(self, question: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async with self._reads_alone, self._reading.connect() as connection:
            return await question(connection)

    async def _all_answered(self) -> None:
        if self._asked:
            await asyncio.wait(self._asked)

    def leader_lock(self, name: str) -> LeaderLock:
        """The right to do what the name says for all processes on this database, to be taken. What
        is not released by then ends with the database."""
        given = leader_lock(self._url, name, self._leaders)
        self._given.append(given)
        return given

    async def write(self, operation: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """See Writer.write."""
        return await self._writer.write(operation)

    async def write_item(self, operation: BatchOperation[I, T], item: I) -> T:
        """See Writer.write_item."""
        return await self._writer.write_item(operation, item)


async def _migrate(migrating: AsyncEngine, writing: AsyncEngine) -> None:
    try:
        await to_the_end(_connected(migrating))
        async with migrating.begin() as connection:
            await lock_name(connection, "schema")
            await connection.run_sync(upgrade)
    finally:
        if migrating is not writing:
            await _dispose(migrating)


async def _connected(engine: AsyncEngine) -> None:
    """Returns when the engine has a connection, which it keeps."""
    async with engine.connect():
        pass


async def _dispose(engine: AsyncEngine) -> None:
    await to_the_end(engine.dispose())
