"""A gateway in several processes: some that take requests, and one behind them.

    parent ─┬─ behind      settles, proves, notifies, keeps the books
            ├─ front 1 ┐
            └─ front N ┘   take requests, each on a socket of its own with the one port

Taking an order and settling it cost about the same, and one interpreter does one thing at a time:
apart, neither waits for the other. What they share is the database, so that each may be killed at
any time. When one ends that was not told to, all are stopped, in haste, since nothing is served
meanwhile: whoever watches the parent starts them again, which recovers everything. Told to end,
those that take requests end first: what they answer is made behind them.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from inferproof.app.behind import behind_names, build_behind
from inferproof.app.gateway import Behind, build
from inferproof.errors import InferproofError, Misconfigured, Reason, Unavailable
from inferproof.server import Server, listen, settle_memory, url_of
from inferproof.settings import Settings, variable
from inferproof.siblings import BEHIND, Siblings
from inferproof.telemetry.logs import set_up_logs

GRACE_S = 10.0
"""How long beyond `shutdown_s` a process may take to end before it is killed."""
HASTE_S = 3.0
"""The same, where one has ended unbidden; a call that is cut off is sent again."""
NICENESS = 5
"""Of the process behind and of what it starts: where processors are short, what takes requests goes
first. What settles and proves keeps a quarter of a processor that it shares with one of them."""


@dataclass(frozen=True, slots=True)
class Seat:
    """The place of one process."""

    siblings: Siblings
    port: int


Tell = Callable[[], None]
Work = Callable[[Settings, Seat, Tell], Coroutine[Any, Any, None]]


def check_fleet(settings: Settings) -> None:
    """Returns when these settings can be served by `processes` processes.

    Raises: Misconfigured SETTING_WRONG.
    """
    if settings.processes < 2:
        return
    problem = None
    if settings.database.startswith("sqlite"):
        problem = f"more than 1 needs PostgreSQL; set {variable('database_url')}"
    elif settings.facilitator_key is not None:
        problem = (
            "a facilitator sends with a key of its own, which one process alone may do; serve it "
            f"elsewhere, or unset {variable('facilitator_key')}"
        )
    if problem is not None:
        raise Misconfigured(Reason.SETTING_WRONG, name=variable("processes"), problem=problem)


async def front(settings: Settings, seat: Seat, tell: Tell, **parts: Any) -> None:
    """Takes requests until it is told to stop. `parts` are passed on to `app.build`."""
    siblings = seat.siblings
    behind = Behind(
        {name: partial(siblings.check, name) for name in behind_names(settings)},
        siblings.exposition,
    )
    with listen(settings.host, seat.port, shared=True) as listener:
        async with (
            build(settings, behind=behind, **parts) as app,
            siblings.answering(app.services.metrics, {}),
        ):
            server = Server.of(app, shutdown_s=settings.shutdown_s)
            _when_told(lambda: server.handle_exit(signal.SIGTERM, None))
            settle_memory()
            tell()
            await server.serve(sockets=[listener])


async def behind(settings: Settings, seat: Seat, tell: Tell, **parts: Any) -> None:
    """Does all but taking requests, until it is told to stop. `parts` are passed on to
    `app.build_behind`."""
    told = asyncio.Event()
    async with (
        build_behind(settings, **parts) as app,
        seat.siblings.answering(app.metrics, app.checks, app.refresh),
    ):
        _when_told(told.set)
        settle_memory()
        tell()
        await told.wait()


def _when_told(stop: Callable[[], None]) -> None:
    """Calls it at a signal, and when the parent is gone."""
    loop, parent = asyncio.get_running_loop(), multiprocessing.parent_process()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    assert parent is not None  # noqa: S101 - `run_fleet` started this process

    def orphaned() -> None:
        loop.remove_reader(parent.sentinel)
        stop()

    loop.add_reader(parent.sentinel, orphaned)


def _child(work: Work, settings: Settings, seat: Seat, told: Connection) -> None:
    import uvloop

    if seat.siblings.name == BEHIND:
        os.nice(NICENESS)
    set_up_logs(settings.log_level, settings.log_format, traced=settings.otel_endpoint is not None)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work(settings, seat, partial(told.send, None)))
    except InferproofError as error:
        told.send(error)
        sys.exit(1)


def run_fleet(
    settings: Settings,
    *,
    announce: Callable[[str], None],
    front: Work = front,
    behind: Work = behind,
    method: str = "spawn",
) -> None:
    """Serves until the process is told to stop. `announce` is told the address once all are ready.

    `front` and `behind` are what the processes run; `method` is how multiprocessing makes them, and
    only a caller without threads may let it fork. Raises: as `app.build`; Misconfigured
    CANNOT_LISTEN, SETTING_WRONG; Unavailable PROCESS_ENDED.
    """
    check_fleet(settings)
    settings.signing_key()  # made here where there is none, and not by each of them
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inferproof-")))
        # Whether it is free is asked without sharing it: another gateway would share it too.
        with listen(settings.host, settings.port) as probe:
            url, port = url_of(probe), int(probe.getsockname()[1])
        names = [f"front {n}" for n in range(1, settings.processes + 1)]
        fleet = _Fleet(settings.shutdown_s, method)
        stack.callback(fleet.stop)
        for number in (signal.SIGINT, signal.SIGTERM):
            stack.callback(signal.signal, number, signal.signal(number, fleet.told))
        for name, work in ((BEHIND, behind), *((name, front) for name in names)):
            fleet.start(name, work, settings, Seat(Siblings(folder, name, names), port))
            if name == BEHIND:
                fleet.wait_ready()  # it brings the database to this version's schema
        fleet.wait_ready()
        if not fleet.stopping:
            announce(url)
        fleet.watch()


class _Fleet:
    """Processes that begin and end together."""

    def __init__(self, shutdown_s: float, method: str) -> None:
        self._shutdown_s = shutdown_s
        self._context = multiprocessing.get_context(method)
        self._processes: dict[str, BaseProcess] = {}
        self._starting: dict[str, Connection] = {}
        self.stopping = False

    def start(self, name: str, work: Work, settings: Settings, seat: Seat) -> None:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(  # type: ignore[attr-defined]
            target=_child, args=(work, settings, seat, theirs), name=f"inferproof {name}"
        )
        process.start()
        theirs.close()  # so that ours ends when the process does
        self._processes[name], self._starting[name] = process, ours

    def wait_ready(self) -> None:
        """Returns when all are ready. Raises: what kept one from it."""
        while self._starting and not self.stopping:
            name, told = next(iter(self._starting.items()))
            try:
                failure = told.recv()
            except EOFError:
                failure = self._ended(name)
            del self._starting[name]
            told.close()
            if failure is not None:
                self._fail(failure)

    def _fail(self, failure: InferproofError) -> None:
        if not self.stopping:  # else it was told to end
            raise failure

    def watch(self) -> None:
        """Returns when all were told to end and did. Raises: Unavailable PROCESS_ENDED."""
        names: dict[object, str] = {
            process.sentinel: name for name, process in self._processes.items()
        }
        self._fail(
            self._ended(names[wait([process.sentinel for process in self._processes.values()])[0]])
        )

    def _ended(self, name: str) -> InferproofError:
        process = self._processes[name]
        process.join(GRACE_S)
        return Unavailable(Reason.PROCESS_ENDED, process=name, status=process.exitcode)

    def told(self, _number: int, _frame: object) -> None:
        """The handler of signals."""
        self.stopping = True
        _terminate(self._fronts() or self._processes.values())

    def _fronts(self) -> list[BaseProcess]:
        return [process for name, process in self._processes.items() if name != BEHIND]

    def stop(self) -> None:
        """Returns when all have ended."""
        if self.stopping:
            _end(self._fronts(), self._shutdown_s + GRACE_S)
        self.stopping = True
        _end(self._processes.values(), HASTE_S)


def _terminate(processes: Iterable[BaseProcess]) -> None:
    for process in processes:
        if process.is_alive():
            process.terminate()


def _end(processes: Iterable[BaseProcess], within_s: float) -> None:
    """Returns when they have ended; they are told to, and killed after that time."""
    _terminate(processes)
    end = time.monotonic() + within_s
    for process in processes:
        process.join(max(0.0, end - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()
