"""Many payments in a transaction, stuck and missing ones, and blocks that are taken back."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from order_book_suite import send_settlement
from service_parts import PRICE, TREASURY, Services, World, nonce, pay, running

from inferproof.errors import InputRejected, Reason, Unavailable
from inferproof.payments.x402.receipt import authorization_of
from inferproof.services.base import failure_of
from inferproof.services.settlement import parts
from inferproof.services.settlement.parts import SettlerSettings
from inferproof.services.settlement.sending import raised
from inferproof.storage.ports.outbox import NewTransaction, OutboxKind, StoredRaw
from inferproof.storage.sql.engine import MEMORY
from inferproof.testing.cash import CashChain
from inferproof.testing.samples import ASSET, PAYER, STRANGER
from inferproof.types.chain import Fees
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.payment import SettlementState

LOST = InputRejected(Reason.INPUT_NOT_FINITE, name="x")
LONG = 2**40


@pytest.fixture
def url() -> str:
    """The rules are the settler's; the storage has a suite of its own on every database."""
    return MEMORY


async def bought(services: Services, count: int) -> list[Digest]:
    return [
        (await services.accept(payment=pay(services.world, nonce=nonce(n), valid_before=LONG))).id
        for n in range(count)
    ]


async def states(services: Services) -> dict[JobState, int]:
    return {s: n for s, n in (await services.stores.orders.ledger.depth()).items() if n}


async def outbox(services: Services) -> list[tuple[OutboxKind, int]]:
    items = await services.stores.orders.outbox.open_outbox(ASSET.network, TREASURY)
    return [(item.kind, item.nonce) for item in items]


async def fail(services: Services) -> Digest:
    claimed = await services.stores.orders.queue.claim(now=1, lease_until=2)
    assert claimed is not None
    job_id = claimed.order.job_id
    await services.stores.orders.queue.give_up(job_id, claimed.fence, failure_of(LOST), now=3)
    return job_id


