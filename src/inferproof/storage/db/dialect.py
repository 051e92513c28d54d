"""Everything that differs between the databases; no other file names one."""

import asyncio
import hashlib
import importlib.util
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    String,
    Table,
    TableValuedAlias,
    Text,
    TypeDecorator,
    bindparam,
    cast,
    event,
    func,
    text,
)
from sqlalchemy.dialects import postgresql
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
from inferproof.storage.base import Turn
from inferproof.storage.db.writing import WriteTurn

T = TypeVar("T")

BUSY_TIMEOUT_MS = 5000
"""How long a statement waits for another process's write, such as a backup, before it fails."""

CACHE_KIB = 32 * 1024
"""What the connection that writes keeps of the file. Digests are in no order, so that an order
touches a dozen places; with the default of 2 MiB each would soon be read anew."""
CHECKPOINT_PAGES = 8_000
"""Pages of the log (32 MiB) before they are written to the file. Many orders touch a page, and it
is written once for all of them."""

READERS = 4
"""Connections that ask a SQLite file; each is a thread, and all share one interpreter."""

SERVER_READERS = 8
"""Connections that ask a PostgreSQL. With the writer's and one for turns, a gateway holds ten of
the hundred that a server allows by default."""

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
        engine = create_async_engine(url, pool_size=1, max_overflow=0, **_QUIET)
    # IMMEDIATE takes the write lock at once: a transaction that first reads and then writes
    # could otherwise fail half-way without the busy timeout.
    _prepare_sqlite(engine.sync_engine, begin="BEGIN IMMEDIATE", query_only=False)
    return engine


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
        settings["default_transaction_read_only"] = "on"
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


async def lock_name(connection: AsyncConnection, name: str) -> None:
    """Returns when no other process holds this name, and holds it until the transaction ends.

    On SQLite the transaction holds the whole database already.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_key(name)})"))


def is_text(words: str) -> bool:
    """False for what no column holds: PostgreSQL's texts have no character of number zero."""
    return "\0" not in words


