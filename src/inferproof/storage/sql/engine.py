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

from inferproof.errors import InferproofError, Reason, Unavailable
from inferproof.storage.ports.leader_lock import Turn
from inferproof.storage.sql.closing import to_the_end
from inferproof.storage.sql.dialect import (
    check_file,
    gather_s,
    is_memory,
    lock_name,
    migrating_engine,
    passes,
    read_address,
    reading_engine,
    storage_error,
    writing_engine,
)
from inferproof.storage.sql.leader_lock import turn, write_turn
from inferproof.storage.sql.migrate import upgrade
from inferproof.storage.sql.wal_checkpoint import WalCheckpointer
from inferproof.storage.sql.writer import BatchOperation, InGroups, Writer
from inferproof.storage.sql.writing import WriteTurn

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - the item of a batch

MEMORY = "sqlite+aiosqlite:///:memory:"


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite database in a file."""
    return f"sqlite+aiosqlite:///{path}"


class Database:
    """One open database. Make it with `Database.open` and close it."""

    def __init__(
        self, url: URL, writing: AsyncEngine, lock: asyncio.Lock, turn: WriteTurn | None
    ) -> None:
        self._writing = writing
        self._reading = reading_engine(url, writing)
        self._url = url
        self._turns: dict[str, object] = {}
        self._given: list[Turn] = []
        self._asked: set[asyncio.Task[Any]] = set()
        self._closing = False
        # In memory there is one connection; a question in the middle of a transaction would
        # see what is not committed.
        self._reads_alone = lock if is_memory(url) else nullcontext()
        self._turn = turn
        self._writer = Writer(writing, lock, self._turn, gather_s=gather_s(url))
        self._write_back: WalCheckpointer | None = None
        if turn is not None:  # a file that others may write too
            mine = self.turn("write back")
            self._write_back = WalCheckpointer(Path(str(url.database)), mine, lock, turn)

    @classmethod
    async def open(cls, url: str) -> "Database":
        """The database at the URL, brought to this version's schema.

        Raises: Misconfigured DATABASE_ADDRESS, DATABASE_NEWER; MissingPart MISSING_LIBRARY;
        Unavailable STORAGE_UNAVAILABLE, STORAGE_FULL.
        """
        parsed = read_address(url)
        check_file(parsed)
        async with AsyncExitStack() as stack:  # what was opened is closed, also when cancelled
            writing = writing_engine(parsed)
            stack.push_async_callback(_dispose, writing)
            turn = write_turn(parsed)
            if turn is not None:
                stack.callback(turn.close)
            try:
                await _migrate(migrating_engine(parsed, writing), writing, turn)
            except (DBAPIError, OSError, InferproofError) as error:
                raise storage_error(error) or error from error
            database = cls(parsed, writing, asyncio.Lock(), turn)
            stack.pop_all()
        return database

    async def close(self) -> None:
        """Returns when every write is committed, every question that was put is answered, what was
        taken for all processes is given back, and the connections are closed."""
        self._closing = True
        await to_the_end(self._close())

    async def _close(self) -> None:
        async with AsyncExitStack() as stack:  # each is closed, also where another fails
            stack.push_async_callback(self._writing.dispose)
            stack.push_async_callback(self._reading.dispose)
            # A connection that is in use is not closed with its engine.
            stack.push_async_callback(self._all_answered)
            if self._turn is not None:
                stack.callback(self._turn.close)
            for turn in self._given:
                stack.push_async_callback(turn.give_back)
            if self._write_back is not None:
                stack.push_async_callback(self._write_back.close)
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

    def turn(self, name: str) -> Turn:
        """The right to do what the name says for all processes on this database, to be taken. What
        is not given back by then ends with the database."""
        given = turn(self._url, name, self._turns)
        self._given.append(given)
        return given

    async def write(self, operation: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """See Writer.write."""
        return await self._writer.write(operation)

    async def write_item(self, operation: BatchOperation[I, T], item: I) -> T:
        """See Writer.write_item."""
        return await self._writer.write_item(operation, item)

    async def write_grouped(self, groups: InGroups[I, T], item: I) -> T:
        """See Writer.write_grouped."""
        return await self._writer.write_grouped(groups, item)


async def _migrate(migrating: AsyncEngine, writing: AsyncEngine, turn: WriteTurn | None) -> None:
    try:
        await to_the_end(_connected(migrating))
        # Whoever writes all the time would else be met at every try.
        async with turn or nullcontext(), migrating.begin() as connection:
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
