"""An SQLite database of this version's schema, to be copied: migrating takes ten times longer."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from postgres_server import in_thread

from inferproof.storage.sql.engine import Database, sqlite_url


@cache
def ready_database() -> Path:
    """The file, without a row in it and without a log beside it; made once in each process."""
    folder = Path(tempfile.mkdtemp(prefix="inferproof-ready-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "orders.db"

    async def migrate() -> None:
        await (await Database.open(sqlite_url(path))).close()

    in_thread(migrate())
    assert not path.with_name("orders.db-wal").exists()
    return path
