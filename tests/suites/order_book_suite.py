"""What the ports of orders must do. A test module gives the fixture `orders` and imports this."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from inferproof.errors import (
    Conflict,
    InferproofError,
    NotFound,
    Reason,
    TooMany,
    Unavailable,
)
from inferproof.payments.x402.receipt import authorization_payment
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.lifecycle import STARTS, TAKEN_BACK, TRANSITIONS, Transition
from inferproof.protocol.quote import quote_digest
from inferproof.protocol.transfer import claim_job_id
from inferproof.storage.ports.deliveries import DeliveryState
from inferproof.storage.ports.jobs import (
    Answer,
    Failure,
    Job,
    JobEvent,
    Kept,
    KeptProof,
    Outcome,
    Progress,
    QueueLimits,
    RefundState,
    Reservation,
    ValidatedOrder,
)
from inferproof.storage.ports.ledger import Owed
from inferproof.storage.ports.orders import Orders
from inferproof.storage.ports.outbox import (
    BlockRef,
    Inclusion,
    NewTransaction,
    OutboxItem,
    OutboxKind,
    SettlementStep,
    TakenBack,
)
from inferproof.testing.memory_store import Stores
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import GATEWAY, Sample, TransferSample
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.money import MAX_AMOUNT, Money, Network
from inferproof.types.payment import Settlement, SettlementState
from inferproof.types.receipt import StageTime
from inferproof.types.tensor import FixedTensor

SENDER = GATEWAY.address
URL = "https://buyer.example/hook"
SAMPLE = Sample()
NETWORK = SAMPLE.authorization().asset.network
ASSET = SAMPLE.authorization().asset
assert SAMPLE.settlement.transaction is not None
SPENT = SAMPLE.settlement.transaction
WHY = Failure("INPUT_NOT_FINITE", "input x holds a NaN or an infinity", {"name": "x"})


def digest(text: str) -> Digest:
    return Digest(keccak256(text.encode()))


def order(number: int = 0, **changes: Any) -> ValidatedOrder:
    """An order whose payment nonce is made of the number."""
    signed = replace(SAMPLE.authorization(), nonce=digest(f"nonce {number}"))
    quote = SAMPLE.quote()
    made = ValidatedOrder(
        job_id=digest(f"job {number}"),
        model_id="sample",
        model_version="1.0.0",
        model_commitment=quote.model_commitment,
        request=SAMPLE.request,
        request_digest=SAMPLE.request_digest(),
        payment=authorization_payment(signed),
        quote=quote,
        quote_signature=GATEWAY.sign(quote_digest(quote)),
        salt=bytes(32),
        nonce_salt=None,
        payment_id=None,
        first_block=7,
        created_at=1000 + number,
        deadline=5000,
    )
    return replace(made, **changes)


def transaction(number: int, *, nonce: int | None = None) -> NewTransaction:
    raw = b"raw %d" % number
    return NewTransaction(
        NETWORK, SENDER, number if nonce is None else nonce, Digest(keccak256(raw)), raw
    )


BLOCK = BlockRef(42, digest("block"))
STEPS = (None, SettlementStep.REFUSED, SettlementStep.AGAIN, SettlementStep.ALONE)
ANSWER = Answer(
    outputs=(FixedTensor("y", (1, 2), (7, -(2**63)), 2.0**-7),),
    proof_digest=digest("proof"),
    proof_blob=digest("proof blob"),
    proof_size=3_100,
    verifier_blob=digest("verifier blob"),
    receipt=b"receipt",
    timings=(StageTime("prove", 12_345),),
    out_of_range=2,
)


async def send_settlement(
    orders: Orders, job_id: Digest, tx: NewTransaction, *, now: int
) -> OutboxItem:
    """A transaction in the outbox that settles one job."""
    (item,) = await orders.settlements.send_settlements([([job_id], tx)], now=now)
    return item


async def brought_to(orders: Orders, state: JobState, number: int = 0) -> Job:
    """A job in the state, by the shortest way."""
    job_id = order(number).job_id
    job = (await orders.jobs.reserve(order(number))).job
    if state is JobState.RESERVED:
        return job
    if state is JobState.VOID:
        return await orders.settlements.void(job_id, WHY, now=2)
    if state is JobState.WITHDRAWN:
        return await orders.jobs.cancel(job_id, WHY, running=False, now=2)
    item = await send_settlement(orders, job_id, transaction(number), now=2)
    if state is JobState.SETTLING:
        return await orders.jobs.job(job_id)
    await orders.settlements.included(
        [Inclusion(item, item.newest.tx, BLOCK, {job_id: None})], now=3
    )
    job = await orders.jobs.job(job_id)
    if state is JobState.QUEUED:
        return job
    claimed = await orders.queue.claim(now=4, lease_until=34)
    assert claimed is not None
    if state is JobState.RUNNING:
        return claimed
    if state is JobState.DONE:
        return await orders.queue.finish(job_id, claimed.fence, ANSWER, now=5)
    job = await orders.queue.give_up(job_id, claimed.fence, WHY, now=5)
    if state is JobState.FAILED:
        return job
    await orders.settlements.send_refund(job_id, transaction(100 + number), now=6)
    if state is JobState.REFUNDING:
        return await orders.jobs.job(job_id)
    return await orders.settlements.refunded(
        job_id, digest("refund"), 43, now=7, block_hash=digest("block of the refund")
    )


async def attempt(orders: Orders, job: Job, transition: Transition) -> None:
    """The transition, tried on this job whatever its state."""
    job_id, fence = job.order.job_id, job.fence
    match transition:
        case Transition.SEND_SETTLEMENT:
            await send_settlement(orders, job_id, transaction(900), now=9)
        case Transition.SETTLED:
            await orders.settlements.settled(job_id, digest("other"), 44, now=9)
        case Transition.VOID:
            await orders.settlements.void(job_id, WHY, now=9)
        case Transition.CLAIM:
            if await orders.queue.claim(now=9, lease_until=39) is None:
                raise Conflict(
                    Reason.JOB_TRANSITION_ILLEGAL, state=job.state.value, transition="claim"
                )
        case Transition.RELEASE:
            await orders.queue.release(job_id, fence, now=9)
        case Transition.FINISH:
            await orders.queue.finish(job_id, fence, ANSWER, now=9)
        case Transition.GIVE_UP:
            await orders.queue.give_up(job_id, fence, WHY, now=9)
        case Transition.SEND_REFUND:
            await orders.settlements.send_refund(job_id, transaction(901), now=9)
        case Transition.REFUNDED:
            await orders.settlements.refunded(job_id, digest("other"), 44, now=9)
        case Transition.REFUND_FOUND:
            await orders.settlements.refunded(job_id, digest("other"), 44, now=9, found=True)
        case Transition.REFUND_LOST:
            await orders.settlements.refund_lost(job_id, now=9)
        case Transition.UNOWED:
            await orders.settlements.lost(job_id, WHY, now=9)
        case Transition.UNSETTLED | Transition.UNREFUNDED:
            await orders.settlements.take_back(NETWORK, first=0, now=9)
        case Transition.CANCEL:
            await orders.jobs.cancel(job_id, WHY, running=True, now=9)


def path(events: Sequence[JobEvent]) -> list[tuple[str, JobState]]:
    """The history as steps, once it was found to be one that the life cycle allows."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[0].state is STARTS[events[0].transition]
    for before, event in itertools.pairwise(events):
        assert TRANSITIONS[before.state, Transition(event.transition)] is event.state
    return [(event.transition, event.state) for event in events]