# -- batches -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("took", "pause"), [(0.05, 0.1), (3.0, parts.LONGEST_PAUSE_S)])
async def test_between_writes_of_many_payments_orders_have_their_turn(
    monkeypatch: pytest.MonkeyPatch, took: float, pause: float
) -> None:
    seen: list[object] = []
    now = 0.0

    async def write(part: list[int]) -> list[int]:
        nonlocal now
        now += took
        seen.append(part)
        return [-size for size in part]

    async def sleep(seconds: float) -> None:
        seen.append(pytest.approx(seconds))

    monkeypatch.setattr(parts, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(parts, "asyncio", SimpleNamespace(sleep=sleep))
    written = await parts.in_portions([80, 80, 120, 30, 30], lambda size: size, write)
    assert written == [-80, -80, -120, -30, -30]
    assert seen == [0.0, [80], pause, [80], pause, [120], pause, [30, 30]]


async def test_what_waits_goes_in_one_transaction(services: Services) -> None:
    await bought(services, 20)
    assert await services.settler.settle_once() == 0
    assert await states(services) == {JobState.QUEUED: 20}
    (included,) = services.world.ledger.included.values()
    assert len(included.items) == 20
    assert services.metrics.payments["settled"] == 20
    assert services.world.ledger.balances[TREASURY] == 20 * PRICE


async def test_one_that_is_cancelled_while_it_is_signed_holds_up_no_other(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await bought(services, 3)
    sign, signed = CashChain.sign_settlement, []

    async def cancelled_meanwhile(chain: CashChain, *args: Any) -> Any:
        if not signed:
            await services.cancel(ids[1])
        signed.append(args)
        return await sign(chain, *args)

    monkeypatch.setattr(CashChain, "sign_settlement", cancelled_meanwhile)
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 2, JobState.WITHDRAWN: 1}
    (included,) = services.world.ledger.included.values()
    assert len(included.items) == 2
    assert len(signed) == 2


async def test_a_payer_who_cancels_each_time_ends_no_round(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await bought(services, 5)
    left, sign = iter(ids[:3]), CashChain.sign_settlement

    async def cancelled_meanwhile(chain: CashChain, *args: Any) -> Any:
        if (job_id := next(left, None)) is not None:
            await services.cancel(job_id)
        return await sign(chain, *args)

    monkeypatch.setattr(CashChain, "sign_settlement", cancelled_meanwhile)
    assert await services.settler.settle_once() == 0
    assert await states(services) == {JobState.RESERVED: 2, JobState.WITHDRAWN: 3}
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 2, JobState.WITHDRAWN: 3}


async def test_no_more_than_a_transaction_holds(services: Services) -> None:
    services.world.ledger.credit(PAYER.address, 200 * PRICE)
    await bought(services, 120)
    await services.settler.settle_once()
    sizes = sorted(len(i.items) for i in services.world.ledger.included.values())
    assert sizes == [20, 50, 50]
    assert await states(services) == {JobState.QUEUED: 120}


async def test_each_item_by_what_became_of_it(services: Services) -> None:
    """Refused, short of gas, not reached: the others settle, and each gets its own end."""
    ids, ledger = await bought(services, 5), services.world.ledger
    ledger.cancel(PAYER.address, nonce(1))
    ledger.short_of_gas = {nonce(2)}
    ledger.untried = {nonce(3)}
    await services.settler.settle_once()
    assert await states(services) == {
        JobState.QUEUED: 2,
        JobState.SETTLING: 2,
        JobState.RESERVED: 1,  # seen to be cancelled before it was signed
    }
    ledger.untried = set()
    await services.settler.settle_once()  # one alone, one again
    assert await states(services) == {JobState.QUEUED: 4, JobState.RESERVED: 1}
    assert [len(i.items) for i in ledger.included.values()] == [4, 1, 1]
    services.world.clock.now += 60
    for _ in range(2):
        await services.settler.settle_once()
        services.world.clock.now += 60
    view = await services.gateway.job(ids[1])
    assert view.state is JobState.VOID
    assert view.failure is not None
    assert view.failure.code == "SETTLEMENT_CANCELLED"


async def test_an_uncertain_item_of_a_batch_is_reconciled_and_never_void_too_early(
    services: Services,
) -> None:
    ids, ledger, clock = await bought(services, 3), services.world.ledger, services.world.clock
    ledger.holding = True
    await services.settler.settle_once()
    funds = ledger.balances.pop(PAYER.address)
    ledger.credit(PAYER.address, 2 * PRICE)
    ledger.mine()
    ledger.holding = False
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 2, JobState.SETTLING: 1}
    ledger.credit(PAYER.address, funds)
    clock.now += 61
    await services.settler.settle_once()
    view = await services.gateway.job(ids[2])
    assert (view.state, view.settlement.state) == (JobState.SETTLING, SettlementState.UNCERTAIN)
    stranger = CashChain(ledger, STRANGER.address)
    job = await services.stores.orders.jobs.job(ids[2])
    theirs = await stranger.sign_settlement([authorization_of(job.order.payment)], 0)
    await stranger.submit(theirs.raw)
    clock.now += 10
    await services.settler.settle_once()
    view = await services.gateway.job(ids[2])
    assert (view.state, view.settlement.transaction) == (JobState.QUEUED, theirs.tx)


async def test_a_lone_order_settles_at_once_and_without_the_contract(services: Services) -> None:
    (job_id,) = await bought(services, 1)
    await services.settler.settle_once()
    assert (await services.gateway.job(job_id)).state is JobState.QUEUED


# -- stuck, dropped, missing -------------------------------------------------------------------


