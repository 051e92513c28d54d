"""Questions that are asked together: what group commit is for writes, this is for reads.

A question to a database or a chain costs mostly what surrounds it: a connection, a statement, a
round trip or a thread's turn. Whoever asks while an answer is under way is answered by the next
one, with all who ask by then. So each answer was read after its question was put. Nobody waits on
purpose, but for a `gap_s` between questions that several asked together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_COALESCED = 256
"""Bounds the time that the first of a batch waits for the last."""


class RequestCoalescer(Generic[K, V]):
    """Answers by key. `ask` is given different keys, and has a value for each.

    After a question for several keys the next one is put `gap_s` seconds later at the earliest.
    Where `at_once` questions may be under way, one whose answer takes longer than that holds up
    none but those who asked it.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        *,
        gap_s: float = 0.0,
        at_once: int = 1,
    ) -> None:
        self._ask = ask
        self._gap_s = gap_s
        self._at_once = at_once
        self._waiting: dict[K, list[asyncio.Future[V]]] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, key: K) -> V:
        """The answer to this key. Raises: what `ask` raises."""
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(answer)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="questions")
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                asked = self._next()
                question = asyncio.create_task(self._answer(asked), name="question")
                self._under_way.add(question)
                question.add_done_callback(self._under_way.discard)
                if len(asked) > 1:
                    await asyncio.sleep(self._gap_s)
                else:
                    await asyncio.wait([question], timeout=self._gap_s)
                while len(self._under_way) >= self._at_once:
                    await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._task = None

    def _next(self) -> dict[K, list[asyncio.Future[V]]]:
        """Takes those who wait, as many as go together."""
        waiting = self._waiting
        if len(waiting) <= MAX_COALESCED:
            self._waiting = {}
            return waiting
        return {key: waiting.pop(key) for key in list(waiting)[:MAX_COALESCED]}

    async def _answer(self, asked: Mapping[K, Sequence[asyncio.Future[V]]]) -> None:
        try:
            found = await self._ask(list(asked))
        except Exception as error:  # noqa: BLE001 - a failure belongs to those who asked
            for answer in (each for answers in asked.values() for each in answers):
                if not answer.done():
                    answer.set_exception(error)
            return
        for key, answers in asked.items():
            for answer in answers:
                if not answer.done():
                    answer.set_result(found[key])
