"""Rows that are written and looked for many at a time; with dialect, where the databases differ.

What surrounds a statement costs more than one row does: a round trip to a server, or on SQLite a
change of threads. So the fewer there are, the better, and each is prepared once for any number of
rows.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Function,
    Integer,
    LargeBinary,
    String,
    Table,
    TableValuedAlias,
    Text,
    TypeDecorator,
    bindparam,
    cast,
    func,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


async def insert_rows(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Inserts rows, whose values are in the database's own types and under the same columns.

    The statement is prepared once for any number of rows.
    """
    if connection.dialect.name == "sqlite":
        await in_thread(connection, lambda db: _insert_together(db, table, rows))
        return
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

    return await in_thread(connection, insert_some)


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


async def in_thread(connection: AsyncConnection, work: Callable[[sqlite3.Connection], T]) -> T:
    """What the work returns, done in the connection's own thread at one go: each statement that
    goes through the driver alone is three changes of threads. Raises: DBAPIError."""
    if not connection.in_transaction():
        await connection.begin()
    return await in_thread_alone(connection, work)


async def in_thread_alone(
    connection: AsyncConnection, work: Callable[[sqlite3.Connection], T]
) -> T:
    """The same, where the work begins and ends its transaction itself."""
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
        types = [SERVER_TYPES[type(plain_type(table.c[name]))] for name in columns]
        given = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, 1))
        return f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({given})"  # noqa: S608
    places = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table.name} ({names}) VALUES {', '.join([places] * count)}"  # noqa: S608


SERVER_TYPES = {
    String: "text",
    Text: "text",
    LargeBinary: "bytea",
    Integer: "integer",
    BigInteger: "bigint",
    Boolean: "boolean",
}


def plain_type(column: Column[Any]) -> Any:
    return column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type


def _parameters(columns: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> Any:
    return tuple([row[name] for row in rows] for name in columns)


Value = str | int | None


@dataclass(frozen=True, slots=True)
class Given:
    """SQL that is given any number of rows, which it knows as the table `given`. `columns` are
    their names and their types on a server."""

    sql: str
    columns: Mapping[str, str]

    def on(self, dialect: str) -> str:
        return _with_given(dialect, self.sql, tuple(self.columns.items()))


class Run(Protocol):
    """Runs statements."""

    def __call__(
        self, statement: Given, rows: Sequence[Sequence[Value]]
    ) -> Sequence[Sequence[Any]]:
        """What the statement returned, row by row."""
        ...

    def insert(self, table: Table, row: Mapping[str, Any]) -> int:
        """The number that a row got, whose values are in the database's own types."""
        ...


async def at_one_go(connection: AsyncConnection, work: Callable[[Run], T]) -> T:
    """What the work returns, whose statements follow each other without anything in between: on
    SQLite in one turn of the driver's thread."""
    if connection.dialect.name == "sqlite":
        return await in_thread(connection, lambda db: work(_InFile(db)))
    return await connection.run_sync(lambda server: work(_OnServer(server)))


async def execute_given(
    connection: AsyncConnection, statement: Given, rows: Sequence[Sequence[Value]]
) -> Sequence[Sequence[Any]]:
    """The same for one statement."""
    return await at_one_go(connection, lambda run: run(statement, rows))


class _InFile:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __call__(
        self, statement: Given, rows: Sequence[Sequence[Value]]
    ) -> Sequence[Sequence[Any]]:
        return self._db.execute(statement.on("sqlite"), (json.dumps(rows),)).fetchall()

    def insert(self, table: Table, row: Mapping[str, Any]) -> int:
        number = self._db.execute(
            _insert("sqlite", table, tuple(row)), tuple(row.values())
        ).lastrowid
        assert number is not None  # noqa: S101 - the insert either failed or gave it
        return number


class _OnServer:
    def __init__(self, server: Connection) -> None:
        self._server = server

    def __call__(
        self, statement: Given, rows: Sequence[Sequence[Value]]
    ) -> Sequence[Sequence[Any]]:
        columns = tuple(map(list, zip(*rows, strict=True)))
        done = self._server.exec_driver_sql(statement.on("postgresql"), columns)
        return done.all() if done.returns_rows else []

    def insert(self, table: Table, row: Mapping[str, Any]) -> int:
        columns = tuple(row)
        statement = f"{_insert('postgresql', table, columns)} RETURNING number"
        number: int = self._server.exec_driver_sql(
            statement, _parameters(columns, [row])
        ).scalar_one()
        return number


@lru_cache(maxsize=64)
def _with_given(dialect: str, statement: str, columns: tuple[tuple[str, str], ...]) -> str:
    if dialect == "postgresql":
        names = ", ".join(name for name, _ in columns)
        arrays = ", ".join(f"${n}::{kind}[]" for n, (_, kind) in enumerate(columns, 1))
        table = f"unnest({arrays}) AS given ({names})"
    else:
        read = ", ".join(
            f"json_extract(value, '$[{n}]') AS {name}" for n, (name, _) in enumerate(columns)
        )
        table = f"(SELECT {read} FROM json_each(?)) AS given"  # noqa: S608
    before, found, after = statement.partition("FROM given")
    assert found  # noqa: S101 - a constant of ours
    return f"{before}FROM {table}{after}"


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


def gathered(connection: AsyncConnection, column: ColumnElement[int]) -> Function[Any]:
    """All the column's integers in one value, a list; None where there are none and the database
    says so. A row for each would take longer than looking for them."""
    if connection.dialect.name == "postgresql":
        return func.array_agg(column, type_=postgresql.ARRAY(BigInteger))
    return func.json_group_array(column, type_=JSON())
