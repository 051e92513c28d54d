"""The SQL is also PostgreSQL's; a running one is not needed to see that it compiles."""

import re
from pathlib import Path

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

import inferproof.storage.sql
from inferproof.storage.sql.mapping import select_jobs
from inferproof.storage.sql.tables import jobs, metadata


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


def test_few_files_name_a_database() -> None:
    folder = Path(inferproof.storage.sql.__file__).parent
    named = {
        path.name
        for path in folder.glob("*.py")
        if re.search(r"PRAGMA|dialects|sqlite_|postgresql", path.read_text())
    }
    assert named <= {"address.py", "constructs.py", "engine.py", "engines.py", "wal_checkpoint.py"}
