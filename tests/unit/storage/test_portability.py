"""The SQL is also PostgreSQL's; a running one is not needed to see that it compiles."""

import re
from pathlib import Path

from order_book_suite import order
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateTable

import inferproof.storage.db
from inferproof.storage.db.codec import reservation_values, select_jobs
from inferproof.storage.db.dialect import insert_new
from inferproof.storage.db.engine import Database
from inferproof.storage.db.tables import jobs, metadata, payment_reservations


def test_tables_compile_for_postgresql() -> None:
    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))
    text = str(CreateTable(jobs).compile(dialect=postgresql.dialect()))
    assert "number BIGSERIAL NOT NULL" in text
    assert "number INTEGER NOT NULL" in str(CreateTable(jobs).compile(dialect=sqlite.dialect()))


def test_queries_compile_for_postgresql() -> None:
    text = str(
        select_jobs().with_for_update(skip_locked=True).compile(dialect=postgresql.dialect())
    )
    assert "FOR UPDATE SKIP LOCKED" in text


async def test_insert_new_is_the_databases_own() -> None:
    database = await Database.open("sqlite+aiosqlite:///:memory:")
    values = reservation_values(order())

    async def compiled(connection: AsyncConnection) -> str:
        return str(insert_new(connection, payment_reservations).values(values))

    assert "ON CONFLICT DO NOTHING" in await database.read(compiled)
    await database.close()


def test_only_the_dialect_file_names_a_database() -> None:
    folder = Path(inferproof.storage.db.__file__).parent
    named = {
        path.name
        for path in folder.glob("*.py")
        if re.search(r"PRAGMA|dialects|sqlite_|postgresql", path.read_text())
    }
    assert named <= {"dialect.py", "engine.py"}
