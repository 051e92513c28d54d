"""The ledger of revenue and its payouts, on every database."""

from dataclasses import replace

import pytest
from order_book_suite import (
    ANSWER,
    ASSET,
    BLOCK,
    NETWORK,
    SENDER,
    WHY,
    brought_to,
    digest,
    order,
    transaction,
)
from sqlalchemy import text

from inferproof.errors import Conflict, NotFound, Reason
from inferproof.protocol.revenue import split, why_unpaid
from inferproof.storage.ports.outbox import BlockRef, Inclusion, OutboxItem, OutboxKind
from inferproof.storage.ports.revenue import PayoutTerms, Period, Settled
from inferproof.storage.sql.payouts import SqlPayouts
from inferproof.storage.sql.revenue import SqlRevenue
from inferproof.testing.memory_store import Stores
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.money import Network
from inferproof.types.revenue import Balance, Entry, Payout, PayoutState, Shares, Unpaid

ANN, BEN = Address(b"\xaa" * 20), Address(b"\xbb" * 20)
CONTRACT = Address(b"\xcc" * 20)
PRICE = order().payment.amount
TERMS = PayoutTerms(SENDER, CONTRACT, least=1, size=50, first_block=7)
LATER = BlockRef(50, digest("a later block"))
ALL = Period()


@pytest.fixture
def revenue(stores: Stores) -> SqlRevenue:
    return SqlRevenue(stores.database)


@pytest.fixture
def payouts(stores: Stores) -> SqlPayouts:
    return SqlPayouts(stores.database)


async def done(stores: Stores, *numbers: int) -> None:
    """Orders that were answered, in blocks that nothing takes back."""
    for number in numbers:
        await brought_to(stores.orders, JobState.DONE, number)
    await stores.orders.outbox.unwatch(NETWORK, below=BLOCK.number + 1)


def entry(number: int, developer: Address = ANN, bps: int = 7_000) -> Entry:
    return Entry(order(number).job_id, developer, split(PRICE, bps))


async def planned(stores: Stores, revenue: SqlRevenue, *entries: Entry) -> Payout:
    """One payout of these entries."""
    await done(stores, *range(len(entries)))
    assert await revenue.enter(entries, now=9) == len(entries)
    (payout,) = await revenue.plan(ASSET, TERMS, first=1, now=10)
    return payout


async def sent(payouts: SqlPayouts, payout: Payout, number: int = 900) -> OutboxItem:
    return await payouts.send(payout.number, transaction(number), now=11)


async def standing(revenue: SqlRevenue) -> tuple[PayoutState, Digest | None, int | None]:
    (payout,) = await revenue.payouts(ASSET, after=0, limit=9)
    return payout.state, payout.transaction, payout.block


# -- entries -------------------------------------------------------------------------------------


async def test_an_order_that_was_answered_is_to_be_entered_once_it_is_deep(
    stores: Stores, revenue: SqlRevenue
) -> None:
    await brought_to(stores.orders, JobState.DONE, 0)
    assert await revenue.to_enter(ASSET, limit=9) == []
    await stores.orders.outbox.unwatch(NETWORK, below=BLOCK.number + 1)
    assert await revenue.to_enter(ASSET, limit=9) == [
        Settled(order(0).job_id, "sample", "1.0.0", PRICE)
    ]
    assert await revenue.enter([entry(0)], now=9) == 1
    assert await revenue.to_enter(ASSET, limit=9) == []


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.DONE])
async def test_no_other_order_brings_anything(
    stores: Stores, revenue: SqlRevenue, state: JobState
) -> None:
    await brought_to(stores.orders, state, 0)
    await stores.orders.outbox.unwatch(NETWORK, below=1000)
    assert await revenue.to_enter(ASSET, limit=9) == []
    (facts,) = await revenue.facts(ASSET, ALL, after=0, limit=9)
    expected = {
        JobState.VOID: Unpaid.NOT_TAKEN,
        JobState.FAILED: Unpaid.TO_GIVE_BACK,
        JobState.REFUNDING: Unpaid.TO_GIVE_BACK,
        JobState.REFUNDED: Unpaid.GIVEN_BACK,
    }
    assert why_unpaid(facts, SENDER) is expected.get(state, Unpaid.OPEN)


