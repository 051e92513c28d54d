"""Money and the chain: what is stored, sent, believed and given back."""

import asyncio
import contextlib

import pytest
from order_book_suite import send_settlement
from service_parts import PRICE, TREASURY, Services, World, build, nonce, pay, running
from waiting import until

from inferproof.errors import InputRejected, PaymentRejected, Reason, Unavailable
from inferproof.protocol.commitments import refund_mark
from inferproof.services.base import failure_of
from inferproof.services.event_bus import SETTLE
from inferproof.storage.ports.outbox import NewTransaction
from inferproof.testing.cash import CashChain, CashTransaction
from inferproof.testing.memory_store import open_stores
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET, PAYER, STRANGER
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.payment import SettlementState

LOST = InputRejected(Reason.INPUT_NOT_FINITE, name="x")


async def states(services: Services) -> dict[JobState, int]:
    return {s: n for s, n in (await services.stores.orders.ledger.depth()).items() if n}


async def test_stored_before_it_is_sent(services: Services) -> None:
    job = await services.accept()
    ledger = services.world.ledger
    stored: list[int] = []
    original = CashChain.submit

    async def submit(self: CashChain, raw: bytes) -> None:
        items = await services.stores.orders.outbox.open_outbox(ASSET.network, TREASURY)
        stored.append(
            len([i for i in items if await services.stores.orders.outbox.raw(i.newest.tx) == raw])
        )
        await original(self, raw)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CashChain, "submit", submit)
        await services.settler.settle_once()
    assert stored == [1]
    assert ledger.balances[TREASURY] == PRICE
    view = await services.gateway.job(job.id)
    assert view.settlement.block == ledger.block
    assert view.settlement.transaction in ledger.included


async def test_chain_down_changes_nothing_and_is_tried_again(services: Services) -> None:
    await services.accept()
    services.world.ledger.down = True
    for _ in range(3):
        with rejects(
            Reason.CHAIN_UNREACHABLE,
            "the chain at cash does not answer: the test switched it off; "
            "check the address and that the node runs",
            kind=Unavailable,
        ):
            await services.settler.settle_once()
    assert await states(services) == {JobState.RESERVED: 1}
    services.world.ledger.down = False
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 1}


def noted(services: Services, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the transactions that the node is sent from now on."""
    sent: list[int] = []
    ledger = services.world.ledger
    submit = ledger.submit

    def note(transaction: CashTransaction) -> None:
        sent.append(transaction.nonce)
        submit(transaction)

    monkeypatch.setattr(ledger, "submit", note)
    return sent


async def test_slow_chain_is_uncertain_and_ends_well(services: Services) -> None:
    job = await services.accept()
    ledger, clock = services.world.ledger, services.world.clock
    ledger.holding = True
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).settlement.state is SettlementState.PENDING
    clock.now += 61
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).settlement.state is SettlementState.UNCERTAIN
    assert await states(services) == {JobState.SETTLING: 1}
    ledger.mine()
    await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert (view.state, view.settlement.state) == (JobState.QUEUED, SettlementState.SETTLED)


async def test_dropped_transaction_is_sent_again_with_the_same_bytes(services: Services) -> None:
    await services.accept()
    ledger = services.world.ledger
    ledger.forgetful = True
    await services.settler.settle_once()
    (item,) = await services.stores.orders.outbox.open_outbox(ASSET.network, TREASURY)
    ledger.forgetful = False
    services.world.clock.now += 1
    await services.settler.settle_once()
    assert await states(services) == {JobState.SETTLING: 1}  # not before dropped_s
    services.world.clock.now += 1
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 1}
    assert list(ledger.included) == [item.newest.tx]


async def test_those_after_a_dropped_transaction_are_sent_again_with_it(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node has dropped the second to the fourth of five, and awaits the second."""
    ledger, clock = services.world.ledger, services.world.clock
    sent = noted(services, monkeypatch)
    ledger.holding = True
    for number in range(5):
        await services.accept(payment=pay(services.world, nonce=nonce(number)))
        await services.settler.settle_once()
    items = await services.stores.orders.outbox.open_outbox(ASSET.network, TREASURY)
    assert [item.nonce for item in items] == [0, 1, 2, 3, 4]
    for number in (1, 2, 3):
        del ledger.waiting[TREASURY, number]
    sent.clear()
    await services.settler.settle_once()
    assert sent == []  # it may take a moment to say what it has
    clock.now += 2
    await services.settler.settle_once()
    assert sorted(sent) == [1, 2, 3, 4]  # which of them it has, it does not say
    assert len(ledger.waiting) == 5
    sent.clear()
    clock.now += 10
    await services.settler.settle_once()
    assert sent == []
    ledger.holding = False
    ledger.mine()
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 5}
    assert list(ledger.included) == [item.newest.tx for item in items]


