"""What one job is computed with: to prove, to verify, to sign. It blocks; the worker uses threads.

`steps` calls this in order, and keeps what each step gave.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from inferproof.errors import ProofRejected, Reason
from inferproof.protocol.payment_part import PaymentParts
from inferproof.protocol.signature import SigningKey
from inferproof.proving.base import Proved, ProveRequest
from inferproof.services.base import Clock, Systems
from inferproof.services.catalog import RegisteredModel
from inferproof.services.worker.receipt import build_receipt
from inferproof.storage.ports.blobs import ArtifactStore, BlobStore
from inferproof.storage.ports.jobs import Answer, Job, KeptProof
from inferproof.types.digest import Digest
from inferproof.types.receipt import StageTime
from inferproof.types.tensor import Tensors
from inferproof.verify.proof import VerifiedProof, verify_proof
from inferproof.verify.receipt import Preprocess

Timer = Callable[[], float]

STORE = "store"


@dataclass(frozen=True, slots=True)
class Made:
    """A proof file, just made or taken up, and how long its stages took."""

    file: bytes = field(repr=False)
    timings: tuple[StageTime, ...]


@dataclass(frozen=True, slots=True)
class Compute:
    """What a job is computed with."""

    systems: Systems
    artifacts: ArtifactStore
    blobs: BlobStore
    preprocess: Preprocess
    payments: PaymentParts
    key: SigningKey
    clock: Clock
    time_limit_s: float
    timer: Timer = time.perf_counter

    def prove(self, job: Job, model: RegisteredModel) -> Made:
        """The inference of a job, proven, and not verified here yet.

        1  pre-processing makes the graph's inputs of the request body
        2  the proof system proves the inference for this job

        Raises: InputRejected, ArtifactRejected, ProofRejected, MissingPart, NotFound
        ARTIFACT_NOT_HERE, Unavailable.
        """
        stages = _Stages(self.timer)
        # 1
        tensors = self.preprocess(model.submission.bundle.preprocessing, job.order.request.body)
        stages.lap("preprocess")
        # 2
        proved = self._prove(job, model, tensors)
        return Made(proved.file, (*stages.done, *_proving(proved)))

    def keep(self, made: Made) -> KeptProof:
        """The proof file in the blob store, where another attempt finds it.

        Raises: Unavailable.
        """
        stages = _Stages(self.timer)
        blob = self.blobs.put(made.file)
        stages.lap(STORE)
        return KeptProof(blob, (*made.timings, *stages.done))

    def conclude(self, job: Job, model: RegisteredModel, made: Made) -> Answer:
        """The job's answer: its proof verified, its verifier bundle stored, its receipt signed.

        1  the proof is verified against the verifier bundle that buyers are given
        2  its statement is about this job, this model and this provider
        3  the bundle is stored; the receipt is built and signed

        Raises: ProofRejected, MissingPart, Unavailable.
        """
        stages, submission = _Stages(self.timer), model.submission
        # 1
        system = self.systems(job.order.quote.proof_system)
        verified = verify_proof(made.file, submission.bundle, system)
        stages.lap("verify")
        # 2
        _require_own(job, verified)
        # 3
        verifier_blob = self.blobs.put(submission.bundle_bytes)
        stages.lap(STORE)
        timings = _merged((*made.timings, *stages.done))
        receipt = build_receipt(
            job,
            verified,
            submission.bundle.parts,
            timings,
            payments=self.payments,
            issued_at=self.clock(),
            key=self.key,
        )
        return Answer(
            outputs=verified.outputs,
            proof_digest=verified.digest,
            proof_blob=Digest(hashlib.sha256(made.file).digest()),
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


def _merged(timings: tuple[StageTime, ...]) -> tuple[StageTime, ...]:
    """One time for each stage, in the order in which they ended; storing has two parts."""
    total: dict[str, int] = {}
    for timing in timings:
        total[timing.stage] = total.pop(timing.stage, 0) + timing.microseconds
    return tuple(StageTime(stage, us) for stage, us in total.items())


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
