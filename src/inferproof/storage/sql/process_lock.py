"""That one process at a time serves with a SQLite file.

SQLite lets one process write at a time. A gateway commits all the time, and is the faster the
fewer wait beside it, so a file belongs to one long-lived process, settler and worker inside it.
Short commands write beside it and wait for SQLite's own lock.

The system releases the lock with the process, however this ends; the file stays and means nothing.
"""

from pathlib import Path
from typing import IO

from sqlalchemy.engine import URL

from inferproof.errors import Misconfigured, Reason
from inferproof.storage.sql.address import is_memory
from inferproof.storage.sql.failures import storage_error


class ProcessLock:
    """A lock on a file beside the database, until it is closed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    @classmethod
    def take(cls, url: URL) -> "ProcessLock | None":
        """The lock of the database's file; None for a server, and for one in memory.

        Raises: Misconfigured DATABASE_IN_USE; Unavailable STORAGE_UNAVAILABLE.
        """
        if url.get_backend_name() != "sqlite" or is_memory(url):
            return None
        import fcntl  # not on Windows

        path = Path(f"{url.database}.lock")
        try:
            file = path.open("ab")
        except OSError as error:
            raise storage_error(error) or error from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise Misconfigured(Reason.DATABASE_IN_USE, path=url.database) from None
        return cls(file)

    def close(self) -> None:
        """Releases the lock."""
        self._file.close()