async def test_what_the_node_has_is_not_sent_again_soon(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = noted(services, monkeypatch)
    services.world.ledger.holding = True
    await services.accept()
    await services.settler.settle_once()
    sent.clear()
    services.world.clock.now += 14
    await services.settler.settle_once()
    assert sent == []
    services.world.clock.now += 1
    await services.settler.settle_once()
    assert sent == [0]  # after resend_s


async def sent_and_then_drained(services: Services) -> int:
    """What the payer moved away after its settlements were sent, and before they came into a
    block."""
    ledger = services.world.ledger
    ledger.holding = True
    await services.settler.settle_once()
    funds = ledger.balances.pop(PAYER.address)
    ledger.mine()
    ledger.holding = False
    return funds


async def test_reverted_settlement_is_void_once_the_authorization_is_over(
    services: Services,
) -> None:
    payment = pay(services.world)
    job, clock = await services.accept(payment=payment), services.world.clock
    await sent_and_then_drained(services)
    assert await services.settler.settle_once() == 0  # nothing to look at soon
    (tx,) = services.world.ledger.included
    clock.now = payment.valid_before - 1
    await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert (view.state, view.settlement.state) == (JobState.SETTLING, SettlementState.UNCERTAIN)
    clock.now += 10
    await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert view.state is JobState.VOID
    assert view.settlement.state is SettlementState.FAILED
    assert view.failure is not None
    assert view.failure.code == "SETTLEMENT_REVERTED"
    with rejects(
        Reason.SETTLEMENT_REVERTED, f"the settlement {tx} failed on chain; no money moved"
    ):
        raise PaymentRejected(Reason.SETTLEMENT_REVERTED, tx=tx)
    assert view.failure.message == f"the settlement {tx} failed on chain; no money moved"
    assert await services.worker.work_once() is None
    again = await services.accept(payment=payment)
    assert again.state is JobState.VOID
    assert len(services.world.ledger.included) == 1


async def test_money_that_comes_after_our_settlement_reverted_buys_the_job(
    services: Services,
) -> None:
    """The payer's funds were away for a while; then a stranger settles what it had seen."""
    job, payment = await services.accept(), pay(services.world)
    ledger = services.world.ledger
    funds = await sent_and_then_drained(services)
    await services.settler.settle_once()
    ledger.credit(PAYER.address, funds)
    stranger = CashChain(ledger, STRANGER.address)
    theirs = await stranger.sign_settlement([payment], 0)
    await stranger.submit(theirs.raw)
    services.world.clock.now = payment.valid_before + 100
    await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert view.state is JobState.QUEUED
    assert view.settlement.transaction == theirs.tx


async def test_reverted_settlements_do_not_hold_up_others(services: Services) -> None:
    ledger = services.world.ledger
    for i in range(64):
        await services.accept(payment=pay(services.world, nonce=nonce(i), valid_before=2**40))
    funds = await sent_and_then_drained(services)
    await services.settler.settle_once()
    assert await states(services) == {JobState.SETTLING: 64}
    ledger.credit(PAYER.address, funds)
    await services.accept(payment=pay(services.world, nonce=nonce(64)))
    await services.settler.settle_once()
    assert await states(services) == {JobState.SETTLING: 64, JobState.QUEUED: 1}


async def test_expired_by_our_clock_alone_is_left_to_the_chain(services: Services) -> None:
    job, payment = await services.accept(), pay(services.world)
    ledger, clock = services.world.ledger, services.world.clock
    ledger.holding = True  # the newest block is from before the authorization ends
    clock.now = payment.valid_before
    await services.settler.settle_once()
    assert await states(services) == {JobState.SETTLING: 1}
    clock.now -= 1  # the chain's clock is the one that counts
    ledger.mine()
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.QUEUED


async def test_someone_else_settled_it_first(services: Services) -> None:
    job = await services.accept()
    payment = pay(services.world)
    stranger = CashChain(services.world.ledger, STRANGER.address)
    theirs = await stranger.sign_settlement([payment], 0)
    await stranger.submit(theirs.raw)
    await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert view.state is JobState.QUEUED
    assert view.settlement.transaction == theirs.tx
    assert services.world.ledger.balances[TREASURY] == PRICE


async def test_cancelled_authorization_is_void_only_after_a_while(services: Services) -> None:
    job = await services.accept()
    payment = pay(services.world)
    services.world.ledger.cancel(payment.payer, payment.nonce)
    await services.settler.settle_once()
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.RESERVED
    assert not services.world.ledger.included
    services.world.clock.now += 60
    await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert view.state is JobState.VOID
    with rejects(
        Reason.SETTLEMENT_CANCELLED, "the payer cancelled the authorization before it settled"
    ):
        raise PaymentRejected(Reason.SETTLEMENT_CANCELLED)
    assert view.failure is not None
    assert view.failure.code == "SETTLEMENT_CANCELLED"


async def test_authorization_that_ended_before_it_was_sent(services: Services) -> None:
    job = await services.accept()
    payment = pay(services.world)
    services.world.clock.now += 500
    await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert view.state is JobState.VOID
    message = f"the authorization ended at {payment.valid_before} before it was sent"
    assert view.failure is not None
    assert view.failure.message == message
    with rejects(Reason.SETTLEMENT_EXPIRED, message):
        raise PaymentRejected(Reason.SETTLEMENT_EXPIRED, valid_before=payment.valid_before)
    assert not services.world.ledger.included


async def test_number_spent_by_another_transaction_of_the_key(services: Services) -> None:
    job = await services.accept()
    ledger, clock = services.world.ledger, services.world.clock
    ledger.forgetful = True
    await services.settler.settle_once()
    ledger.forgetful = False
    ledger.credit(TREASURY, 1)
    elsewhere = CashChain(ledger, TREASURY)
    await elsewhere.submit((await elsewhere.sign_refund(STRANGER.address, 1, 0)).raw)
    clock.now += 15
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.SETTLING
    clock.now += 30
    await services.settler.settle_once()
    clock.now += 30
    await services.settler.settle_once()  # signs again
    await services.settler.settle_once()  # sends
    assert (await services.gateway.job(job.id)).state is JobState.QUEUED
    assert ledger.balances[TREASURY] == PRICE
    assert len(ledger.included) == 2


async def test_number_that_was_left_out_is_taken_next(services: Services) -> None:
    first = await services.accept(payment=pay(services.world, nonce=nonce(1)))
    chain = services.settler._chain
    ahead = await chain.sign_settlement([pay(services.world, nonce=nonce(1))], 1)
    await send_settlement(
        services.stores.orders,
        first.id,
        NewTransaction(ASSET.network, TREASURY, 1, ahead.tx, ahead.raw),
        now=1,
    )
    await services.settler.settle_once()
    assert await states(services) == {JobState.SETTLING: 1}
    await services.accept(payment=pay(services.world, nonce=nonce(2)))
    await services.settler.settle_once()
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 2}