async def test_fees_are_raised_when_nothing_moves_and_blocks_pass(services: Services) -> None:
    await bought(services, 2)
    ledger, clock = services.world.ledger, services.world.clock
    ledger.holding = True
    await services.settler.settle_once()
    ledger.base_fee = 1000  # above what was offered
    ledger.mine()
    ledger.mine()
    await services.settler.settle_once()
    clock.now += 29
    await services.settler.settle_once()
    (item,) = await services.stores.orders.outbox.open_outbox(ASSET.network, TREASURY)
    assert len(item.raws) == 1
    clock.now += 1
    await services.settler.settle_once()
    (item,) = await services.stores.orders.outbox.open_outbox(ASSET.network, TREASURY)
    assert [raw.fee_cap for raw in item.raws] == [210, 2010]
    ledger.mine()
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 2}
    assert list(ledger.included) == [item.newest.tx]


async def test_the_first_of_two_may_be_the_one_that_enters(services: Services) -> None:
    await bought(services, 2)
    ledger, clock = services.world.ledger, services.world.clock
    ledger.forgetful = ledger.holding = True
    await services.settler.settle_once()
    (item,) = await services.stores.orders.outbox.open_outbox(ASSET.network, TREASURY)
    first = await services.stores.orders.outbox.raw(item.newest.tx)
    for _ in range(3):
        ledger.mine()
    await services.settler.settle_once()
    for _ in range(3):
        ledger.mine()
    clock.now += 31
    await services.settler.settle_once()
    (item,) = await services.stores.orders.outbox.open_outbox(ASSET.network, TREASURY)
    assert len(item.raws) == 2
    ledger.forgetful = ledger.holding = False
    await services.settler._chain.submit(first)
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 2}
    assert list(ledger.included) == [item.raws[0].tx]


async def test_no_blocks_no_higher_fees(services: Services) -> None:
    await bought(services, 1)
    services.world.ledger.holding = True
    await services.settler.settle_once()
    services.world.clock.now += 500
    await services.settler.settle_once()
    (item,) = await services.stores.orders.outbox.open_outbox(ASSET.network, TREASURY)
    assert len(item.raws) == 1


async def test_fees_stop_at_the_operators_limit(tmp_path: Path) -> None:
    world = World(tmp_path, settler=SettlerSettings(max_fee=230))
    async with running(world, url=MEMORY) as services:
        await bought(services, 1)
        world.ledger.holding = True
        await services.settler.settle_once()
        world.ledger.base_fee = 1000
        for _ in range(3):
            world.ledger.mine()
            await services.settler.settle_once()
            world.clock.now += 40
        (item,) = await services.stores.orders.outbox.open_outbox(ASSET.network, TREASURY)
        assert [raw.fee_cap for raw in item.raws] == [210]
        world.ledger.base_fee = 200
        world.ledger.mine()
        await services.settler.settle_once()
        assert await states(services) == {JobState.QUEUED: 1}


@pytest.mark.parametrize(
    ("old", "now", "limit", "expected"),
    [
        ((100, 10), (90, 5), 10**6, Fees(113, 12)),
        ((100, 10), (500, 50), 10**6, Fees(500, 50)),
        ((0, 0), (90, 5), 10**6, Fees(90, 5)),
        ((0, 0), (0, 0), 10**6, Fees(1, 1)),
        ((100, 10), (500, 50), 110, Fees(110, 50)),
        ((100, 10), (500, 50), 109, None),
        ((100, 100), (500, 50), 110, Fees(110, 110)),
        ((100, 100), (500, 50), 105, None),
    ],
)
def test_raised_fees(
    old: tuple[int, int], now: tuple[int, int], limit: int, expected: Fees | None
) -> None:
    raw = StoredRaw(Digest(bytes(32)), *old, attempts=1, sent_at=1)
    assert raised(raw, Fees(*now), limit) == expected


async def test_a_number_that_nothing_waits_for_is_filled(services: Services) -> None:
    (job_id,) = await bought(services, 1)
    job = await services.stores.orders.jobs.job(job_id)
    ahead = await services.settler._chain.sign_settlement(
        [authorization_of(job.order.payment)], 2, Fees(10**6, 10)
    )
    await send_settlement(
        services.stores.orders,
        job_id,
        NewTransaction(ASSET.network, TREASURY, 2, ahead.tx, ahead.raw),
        now=1,
    )
    clock = services.world.clock
    await services.settler.settle_once()
    assert await outbox(services) == [(OutboxKind.SETTLEMENT, 2)]
    for _ in range(4):
        clock.now += 15
        await services.settler.settle_once()
    assert await outbox(services) == []
    assert await states(services) == {JobState.QUEUED: 1}
    assert services.world.ledger.next_nonce[TREASURY] == 3
    assert services.world.ledger.balances[TREASURY] == PRICE


