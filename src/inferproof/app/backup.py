"""Backup and restore of a gateway: its database of either kind, and its blobs.

A backup is made in one read transaction while the gateway runs; blobs are written before the row
that names them and never change, so those that are there afterwards are all that the rows name.
A restore marks the empty database first, then brings the blobs, then fills it in one transaction
that takes the mark away: what is killed in between serves nothing, and may be run again.
"""

import asyncio
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from inferproof.errors import ArtifactRejected, Conflict, NotFound, Reason, Unavailable
from inferproof.settings import Settings
from inferproof.storage.blobs.local import LocalBlobs
from inferproof.storage.sql.address import check_file, read_address
from inferproof.storage.sql.archive import Reader, Writer, read_archive, write_archive
from inferproof.storage.sql.dump import (
    Row,
    begin_restore,
    is_empty,
    load,
    revision_of,
    rows_of,
    tables_of,
)
from inferproof.storage.sql.engine import Database
from inferproof.storage.sql.engines import migrating_engine, snapshot_engine, writing_engine
from inferproof.storage.sql.failures import storage_error
from inferproof.storage.sql.migrate import RESTORING, known_revisions
from inferproof.types.digest import Digest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Summary:
    """What was put into a backup, or taken out of one. `missing` names the compiled models whose
    folders are not on this machine."""

    schema: str
    made_at: int
    rows: dict[str, int]
    blobs: int
    missing: tuple[str, ...] = ()


async def backup(settings: Settings, path: Path) -> Summary:
    """Writes a backup to the path, also while the gateway runs.

    Raises: Unavailable STORAGE_UNAVAILABLE, FILE_NOT_WRITTEN, BLOB_DAMAGED; Conflict
    NOTHING_TO_BACK_UP; Misconfigured DATABASE_ADDRESS.
    """
    url = read_address(settings.database)
    if url.get_backend_name() == "sqlite" and not os.path.exists(str(url.database)):  # noqa: PTH110, ASYNC240 - one look
        raise Conflict(Reason.NOTHING_TO_BACK_UP, what=settings.data_dir)

    def work(connection: Connection) -> Summary:
        schema = revision_of(connection)
        if schema is None or schema == RESTORING:
            raise Conflict(Reason.NOTHING_TO_BACK_UP, what="the database")
        with write_archive(path) as archive:
            rows = {
                table.name: _write_rows(archive, table.name, rows_of(connection, table))
                for table in tables_of(connection)
            }
            blobs = _write_blobs(archive, settings.data_dir / "blobs")
            models = _folders(settings.data_dir / "models")
            made_at = int(time.time())
            archive.finish(schema, made_at, models)
        return Summary(schema, made_at, rows, blobs)

    return await _on(snapshot_engine(url), work)


async def restore(settings: Settings, path: Path) -> Summary:
    """Fills an empty gateway from a backup, and brings it to this version's schema.

    Raises: ArtifactRejected BACKUP_DAMAGED; Conflict RESTORE_NOT_EMPTY; Misconfigured
    DATABASE_NEWER; Unavailable.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    url = read_address(settings.database)
    check_file(url)

    def prepare(connection: Connection) -> None:
        if not is_empty(connection):
            raise Conflict(Reason.RESTORE_NOT_EMPTY)
        begin_restore(connection)

    with read_archive(path) as archive:
        manifest = archive.manifest
        if manifest.schema not in known_revisions():
            raise ArtifactRejected(
                Reason.BACKUP_DAMAGED,
                path=path,
                why=f"its schema {manifest.schema[:40]} is none of this version's",
            )
        tables = {Path(name).stem: name for name in archive.names("tables")}
        rows = dict.fromkeys(tables, 0)

        def fill(connection: Connection) -> None:
            load(
                connection,
                manifest.schema,
                {table: _counted(archive, name, table, rows) for table, name in tables.items()},
            )

        await _on(writing_engine(url), prepare)
        blobs = await asyncio.to_thread(_read_blobs, archive, settings.data_dir / "blobs")
        writer = writing_engine(url)
        await _on(migrating_engine(url, writer), fill)
        await writer.dispose()
    await (await Database.open(settings.database)).close()
    here = set(_folders(settings.data_dir / "models"))
    missing = tuple(model for model in manifest.models if model not in here)
    return Summary(manifest.schema, manifest.made_at, rows, blobs, missing)


async def _on(engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    except (DBAPIError, OSError) as error:
        raise storage_error(error) or error from error
    finally:
        await engine.dispose()


def _write_rows(archive: Writer, table: str, rows: Iterable[Row]) -> int:
    count = 0
    with tempfile.TemporaryFile() as file:
        for row in rows:
            file.write(json.dumps(row).encode() + b"\n")
            count += 1
        archive.add(f"tables/{table}.jsonl", file)
    return count


def _write_blobs(archive: Writer, folder: Path) -> int:
    store, count = LocalBlobs(folder), 0
    for path in sorted(folder.glob("*/*.blob")):
        try:
            data = store.get(Digest(bytes.fromhex(path.stem)))  # Raises: Unavailable BLOB_DAMAGED
        except NotFound:  # swept meanwhile: the gateway removes only what no row names
            continue
        archive.add(f"blobs/{path.stem}", io.BytesIO(data))
        count += 1
    return count


def _read_blobs(archive: Reader, folder: Path) -> int:
    store, names = LocalBlobs(folder), archive.names("blobs")
    for name in names:
        stored = store.put(archive.content(name))
        if stored.raw.hex() != name.partition("/")[2]:
            raise Unavailable(Reason.BLOB_DAMAGED, name=name)
    return len(names)


def _counted(archive: Reader, name: str, table: str, rows: dict[str, int]) -> Iterator[Row]:
    for row in archive.lines(name):
        rows[table] += 1
        yield row


def _folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
