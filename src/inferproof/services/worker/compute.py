"""One job from its request to an answer that was verified. It blocks; the worker uses a thread."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from inferproof.errors import ProofRejected, Reason
from inferproof.protocol.signature import SigningKey
from inferproof.proving.base import Proved, ProveRequest
from inferproof.services.base import Clock, Systems
from inferproof.services.catalog import RegisteredModel
from inferproof.services.worker.receipt import build_receipt
from inferproof.storage.base import Answer, ArtifactStore, BlobStore, Job
from inferproof.types.receipt import StageTime
from inferproof.types.tensor import Tensors
from inferproof.verify.proof import VerifiedProof, verify_proof
from inferproof.verify.receipt import Preprocess

Timer = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Compute:
    """What a job is computed with."""

    systems: Systems
    artifacts: ArtifactStore
    blobs: BlobStore
    preprocess: Preprocess
    key: SigningKey
    clock: Clock
    time_limit_s: float
    timer: Timer = time.perf_counter

    def answer(self, job: Job, model: RegisteredModel) -> Answer:
        """The job's answer: inferred, proven, verified, its blobs stored, its receipt signed.

        1  pre-processing makes the graph's inputs of the request body
        2  the proof system proves the inference for this job
        3  the proof is verified against the verifier bundle that buyers are given
        4  its statement is about this job, this model and this provider
        5  proof file and bundle are stored; the receipt is built and signed

        Raises: InputRejected, ArtifactRejected, ProofRejected, MissingPart, NotFound
        ARTIFACT_NOT_HERE, Unavailable.
        """
        stages = _Stages(self.timer)
        submission, order = model.submission, job.order
        # 1
        tensors = self.preprocess(submission.bundle.preprocessing, order.request.body)
        stages.lap("preprocess")
        # 2
        proved = self._prove(job, model, tensors)
        stages.skip()
        # 3
        system = self.systems(order.quote.proof_system)
        verified = verify_proof(proved.file, submission.bundle, system)
        stages.lap("verify")
        # 4
        _require_own(job, verified)
        # 5
        proof_blob = self.blobs.put(proved.file)
        verifier_blob = self.blobs.put(submission.bundle_bytes)
        stages.lap("store")
        timings = (*stages.done[:1], *_proving(proved), *stages.done[1:])
        receipt = build_receipt(
            job,
            verified,
            submission.bundle.parts,
            timings,
            issued_at=self.clock(),
            key=self.key,
        )
        return Answer(
            outputs=verified.outputs,
            proof_digest=verified.digest,
            proof_blob=proof_blob,
            verifier_blob=verifier_blob,
            receipt=receipt,
            timings=timings,
        )

    def _prove(self, job: Job, model: RegisteredModel, tensors: Tensors) -> Proved:
        order = job.order
        return self.systems(order.quote.proof_system).prove(
            ProveRequest(
                artifact=self.artifacts.path(order.model_commitment),
                inputs=tensors,
                job_id=order.job_id,
                provider=model.record.provider,
                salt=order.salt,
                time_limit_s=self.time_limit_s,
            )
        )


def _require_own(job: Job, verified: VerifiedProof) -> None:
    statement, order = verified.statement, job.order
    wanted = {
        "job": (statement.job_id, order.job_id),
        "model": (statement.model_commitment, order.model_commitment),
        "provider": (statement.provider, order.quote.provider),
    }
    for what, (got, expected) in wanted.items():
        if got != expected:
            raise ProofRejected(Reason.JOB_STATEMENT, what=what)


def _proving(proved: Proved) -> tuple[StageTime, ...]:
    seconds = {
        "load": proved.load_s,
        "witness": proved.witness_s,
        "prove": proved.prove_s,
        "self-check": proved.verify_s,
    }
    return tuple(StageTime(stage, round(s * 1_000_000)) for stage, s in seconds.items())


class _Stages:
    """Laps of a stopwatch, in microseconds."""

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._last = timer()
        self.done: list[StageTime] = []

    def lap(self, stage: str) -> None:
        now = self._timer()
        self.done.append(StageTime(stage, round((now - self._last) * 1_000_000)))
        self._last = now

    def skip(self) -> None:
        self._last = self._timer()