class TestReserving:
    async def test_new_and_same(self, orders: Orders) -> None:
        first = await orders.jobs.reserve(order())
        assert first.outcome is Outcome.NEW
        assert first.job.state is JobState.RESERVED
        second = await orders.jobs.reserve(order())
        assert second.outcome is Outcome.SAME
        assert second.job == first.job
        assert await orders.jobs.find(order().job_id) == first.job

    async def test_another_signature_of_the_same_terms_is_the_same(self, orders: Orders) -> None:
        await orders.jobs.reserve(order())
        again = order(payment=replace(order().payment, signature=bytes(65)))
        assert (await orders.jobs.reserve(again)).outcome is Outcome.SAME

    async def test_a_payment_is_found_whatever_its_job_is_called(self, orders: Orders) -> None:
        first = await orders.jobs.reserve(order())
        assert await orders.jobs.find_payment(order().payment) == first.job
        other_terms = replace(order().payment, amount=1, signature=bytes(65))
        assert await orders.jobs.find_payment(other_terms) == first.job
        asset = order().payment.asset
        for other in (
            {"nonce": digest("another nonce")},
            {"payer": Address(b"\x01" * 20)},
            {"asset": replace(asset, address=Address(b"\x01" * 20))},
            {"asset": replace(asset, network=Network.evm(1))},
        ):
            assert await orders.jobs.find_payment(replace(order().payment, **other)) is None

    async def test_a_salt_that_comes_later_is_the_same_job(self, orders: Orders) -> None:
        first = await orders.jobs.reserve(order(nonce_salt=None))
        again = await orders.jobs.reserve(order(job_id=digest("salted"), nonce_salt=digest("salt")))
        assert (again.outcome, again.job) == (Outcome.SAME, first.job)
        assert await orders.jobs.find(digest("salted")) is None

    @pytest.mark.parametrize("salt", [None, digest("another salt")])
    async def test_a_salt_that_is_missing_or_another_is_a_conflict(
        self, orders: Orders, salt: Digest | None
    ) -> None:
        await orders.jobs.reserve(order(nonce_salt=digest("salt")))
        with rejects(
            Reason.PAYMENT_REPLAYED,
            "this authorization already pays for another request; sign one with a fresh nonce",
        ):
            await orders.jobs.reserve(order(job_id=digest("without salt"), nonce_salt=salt))
        assert await orders.jobs.find(digest("without salt")) is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"request_digest": digest("another")},
            {"request_digest": digest("another"), "job_id": digest("another job")},
            {"payment": replace(order().payment, amount=1), "job_id": digest("another job")},
            {"payment": replace(order().payment, amount=1)},
            {"payment": replace(order().payment, terms=b"{}")},
            {"payment": replace(order().payment, method="transfer")},
            {"payment": replace(order().payment, payee=Address(bytes(20)))},
        ],
    )
    async def test_replay(self, orders: Orders, changes: dict[str, Any]) -> None:
        await orders.jobs.reserve(order())
        with rejects(
            Reason.PAYMENT_REPLAYED,
            "this authorization already pays for another request; sign one with a fresh nonce",
            kind=Conflict,
        ):
            await orders.jobs.reserve(order(**changes))
        assert (await orders.ledger.depth())[JobState.RESERVED] == 1

    async def test_payment_id(self, orders: Orders) -> None:
        first = await orders.jobs.reserve(order(1, payment_id="a"))
        second = await orders.jobs.reserve(order(2, payment_id="a"))
        assert second.outcome is Outcome.SAME
        assert second.job == first.job
        with rejects(
            Reason.PAYMENT_ID_REUSED,
            "payment id a was used for another request; choose a new one",
            kind=Conflict,
        ):
            await orders.jobs.reserve(order(3, payment_id="a", request_digest=digest("x")))
        stranger = replace(order(4).payment, payer=Address(b"\x01" * 20))
        theirs = order(4, payment_id="a", payment=stranger)
        assert (await orders.jobs.reserve(theirs)).outcome is Outcome.NEW
        found = await orders.jobs.find_payment_id(order().payment.payer, "a")
        assert found == first.job
        assert await orders.jobs.find_payment_id(order().payment.payer, "b") is None

    async def test_one_payment_for_many_requests_at_once_is_one_job(self, orders: Orders) -> None:
        asked = [
            order(request_digest=digest(f"request {n}"), job_id=digest(f"job of {n}"))
            for n in range(20)
        ]
        results = await asyncio.gather(*map(orders.jobs.reserve, asked), return_exceptions=True)
        taken = [r for r in results if not isinstance(r, BaseException)]
        refused = [r for r in results if isinstance(r, Conflict)]
        assert [r.outcome for r in taken] == [Outcome.NEW]
        assert [r.reason for r in refused] == [Reason.PAYMENT_REPLAYED] * 19
        assert (await orders.ledger.depth())[JobState.RESERVED] == 1
        assert await orders.jobs.find_payment(order().payment) == taken[0].job
        found = [await orders.jobs.find(one.job_id) for one in asked]
        assert [job for job in found if job is not None] == [taken[0].job]

    async def test_one_batch_with_every_kind_of_neighbour(self, orders: Orders) -> None:
        batch = [order(n) for n in range(50)]
        batch += [order(n) for n in range(10)]
        batch += [order(n, request_digest=digest("x"), job_id=digest(f"x {n}")) for n in range(10)]
        batch += [order(60 + n, payment_id="same") for n in range(5)]
        results = await asyncio.gather(*map(orders.jobs.reserve, batch), return_exceptions=True)
        outcomes = [r if isinstance(r, BaseException) else r.outcome for r in results]
        assert outcomes[:50] == [Outcome.NEW] * 50
        assert outcomes[50:60] == [Outcome.SAME] * 10
        assert all(isinstance(r, Conflict) for r in outcomes[60:70])
        assert sorted(outcomes[70:]) == [Outcome.NEW] + [Outcome.SAME] * 4
        assert (await orders.ledger.depth())[JobState.RESERVED] == 51
        assert (await orders.ledger.backlog()).waiting == 51

    async def test_what_a_payer_promised(self, orders: Orders) -> None:
        # QUEUED last, since claiming for another state would take it.
        states = sorted(JobState, key=lambda state: state is JobState.QUEUED)
        for number, state in enumerate(states):
            await brought_to(orders, state, number)
        payment = order().payment
        expected = {
            order(number).payment.nonce.raw: payment.amount
            for number, state in enumerate(states)
            if state in (JobState.RESERVED, JobState.SETTLING, JobState.WITHDRAWN)
        }
        assert len(expected) == 3
        payer_key = (payment.asset.network.caip2, payment.asset.address, payment.payer)
        other = replace(payment, payer=Address(bytes(20)), amount=7)
        await orders.jobs.reserve(order(99, payment=other))
        theirs = (payment.asset.network.caip2, payment.asset.address, other.payer)
        backlog = await orders.ledger.backlog()
        assert backlog.unsettled == {payer_key: expected, theirs: {other.nonce.raw: 7}}
        assert backlog.waiting == 5

    async def test_the_largest_amounts_are_exact(self, orders: Orders) -> None:
        quote = SAMPLE.quote()
        largest = order(
            payment=replace(order().payment, amount=MAX_AMOUNT),
            quote=replace(quote, price=Money(MAX_AMOUNT, quote.price.asset)),
            nonce_salt=digest("salt"),
        )
        await orders.jobs.reserve(largest)
        assert (await orders.jobs.job(largest.job_id)).order == largest

    async def test_unknown(self, orders: Orders) -> None:
        assert await orders.jobs.find(digest("x")) is None
        with rejects(Reason.JOB_UNKNOWN, f"there is no job {digest('x')}", kind=NotFound):
            await orders.jobs.job(digest("x"))
        with rejects(Reason.JOB_UNKNOWN, f"there is no job {digest('x')}", kind=NotFound):
            await orders.settlements.void(digest("x"), WHY, now=1)


def redeemed(
    number: int = 0, *, log_index: int = 0, named: bool = False, **changes: Any
) -> ValidatedOrder:
    """An order that a transfer pays for; the number makes its claim another."""
    sample = TransferSample(
        nonce_salt=digest(f"salt {number}").raw, log_index=log_index, named=named, amount=300_000
    )
    made = order(
        number,
        job_id=claim_job_id(sample.claim()),
        payment=sample.payment(),
        nonce_salt=sample.salt(),
        first_block=42,
    )
    return replace(made, **changes)


class TestRedeeming:
    @pytest.mark.parametrize("named", [True, False])
    async def test_it_is_settled_and_queued(self, orders: Orders, named: bool) -> None:
        made = redeemed(log_index=5, named=named)
        reservation = await orders.jobs.redeem(made, settled_in=SPENT)
        job = reservation.job
        assert (reservation.outcome, job.state) == (Outcome.NEW, JobState.QUEUED)
        assert job.settlement == Settlement(SettlementState.SETTLED, SPENT, 42)
        assert (job.order, await orders.jobs.job(made.job_id)) == (made, job)
        assert await orders.jobs.find_payment(made.payment) == job
        assert path(await orders.jobs.events(made.job_id)) == [("redeem", JobState.QUEUED)]
        claimed = await orders.queue.claim(now=9, lease_until=39)
        assert claimed is not None
        assert claimed.order == made

    async def test_the_same_claim_is_the_same_job(self, orders: Orders) -> None:
        first = await orders.jobs.redeem(redeemed(), settled_in=SPENT)
        again = await orders.jobs.redeem(
            redeemed(salt=b"\x01" * 32, created_at=9), settled_in=SPENT
        )
        assert (again.outcome, again.job) == (Outcome.SAME, first.job)
        # A claim that names no log is one job, whichever transfer it came to spend.
        elsewhere = await orders.jobs.redeem(redeemed(log_index=7), settled_in=SPENT)
        assert (elsewhere.outcome, elsewhere.job) == (Outcome.SAME, first.job)
        assert (await orders.ledger.depth())[JobState.QUEUED] == 1

    async def test_a_transfer_is_spent_once(self, orders: Orders) -> None:
        await orders.jobs.redeem(redeemed(1, log_index=3), settled_in=SPENT)
        with pytest.raises(Conflict) as caught:
            await orders.jobs.redeem(redeemed(2, log_index=3), settled_in=SPENT)
        assert caught.value.reason is Reason.PAYMENT_REPLAYED
        assert await orders.jobs.find(redeemed(2, log_index=3).job_id) is None
        assert (
            await orders.jobs.redeem(redeemed(2, log_index=4), settled_in=SPENT)
        ).outcome is Outcome.NEW

    async def test_many_claims_to_one_transfer_at_once(self, orders: Orders) -> None:
        results = await asyncio.gather(
            *(orders.jobs.redeem(redeemed(n), settled_in=SPENT) for n in range(20)),
            return_exceptions=True,
        )
        taken = [r for r in results if not isinstance(r, BaseException)]
        assert [r.outcome for r in taken] == [Outcome.NEW]
        refused = [r.reason for r in results if isinstance(r, Conflict)]
        assert refused == [Reason.PAYMENT_REPLAYED] * 19
        assert (await orders.ledger.depth())[JobState.QUEUED] == 1

    async def test_an_authorization_cannot_take_its_place(self, orders: Orders) -> None:
        made = redeemed()
        await orders.jobs.redeem(made, settled_in=SPENT)
        same_nonce = replace(order(1).payment, nonce=made.payment.nonce)
        with rejects(
            Reason.PAYMENT_REPLAYED,
            "this authorization already pays for another request; sign one with a fresh nonce",
            kind=Conflict,
        ):
            await orders.jobs.reserve(order(1, payment=same_nonce))

    async def test_nor_can_it_take_that_of_an_authorization(self, orders: Orders) -> None:
        made = redeemed()
        same_nonce = replace(order(1).payment, nonce=made.payment.nonce)
        await orders.jobs.reserve(order(1, payment=same_nonce))
        with pytest.raises(Conflict) as caught:
            await orders.jobs.redeem(made, settled_in=SPENT)
        assert caught.value.reason is Reason.PAYMENT_REPLAYED

    async def test_it_is_promised_to_nobody(self, orders: Orders) -> None:
        await orders.jobs.redeem(redeemed(), settled_in=SPENT)
        backlog = await orders.ledger.backlog()
        assert (backlog.waiting, backlog.unsettled) == (1, {})

    async def test_it_is_refunded_as_any_other(self, orders: Orders) -> None:
        job_id = redeemed().job_id
        await orders.jobs.redeem(redeemed(), settled_in=SPENT)
        claimed = await orders.queue.claim(now=4, lease_until=34)
        assert claimed is not None
        await orders.queue.give_up(job_id, claimed.fence, WHY, now=5)
        await orders.settlements.send_refund(job_id, transaction(100), now=6)
        job = await orders.settlements.refunded(job_id, digest("refund"), 43, now=7)
        assert job.state is JobState.REFUNDED
        assert job.settlement.block == 42


