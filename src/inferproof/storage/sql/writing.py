"""Whose process writes a SQLite file next, where there are several.

SQLite lets one process write at a time and has the others try again after pauses that grow to a
tenth of a second. Under load the one that writes begins again long before: another would hardly
ever come to write. So each takes a place in a queue of one, and then its turn: whoever has the
place is next, and nobody overtakes it.

This only orders. What protects the file is SQLite's own lock, which whoever does not queue (a
backup, another program) takes alone; the kernel gives a turn back when its process ends.
"""

import asyncio
import time
from pathlib import Path
from typing import IO

POLL_S = 0.001


class WriteTurn:
    """To be held around each transaction. Not two at a time in one process."""

    def __init__(self, path: Path, *, patience_s: float) -> None:
        """`path` is the database's; after `patience_s` SQLite's own lock is left to decide."""
        self._paths = (Path(f"{path}.next.turn"), Path(f"{path}.writes.turn"))
        self._patience_s = patience_s
        self._files: tuple[IO[bytes], IO[bytes]] | None = None

    async def __aenter__(self) -> None:
        if self._files is None:
            try:
                self._files = (self._paths[0].open("ab"), self._paths[1].open("ab"))
            except OSError:
                return  # the transaction will say what is wrong with the disk
        place, turn = self._files
        if _lock(place) and _lock(turn):
            _unlock(place)
            return
        end = time.monotonic() + self._patience_s
        try:
            while not (_lock(place) and _lock(turn)) and time.monotonic() < end:  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)  # no event tells of a file
        except BaseException:  # also when it is cancelled, the turn goes on
            _unlock(turn)
            raise
        finally:
            _unlock(place)

    async def __aexit__(self, *_error: object) -> None:
        if self._files is not None:
            _unlock(self._files[1])

    def close(self) -> None:
        """Closes the files."""
        for file in self._files or ():
            file.close()
        self._files = None


def _lock(file: IO[bytes]) -> bool:
    import fcntl  # not on Windows

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlock(file: IO[bytes]) -> None:
    import fcntl

    fcntl.flock(file, fcntl.LOCK_UN)
