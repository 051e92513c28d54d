"""The counts of waiting jobs, made beside the orders that come meanwhile."""

import asyncio

import pytest
from order_book_suite import of, order

from inferproof.errors import InferproofError, Reason
from inferproof.storage.ports.jobs import QueueLimits
from inferproof.storage.sql import queue_quota as module
from inferproof.storage.sql.queue_quota import Counts, QueueQuota
from inferproof.testing.memory_store import Stores
from inferproof.testing.rejections import rejects

LIMITS = QueueLimits(total=3, each=3)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def counted(quota: QueueQuota, counts: Counts = ()) -> None:
    """It counts these beside, and nobody comes meanwhile."""

    async def written() -> None:
        return

    async def count() -> Counts:
        return counts

    await quota.count_beside(written, count)


def waiting(quota: QueueQuota) -> int:
    """How many jobs wait by its counts."""
    error = quota.refuse(order(99), QueueLimits(total=0, each=9))
    assert error is not None
    return int(error.facts["depth"])


async def test_it_is_old_after_a_second_and_once() -> None:
    clock = Clock()
    quota = QueueQuota(clock)
    assert not quota.is_old  # nobody has counted: that is done where the first one is written
    await counted(quota)
    clock.now = 1.0
    assert not quota.is_old
    clock.now = 1.1
    assert quota.is_old
    seen: list[bool] = []

    async def written() -> None:
        seen.append(quota.is_old)

    async def count() -> Counts:
        return ()

    await quota.count_beside(written, count)
    assert seen == [False]
    assert not quota.is_old


async def test_who_comes_while_it_counts_is_counted() -> None:
    quota, early, late, twice = QueueQuota(), order(1), order(2), order(3)
    late_turn: list[int] = []

    async def written() -> None:
        quota.add(early)

    async def count() -> Counts:
        late_turn.append(quota.add(late))
        quota.remove(twice, quota.add(twice))  # it was not new
        return [(order(0).payment.payer, None, 1, 7, 7)]

    await quota.count_beside(written, count)
    assert waiting(quota) == 3
    quota.remove(late, *late_turn)
    assert waiting(quota) == 2
    await counted(quota, [(order(0).payment.payer, None, 1, 7, 7)])
    assert waiting(quota) == 1


async def test_turns_go_on_from_what_was_added_meanwhile() -> None:
    quota = QueueQuota()
    await counted(quota, [(of("a", 0).payment.payer, None, 1, 4, 4)])

    async def written() -> None:
        assert quota.add(of("a", 1)) == 5

    async def count() -> Counts:
        return [(of("a", 0).payment.payer, None, 1, 4, 4)]

    await quota.count_beside(written, count)
    assert quota.add(of("a", 2)) == 6
    assert quota.add(of("b", 3)) == 5


def test_the_turn_of_an_order_that_was_not_new_is_given_again() -> None:
    quota = QueueQuota()
    assert quota.add(of("a", 1)) == 1
    refused = quota.add(of("a", 2))
    quota.remove(of("a", 2), refused)
    assert quota.add(of("a", 3)) == refused == 2
    earlier, later = quota.add(of("a", 4)), quota.add(of("a", 5))
    quota.remove(of("a", 4), earlier)
    assert quota.add(of("a", 6)) == later + 1  # it has a later one


async def test_a_count_that_fails_changes_nothing() -> None:
    clock = Clock()
    quota = QueueQuota(clock)
    await counted(quota, [(order(0).payment.payer, None, 2, 1, 2)])
    clock.now = 2.0

    async def written() -> None:
        quota.add(order(1))

    async def count() -> Counts:
        raise OSError

    with pytest.raises(OSError):
        await quota.count_beside(written, count)
    assert quota.is_old
    assert waiting(quota) == 3


async def test_no_limit_is_passed_while_others_count(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every order that finds nobody counting counts, however many come at once."""
    monkeypatch.setattr(module, "COUNTED_S", 0.0)
    monkeypatch.setattr(module, "SHARE", 0)
    monkeypatch.setattr(module, "LATE", 10**9)
    orders, limits = stores.orders, QueueLimits(total=20, each=8)
    taken = 0
    for first in range(0, 60, 15):
        results = await asyncio.gather(
            *(
                orders.jobs.reserve(of("abc"[n % 3], n), quota=limits)
                for n in range(first, first + 15)
            ),
            return_exceptions=True,
        )
        taken += sum(not isinstance(result, BaseException) for result in results)
        assert all(
            isinstance(result, InferproofError)
            for result in results
            if isinstance(result, BaseException)
        )
        assert (await orders.ledger.backlog()).waiting == taken <= 20
    assert taken == 20
    with rejects(
        Reason.QUEUE_FULL, "20 jobs are waiting, the limit is 20; nothing was charged, come back"
    ):
        await orders.jobs.reserve(of("d", 99), quota=limits)
