"""Calls that were bought before: taken before work begins, given back where none was done."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator

import pytest
from pass_parts import RIGHT, Counter
from service_parts import TREASURY, Services, World, running

from inferproof.errors import InputRejected, PaymentRejected, Reason, TooMany, Unavailable
from inferproof.protocol.receipt import decode_receipt_file
from inferproof.services.orders.base import CancelPolicy, ExposureTerms, JobView
from inferproof.services.reconciliation.service import Reconciler, ReconcilerSettings
from inferproof.storage.sql.engine import sqlite_url
from inferproof.testing.cash import CashBooks
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import PAYER
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.payment import SettlementState

BAD_INPUT = InputRejected(Reason.INPUT_NOT_FINITE, name="x")


@pytest.fixture
def counter(world: World) -> Counter:
    return Counter(world)


@pytest.fixture
async def services(world: World, counter: Counter) -> AsyncIterator[Services]:
    async with running(world) as services:
        yield services


async def state(services: Services, job: Digest) -> JobState:
    return (await services.gateway.job(job)).state


def raise_failure(view: JobView) -> None:
    """Raises what the job keeps of why it is void."""
    assert view.failure is not None
    error = PaymentRejected(Reason[view.failure.code], **view.failure.facts)
    assert error.message == view.failure.message
    raise error


async def test_a_call_is_taken_before_work_begins(counter: Counter, services: Services) -> None:
    counter.sell(calls=2)
    job = await counter.call(services)
    assert job.state is JobState.RESERVED
    assert await services.worker.work_once() is None, "none is proven ahead of its call"
    assert counter.world.system.runs == 0
    await services.settler.settle_once()
    assert (await state(services, job.id), counter.used()) == (JobState.QUEUED, 1)
    await services.worker.work_once()
    done = await services.gateway.job(job.id)
    assert done.state is JobState.DONE
    receipt = decode_receipt_file(
        await services.gateway.receipt(job.id), services.gateway.methods
    ).receipt
    assert receipt.payment.amount == 0
    assert receipt.settlement.transaction in counter.world.ledger.included
    assert f"a call of the right {RIGHT} was taken at " in next(
        claim.reason for claim in receipt.claims if claim.name == "payment-settled"
    )
    assert TREASURY not in counter.world.ledger.balances


async def test_each_call_is_taken_by_a_transaction_of_its_own(
    counter: Counter, services: Services
) -> None:
    counter.sell()
    jobs = [await counter.call(services, salt) for salt in range(1, 5)]
    await services.settler.settle_once()
    assert counter.used() == len(jobs)
    assert {await state(services, job.id) for job in jobs} == {JobState.QUEUED}
    assert len(counter.world.ledger.included) == len(jobs)


async def test_the_same_claim_is_the_same_job(counter: Counter, services: Services) -> None:
    counter.sell(calls=2)
    first = await counter.call(services)
    await services.settler.settle_once()
    again = await counter.call(services)
    assert again.id == first.id
    await services.settler.settle_once()
    assert counter.used() == 1


async def test_calls_beyond_what_is_left_are_void_and_cost_nothing(
    counter: Counter, services: Services
) -> None:
    """Both were entitled when they came."""
    counter.sell(calls=1)
    jobs = [await counter.call(services, salt) for salt in (1, 2)]
    for _ in range(3):
        await services.settler.settle_once()
    views = [await services.gateway.job(job.id) for job in jobs]
    assert sorted(view.state for view in views) == [JobState.QUEUED, JobState.VOID]
    void = next(view for view in views if view.state is JobState.VOID)
    (lost,) = [tx for tx, found in counter.world.ledger.included.items() if not found.succeeded]
    with rejects(
        Reason.PASS_REVERTED,
        f"the transaction {lost}, to take a call of the right {RIGHT}, failed on chain; no call "
        "was used",
    ):
        raise_failure(void)
    assert void.settlement.state is SettlementState.FAILED
    assert counter.used() == 1


async def test_what_was_given_back_meanwhile_is_not_sent(
    counter: Counter, services: Services
) -> None:
    counter.sell(calls=1)
    job = await counter.call(services)
    del counter.world.ledger.rights[RIGHT]
    await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert (view.state, counter.world.ledger.included) == (JobState.VOID, {})
    assert view.failure is not None
    assert view.failure.message == (
        f"the contract lets no call of the right {RIGHT} be taken: NotEntitled"
    )


async def test_a_claim_that_ended_takes_nothing(counter: Counter, services: Services) -> None:
    counter.sell(calls=1)
    job = await counter.call(services)
    ends = counter.world.clock.now = counter.world.clock.now + 600
    await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert (view.state, counter.used()) == (JobState.VOID, 0)
    with rejects(
        Reason.PASS_EXPIRED, f"the claim to a call ended at {ends} before the call was taken"
    ):
        raise_failure(view)


# -- given back ---------------------------------------------------------------------------------


async def failed(counter: Counter, services: Services) -> Digest:
    """A job whose call was taken and whose work failed."""
    counter.sell(calls=1)
    job = await counter.call(services)
    await services.settler.settle_once()
    counter.world.system.faults = [BAD_INPUT]
    await services.worker.work_once()
    assert (await state(services, job.id), counter.used()) == (JobState.FAILED, 1)
    return job.id


async def test_a_job_that_failed_gives_its_call_back(counter: Counter, services: Services) -> None:
    job = await failed(counter, services)
    await services.settler.settle_once()
    view = await services.gateway.job(job)
    assert (view.state, counter.used()) == (JobState.REFUNDED, 0)
    assert counter.world.ledger.transfers == [], "no money moved"
    await services.settler.settle_once()
    assert counter.used() == 0


def backup(world: World) -> str:
    """The address of the database as it is now."""
    kept = world.folder / "kept.db"
    with (
        contextlib.closing(sqlite3.connect(world.file)) as old,
        contextlib.closing(sqlite3.connect(kept)) as new,
    ):
        old.backup(new)
    return sqlite_url(kept)


async def test_a_call_is_not_given_back_twice_by_a_database_that_forgot(
    counter: Counter, services: Services, world: World
) -> None:
    job = await failed(counter, services)
    kept = backup(world)
    await services.settler.settle_once()
    given_back = len(world.ledger.included)
    # Another call of the same right, which nobody may give back.
    await counter.call(services, salt=2)
    await services.settler.settle_once()
    assert counter.used() == 1
    async with running(world, url=kept) as again:
        await again.settler.settle_once()
        assert await state(again, job) is JobState.REFUNDED
    assert counter.used() == 1
    assert len(world.ledger.included) == given_back + 1


async def test_a_call_is_not_taken_twice_by_a_database_that_forgot(
    counter: Counter, services: Services, world: World
) -> None:
    counter.sell(calls=5)
    job = await counter.call(services)
    kept = backup(world)
    await services.settler.settle_once()
    assert counter.used() == 1
    async with running(world, url=kept) as again:
        await again.settler.settle_once()
        await again.settler.settle_once()
        assert await state(again, job.id) is JobState.QUEUED
    assert counter.used() == 1


async def test_a_chain_that_takes_the_call_back_has_it_taken_again(
    counter: Counter, services: Services, world: World
) -> None:
    counter.sell(calls=1)
    job = await counter.call(services)
    await services.settler.settle_once()
    assert await state(services, job.id) is JobState.QUEUED
    world.ledger.take_back(1)
    assert counter.used() == 0
    await services.settler.settle_once()
    world.ledger.mine()
    world.clock.now += 20
    for _ in range(3):
        await services.settler.settle_once()
    assert (await state(services, job.id), counter.used()) == (JobState.QUEUED, 1)


async def test_work_waits_until_the_call_is_deep_enough(
    counter: Counter, services: Services, world: World
) -> None:
    counter.sell(calls=1)
    world.ledger.confirmations = 3
    job = await counter.call(services)
    await services.settler.settle_once()
    assert (await state(services, job.id), counter.used()) == (JobState.SETTLING, 1)
    assert await services.worker.work_once() is None
    world.ledger.mine()
    world.ledger.mine()
    await services.settler.settle_once()
    assert await state(services, job.id) is JobState.QUEUED


async def test_a_call_that_is_cancelled_before_it_is_taken_stays_the_buyers(
    counter: Counter, services: Services
) -> None:
    counter.sell(calls=1)
    job = await counter.call(services)
    await services.cancel(job.id)
    for _ in range(2):
        await services.settler.settle_once()
    assert (await state(services, job.id), counter.used()) == (JobState.VOID, 0)


async def test_one_that_is_cancelled_while_it_is_taken_comes_back(
    counter: Counter, services: Services, world: World
) -> None:
    assert world.cancel is CancelPolicy.WAITING
    counter.sell(calls=1)
    job = await counter.call(services)
    world.ledger.holding = True
    await services.settler.settle_once()
    await services.cancel(job.id)
    world.ledger.holding = False
    world.ledger.mine()
    for _ in range(3):
        await services.settler.settle_once()
    assert (await state(services, job.id), counter.used()) == (JobState.REFUNDED, 0)


# -- who may, and the books ---------------------------------------------------------------------


async def test_who_settled_nothing_may_have_few_waiting(world: World) -> None:
    counter = Counter(world)
    world.exposure = ExposureTerms(orders=2, amount=10**9)
    counter.sell()
    async with running(world) as services:
        for salt in (1, 2):
            await counter.call(services, salt)
        with pytest.raises(TooMany) as caught:
            await counter.call(services, 3)
        assert caught.value.reason is Reason.PAYER_EXPOSURE
        await services.settler.settle_once()
        assert (await counter.call(services, 3)).state is JobState.RESERVED


async def test_a_gateway_that_may_not_consume_says_so(counter: Counter, services: Services) -> None:
    counter.sell()
    counter.world.ledger.consumers.clear()
    with rejects(
        Reason.NOT_A_CONSUMER,
        f"{TREASURY} may not consume at {counter.access.address}; its owner allows it with "
        "inferproof access allow",
        kind=Unavailable,
    ):
        await counter.call(services)


async def test_the_books_hold_it_against_the_calls_that_were_taken(
    counter: Counter, services: Services
) -> None:
    counter.sell()
    first, second = await counter.call(services, 1), await services.accept()
    await services.settler.settle_once()
    while await services.worker.work_once() is not None:
        pass
    assert {await state(services, job.id) for job in (first, second)} == {JobState.DONE}
    books = Reconciler(
        ledger=services.stores.orders.ledger,
        chain=CashBooks(counter.world.ledger),
        metrics=services.metrics,
        settings=ReconcilerSettings(again_s=0),
    )
    report = await books.check()
    assert report.balanced, report.discrepancies
    assert report.jobs[JobState.DONE].count == 2
    assert (report.settled.count, report.calls, report.other_calls) == (1, 1, 0)
    tx = (await services.gateway.job(first.id)).settlement
    assert tx.transaction is not None
    del counter.world.ledger.included[tx.transaction]
    (found,) = (await books.check()).discrepancies
    assert (found.code, found.job_id) == ("CALL_NOT_FOUND", first.id)
    assert found.sentence == (
        f"the job is done, but no call of {PAYER.address} was taken in {tx.transaction} of block "
        f"{tx.block}"
    )


async def test_the_books_count_what_was_given_back(counter: Counter, services: Services) -> None:
    job = await failed(counter, services)
    await services.settler.settle_once()
    assert await state(services, job) is JobState.REFUNDED
    report = await Reconciler(
        ledger=services.stores.orders.ledger,
        chain=CashBooks(counter.world.ledger),
        metrics=services.metrics,
    ).check()
    assert (report.balanced, report.calls, report.refunded.count) == (True, 1, 0)


async def test_it_pays_for_no_other_request(counter: Counter, services: Services) -> None:
    counter.sell(calls=5)
    await counter.call(services)
    with pytest.raises(PaymentRejected) as caught:
        await counter.call(services, request=Digest(b"\x77" * 32))
    assert caught.value.reason is Reason.PASS_OTHER_REQUEST
    await services.settler.settle_once()
    assert counter.used() == 1