class TestLifeCycle:
    @pytest.mark.parametrize(("state", "transition"), TRANSITIONS)
    async def test_legal_transitions(
        self, orders: Orders, state: JobState, transition: Transition
    ) -> None:
        job = await brought_to(orders, state)
        await attempt(orders, job, transition)
        moved = await orders.jobs.job(job.order.job_id)
        assert moved.state is TRANSITIONS[state, transition]
        steps = path(await orders.jobs.events(job.order.job_id))
        assert steps[-1] == (transition.value, moved.state)

    @pytest.mark.parametrize("state", list(JobState))
    async def test_illegal_transitions_change_nothing(
        self, orders: Orders, state: JobState
    ) -> None:
        job = await brought_to(orders, state)
        for transition in Transition:
            if (state, transition) in TRANSITIONS or transition in TAKEN_BACK:
                continue  # what the chain takes back: see TestTakenBack
            with rejects(
                Reason.JOB_TRANSITION_ILLEGAL,
                f"a job that is {state.value} does not allow {transition.value}",
                kind=Conflict,
            ):
                await attempt(orders, job, transition)
            assert await orders.jobs.job(job.order.job_id) == job
        assert path(await orders.jobs.events(job.order.job_id))[-1][1] is state

    async def test_what_each_state_shows(self, orders: Orders) -> None:
        settling = await brought_to(orders, JobState.SETTLING, 1)
        assert settling.settlement.state is SettlementState.PENDING
        assert settling.settlement.transaction == transaction(1).tx
        done = await brought_to(orders, JobState.DONE, 2)
        assert done.settlement.state is SettlementState.SETTLED
        assert (done.settlement.transaction, done.settlement.block) == (transaction(2).tx, 42)
        assert done.answer == ANSWER
        assert (done.attempts, done.fence, done.lease_until) == (1, 1, None)
        assert await orders.jobs.job_of_proof(ANSWER.proof_digest) == done
        failed = await brought_to(orders, JobState.FAILED, 3)
        assert failed.failure == WHY
        assert failed.refund is not None
        assert failed.refund.state is RefundState.DUE
        refunded = await brought_to(orders, JobState.REFUNDED, 4)
        assert refunded.refund is not None
        assert refunded.refund.state is RefundState.SETTLED
        assert (refunded.refund.transaction, refunded.refund.block) == (digest("refund"), 43)
        void = await brought_to(orders, JobState.VOID, 5)
        assert void.settlement.state is SettlementState.FAILED
        assert void.failure == WHY
        depth = await orders.ledger.depth()
        assert depth[JobState.SETTLING] == depth[JobState.DONE] == depth[JobState.VOID] == 1
        assert (await orders.ledger.backlog()).waiting == 1

    async def test_oldest_first(self, orders: Orders) -> None:
        for number in range(4):
            await orders.jobs.reserve(order(number))
        found = await orders.jobs.in_state(JobState.RESERVED, limit=3)
        assert [job.order.job_id for job in found] == [order(n).job_id for n in range(3)]

    async def test_uncertain(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.SETTLING)
        await orders.settlements.uncertain([job.order.job_id], now=9)
        noted = await orders.jobs.job(job.order.job_id)
        assert noted.settlement.state is SettlementState.UNCERTAIN
        done = await orders.settlements.settled(job.order.job_id, digest("settled"), 42, now=10)
        assert done.settlement.state is SettlementState.SETTLED
        await orders.settlements.uncertain([job.order.job_id], now=11)
        assert await orders.jobs.job(job.order.job_id) == done


class TestOutbox:
    async def test_items_in_order(self, orders: Orders) -> None:
        assert await orders.outbox.free_nonces(NETWORK, SENDER, least=0, count=2) == [0, 1]
        for number, nonce in ((1, 6), (2, 5)):
            await orders.jobs.reserve(order(number))
            await send_settlement(
                orders, order(number).job_id, transaction(number, nonce=nonce), now=3
            )
        items = await orders.outbox.open_outbox(NETWORK, SENDER)
        assert [(item.nonce, item.newest.tx) for item in items] == [
            (5, transaction(2, nonce=5).tx),
            (6, transaction(1, nonce=6).tx),
        ]
        assert await orders.outbox.raw(items[0].newest.tx) == transaction(2, nonce=5).raw
        with rejects(
            Reason.TX_NOT_STORED, f"the outbox holds no transaction {digest('x')}", kind=NotFound
        ):
            await orders.outbox.raw(digest("x"))
        assert items[0].kind is OutboxKind.SETTLEMENT
        assert (items[0].newest.attempts, items[0].newest.sent_at) == (0, None)
        assert items[0].nonce_spent_at is None
        assert await orders.outbox.free_nonces(NETWORK, SENDER, least=4, count=3) == [4, 7, 8]
        assert await orders.outbox.free_nonces(NETWORK, SENDER, least=6, count=1) == [7]
        assert await orders.outbox.free_nonces(NETWORK, Address(bytes(20)), least=5, count=1) == [5]
        assert await orders.outbox.open_outbox(NETWORK, Address(bytes(20))) == []
        await orders.outbox.note_sent([items[0].newest.tx], now=4)
        await orders.outbox.note_sent([items[0].newest.tx], now=5)
        assert await orders.outbox.note_nonce_spent(items[0], now=6) == 6
        assert await orders.outbox.note_nonce_spent(items[0], now=7) == 6
        (noted, _) = await orders.outbox.open_outbox(NETWORK, SENDER)
        assert (noted.newest.attempts, noted.newest.sent_at, noted.nonce_spent_at) == (2, 5, 6)

    async def test_a_number_stays_open_until_it_is_spent(self, orders: Orders) -> None:
        """Whatever became of the job: those after it wait for the number."""
        await brought_to(orders, JobState.SETTLING, 1)
        (item,) = await orders.outbox.open_outbox(NETWORK, SENDER)
        await orders.settlements.void(order(1).job_id, WHY, now=8)
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == [item]
        await orders.settlements.included([Inclusion(item, item.newest.tx, BLOCK)], now=9)
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == []

    async def test_refunds_close_their_item(self, orders: Orders) -> None:
        await brought_to(orders, JobState.REFUNDED, 1)
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == []
        await brought_to(orders, JobState.REFUNDING, 2)
        (item,) = await orders.outbox.open_outbox(NETWORK, SENDER)
        assert item.kind is OutboxKind.REFUND
        await orders.settlements.refund_lost(order(2).job_id, now=8)
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == []

    async def test_higher_fees_beside_the_earlier_ones(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.SETTLING)
        (item,) = await orders.outbox.open_outbox(NETWORK, SENDER)
        higher = replace(transaction(5, nonce=0), fee_cap=2**200, fee_tip=7)
        second = await orders.outbox.replace(item, higher, now=9)
        assert [raw.tx for raw in second.raws] == [transaction(0).tx, higher.tx]
        assert (second.newest.fee_cap, second.newest.fee_tip) == (2**200, 7)
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == [second]
        assert (await orders.jobs.job(job.order.job_id)).settlement.transaction == higher.tx
        first = Inclusion(second, item.newest.tx, BLOCK, {job.order.job_id: None})
        assert await orders.settlements.included([first], now=10) == [job.order.job_id]
        assert (await orders.jobs.job(job.order.job_id)).settlement.transaction == item.newest.tx
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == []

    async def test_a_filler_has_a_number_and_no_job(self, orders: Orders) -> None:
        item = await orders.outbox.fill(transaction(3), now=2)
        assert (item.kind, item.nonce) == (OutboxKind.FILLER, 3)
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == [item]
        assert (await orders.settlements.payables(ASSET, [item]))[item.id] == ()
        await orders.settlements.included([Inclusion(item, item.newest.tx, BLOCK)], now=3)
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == []

    async def test_refused_change_leaves_nothing(self, orders: Orders) -> None:
        await brought_to(orders, JobState.QUEUED)
        with pytest.raises(Conflict):
            await send_settlement(orders, order().job_id, transaction(9), now=9)
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == []
        assert await orders.outbox.free_nonces(NETWORK, SENDER, least=0, count=2) == [1, 2]


