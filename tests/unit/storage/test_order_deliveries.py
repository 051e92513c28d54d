"""Deliveries of orders in an escrow, on every database: made once, reopened, ended."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from order_book_suite import ANSWER, ASSET, BLOCK, NETWORK, SENDER, WHY, digest, order, transaction

from inferproof.errors import Conflict, NotFound, Reason
from inferproof.storage.ports.jobs import Failure, ValidatedOrder
from inferproof.storage.ports.order_deliveries import OrderDelivery
from inferproof.storage.ports.outbox import BlockRef, Inclusion, OutboxItem, OutboxKind
from inferproof.testing.memory_store import Stores
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest
from inferproof.types.escrow import OrderDeliveryState
from inferproof.types.job import JobState

LATER = BlockRef(BLOCK.number + 3, digest("later"))


def served(number: int = 0, deliver_by: int = 1_000) -> ValidatedOrder:
    """An order whose money is earned by a delivery."""
    return replace(order(number), deliver_by=deliver_by)


async def taken(stores: Stores, made: ValidatedOrder, number: int = 0) -> None:
    """It is reserved and accepted."""
    await stores.orders.jobs.reserve(made)
    sendings = [([made.job_id], transaction(number))]
    (item,) = await stores.orders.settlements.send_settlements(sendings, now=2)
    inclusion = Inclusion(item, item.newest.tx, BLOCK, {made.job_id: None})
    await stores.orders.settlements.included([inclusion], now=3)


async def answered(stores: Stores, made: ValidatedOrder, number: int = 0) -> None:
    await taken(stores, made, number)
    claimed = await stores.orders.queue.claim(now=4, lease_until=34)
    assert claimed is not None
    await stores.orders.queue.finish(made.job_id, claimed.fence, ANSWER, now=5)


async def failed(stores: Stores, made: ValidatedOrder) -> None:
    await taken(stores, made)
    claimed = await stores.orders.queue.claim(now=4, lease_until=34)
    assert claimed is not None
    await stores.orders.queue.give_up(made.job_id, claimed.fence, WHY, now=5)


async def due(stores: Stores, now: int = 10) -> Sequence[OrderDelivery]:
    return await stores.orders.deliveries.due(ASSET, now=now, limit=9)


async def of(stores: Stores, job_id: Digest) -> OrderDelivery:
    found = await stores.orders.deliveries.of_jobs(ASSET, limit=9)
    return next(each for each in found if each.job_id == job_id)


async def sent(stores: Stores, made: ValidatedOrder, number: int = 7) -> OutboxItem:
    return await stores.orders.deliveries.send(made.job_id, transaction(number), now=6)


async def test_an_order_keeps_until_when_it_is_delivered(stores: Stores) -> None:
    made = served()
    await stores.orders.jobs.reserve(made)
    assert (await stores.orders.jobs.job(made.job_id)).order == made
    waiting = await of(stores, made.job_id)
    assert (waiting.state, waiting.deliver_by) == (OrderDeliveryState.OPEN, 1_000)
    assert (waiting.job_state, waiting.under_way) == (JobState.RESERVED, False)
    assert waiting.payment == made.payment
    assert await due(stores) == [], "there is no answer yet"


async def test_other_orders_have_none(stores: Stores) -> None:
    made = order(0)
    await answered(stores, made)
    assert await due(stores) == []
    assert await stores.orders.deliveries.of_jobs(ASSET, limit=9) == []
    message = f"job {made.job_id} is none that is delivered on a chain"
    with rejects(Reason.ORDER_DELIVERY_UNKNOWN, message, kind=NotFound):
        await sent(stores, made)


async def test_the_one_that_is_due_first_comes_first(stores: Stores) -> None:
    for number, deliver_by in enumerate((900, 700, 800)):
        await answered(stores, served(number, deliver_by), number)
    assert [each.deliver_by for each in await due(stores)] == [700, 800, 900]


async def test_it_is_sent_once_and_delivered(stores: Stores) -> None:
    made = served()
    await answered(stores, made)
    item = await sent(stores, made)
    assert item.kind is OutboxKind.DELIVERY
    (opened,) = [
        each
        for each in await stores.orders.outbox.open_outbox(NETWORK, SENDER)
        if each.kind is OutboxKind.DELIVERY
    ]
    assert opened.id == item.id
    assert await due(stores) == []
    assert (await of(stores, made.job_id)).under_way
    message = f"the delivery of job {made.job_id} is under way; it is not made again"
    with rejects(Reason.ORDER_DELIVERY_NOT_DUE, message, kind=Conflict):
        await sent(stores, made, 8)
    carried = await stores.orders.deliveries.carried(ASSET, item)
    assert carried is not None
    assert carried.job_id == made.job_id
    await stores.orders.deliveries.delivered(made.job_id, item, item.newest.tx, LATER, fee=9, now=7)
    done = await of(stores, made.job_id)
    assert done.state is OrderDeliveryState.DELIVERED
    assert (done.transaction, done.block, done.fee) == (item.newest.tx, LATER.number, 9)
    assert LATER in await stores.orders.outbox.watched(NETWORK)
    message = f"the delivery of job {made.job_id} is delivered; it is not made again"
    with rejects(Reason.ORDER_DELIVERY_NOT_DUE, message, kind=Conflict):
        await sent(stores, made, 8)


async def test_what_the_chain_takes_back_is_under_way_again(stores: Stores) -> None:
    made = served()
    await answered(stores, made)
    item = await sent(stores, made)
    await stores.orders.deliveries.delivered(made.job_id, item, item.newest.tx, LATER, fee=9, now=7)
    await stores.orders.settlements.take_back(NETWORK, first=LATER.number, now=8)
    again = await of(stores, made.job_id)
    assert (again.state, again.under_way) == (OrderDeliveryState.OPEN, True)
    assert (again.transaction, again.block, again.fee) == (None, None, None)


async def test_one_that_was_found_elsewhere_is_due_again_when_it_is_taken_back(
    stores: Stores,
) -> None:
    made = served()
    await answered(stores, made)
    await stores.orders.deliveries.delivered(
        made.job_id, None, digest("theirs"), LATER, fee=9, now=7
    )
    assert await due(stores) == []
    await stores.orders.settlements.take_back(NETWORK, first=LATER.number, now=8)
    assert [each.job_id for each in await due(stores)] == [made.job_id]


async def test_a_number_that_was_lost_is_taken_anew(stores: Stores) -> None:
    made = served()
    await answered(stores, made)
    item = await sent(stores, made)
    await stores.orders.outbox.drop(item, now=7)
    assert [each.job_id for each in await due(stores)] == [made.job_id]
    await sent(stores, made, 8)


async def test_one_that_reverted_is_tried_again_later(stores: Stores) -> None:
    made = served()
    await answered(stores, made)
    item = await sent(stores, made)
    await stores.orders.deliveries.reverted(made.job_id, item, item.newest.tx, LATER, retry_at=30)
    assert await due(stores, now=29) == []
    (again,) = await due(stores, now=30)
    assert again.attempts == 1
    await stores.orders.deliveries.put_off(made.job_id, retry_at=50, now=31)
    assert await due(stores, now=49) == []


async def test_one_that_ended_says_why(stores: Stores) -> None:
    made, why = served(), Failure("ORDER_LOST", "order is rescued", {"status": "rescued"})
    await answered(stores, made)
    await stores.orders.deliveries.ended(made.job_id, why, now=9)
    ended = await of(stores, made.job_id)
    assert (ended.state, ended.failure) == (OrderDeliveryState.ENDED, why)
    assert await due(stores) == []
    with pytest.raises(Conflict):
        await stores.orders.deliveries.ended(made.job_id, why, now=9)


async def test_a_job_that_failed_is_looked_after_and_never_refunded_here(stores: Stores) -> None:
    made = served()
    await failed(stores, made)
    assert await stores.orders.settlements.due_refunds(ASSET, now=99, limit=9) == []
    (left,) = await due(stores)
    assert left.job_state is JobState.FAILED
    job = await stores.orders.settlements.refunded(
        made.job_id, digest("refund"), LATER.number, now=9, block_hash=LATER.digest, found=True
    )
    assert job.state is JobState.REFUNDED
    assert (await of(stores, made.job_id)).state is OrderDeliveryState.ENDED
    # The chain takes that refund back: the escrow is asked again.
    await stores.orders.settlements.take_back(NETWORK, first=LATER.number, now=10)
    assert [each.job_state for each in await due(stores)] == [JobState.FAILED]


async def test_a_void_job_is_not_delivered(stores: Stores) -> None:
    made = served()
    await stores.orders.jobs.reserve(made)
    await stores.orders.settlements.void(made.job_id, WHY, now=4)
    assert (await of(stores, made.job_id)).state is OrderDeliveryState.ENDED


async def test_nobody_proves_before_the_order_is_accepted(stores: Stores) -> None:
    await stores.orders.jobs.reserve(served())
    assert not await stores.orders.queue.startable()
    assert await stores.orders.queue.claim_early(lease_until=9) is None
    await stores.orders.jobs.reserve(order(1))
    assert await stores.orders.queue.startable()


async def test_locked_money_is_promised_to_nobody_else(stores: Stores) -> None:
    await stores.orders.jobs.reserve(served())
    backlog = await stores.orders.ledger.backlog()
    assert (backlog.waiting, dict(backlog.unsettled)) == (1, {})


async def test_the_books_of_the_token_leave_it_out(stores: Stores) -> None:
    await answered(stores, served())
    assert await stores.orders.ledger.page(ASSET, after=0, limit=9) == []
    assert (await stores.orders.ledger.scope(ASSET)).first_block is None
