"""What one job is computed with: to run, prove, verify and sign. It blocks; the worker
uses threads.

`steps` calls this in order, and keeps what each step gave.
"""

import hashlib
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol

from inferproof.errors import ProofRejected, Reason
from inferproof.protocol.payment_part import PaymentParts
from inferproof.protocol.signature import SigningKey
from inferproof.proving.base import Cancelled, Execution, Proof, Ran, never
from inferproof.proving.execution import left, private_executor
from inferproof.services.base import Clock, Systems
from inferproof.services.models.catalog import RegisteredModel
from inferproof.services.receipts.build import build_receipt
from inferproof.storage.ports.blobs import ArtifactStore, BlobStore
from inferproof.storage.ports.jobs import Answer, Job, KeptProof, ValidatedOrder
from inferproof.types.digest import Digest
from inferproof.types.receipt import StageTime
from inferproof.types.tensor import Tensors
from inferproof.verify.proof import ProofChecker, VerifiedProof, verify_proof
from inferproof.verify.receipt import Preprocess

Timer = Callable[[], float]

STORE = "store"


class Runner(Protocol):
    """Runs the models that are sold. What a model is, a compiled artifact or something that runs
    elsewhere, only the runner knows."""

    def execute(
        self, order: ValidatedOrder, inputs: Tensors, *, time_limit_s: float, cancelled: Cancelled
    ) -> Execution:
        """One run of the order's model. Raises: as `Executor.execute`; NotFound
        ARTIFACT_NOT_HERE."""
        ...


@dataclass(frozen=True, slots=True)
class CompiledModels:
    """A Runner of compiled artifacts, by the proof systems that compiled them."""

    systems: Systems
    artifacts: ArtifactStore

    def execute(
        self, order: ValidatedOrder, inputs: Tensors, *, time_limit_s: float, cancelled: Cancelled
    ) -> Execution:
        """See Runner."""
        system = self.systems(order.quote.proof_system)
        private = order.private_input
        execute = private_executor(system).execute_private if private else system.execute
        return execute(
            self.artifacts.path(order.model_commitment),
            inputs,
            order.salt,
            time_limit_s=time_limit_s,
            cancelled=cancelled,
        )


@dataclass(frozen=True, slots=True)
class Made:
    """A proof file, just made or taken up, and how long its stages took."""

    file: bytes = field(repr=False)
    timings: tuple[StageTime, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """A proof that was verified for its job: the only one that an answer is made of."""

    proof: VerifiedProof
    blob: Digest
    size: int
    timings: tuple[StageTime, ...]


@dataclass(frozen=True, slots=True)
class Compute:
    """What a job is computed with."""

    runner: Runner
    checker: Callable[[str], ProofChecker]
    blobs: BlobStore
    preprocess: Preprocess
    payments: PaymentParts
    key: SigningKey
    clock: Clock
    time_limit_s: float
    timer: Timer = time.perf_counter

    def prove(self, job: Job, model: RegisteredModel, cancelled: Cancelled = never) -> Made:
        """The inference of a job, proven, and not verified yet.

        1  pre-processing makes the graph's inputs of the request body
        2  the model is run, once
        3  that run is proven for this job

        Raises: InputRejected, ArtifactRejected, ProofRejected, MissingPart, NotFound
        ARTIFACT_NOT_HERE, Unavailable.
        """
        stages, order = _Stages(self.timer), job.order
        deadline = time.monotonic() + self.time_limit_s
        # 1
        tensors = self.preprocess(model.submission.bundle.preprocessing, order.request.body)
        stages.lap("preprocess")
        # 2
        run = self.runner.execute(
            order, tensors, time_limit_s=self.time_limit_s, cancelled=cancelled
        )
        # 3
        with closing(run) as execution:
            proof = execution.prove(
                execution.ran.statement(order.job_id, model.record.provider),
                time_limit_s=left(deadline),
                cancelled=cancelled,
            )
            return Made(proof.file, (*stages.done, *_proving(execution.ran, proof)))

    def keep(self, made: Made) -> KeptProof:
        """The proof file in the blob store, where another attempt finds it.

        Raises: Unavailable.
        """
        stages = _Stages(self.timer)
        blob = self.blobs.put(made.file)
        stages.lap(STORE)
        return KeptProof(blob, (*made.timings, *stages.done))

    def check(self, job: Job, model: RegisteredModel, made: Made) -> Checked:
        """The proof, verified as the buyer will verify it: against the verifier bundle that
        buyers are given, and found to be about this job, this model and this provider.

        Raises: ProofRejected, MissingPart.
        """
        stages = _Stages(self.timer)
        checker = self.checker(job.order.quote.proof_system)
        verified = verify_proof(made.file, model.submission.bundle, checker)
        stages.lap("verify")
        _require_own(job, verified)
        blob = Digest(hashlib.sha256(made.file).digest())
        return Checked(verified, blob, len(made.file), (*made.timings, *stages.done))

    def conclude(self, job: Job, model: RegisteredModel, checked: Checked) -> Answer:
        """The job's answer: its verifier bundle stored, its receipt signed.

        Raises: Unavailable.
        """
        stages, submission, proof = _Stages(self.timer), model.submission, checked.proof
        verifier_blob = self.blobs.put(submission.bundle_bytes)
        stages.lap(STORE)
        timings = _merged((*checked.timings, *stages.done))
        receipt = build_receipt(
            job,
            proof,
            submission.bundle,
            timings,
            payments=self.payments,
            issued_at=self.clock(),
            key=self.key,
        )
        return Answer(
            outputs=proof.outputs,
            proof_digest=proof.digest,
            proof_blob=checked.blob,
            proof_size=checked.size,
            verifier_blob=verifier_blob,
            receipt=receipt,
            timings=timings,
            out_of_range=proof.out_of_range,
        )


def _require_own(job: Job, verified: VerifiedProof) -> None:
    statement, order = verified.statement, job.order
    wanted = {
        "job": (statement.job_id, order.job_id),
        "model": (statement.model_commitment, order.model_commitment),
        "provider": (statement.provider, order.quote.provider),
        "visibility of the input": (statement.private_input, order.private_input),
    }
    for what, (got, expected) in wanted.items():
        if got != expected:
            raise ProofRejected(Reason.JOB_STATEMENT, what=what)


def _proving(ran: Ran, proof: Proof) -> tuple[StageTime, ...]:
    seconds = {"load": ran.load_s, "witness": ran.run_s, "prove": ran.run_s + proof.prove_s}
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
