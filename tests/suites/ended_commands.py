"""A command of the program, ended at one of its writes: by SIGKILL, by Ctrl-C, or because the disk
is full from then on.

    with EndedCommands(folders) as commands:
        commands.run("kill", 7, "prove", …)

A write is what opens to write, renames, removes or makes durable anything in the folders. Each
command is a fork of a process that has imported everything and has one thread.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

KILL, INTERRUPT, FULL = "kill", "interrupt", "full"


@dataclass(frozen=True)
class Ended:
    """How a command ended. `write` is the one at which it was ended, empty where it has fewer."""

    write: str
    status: int
    """Negative for a signal."""
    said: str


class EndedCommands:
    """The process that forks them."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, __file__, *map(str, self._folders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.communicate()

    def run(self, how: str, at: int, *words: str) -> Ended:
        """The end of a command that is ended at its write number `at`, from 1 on."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"how": how, "at": at, "words": words}) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


# -- in the other process -------------------------------------------------------------------------


class _Writes:
    """Counts the writes of this process, and ends it at one of them."""

    def __init__(self, folders: Sequence[str], how: str, at: int, told: int) -> None:
        self._folders = tuple(folders)
        self._how = how
        self._at = at
        self._told = told
        self._count = 0
        self._fsync = os.fsync
        os.fsync = self.fsync
        sys.addaudithook(self.hear)

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and self._is_ours(path):
                self._passed(f"open {path}")
        elif event in ("os.rename", "os.remove") and self._is_ours(args[0]):
            self._passed(f"{event} {args[0]}")

    def fsync(self, descriptor: int) -> None:
        self._passed("fsync")
        self._fsync(descriptor)

    def _is_ours(self, path: object) -> bool:
        return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self._folders)

    def _passed(self, write: str) -> None:
        self._count += 1
        if self._count == self._at:
            os.write(self._told, write.encode())
            if self._how == KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            if self._how == INTERRUPT:
                os.kill(os.getpid(), signal.SIGINT)
        if self._how == FULL and self._count >= self._at and write.startswith(("open", "fsync")):
            raise OSError(28, os.strerror(28))


def _serve(folders: Sequence[str]) -> None:
    # Before any thread: what commands import, they would each import anew.
    import inferproof.app.key_budgets
    import inferproof.cli.main
    import inferproof.proving.sumcheck.library
    import inferproof.proving.sumcheck.system

    inferproof.proving.sumcheck.library.library()
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        said = os.memfd_create("said")
        child = os.fork()
        if child == 0:
            os.dup2(said, 1)
            os.dup2(said, 2)
            _run(folders, order, writing)
        os.close(writing)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        write = b"".join(iter(lambda: os.read(reading, 4096), b""))  # noqa: B023
        os.close(reading)
        os.lseek(said, 0, os.SEEK_SET)
        text = os.read(said, 10_000).decode(errors="replace")
        os.close(said)
        print(json.dumps({"write": write.decode(), "status": status, "said": text}), flush=True)


def _run(folders: Sequence[str], order: dict[str, Any], told: int) -> None:
    """Runs the command, and ends with its status."""
    from inferproof.cli.main import run

    status = 1
    try:
        sys.argv = ["inferproof", *order["words"]]
        _Writes(folders, order["how"], order["at"], told)
        run()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException as error:  # noqa: BLE001 - the edge of a forked process
        os.write(2, f"{type(error).__name__}: {error}".encode())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve(sys.argv[1:])
