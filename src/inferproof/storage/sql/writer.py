"""Group commit: one writer drains its queue into one transaction and answers after COMMIT.

A durable commit costs one wait for the disk, whatever it holds. Whoever writes while another
commit is under way finds itself in the next one, so the cost is shared under load. One write that
contradicts the rules, or meets a bug, fails alone; the rest is committed. An operation may be run
more than once, each time in a new transaction.

After a commit of several writes the next one begins GATHER_S after it began at the earliest: each
costs more than what it holds, and on a machine that is full the more commits the later all are
answered. Where each comes alone, none waits for another.

A connection that is lost while a commit is under way leaves open whether it was made. The writes
are answered as failed: whoever repeats one finds it done, or does it now.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inferproof.errors import InferproofError, Reason, Unavailable
from inferproof.storage.sql.failures import passes, storage_error

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - the item of a batch

Operation = Callable[[AsyncConnection], Awaitable[T]]
BatchOperation = Callable[[AsyncConnection, Sequence[I]], Awaitable[Sequence[T | InferproofError]]]


MAX_BATCH = 256
"""Bounds the time that the first of a batch waits for the last."""

GATHER_S = 0.005
"""The least time between the beginnings of two commits where writes come together. What trickles
in behind a group goes with the next; a commit takes as long by itself on a usual disk."""

MAX_ATTEMPTS = 5
"""For a write that waited for another gateway's, which waited for it: the server ended one."""


@dataclass(slots=True, eq=False)
class _Single:
    operation: Operation[Any]
    answer: asyncio.Future[Any]


@dataclass(slots=True, eq=False)
class _Item:
    operation: BatchOperation[Any, Any]
    item: object
    answer: asyncio.Future[Any]


_Outcome = tuple[asyncio.Future[Any], object]


class Writer:
    """The only writer of one database in this process."""

    def __init__(
        self, engine: AsyncEngine, lock: asyncio.Lock, *, gather_s: float = GATHER_S
    ) -> None:
        """`lock` is held for each transaction."""
        self._engine = engine
        self._lock = lock
        self._gather_s = gather_s
        self._queue: deque[_Single | _Item] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._not_before = 0.0
        self._task = asyncio.create_task(self._run(), name="database writer")

    async def write(self, operation: Operation[T]) -> T:
        """What the operation returns, once it is durable.

        Raises: what the operation raises (nothing of it remains then); Unavailable STORAGE_FULL,
        STORAGE_UNAVAILABLE.
        """
        answer = self._answer()
        self._put(_Single(operation, answer))
        return cast("T", await answer)

    async def write_item(self, operation: BatchOperation[I, T], item: I) -> T:
        """The same, for an operation that takes many items in few statements.

        It answers with one value or one failure for each item, in their order, and has written
        nothing for an item that failed.
        """
        answer = self._answer()
        self._put(_Item(operation, item, answer))
        return cast("T", await answer)

    async def close(self) -> None:
        """Returns when all that was asked for is committed and the writer has stopped."""
        self._closing = True
        self._wake.set()
        await self._task

    @staticmethod
    def _answer() -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    def _put(self, entry: _Single | _Item) -> None:
        if self._closing:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, why="it is being closed")
        self._queue.append(entry)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            # Whoever comes in the same turn of the loop comes along.
            await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
            if batch:
                await self._answered([e for e in batch if not e.answer.cancelled()])
            elif self._closing:
                return
            else:
                self._wake.clear()

    async def _answered(self, batch: Sequence[_Single | _Item]) -> None:
        """Commits the batch. A bug of this module itself is told to those who wait, and not to
        nobody: the writer goes on."""
        try:
            await self._commit(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for it
            _answer_all([(entry.answer, error) for entry in batch])

    async def _commit(self, batch: Sequence[_Single | _Item]) -> None:
        begun = time.monotonic()
        _answer_all(await self._outcomes(batch))
        self._not_before = begun + self._gather_s if len(batch) > 1 else 0.0

    async def _outcomes(self, batch: Sequence[_Single | _Item]) -> list[_Outcome]:
        """What each write came to. Nothing of a batch is written when its commit fails, so where
        it may be the fault of one write, or of the order of several, each is tried alone."""
        if not batch:
            return []
        alone = len(batch) == 1
        try:
            return await self._persist(batch, MAX_ATTEMPTS if alone else 1)
        except (DBAPIError, OSError) as error:
            failure = storage_error(error)
            if not alone and (failure is None or passes(error)):
                return await self._one_by_one(batch)
            return [(entry.answer, failure or error) for entry in batch]
        except Exception as error:  # noqa: BLE001 - a bug in one write must reach its caller
            if not alone:
                return await self._one_by_one(batch)
            return [(batch[0].answer, error)]

    async def _one_by_one(self, batch: Sequence[_Single | _Item]) -> list[_Outcome]:
        return [outcome for entry in batch for outcome in await self._outcomes([entry])]

    async def _persist(self, batch: Sequence[_Single | _Item], attempts: int) -> list[_Outcome]:
        while True:
            attempts -= 1
            try:
                try:
                    async with self._lock, self._engine.begin() as connection:
                        return await _execute(connection, batch)
                except (InferproofError, IntegrityError) as error:
                    if len(batch) > 1:
                        raise
                    return [(batch[0].answer, error)]
            except DBAPIError as error:
                if not (attempts and passes(error)):
                    raise


def _answer_all(outcomes: Sequence[_Outcome]) -> None:
    for answer, outcome in outcomes:
        if answer.done():
            continue
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)


async def _execute(connection: AsyncConnection, batch: Sequence[_Single | _Item]) -> list[_Outcome]:
    outcomes: list[_Outcome] = []
    together: dict[BatchOperation[Any, Any], list[_Item]] = {}
    for entry in batch:
        if isinstance(entry, _Item):
            together.setdefault(entry.operation, []).append(entry)
    for operation, items in together.items():
        answers = await operation(connection, [entry.item for entry in items])
        outcomes += [(e.answer, given) for e, given in zip(items, answers, strict=True)]
    for entry in batch:
        if isinstance(entry, _Single):
            # What fails alone takes its transaction along.
            run = entry.operation if len(batch) == 1 else partial(_one, operation=entry.operation)
            outcomes.append((entry.answer, await run(connection)))
    return outcomes


async def _one(connection: AsyncConnection, operation: Operation[Any]) -> object:
    try:
        async with connection.begin_nested():
            return await operation(connection)
    except (InferproofError, IntegrityError) as error:
        return error
