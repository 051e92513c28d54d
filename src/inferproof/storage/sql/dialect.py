"""What differs between the databases. Besides this, only bulk, new_rows and turns name one."""

import hashlib
import importlib.util
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    event,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    OperationalError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql.visitors import InternalTraversal

from inferproof.errors import InferproofError, Misconfigured, MissingPart, Reason, Unavailable

BUSY_TIMEOUT_MS = 5000
"""How long a statement waits for another process's write, such as a backup, before it fails."""

CACHE_KIB = 32 * 1024
"""What the connection that writes keeps of the file. Digests are in no order, so that an order
touches a dozen places; with the default of 2 MiB each would soon be read anew."""
CHECKPOINT_PAGES = 64_000
"""Pages of the log (250 MiB) from which on a commit writes them to the file, where `write_back` has
not done it in time."""

READERS = 4
"""Connections that ask a SQLite file; each is a thread, and all share one interpreter."""

SERVER_READERS = 8
"""Connections that ask a PostgreSQL. With the writer's and one for turns, a gateway holds ten of
the hundred that a server allows by default."""

GATHER_S = {"sqlite": 0.004, "postgresql": 0.005}
"""The least time between the beginnings of two commits of items that came together. Orders come in
groups, one with each answer about purses, at longer intervals: a group is committed as soon as it
is there, and what trickles in behind it goes with the next."""

POOL_WAIT_S = 5.0
CONNECT_S = 5.0
STATEMENT_MS = 10_000
"""How long the server works on one statement. The slowest of ours takes tens of milliseconds."""
ANSWER_S = 12.0
"""How long an answer is waited for: longer than the server's own limit, which says why it ended."""
MIGRATION_S = 3600.0
"""A migration rewrites what is there; a gateway that starts beside it waits for it."""

IN_ITS_INDEX: dict[str, Any] = {"sqlite_with_rowid": False}
"""For a table whose rows are little more than their key: kept in its index, they are written once.
PostgreSQL has no such table."""


def having(column: str) -> dict[str, Any]:
    """For an index of those rows alone that have something in this column. Where few rows do, the
    others cost it nothing; a comparison with the column finds it all the same."""
    condition = text(f"{column} IS NOT NULL")
    return {"sqlite_where": condition, "postgresql_where": condition}


_ASKING = {
    "default_transaction_read_only": "on",
    # A plan that is kept was made for what the tables were when the gateway began: often empty.
    "plan_cache_mode": "force_custom_plan",
    # What is wanted in turn is read in the order of an index, and no further than it is wanted. A
    # server that believes in few rows reads and sorts all that wait, who may be very many.
    "enable_sort": "off",
    # Sorting all the same is then reckoned so dear that the server would compile the plan first.
    "jit": "off",
}
"""Of connections for questions on a server. It knows how many rows there are by samples that it
takes now and then, while what waits comes and goes within seconds."""

_QUIET: dict[str, Any] = {"hide_parameters": True}
"""A failure's text must not hold rows: they are inputs and signatures, and texts are passed on."""

_FULL = ("database or disk is full", "no space left on device")
_SERVER_FULL = "53100"
_SERVER_MEDIUM = ("08", "28", "3D", "40", "53", "57", "58", "XX", "25006", "42501", "55P03")
"""SQLSTATE classes and codes that mean connection, access, conflict, resources, shutdown, disk,
damage, a server that only reads, a missing right, a lock that is not given back."""
_SERVER_AGAIN = ("40001", "40P01")
"""Another transaction won. Nothing of this one remains, so the same again is right."""

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_SCHEMES = {"postgres": "postgresql"}


