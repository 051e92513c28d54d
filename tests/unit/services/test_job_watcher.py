"""The lookout wakes those who wait for jobs that another process moves on, with one question."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from inferproof.errors import Reason, Unavailable
from inferproof.protocol.encoding import keccak256
from inferproof.services.event_bus import EventBus
from inferproof.services.job_watcher import JobWatcher
from inferproof.storage.ports.jobs import Progress
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

JOBS = [Digest(keccak256(bytes([n]))) for n in range(3)]


class Book:
    """Counts of steps that another process makes."""

    def __init__(self) -> None:
        self.steps = dict.fromkeys(JOBS, 1)
        self.asked: list[set[Digest]] = []
        self.away = False
        self.state = JobState.QUEUED

    async def progress(self, ids: Sequence[Digest]) -> dict[Digest, Progress]:
        self.asked.append(set(ids))
        if self.away:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, why="it is away")
        return {job: Progress(self.steps[job], self.state) for job in ids if job in self.steps}


def made(every_s: float = 0.005) -> tuple[Any, EventBus, JobWatcher]:
    book, event_bus = Book(), EventBus()
    return book, event_bus, JobWatcher(book, event_bus, every_s)  # type: ignore[arg-type]


async def settled(book: Book) -> None:
    """Two more looks have ended."""
    before = len(book.asked)
    while len(book.asked) < before + 2:  # noqa: ASYNC110 - the book tells nobody
        await asyncio.sleep(0.001)


async def test_a_step_of_another_process_ends_the_wait() -> None:
    book, _, job_watcher = made()
    with job_watcher.watch(JOBS[0]) as watch:
        await settled(book)
        watch.mark()
        waiting = asyncio.create_task(watch.wait(120))
        await settled(book)
        assert not waiting.done()
        book.steps[JOBS[0]] = 2
        await asyncio.wait_for(waiting, 60)


async def test_a_step_of_another_job_does_not() -> None:
    book, _, job_watcher = made()
    with job_watcher.watch(JOBS[0]) as watch, job_watcher.watch(JOBS[1]):
        await settled(book)
        watch.mark()
        waiting = asyncio.create_task(watch.wait(120))
        book.steps[JOBS[1]] = 2
        await settled(book)
        assert not waiting.done()
        book.steps[JOBS[0]] = 2
        await asyncio.wait_for(waiting, 60)


async def test_a_step_into_a_state_that_passes_does_not() -> None:
    book, _, job_watcher = made()
    passing = frozenset({JobState.QUEUED, JobState.RUNNING})
    with job_watcher.watch(JOBS[0]) as watch:
        watch.mark()
        waiting = asyncio.create_task(watch.wait(120, passing))
        await settled(book)
        book.steps[JOBS[0]], book.state = 2, JobState.RUNNING
        await settled(book)
        assert not waiting.done()
        book.steps[JOBS[0]], book.state = 3, JobState.DONE
        await asyncio.wait_for(waiting, 60)


async def test_the_time_is_over_in_a_state_that_passes() -> None:
    book, _, job_watcher = made()
    with job_watcher.watch(JOBS[0]) as watch:
        watch.mark()
        await asyncio.wait_for(watch.wait(0.05, frozenset({JobState.QUEUED})), 60)
        assert book.asked


async def test_a_step_between_mark_and_wait_is_not_missed() -> None:
    book, _, job_watcher = made()
    with job_watcher.watch(JOBS[0]) as watch:
        await settled(book)
        watch.mark()
        book.steps[JOBS[0]] = 2
        await settled(book)  # the ring finds nobody waiting
        await asyncio.wait_for(watch.wait(120), 60)


async def test_the_bell_of_this_process_ends_the_wait_at_once() -> None:
    _, event_bus, job_watcher = made(every_s=60)
    with job_watcher.watch(JOBS[0]) as watch:
        watch.mark()
        waiting = asyncio.create_task(watch.wait(120))
        await asyncio.sleep(0)
        event_bus.publish(JOBS[0])
        await asyncio.wait_for(waiting, 60)


async def test_many_who_wait_are_one_question() -> None:
    book, _, job_watcher = made()
    with job_watcher.watch(JOBS[0]), job_watcher.watch(JOBS[0]), job_watcher.watch(JOBS[1]):
        await settled(book)
    assert book.asked[-1] == {JOBS[0], JOBS[1]}


async def test_nobody_waits_and_nothing_is_asked() -> None:
    book, _, job_watcher = made()
    with job_watcher.watch(JOBS[0]):
        await settled(book)
    before = len(book.asked)
    await asyncio.sleep(0.05)
    assert len(book.asked) == before
    with job_watcher.watch(JOBS[1]):  # and it looks again for the next one
        await settled(book)
    assert book.asked[-1] == {JOBS[1]}


@pytest.mark.parametrize("away", [True, False], ids=["storage away", "unknown job"])
async def test_what_cannot_be_seen_is_left_to_those_who_wait(away: bool) -> None:
    book, _, job_watcher = made()
    book.away = away
    del book.steps[JOBS[0]]
    with job_watcher.watch(JOBS[0]) as watch:
        for _ in range(2):
            watch.mark()
            await asyncio.wait_for(watch.wait(120), 60)
