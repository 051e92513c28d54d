"""A transaction that inserts new rows and what belongs to them, in one go.

It is one statement on PostgreSQL, and one turn of the driver's thread on SQLite. Beginning and
ending a transaction around one statement for each table took six of either, and four fifths of
the time where a few orders share a commit.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.storage.sql.bulk import (
    SERVER_TYPES,
    TOGETHER,
    Given,
    Run,
    at_one_go,
    in_thread_alone,
    plain_type,
)


class FromRow(str):
    """The name of a value that comes with each row; any other text in its place is SQL."""

    __slots__ = ()


class Place(NamedTuple):
    """Where values go: for each column of the table a given value, or one that is always so."""

    table: Table
    columns: Mapping[str, str]


class NewRows:
    """What is inserted, in two tables and then in those of `follow`.

    The unique keys of the first place's table decide which rows are new. That of the second gives
    each a number. `follow` says what the others take from its row: for each of their columns one
    of its own, its number among them, or SQL.

    A row is a tuple of values in the database's own types, in the order of `names`; no two rows
    have one `key`, which is in both tables and unique. Those of `in_order_of` sort them for the
    first table: two gateways that insert the same rows on a server would else wait for each other.
    """

    def __init__(
        self,
        names: Sequence[str],
        places: tuple[Place, Place],
        *,
        follow: Sequence[Place],
        key: str,
        in_order_of: Sequence[str],
    ) -> None:
        self.names = tuple(names)
        self.places = places
        self.follow = tuple(follow)
        self.key = key
        self._at = self.names.index(key)
        self._sorting = itemgetter(*map(self.names.index, in_order_of))
        self._picks = [
            itemgetter(*(self.names.index(v) for v in place.columns.values() if _is_from_row(v)))
            for place in self.places
        ]

    async def commit(
        self, connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]
    ) -> set[Any]:
        """The keys of the rows that were new. They are durable.

        Raises: DBAPIError, OSError: none is inserted, or it is not known.
        """
        if connection.dialect.name == "postgresql":
            return await self._on_server(connection, rows)
        return await in_thread_alone(connection, lambda db: self._in_file(db, rows))

    async def follow_up(self, connection: AsyncConnection, keys: Sequence[str]) -> None:
        """Inserts what follows rows that are in the first two tables, inside the caller's
        transaction."""
        source = f"FROM given JOIN {self.places[1].table.name} ON {self.key} = wanted"
        statements = [Given(f"{_following(p)} {source}", {"wanted": "text"}) for p in self.follow]

        def insert(run: Run) -> None:
            for statement in statements:
                run(statement, [(key,) for key in keys])

        await at_one_go(connection, insert)

    # -- SQLite -----------------------------------------------------------------------------

    def _in_file(self, db: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> set[Any]:
        db.execute("BEGIN IMMEDIATE")
        try:
            new = self._insert_new(db, rows)
            if new:
                self._insert_numbered(db, new)
            db.execute("COMMIT")
        except BaseException:  # whatever it was, the rows are undone
            if db.in_transaction:
                db.rollback()
            raise
        return {row[self._at] for row in new}

    def _insert_new(
        self, db: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]
    ) -> Sequence[tuple[Any, ...]]:
        # Of two with one key, a payment id say, the same is new as on a server.
        placed = sorted(rows, key=self._sorting)
        count = self._insert(db, 0, placed, " ON CONFLICT DO NOTHING")
        if count == len(rows):
            return rows
        # This transaction alone writes, and a new row gets a number above all others.
        newest = f"SELECT {self.key} FROM {self.places[0].table.name} ORDER BY rowid DESC LIMIT ?"  # noqa: S608
        keys = {key for (key,) in db.execute(newest, (count,))}
        return [row for row in rows if row[self._at] in keys]

    def _insert_numbered(self, db: sqlite3.Connection, new: Sequence[tuple[Any, ...]]) -> None:
        table = self.places[1].table.name
        ((last,),) = db.execute(f"SELECT coalesce(max(number), 0) FROM {table}")  # noqa: S608
        self._insert(db, 1, new, "")
        for place in self.follow:
            # This transaction alone writes, so these are the rows above the last.
            db.execute(f"{_following(place)} FROM {table} WHERE number > ?", (last,))

    def _insert(
        self, db: sqlite3.Connection, number: int, rows: Sequence[tuple[Any, ...]], more: str
    ) -> int:
        """How many rows were inserted. As many go together as are a power of two, so that there
        are few statements to prepare."""
        pick, at, count = self._picks[number], 0, 0
        while at < len(rows):
            size = min(TOGETHER, 1 << ((len(rows) - at).bit_length() - 1))
            values = [value for row in rows[at : at + size] for value in pick(row)]
            count += db.execute(_file_insert(self, number, size) + more, values).rowcount
            at += size
        return count

    # -- PostgreSQL -------------------------------------------------------------------------

    async def _on_server(
        self, connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]
    ) -> set[Any]:
        placed = sorted(enumerate(rows), key=lambda entry: self._sorting(entry[1]))
        columns = [[place for place, _ in placed], *zip(*(row for _, row in placed), strict=True)]
        found = await fetch_alone(connection, _server_insert(self), columns)
        return {row[0] for row in found}


def _is_from_row(value: str) -> bool:
    return isinstance(value, FromRow)


@lru_cache(maxsize=256)
def _file_insert(what: NewRows, number: int, count: int) -> str:
    table, columns = what.places[number]
    values = ", ".join("?" if _is_from_row(value) else value for value in columns.values())
    rows = ", ".join([f"({values})"] * count)
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES {rows}"  # noqa: S608


@lru_cache(maxsize=16)
def _server_insert(what: NewRows) -> str:
    kinds = {
        value: SERVER_TYPES[type(plain_type(place.table.c[name]))]
        for place in what.places
        for name, value in place.columns.items()
        if _is_from_row(value)
    }
    arrays = ", ".join(f"${n}::{kinds[name]}[]" for n, name in enumerate(what.names, 2))
    first, second = (
        f"INSERT INTO {t.name} ({', '.join(names)}) SELECT {', '.join(names.values())} FROM given"  # noqa: S608
        for t, names in what.places
    )
    unnested = f"SELECT * FROM unnest($1::integer[], {arrays})"  # noqa: S608
    new = f"JOIN new USING ({what.key}) ORDER BY place"
    parts = [
        f"given (place, {', '.join(what.names)}) AS ({unnested})",
        f"new AS ({first} ON CONFLICT DO NOTHING RETURNING {what.key})",
        f"made AS ({second} {new} RETURNING {', '.join(_read(what))})",
        *(f"follow_{n} AS ({_following(p)} FROM made)" for n, p in enumerate(what.follow)),
    ]
    return f"WITH {', '.join(parts)} SELECT {what.key} FROM made"  # noqa: S608


def _read(what: NewRows) -> list[str]:
    """What follows reads of a row of the second table, and its key."""
    there = what.places[1].table.c
    taken = {value for place in what.follow for value in place.columns.values() if value in there}
    return sorted(taken | {what.key})


def _following(place: Place) -> str:
    table, columns = place
    taken = ", ".join(columns.values())
    return f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {taken}"


async def fetch_alone(
    connection: AsyncConnection, statement: str, values: Sequence[Any]
) -> Sequence[Any]:
    """The rows of one statement on a server, which is a transaction by itself.

    Raises: DBAPIError, as the engine does; OSError.
    """
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    adapted: Any = raw.dbapi_connection
    library: Any = connection.dialect.loaded_dbapi
    try:
        found: Sequence[Any] = await driver.fetch(statement, *values)
    except OSError:
        # What did not answer in time is not asked again.
        await connection.invalidate()
        raise
    except (library.asyncpg.PostgresError, library.asyncpg.InterfaceError) as error:
        raise await _told(connection, adapted, library.Error, error) from error
    return found


async def _told(
    connection: AsyncConnection, adapted: Any, base: type[Exception], error: Exception
) -> DBAPIError:
    lost = adapted.driver_connection.is_closed()
    if lost:
        await connection.invalidate()
    try:
        adapted._handle_exception(error)
    except base as ours:
        made = DBAPIError.instance(
            None,
            None,
            ours,
            base,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=connection.dialect,
        )
        assert isinstance(made, DBAPIError)  # noqa: S101 - given an exception of the driver's
        return made
    raise AssertionError("the adapter raises")
