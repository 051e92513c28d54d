"""Questions that are asked together."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from order_book_suite import order

from inferproof.concurrency.request_coalescing import MAX_COALESCED, RequestCoalescer
from inferproof.storage.ports.jobs import Outcome
from inferproof.testing.memory_store import Stores


class Slow:
    """Answers a number with its double once it is let go; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.fault: Exception | None = None

    async def __call__(self, keys: Sequence[int]) -> Mapping[int, int]:
        self.asked.append(sorted(keys))
        self.begun.set()
        await self.go.wait()
        if self.fault is not None:
            raise self.fault
        return {key: 2 * key for key in keys}


async def test_who_asks_meanwhile_is_answered_by_the_next() -> None:
    slow = Slow()
    together = RequestCoalescer(slow)
    first = asyncio.create_task(together(1))
    await slow.begun.wait()
    # The same key again too: the answer under way may be older than this question.
    later = [asyncio.create_task(together(key)) for key in (1, 2, 2, 3)]
    await asyncio.sleep(0)
    slow.go.set()
    assert await asyncio.gather(first, *later) == [2, 2, 4, 4, 6]
    assert slow.asked == [[1], [1, 2, 3]]
    assert await together(4) == 8


async def test_between_shared_questions_there_may_be_a_gap() -> None:
    slow = Slow()
    slow.go.set()
    together = RequestCoalescer(slow, gap_s=0.3)
    await asyncio.gather(together(1), together(2))
    third = asyncio.create_task(together(3))
    for _ in range(20):
        await asyncio.sleep(0)
    assert await asyncio.gather(third, together(4)) == [6, 8]
    assert slow.asked == [[1, 2], [3, 4]]


async def test_who_asks_alone_waits_for_no_gap() -> None:
    slow = Slow()
    slow.go.set()
    together = RequestCoalescer(slow, gap_s=3600.0)
    assert [await together(number) for number in range(3)] == [0, 2, 4]
    assert slow.asked == [[0], [1], [2]]


class Halting:
    """Answers a number with its double; the number 1 only once it is let go."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, keys: Sequence[int]) -> Mapping[int, int]:
        self.asked.append(sorted(keys))
        self.begun.set()
        if 1 in keys:
            await self.go.wait()
        return {key: 2 * key for key in keys}


@pytest.mark.parametrize("first", [[1], [1, 0]])
async def test_an_answer_that_takes_long_holds_up_only_those_who_asked_for_it(
    first: list[int],
) -> None:
    halting = Halting()
    together = RequestCoalescer(halting, gap_s=0.001, at_once=2)
    slow = asyncio.gather(*map(together, first))
    await halting.begun.wait()
    assert await together(2) == 4
    assert await asyncio.gather(together(3), together(4)) == [6, 8]
    assert not slow.done()
    halting.go.set()
    assert await slow == [2 * key for key in first]
    assert halting.asked == [sorted(first), [2], [3, 4]]


async def test_no_more_are_under_way_than_may_be() -> None:
    halting = Halting()
    together = RequestCoalescer(halting, gap_s=0.001, at_once=2)
    slow = [asyncio.create_task(together(1))]
    await asyncio.sleep(0.02)
    slow.append(asyncio.create_task(together(1)))  # the same again: asked after the first was
    await asyncio.sleep(0.02)
    late = asyncio.create_task(together(2))
    await asyncio.sleep(0.05)
    assert halting.asked == [[1], [1]]
    halting.go.set()
    assert await late == 4
    assert await asyncio.gather(*slow) == [2, 2]


async def test_with_one_at_once_all_wait() -> None:
    halting = Halting()
    together = RequestCoalescer(halting, gap_s=0.001)
    slow = asyncio.create_task(together(1))
    await halting.begun.wait()
    late = asyncio.create_task(together(2))
    await asyncio.sleep(0.05)
    assert halting.asked == [[1]]
    halting.go.set()
    assert [await slow, await late] == [2, 4]


async def test_many_are_answered_in_batches() -> None:
    slow = Slow()
    slow.go.set()
    together = RequestCoalescer(slow)
    count = 2 * MAX_COALESCED + 1
    assert await asyncio.gather(*map(together, range(count))) == [2 * n for n in range(count)]
    assert [len(keys) for keys in slow.asked] == [MAX_COALESCED, MAX_COALESCED, 1]


async def test_a_failure_is_told_to_all_who_asked_and_to_nobody_else() -> None:
    slow = Slow()
    slow.fault = ZeroDivisionError()
    slow.go.set()
    together = RequestCoalescer(slow)
    results = await asyncio.gather(*map(together, range(3)), return_exceptions=True)
    assert all(isinstance(result, ZeroDivisionError) for result in results)
    slow.fault = None
    assert await together(1) == 2


async def test_one_who_no_longer_waits_is_no_trouble() -> None:
    slow = Slow()
    together = RequestCoalescer(slow)
    given_up, stays = asyncio.create_task(together(1)), asyncio.create_task(together(2))
    await slow.begun.wait()
    given_up.cancel()
    slow.go.set()
    assert await stays == 4
    with pytest.raises(asyncio.CancelledError):
        await given_up


async def test_each_payment_finds_its_own_job(stores: Stores) -> None:
    for number in range(0, 40, 2):
        assert (await stores.orders.jobs.reserve(order(number))).outcome is Outcome.NEW
    found = await asyncio.gather(
        *(stores.orders.jobs.find_payment(order(n).payment) for n in range(40))
    )
    for number, job in enumerate(found):
        if number % 2:
            assert job is None
        else:
            assert job is not None
            assert job.order == order(number)