async def test_a_payment_that_was_taken_back_brings_nothing(
    stores: Stores, revenue: SqlRevenue
) -> None:
    await brought_to(stores.orders, JobState.DONE, 0)
    await stores.orders.settlements.take_back(NETWORK, first=BLOCK.number, now=6)
    assert await revenue.to_enter(ASSET, limit=9) == []
    (facts,) = await revenue.facts(ASSET, ALL, after=0, limit=9)
    assert why_unpaid(facts, SENDER) is Unpaid.UNCERTAIN
    await stores.orders.settlements.lost(order(0).job_id, WHY, now=7)
    assert await revenue.to_enter(ASSET, limit=9) == []
    (facts,) = await revenue.facts(ASSET, ALL, after=0, limit=9)
    assert why_unpaid(facts, SENDER) is Unpaid.LOST


async def ordered(stores: Stores, fee: int | None = None) -> Digest:
    """An answered order of an escrow, delivered where the market took a fee of it."""
    made = replace(order(), deliver_by=1_000)
    await stores.orders.jobs.reserve(made)
    sendings = [([made.job_id], transaction(0))]
    (item,) = await stores.orders.settlements.send_settlements(sendings, now=2)
    inclusion = Inclusion(item, item.newest.tx, BLOCK, {made.job_id: None})
    await stores.orders.settlements.included([inclusion], now=3)
    claimed = await stores.orders.queue.claim(now=4, lease_until=34)
    assert claimed is not None
    await stores.orders.queue.finish(made.job_id, claimed.fence, ANSWER, now=5)
    if fee is not None:
        await deliver(stores, made.job_id, fee)
    await stores.orders.outbox.unwatch(NETWORK, below=BLOCK.number + 1)
    return made.job_id


async def deliver(stores: Stores, job_id: Digest, fee: int) -> None:
    item = await stores.orders.deliveries.send(job_id, transaction(1), now=6)
    tx = item.newest.tx
    await stores.orders.deliveries.delivered(job_id, item, tx, LATER, fee=fee, now=7)


async def reason(revenue: SqlRevenue) -> Unpaid | None:
    (facts,) = await revenue.facts(ASSET, ALL, after=0, limit=9)
    return why_unpaid(facts, SENDER)


async def test_an_order_of_an_escrow_brings_its_price_less_the_fee_once_delivered(
    stores: Stores, revenue: SqlRevenue
) -> None:
    job_id = await ordered(stores)
    assert await revenue.to_enter(ASSET, limit=9) == []
    assert await reason(revenue) is Unpaid.TO_DELIVER
    await deliver(stores, job_id, fee=6_251)
    assert await revenue.to_enter(ASSET, limit=9) == [], "its block may be taken back"
    assert await reason(revenue) is Unpaid.NOT_DEEP
    await stores.orders.outbox.unwatch(NETWORK, below=LATER.number + 1)
    (settled,) = await revenue.to_enter(ASSET, limit=9)
    assert settled == Settled(job_id, "sample", "1.0.0", PRICE - 6_251)
    assert await reason(revenue) is Unpaid.NOT_ENTERED
    await revenue.enter([Entry(job_id, ANN, split(settled.price, 7_000))], now=9)
    (facts,) = await revenue.facts(ASSET, ALL, after=0, limit=9)
    assert facts.entry is not None
    assert facts.entry.shares.price + facts.fee == facts.price
    assert why_unpaid(facts, SENDER) is Unpaid.WAITS
    assert await revenue.to_enter(ASSET, limit=9) == []


async def test_an_order_of_an_escrow_without_a_delivery_brings_nothing(
    stores: Stores, revenue: SqlRevenue
) -> None:
    job_id = await ordered(stores)
    await stores.orders.deliveries.ended(job_id, WHY, now=9)
    assert await revenue.to_enter(ASSET, limit=9) == []
    assert await reason(revenue) is Unpaid.NOT_DELIVERED


async def test_a_delivery_that_was_taken_back_brings_nothing(
    stores: Stores, revenue: SqlRevenue
) -> None:
    job_id = await ordered(stores, fee=0)
    await stores.orders.settlements.take_back(NETWORK, first=LATER.number, now=8)
    assert await revenue.to_enter(ASSET, limit=9) == []
    assert await reason(revenue) is Unpaid.TO_DELIVER
    await stores.orders.deliveries.ended(job_id, WHY, now=9)
    assert await reason(revenue) is Unpaid.NOT_DELIVERED