async def test_several_spent_numbers_at_once(services: Services) -> None:
    ledger, clock = services.world.ledger, services.world.clock
    for i in range(5):
        await services.accept(payment=pay(services.world, nonce=nonce(i), valid_before=2**40))
    ledger.forgetful = True
    await services.settler.settle_once()
    ledger.forgetful = False
    elsewhere = CashChain(ledger, TREASURY)
    for i in range(5):
        await elsewhere.submit((await elsewhere.sign_refund(TREASURY, 0, i)).raw)
    for _ in range(4):
        clock.now += 60
        await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 5}
    assert ledger.balances[TREASURY] == 5 * PRICE


async def test_failed_job_is_refunded_once(services: Services) -> None:
    job = await services.accept()
    await services.settler.settle_once()
    claimed = await services.stores.orders.queue.claim(now=1, lease_until=2)
    assert claimed is not None
    await services.stores.orders.queue.give_up(job.id, claimed.fence, failure_of(LOST), now=3)
    for _ in range(3):
        await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert view.state is JobState.REFUNDED
    assert view.refund is not None
    assert view.refund.transaction in services.world.ledger.included
    assert view.failure is not None
    assert view.failure.code == "INPUT_NOT_FINITE"
    assert services.world.ledger.balances == {PAYER.address: 100 * PRICE, TREASURY: 0}
    assert services.metrics.refunds == {"sent": 1, "settled": 1}


