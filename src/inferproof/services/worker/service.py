"""Workers: claim a queued job, hold its lease, compute step by step, publish.

A claim has a fence, one higher than any before it. Every write names the fence, so a worker
that lost its lease (it hung, or its machine slept) can neither publish nor give up the job
that another one has taken over. What a claim gets done is kept for the next (see `steps`), and
a worker that is told to stop gives its job back at once.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from inferproof.errors import Conflict, InferproofError, InputRejected, Reason, Unavailable
from inferproof.observability.base import working_on
from inferproof.observability.faults import loggable
from inferproof.services.base import Clock, failure_of
from inferproof.services.event_bus import SETTLE, WORK, EventBus
from inferproof.services.heartbeat import Heartbeat
from inferproof.services.metrics import Metrics
from inferproof.services.private_inputs import PrivateInputs
from inferproof.services.worker.steps import Steps
from inferproof.storage.ports.jobs import Answer, Failure, Job, Jobs
from inferproof.storage.ports.queue import Queue
from inferproof.types.job import JobState

log = logging.getLogger("inferproof.worker")

_NOT_KEPT = "the input is refused; it is private, and what is wrong with it is kept nowhere"


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Units: seconds.

    `longest_s` is how long one attempt may hold its lease: a job that hangs, and whose worker
    lives, is then taken up by another like one whose worker died;
    `concurrency` jobs are computed at a time; a lease that is not renewed for `lease_s` is lost;
    a job whose attempts end in something temporary is given up after `max_attempts` of them.
    Jobs come from other processes too, so an idle worker looks again after `look_again_s`.
    With `early_start` an idle worker proves jobs whose payment was checked and is not settled.
    """

    concurrency: int = 1
    lease_s: int = 30
    longest_s: float = 3600.0
    max_attempts: int = 3
    retry_s: float = 1.0
    look_again_s: float = 0.2
    recover_s: float = 1.0
    early_start: bool = False