class TestBatches:
    async def sent(self, orders: Orders, count: int, number: int = 0) -> OutboxItem:
        for n in range(count):
            await orders.jobs.reserve(order(n))
        ids = [order(n).job_id for n in range(count)]
        (item,) = await orders.settlements.send_settlements([(ids, transaction(number))], now=2)
        return item

    async def states(self, orders: Orders, count: int) -> list[JobState]:
        return [(await orders.jobs.job(order(n).job_id)).state for n in range(count)]

    async def test_many_jobs_in_one_transaction(self, orders: Orders) -> None:
        await orders.jobs.reserve(order(9))
        item = await self.sent(orders, 3)
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == [item]
        carried = (await orders.settlements.payables(ASSET, [item]))[item.id]
        assert [p.job_id for p in carried] == [order(n).job_id for n in range(3)]
        assert [p.payment for p in carried] == [order(n).payment for n in range(3)]
        assert {(p.state, p.step) for p in carried} == {(JobState.SETTLING, SettlementStep.SENT)}
        waiting = await orders.settlements.to_settle(ASSET, limit=9)
        assert [(p.job_id, p.step) for p in waiting] == [(order(9).job_id, None)]
        outcomes = {p.job_id: None for p in carried}
        inclusion = Inclusion(item, item.newest.tx, BLOCK, outcomes)
        assert sorted(await orders.settlements.included([inclusion], now=3)) == sorted(outcomes)
        assert await self.states(orders, 3) == [JobState.QUEUED] * 3
        settled = (await orders.jobs.job(order(1).job_id)).settlement
        assert (settled.state, settled.transaction, settled.block) == (
            SettlementState.SETTLED,
            item.newest.tx,
            BLOCK.number,
        )
        assert await orders.settlements.included([inclusion], now=4) == []  # told twice, done once
        assert await orders.outbox.watched(NETWORK) == [BLOCK]

    async def test_each_item_by_its_outcome(self, orders: Orders) -> None:
        item = await self.sent(orders, 4)
        outcomes = dict(zip((order(n).job_id for n in range(4)), STEPS, strict=True))
        queued = await orders.settlements.included(
            [Inclusion(item, item.newest.tx, BLOCK, outcomes)], now=3
        )
        assert queued == [order(0).job_id]
        assert await self.states(orders, 4) == [JobState.QUEUED] + [JobState.SETTLING] * 3
        assert [p.job_id for p in await orders.settlements.refused(ASSET, limit=9)] == [
            order(1).job_id
        ]
        waiting = await orders.settlements.to_settle(ASSET, limit=9)
        assert [(p.job_id, p.step) for p in waiting] == [
            (order(2).job_id, SettlementStep.AGAIN),
            (order(3).job_id, SettlementStep.ALONE),
        ]
        assert len(await orders.settlements.to_settle(ASSET, limit=1)) == 1
        await orders.settlements.send_settlements(
            [([order(2).job_id], transaction(5)), ([order(3).job_id], transaction(6))], now=4
        )
        assert await orders.settlements.to_settle(ASSET, limit=9) == []
        await orders.settlements.refuse(ids(4), now=6)  # none of them waits for a place
        assert [p.job_id for p in await orders.settlements.refused(ASSET, limit=9)] == [
            order(1).job_id
        ]
        assert await orders.settlements.doubt(order(1).job_id, now=7) == 7
        assert await orders.settlements.doubt(order(1).job_id, now=8) == 7
        (doubted,) = await orders.settlements.refused(ASSET, limit=9)
        assert doubted.doubted_at == 7

    async def test_refused_before_it_was_in_a_transaction(self, orders: Orders) -> None:
        for n in range(3):
            await orders.jobs.reserve(order(n))
        await orders.settlements.refuse([order(0).job_id, order(1).job_id], now=4)
        assert [p.job_id for p in await orders.settlements.to_settle(ASSET, limit=9)] == [
            order(2).job_id
        ]
        refused = await orders.settlements.refused(ASSET, limit=9)
        assert {(p.job_id, p.state) for p in refused} == {
            (order(n).job_id, JobState.RESERVED) for n in range(2)
        }
        job = await orders.settlements.settled(order(0).job_id, digest("theirs"), 9, now=5)
        assert (job.state, job.settlement.block) == (JobState.QUEUED, 9)
        assert (await orders.settlements.void(order(1).job_id, WHY, now=6)).state is JobState.VOID
        assert await orders.settlements.refused(ASSET, limit=9) == []

    async def test_settled_amounts(self, orders: Orders) -> None:
        payment = order(0).payment
        payer = (payment.asset.network.caip2, payment.asset.address, payment.payer)
        for n in range(3):
            await orders.jobs.reserve(order(n))
        assert await orders.ledger.settled_amounts(payer, limit=9) == []
        for n in range(2):
            await orders.settlements.settled(order(n).job_id, digest(f"tx {n}"), 9, now=5)
        assert await orders.ledger.settled_amounts(payer, limit=9) == [payment.amount] * 2
        assert await orders.ledger.settled_amounts(payer, limit=1) == [payment.amount]
        other = (payer[0], payer[1], Address(b"\x77" * 20))
        assert await orders.ledger.settled_amounts(other, limit=9) == []

    async def test_one_that_may_not_be_sent_holds_back_all(self, orders: Orders) -> None:
        await brought_to(orders, JobState.SETTLING, 1)
        await orders.jobs.reserve(order(2))
        before = await orders.outbox.open_outbox(NETWORK, SENDER)
        for bad in (order(1).job_id, order(7).job_id):
            with pytest.raises((Conflict, NotFound)):
                await orders.settlements.send_settlements(
                    [([order(2).job_id], transaction(8)), ([bad], transaction(9))], now=3
                )
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == before
        assert (await orders.jobs.job(order(2).job_id)).state is JobState.RESERVED

    async def test_dropped_payments_wait_for_another_place(self, orders: Orders) -> None:
        item = await self.sent(orders, 2)
        await orders.outbox.drop(item, now=3)
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == []
        waiting = await orders.settlements.to_settle(ASSET, limit=9)
        assert [p.step for p in waiting] == [SettlementStep.AGAIN] * 2
        (second,) = await orders.settlements.send_settlements(
            [([p.job_id for p in waiting], transaction(1))], now=4
        )
        late = Inclusion(item, item.newest.tx, BLOCK, dict.fromkeys(ids(2), STEPS[1]))
        await orders.settlements.included([late], now=5)  # what the first did no longer matters
        assert await orders.settlements.refused(ASSET, limit=9) == []
        done = Inclusion(second, second.newest.tx, BLOCK, dict.fromkeys(ids(2)))
        assert sorted(await orders.settlements.included([done], now=6)) == sorted(ids(2))

    async def test_uncertain_only_while_it_is_pending(self, orders: Orders) -> None:
        await self.sent(orders, 1)
        await brought_to(orders, JobState.QUEUED, 5)
        await orders.jobs.reserve(order(6))
        await orders.settlements.uncertain([order(n).job_id for n in (0, 5, 6)], now=4)
        found = [(await orders.jobs.job(order(n).job_id)).settlement.state for n in (0, 5, 6)]
        assert found == [
            SettlementState.UNCERTAIN,
            SettlementState.SETTLED,
            SettlementState.PENDING,
        ]


def ids(count: int) -> list[Digest]:
    return [order(n).job_id for n in range(count)]