def read_address(address: str) -> URL:
    """The address, with the driver that this program uses and TLS as that driver calls it.

    Raises: Misconfigured DATABASE_ADDRESS; MissingPart MISSING_LIBRARY.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise Misconfigured(Reason.DATABASE_ADDRESS, problem="it is not an address") from None
    scheme, _, driver = url.drivername.partition("+")
    backend = _SCHEMES.get(scheme, scheme)
    ours = _DRIVERS.get(backend)
    if ours is None or driver not in ("", ours.partition("+")[2]):
        raise Misconfigured(Reason.DATABASE_ADDRESS, problem=f"{url.drivername} is not supported")
    url = url.set(drivername=ours)
    if backend == "sqlite":
        return url
    if importlib.util.find_spec("asyncpg") is None:
        raise MissingPart(
            Reason.MISSING_LIBRARY,
            feature="PostgreSQL",
            package="asyncpg",
            command="pip install 'inferproof[postgres]'",
        )
    query = dict(url.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    unknown = sorted(query.keys() - {"host", "port", "ssl"})
    if unknown:
        problem = f"its parameter {unknown[0]} is not supported"
        raise Misconfigured(Reason.DATABASE_ADDRESS, problem=problem)
    return url.set(query=query)


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
    """The engine that changes things, with the one connection of the one writer."""
    if url.get_backend_name() != "sqlite":
        return _server_engine(url, pool_size=1)
    if is_memory(url):
        engine = create_async_engine(url, poolclass=StaticPool, **_QUIET)
    else:
        engine = create_async_engine(
            url, pool_size=1, max_overflow=0, pool_reset_on_return=None, **_QUIET
        )
    # IMMEDIATE takes the write lock at once: a transaction that first reads and then writes
    # could otherwise fail half-way without the busy timeout.
    _prepare_sqlite(engine.sync_engine, begin="BEGIN IMMEDIATE", query_only=False)

    @event.listens_for(engine.sync_engine, "reset")
    def _reset(connection: Any, _record: object, _state: object) -> None:
        # A commit that failed leaves its transaction open. To roll back in any case would be a
        # turn of the thread for each commit.
        if connection.driver_connection.in_transaction:
            connection.rollback()

    return engine


def log_connection(path: Path) -> sqlite3.Connection:
    """A connection that writes a file's log back: it waits for the disk as commits do, and commits
    nothing. For one thread at a time. A file that is gone is not made anew.

    Raises: sqlite3.Error.
    """
    there = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        there, timeout=0, isolation_level=None, check_same_thread=False, uri=True
    )
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def write_back_log(connection: sqlite3.Connection) -> int:
    """Writes the log to the file as far as no reader needs it as it is; how long it is, in pages.
    Nobody is waited for, and nobody waits. Raises: sqlite3.Error."""
    ((_busy, pages, _written),) = connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return int(pages)


def gather_s(url: URL) -> float:
    """The least time between two commits of items that came together, in seconds."""
    return GATHER_S[url.get_backend_name()]


def migrating_engine(url: URL, writer: AsyncEngine) -> AsyncEngine:
    """The engine that changes the schema, which may take its time."""
    if url.get_backend_name() == "sqlite":
        return writer
    return _server_engine(url, pool_size=1, limit_s=MIGRATION_S)


def snapshot_engine(url: URL) -> AsyncEngine:
    """The engine of one long look at what is committed at its first question; it blocks nobody."""
    if url.get_backend_name() != "sqlite":
        return _server_engine(
            url, pool_size=1, limit_s=MIGRATION_S, read_only=True, isolation_level="REPEATABLE READ"
        )
    engine = create_async_engine(url, pool_size=1, max_overflow=0, **_QUIET)
    _prepare_sqlite(engine.sync_engine, begin="BEGIN", query_only=True)
    return engine


def continue_numbers(connection: Connection, table: Table) -> None:
    """Lets the table count on after the rows that were inserted with their numbers. SQLite does
    so by itself."""
    if connection.dialect.name == "postgresql" and "number" in table.c:
        name = table.name  # one of our own tables
        connection.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'number'), max(number)) "  # noqa: S608
                f"FROM {name} HAVING max(number) IS NOT NULL"
            )
        )


def reading_engine(url: URL, writer: AsyncEngine) -> AsyncEngine:
    """The engine for questions; the writer's own where there can be only one connection.

    A question is one statement, which is consistent by itself: beginning and ending a
    transaction around it would triple its cost.
    """
    if is_memory(url):
        return writer
    if url.get_backend_name() != "sqlite":
        return _server_engine(
            url,
            pool_size=SERVER_READERS,
            isolation_level="AUTOCOMMIT",
            pool_reset_on_return=None,
            read_only=True,
        )
    engine = create_async_engine(
        url,
        pool_size=READERS,
        max_overflow=0,  # a connection is a thread here: one more for a moment costs more
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        **_QUIET,
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
        else:
            cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            cursor.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)


def _server_engine(
    url: URL, *, pool_size: int, limit_s: float | None = None, read_only: bool = False, **more: Any
) -> AsyncEngine:
    limit_ms = STATEMENT_MS if limit_s is None else round(limit_s * 1000)
    settings = {
        "application_name": "inferproof",
        "statement_timeout": str(limit_ms),
        "lock_timeout": str(limit_ms if limit_s else limit_ms // 2),
        # A gateway that hangs in a transaction must not hold up the others for ever.
        "idle_in_transaction_session_timeout": str(2 * STATEMENT_MS),
        # Whoever lowers this for the whole server does not lower it for money.
        "synchronous_commit": "on",
        "timezone": "UTC",
    }
    if read_only:
        settings |= _ASKING
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        connect_args={
            "timeout": CONNECT_S,
            "command_timeout": limit_s or ANSWER_S,
            "server_settings": settings,
        },
        **_QUIET,
        **more,
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def _checkout(connection: Any, _record: object, _proxy: object) -> None:
        # The driver notices a closed socket by itself; asking the server would cost a round trip.
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    @event.listens_for(engine.sync_engine, "handle_error")
    def _handle(context: Any) -> None:
        # What did not answer in time is not asked again: a rollback would wait as long.
        if isinstance(context.original_exception, OSError):
            context.is_disconnect = True

    return engine


def one_server_connection(url: URL) -> AsyncEngine:
    """The engine of one connection to a server, whose statements are no transactions."""
    return _server_engine(url, pool_size=1, isolation_level="AUTOCOMMIT", pool_reset_on_return=None)


async def lock_name(connection: AsyncConnection, name: str) -> None:
    """Returns when no other process holds this name, and holds it until the transaction ends.

    On SQLite the transaction holds the whole database already.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({lock_key(name)})"))


