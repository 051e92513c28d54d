"""What the two databases write differently, as constructs of SQLAlchemy Core."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Function,
    Select,
    Table,
    TableValuedAlias,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from inferproof.storage.openings.identity import place_of
from inferproof.types.digest import Digest

IN_ITS_INDEX: dict[str, Any] = {"sqlite_with_rowid": False}
"""For a table whose rows are little more than their key: kept in its index, they are written once.
PostgreSQL has no such table."""


def having(column: str) -> dict[str, Any]:
    """For an index of those rows alone that have something in this column. Where few rows do, the
    others cost it nothing; a comparison with the column finds it all the same."""
    condition = text(f"{column} IS NOT NULL")
    return {"sqlite_where": condition, "postgresql_where": condition}


async def insert_new(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    returning: Column[Any],
) -> set[Any]:
    """Inserts rows, under the same columns each, but for those that a unique key forbids; one
    column of those it inserted."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = make(table).on_conflict_do_nothing().returning(returning)
    return set(await connection.scalars(statement, rows))


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


def listed(connection: AsyncConnection, digests: Sequence[Digest]) -> Select[Any]:
    """The digests as a question to compare a column with: one parameter for any number of them."""
    given, (column,) = given_rows(connection, [(digest.hex,) for digest in digests], 1)
    return select(column).select_from(given)


def gathered(connection: AsyncConnection, column: ColumnElement[int]) -> Function[Any]:
    """All the column's integers in one value, a list; None where there are none and the database
    says so. A row for each would take longer than looking for them."""
    if connection.dialect.name == "postgresql":
        return func.array_agg(column, type_=postgresql.ARRAY(BigInteger))
    return func.json_group_array(column, type_=JSON())


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


async def lock_name(connection: AsyncConnection, name: str) -> None:
    """Returns when no other process holds this name, and holds it until the transaction ends.

    On SQLite the transaction holds the whole database already.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({lock_key(name)})"))


def is_text(words: str) -> bool:
    """False for what no column holds: PostgreSQL's texts have no character of number zero."""
    return "\0" not in words


class by_bytes(FunctionElement[str]):  # noqa: N801 - it reads as a function of SQL
    """A text that sorts by its bytes everywhere, whatever language a server was set up for."""

    inherit_cache = True
    type = Text()


@compiles(by_bytes)
def _by_bytes(element: by_bytes, compiler: Any, **options: Any) -> str:
    words = compiler.process(element.clauses, **options)
    return f'{words} COLLATE "C"' if compiler.dialect.name == "postgresql" else words


def compared(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column of texts that rows found by another one are compared with, and none is looked for
    by.

    SQLite does not know how many rows have a value, and a server may not know it yet. Of two
    indexes they may take the one in which nearly every row is found, and read them all.
    """
    return func.coalesce(column, literal_column("''"), type_=column.type)


def lock_key(name: str) -> int:
    """A number for advisory locks, which have no names. Equal on all machines."""
    digest = hashlib.sha256(f"inferproof {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


_SERVER_PLACE = """
    SELECT (SELECT system_identifier FROM pg_control_system()) || ' database '
        || (SELECT oid FROM pg_database WHERE datname = current_database()) || ' table '
        || 'opening_stores'::regclass::oid || ' timeline '
        || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)
"""
"""A server begins another timeline when it was restored to a moment, and when a replica takes over,
which may lack the last commits."""


async def place_of_database(connection: AsyncConnection) -> str:
    """Where the database is kept: what its copies, and what a backup brings back, do not share.
    In memory it has no place but the process. Raises: OSError."""
    if connection.dialect.name == "postgresql":
        return f"server {await connection.scalar(text(_SERVER_PLACE))}"
    listed = (await connection.execute(text("PRAGMA database_list"))).all()
    path = next(row.file for row in listed if row.name == "main")
    return place_of(Path(path)) if path else "memory"
