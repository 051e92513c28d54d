"""A gateway and its workers as real processes on one database, to be killed and started again.

    with Nursery() as nursery, Deployment(folder, settings, nursery=nursery, workers=2) as market:
        market.url ...; market.arm(boundary); market.revive()

`settings` are the environment of every process. With `processes` so many take requests, each on a
port of its own, as where each has its container; one settles, and `url` leads to each in its turn.
Without a nursery each process is started by its own command, which takes some seconds of importing.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from string import ascii_lowercase
from types import TracebackType
from typing import Any, Self

from inferproof.settings import variable
from inferproof.testing.boundaries import Boundary, Passage, Watcher, read_trace
from inferproof.testing.kill_server import GATEWAY, NURSERY, READY, SETTLE, WATCH, WORKER

START_S = 180.0
STOP_S = 60.0
_MODULE = "inferproof.testing.kill_server"


def environment_of(given: Mapping[str, object]) -> dict[str, str]:
    """Settings by name as the environment of a process that reads them."""
    return {
        variable(name): json.dumps(value) if isinstance(value, tuple) else str(value)
        for name, value in given.items()
    }


class Child:
    """A process that a nursery forked."""

    def __init__(self, pid: int, ends: "_Ends") -> None:
        self.pid = pid
        self._ends = ends

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._ends.status(self.pid)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float) -> int:
        """Raises: TimeoutError."""
        return self._ends.wait(self.pid, timeout)


class _Ends:
    """How the children of a nursery ended, as it tells them."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._changed = threading.Condition()

    def note(self, pid: int, status: int) -> None:
        with self._changed:
            self._known[pid] = status
            self._changed.notify_all()

    def forget(self, pid: int) -> None:
        """The number belongs to another process now."""
        with self._changed:
            self._known.pop(pid, None)

    def status(self, pid: int) -> int | None:
        with self._changed:
            return self._known.get(pid)

    def wait(self, pid: int, timeout: float) -> int:
        with self._changed:
            if not self._changed.wait_for(lambda: pid in self._known, timeout):
                raise TimeoutError(f"process {pid} runs on")
            return self._known[pid]


class Nursery:
    """Forks gateways and workers from one process that has imported everything. `program` is
    another one in its place, which forks what it has imported."""

    def __init__(self, *program: str) -> None:
        self._program = program or ("-m", _MODULE, NURSERY)
        self._process: subprocess.Popen[bytes] | None = None
        self._ends = _Ends()
        self._born: list[int] = []
        self._changed = threading.Condition()
        self._asking = threading.Lock()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, *self._program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Numeric libraries start threads when they are imported; a fork must have none.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        threading.Thread(target=self._listen, name="nursery", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait(STOP_S)
            if process.stdout is not None:
                process.stdout.close()

    def start(self, role: str, environment: Mapping[str, str], log: Path) -> Child:
        """A new process of this role. Raises: TimeoutError when the nursery does not answer."""
        assert self._process is not None and self._process.stdin is not None  # noqa: S101, PT018
        order = {"role": role, "environment": dict(environment), "log": str(log)}
        with self._asking:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            with self._changed:
                if not self._changed.wait_for(lambda: bool(self._born), START_S):
                    raise TimeoutError("the nursery does not answer")
                return Child(self._born.pop(), self._ends)

    def _listen(self) -> None:
        assert self._process is not None and self._process.stdout is not None  # noqa: S101, PT018
        for line in self._process.stdout:
            told = json.loads(line)
            if "pid" in told:
                self._ends.forget(told["pid"])
                with self._changed:
                    self._born.append(told["pid"])
                    self._changed.notify_all()
            else:
                self._ends.note(told["ended"], told["status"])


def _wait_for(process: Any) -> None:
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"process {process.pid} runs on") from None