async def _failed(services: Services) -> Digest:
    """A job that is owed its refund."""
    job = await services.accept()
    await services.settler.settle_once()
    claimed = await services.stores.orders.queue.claim(now=1, lease_until=2)
    assert claimed is not None
    await services.stores.orders.queue.give_up(job.id, claimed.fence, failure_of(LOST), now=3)
    return job.id


async def _refund_elsewhere(services: Services, job_id: Digest) -> Digest:
    """The same key refunds, and this database does not know of it."""
    elsewhere = CashChain(services.world.ledger, TREASURY)
    number = (await elsewhere.look()).pending
    signed = await elsewhere.sign_refund(PAYER.address, PRICE, number, mark=refund_mark(job_id))
    await elsewhere.submit(signed.raw)
    return signed.tx


async def test_a_refund_that_the_database_forgot_is_found_and_not_made_again(
    services: Services,
) -> None:
    job_id = await _failed(services)
    tx = await _refund_elsewhere(services, job_id)
    for _ in range(3):
        await services.settler.settle_once()
    view = await services.gateway.job(job_id)
    assert (view.state, view.refund and view.refund.transaction) == (JobState.REFUNDED, tx)
    assert services.world.ledger.balances == {PAYER.address: 100 * PRICE, TREASURY: 0}
    assert services.metrics.refunds == {"found": 1}


async def test_the_refund_of_another_job_is_not_taken_for_it(services: Services) -> None:
    job_id = await _failed(services)
    services.world.ledger.credit(TREASURY, PRICE)
    tx = await _refund_elsewhere(services, nonce(9))
    for _ in range(3):
        await services.settler.settle_once()
    view = await services.gateway.job(job_id)
    assert view.state is JobState.REFUNDED
    assert view.refund is not None
    assert view.refund.transaction != tx
    assert services.world.ledger.balances == {PAYER.address: 101 * PRICE, TREASURY: 0}


async def test_a_found_refund_counts_once_its_block_is_deep(services: Services) -> None:
    job_id = await _failed(services)
    services.world.ledger.confirmations = 3
    await _refund_elsewhere(services, job_id)
    services.world.ledger.credit(TREASURY, PRICE)
    await services.settler.settle_once()
    assert (await services.gateway.job(job_id)).state is JobState.FAILED
    services.world.ledger.mine()
    services.world.ledger.mine()
    await services.settler.settle_once()
    assert (await services.gateway.job(job_id)).state is JobState.REFUNDED
    assert services.world.ledger.balances[TREASURY] == PRICE


async def test_no_refund_is_sent_while_others_of_its_key_may_still_be_made(
    services: Services,
) -> None:
    job_id = await _failed(services)
    ledger = services.world.ledger
    ledger.credit(TREASURY, PRICE)
    ledger.holding = True
    tx = await _refund_elsewhere(services, job_id)
    await services.settler.settle_once()
    assert (await services.gateway.job(job_id)).state is JobState.FAILED
    ledger.holding = False
    ledger.mine()
    await services.settler.settle_once()
    view = await services.gateway.job(job_id)
    assert (view.state, view.refund and view.refund.transaction) == (JobState.REFUNDED, tx)
    assert ledger.balances[TREASURY] == PRICE


async def test_refund_waits_for_tokens(services: Services) -> None:
    job = await services.accept()
    await services.settler.settle_once()
    claimed = await services.stores.orders.queue.claim(now=1, lease_until=2)
    assert claimed is not None
    await services.stores.orders.queue.give_up(job.id, claimed.fence, failure_of(LOST), now=3)
    services.world.ledger.balances[TREASURY] = 0
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.FAILED
    services.world.ledger.balances[TREASURY] = PRICE
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.REFUNDED


