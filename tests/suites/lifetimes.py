"""What a part holds of the process, and the same part cancelled wherever it waits.

    with leaves_nothing():
        lifetime(a_part)

    assert cancelled_everywhere(a_part) > 10

A part that is cancelled while it opens something is the usual way in which a file or a connection
loses its owner: the collector finds it minutes later, in another test.
"""

import asyncio
import gc
import itertools
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

LIMIT_S = 60.0
"""How long a process or a thread that was told to end may take on a machine that is full."""

DESCRIPTORS = Path("/proc/self/fd")
CHILDREN = Path("/proc/self/task")


@dataclass(frozen=True)
class Held:
    """What this process holds: open descriptors, running threads, children."""

    descriptors: dict[str, str]
    threads: frozenset[threading.Thread]
    children: frozenset[int]

    @classmethod
    def now(cls) -> "Held":
        return cls(_descriptors(), frozenset(threading.enumerate()), _children())

    def left_since(self, before: "Held") -> list[str]:
        """What is held now and was not before, in words."""
        fresh = {
            number: name
            for number, name in self.descriptors.items()
            if before.descriptors.get(number) != name
        }
        # A descriptor's number is used again; what counts is that there are no more of them.
        grown = len(self.descriptors) > len(before.descriptors)
        return [
            *(f"descriptor {number}: {name}" for number, name in sorted(fresh.items()) if grown),
            *(f"thread {thread.name}" for thread in self.threads - before.threads),
            *(f"process {pid}" for pid in sorted(self.children - before.children)),
        ]


def _descriptors() -> dict[str, str]:
    found = {}
    for entry in DESCRIPTORS.iterdir():
        try:
            found[entry.name] = str(entry.readlink())
        except FileNotFoundError:
            continue  # the one that listed the folder
    return found


def _children() -> frozenset[int]:
    found: set[int] = set()
    for task in CHILDREN.iterdir():
        try:
            found |= set(map(int, (task / "children").read_text().split()))
        except FileNotFoundError:
            continue  # a thread that ended meanwhile
    return frozenset(found)


@contextmanager
def leaves_nothing() -> Iterator[None]:
    """Fails when the block leaves a descriptor, a thread or a process behind, or something that
    only the garbage collector closes."""
    gc.collect()
    before = Held.now()
    found: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.unraisablehook", lambda what: found.append(repr(what.exc_value)))
        yield
        _require_nothing_since(before, "at its end")
        gc.collect()
    assert not found, f"closed by nobody but the collector: {found}"


def _require_nothing_since(before: Held, when: str) -> None:
    end = time.monotonic() + LIMIT_S
    while (left := Held.now().left_since(before)) and time.monotonic() < end:
        time.sleep(0.005)
        # A statement that was interrupted is kept by the error that says so, and keeps its closed
        # connection's files. What nobody closed tells of it when it is collected, see above.
        gc.collect()
    assert not left, f"left behind {when}, {LIMIT_S:g} s later: {left}"


def lifetime(part: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs the part in a loop of its own. Raises: AssertionError where it leaves a task behind."""
    asyncio.run(_alone(part()))


async def _alone(work: Awaitable[None]) -> None:
    try:
        await work
    finally:
        await no_task_is_left()


async def no_task_is_left() -> None:
    """Returns once no other task runs. Raises: AssertionError for those that run on."""
    own, end = asyncio.current_task(), time.monotonic() + LIMIT_S
    while others := asyncio.all_tasks() - {own}:
        if time.monotonic() > end:
            raise AssertionError(f"tasks left behind: {sorted(t.get_name() for t in others)}")
        await asyncio.wait(others, timeout=0.05)


def cancelled_everywhere(
    part: Callable[[], Coroutine[Any, Any, None]], *, every: int = 1, most: int | None = None
) -> int:
    """How often the part was run, cancelled each time at another of the moments at which it waits:
    at every `every`th when the wait begins, and then when what was waited for is there and its
    result is lost. A run that was through before it could be cancelled is the last; of a part that
    goes on until it is cancelled, the `most`th.

    Raises: AssertionError where one leaves something behind.
    """
    runs = 0
    with leaves_nothing():
        before = Held.now()
        for late in (False, True):
            for at in itertools.islice(itertools.count(1, every), most):
                run = _Cancelled(part, at, late)
                asyncio.run(run.to_its_end())
                runs += 1
                _require_nothing_since(before, f"when it was cancelled at wait {at}, {late=}")
                if not run.reached:
                    break
    return runs


class _Cancelled:
    """One run of a part that is cancelled at its wait number `at`."""

    def __init__(self, part: Callable[[], Coroutine[Any, Any, None]], at: int, late: bool) -> None:
        self._part = part
        self._at = at
        self._late = late
        self._seen = 0
        self.reached = False

    async def to_its_end(self) -> None:
        task = asyncio.create_task(self._steps(), name="a part that is cancelled")
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()  # what it raises in place of the cancellation is a fault
        await no_task_is_left()

    async def _steps(self) -> None:
        await _Steps(self._part(), self._waits)

    def _waits(self, waited: object) -> None:
        self._seen += 1
        if self._seen != self._at:
            return
        self.reached = True
        task = asyncio.current_task()
        assert task is not None
        if self._late and isinstance(waited, asyncio.Future) and not waited.done():
            # Before the task's own callback: it is cancelled when the result is there already.
            waited.add_done_callback(lambda _: task.cancel())
        else:
            task.cancel()


class _Steps:
    """A coroutine, and what is told whenever it waits."""

    def __init__(self, work: Coroutine[Any, Any, None], waits: Callable[[object], None]) -> None:
        self._work = work
        self._waits = waits

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._work.__await__()
        step: Callable[[], object] = partial(next, steps)
        while True:
            try:
                waited = step()
            except StopIteration:
                return
            self._waits(waited)
            try:
                yield waited
            except BaseException as error:  # noqa: BLE001 - it is the part's to handle
                step = partial(steps.throw, error)
            else:
                step = partial(next, steps)