async def test_an_entry_is_made_once_and_stays(stores: Stores, revenue: SqlRevenue) -> None:
    await done(stores, 0, 1)
    assert await revenue.enter([entry(0)], now=9) == 1
    other = Entry(order(0).job_id, BEN, Shares(1, 2))
    assert await revenue.enter([other, entry(1)], now=10) == 1
    first, second = await revenue.facts(ASSET, ALL, after=0, limit=9)
    assert (first.entry, second.entry) == (entry(0), entry(1))
    assert await revenue.enter([], now=11) == 0


async def test_other_assets_have_ledgers_of_their_own(stores: Stores, revenue: SqlRevenue) -> None:
    await done(stores, 0)
    for other in (
        replace(ASSET, address=Address(b"\x01" * 20)),
        replace(ASSET, network=Network.evm(1)),
    ):
        assert await revenue.to_enter(other, limit=9) == []
        assert await revenue.facts(other, ALL, after=0, limit=9) == []
        assert await revenue.balances(other) == []
        await revenue.enter([entry(0)], now=9)
        assert await revenue.plan(other, TERMS, first=1, now=10) == []


async def test_statements_come_in_pages_and_for_times(stores: Stores, revenue: SqlRevenue) -> None:
    await done(stores, 0, 1, 2)

    async def numbers(period: Period = ALL, after: int = 0, limit: int = 9) -> list[int]:
        found = await revenue.facts(ASSET, period, after=after, limit=limit)
        return [facts.created_at - 1000 for facts in found]

    assert await numbers() == [0, 1, 2]
    (first,) = await revenue.facts(ASSET, ALL, after=0, limit=1)
    assert await numbers(after=first.number, limit=1) == [1]
    assert await numbers(Period(since=1001)) == [1, 2]
    assert await numbers(Period(until=1001)) == [0]
    assert await numbers(Period(since=1001, until=1002)) == [1]


async def test_balances_are_exact_beyond_what_sql_adds(stores: Stores, revenue: SqlRevenue) -> None:
    await done(stores, 0, 1, 2, 3)
    large = 2**255
    entries = [
        Entry(order(0).job_id, BEN, Shares(large, 1)),
        Entry(order(1).job_id, ANN, Shares(5, 1)),
        Entry(order(2).job_id, BEN, Shares(large - 1, 1)),
        Entry(order(3).job_id, BEN, Shares(0, 1)),
    ]
    await revenue.enter(entries, now=9)
    assert await revenue.balances(ASSET) == [Balance(ANN, 5, 1), Balance(BEN, 2 * large - 1, 2)]


# -- planning ------------------------------------------------------------------------------------


async def test_a_payout_takes_all_that_is_due(stores: Stores, revenue: SqlRevenue) -> None:
    share = split(PRICE, 7_000).developer
    payout = await planned(stores, revenue, entry(0), entry(1, BEN), entry(2))
    assert [(i.position, i.developer, i.amount) for i in payout.items] == [
        (0, ANN, 2 * share),
        (1, BEN, share),
    ]
    assert (payout.number, payout.state, payout.total) == (1, PayoutState.DUE, 3 * share)
    assert await revenue.payouts(ASSET, after=0, limit=9) == [payout]
    assert await revenue.payouts(ASSET, after=1, limit=9) == []
    assert await revenue.balances(ASSET) == []
    # All is in it, so that nothing is left for another.
    assert await revenue.next_number() == 2
    assert await revenue.plan(ASSET, TERMS, first=2, now=11) == []
    for facts in await revenue.facts(ASSET, ALL, after=0, limit=9):
        assert why_unpaid(facts, SENDER) is Unpaid.UNDER_WAY


async def test_what_came_later_is_in_the_next_one(stores: Stores, revenue: SqlRevenue) -> None:
    await planned(stores, revenue, entry(0))
    await done(stores, 1)
    await revenue.enter([entry(1)], now=12)
    (second,) = await revenue.plan(ASSET, TERMS, first=2, now=13)
    assert (second.number, second.total) == (2, split(PRICE, 7_000).developer)


async def test_a_dry_plan_stores_nothing(stores: Stores, revenue: SqlRevenue) -> None:
    await done(stores, 0)
    await revenue.enter([entry(0)], now=9)
    dry = await revenue.plan(ASSET, TERMS, first=1, now=10, dry=True)
    assert await revenue.payouts(ASSET, after=0, limit=9) == []
    assert await revenue.plan(ASSET, TERMS, first=1, now=10) == dry