class TestTakenBack:
    async def settled(self, orders: Orders, state: JobState, number: int = 0) -> Digest:
        """A job whose settlement is in BLOCK by a transaction of ours."""
        await orders.jobs.reserve(order(number))
        job_id = order(number).job_id
        item = await send_settlement(orders, job_id, transaction(number), now=2)
        await orders.settlements.included(
            [Inclusion(item, item.newest.tx, BLOCK, {job_id: None})], now=3
        )
        if state is not JobState.QUEUED:
            claimed = await orders.queue.claim(now=4, lease_until=34)
            assert claimed is not None
            if state is JobState.DONE:
                await orders.queue.finish(job_id, claimed.fence, ANSWER, now=5)
            elif state is not JobState.RUNNING:
                await orders.queue.give_up(job_id, claimed.fence, WHY, now=5)
        return job_id

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (JobState.QUEUED, JobState.SETTLING),
            (JobState.RUNNING, JobState.SETTLING),
            (JobState.DONE, JobState.DONE),
            (JobState.FAILED, JobState.FAILED),
        ],
    )
    async def test_a_settlement(self, orders: Orders, before: JobState, after: JobState) -> None:
        job_id = await self.settled(orders, before)
        was = await orders.jobs.job(job_id)
        other = Network.evm(1)
        assert await orders.settlements.take_back(other, first=0, now=8) == TakenBack((), ())
        assert await orders.settlements.take_back(
            NETWORK, first=BLOCK.number + 1, now=8
        ) == TakenBack((), ())
        assert await orders.jobs.job(job_id) == was
        taken = await orders.settlements.take_back(NETWORK, first=BLOCK.number, now=9)
        assert taken == TakenBack((job_id,), ())
        job = await orders.jobs.job(job_id)
        assert (job.state, job.settlement.state) == (after, SettlementState.UNCERTAIN)
        assert job.settlement.block is None
        assert await orders.outbox.watched(NETWORK) == []
        assert (
            await orders.settlements.due_refunds(ASSET, now=99, limit=9) == []
        )  # not before it is paid
        assert (
            await orders.settlements.to_settle(ASSET, limit=9) == []
        )  # the same bytes are sent again
        if before is JobState.RUNNING:
            with rejects(
                Reason.FENCE_STALE,
                f"claim 1 of job {job_id} is over; another claim was made since",
            ):
                await orders.queue.finish(job_id, was.fence, ANSWER, now=10)
        (item,) = await orders.outbox.open_outbox(NETWORK, SENDER)
        assert item.newest.sent_at is None
        later = BlockRef(BLOCK.number + 3, digest("later"))
        again = Inclusion(item, item.newest.tx, later, {job_id: None})
        assert await orders.settlements.included([again], now=11) == [job_id]
        job = await orders.jobs.job(job_id)
        expected = JobState.QUEUED if after is JobState.SETTLING else before
        assert (job.state, job.settlement.block) == (expected, later.number)
        assert await orders.outbox.watched(NETWORK) == [later]

    async def test_a_strangers_settlement_waits_for_a_place(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.SETTLING)
        (item,) = await orders.outbox.open_outbox(NETWORK, SENDER)
        refused = {job.order.job_id: SettlementStep.REFUSED}
        first = BlockRef(BLOCK.number - 1, digest("before"))
        await orders.settlements.included([Inclusion(item, item.newest.tx, first, refused)], now=3)
        theirs = digest("theirs")
        await orders.settlements.settled(
            job.order.job_id, theirs, BLOCK.number, now=4, block_hash=BLOCK.digest
        )
        assert await orders.outbox.watched(NETWORK) == [BLOCK, first]
        await orders.settlements.take_back(NETWORK, first=BLOCK.number, now=5)
        assert await orders.outbox.open_outbox(NETWORK, SENDER) == []
        (waiting,) = await orders.settlements.to_settle(ASSET, limit=9)
        assert (waiting.step, waiting.state) == (SettlementStep.AGAIN, JobState.SETTLING)
        assert await orders.outbox.watched(NETWORK) == [first]
        await orders.outbox.unwatch(NETWORK, below=BLOCK.number)
        assert await orders.outbox.watched(NETWORK) == []

    async def test_a_refund(self, orders: Orders) -> None:
        job_id = await self.settled(orders, JobState.FAILED)
        await orders.settlements.send_refund(job_id, transaction(7), now=6)
        at = BlockRef(BLOCK.number + 1, digest("refund"))
        await orders.settlements.refunded(
            job_id, transaction(7).tx, at.number, now=7, block_hash=at.digest
        )
        taken = await orders.settlements.take_back(NETWORK, first=at.number, now=8)
        assert taken == TakenBack((), (job_id,))
        job = await orders.jobs.job(job_id)
        assert job.state is JobState.REFUNDING
        assert job.refund is not None
        assert job.refund.state is RefundState.PENDING
        assert job.settlement.state is SettlementState.SETTLED
        assert await orders.ledger.owed() == Owed(1, 0)
        await orders.settlements.refunded(job_id, transaction(7).tx, 60, now=9)
        assert await orders.ledger.owed() == Owed(0, 0)

    @pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED])
    async def test_a_settlement_that_never_comes_back(
        self, orders: Orders, state: JobState
    ) -> None:
        job_id = await self.settled(orders, state)
        await orders.settlements.take_back(NETWORK, first=0, now=8)
        job = await orders.settlements.lost(job_id, WHY, now=9)
        assert job.state is (JobState.VOID if state is JobState.FAILED else state)
        assert job.settlement.state is SettlementState.FAILED
        assert job.refund is None
        assert await orders.ledger.owed() == Owed(0, 0)

    async def test_only_a_job_that_was_paid_is_lost(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.SETTLING)
        with rejects(Reason.JOB_TRANSITION_ILLEGAL, "a job that is settling does not allow unowed"):
            await orders.settlements.lost(job.order.job_id, WHY, now=9)


class TestRefunds:
    async def test_a_refund_that_failed_waits_and_is_never_forgotten(self, orders: Orders) -> None:
        job_id = (await brought_to(orders, JobState.REFUNDING)).order.job_id
        assert await orders.ledger.owed() == Owed(1, 0)
        job = await orders.settlements.refund_lost(job_id, now=10, retry_at=70)
        assert job.refund is not None
        assert (job.refund.attempts, job.refund.retry_at) == (1, 70)
        assert await orders.settlements.due_refunds(ASSET, now=69, limit=9) == []
        assert await orders.ledger.owed() == Owed(1, 1)
        (due,) = await orders.settlements.due_refunds(ASSET, now=70, limit=9)
        assert (due.job_id, due.payment) == (job_id, order().payment)
        await orders.settlements.send_refund(job_id, transaction(8), now=71)
        await orders.settlements.refunded(job_id, transaction(8).tx, 50, now=72)
        assert await orders.ledger.owed() == Owed(0, 0)

    async def test_a_refund_that_was_found_may_be_taken_back_and_is_due_then(
        self, orders: Orders
    ) -> None:
        job_id = (await brought_to(orders, JobState.FAILED)).order.job_id
        tx, at = digest("elsewhere"), BlockRef(70, digest("block 70"))
        job = await orders.settlements.refunded(
            job_id, tx, at.number, now=9, block_hash=at.digest, found=True
        )
        assert (job.state, job.refund and job.refund.transaction) == (JobState.REFUNDED, tx)
        assert await orders.ledger.owed() == Owed(0, 0)
        taken = await orders.settlements.take_back(NETWORK, first=at.number, now=10)
        assert taken.refunds == (job_id,)
        assert (await orders.jobs.job(job_id)).state is JobState.FAILED
        (due,) = await orders.settlements.due_refunds(ASSET, now=11, limit=9)
        assert due.job_id == job_id

    async def test_only_a_refund_that_is_owed_is_found(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.REFUNDING)
        message = "a job that is refunding does not allow refund_found"
        with rejects(Reason.JOB_TRANSITION_ILLEGAL, message, kind=Conflict):
            await orders.settlements.refunded(job.order.job_id, digest("t"), 70, now=9, found=True)


class TestWork:
    async def test_each_job_is_claimed_once(self, orders: Orders) -> None:
        for number in range(3):
            await brought_to(orders, JobState.QUEUED, number)
        claims = await asyncio.gather(
            *(orders.queue.claim(now=9, lease_until=39) for _ in range(5))
        )
        jobs = [job for job in claims if job is not None]
        assert sorted(job.order.job_id for job in jobs) == sorted(order(n).job_id for n in range(3))
        assert all((job.fence, job.attempts, job.lease_until) == (1, 1, 39) for job in jobs)

    async def test_leases(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.RUNNING)
        assert await orders.queue.expired_leases(now=34) == []
        assert [j.order.job_id for j in await orders.queue.expired_leases(now=35)] == [
            order().job_id
        ]
        await orders.queue.heartbeat(job.order.job_id, job.fence, lease_until=64)
        assert await orders.queue.expired_leases(now=35) == []
        message = f"claim 9 of job {job.order.job_id} is over; another claim was made since"
        with rejects(Reason.FENCE_STALE, message, kind=Conflict):
            await orders.queue.heartbeat(job.order.job_id, 9, lease_until=99)

    async def test_a_stale_fence_publishes_nothing(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.RUNNING)
        await orders.queue.release(job.order.job_id, job.fence, now=9)
        second = await orders.queue.claim(now=10, lease_until=40)
        assert second is not None
        for stale in (
            orders.queue.finish(job.order.job_id, job.fence, ANSWER, now=11),
            orders.queue.give_up(job.order.job_id, job.fence, WHY, now=11),
            orders.queue.release(job.order.job_id, job.fence, now=11),
        ):
            with pytest.raises(InferproofError) as caught:
                await stale
            assert caught.value.reason is Reason.FENCE_STALE
        assert await orders.jobs.job(job.order.job_id) == second

    async def test_a_release_that_does_not_count_costs_no_attempt(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.RUNNING)
        freed = await orders.queue.release(job.order.job_id, job.fence, now=9, counts=False)
        assert (freed.state, freed.attempts, freed.fence) == (JobState.QUEUED, 0, 1)
        again = await orders.queue.claim(now=10, lease_until=40)
        assert again is not None
        assert (again.attempts, again.fence) == (1, 2)

    async def test_runnable(self, orders: Orders) -> None:
        assert not await orders.queue.runnable(now=9)
        await brought_to(orders, JobState.QUEUED)
        assert await orders.queue.runnable(now=9)
        assert await orders.queue.claim(now=9, lease_until=39) is not None
        assert not await orders.queue.runnable(now=9)

    async def test_overdue(self, orders: Orders) -> None:
        await brought_to(orders, JobState.QUEUED)
        assert await orders.queue.overdue(now=5000) == []
        assert [j.order.job_id for j in await orders.queue.overdue(now=5001)] == [order().job_id]


