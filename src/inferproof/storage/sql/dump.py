"""The rows of a database, out of one and into another of either kind.

Rows go as the database keeps them, by the tables that it has and not by those of this version: a
dump of an older schema is loaded into that schema and then migrated, by the same steps as the
database would have been. Bytes go as Base64.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, LargeBinary, MetaData, Table, func, inspect, select, text

from inferproof.storage.sql.constructs import continue_numbers
from inferproof.storage.sql.migrate import RESTORING, upgrade

Row = dict[str, Any]

_VERSION = "alembic_version"
_INDEX = ("event_sets", "event_blocks", "chain_events", "chain_event_keys")
_NOT_COPIED = frozenset({_VERSION, "opening_stores", *_INDEX})
"""A database that was filled from a backup is another store of openings: it draws secrets of its
own, and what the old one counted is spent in it. Events of contracts are read again from their
chain, which may have replaced blocks meanwhile."""
BATCH = 500


def revision_of(connection: Connection) -> str | None:
    """The schema that the database has; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def tables_of(connection: Connection) -> list[Table]:
    """The tables that the database has, each after those that it refers to."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name not in _NOT_COPIED]


def rows_of(connection: Connection, table: Table) -> Iterator[Row]:
    """The rows of a table as JSON values, in the order of its key."""
    query = select(table).order_by(*table.primary_key.columns)
    found = connection.execution_options(yield_per=BATCH).execute(query)
    for row in found.mappings():
        yield {name: _plain(value) for name, value in row.items()}


def is_empty(connection: Connection) -> bool:
    """Whether no table holds a row, but for what an unfinished restore left."""
    return all(
        connection.scalar(select(func.count()).select_from(table)) == 0
        for table in tables_of(connection)
    )


def begin_restore(connection: Connection) -> None:
    """Marks the database, so that no gateway serves with it until `load` is done."""
    if not inspect(connection).has_table(_VERSION):
        connection.execute(text(f"CREATE TABLE {_VERSION} (version_num VARCHAR(32) NOT NULL)"))
    connection.execute(text(f"DELETE FROM {_VERSION}"))  # noqa: S608 - a constant
    connection.execute(
        text(f"INSERT INTO {_VERSION} (version_num) VALUES (:mark)"),  # noqa: S608 - a constant
        {"mark": RESTORING},
    )


def load(connection: Connection, revision: str, rows: Mapping[str, Iterable[Row]]) -> None:
    """Fills the database with these rows of that schema, in the connection's transaction: all of
    it or nothing. What tables there are, without a row, are made anew."""
    metadata = MetaData()
    metadata.reflect(connection)
    metadata.drop_all(connection)
    upgrade(connection, revision)
    for table in tables_of(connection):
        batch: list[Row] = []
        for row in rows.get(table.name, ()):
            batch.append({name: _typed(table, name, value) for name, value in row.items()})
            if len(batch) == BATCH:
                connection.execute(table.insert(), batch)
                batch = []
        if batch:
            connection.execute(table.insert(), batch)
        continue_numbers(connection, table)


def _plain(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes | memoryview) else value


def _typed(table: Table, name: str, value: Any) -> Any:
    if value is not None and isinstance(table.c[name].type, LargeBinary):
        return base64.b64decode(value, validate=True)
    return value