class Worker:
    """Computes jobs of one order book. Several may, in any number of processes."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        queue: Queue,
        steps: Steps,
        settings: WorkerSettings,
        clock: Clock,
        metrics: Metrics,
        event_bus: EventBus,
        private_inputs: PrivateInputs,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self._jobs = jobs
        self._queue = queue
        self._steps = steps
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._event_bus = event_bus
        self._private_inputs = private_inputs
        self._heartbeat = heartbeat or Heartbeat()
        self._held = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False

    async def run(self) -> None:
        """Works until it is cancelled. A job under way is then given back for others to take."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._recover_forever())
            for _ in range(self._settings.concurrency):
                group.create_task(self._work_forever())

    async def finish_work(self, within_s: float) -> None:
        """Takes no more jobs; returns when those under way have ended, or the time is over."""
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()

    async def work_once(self) -> Job | None:
        """The job that was claimed and brought as far as it goes now; None when none waits."""
        now = self._clock()
        if not await self._queue.runnable(now=now):
            return None
        job = await self._queue.claim(now=now, lease_until=now + self._settings.lease_s)
        if job is None:
            return None
        with _on(job):
            log.info("claimed")
            self._event_bus.publish(job.order.job_id)
            return await self._hold(job, self._bring_on)

    async def start_early_once(self) -> Job | None:
        """The job whose proof was begun ahead of its settlement; None when there is none."""
        if not await self._queue.startable():
            return None
        until = self._clock() + self._settings.lease_s
        job = await self._queue.claim_early(lease_until=until)
        if job is None:
            return None
        with _on(job):
            log.info("begun before its settlement")
            return await self._hold(job, self._prove_ahead)

    async def recover(self) -> int:
        """How many jobs were freed of a lost lease, or given up at their deadline."""
        now, moved = self._clock(), 0
        for job in await self._queue.expired_leases(now=now):
            with contextlib.suppress(Conflict), _on(job):  # it moved on by itself meanwhile
                await self._again(job, Unavailable(Reason.LEASE_EXPIRED))
                moved += 1
        for job in await self._queue.overdue(now=now):
            late = Unavailable(Reason.JOB_DEADLINE, deadline=job.order.deadline)
            with contextlib.suppress(Conflict), _on(job):
                await self._give_up(job, late)
                moved += 1
        return moved

    async def _work_forever(self) -> None:
        while True:
            self._heartbeat.beat("work")
            try:
                if not self._stopping and await self._work():
                    continue
            except InferproofError as error:
                log.warning("cannot work: %s", loggable(error))
            except Exception:  # the edge of the worker: its state is stored, so it goes on
                log.exception("a fault of ours")
            await self._event_bus.wait(WORK, self._settings.look_again_s)

    async def _work(self) -> bool:
        """Whether there was something to do."""
        if await self.work_once() is not None:
            return True
        return self._settings.early_start and await self.start_early_once() is not None

    async def _recover_forever(self) -> None:
        while True:
            self._heartbeat.beat("recovery")
            try:
                if await self.recover():
                    self._event_bus.publish(WORK)
            except InferproofError as error:
                log.warning("cannot recover: %s", loggable(error))
            except Exception:  # as above
                log.exception("a fault of ours")
            await asyncio.sleep(self._settings.recover_s)

    # -- one job ----------------------------------------------------------------------------

    async def _bring_on(self, job: Job) -> Job:
        try:
            answer = await self._steps.answer(job)
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

    async def _prove_ahead(self, job: Job) -> Job:
        """What goes wrong here is left to the claim after the settlement: no money moved yet."""
        try:
            await self._steps.prove_ahead(job)
        except Conflict as error:
            if error.reason is Reason.FENCE_STALE:
                raise _LeaseLost from error
            log.warning("the early start came to nothing: %s", error.code)
        except InferproofError as error:
            log.warning("the early start came to nothing: %s", error.code)
        except Exception:  # as above
            log.exception("a fault of ours")
        await self._leave(job)
        self._event_bus.publish(WORK)
        return job

    async def _publish(self, job: Job, answer: Answer) -> Job:
        order = job.order
        done = await self._queue.finish(order.job_id, job.fence, answer, now=self._clock())
        self._metrics.proof(order.quote.proof_system, order.model_id)
        for timing in answer.timings:
            self._metrics.stage(timing.stage, timing.microseconds / 1_000_000)
        log.info("done")
        self._event_bus.publish(order.job_id)
        await self._private_inputs.end(order)
        return done

    async def _again(self, job: Job, why: InferproofError) -> Job:
        """Back to the queue, or given up when it was tried often enough."""
        if job.attempts >= self._settings.max_attempts:
            tired = Unavailable(Reason.JOB_ATTEMPTS, attempts=job.attempts, why=why.message)
            return await self._give_up(job, tired)
        log.warning("to be tried again: %s", loggable(why))
        self._metrics.retry(why.code)
        freed = await self._queue.release(job.order.job_id, job.fence, now=self._clock())
        self._event_bus.publish(WORK)
        return freed

    async def _give_up(self, job: Job, why: InferproofError) -> Job:
        failed = await self._queue.give_up(
            job.order.job_id, job.fence, _failure(job, why), now=self._clock()
        )
        log.warning("given up: %s", loggable(why))
        self._metrics.failure(why.code)
        self._metrics.refund("due")
        self._event_bus.publish(job.order.job_id)
        self._event_bus.publish(SETTLE)
        await self._private_inputs.end(job.order)
        return failed

    # -- the lease --------------------------------------------------------------------------

    async def _hold(self, job: Job, work: Callable[[Job], Coroutine[Any, Any, Job]]) -> Job:
        """What becomes of the job while its lease is renewed.

        The thread that computes is told that it was given up; whatever it still makes has no way
        out.
        """
        working = asyncio.create_task(work(job))
        renewing = asyncio.create_task(self._renew(job))
        self._held += 1
        self._idle.clear()
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise _LeaseLost
        except _LeaseLost:
            log.warning("lost its lease")
            self._metrics.lease_lost()
            return await self._jobs.job(job.order.job_id)
        except asyncio.CancelledError:
            await _ended(working, renewing)
            await self._hand_back(job)
            raise
        finally:
            self._held -= 1
            if not self._held:
                self._idle.set()
            await _ended(working, renewing)

    async def _hand_back(self, job: Job) -> None:
        """The job is free for others at once; its attempt is not counted against it."""
        try:
            if job.state is JobState.RUNNING:
                await self._queue.release(
                    job.order.job_id, job.fence, now=self._clock(), counts=False
                )
            else:
                await self._leave(job)
            log.info("given back")
        except Conflict:
            return  # it had moved on by itself
        except InferproofError as error:
            log.warning("cannot be given back: %s", loggable(error))

    async def _leave(self, job: Job) -> None:
        with contextlib.suppress(Conflict):  # the lease had ended already
            await self._queue.leave_early(job.order.job_id, job.fence)

    async def _renew(self, job: Job) -> None:
        """Returns when the lease is lost, or was held for as long as one attempt may take."""
        end = time.monotonic() + self._settings.longest_s
        while time.monotonic() < end:
            await asyncio.sleep(self._settings.lease_s / 3)
            self._heartbeat.beat("work")
            until = self._clock() + self._settings.lease_s
            try:
                await self._queue.heartbeat(job.order.job_id, job.fence, lease_until=until)
            except Conflict:
                return
            except Unavailable as error:  # two more tries before the lease ends
                log.warning("cannot renew: %s", loggable(error))


def _failure(job: Job, why: InferproofError) -> Failure:
    """The failure that the job keeps, and shows to who knows its id."""
    if job.order.private_input and isinstance(why, InputRejected):
        return Failure(why.code, _NOT_KEPT, {})
    return failure_of(why)


async def _ended(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _LeaseLost(Exception):
    """Another worker has the job now."""


def _on(job: Job) -> contextlib.AbstractContextManager[None]:
    return working_on(job.order.job_id, attempt=job.attempts, fence=job.fence)