class TestHistory:
    async def test_each_step_is_written_with_its_time(self, orders: Orders) -> None:
        await brought_to(orders, JobState.REFUNDED)
        events = await orders.jobs.events(order().job_id)
        assert path(events) == [
            ("reserve", JobState.RESERVED),
            ("send_settlement", JobState.SETTLING),
            ("settled", JobState.QUEUED),
            ("claim", JobState.RUNNING),
            ("give_up", JobState.FAILED),
            ("send_refund", JobState.REFUNDING),
            ("refunded", JobState.REFUNDED),
        ]
        assert [event.at for event in events] == [1000, 2, 3, 4, 5, 6, 7]
        assert await orders.jobs.events(digest("x")) == []

    async def test_many_at_once_have_one_history_each(self, orders: Orders) -> None:
        batch = [order(n) for n in range(40)] + [order(n) for n in range(10)]
        await asyncio.gather(*map(orders.jobs.reserve, batch))
        asked = [order(n).job_id for n in range(40)]
        await asyncio.gather(
            *(send_settlement(orders, job, transaction(n), now=2) for n, job in enumerate(asked))
        )
        for history in await asyncio.gather(*map(orders.jobs.events, asked)):
            assert [event.transition for event in history] == ["reserve", "send_settlement"]

    async def test_the_progress_of_many_jobs_is_told_at_once(self, orders: Orders) -> None:
        asked = [order(n).job_id for n in range(300)]
        assert await orders.jobs.progress([]) == {}
        assert await orders.jobs.progress(asked) == {}
        await asyncio.gather(*(orders.jobs.reserve(order(n)) for n in range(299)))
        await send_settlement(orders, asked[7], transaction(7), now=2)
        expected = dict.fromkeys(asked[:299], Progress(1, JobState.RESERVED))
        expected[asked[7]] = Progress(2, JobState.SETTLING)
        assert await orders.jobs.progress(asked) == expected

    async def test_of_two_that_race_one_is_written(self, orders: Orders) -> None:
        job_id = (await brought_to(orders, JobState.SETTLING)).order.job_id
        results = await asyncio.gather(
            *(orders.settlements.settled(job_id, digest("settled"), 42, now=3) for _ in range(5)),
            return_exceptions=True,
        )
        assert sum(isinstance(result, Conflict) for result in results) == 4
        assert len(path(await orders.jobs.events(job_id))) == 3


class TestWebhooks:
    async def told(self, stores: Stores) -> list[tuple[int, JobState]]:
        due = await stores.deliveries.due(now=10**6, limit=99)
        return [(delivery.seq, delivery.job_state) for delivery in due]

    async def brought(self, stores: Stores, state: JobState) -> None:
        """A job with a webhook in the state, by the way of `brought_to`."""
        await stores.orders.jobs.reserve(order(webhook=URL))
        await brought_to(stores.orders, state)

    async def test_ends_are_told_in_the_transaction_that_makes_them(self, stores: Stores) -> None:
        await self.brought(stores, JobState.RUNNING)
        assert await self.told(stores) == []
        job = await stores.orders.jobs.job(order().job_id)
        assert job.order.webhook == URL
        await stores.orders.queue.give_up(job.order.job_id, job.fence, WHY, now=5)
        await stores.orders.settlements.send_refund(job.order.job_id, transaction(100), now=6)
        await stores.orders.settlements.refunded(job.order.job_id, digest("refund"), 43, now=7)
        assert await self.told(stores) == [(5, JobState.FAILED), (7, JobState.REFUNDED)]
        first = (await stores.deliveries.due(now=10**6, limit=1))[0]
        assert (first.url, first.attempts, first.at, first.next_at) == (URL, 0, 5, 5)

    async def test_what_is_refused_tells_nothing(self, stores: Stores) -> None:
        await self.brought(stores, JobState.RUNNING)
        with pytest.raises(Conflict):
            await stores.orders.queue.finish(order().job_id, 99, ANSWER, now=5)
        assert await self.told(stores) == []

    @pytest.mark.parametrize(
        ("state", "told"),
        [
            (JobState.DONE, [(5, JobState.DONE)]),
            (JobState.VOID, [(2, JobState.VOID)]),
            (JobState.WITHDRAWN, []),
        ],
    )
    async def test_other_ends(
        self, stores: Stores, state: JobState, told: list[tuple[int, JobState]]
    ) -> None:
        await self.brought(stores, state)
        assert await self.told(stores) == told

    async def test_a_job_without_one_tells_nobody(self, stores: Stores) -> None:
        await brought_to(stores.orders, JobState.DONE)
        assert await self.told(stores) == []

    async def test_a_repeated_request_cannot_turn_it(self, stores: Stores) -> None:
        first = await stores.orders.jobs.reserve(order(webhook=URL))
        assert (await stores.orders.jobs.reserve(order())).job == first.job
        assert (await stores.orders.jobs.reserve(order(webhook=URL))).job == first.job
        message = (
            "this payment's job was ordered with another webhook, or with none; "
            "a repeated request cannot change it"
        )
        with rejects(Reason.WEBHOOK_OTHER, message, kind=Conflict):
            await stores.orders.jobs.reserve(order(webhook=URL + "2"))
        await stores.orders.jobs.reserve(order(1))
        with rejects(Reason.WEBHOOK_OTHER, message, kind=Conflict):
            await stores.orders.jobs.reserve(order(1, webhook=URL))

    async def test_attempts_are_counted_until_it_is_dead_and_again_when_told(
        self, stores: Stores
    ) -> None:
        await self.brought(stores, JobState.DONE)
        book = stores.deliveries
        (one,) = await book.due(now=5, limit=9)
        await book.failed(one.number, "no", now=6, next_at=16)
        assert await book.due(now=15, limit=9) == []
        (again,) = await book.due(now=16, limit=9)
        assert (again.attempts, again.tried_at, again.problem) == (1, 6, "no")
        with rejects(
            Reason.DELIVERY_NOT_DEAD,
            f"webhook delivery {one.number} is pending; only a dead one is tried again",
            kind=Conflict,
        ):
            await book.retry(one.number, now=16)
        await book.failed(one.number, "never", now=17, next_at=None)
        assert await book.due(now=10**6, limit=9) == []
        (dead,) = await book.in_state(DeliveryState.DEAD, limit=9)
        assert (dead.attempts, dead.problem) == (2, "never")
        revived = await book.retry(one.number, now=20)
        assert (revived.attempts, revived.state) == (0, DeliveryState.PENDING)
        (due,) = await book.due(now=20, limit=9)
        await book.delivered(due.number, now=21)
        await book.failed(due.number, "late", now=22, next_at=None)  # noted once
        assert len(await book.in_state(DeliveryState.DELIVERED, limit=9)) == 1
        with rejects(Reason.DELIVERY_UNKNOWN, "there is no webhook delivery 999", kind=NotFound):
            await book.retry(999, now=23)