async def test_who_is_due_too_little_or_is_the_payer_is_left_out(
    stores: Stores, revenue: SqlRevenue
) -> None:
    await done(stores, 0, 1, 2)
    await revenue.enter([entry(0), entry(1, BEN, bps=100), entry(2, SENDER)], now=9)
    terms = replace(TERMS, least=split(PRICE, 7_000).developer)
    (payout,) = await revenue.plan(ASSET, terms, first=1, now=10)
    assert [item.developer for item in payout.items] == [ANN]
    assert {balance.developer for balance in await revenue.balances(ASSET)} == {BEN, SENDER}


async def test_many_developers_are_paid_in_several(stores: Stores, revenue: SqlRevenue) -> None:
    developers = [Address(bytes([n]) * 20) for n in range(1, 6)]
    await done(stores, *range(5))
    await revenue.enter([entry(n, who) for n, who in enumerate(developers)], now=9)
    made = await revenue.plan(ASSET, replace(TERMS, size=2), first=1, now=10)
    assert [(p.number, [i.position for i in p.items]) for p in made] == [
        (1, [0, 1]),
        (2, [0, 1]),
        (3, [0]),
    ]
    assert [item.developer for payout in made for item in payout.items] == developers
    assert await revenue.payouts(ASSET, after=0, limit=9) == made
    found = await revenue.facts(ASSET, ALL, after=0, limit=9)
    assert [facts.payout and facts.payout.number for facts in found] == [1, 1, 2, 2, 3]


async def test_a_number_that_was_taken_meanwhile_is_refused(
    stores: Stores, revenue: SqlRevenue
) -> None:
    await planned(stores, revenue, entry(0))
    await done(stores, 1)
    await revenue.enter([entry(1)], now=12)
    with rejects(
        Reason.PAYOUT_NUMBER_TAKEN,
        "payout 1 was made meanwhile by another command; look at inferproof revenue statement, "
        "and try again",
        kind=Conflict,
    ):
        await revenue.plan(ASSET, TERMS, first=1, now=13)
    assert len(await revenue.payouts(ASSET, after=0, limit=9)) == 1


# -- making --------------------------------------------------------------------------------------


async def test_a_payout_is_stored_before_it_is_sent(
    stores: Stores, revenue: SqlRevenue, payouts: SqlPayouts
) -> None:
    payout = await planned(stores, revenue, entry(0), entry(1, BEN))
    assert await payouts.due(ASSET, SENDER, now=10, limit=9) == [payout]
    assert await payouts.due(ASSET, ANN, now=10, limit=9) == []
    item = await sent(payouts, payout)
    assert item.kind is OutboxKind.PAYOUT
    assert await stores.orders.outbox.open_outbox(NETWORK, SENDER) == [item]
    assert await stores.orders.outbox.raw(item.newest.tx) == transaction(900).raw
    assert (await stores.orders.settlements.payables(ASSET, [item]))[item.id] == ()
    assert await payouts.due(ASSET, SENDER, now=10, limit=9) == []
    assert await payouts.carried(ASSET, item) == replace(payout, state=PayoutState.SENT)
    with rejects(
        Reason.PAYOUT_NOT_DUE, "payout 1 is sent; only one that is due is sent", kind=Conflict
    ):
        await sent(payouts, payout, 901)
    assert await stores.orders.outbox.open_outbox(NETWORK, SENDER) == [item]


async def test_a_payout_in_a_block_has_paid(
    stores: Stores, revenue: SqlRevenue, payouts: SqlPayouts
) -> None:
    payout = await planned(stores, revenue, entry(0), entry(1, BEN))
    item = await sent(payouts, payout)
    await payouts.paid(1, item, item.newest.tx, LATER, frozenset({1}))
    assert await stores.orders.outbox.open_outbox(NETWORK, SENDER) == []
    assert await standing(revenue) == (PayoutState.PAID, item.newest.tx, 50)
    first, second = await revenue.facts(ASSET, ALL, after=0, limit=9)
    assert (why_unpaid(first, SENDER), why_unpaid(second, SENDER)) == (None, Unpaid.CREDITED)
    assert first.payout is not None
    assert (first.payout.transaction, first.payout.block) == (item.newest.tx, 50)
    with rejects(
        Reason.PAYOUT_NOT_DUE, "payout 1 is paid; only one that is due is sent", kind=Conflict
    ):
        await sent(payouts, payout, 901)


