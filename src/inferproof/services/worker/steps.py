"""The steps of one claimed job. What a step gave is kept before the next one begins, so that a
later claim, of this worker or another, takes it up instead of doing it again.

| step | kept | taken up |
|---|---|---|
| infer, prove | the proof file in a blob that a checkpoint names | verified again, published |
| verify, store, sign | a checkpoint with the whole answer | published as it is |
| publish | the job is DONE, in the same transaction | |

Each proof is verified once on its way to the buyer, and the `Checked` of that is all that an
answer is made of. A checkpoint is never believed more than the disk it lies on: a proof that was
taken up is verified like one that was just made, and what is missing, damaged, about something
else or about another settlement is done again, with a line in the log. Settling and telling the
buyer have their own books: the outbox, and the events of a job.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from inferproof.errors import NotFound, ProofRejected, Reason, Unavailable
from inferproof.observability.faults import loggable
from inferproof.protocol.receipt import decode_receipt_file
from inferproof.services.base import Clock
from inferproof.services.models.catalog import Catalog, RegisteredModel
from inferproof.services.worker.compute import Checked, Compute, Made
from inferproof.storage.ports.jobs import Answer, Job, KeptProof
from inferproof.storage.ports.queue import Queue
from inferproof.types.digest import Digest

T = TypeVar("T")

GRACE_S = 10.0
"""How much longer than its limit a proof is waited for: proof systems end theirs by themselves,
and this ends the wait for one that does not."""

log = logging.getLogger("inferproof.worker")


@dataclass(frozen=True, slots=True)
class Steps:
    """Brings jobs that the caller holds from their request to their answer."""

    queue: Queue
    catalog: Catalog
    compute: Compute
    clock: Clock

    async def answer(self, job: Job) -> Answer:
        """The job's answer, verified, stored and signed; nothing is published.

        Raises: Conflict FENCE_STALE; what `Compute` raises.
        """
        kept = await self.queue.kept(job.order.job_id)
        if kept.answer is not None and await self._is_whole(job, kept.answer):
            return kept.answer
        model = await self._model(job)
        checked = None if kept.proof is None else await self._take_up(job, model, kept.proof)
        if checked is None:
            made = await self._prove(job, model)
            checked = await asyncio.to_thread(self.compute.check, job, model, made)
        answer = await asyncio.to_thread(self.compute.conclude, job, model, checked)
        await self.queue.checkpoint(job.order.job_id, job.fence, answer, now=self.clock())
        return answer

    async def prove_ahead(self, job: Job) -> None:
        """Makes and keeps the proof of a job whose money may still not come."""
        await self._prove(job, await self._model(job))

    async def _model(self, job: Job) -> RegisteredModel:
        return await self.catalog.described(job.order.model_id, job.order.model_version)

    async def _prove(self, job: Job, model: RegisteredModel) -> Made:
        given_up = threading.Event()
        try:
            made = await self._limited(lambda: self.compute.prove(job, model, given_up.is_set))
        finally:
            given_up.set()  # whatever still computes for a wait that has ended need not go on
        kept = await asyncio.to_thread(self.compute.keep, made)
        await self.queue.checkpoint(job.order.job_id, job.fence, kept, now=self.clock())
        return Made(made.file, kept.timings)

    async def _take_up(self, job: Job, model: RegisteredModel, kept: KeptProof) -> Checked | None:
        """The kept proof, verified; None where it is lost or does not hold."""
        file = await self._read(kept.blob)
        if file is None:
            return None
        log.info("takes up the proof that was made before")
        try:
            return await asyncio.to_thread(self.compute.check, job, model, Made(file, kept.timings))
        except ProofRejected as error:
            # The code alone: a message may quote the input.
            log.warning("the kept proof is rejected: %s", error.code)
            return None

    async def _is_whole(self, job: Job, answer: Answer) -> bool:
        """Whether a kept answer is about this job as it is settled, and its blobs are there."""
        receipt = decode_receipt_file(answer.receipt, self.compute.payments).receipt
        if receipt.statement.job_id != job.order.job_id or receipt.settlement != job.settlement:
            log.warning("the kept answer is about something else")
            return False
        blobs = [await self._read(b) for b in (answer.proof_blob, answer.verifier_blob)]
        return None not in blobs

    async def _read(self, blob: Digest) -> bytes | None:
        """The blob; None, with a line in the log, where it is gone or damaged.

        Raises: Unavailable STORAGE_UNAVAILABLE: it may still be there.
        """
        try:
            return await asyncio.to_thread(self.compute.blobs.get, blob)
        except (NotFound, Unavailable) as error:
            if error.reason not in (Reason.BLOB_UNKNOWN, Reason.BLOB_DAMAGED):
                raise
            log.warning("a kept step is lost and done again: %s", loggable(error))
            return None

    async def _limited(self, work: Callable[[], T]) -> T:
        """What the work returns, in a thread. Soundness: a thread cannot be ended; what does not
        ask whether it was given up goes on, and has no way out."""
        limit_s = self.compute.time_limit_s
        try:
            async with asyncio.timeout(limit_s + GRACE_S):
                return await asyncio.to_thread(work)
        except TimeoutError:
            raise Unavailable(Reason.PROVER_TIME_LIMIT, seconds=f"{limit_s:g}") from None
