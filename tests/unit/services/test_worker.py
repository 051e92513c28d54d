"""Workers: leases, fences, retries, and what becomes of a job that cannot be answered."""

import asyncio
import contextlib
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from service_parts import PRICE, Services, World, build, nonce, pay, running
from waiting import until

from inferproof.errors import (
    ArtifactRejected,
    Conflict,
    InputRejected,
    NotFound,
    ProofRejected,
    Reason,
    Unavailable,
)
from inferproof.services.base import failure_of
from inferproof.services.worker.service import WorkerSettings
from inferproof.storage.ports.jobs import Job
from inferproof.storage.sql.engine import MEMORY
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import PAYER
from inferproof.types.digest import Digest
from inferproof.types.job import JobState


async def queued(services: Services, number: int = 0) -> Digest:
    job = await services.accept(payment=pay(services.world, nonce=nonce(number)))
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.QUEUED
    return job.id


async def read(services: Services, job_id: Digest) -> Job:
    return await services.stores.orders.jobs.job(job_id)


async def test_jobs_are_taken_in_their_order(services: Services) -> None:
    ids = [await queued(services, i) for i in range(3)]
    taken = [await services.worker.work_once() for _ in range(3)]
    assert [job.order.job_id for job in taken if job] == ids
    assert services.metrics.proofs == {("sample", "sample"): 3}
    assert set(services.metrics.stages) >= {"prove", "verify", "store", "settle"}


async def test_rejection_fails_the_job_and_owes_the_money(services: Services) -> None:
    job_id = await queued(services)
    services.world.system.faults = [InputRejected(Reason.INPUT_NOT_FINITE, name="x")]
    await services.worker.work_once()
    view = await services.gateway.job(job_id)
    assert view.state is JobState.FAILED
    assert view.over
    assert view.failure is not None
    assert (view.failure.code, view.failure.facts) == ("INPUT_NOT_FINITE", {"name": "x"})
    assert services.metrics.failures == {"INPUT_NOT_FINITE": 1}
    assert (await services.gateway.model("sample")).statistics.failed == 1


async def test_temporary_failure_is_tried_again(services: Services) -> None:
    job_id = await queued(services)
    services.world.system.faults = [Unavailable(Reason.STORAGE_FULL)] * 2
    for _ in range(2):
        await services.worker.work_once()
        assert (await read(services, job_id)).state is JobState.QUEUED
    await services.worker.work_once()
    assert (await read(services, job_id)).state is JobState.DONE
    assert (await read(services, job_id)).attempts == 3


async def test_after_three_attempts_it_is_given_up(services: Services) -> None:
    job_id = await queued(services)
    services.world.system.faults = [Unavailable(Reason.STORAGE_FULL)] * 3
    for _ in range(3):
        await services.worker.work_once()
    job = await read(services, job_id)
    assert job.state is JobState.FAILED
    message = (
        "the job was given up after 3 attempts; the last one ended so: "
        "the disk is full; nothing was lost, try again once the operator made room"
    )
    assert job.failure is not None
    assert job.failure.message == message
    why = "the disk is full; nothing was lost, try again once the operator made room"
    with rejects(
        Reason.JOB_ATTEMPTS, f"the job was given up after 3 attempts; the last one ended so: {why}"
    ):
        raise Unavailable(Reason.JOB_ATTEMPTS, attempts=3, why=why)


