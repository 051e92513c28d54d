"""Worker processes for heavy, blocking or crash-prone work, with time limits that kill.

Workers are fresh interpreters, never forks. One runs one task at a time and is kept for the
next; a worker that crashed, was cancelled or ran out of time is killed and replaced on demand.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from typing import Any

from inferproof import errors
from inferproof.errors import InferproofError, Reason, Unavailable
from inferproof.proving.base import Cancelled, Progress, never, no_progress

_POLL_S = 0.1
_MAX_LINE = 16 * 2**20


def share_of_cores(size: int) -> int:
    """The cores that this process may use, shared out among `size`; at least 1 for each."""
    allowed = getattr(os, "sched_getaffinity", None)
    cores = len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    return max(1, cores // size)


class _Worker:
    """One process, its pipes, and what it has said so far."""

    def __init__(self, threads: int, memory_bytes: int) -> None:
        environment = {
            **os.environ,
            "RAYON_NUM_THREADS": str(threads),
            "OMP_NUM_THREADS": str(threads),
            "RUST_BACKTRACE": "0",
            "INFERPROOF_WORKER_MEMORY": str(memory_bytes),
        }
        # A session of its own: Ctrl-C reaches the parent alone, and a kill takes all of it.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "inferproof.proving.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self._buffer = bytearray()

    def send(self, request: dict[str, Any]) -> None:
        assert self.process.stdin is not None  # noqa: S101 - opened above
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self, wait_s: float) -> dict[str, Any] | None:
        """The next answer; None when there is none within the time. Raises: EOFError."""
        assert self.process.stdout is not None  # noqa: S101 - opened above
        descriptor = self.process.stdout.fileno()
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([descriptor], [], [], wait_s)
            if not ready:
                return None
            chunk = os.read(descriptor, 65536)
            if not chunk or len(self._buffer) > _MAX_LINE:
                raise EOFError
            self._buffer += chunk
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> int:
        """Ends the process and everything it started; its exit status."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        return self.process.wait()


class WorkerPool:
    """A ComputeBackend: at most `size` worker processes of `threads` threads each on this machine;
    thread-safe.

    `memory_bytes` limits each worker's address space (0: no limit).
    """

    def __init__(self, size: int = 1, threads: int | None = None, memory_bytes: int = 0) -> None:
        self._threads = threads or share_of_cores(size)
        self._memory = memory_bytes
        self._slots = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False
        # Also at interpreter exit, and when a pool is dropped without being closed.
        self._end = weakref.finalize(self, _end_workers, self._idle, self._busy)

    def run(
        self,
        task: str,
        args: dict[str, Any],
        *,
        time_limit_s: float,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> dict[str, Any]:
        """See ComputeBackend."""
        deadline = time.monotonic() + time_limit_s
        self._wait_for_slot(deadline, time_limit_s, cancelled)
        try:
            worker = self._take()
            keep = False
            try:
                result = _converse(
                    worker,
                    {"task": task, "args": args},
                    deadline,
                    time_limit_s,
                    progress,
                    cancelled,
                )
                keep = True
                return result
            except _TaskError as error:
                keep = True
                raise error.error from None
            finally:
                self._give_back(worker, keep=keep)
        finally:
            self._slots.release()

    def close(self) -> None:
        """See ComputeBackend."""
        with self._lock:
            self._closed = True
            idle, busy = list(self._idle), list(self._busy)
            self._idle.clear()
        for worker in idle:
            worker.kill()
        for worker in busy:  # the thread that waits for it reads its end and closes its pipes
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.process.pid, signal.SIGKILL)

    def _wait_for_slot(self, deadline: float, limit_s: float, cancelled: Cancelled) -> None:
        while not self._slots.acquire(timeout=_POLL_S):
            _check_time(deadline, limit_s, cancelled)

    def _take(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise Unavailable(Reason.PROVER_CLOSED)
            while self._idle:
                worker = self._idle.pop()
                if worker.process.poll() is None:
                    break
                worker.kill()
            else:
                worker = _Worker(self._threads, self._memory)
            self._busy.add(worker)
            return worker

    def _give_back(self, worker: _Worker, *, keep: bool) -> None:
        with self._lock:
            self._busy.discard(worker)
            if keep and not self._closed:
                self._idle.append(worker)
                return
        worker.kill()


class _TaskError(Exception):
    def __init__(self, error: InferproofError) -> None:
        self.error = error


def _converse(
    worker: _Worker,
    request: dict[str, Any],
    deadline: float,
    limit_s: float,
    progress: Progress,
    cancelled: Cancelled,
) -> dict[str, Any]:
    _check_time(deadline, limit_s, cancelled)
    try:
        worker.send(request)
        while True:
            answer = worker.receive(_POLL_S)
            if answer is None:
                _check_time(deadline, limit_s, cancelled)
            elif "stage" in answer:
                progress(answer["stage"], answer["share"])
                _check_time(deadline, limit_s, cancelled)
            elif "result" in answer:
                return {**answer["result"], "peak_bytes": answer["peak_bytes"]}
            elif "error" in answer:
                raise _TaskError(error_from_json(answer["error"]))
            else:
                raise _TaskError(Unavailable(Reason.PROVER_FAILED, why=answer["failed"]))
    except (EOFError, BrokenPipeError):
        status = worker.kill()
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise Unavailable(Reason.PROVER_CRASHED, how=how) from None


def _check_time(deadline: float, limit_s: float, cancelled: Cancelled) -> None:
    if cancelled():
        raise Unavailable(Reason.PROVER_CANCELLED)
    if time.monotonic() >= deadline:
        raise Unavailable(Reason.PROVER_TIME_LIMIT, seconds=f"{limit_s:g}")


def error_from_json(value: dict[str, Any]) -> InferproofError:
    """The typed failure that `worker.error_json` wrote."""
    kind = getattr(errors, value["kind"])
    error: InferproofError = kind(Reason[value["reason"]], **value["facts"])
    return error


def _end_workers(idle: list[_Worker], busy: set[_Worker]) -> None:
    """Kills all workers; those that are busy are reaped by the thread that waits for them."""
    while idle:
        idle.pop().kill()
    for worker in list(busy):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.process.pid, signal.SIGKILL)
