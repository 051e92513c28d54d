"""Everything that differs between the databases; no other file names one."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from inferproof.errors import InferproofError, Reason, Unavailable

BUSY_TIMEOUT_MS = 5000
"""How long a statement waits for another process's write, such as a backup, before it fails."""

READERS = 4
"""Connections that ask a SQLite file; each is a thread, and all share one interpreter."""

_FULL = ("database or disk is full", "no space left on device")


def is_memory(url: URL) -> bool:
    """True for a SQLite database that lives in one connection and dies with it."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def check_file(url: URL) -> None:
    """Returns when the file of a SQLite database is there, or was made, and takes writes.

    The driver says only that it is unable to open it, and leaves a thread behind.
    Raises: Unavailable STORAGE_UNAVAILABLE.
    """
    if url.get_backend_name() != "sqlite" or is_memory(url) or url.database is None:
        return
    try:
        Path(url.database).open("ab").close()
    except OSError as error:
        why = f"{url.database}: {error.strerror}"
        raise Unavailable(Reason.STORAGE_UNAVAILABLE, why=why) from error


def writing_engine(url: URL) -> AsyncEngine:
    """The engine that changes things, with one connection on SQLite, which has one writer."""
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url)
    if is_memory(url):
        engine = create_async_engine(url, poolclass=StaticPool)
    else:
        engine = create_async_engine(url, pool_size=1, max_overflow=0)
    # IMMEDIATE takes the write lock at once: a transaction that first reads and then writes
    # could otherwise fail half-way without the busy timeout.
    _prepare_sqlite(engine.sync_engine, begin="BEGIN IMMEDIATE", query_only=False)
    return engine


def reading_engine(url: URL, writer: AsyncEngine) -> AsyncEngine:
    """The engine for questions; the writer's own where there can be only one connection.

    A question is one statement, which is consistent by itself: beginning and ending a
    transaction around it would triple its cost.
    """
    if is_memory(url):
        return writer
    if url.get_backend_name() != "sqlite":
        return writer.execution_options(isolation_level="AUTOCOMMIT")
    engine = create_async_engine(
        url,
        pool_size=READERS,
        max_overflow=0,  # a connection is a thread here: one more for a moment costs more
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
    )
    _prepare_sqlite(engine.sync_engine, begin="BEGIN", query_only=True)
    return engine


def _prepare_sqlite(engine: Engine, *, begin: str, query_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        # The driver's own transaction handling would begin late and break savepoints.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        if query_only:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)


def insert_new(connection: AsyncConnection, table: Table) -> Any:
    """An INSERT that leaves out rows which a unique key forbids, instead of failing."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def storage_error(error: DBAPIError) -> InferproofError | None:
    """The failure in our words, or None when it is a bug of ours and not the medium's."""
    why = str(error.orig)
    if any(text in why.lower() for text in _FULL):
        return Unavailable(Reason.STORAGE_FULL)
    # The bare class is SQLite's for a file that is damaged or no database.
    medium = isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError
    if medium or error.connection_invalidated:
        return Unavailable(Reason.STORAGE_UNAVAILABLE, why=why.splitlines()[0][:200])
    return None
