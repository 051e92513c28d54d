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

from inferproof.errors import InferproofError, Reason, Unavailable
from inferproof.storage.ports.leader_lock import Turn
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
        writing = writing_engine(parsed)
        migrating = migrating_engine(parsed, writing)
        turn = write_turn(parsed)
        try:
            # Whoever writes all the time would else be met at every try.
            async with turn or nullcontext(), migrating.begin() as connection:
                await lock_name(connection, "schema")
                await connection.run_sync(upgrade)
        except (DBAPIError, OSError, InferproofError) as error:
            await writing.dispose()
            if turn is not None:
                turn.close()
            raise storage_error(error) or error from error
        finally:
            if migrating is not writing:
                await migrating.dispose()
        return cls(parsed, writing, asyncio.Lock(), turn)

    async def close(self) -> None:
        """Returns when every write is committed and the connections are closed."""
        await self._writer.close()
        if self._write_back is not None:
            await self._write_back.close()
        if self._turn is not None:
            self._turn.close()
        await self._reading.dispose()
        await self._writing.dispose()

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

    def turn(self, name: str) -> Turn:
        """The right to do what the name says for all processes on this database, to be taken."""
        return turn(self._url, name, self._turns)

    async def write(self, operation: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """See Writer.write."""
        return await self._writer.write(operation)

    async def write_item(self, operation: BatchOperation[I, T], item: I) -> T:
        """See Writer.write_item."""
        return await self._writer.write_item(operation, item)

    async def write_grouped(self, groups: InGroups[I, T], item: I) -> T:
        """See Writer.write_grouped."""
        return await self._writer.write_grouped(groups, item)