class Deployment:
    """The processes of one market. It has no process before `revive`, and none after `stop`."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        *,
        workers: int = 0,
        concurrency: int = 1,
        processes: int = 0,
        apart: Mapping[str, Mapping[str, str]] | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        """With `workers` of zero the gateway works itself, else so many processes do, each on
        `concurrency` jobs at a time. `processes` take requests, one settles beside them, and there
        is one worker at least; with zero one process does it all. `apart` is what roles have of
        their own in their environment."""
        self.folder = folder
        self.log = folder / "log"
        self.deaths: list[str] = []
        """The roles whose processes were found dead, in the order in which they were found."""
        self._nursery = nursery
        self._environment = dict(settings)
        self._apart = apart or {}
        if workers or processes:
            self._environment["INFERPROOF_WORKERS"] = "0"
        if processes:
            self._environment["INFERPROOF_BACKGROUND"] = "apart"
            workers = max(1, workers)
        self._concurrency = str(concurrency)
        self.gateways = (GATEWAY, *(f"{GATEWAY}{n}" for n in range(1, processes)))
        """The roles that take requests."""
        self.workers = tuple(f"{WORKER}{n}" for n in range(workers))
        self.roles = (*self.gateways, *([SETTLE] if processes else []), *self.workers)
        self.takers: set[int] = set()
        """The ids of all processes that ever took requests and did nothing else."""
        self._urls: dict[str, str] = {}
        self._calls = 0
        self._running: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        try:
            self.revive()
        except BaseException:  # also at an interrupt, no process is left behind
            self.kill(*self.roles)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill(*self.roles)

    def revive(self, *roles: str) -> list[str]:
        """Starts those of the roles (by default all) that do not run, and waits until they are
        ready; the names of those that it started.

        Raises: RuntimeError with the end of the log where one ends by itself.
        """
        started = [role for role in roles or self.roles if not self.alive(role)]
        for role in started:
            if self._running.pop(role, None) is not None:
                self.deaths.append(role)
            self._ready(role).unlink(missing_ok=True)
            self._running[role] = self._start(role)
        for role in started:
            facts = self._wait_until_ready(role)
            if "url" in facts:
                self._urls[role] = facts["url"]
                self.takers |= {facts["pid"]} if SETTLE in self.roles else set()
        return started

    @property
    def url(self) -> str:
        """The address of a gateway that runs, of each in its turn; of one that did where none
        does."""
        running = [role for role in self.gateways if role in self._urls and self.alive(role)]
        self._calls += 1
        found = running or list(self._urls)
        return self._urls[found[self._calls % len(found)]]

    def alive(self, role: str) -> bool:
        """Whether its process runs."""
        process = self._running.get(role)
        return process is not None and process.poll() is None

    @property
    def whole(self) -> bool:
        """Whether all processes run."""
        return all(map(self.alive, self.roles))

    def kill(self, *roles: str) -> None:
        """Ends the processes with SIGKILL, whatever they are doing."""
        self._end(signal.SIGKILL, roles)

    def stop(self, *roles: str) -> None:
        """Asks the processes to end, and waits until they have. Raises: TimeoutError."""
        self._end(signal.SIGTERM, roles or self.roles)

    def _end(self, number: signal.Signals, roles: tuple[str, ...]) -> None:
        ending = [self._running[role] for role in roles if role in self._running]
        for process in ending:
            if process.poll() is None:
                process.send_signal(number)
        for process in ending:
            _wait_for(process)
        for role in roles:
            self._running.pop(role, None)

    def restart(self, **changes: str) -> None:
        """Kills everything and starts it again with other settings, such as workers="2"."""
        self.kill(*self.roles)
        self._environment |= environment_of(changes)
        self.revive()

    # -- boundaries ---------------------------------------------------------------------------

    def arm(self, boundary: Boundary) -> None:
        """The first process that comes to the boundary from now on dies there."""
        for name in (Watcher.FIRED, Watcher.ARMED):
            (self.folder / name).unlink(missing_ok=True)
        part = self.folder / "arming"
        part.write_text(str(boundary))
        part.rename(self.folder / Watcher.ARMED)

    def disarm(self) -> None:
        """Nobody dies any more."""
        (self.folder / Watcher.ARMED).unlink(missing_ok=True)

    @property
    def fired(self) -> bool:
        """Whether a process came to the boundary that was armed last."""
        return (self.folder / Watcher.FIRED).exists()

    def trace(self) -> list[Passage]:
        """Every passage of every process so far."""
        return read_trace(self.folder)

    # -- starting -----------------------------------------------------------------------------

    def _start(self, role: str) -> Any:
        kind, number = role.rstrip("0123456789"), role.lstrip(ascii_lowercase)
        own = {"INFERPROOF_WORKERS": self._concurrency} if kind == WORKER else {}
        port = int(self._environment.get("INFERPROOF_PORT", "0"))
        if kind == GATEWAY and number and port:
            own["INFERPROOF_PORT"] = str(port + int(number))
        environment = {
            **self._environment,
            **own,
            **self._apart.get(role, {}),
            WATCH: str(self.folder),
            READY: str(self._ready(role)),
        }
        if self._nursery is not None:
            return self._nursery.start(kind, environment, self.log)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", _MODULE, kind],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
            )

    def _ready(self, role: str) -> Path:
        return self.folder / f"ready-{role}"

    def _wait_until_ready(self, role: str) -> dict[str, Any]:
        end = time.monotonic() + START_S
        while True:
            try:
                facts: dict[str, Any] = json.loads(self._ready(role).read_text())
            except FileNotFoundError:
                pass
            else:
                return facts
            # One that is killed at a boundary while it starts is for the next revival.
            if self.fired and not self.alive(role):
                return {}
            if not self.alive(role) or time.monotonic() > end:
                tail = self.log.read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{role} did not start:\n{tail}")
            time.sleep(0.01)