def is_text(words: str) -> bool:
    """False for what no column holds: PostgreSQL's texts have no character of number zero."""
    return "\0" not in words


class ByBytes(ColumnElement[str]):
    """A text that sorts by its bytes everywhere, whatever language a server was set up for."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[str]) -> None:
        self.column = column
        self.type = column.type

    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012


@compiles(ByBytes)
def _by_bytes(element: ByBytes, compiler: Any, **options: Any) -> str:
    words = compiler.process(element.column, **options)
    return f'{words} COLLATE "C"' if compiler.dialect.name == "postgresql" else words


class Compared(ColumnElement[Any]):
    """A column of texts that rows found by another one are compared with, and none is looked for
    by.

    SQLite does not know how many rows have a value, and a server may not know it yet. Of two
    indexes they may take the one in which nearly every row is found, and read them all.
    """

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        self.column = column
        self.type = column.type

    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012


@compiles(Compared)
def _compared(element: Compared, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.column, **options)
    return f"+{column}" if compiler.dialect.name == "sqlite" else f"coalesce({column}, '')"


def storage_error(error: Exception) -> InferproofError | None:
    """The failure in our words, or None when it is a bug of ours and not the medium's."""
    if isinstance(error, OSError):  # TimeoutError is one
        why = "it did not answer in time" if isinstance(error, TimeoutError) else str(error)
        return Unavailable(Reason.STORAGE_UNAVAILABLE, why=_shown(why))
    if not isinstance(error, DBAPIError):
        return None
    why = str(error.orig)
    if any(text in why.lower() for text in _FULL):
        return Unavailable(Reason.STORAGE_FULL)
    if hasattr(error.orig, "sqlstate"):
        return _server_error(error, getattr(error.orig, "sqlstate", None) or "")
    # The bare class is SQLite's for a file that is damaged or no database.
    medium = isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError
    if medium or error.connection_invalidated:
        return Unavailable(Reason.STORAGE_UNAVAILABLE, why=_shown(why))
    return None


def _server_error(error: DBAPIError, state: str) -> InferproofError | None:
    if state == _SERVER_FULL:
        return Unavailable(Reason.STORAGE_FULL)
    if state.startswith(_SERVER_MEDIUM) or error.connection_invalidated or passes(error):
        # SQLAlchemy puts the driver's class in front of its words.
        why = str(error.orig).partition(">: ")[2] or str(error.orig)
        return Unavailable(Reason.STORAGE_UNAVAILABLE, why=_shown(why))
    return None


def _shown(why: str) -> str:
    return why.strip().splitlines()[0][:200] if why.strip() else "no reason was given"


def passes(error: Exception) -> bool:
    """True when the same transaction, begun again at once, may well succeed."""
    orig = getattr(error, "orig", None)
    if getattr(orig, "sqlstate", None) in _SERVER_AGAIN:
        return True
    # Another gateway migrated under a prepared statement; the driver prepares it anew.
    return type(orig).__name__ == "InvalidCachedStatementError"


def lock_key(name: str) -> int:
    """A number for advisory locks, which have no names. Equal on all machines."""
    digest = hashlib.sha256(f"inferproof {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
