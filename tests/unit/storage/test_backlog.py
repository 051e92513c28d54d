"""The backlog is read anew where it has changed, and is the same as one that is read whole."""

import asyncio
import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from order_book_suite import BLOCK, NETWORK, WHY, brought_to, of, order, transaction
from sqlalchemy import event

from inferproof.errors import Unavailable
from inferproof.storage.ports.orders import Orders
from inferproof.storage.ports.outbox import Inclusion
from inferproof.storage.sql import backlog as module
from inferproof.storage.sql.backlog import BacklogReader
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.types.job import JobState


async def unsettled(orders: Orders) -> dict[bytes, int]:
    """All amounts by the bytes of the nonce, as the book says that has looked before."""
    found = (await orders.ledger.backlog()).unsettled
    return {nonce: amount for amounts in found.values() for nonce, amount in amounts.items()}


async def check_same(stores: Stores) -> None:
    """Who has looked before and who looks for the first time see the same."""
    before = await stores.orders.ledger.backlog()
    assert before == await stores.database.read(BacklogReader())


class Learnt:
    """How many payments were read, by the statements that ask for them."""

    def __init__(self, stores: Stores) -> None:
        self.count = 0
        self._engine = stores.database._reading.sync_engine
        event.listen(self._engine, "before_cursor_execute", self._note)

    def _note(self, _c: Any, _cursor: Any, sql: str, given: Any, _x: Any, _many: bool) -> None:
        if "payment_reservations.nonce" in sql:
            numbers, *_ = given
            self.count += len(json.loads(numbers) if isinstance(numbers, str) else numbers)

    def end(self) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)


@pytest.fixture
def learnt(stores: Stores) -> Iterator[Learnt]:
    counting = Learnt(stores)
    yield counting
    counting.end()


async def test_a_payment_is_read_once(stores: Stores, learnt: Learnt) -> None:
    orders = stores.orders
    for number in range(3):
        await orders.jobs.reserve(of(f"payer {number % 2}", number))
    assert len(await unsettled(orders)) == 3
    assert learnt.count == 3
    assert len(await unsettled(orders)) == 3
    assert learnt.count == 3
    await orders.jobs.reserve(of("payer 0", 3))
    assert len(await unsettled(orders)) == 4
    assert learnt.count == 4
    await check_same(stores)


async def test_the_garbage_collector_looks_at_no_payment(stores: Stores) -> None:
    orders = stores.orders
    for number in range(3):
        await orders.jobs.reserve(of(f"payer {number % 2}", number))
    reader = BacklogReader()
    await stores.database.read(reader)
    assert len(reader._nonce_of) == len(reader._payer_key_of) == 3
    assert (
        len({id(payer_key) for payer_key in reader._payer_key_of.values()}) == 2
    )  # one for each payer
    assert not any(map(gc.is_tracked, reader._nonce_of.values()))


async def test_what_is_settled_leaves_and_what_is_taken_back_returns(stores: Stores) -> None:
    orders = stores.orders
    await brought_to(orders, JobState.SETTLING, 0)
    (item,) = await orders.outbox.open_outbox(NETWORK, transaction(0).sender)
    nonce, amount = order(0).payment.nonce.raw, order(0).payment.amount
    assert await unsettled(orders) == {nonce: amount}
    await orders.settlements.included(
        [Inclusion(item, item.newest.tx, BLOCK, {order(0).job_id: None})], now=3
    )
    assert await unsettled(orders) == {}
    assert (await orders.ledger.backlog()).waiting == 1  # for a worker
    await check_same(stores)
    await orders.settlements.take_back(NETWORK, first=BLOCK.number, now=4)
    assert await unsettled(orders) == {nonce: amount}
    await check_same(stores)


async def test_what_it_told_does_not_change(stores: Stores) -> None:
    orders = stores.orders
    await orders.jobs.reserve(order(0))
    told = await orders.ledger.backlog()
    before = {payer_key: dict(amounts) for payer_key, amounts in told.unsettled.items()}
    await orders.settlements.void(order(0).job_id, WHY, now=2)
    await orders.jobs.reserve(order(1))
    await orders.ledger.backlog()
    assert told.unsettled == before


async def test_two_who_look_at_once_both_see_all(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_A_TIME", 2)
    orders = stores.orders

    async def more(first: int) -> None:
        for number in range(first, first + 9):
            await orders.jobs.reserve(order(number))

    for first in range(0, 45, 9):
        _, *told = await asyncio.gather(more(first), *(orders.ledger.backlog() for _ in range(6)))
        for backlog in told:
            assert backlog.waiting == sum(map(len, backlog.unsettled.values()))
    assert len(await unsettled(orders)) == 45


async def test_a_look_that_fails_half_way_is_made_good(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_A_TIME", 2)
    orders, reader = stores.orders, BacklogReader()
    for number in range(5):
        await orders.jobs.reserve(order(number))
    learn, calls = reader._learn, 0

    async def fails_once(*given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ConnectionError
        await learn(*given)

    monkeypatch.setattr(reader, "_learn", fails_once)
    with pytest.raises(Unavailable):
        await stores.database.read(reader)
    assert await stores.database.read(reader) == await stores.database.read(BacklogReader())


EARLY = {JobState.RESERVED, JobState.SETTLING, JobState.VOID, JobState.WITHDRAWN, JobState.QUEUED}
"""States on whose way nothing is claimed."""
STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([*JobState, None])), min_size=1, max_size=12
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_whatever_happened_between_two_looks(steps: list[tuple[int, JobState | None]]) -> None:
    """Each job is brought to a state once; None is a look."""

    async def run() -> None:
        done: set[int] = set()
        async with open_stores() as stores:
            for number, state in steps:
                if state is None:
                    await check_same(stores)
                elif number not in done:
                    done.add(number)
                    # Alone, so that no claim takes another's job.
                    if (await stores.orders.ledger.depth())[JobState.QUEUED] and state not in EARLY:
                        continue
                    await brought_to(stores.orders, state, number)
            await check_same(stores)

    asyncio.run(run())
