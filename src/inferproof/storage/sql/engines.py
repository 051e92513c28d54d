"""The engines of a database: connections that write, that read, that migrate."""

from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from inferproof.storage.sql.address import is_memory

BUSY_TIMEOUT_MS = 5000
"""How long a transaction waits for the write of another process, which is a short command or a
backup, before it fails."""

CACHE_KIB = 32 * 1024
"""What the connection that writes keeps of the file. Digests are in no order, so that an order
touches a dozen places; with the default of 2 MiB each would soon be read anew."""
CHECKPOINT_PAGES = 64_000
"""Pages of the log (250 MiB) from which on a commit writes them to the file, where
`wal_checkpoint` has not done it in time."""

READERS = 4
"""Connections that ask a SQLite file; each is a thread, and all share one interpreter."""

SERVER_READERS = 8
"""Connections that ask a PostgreSQL. With the writer's and one for leader locks, a gateway holds
ten of the hundred that a server allows by default."""

POOL_WAIT_S = 5.0
CONNECT_S = 5.0
STATEMENT_MS = 10_000
"""How long the server works on one statement. The slowest of ours takes tens of milliseconds."""
ANSWER_S = 12.0
"""How long an answer is waited for: longer than the server's own limit, which says why it ended."""
MIGRATION_S = 3600.0
"""A migration rewrites what is there; a gateway that starts beside it waits for it."""

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
