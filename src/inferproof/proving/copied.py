"""A worker process that begins as a copy of this one, with all that was imported.

A fresh interpreter imports for a tenth of a second of processor time before it checks a proof for
some milliseconds. A copy (fork) has the same limits and may end in the same ways, but it holds what
is in this process's memory and begins without its other threads, whose locks nobody would free. So
it is for commands, which hold no secrets and have one thread; servers take fresh interpreters.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from inferproof.proving import worker
from inferproof.proving.bounds import address_space

SHARE = 4
"""What is mapped here counts against the copy's limit too; it may be this part of it."""


def can_copy(memory_bytes: int) -> bool:
    """Whether a copy is as good as a fresh interpreter: one thread runs here, those of native
    libraries included, and most of the memory limit (0: none) is left. Only Linux tells."""
    threads = Path("/proc/self/task")
    if not threads.is_dir() or len(list(threads.iterdir())) != 1:
        return False
    return memory_bytes == 0 or address_space() * SHARE <= memory_bytes


class CopiedProcess:
    """A copy of this process that serves tasks, with as much of Popen as a pool uses."""

    def __init__(self, environment: dict[str, str]) -> None:
        """`environment` is added to the copy's. Raises: OSError."""
        its_in, our_out = os.pipe()
        our_in, its_out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _serve(its_in, its_out, environment)
        # Both sides do it: whoever comes first, a kill takes the whole group.
        with suppress(OSError):
            os.setpgid(self.pid, self.pid)
        os.close(its_in)
        os.close(its_out)
        self.stdin = os.fdopen(our_out, "wb")
        self.stdout = os.fdopen(our_in, "rb")
        self._status: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._ended(os.WNOHANG)

    def wait(self) -> int:
        """The exit status, once it has ended."""
        status = self._ended(0)
        assert status is not None  # noqa: S101 - waited for
        return status

    def _ended(self, options: int) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status


def _serve(its_in: int, its_out: int, environment: dict[str, str]) -> NoReturn:
    """Serves tasks in the copy until its input ends, and never returns to what called the fork."""
    status = 1
    try:
        os.setpgid(0, 0)  # Ctrl-C reaches the parent alone
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(its_in, 0)
        os.dup2(its_out, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.environ.update(environment)
        with open(0, closefd=False) as tasks:
            sys.stdin = tasks
            worker.main()
        status = 0
    finally:
        os._exit(status)  # no handler of the parent's runs, nothing it buffered is written twice