async def test_reverted_refund_is_due_again(services: Services) -> None:
    job = await services.accept()
    await services.settler.settle_once()
    claimed = await services.stores.orders.queue.claim(now=1, lease_until=2)
    assert claimed is not None
    await services.stores.orders.queue.give_up(job.id, claimed.fence, failure_of(LOST), now=3)
    ledger = services.world.ledger
    ledger.holding = True
    await services.settler.settle_once()
    ledger.balances[TREASURY] = 0
    ledger.mine()
    ledger.holding = False
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.FAILED
    assert services.metrics.refunds["lost"] == 1
    ledger.balances[TREASURY] = PRICE
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.FAILED
    services.world.clock.now += 15
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.REFUNDED
    assert ledger.balances[PAYER.address] == 100 * PRICE


async def test_refund_whose_number_was_spent_is_sent_again_only_after_a_while(
    services: Services,
) -> None:
    job = await services.accept()
    await services.settler.settle_once()
    claimed = await services.stores.orders.queue.claim(now=1, lease_until=2)
    assert claimed is not None
    await services.stores.orders.queue.give_up(job.id, claimed.fence, failure_of(LOST), now=3)
    ledger, clock = services.world.ledger, services.world.clock
    ledger.forgetful = True
    await services.settler.settle_once()
    ledger.forgetful = False
    elsewhere = CashChain(ledger, TREASURY)
    await elsewhere.submit((await elsewhere.sign_refund(TREASURY, 1, 1)).raw)
    clock.now += 15
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.REFUNDING
    clock.now += 60
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.FAILED
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.REFUNDED
    assert ledger.balances == {PAYER.address: 100 * PRICE, TREASURY: 0}


async def test_shallow_blocks_are_waited_for_however_long(services: Services) -> None:
    """A refund in a shallow block is not absent: it must not be paid again."""
    ledger, clock = services.world.ledger, services.world.clock
    ledger.confirmations = 3
    job = await services.accept()
    for state in (JobState.SETTLING, JobState.REFUNDING):
        for _ in range(5):
            await services.settler.settle_once()
            assert (await services.gateway.job(job.id)).state is state
            clock.now += 100
        ledger.mine()
        ledger.mine()
        await services.settler.settle_once()
        if state is JobState.SETTLING:
            claimed = await services.stores.orders.queue.claim(now=1, lease_until=2)
            assert claimed is not None
            await services.stores.orders.queue.give_up(
                job.id, claimed.fence, failure_of(LOST), now=3
            )
    assert (await services.gateway.job(job.id)).state is JobState.REFUNDED
    assert ledger.balances == {PAYER.address: 100 * PRICE, TREASURY: 0}
    assert len(ledger.included) == 2


async def test_no_more_than_max_open_are_under_way(services: Services) -> None:
    ledger = services.world.ledger
    services.settler._chain._batch_size = 1  # type: ignore[attr-defined]
    ledger.holding = True
    for i in range(70):
        await services.accept(payment=pay(services.world, nonce=nonce(i)))
    assert await services.settler.settle_once() == 64
    assert await states(services) == {JobState.SETTLING: 64, JobState.RESERVED: 6}
    ledger.mine()
    for _ in range(64):
        ledger.mine()
    ledger.holding = False
    await services.settler.settle_once()
    await services.settler.settle_once()
    assert await states(services) == {JobState.QUEUED: 70}
    assert ledger.balances[TREASURY] == 70 * PRICE


async def test_run_goes_on_when_the_chain_comes_back(services: Services) -> None:
    job = await services.accept()
    services.world.ledger.down = True
    running = asyncio.create_task(services.settler.run())
    await asyncio.sleep(0.3)
    services.world.ledger.down = False

    async def settled() -> bool:
        return (await services.gateway.job(job.id)).state is JobState.QUEUED

    await until(settled, "the job is settled")
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert (await services.gateway.job(job.id)).state is JobState.QUEUED


async def test_only_the_settler_whose_turn_it_is_settles(world: World) -> None:
    async with running(world) as first, open_stores(world.url) as stores:
        other = build(world, stores)
        leader = first.stores.database.leader_lock("settler")
        assert await leader.held()
        job = await first.accept()
        task = asyncio.create_task(first.settler.run())
        await asyncio.sleep(0.3)
        assert (await other.gateway.job(job.id)).state is JobState.RESERVED
        await leader.release()
        first.event_bus.publish(SETTLE)
        async with asyncio.timeout(60):
            while (await other.gateway.job(job.id)).state is JobState.RESERVED:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert not await leader.held()
        task.cancel()
        await asyncio.wait([task])
        assert await leader.held()
        await leader.release()