async def insert_rows(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Inserts rows, whose values are in the database's own types and under the same columns.

    The statement is prepared once for any number of rows.
    """
    await insert_all(connection, [(table, rows)])


async def insert_all(
    connection: AsyncConnection, given: Sequence[tuple[Table, Sequence[Mapping[str, Any]]]]
) -> None:
    """The same for several tables, in this order."""
    if connection.dialect.name == "sqlite":

        def insert_each(db: sqlite3.Connection) -> None:
            for table, rows in given:
                _insert_together(db, table, rows)

        await _in_thread(connection, insert_each)
        return
    for table, rows in given:
        columns = tuple(rows[0])
        statement = _insert(connection.dialect.name, table, columns)
        await connection.exec_driver_sql(statement, _parameters(columns, rows))


async def insert_new(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]], *, returning: str
) -> set[Any]:
    """Inserts rows but for those that a unique key forbids; one column of those it inserted."""
    if connection.dialect.name == "postgresql":
        columns = tuple(rows[0])
        statement = _insert(connection.dialect.name, table, columns) + " ON CONFLICT DO NOTHING"
        given = _parameters(columns, rows)
        added = await connection.exec_driver_sql(f"{statement} RETURNING {returning}", given)
        return set(added.scalars())

    def insert_some(db: sqlite3.Connection) -> set[Any]:
        count = _insert_together(db, table, rows, " ON CONFLICT DO NOTHING")
        if count == len(rows):
            return {row[returning] for row in rows}
        # This transaction alone writes, and a new row gets a number above all others.
        newest = f"SELECT {returning} FROM {table.name} ORDER BY rowid DESC LIMIT {count}"  # noqa: S608
        return {value for (value,) in db.execute(newest)}

    return await _in_thread(connection, insert_some)


TOGETHER = 32
"""Rows of one statement on SQLite at most, whose parameters older builds take 999 of."""


def _insert_together(
    db: sqlite3.Connection, table: Table, rows: Sequence[Mapping[str, Any]], more: str = ""
) -> int:
    """How many rows were inserted. As many go together as are a power of two, so that there are
    few statements to prepare: the thread waits for the interpreter after each, not each row."""
    columns, at, count = tuple(rows[0]), 0, 0
    while at < len(rows):
        size = min(TOGETHER, 1 << ((len(rows) - at).bit_length() - 1))
        values = [value for row in rows[at : at + size] for value in row.values()]
        count += db.execute(_insert("sqlite", table, columns, size) + more, values).rowcount
        at += size
    return count


async def _in_thread(connection: AsyncConnection, work: Callable[[sqlite3.Connection], T]) -> T:
    """What the work returns, done in the connection's own thread at one go: each statement that
    goes through the driver alone is three changes of threads. Raises: DBAPIError."""
    if not connection.in_transaction():
        await connection.begin()
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    try:
        done: T = await driver._execute(work, driver._conn)
        return done
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            None, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


@lru_cache(maxsize=256)
def _insert(dialect: str, table: Table, columns: tuple[str, ...], count: int = 1) -> str:
    names = ", ".join(columns)
    if dialect == "postgresql":
        types = [_SERVER_ARRAYS[type(_plain_type(table.c[name]))] for name in columns]
        given = ", ".join(f"${n}::{kind}" for n, kind in enumerate(types, 1))
        return f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({given})"  # noqa: S608
    places = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table.name} ({names}) VALUES {', '.join([places] * count)}"  # noqa: S608


_SERVER_ARRAYS = {
    String: "text[]",
    Text: "text[]",
    LargeBinary: "bytea[]",
    Integer: "integer[]",
    BigInteger: "bigint[]",
    Boolean: "boolean[]",
}


def _plain_type(column: Column[Any]) -> Any:
    return column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type


def _parameters(columns: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> Any:
    return tuple([row[name] for row in rows] for name in columns)


def given_rows(
    connection: AsyncConnection, rows: Sequence[Sequence[str]], width: int
) -> tuple[TableValuedAlias, list[ColumnElement[str]]]:
    """Rows of texts as a table to join with, and its columns.

    One statement for any number of rows, prepared once, whose join looks each of them up in an
    index; a list of IN would be read through in both databases.
    """
    if connection.dialect.name == "postgresql":
        names = [f"given_{place}" for place in range(width)]
        texts = postgresql.ARRAY(Text)
        parts = [bindparam(None, [row[n] for row in rows], texts) for n in range(width)]
        table = func.unnest(*parts).table_valued(*names).render_derived(name="given")
        return table, [cast(table.c[name], Text) for name in names]
    table = func.json_each(json.dumps(rows)).table_valued("value", name="given")
    return table, [func.json_extract(table.c.value, f"$[{n}]") for n in range(width)]


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


def _key(name: str) -> int:
    """A number for advisory locks, which have no names. Equal on all machines."""
    digest = hashlib.sha256(f"inferproof {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


# -- turns: what one process does for all --------------------------------------------------------


class _ServerTurn:
    """A turn held by a connection: the server gives it back when the connection ends."""

    def __init__(self, url: URL, name: str) -> None:
        self._engine = _server_engine(
            url, pool_size=1, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
        )
        self._take = text(f"SELECT pg_try_advisory_lock({_key(name)})")
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
        connection, self._connection, self._held = self._connection, None, False
        if connection is not None:
            await connection.invalidate()
            await connection.close()
        await self._engine.dispose()


class _FileTurn:
    """A turn held by a lock on a file beside the database, which ends with the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    async def mine(self) -> bool:
        return await asyncio.to_thread(self._lock)

    def _lock(self) -> bool:
        import fcntl  # not on Windows

        if self._file is not None:
            return True
        try:
            file = self._path.open("ab")
        except OSError as error:
            raise storage_error(error) or error from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
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
