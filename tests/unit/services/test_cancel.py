"""Cancelling: what the payer gets back, who else may settle, and what a worker loses."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from order_book_suite import order
from service_parts import PRICE, TREASURY, Services, World, build, nonce, pay

from inferproof.errors import Conflict, Reason
from inferproof.protocol.lifecycle import FINAL
from inferproof.services.base import failure_of
from inferproof.services.orders.base import CancelPolicy
from inferproof.services.worker.service import WorkerSettings
from inferproof.storage.sql.engine import MEMORY
from inferproof.testing.cash import CashChain
from inferproof.testing.memory_store import open_stores
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import PAYER, STRANGER
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

FUNDS = 100 * PRICE


async def state(services: Services, job_id: Digest) -> JobState:
    return (await services.gateway.job(job_id)).state


async def settle(services: Services, times: int = 2) -> None:
    for _ in range(times):
        await services.settler.settle_once()


async def test_before_it_is_sent_nothing_is_sent_and_it_is_void_in_the_end(
    services: Services,
) -> None:
    payment = pay(services.world)
    job = await services.accept(payment=payment)
    view = await services.cancel(job.id)
    assert (view.state, view.over) == (JobState.WITHDRAWN, True)
    assert view.failure is not None
    assert view.failure.code == "JOB_CANCELLED"
    with rejects(Reason.JOB_CANCELLED, "the payer cancelled the job"):
        raise Conflict(Reason.JOB_CANCELLED)
    assert view.failure.message == "the payer cancelled the job"
    await settle(services)
    assert services.world.ledger.included == {}
    services.world.clock.now = payment.valid_before - 1
    await settle(services)
    assert await state(services, job.id) is JobState.WITHDRAWN
    services.world.clock.now += 20
    await settle(services)
    view = await services.gateway.job(job.id)
    assert view.state is JobState.VOID
    assert view.failure is not None
    assert view.failure.code == "JOB_CANCELLED"
    assert services.world.ledger.balances == {PAYER.address: FUNDS}
    assert await services.worker.work_once() is None


async def test_who_settles_it_all_the_same_has_it_refunded(services: Services) -> None:
    payment = pay(services.world)
    job = await services.accept(payment=payment)
    await services.cancel(job.id)
    await settle(services)
    stranger = CashChain(services.world.ledger, STRANGER.address)
    await stranger.submit((await stranger.sign_settlement([payment], 0)).raw)
    assert services.world.ledger.balances[TREASURY] == PRICE
    services.world.clock.now += 20
    await settle(services)
    assert await state(services, job.id) is JobState.REFUNDED
    assert services.world.ledger.balances == {PAYER.address: FUNDS, TREASURY: 0}


async def test_a_payer_who_also_cancels_on_the_chain(services: Services) -> None:
    payment = pay(services.world)
    job = await services.accept(payment=payment)
    await services.cancel(job.id)
    services.world.ledger.cancel(payment.payer, payment.nonce)
    await settle(services)
    assert await state(services, job.id) is JobState.WITHDRAWN  # a node may lag behind
    services.world.clock.now += 80
    await settle(services)
    assert await state(services, job.id) is JobState.VOID


async def test_while_it_settles_it_is_settled_and_refunded(services: Services) -> None:
    services.world.ledger.holding = True
    job = await services.accept()
    await settle(services)
    assert (await services.cancel(job.id)).state is JobState.WITHDRAWN
    services.world.ledger.holding = False
    services.world.ledger.mine()
    await settle(services, 3)
    assert await state(services, job.id) is JobState.REFUNDED
    assert services.world.ledger.balances == {PAYER.address: FUNDS, TREASURY: 0}
    assert services.world.system.proofs == 0


async def test_while_it_settles_and_its_number_is_spent_it_is_void_in_the_end(
    services: Services,
) -> None:
    ledger, payment = services.world.ledger, pay(services.world)
    ledger.forgetful = True
    job = await services.accept(payment=payment)
    await settle(services)
    await services.cancel(job.id)
    ledger.forgetful = False
    chain = CashChain(ledger, TREASURY)
    await chain.submit((await chain.sign_refund(TREASURY, 0, 0)).raw)
    services.world.clock.now += 20
    await settle(services)
    assert await state(services, job.id) is JobState.WITHDRAWN
    services.world.clock.now = payment.valid_before + 20
    await settle(services)
    assert await state(services, job.id) is JobState.VOID
    assert ledger.balances[PAYER.address] == FUNDS


async def test_paid_and_waiting_it_is_refunded(services: Services) -> None:
    job = await services.accept()
    await settle(services)
    view = await services.cancel(job.id)
    assert view.state is JobState.FAILED
    assert (await services.cancel(job.id)).state is JobState.FAILED  # again: nothing changes
    assert await services.worker.work_once() is None
    await settle(services)
    assert await state(services, job.id) is JobState.REFUNDED
    assert (await services.cancel(job.id)).state is JobState.REFUNDED
    assert services.world.ledger.balances == {PAYER.address: FUNDS, TREASURY: 0}
    assert (await services.gateway.model("sample")).statistics.failed == 0


async def test_done_it_cannot_be_cancelled(services: Services) -> None:
    job = await services.accept()
    await settle(services)
    await services.worker.work_once()
    with rejects(
        Reason.JOB_TRANSITION_ILLEGAL, "a job that is done does not allow cancel", kind=Conflict
    ):
        await services.cancel(job.id)


async def test_what_failed_by_itself_was_not_cancelled(services: Services) -> None:
    job = await services.accept()
    await settle(services)
    why = failure_of(Conflict(Reason.PAYMENT_REPLAYED))
    await services.stores.orders.queue.give_up(job.id, 0, why, now=1)
    with pytest.raises(Conflict):
        await services.cancel(job.id)


async def test_only_the_payer_cancels(services: Services) -> None:
    job = await services.accept()
    with rejects(
        Reason.CANCEL_SIGNATURE,
        f"the cancellation is not signed by the job's payer {PAYER.address}",
    ):
        await services.cancel(job.id, STRANGER)
    assert await state(services, job.id) is JobState.RESERVED


async def test_what_serves_an_order_is_called_off_in_its_escrow(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with open_stores(MEMORY) as stores:
        services = build(world, stores)
        asked = replace(order(), deliver_by=2**33)
        await stores.orders.jobs.reserve(asked)
        nonce_of = asked.payment.nonce
        with rejects(
            Reason.ORDER_CANCEL,
            f"the job serves order {nonce_of}; take that back in its escrow, while nobody has "
            "accepted it",
            kind=Conflict,
        ):
            await services.cancel(asked.job_id)


@pytest.mark.parametrize("policy", list(CancelPolicy))
async def test_the_operator_says_which_jobs(policy: CancelPolicy, tmp_path: Path) -> None:
    world = World(tmp_path, cancel=policy)
    async with open_stores(MEMORY) as stores:
        services = build(world, stores)
        await services.register()
        job = await services.accept()
        await settle(services)
        claimed = await stores.orders.queue.claim(
            now=world.clock.now, lease_until=world.clock.now + 30
        )
        assert claimed is not None
        if policy is CancelPolicy.NEVER:
            with rejects(Reason.CANCEL_CLOSED, "this gateway lets no payer cancel a job"):
                await services.cancel(job.id)
        elif policy is CancelPolicy.WAITING:
            with rejects(
                Reason.CANCEL_RUNNING,
                f"job {job.id} is being computed; this gateway cancels only jobs that wait",
            ):
                await services.cancel(job.id)
        else:
            assert (await services.cancel(job.id)).state is JobState.FAILED


async def test_a_worker_that_is_cancelled_publishes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, cancel=CancelPolicy.RUNNING)
    async with open_stores(MEMORY) as stores:
        services = build(world, stores)
        await services.register()
        job = await services.accept()
        await settle(services)
        loop = asyncio.get_running_loop()

        def cancel_meanwhile() -> None:
            asyncio.run_coroutine_threadsafe(services.cancel(job.id), loop).result(10)

        world.system.before = cancel_meanwhile
        left = await services.worker.work_once()
        assert left is not None
        assert left.state is JobState.FAILED
        assert left.answer is None
        await settle(services)
        assert await state(services, job.id) is JobState.REFUNDED
        assert world.ledger.balances == {PAYER.address: FUNDS, TREASURY: 0}


async def test_cancelled_orders_take_no_place_but_keep_their_promise(tmp_path: Path) -> None:
    world = World(tmp_path, queue_limit=2)
    async with open_stores(MEMORY) as stores:
        services = build(world, stores)
        await services.register()
        for number in range(4):
            job = await services.accept(payment=pay(world, nonce=nonce(number)))
            await services.cancel(job.id)
        world.ledger.balances[PAYER.address] = 5 * PRICE - 1
        with pytest.raises(Exception, match="are promised"):
            await services.accept(payment=pay(world, nonce=nonce(9)))


async def test_a_job_that_hangs_is_taken_from_its_worker(tmp_path: Path) -> None:
    """Its worker lives and would renew the lease for ever."""
    settings = WorkerSettings(retry_s=0, lease_s=0, longest_s=0.05, max_attempts=1)
    world, release = World(tmp_path, worker=settings), threading.Event()
    async with open_stores(MEMORY) as stores:
        services = build(world, stores)
        await services.register()
        job = await services.accept()
        await settle(services)
        world.system.before = lambda: release.wait(60)
        async with asyncio.timeout(60):
            left = await services.worker.work_once()
        assert left is not None
        assert left.state is JobState.RUNNING
        world.clock.now += 1
        await services.worker.recover()
        release.set()
        await settle(services)
        assert await state(services, job.id) in FINAL
        assert (await services.gateway.job(job.id)).answer is None
