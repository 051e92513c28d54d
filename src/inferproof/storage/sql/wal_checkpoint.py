"""A SQLite file's log is written back into the file beside the commits, not in one of them.

SQLite appends what is committed to a log (WAL), and writes the pages of the log to their places in
the file now and then: a checkpoint. By default it does so in the commit that makes the log too
long: whoever committed last waits for thousands of pages and two more waits for the disk. Here
another connection does it, a little at a time, while commits go on behind it.

The log is begun again from its start once all of it is written back and nobody reads it. While
commits follow each other without a pause that moment does not come by itself, and the log would
grow without bound. So a long one is written back a last time while this process does not write:
by then little is left of it, which takes a few milliseconds.

Source: https://www.sqlite.org/wal.html, sections 2.1 and 6.

    every PERIOD_S   checkpoint ─► is the log longer than LONG_PAGES?
                                     └─► once more, and a last time while nobody writes: the next
                                         commit begins the log again
"""

import asyncio
import sqlite3
from contextlib import suppress
from pathlib import Path

from inferproof.storage.sql.closing import to_the_end

PERIOD_S = 0.25
"""Often enough that each time is short: the disk has little to write beside a commit."""
LONG_PAGES = 32_000
"""Pages of the log (125 MiB) from which on it is begun again: what fifteen hundred orders a second
write in three seconds."""


class WalCheckpointer:
    """Keeps one log short.

    Until a log can be written back, because the disk is full or a reader stays in it, everything
    is in the log and nothing is lost; it is tried again. What the matter is, the next commit says.
    """

    def __init__(self, path: Path, lock: asyncio.Lock, *, period_s: float = PERIOD_S) -> None:
        """`lock` is held for each transaction of this process."""
        self._path = path
        self._lock = lock
        self._period_s = period_s
        self._connection: sqlite3.Connection | None = None
        self._task = asyncio.create_task(self._run(), name="database checkpoints")

    async def close(self) -> None:
        """Returns when nothing is written back any more."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        if self._connection is not None:
            self._connection.close()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._period_s)
            with suppress(sqlite3.Error):
                await self.once()

    async def once(self) -> None:
        """Writes back what is in the log. Raises: sqlite3.Error."""
        if await self._checkpoint() <= LONG_PAGES:
            return
        await self._checkpoint()
        async with self._lock:
            await self._checkpoint()

    async def _checkpoint(self) -> int:
        """The length of the log, in pages."""
        # A thread cannot be interrupted: whoever closes waits for it.
        return await to_the_end(asyncio.to_thread(self._pages_written_back))

    def _pages_written_back(self) -> int:
        if self._connection is None:
            self._connection = log_connection(self._path)
        # Nobody is waited for, and nobody waits.
        found = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        ((_busy, pages, _written),) = found
        return int(pages)


def log_connection(path: Path) -> sqlite3.Connection:
    """A connection that writes a file's log back: it waits for the disk as commits do, and commits
    nothing. For one thread at a time. A file that is gone is not made anew.

    Raises: sqlite3.Error.
    """
    there = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        there, timeout=0, isolation_level=None, check_same_thread=False, uri=True
    )
    connection.execute("PRAGMA synchronous = FULL")
    return connection
