"""The steps of a job: nothing that was kept is done twice, and nothing kept is believed."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from service_parts import Services, World, build, nonce, pay, running

from inferproof.errors import InputRejected, NotFound, PaymentRejected, Reason, Unavailable
from inferproof.protocol.receipt import decode_receipt_file
from inferproof.services.base import failure_of
from inferproof.services.worker import steps as steps_module
from inferproof.services.worker.service import Worker, WorkerSettings
from inferproof.services.worker.steps import Steps
from inferproof.storage.ports.jobs import Answer, Job, Kept, KeptProof
from inferproof.storage.sql.engine import MEMORY
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import PAYMENTS
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

HANGS = "the prover did not finish within 0.05 seconds and was stopped"


def steps(services: Services) -> Steps:
    return services.worker._steps


async def queued(services: Services, number: int = 0) -> Digest:
    job = await services.accept(payment=pay(services.world, nonce=nonce(number)))
    await services.settler.settle_once()
    return job.id


async def claimed(services: Services) -> Job:
    now = services.world.clock.now
    job = await services.stores.orders.queue.claim(now=now, lease_until=now + 30)
    assert job is not None
    return job


async def given_up(services: Services, job: Job) -> None:
    """What becomes of the job when its worker dies."""
    services.world.clock.now += 31
    assert await services.worker.recover() == 1


def blob_path(services: Services, blob: Digest) -> Path:
    name = blob.raw.hex()
    return services.world.folder / "blobs" / name[:2] / f"{name}.blob"


async def finished(services: Services, job_id: Digest) -> Job:
    await services.worker.work_once()
    job = await services.stores.orders.jobs.job(job_id)
    assert job.state is JobState.DONE
    assert await services.stores.orders.queue.kept(job_id) == Kept()
    return job


async def kept_proof(services: Services) -> tuple[Digest, KeptProof]:
    """A job whose worker died when it had kept the proof."""
    job_id = await queued(services)
    job = await claimed(services)
    await steps(services).prove_ahead(job)
    await given_up(services, job)
    kept = (await services.stores.orders.queue.kept(job_id)).proof
    assert kept is not None
    return job_id, kept


async def test_a_kept_proof_is_published_and_not_made_again(services: Services) -> None:
    job_id, kept = await kept_proof(services)
    job = await finished(services, job_id)
    assert services.world.system.proofs == 1
    assert job.answer is not None
    assert job.answer.proof_blob == kept.blob
    stages = [timing.stage for timing in job.answer.timings]
    assert len(stages) == len(set(stages))
    assert stages[-2:] == ["verify", "store"]


async def test_a_model_is_run_once_and_its_proof_verified_once(services: Services) -> None:
    await finished(services, await queued(services))
    system = services.world.system
    assert (system.runs, system.proofs, system.checks, system.closed) == (1, 1, 1, 1)


async def test_a_proof_that_is_taken_up_is_verified_once(services: Services) -> None:
    job_id, _ = await kept_proof(services)
    assert services.world.system.checks == 0
    await finished(services, job_id)
    assert (services.world.system.runs, services.world.system.checks) == (1, 1)


async def test_an_answer_that_is_taken_up_is_not_verified_again(services: Services) -> None:
    job_id, _ = await kept_answer(services)
    assert services.world.system.checks == 1
    await finished(services, job_id)
    assert services.world.system.checks == 1


async def test_a_proof_that_does_not_hold_is_given_to_nobody(services: Services) -> None:
    services.world.system.change = lambda statement: replace(statement, job_id=Digest(bytes(32)))
    job_id = await queued(services)
    await services.worker.work_once()
    job = await services.stores.orders.jobs.job(job_id)
    assert (job.state, job.answer) == (JobState.FAILED, None)
    assert job.failure is not None
    assert job.failure.code == "JOB_STATEMENT"
    assert services.world.system.checks == 1


async def test_the_size_of_a_proof_is_kept_with_its_answer(services: Services) -> None:
    job = await finished(services, await queued(services))
    assert job.answer is not None
    size = blob_path(services, job.answer.proof_blob).stat().st_size
    assert job.answer.proof_size == size
    read = services.gateway._receipts._blobs.get
    services.gateway._receipts._blobs.get = None  # type: ignore[method-assign, assignment]
    view = await services.gateway.job(job.order.job_id)
    assert view.answer is not None
    assert view.answer.proof_size == size
    services.gateway._receipts._blobs.get = read  # type: ignore[method-assign]


async def test_the_size_of_an_old_proof_is_asked_of_the_store(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await finished(services, await queued(services))
    assert job.answer is not None
    old = replace(job, answer=replace(job.answer, proof_size=None))
    orders = services.stores.orders

    async def found(_job_id: Digest) -> Job:
        return old

    monkeypatch.setattr(orders.jobs, "job", found)
    monkeypatch.setattr(services.gateway._receipts._blobs, "get", None)
    view = await services.gateway.job(job.order.job_id)
    assert view.answer is not None
    assert view.answer.proof_size == job.answer.proof_size


@pytest.mark.parametrize("damage", ["changed", "gone"])
async def test_a_damaged_proof_is_made_again(
    services: Services, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    job_id, kept = await kept_proof(services)
    path = blob_path(services, kept.blob)
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"damaged")
    await finished(services, job_id)
    assert services.world.system.proofs == 2
    assert "a kept step is lost and done again" in caplog.text


async def test_a_disk_that_does_not_answer_is_waited_for(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, _ = await kept_proof(services)
    blobs = steps(services).compute.blobs

    def away(name: Digest) -> bytes:
        raise Unavailable(Reason.STORAGE_UNAVAILABLE, why="it is away")

    with monkeypatch.context() as patch:
        patch.setattr(blobs, "get", away)
        await services.worker.work_once()
    assert (await services.stores.orders.jobs.job(job_id)).state is JobState.QUEUED
    await finished(services, job_id)
    assert services.world.system.proofs == 1


async def test_a_proof_of_another_job_is_not_believed(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    await queued(services, 1)
    other = (await finished(services, (await claimed_and_left(services)).order.job_id)).answer
    assert other is not None
    job_id = await queued(services, 2)
    job = await claimed(services)
    foreign = KeptProof(other.proof_blob, other.timings)
    await services.stores.orders.queue.checkpoint(job_id, job.fence, foreign, now=1)
    await given_up(services, job)
    done = await finished(services, job_id)
    assert done.answer is not None
    assert done.answer.proof_blob != other.proof_blob
    assert "the kept proof is rejected: JOB_STATEMENT" in caplog.text


async def claimed_and_left(services: Services) -> Job:
    job = await claimed(services)
    await services.stores.orders.queue.release(job.order.job_id, job.fence, now=1, counts=False)
    return job


async def kept_answer(services: Services) -> tuple[Digest, Answer]:
    """A job whose worker died when it had kept the answer."""
    job_id = await queued(services)
    job = await claimed(services)
    answer = await steps(services).answer(job)
    await given_up(services, job)
    return job_id, answer


async def test_a_kept_answer_is_published_as_it_is(services: Services) -> None:
    job_id, answer = await kept_answer(services)
    services.world.clock.now += 5
    job = await finished(services, job_id)
    assert job.answer == answer
    assert services.world.system.proofs == 1


@pytest.mark.parametrize("which", ["proof_blob", "verifier_blob"])
async def test_a_kept_answer_without_its_blobs_is_made_again(
    services: Services, which: str
) -> None:
    job_id, answer = await kept_answer(services)
    blob_path(services, getattr(answer, which)).unlink()
    job = await finished(services, job_id)
    assert job.answer is not None
    assert blob_path(services, getattr(job.answer, which)).exists()
    assert services.world.system.proofs == (2 if which == "proof_blob" else 1)


async def test_a_kept_answer_about_another_settlement_is_signed_again(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = await queued(services)
    job = await claimed(services)
    elsewhere = replace(job, settlement=replace(job.settlement, block=99))
    await steps(services).answer(elsewhere)
    await given_up(services, job)
    done = await finished(services, job_id)
    assert done.answer is not None
    assert decode_receipt_file(done.answer.receipt, PAYMENTS).receipt.settlement == job.settlement
    assert services.world.system.proofs == 1
    assert "the kept answer is about something else" in caplog.text


async def test_a_proof_that_hangs_is_not_waited_for(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queued(services)
    job, hold = await claimed(services), threading.Event()
    services.world.system.before = lambda: hold.wait(60) and None
    monkeypatch.setattr(steps_module, "GRACE_S", 0.05)
    hasty = steps(services)
    hasty = replace(hasty, compute=replace(hasty.compute, time_limit_s=0.05))
    with rejects(Reason.PROVER_TIME_LIMIT, HANGS):
        await hasty.answer(job)
    hold.set()
    # Whatever still computes then is told that nobody waits for it.
    assert services.world.system.given_up is not None
    assert services.world.system.given_up()


class TestStopping:
    @pytest.fixture
    async def busy(self, world: World) -> AsyncIterator[tuple[Services, asyncio.Task[None]]]:
        """A worker in the middle of a proof that goes on until `hold` is set."""
        world.worker = WorkerSettings(look_again_s=0.02, retry_s=0)
        self.hold, self.entered = threading.Event(), threading.Event()
        async with running(world, url=MEMORY) as services:

            def before() -> None:
                self.entered.set()
                self.hold.wait(60)

            world.system.before = before
            self.job_id = await queued(services)
            task = asyncio.create_task(services.worker.run())
            await asyncio.to_thread(self.entered.wait, 10)
            yield services, task
            self.hold.set()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def test_a_job_is_given_back_at_once_and_not_counted(
        self, busy: tuple[Services, asyncio.Task[None]]
    ) -> None:
        services, task = busy
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        job = await services.stores.orders.jobs.job(self.job_id)
        assert (job.state, job.attempts, job.lease_until) == (JobState.QUEUED, 0, None)
        self.hold.set()
        other = build(services.world, services.stores)
        done = await other.worker.work_once()
        assert done is not None
        assert (done.state, done.attempts) == (JobState.DONE, 1)

    async def test_what_is_under_way_is_ended_and_nothing_is_begun(
        self, busy: tuple[Services, asyncio.Task[None]]
    ) -> None:
        services, _ = busy
        waiting = await queued(services, 1)
        ending = asyncio.create_task(services.worker.finish_work(120))
        await asyncio.sleep(0.05)
        assert not ending.done()
        self.hold.set()
        await asyncio.wait_for(ending, 60)
        await asyncio.sleep(0.1)
        orders = services.stores.orders
        assert (await orders.jobs.job(self.job_id)).state is JobState.DONE
        assert (await orders.jobs.job(waiting)).state is JobState.QUEUED

    async def test_it_is_waited_for_no_longer_than_allowed(
        self, busy: tuple[Services, asyncio.Task[None]]
    ) -> None:
        services, _ = busy
        await asyncio.wait_for(services.worker.finish_work(0.05), 60)
        assert (await services.stores.orders.jobs.job(self.job_id)).state is JobState.RUNNING


class TestEarlyStart:
    async def test_the_proof_waits_for_the_money(self, services: Services) -> None:
        accepted = await services.accept()
        early = await services.worker.start_early_once()
        assert early is not None
        assert services.world.system.proofs == 1
        view = await services.gateway.job(accepted.id)
        assert (view.state, view.answer, view.failure) == (JobState.RESERVED, None, None)
        message = f"job {accepted.id} is reserved; only a job that is done has a receipt"
        with rejects(Reason.RECEIPT_NOT_READY, message, kind=NotFound):
            await services.gateway.receipt(accepted.id)
        kept = (await services.stores.orders.queue.kept(accepted.id)).proof
        assert kept is not None
        with pytest.raises(NotFound):
            await services.gateway.proof(kept.blob)
        history = await services.stores.orders.jobs.events(accepted.id)
        assert [event.state for event in history] == [JobState.RESERVED]
        assert await services.worker.work_once() is None
        await services.settler.settle_once()
        job = await finished(services, accepted.id)
        assert (services.world.system.proofs, job.attempts) == (1, 1)

    async def test_a_job_that_fails_early_is_tried_once_more_for_its_money(
        self, services: Services
    ) -> None:
        accepted = await services.accept()
        services.world.system.faults = [InputRejected(Reason.INPUT_NOT_FINITE, name="x")] * 2
        await services.worker.start_early_once()
        job = await services.stores.orders.jobs.job(accepted.id)
        assert (job.state, job.failure, job.lease_until) == (JobState.RESERVED, None, None)
        assert await services.worker.start_early_once() is None
        await services.settler.settle_once()
        await services.worker.work_once()
        assert (await services.stores.orders.jobs.job(accepted.id)).state is JobState.FAILED

    async def test_work_for_a_payment_that_failed_is_lost(self, services: Services) -> None:
        accepted = await services.accept()
        await services.worker.start_early_once()
        why = failure_of(PaymentRejected(Reason.SETTLEMENT_CANCELLED))
        await services.stores.orders.settlements.void(
            accepted.id, why, now=services.world.clock.now
        )
        assert await services.stores.orders.queue.kept(accepted.id) == Kept()
        assert await services.worker.work_once() is None

    async def test_it_is_off_unless_it_is_asked_for(self, services: Services) -> None:
        await services.accept()
        assert not await services.worker._work()
        assert services.world.system.proofs == 0
        settings = replace(services.world.worker, early_start=True)
        eager: Worker = services.worker
        eager._settings = settings
        assert await eager._work()
        assert services.world.system.proofs == 1

    async def test_settled_jobs_come_first(self, services: Services) -> None:
        services.worker._settings = replace(services.world.worker, early_start=True)
        paid = await queued(services, 1)
        await services.accept(payment=pay(services.world, nonce=nonce(2)))
        await services.worker._work()
        assert (await services.stores.orders.jobs.job(paid)).state is JobState.DONE
        assert services.world.system.proofs == 1


@pytest.mark.parametrize("beyond", [None, 0, 2])
async def test_values_beyond_the_range_are_kept_and_claimed(
    services: Services, beyond: int | None
) -> None:
    services.world.system.beyond = beyond
    job = await finished(services, await queued(services))
    assert job.answer is not None
    assert job.answer.out_of_range == beyond
    view = await services.gateway.job(job.order.job_id)
    assert view.answer is not None
    assert view.answer.out_of_range == beyond
    claims = decode_receipt_file(job.answer.receipt, PAYMENTS).receipt.claims
    assert any(claim.name == "input-range" for claim in claims) == (beyond is not None)
