"""Workers: claim a queued job, hold its lease, compute, publish.

A claim has a fence, one higher than any before it. Every write names the fence, so a worker
that lost its lease (it hung, or its machine slept) can neither publish nor give up the job
that another one has taken over.
"""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass

from inferproof.errors import Conflict, InferproofError, Reason, Unavailable
from inferproof.services.base import Clock, failure_of
from inferproof.services.bell import SETTLE, WORK, Bell
from inferproof.services.catalog import Catalog
from inferproof.services.heart import Heart
from inferproof.services.metrics import Metrics
from inferproof.services.worker.compute import Compute
from inferproof.storage.base import Answer, Job, OrderBook
from inferproof.telemetry.base import working_on
from inferproof.telemetry.faults import told

log = logging.getLogger("inferproof.worker")


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Units: seconds.

    `longest_s` is how long one attempt may hold its lease: a job that hangs, and whose worker
    lives, is then taken up by another like one whose worker died;
    `concurrency` jobs are computed at a time; a lease that is not renewed for `lease_s` is lost;
    a job whose attempts end in something temporary is given up after `max_attempts` of them.
    """

    concurrency: int = 1
    lease_s: int = 30
    longest_s: float = 3600.0
    max_attempts: int = 3
    retry_s: float = 1.0
    look_again_s: float = 1.0


class Worker:
    """Computes jobs of one order book. Several may, in any number of processes."""

    def __init__(
        self,
        *,
        orders: OrderBook,
        catalog: Catalog,
        compute: Compute,
        settings: WorkerSettings,
        clock: Clock,
        metrics: Metrics,
        bell: Bell,
        heart: Heart | None = None,
    ) -> None:
        self._orders = orders
        self._catalog = catalog
        self._compute = compute
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._bell = bell
        self._heart = heart or Heart()

    async def run(self) -> None:
        """Works until it is cancelled. A job under way then keeps its lease until that ends."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._recover_forever())
            for _ in range(self._settings.concurrency):
                group.create_task(self._work_forever())

    async def work_once(self) -> Job | None:
        """The job that was claimed and brought as far as it goes now; None when none waits."""
        now = self._clock()
        job = await self._orders.claim(now=now, lease_until=now + self._settings.lease_s)
        if job is None:
            return None
        with _on(job):
            log.info("claimed")
            try:
                return await self._hold(job)
            except _LeaseLost:
                log.warning("lost its lease")
                self._metrics.lease_lost()
                return await self._orders.job(job.order.job_id)

    async def recover(self) -> int:
        """How many jobs were freed of a lost lease, or given up at their deadline."""
        now, moved = self._clock(), 0
        for job in await self._orders.expired_leases(now=now):
            with contextlib.suppress(Conflict), _on(job):  # it moved on by itself meanwhile
                await self._again(job, Unavailable(Reason.LEASE_EXPIRED))
                moved += 1
        for job in await self._orders.overdue(now=now):
            late = Unavailable(Reason.JOB_DEADLINE, deadline=job.order.deadline)
            with contextlib.suppress(Conflict), _on(job):
                await self._give_up(job, late)
                moved += 1
        return moved

    async def _work_forever(self) -> None:
        while True:
            self._heart.beat("work")
            try:
                if await self.work_once() is not None:
                    continue
            except InferproofError as error:
                log.warning("cannot work: %s", told(error))
            except Exception:  # the edge of the worker: its state is stored, so it goes on
                log.exception("a fault of ours")
            await self._bell.wait(WORK, self._settings.look_again_s)

    async def _recover_forever(self) -> None:
        while True:
            self._heart.beat("recovery")
            try:
                if await self.recover():
                    self._bell.ring(WORK)
            except InferproofError as error:
                log.warning("cannot recover: %s", told(error))
            except Exception:  # as above
                log.exception("a fault of ours")
            await asyncio.sleep(self._settings.look_again_s)

    # -- one job ----------------------------------------------------------------------------

    async def _bring_on(self, job: Job) -> Job:
        try:
            answer = await self._answer(job)
            return await self._publish(job, answer)
        except Conflict as error:
            if error.reason is Reason.FENCE_STALE:
                raise _LeaseLost from error
            return await self._give_up(job, error)
        except Unavailable as error:
            await asyncio.sleep(self._settings.retry_s * job.attempts)
            return await self._again(job, error)
        except InferproofError as error:
            return await self._give_up(job, error)
        except Exception:  # the edge of the worker: a bug must not keep the buyer's money
            log.exception("a fault of ours")
            return await self._again(job, Unavailable(Reason.JOB_FAULT))

    async def _answer(self, job: Job) -> Answer:
        model = await self._catalog.described(job.order.model_id, job.order.model_version)
        return await asyncio.to_thread(self._compute.answer, job, model)

    async def _publish(self, job: Job, answer: Answer) -> Job:
        order = job.order
        done = await self._orders.finish(order.job_id, job.fence, answer, now=self._clock())
        self._metrics.proof(order.quote.proof_system, order.model_id)
        for timing in answer.timings:
            self._metrics.stage(timing.stage, timing.microseconds / 1_000_000)
        log.info("done")
        self._bell.ring(order.job_id)
        return done

    async def _again(self, job: Job, why: InferproofError) -> Job:
        """Back to the queue, or given up when it was tried often enough."""
        if job.attempts >= self._settings.max_attempts:
            tired = Unavailable(Reason.JOB_ATTEMPTS, attempts=job.attempts, why=why.message)
            return await self._give_up(job, tired)
        log.warning("to be tried again: %s", told(why))
        self._metrics.retry(why.code)
        freed = await self._orders.release(job.order.job_id, job.fence, now=self._clock())
        self._bell.ring(WORK)
        return freed

    async def _give_up(self, job: Job, why: InferproofError) -> Job:
        failed = await self._orders.give_up(
            job.order.job_id, job.fence, failure_of(why), now=self._clock()
        )
        log.warning("given up: %s", told(why))
        self._metrics.failure(why.code)
        self._metrics.refund("due")
        self._bell.ring(job.order.job_id)
        self._bell.ring(SETTLE)
        return failed

    # -- the lease --------------------------------------------------------------------------

    async def _hold(self, job: Job) -> Job:
        """What becomes of the job while its lease is renewed.

        Raises: _LeaseLost. The thread that computes is not ended: its result has no way out.
        """
        working = asyncio.create_task(self._bring_on(job))
        renewing = asyncio.create_task(self._renew(job))
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise _LeaseLost
        finally:
            working.cancel()
            renewing.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)

    async def _renew(self, job: Job) -> None:
        """Returns when the lease is lost, or was held for as long as one attempt may take."""
        end = time.monotonic() + self._settings.longest_s
        while time.monotonic() < end:
            await asyncio.sleep(self._settings.lease_s / 3)
            self._heart.beat("work")
            until = self._clock() + self._settings.lease_s
            try:
                await self._orders.heartbeat(job.order.job_id, job.fence, lease_until=until)
            except Conflict:
                return
            except Unavailable as error:  # two more tries before the lease ends
                log.warning("cannot renew: %s", told(error))


class _LeaseLost(Exception):
    """Another worker has the job now."""


def _on(job: Job) -> contextlib.AbstractContextManager[None]:
    return working_on(job.order.job_id, attempt=job.attempts, fence=job.fence)