async def test_what_the_chain_takes_back_is_sent_again(
    stores: Stores, revenue: SqlRevenue, payouts: SqlPayouts
) -> None:
    payout = await planned(stores, revenue, entry(0))
    item = await sent(payouts, payout)
    await payouts.paid(1, item, item.newest.tx, LATER, frozenset({0}))
    await stores.orders.settlements.take_back(NETWORK, first=50, now=12)
    (opened,) = await stores.orders.outbox.open_outbox(NETWORK, SENDER)
    assert (opened.id, opened.newest.sent_at) == (item.id, None)
    assert await standing(revenue) == (PayoutState.SENT, None, None)
    await payouts.paid(1, opened, item.newest.tx, LATER, frozenset())
    (facts,) = await revenue.facts(ASSET, ALL, after=0, limit=9)
    assert why_unpaid(facts, SENDER) is None


async def test_one_whose_number_is_lost_is_due_again(
    stores: Stores, revenue: SqlRevenue, payouts: SqlPayouts
) -> None:
    payout = await planned(stores, revenue, entry(0))
    item = await sent(payouts, payout)
    await stores.orders.outbox.drop(item, now=12)
    assert await payouts.due(ASSET, SENDER, now=12, limit=9) == [payout]
    again = await sent(payouts, payout, 901)
    await payouts.paid(1, again, again.newest.tx, LATER, frozenset())
    assert await standing(revenue) == (PayoutState.PAID, transaction(901).tx, 50)


async def test_one_that_failed_is_due_after_a_while(
    stores: Stores, revenue: SqlRevenue, payouts: SqlPayouts
) -> None:
    payout = await planned(stores, revenue, entry(0))
    item = await sent(payouts, payout)
    await payouts.failed(1, item, retry_at=30)
    assert await stores.orders.outbox.open_outbox(NETWORK, SENDER) == []
    assert await payouts.due(ASSET, SENDER, now=29, limit=9) == []
    (due,) = await payouts.due(ASSET, SENDER, now=30, limit=9)
    assert (due.attempts, due.state) == (1, PayoutState.DUE)
    await payouts.failed(1, None, retry_at=60)
    (due,) = await payouts.due(ASSET, SENDER, now=60, limit=9)
    assert due.attempts == 1


async def test_one_that_was_made_before_is_found(
    stores: Stores, revenue: SqlRevenue, payouts: SqlPayouts
) -> None:
    payout = await planned(stores, revenue, entry(0))
    await payouts.found(1, digest("made"), LATER, frozenset({0}))
    assert await standing(revenue) == (PayoutState.PAID, digest("made"), 50)
    assert await payouts.due(ASSET, SENDER, now=99, limit=9) == []
    with rejects(
        Reason.PAYOUT_NOT_DUE, "payout 1 is paid; only one that is due is sent", kind=Conflict
    ):
        await sent(payouts, payout)
    # And lost again with its block.
    assert LATER in await stores.orders.outbox.watched(NETWORK)
    await stores.orders.settlements.take_back(NETWORK, first=50, now=12)
    assert [p.number for p in await payouts.due(ASSET, SENDER, now=99, limit=9)] == [1]


async def test_what_is_not_there_is_not_found(
    stores: Stores, revenue: SqlRevenue, payouts: SqlPayouts
) -> None:
    with rejects(Reason.PAYOUT_UNKNOWN, "there is no payout 1", kind=NotFound):
        await payouts.send(1, transaction(1), now=2)
    item = await stores.orders.outbox.fill(transaction(1), now=2)
    with rejects(
        Reason.PAYOUT_UNKNOWN, f"there is no payout in outbox item {item.id}", kind=NotFound
    ):
        await payouts.carried(ASSET, item)


async def test_an_order_is_in_one_payout_by_the_schema(stores: Stores, revenue: SqlRevenue) -> None:
    """One row for an order, with one payout in it: two cannot be stored."""
    await planned(stores, revenue, entry(0))

    async def count(connection: object) -> int:
        found = await connection.execute(text("SELECT count(*) FROM revenue"))  # type: ignore[attr-defined]
        return int(found.scalar_one())

    await revenue.enter([entry(0)], now=99)
    assert await stores.database.read(count) == 1