# -- blocks that are taken back ----------------------------------------------------------------


async def test_a_settlement_that_is_taken_back_is_sent_again(services: Services) -> None:
    ids, ledger = await bought(services, 2), services.world.ledger
    await services.settler.settle_once()
    running_job = await services.stores.orders.queue.claim(now=1, lease_until=9)
    assert running_job is not None
    first = (await services.gateway.job(ids[0])).settlement
    ledger.holding = True
    ledger.take_back(1)
    ledger.mine()
    assert ledger.balances.get(TREASURY, 0) == 0
    await services.settler.settle_once()
    assert await states(services) == {JobState.SETTLING: 2}
    view = await services.gateway.job(ids[0])
    assert view.settlement.state is SettlementState.UNCERTAIN
    assert services.metrics.payments["taken_back"] == 2
    assert await services.worker.work_once() is None
    ledger.mine()
    ledger.holding = False
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 2}
    again = (await services.gateway.job(ids[0])).settlement
    assert (again.state, again.transaction) == (SettlementState.SETTLED, first.transaction)
    assert again.block == ledger.block
    assert ledger.balances[TREASURY] == 2 * PRICE


async def test_a_refund_that_is_taken_back_is_sent_again_and_paid_once(services: Services) -> None:
    ledger = services.world.ledger
    await bought(services, 1)
    await services.settler.settle_once()
    job_id = await fail(services)
    await services.settler.settle_once()
    assert (await services.gateway.job(job_id)).state is JobState.REFUNDED
    ledger.take_back(1)
    ledger.holding = True
    ledger.mine()
    await services.settler.settle_once()
    assert (await services.gateway.job(job_id)).state is JobState.REFUNDING
    ledger.mine()
    await services.settler.settle_once()
    assert (await services.gateway.job(job_id)).state is JobState.REFUNDED
    assert ledger.balances == {PAYER.address: 100 * PRICE, TREASURY: 0}


async def test_nothing_is_refunded_while_its_settlement_is_gone(services: Services) -> None:
    """And if it never comes back, nothing is owed."""
    ledger, clock = services.world.ledger, services.world.clock
    payment = pay(services.world)
    await services.accept(payment=payment)
    await services.settler.settle_once()
    job_id = await fail(services)
    ledger.take_back(1)
    ledger.forgetful = True
    ledger.mine()
    ledger.mine()
    ledger.credit(TREASURY, PRICE)
    await services.settler.settle_once()
    assert (await services.gateway.job(job_id)).state is JobState.FAILED
    ledger.forgetful = False
    clock.now = payment.valid_before + 20
    for _ in range(3):
        await services.settler.settle_once()
        clock.now += 20
    assert (await services.gateway.job(job_id)).state is JobState.VOID
    assert ledger.balances[TREASURY] == PRICE
    assert ledger.balances[PAYER.address] == 100 * PRICE


async def test_an_answer_whose_money_never_comes_back_is_recorded_as_a_loss(
    services: Services,
) -> None:
    ledger, clock = services.world.ledger, services.world.clock
    payment = pay(services.world)
    job_id = (await services.accept(payment=payment)).id
    await services.settler.settle_once()
    assert await services.worker.work_once() is not None
    ledger.take_back(1)
    ledger.mine()
    ledger.cancel(payment.payer, payment.nonce)
    for _ in range(5):
        await services.settler.settle_once()
        clock.now += 40
    view = await services.gateway.job(job_id)
    assert (view.state, view.settlement.state) == (JobState.DONE, SettlementState.FAILED)
    assert services.metrics.payments["lost"] == 1