class TestCancelling:
    async def test_before_the_money_came(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.WITHDRAWN)
        assert (job.failure, job.refund, job.fence) == (WHY, None, 1)
        assert (await orders.ledger.backlog()).waiting == 0
        paid = await orders.settlements.settled(job.order.job_id, digest("settled"), 42, now=9)
        assert (paid.state, paid.failure) == (JobState.FAILED, WHY)
        assert paid.refund is not None
        assert paid.refund.state is RefundState.DUE
        assert (paid.settlement.state, paid.settlement.block) == (SettlementState.SETTLED, 42)

    async def test_while_its_settlement_is_under_way(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.SETTLING)
        await orders.jobs.cancel(job.order.job_id, WHY, running=False, now=9)
        (item,) = await orders.outbox.open_outbox(NETWORK, SENDER)
        paid = Inclusion(item, item.newest.tx, BLOCK, {job.order.job_id: None})
        assert await orders.settlements.included([paid], now=9) == [job.order.job_id]
        failed = await orders.jobs.job(job.order.job_id)
        assert failed.state is JobState.FAILED
        assert [p.job_id for p in await orders.settlements.due_refunds(ASSET, now=9, limit=9)] == [
            job.order.job_id
        ]

    async def test_what_was_withdrawn_is_not_sent_again(self, orders: Orders) -> None:
        """But watched, since whoever has seen the authorization may still settle it."""
        for number, state in ((0, JobState.RESERVED), (1, JobState.SETTLING)):
            job_id = (await brought_to(orders, state, number)).order.job_id
            await orders.jobs.cancel(job_id, WHY, running=False, now=9)
        assert [p.job_id for p in await orders.settlements.refused(ASSET, limit=9)] == [
            order(0).job_id
        ]
        (item,) = await orders.outbox.open_outbox(NETWORK, SENDER)
        await orders.outbox.drop(item, now=10)
        assert [p.job_id for p in await orders.settlements.refused(ASSET, limit=9)] == ids(2)
        assert await orders.settlements.to_settle(ASSET, limit=9) == []

    async def test_a_paid_job_is_refunded(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.QUEUED)
        failed = await orders.jobs.cancel(job.order.job_id, WHY, running=False, now=9)
        assert (failed.state, failed.failure) == (JobState.FAILED, WHY)
        assert failed.refund is not None
        assert failed.refund.state is RefundState.DUE
        assert await orders.queue.claim(now=9, lease_until=39) is None

    async def test_a_running_job_only_where_that_is_allowed(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.RUNNING)
        job_id = job.order.job_id
        with rejects(
            Reason.CANCEL_RUNNING,
            f"job {job_id} is being computed; this gateway cancels only jobs that wait",
            kind=Conflict,
        ):
            await orders.jobs.cancel(job_id, WHY, running=False, now=9)
        assert await orders.jobs.job(job_id) == job
        assert len(path(await orders.jobs.events(job_id))) == 4
        failed = await orders.jobs.cancel(job_id, WHY, running=True, now=9)
        assert (failed.state, failed.fence, failed.lease_until) == (JobState.FAILED, 2, None)
        with pytest.raises(Conflict) as caught:
            await orders.queue.finish(job_id, job.fence, ANSWER, now=10)
        assert caught.value.reason is Reason.FENCE_STALE
        with pytest.raises(Conflict):
            await orders.queue.heartbeat(job_id, job.fence, lease_until=64)
        assert await orders.jobs.job(job_id) == failed

    @pytest.mark.parametrize("rival", ["finish", "claim", "settled", "void"])
    async def test_against_a_rival_one_of_them_happens(self, orders: Orders, rival: str) -> None:
        start = {"finish": JobState.RUNNING, "claim": JobState.QUEUED}
        for number in range(6):
            job = await brought_to(orders, start.get(rival, JobState.SETTLING), number)
            job_id = job.order.job_id
            rivals = {
                "finish": lambda job_id=job_id, job=job: orders.queue.finish(
                    job_id, job.fence, ANSWER, now=9
                ),
                "claim": lambda: orders.queue.claim(now=9, lease_until=39),
                "settled": lambda job_id=job_id: orders.settlements.settled(
                    job_id, digest("settled"), 42, now=9
                ),
                "void": lambda job_id=job_id: orders.settlements.void(job_id, WHY, now=9),
            }
            both = [rivals[rival](), orders.jobs.cancel(job_id, WHY, running=True, now=9)]
            both = both if number % 2 else both[::-1]
            await asyncio.gather(*both, return_exceptions=True)
            steps = path(await orders.jobs.events(job_id))
            state = (await orders.jobs.job(job_id)).state
            assert steps[-1][1] is state
            assert state in (
                (JobState.DONE, JobState.FAILED)
                if rival == "finish"
                else (JobState.VOID,)
                if rival == "void"
                else (JobState.FAILED,)
            )
            if state is JobState.FAILED:
                refund = (await orders.jobs.job(job_id)).refund
                assert refund is not None
                assert refund.state is RefundState.DUE


def of(payer: str, number: int, **changes: Any) -> ValidatedOrder:
    """An order of the payer with this name."""
    payment = replace(order(number).payment, payer=Address(keccak256(payer.encode())[:20]))
    return order(number, payment=payment, **changes)


class TestRoom:
    async def test_one_payer_gets_its_share(self, orders: Orders) -> None:
        quota = QueueLimits(total=10, each=2)
        await orders.jobs.reserve(of("a", 0), quota=quota)
        await orders.jobs.reserve(of("a", 1), quota=quota)
        with rejects(
            Reason.QUEUE_SHARE_FULL,
            "2 jobs of this payer are waiting, the limit is 2; nothing was charged, come back when "
            "some of them are done",
            kind=TooMany,
        ):
            await orders.jobs.reserve(of("a", 2), quota=quota)
        assert await orders.jobs.find_payment(of("a", 2).payment) is None
        assert (await orders.jobs.reserve(of("b", 3), quota=quota)).outcome is Outcome.NEW

    async def test_one_api_key_gets_its_share_whoever_pays(self, orders: Orders) -> None:
        quota = QueueLimits(total=10, each=2)
        await orders.jobs.reserve(of("a", 0, api_key="k"), quota=quota)
        kept = await orders.jobs.reserve(of("b", 1, api_key="k"), quota=quota)
        assert (await orders.jobs.job(kept.job.order.job_id)).order.api_key == "k"
        with rejects(
            Reason.QUEUE_SHARE_FULL,
            "2 jobs of this API key are waiting, the limit is 2; nothing was charged, come back "
            "when some of them are done",
            kind=TooMany,
        ):
            await orders.jobs.reserve(of("c", 2, api_key="k"), quota=quota)
        assert (await orders.jobs.reserve(of("c", 2), quota=quota)).outcome is Outcome.NEW

    async def test_the_whole_is_bounded(self, orders: Orders) -> None:
        quota = QueueLimits(total=2, each=2)
        await orders.jobs.reserve(of("a", 0), quota=quota)
        await orders.jobs.reserve(of("b", 1), quota=quota)
        with rejects(
            Reason.QUEUE_FULL,
            "2 jobs are waiting, the limit is 2; nothing was charged, come back",
            kind=Unavailable,
        ):
            await orders.jobs.reserve(of("c", 2), quota=quota)

    async def test_a_payment_that_has_its_job_needs_no_room(self, orders: Orders) -> None:
        full = QueueLimits(total=1, each=1)
        first = await orders.jobs.reserve(order(0), quota=full)
        again = await asyncio.gather(*(orders.jobs.reserve(order(0), quota=full) for _ in range(5)))
        assert [r.outcome for r in again] == [Outcome.SAME] * 5
        assert {r.job.order.job_id for r in again} == {first.job.order.job_id}

    @pytest.mark.parametrize("state", [JobState.DONE, JobState.VOID, JobState.FAILED])
    async def test_room_comes_back(self, orders: Orders, state: JobState) -> None:
        quota = QueueLimits(total=1, each=1)
        await brought_to(orders, state, 0)
        assert (await orders.jobs.reserve(order(1), quota=quota)).outcome is Outcome.NEW
        with rejects(
            Reason.QUEUE_FULL, "1 jobs are waiting, the limit is 1; nothing was charged, come back"
        ):
            await orders.jobs.reserve(order(2), quota=quota)

    async def test_many_at_once_pass_no_limit(self, orders: Orders) -> None:
        quota = QueueLimits(total=12, each=5)
        asked = [of(payer, n) for n, payer in enumerate("abcd" * 20)]
        results = await asyncio.gather(
            *(orders.jobs.reserve(one, quota=quota) for one in asked), return_exceptions=True
        )
        taken = [r.job.order.payment.payer for r in results if isinstance(r, Reservation)]
        assert len(taken) == 12
        assert max(taken.count(payer) for payer in taken) <= 5
        assert (await orders.ledger.backlog()).waiting == 12
        assert {type(r) for r in results if not isinstance(r, Reservation)} <= {
            TooMany,
            Unavailable,
        }

    async def test_the_same_one_many_times_takes_one_place(self, orders: Orders) -> None:
        quota = QueueLimits(total=3, each=3)
        for _ in range(4):
            await asyncio.gather(
                *(orders.jobs.reserve(order(n), quota=quota) for n in (0, 1, 0, 1))
            )
        assert (await orders.jobs.reserve(order(2), quota=quota)).outcome is Outcome.NEW
        assert (await orders.ledger.backlog()).waiting == 3


class TestTurns:
    async def queued(self, orders: Orders, payer: str, number: int) -> None:
        job_id = (await orders.jobs.reserve(of(payer, number))).job.order.job_id
        await send_settlement(orders, job_id, transaction(number), now=2)
        await orders.settlements.settled(job_id, digest(f"settled {number}"), 42, now=3)

    async def claimed(self, orders: Orders, count: int) -> list[int]:
        """The numbers of the next jobs."""
        jobs = [await orders.queue.claim(now=4, lease_until=34) for _ in range(count)]
        numbers = {order(n).job_id: n for n in range(40)}
        return [numbers[job.order.job_id] for job in jobs if job is not None]

    @pytest.fixture(autouse=True)
    def always_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("inferproof.storage.sql.queue_quota.COUNTED_S", -1.0)
        monkeypatch.setattr("inferproof.storage.sql.queue_quota.SHARE", 0)

    async def test_payers_take_turns(self, orders: Orders) -> None:
        for number in range(6):
            await self.queued(orders, "eager", number)
        for number in (6, 7):
            await self.queued(orders, "other", number)
        assert await self.claimed(orders, 9) == [0, 1, 6, 2, 7, 3, 4, 5]

    async def test_one_payers_jobs_keep_their_order(self, orders: Orders) -> None:
        for number in range(5):
            await self.queued(orders, "one", number)
        assert await self.claimed(orders, 5) == [0, 1, 2, 3, 4]

    async def test_who_waits_is_not_passed_for_ever(self, orders: Orders) -> None:
        for number in range(3):
            await self.queued(orders, "patient", number)
        served = []
        for number in range(10, 16):  # a new payer each time, who would be first if age were all
            await self.queued(orders, f"payer {number}", number)
            served += await self.claimed(orders, 1)
        assert served[:4] == [0, 1, 10, 2]

    async def test_settling_follows_the_same_order(self, orders: Orders) -> None:
        asked = [of("eager", n) for n in range(3)] + [of("other", 9)]
        await asyncio.gather(*map(orders.jobs.reserve, asked))
        first = await orders.jobs.in_state(JobState.RESERVED, limit=2)
        assert {job.order.job_id for job in first} == {order(0).job_id, order(9).job_id}
        settled = [payable.job_id for payable in await orders.settlements.to_settle(ASSET, limit=9)]
        assert settled[:2] in (
            [order(0).job_id, order(9).job_id],
            [order(9).job_id, order(0).job_id],
        )
        assert settled[2:] == [order(1).job_id, order(2).job_id]