async def test_fault_of_ours_is_tried_again_and_then_refunded(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = await queued(services)
    services.world.system.faults = [ZeroDivisionError("a bug")] * 3
    for _ in range(3):
        await services.worker.work_once()
    job = await read(services, job_id)
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.message.endswith(
        "the gateway made a mistake; its operator finds it in the log"
    )
    with rejects(Reason.JOB_FAULT, "the gateway made a mistake; its operator finds it in the log"):
        raise Unavailable(Reason.JOB_FAULT)
    assert "ZeroDivisionError" in caplog.text
    await services.settler.settle_once()
    assert (await read(services, job_id)).state is JobState.REFUNDED


async def test_a_job_of_a_mode_that_has_ended_is_refunded_once(services: Services) -> None:
    """It was paid before its model was suspended; whoever opens the compiled model is refused."""
    job_id = await queued(services)
    ended = ArtifactRejected(Reason.MODE_ENDED, mode="clear", date="2026-11-26")
    services.world.system.faults = [ended] * 3
    await services.gateway.suspend("sample@1.0.0")
    for _ in range(3):
        await services.worker.work_once()
    job = await read(services, job_id)
    assert (job.state, job.failure is not None) == (JobState.FAILED, True)
    paid = services.world.ledger.balances[PAYER.address]
    for _ in range(3):
        await services.settler.settle_once()
    assert (await read(services, job_id)).state is JobState.REFUNDED
    assert services.world.ledger.balances[PAYER.address] == paid + PRICE


@pytest.mark.parametrize("what", ["job", "model", "provider"])
async def test_proof_for_something_else_is_never_published(services: Services, what: str) -> None:
    job_id = await queued(services)
    change = {
        "job": {"job_id": nonce(5)},
        "model": {"model_commitment": nonce(5)},
        "provider": {"provider": services.gateway.address},
    }[what]
    services.world.system.change = lambda statement: replace(statement, **change)
    await services.worker.work_once()
    job = await read(services, job_id)
    assert job.state is JobState.FAILED
    assert job.failure is not None
    # A foreign model is found earlier, by the verification itself.
    expected = "PROOF_OTHER_MODEL" if what == "model" else "JOB_STATEMENT"
    assert job.failure.code == expected
    with rejects(
        Reason.JOB_STATEMENT, f"the proof system answered with a proof for another {what}"
    ):
        raise ProofRejected(Reason.JOB_STATEMENT, what=what)


async def test_model_that_is_not_on_the_machine(services: Services) -> None:
    job_id = await queued(services)
    commitment = services.world.system.bundle.commitment
    path = services.world.folder / "artifacts" / commitment.raw.hex()
    path.rmdir()
    await services.worker.work_once()
    job = await read(services, job_id)
    assert job.failure is not None
    message = f"the compiled model {commitment} is not on this machine; copy its folder to {path}"
    assert job.failure.message == message
    with rejects(Reason.ARTIFACT_NOT_HERE, message, kind=NotFound):
        await services.gateway.approve("sample@1.0.0")


async def test_lost_lease_is_recovered(services: Services) -> None:
    job_id = await queued(services)
    now = services.world.clock.now
    claimed = await services.stores.orders.queue.claim(now=now, lease_until=now + 30)
    assert claimed is not None
    assert await services.worker.recover() == 0
    services.world.clock.now += 31
    assert await services.worker.recover() == 1
    await services.worker.work_once()
    job = await read(services, job_id)
    assert (job.state, job.attempts, job.fence) == (JobState.DONE, 2, 2)


async def test_job_whose_workers_all_die_is_refunded(services: Services) -> None:
    job_id = await queued(services)
    for _ in range(3):
        now = services.world.clock.now
        assert await services.stores.orders.queue.claim(now=now, lease_until=now + 30) is not None
        services.world.clock.now += 31
        await services.worker.recover()
    job = await read(services, job_id)
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.message.endswith("the worker stopped without a word")
    with rejects(Reason.LEASE_EXPIRED, "the worker stopped without a word"):
        raise Unavailable(Reason.LEASE_EXPIRED)


async def test_stale_fence_can_neither_publish_nor_give_up(services: Services) -> None:
    job_id = await queued(services)
    orders = services.stores.orders
    first = await orders.queue.claim(now=1, lease_until=2)
    assert first is not None
    await orders.queue.release(job_id, first.fence, now=3)
    second = await orders.queue.claim(now=4, lease_until=5)
    assert second is not None
    message = f"claim 1 of job {job_id} is over; another claim was made since"
    why = failure_of(Unavailable(Reason.STORAGE_FULL))
    await services.worker.recover()
    with rejects(Reason.FENCE_STALE, message, kind=Conflict):
        await orders.queue.heartbeat(job_id, first.fence, lease_until=99)
    with rejects(Reason.FENCE_STALE, message, kind=Conflict):
        await orders.queue.give_up(job_id, first.fence, why, now=6)
    with rejects(Reason.FENCE_STALE, message, kind=Conflict):
        await orders.queue.release(job_id, first.fence, now=6)


async def test_worker_that_was_overtaken_publishes_nothing(services: Services) -> None:
    job_id = await queued(services)
    hold, entered = threading.Event(), threading.Event()
    calls = [0]

    def before() -> None:
        calls[0] += 1
        if calls[0] == 1:
            entered.set()
            hold.wait(60)

    services.world.system.before = before
    slow = asyncio.create_task(services.worker.work_once())
    await asyncio.to_thread(entered.wait, 60)
    services.world.clock.now += 31
    other = build(services.world, services.stores).worker
    await other.recover()
    done = await other.work_once()
    assert done is not None
    hold.set()
    late = await slow
    assert late is not None
    assert late.state is JobState.DONE
    assert late.answer == done.answer
    assert (await read(services, job_id)).fence == 2
    assert services.world.system.proofs == 2


async def test_lease_is_renewed_while_computing_and_its_loss_ends_the_wait(world: World) -> None:
    world.worker = WorkerSettings(lease_s=1, retry_s=0)
    async with running(world, url=MEMORY) as services:
        job_id = await queued(services)
        hold = threading.Event()
        world.system.before = lambda: hold.wait(60) and None
        task = asyncio.create_task(services.worker.work_once())
        await until(lambda: _is_running(services, job_id), "a worker has the job")
        world.clock.now += 5
        await until(lambda: _is_held(services, job_id), "the lease is renewed")
        renewed = await read(services, job_id)
        await services.stores.orders.queue.release(job_id, renewed.fence, now=world.clock.now)
        lost = await asyncio.wait_for(task, 60)
        hold.set()
        assert lost is not None
        assert lost.state is JobState.QUEUED


async def _is_running(services: Services, job_id: Digest) -> bool:
    return (await read(services, job_id)).state is JobState.RUNNING


async def _is_held(services: Services, job_id: Digest) -> bool:
    return (await read(services, job_id)).lease_until == services.world.clock.now + 1


async def test_job_that_waits_too_long_is_given_up(services: Services) -> None:
    job_id = await queued(services)
    services.world.clock.now += 3601
    assert await services.worker.recover() == 1
    job = await read(services, job_id)
    assert job.state is JobState.FAILED
    assert job.failure is not None
    message = f"no worker took the job before its deadline {job.order.deadline}"
    assert job.failure.message == message
    with rejects(Reason.JOB_DEADLINE, message):
        raise Unavailable(Reason.JOB_DEADLINE, deadline=job.order.deadline)


async def test_run_stops_when_cancelled(services: Services, tmp_path: Path) -> None:
    task = asyncio.create_task(services.worker.run())
    await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
