"""Runs a program that is not trusted: one JSON request in, one JSON answer out, within limits."""

import contextlib
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inferproof import errors
from inferproof.errors import InferproofError, MissingPart, Reason, Unavailable
from inferproof.protocol.json_text import read_json
from inferproof.proving.base import Progress, no_progress

_POLL_S = 0.1
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "INFERPROOF_HOME", "PYTHONPATH", "VIRTUAL_ENV")
"""All else stays here: a prover has no use for our keys and passwords."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use. `memory_bytes` and `file_bytes` 0: no limit."""

    time_s: float = 3600.0
    stop_s: float = 3.0
    answer_bytes: int = 16 * 2**20
    progress_bytes: int = 4 * 2**20
    memory_bytes: int = 0
    file_bytes: int = 0


class Program:
    """A command line that speaks the contract of specs/external-prover.md."""

    def __init__(self, command: tuple[str, ...], limits: Limits) -> None:
        if not command:
            raise ValueError("a command names a program")
        self._command = command
        self._limits = limits
        self.name = os.path.basename(command[0])  # noqa: PTH119 - a name, not a path

    def run(
        self,
        command: str,
        args: dict[str, Any],
        progress: Progress = no_progress,
        cancelled: Callable[[], bool] = lambda: False,
        time_limit_s: float | None = None,
    ) -> dict[str, Any]:
        """The program's answer.

        Raises: what the program reports, as our own typed error; MissingPart MISSING_TOOL;
        Unavailable PROVER_TIME_LIMIT, PROVER_CANCELLED, PROVER_CRASHED, PROVER_ANSWER,
        PROVER_OUTPUT_TOO_LARGE.
        """
        limit_s = time_limit_s or self._limits.time_s
        process = self._start(command, json.dumps(args).encode())
        try:
            out = _Conversation(self, process, command, limit_s, progress, cancelled).hold()
            status = self._wait(process, limit_s)
        finally:
            self._stop(process)
        return self._judge(command, status, out)

    @property
    def limits(self) -> Limits:
        return self._limits

    def too_large(self, command: str, limit: int) -> Unavailable:
        return Unavailable(
            Reason.PROVER_OUTPUT_TOO_LARGE, program=self.name, command=command, limit=limit
        )

    def _start(self, command: str, request: bytes) -> subprocess.Popen[bytes]:
        environment = {k: v for k, v in os.environ.items() if k in _PASSED_ON}
        try:
            # A file, not a pipe: a program that never reads cannot hold us up.
            with tempfile.TemporaryFile() as source:
                source.write(request)
                source.seek(0)
                process = subprocess.Popen(
                    [*self._command, command],
                    stdin=source,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={**environment, "RUST_BACKTRACE": "0"},
                    start_new_session=True,
                )
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            raise MissingPart(
                Reason.MISSING_TOOL,
                feature="the external prover",
                tool=self.name,
                mend=f"it cannot be started: {why}; check the path in the settings",
            ) from None
        self._restrict(process.pid)
        return process

    def _restrict(self, pid: int) -> None:
        if sys.platform != "linux":
            return
        wanted = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_AS: self._limits.memory_bytes or None,
            resource.RLIMIT_FSIZE: self._limits.file_bytes or None,
        }
        for kind, most in wanted.items():
            if most is not None:
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(pid, kind, (most, most))

    def _wait(self, process: subprocess.Popen[bytes], limit_s: float) -> int:
        try:
            return process.wait(timeout=self._limits.stop_s)
        except subprocess.TimeoutExpired:
            raise Unavailable(Reason.PROVER_TIME_LIMIT, seconds=f"{limit_s:g}") from None

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        """SIGTERM, then SIGKILL, to the whole process group; children that stayed go as well."""
        if process.poll() is None:
            _signal(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=self._limits.stop_s)
        _signal(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _judge(self, command: str, status: int, out: bytes) -> dict[str, Any]:
        if status < 0:
            raise Unavailable(Reason.PROVER_CRASHED, how=f"signal {-status}")
        if status not in (0, 1):
            raise Unavailable(Reason.PROVER_CRASHED, how=f"exit status {status}")
        try:
            answer = read_json(out)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._wrong(command, "its answer is not one JSON object")
        if status == 1:
            raise self._reported(command, answer)
        return answer

    def _reported(self, command: str, answer: dict[str, Any]) -> InferproofError:
        """The program's refusal as our own error; only our reasons with their facts count."""
        try:
            kind = getattr(errors, str(answer["kind"]))
            if not issubclass(kind, InferproofError):
                raise TypeError
            facts = {str(k): str(v)[:300] for k, v in dict(answer["facts"]).items()}
            error: InferproofError = kind(Reason[answer["reason"]], **facts)
        except (AttributeError, KeyError, TypeError, ValueError, IndexError):
            return self._wrong(command, "it failed without a reason that we know")
        return error

    def _wrong(self, command: str, why: str) -> Unavailable:
        return Unavailable(Reason.PROVER_ANSWER, program=self.name, command=command, why=why)


class _Conversation:
    """Reads answer and progress side by side, and watches the limits."""

    def __init__(
        self,
        program: Program,
        process: subprocess.Popen[bytes],
        command: str,
        limit_s: float,
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> None:
        self._program = program
        self._process = process
        self._command = command
        self._limit_s = limit_s
        self._deadline = time.monotonic() + limit_s
        self._progress = progress
        self._cancelled = cancelled
        self._answer = bytearray()
        self._line = bytearray()
        self._progress_bytes = 0

    def hold(self) -> bytes:
        """The whole standard output of the program."""
        process = self._process
        assert process.stdout is not None  # noqa: S101 - pipes, see Program._start
        assert process.stderr is not None  # noqa: S101
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, self._take_answer)
            selector.register(process.stderr, selectors.EVENT_READ, self._take_progress)
            while selector.get_map():
                for key, _ in selector.select(_POLL_S):
                    chunk = os.read(key.fd, 65536)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    key.data(chunk)
                if self._cancelled():
                    raise Unavailable(Reason.PROVER_CANCELLED)
                if time.monotonic() >= self._deadline:
                    raise Unavailable(Reason.PROVER_TIME_LIMIT, seconds=f"{self._limit_s:g}")
        return bytes(self._answer)

    def _take_answer(self, chunk: bytes) -> None:
        self._answer += chunk
        limit = self._program.limits.answer_bytes
        if len(self._answer) > limit:
            raise self._program.too_large(self._command, limit)

    def _take_progress(self, chunk: bytes) -> None:
        self._progress_bytes += len(chunk)
        limit = self._program.limits.progress_bytes
        if self._progress_bytes > limit:
            raise self._program.too_large(self._command, limit)
        *lines, rest = (bytes(self._line) + chunk).split(b"\n")
        self._line = bytearray(rest[-4096:])
        for line in lines:
            share, _, stage = line.decode(errors="replace").partition(" ")
            with contextlib.suppress(ValueError):
                number = float(share)
                if 0 <= number <= 1:
                    self._progress("".join(c for c in stage[:80] if c.isprintable()), number)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