async def test_deep_blocks_are_not_watched_any_more(services: Services) -> None:
    ledger = services.world.ledger
    await bought(services, 1)
    await services.settler.settle_once()
    assert len(await services.stores.orders.outbox.watched(ASSET.network)) == 1
    for _ in range(12):
        ledger.mine()
    await services.settler.settle_once()
    assert await services.stores.orders.outbox.watched(ASSET.network) == []


async def test_a_node_that_lags_takes_nothing_back(services: Services) -> None:
    ledger, clock = services.world.ledger, services.world.clock
    await bought(services, 1)
    await services.settler.settle_once()
    kept = ledger.block, dict(ledger.hashes)
    ledger.block -= 1
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 1}
    ledger.block, ledger.hashes = kept
    clock.now += 100
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 1}


# -- refunds -----------------------------------------------------------------------------------


async def test_a_refund_that_always_fails_pauses_longer_each_time_and_stays_owed(
    services: Services,
) -> None:
    ledger, clock = services.world.ledger, services.world.clock
    await bought(services, 1)
    await services.settler.settle_once()
    job_id = await fail(services)
    sent = []
    original = ledger._transfer

    def refuse(tx: Digest, payer: object, *rest: object) -> bool:
        if payer == TREASURY:
            sent.append(clock.now)
            return False
        return original(tx, payer, *rest)  # type: ignore[arg-type]

    ledger._transfer = refuse  # type: ignore[method-assign]
    start = clock.now
    while clock.now < start + 500:
        await services.settler.settle_once()
        clock.now += 5
    pauses = [b - a for a, b in itertools.pairwise(sent)]
    assert pauses == [15, 30, 60, 120, 240]
    refund = (await services.stores.orders.jobs.job(job_id)).refund
    assert refund is not None
    assert refund.attempts == 6
    assert (await services.stores.orders.ledger.owed()).failing == 1
    assert services.metrics.refunds["lost"] == 6
    ledger._transfer = original  # type: ignore[method-assign]
    clock.now = refund.retry_at
    await services.settler.settle_once()
    assert (await services.gateway.job(job_id)).state is JobState.REFUNDED


@pytest.mark.parametrize("moving", [False, True])
async def test_a_refund_is_not_believed_lost_by_a_node_that_catches_up(
    services: Services, moving: bool
) -> None:
    """A node that catches up knows that a number is spent before it knows by what."""
    ledger, clock = services.world.ledger, services.world.clock
    await bought(services, 1)
    await services.settler.settle_once()
    job_id = await fail(services)
    await services.settler.settle_once()
    (tx,) = [tx for tx, found in ledger.included.items() if not found.items]
    await services.stores.orders.settlements.take_back(
        ASSET.network, first=ledger.block, now=clock.now
    )
    missing = ledger.included.pop(tx)  # the receipt alone
    # It says so of itself; or it has blocks now that are from before.
    ledger.holding, ledger.syncing = True, not moving
    for _ in range(5):
        await services.settler.settle_once()
        assert (await services.gateway.job(job_id)).state is JobState.REFUNDING
        if moving:
            ledger.block += 1
            ledger.hashes[ledger.block] = nonce(ledger.block)
        clock.now += 100
    ledger.included[tx] = missing
    await services.settler.settle_once()
    assert (await services.gateway.job(job_id)).state is JobState.REFUNDED
    assert ledger.balances == {PAYER.address: 100 * PRICE, TREASURY: 0}


async def test_one_refused_transaction_holds_up_nothing_else(services: Services) -> None:
    await bought(services, 1)

    async def refuse(self: CashChain, raw: bytes) -> None:
        raise Unavailable(Reason.TX_REFUSED, why="intrinsic gas too low")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CashChain, "submit", refuse)
        with pytest.raises(Unavailable):
            await services.settler.settle_once()
    assert await states(services) == {JobState.SETTLING: 1}
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 1}
    assert len(services.world.ledger.included) == 1