PROOF = KeptProof(digest("proof blob"), (StageTime("prove", 12_345), StageTime("store", 7)))


class TestCheckpoints:
    async def test_what_is_kept_is_there_for_the_next_claim(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.RUNNING)
        job_id = job.order.job_id
        assert await orders.queue.kept(job_id) == Kept()
        await orders.queue.checkpoint(job_id, job.fence, PROOF, now=5)
        assert await orders.queue.kept(job_id) == Kept(PROOF)
        await orders.queue.release(job_id, job.fence, now=6)
        second = await orders.queue.claim(now=7, lease_until=37)
        assert second is not None
        newer = replace(PROOF, blob=digest("another"))
        await orders.queue.checkpoint(job_id, second.fence, newer, now=8)
        await orders.queue.checkpoint(job_id, second.fence, ANSWER, now=9)
        assert await orders.queue.kept(job_id) == Kept(newer, ANSWER)
        assert await orders.queue.kept(digest("unknown")) == Kept()

    async def test_a_stale_fence_keeps_nothing(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.RUNNING)
        job_id = job.order.job_id
        message = f"claim {job.fence} of job {job_id} is over; another claim was made since"
        await orders.queue.release(job_id, job.fence, now=6)
        with rejects(Reason.FENCE_STALE, message, kind=Conflict):
            await orders.queue.checkpoint(job_id, job.fence, PROOF, now=7)
        second = await orders.queue.claim(now=8, lease_until=38)
        assert second is not None
        for done in (PROOF, ANSWER):
            with rejects(Reason.FENCE_STALE, message, kind=Conflict):
                await orders.queue.checkpoint(job_id, job.fence, done, now=9)
        assert await orders.queue.kept(job_id) == Kept()
        with rejects(
            Reason.FENCE_STALE,
            f"claim 1 of job {digest('x')} is over; another claim was made since",
            kind=Conflict,
        ):
            await orders.queue.checkpoint(digest("x"), 1, PROOF, now=9)

    @pytest.mark.parametrize("end", ["finish", "give_up", "cancel"])
    async def test_nothing_is_kept_of_a_job_that_ended(self, orders: Orders, end: str) -> None:
        job = await brought_to(orders, JobState.RUNNING)
        job_id, fence = job.order.job_id, job.fence
        await orders.queue.checkpoint(job_id, fence, PROOF, now=5)
        await orders.queue.checkpoint(job_id, fence, ANSWER, now=5)
        if end == "finish":
            await orders.queue.finish(job_id, fence, ANSWER, now=6)
        elif end == "give_up":
            await orders.queue.give_up(job_id, fence, WHY, now=6)
        else:
            await orders.jobs.cancel(job_id, WHY, running=True, now=6)
        assert await orders.queue.kept(job_id) == Kept()
        with pytest.raises(Conflict):
            await orders.queue.checkpoint(job_id, fence, PROOF, now=7)

    async def test_two_jobs_keep_apart(self, orders: Orders) -> None:
        one = await brought_to(orders, JobState.RUNNING, 1)
        two = await brought_to(orders, JobState.RUNNING, 2)
        await orders.queue.checkpoint(one.order.job_id, one.fence, PROOF, now=5)
        assert await orders.queue.kept(two.order.job_id) == Kept()


class TestEarlyStart:
    @pytest.mark.parametrize("state", [JobState.RESERVED, JobState.SETTLING])
    async def test_an_unsettled_job_is_computed_and_not_moved(
        self, orders: Orders, state: JobState
    ) -> None:
        await brought_to(orders, state)
        assert await orders.queue.startable()
        early = await orders.queue.claim_early(lease_until=39)
        assert early is not None
        assert (early.state, early.fence, early.attempts, early.lease_until) == (state, 1, 0, 39)
        job_id = early.order.job_id
        await orders.queue.heartbeat(job_id, 1, lease_until=49)
        await orders.queue.checkpoint(job_id, 1, PROOF, now=9)
        for illegal in (
            orders.queue.finish(job_id, 1, ANSWER, now=9),
            orders.queue.give_up(job_id, 1, WHY, now=9),
            orders.queue.release(job_id, 1, now=9),
        ):
            with pytest.raises(Conflict):
                await illegal
        found = await orders.jobs.job(job_id)
        assert (found.state, found.answer, found.lease_until) == (state, None, 49)
        assert await orders.jobs.job_of_proof(ANSWER.proof_digest) is None

    async def test_a_job_is_started_early_once(self, orders: Orders) -> None:
        await brought_to(orders, JobState.RESERVED)
        claims = await asyncio.gather(*(orders.queue.claim_early(lease_until=39) for _ in range(3)))
        assert sum(job is not None for job in claims) == 1
        await orders.queue.leave_early(order().job_id, 1)
        assert not await orders.queue.startable()
        assert await orders.queue.claim_early(lease_until=39) is None

    async def test_its_proof_waits_for_the_claim_after_the_settlement(self, orders: Orders) -> None:
        job_id = (await brought_to(orders, JobState.SETTLING)).order.job_id
        assert await orders.queue.claim_early(lease_until=39) is not None
        await orders.queue.checkpoint(job_id, 1, PROOF, now=9)
        await orders.settlements.settled(job_id, digest("settled"), 42, now=10)
        assert not await orders.queue.runnable(now=39)
        assert await orders.queue.claim(now=39, lease_until=69) is None
        await orders.queue.leave_early(job_id, 1)
        assert await orders.queue.runnable(now=39)
        claimed = await orders.queue.claim(now=39, lease_until=69)
        assert claimed is not None
        assert (claimed.fence, claimed.attempts) == (2, 1)
        assert await orders.queue.kept(job_id) == Kept(PROOF)

    async def test_a_lost_early_worker_holds_nothing_up(self, orders: Orders) -> None:
        job_id = (await brought_to(orders, JobState.SETTLING)).order.job_id
        assert await orders.queue.claim_early(lease_until=39) is not None
        await orders.settlements.settled(job_id, digest("settled"), 42, now=10)
        claimed = await orders.queue.claim(now=40, lease_until=70)
        assert claimed is not None
        message = f"claim 1 of job {job_id} is over; another claim was made since"
        for stale in (
            orders.queue.checkpoint(job_id, 1, PROOF, now=41),
            orders.queue.heartbeat(job_id, 1, lease_until=99),
            orders.queue.leave_early(job_id, 1),
        ):
            with rejects(Reason.FENCE_STALE, message, kind=Conflict):
                await stale
        assert await orders.jobs.job(job_id) == claimed

    async def test_a_running_job_is_not_left_early(self, orders: Orders) -> None:
        job = await brought_to(orders, JobState.RUNNING)
        with pytest.raises(Conflict):
            await orders.queue.leave_early(job.order.job_id, job.fence)
        assert await orders.jobs.job(job.order.job_id) == job

    @pytest.mark.parametrize("end", ["void", "cancel"])
    async def test_nothing_is_left_of_a_job_that_was_never_paid(
        self, orders: Orders, end: str
    ) -> None:
        job_id = (await brought_to(orders, JobState.RESERVED)).order.job_id
        assert await orders.queue.claim_early(lease_until=39) is not None
        await orders.queue.checkpoint(job_id, 1, PROOF, now=9)
        if end == "void":
            await orders.settlements.void(job_id, WHY, now=10)
        else:
            await orders.jobs.cancel(job_id, WHY, running=False, now=10)
        assert await orders.queue.kept(job_id) == Kept()
        assert (await orders.jobs.job(job_id)).lease_until is None
        with pytest.raises(Conflict):
            await orders.queue.checkpoint(job_id, 1, PROOF, now=11)

    async def test_settled_jobs_are_not_for_an_early_start(self, orders: Orders) -> None:
        for number, state in enumerate(JobState):
            if state not in (JobState.RESERVED, JobState.SETTLING, JobState.QUEUED):
                await brought_to(orders, state, number)
        await brought_to(orders, JobState.QUEUED, 99)
        assert await orders.queue.claim_early(lease_until=39) is None
