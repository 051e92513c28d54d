"""Makes one proof: integers, outputs, statement, proof, and its own check."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from inferproof.errors import InferproofError, InputRejected, Reason, Unavailable
from inferproof.protocol.commitments import input_commitment, output_commitment
from inferproof.protocol.proof_file import DisclosedInput, ProofFile, encode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.base import Progress, no_progress
from inferproof.proving.sumcheck.check import check, flat_inputs
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.loaded import Loaded
from inferproof.proving.sumcheck.quantisation import Settings, dequantise
from inferproof.types.digest import Address, Digest
from inferproof.types.proof import Statement
from inferproof.types.tensor import FixedTensor, Tensors
from inferproof.verify.proof import verify_proof

_STAGES = {
    "execute": (0.1, "running the quantised model"),
    "commit": (0.15, "committing to what it computes"),
    "look up": (0.2, "looking its values up in their tables"),
    "reduce": (0.3, "reducing its layers to its weights"),
    "open witness": (0.45, "opening what it computes"),
    "open": (0.5, "opening the weights"),
}
"""The share that is done when a phase begins, and what it does."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one proof is for, and when it is no longer wanted."""

    inputs: Tensors
    job_id: Digest
    provider: Address
    salt: bytes = field(repr=False)
    time_limit_s: float = 600.0
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Made:
    """A checked proof file, and what it took. `prove_s` includes `witness_s`."""

    file: bytes = field(repr=False)
    outputs: tuple[FixedTensor, ...]
    witness_s: float
    prove_s: float
    verify_s: float


class _Checker:
    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        check(bundle, file, statement)


def make(loaded: Loaded, job: Job, report: Progress = no_progress) -> Made:
    """The checked proof of one job.

    The statement needs the outputs, and the proof the statement: the model is run first.
    Raises: InputRejected INPUT_BEYOND_CIRCUIT; Unavailable PROVER_TIME_LIMIT, PROVER_CANCELLED,
    PROVER_FAILED; MissingPart MISSING_NATIVE.
    """
    watch = _Watch(job, report)
    began = time.perf_counter()
    inputs = flat_inputs(loaded.settings, job.inputs)
    outputs = fixed_outputs(loaded.settings, run(loaded, inputs))
    statement = Statement(
        job_id=job.job_id,
        model_commitment=loaded.bundle.commitment,
        input_commitment=input_commitment(job.salt, job.inputs),
        output_commitment=output_commitment(outputs),
        proof_system=loaded.bundle.parts.proof_system,
        provider=job.provider,
    )
    witness_s = time.perf_counter() - began
    native = library()
    try:
        proof = loaded.key.prove(inputs, statement_digest(statement).raw, watch.goes_on)[1]
    except native.NativeError as error:
        raise watch.reason() or failure(error) from error
    prove_s = time.perf_counter() - began
    report("verifying", 0.9)
    file = ProofFile(statement, outputs, proof, DisclosedInput(job.salt, job.inputs), None)
    data = encode_proof_file(file)
    began = time.perf_counter()
    verify_proof(data, loaded.bundle, _Checker())
    report("done", 1.0)
    return Made(data, outputs, witness_s, prove_s, time.perf_counter() - began)


def run(loaded: Loaded, inputs: list[npt.NDArray[np.int32]]) -> list[npt.NDArray[np.int32]]:
    """The integer outputs. Raises: InputRejected INPUT_BEYOND_CIRCUIT; Unavailable."""
    try:
        return loaded.key.execute(inputs)
    except library().NativeError as error:
        raise failure(error) from error


def fixed_outputs(
    settings: Settings, outputs: list[npt.NDArray[np.int32]]
) -> tuple[FixedTensor, ...]:
    """Integer outputs under their names and scales."""
    return tuple(
        FixedTensor(item.name, item.shape, tuple(values.tolist()), item.scale)
        for item, values in zip(settings.outputs, outputs, strict=True)
    )


def evaluate(loaded: Loaded, samples: Tensors) -> dict[str, npt.NDArray[np.float64]]:
    """The quantised outputs of stacked samples. Raises: as `run`."""
    rows: list[dict[str, npt.NDArray[np.float64]]] = []
    for number in range(len(next(iter(samples.values())))):
        sample = {name: array[number] for name, array in samples.items()}
        outputs = run(loaded, flat_inputs(loaded.settings, sample))
        rows.append(dequantise(loaded.settings, [values.astype(np.int64) for values in outputs]))
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def failure(error: Exception) -> InferproofError:
    """A failure of the native prover in our words."""
    code, message = error.args
    if code == "EXECUTION":
        # Compiling makes sure that values of an input's range stay in theirs; what is left are
        # indices and divisors that the input decides.
        return InputRejected(Reason.INPUT_BEYOND_CIRCUIT)
    return Unavailable(Reason.PROVER_FAILED, why=str(message)[:300])


class _Watch:
    """Reports the native prover's phases, and ends it when it is no longer wanted."""

    def __init__(self, job: Job, report: Progress) -> None:
        self._job = job
        self._report = report
        self._deadline = time.monotonic() + job.time_limit_s

    def goes_on(self, phase: str) -> bool:
        share, words = _STAGES[phase]
        self._report(words, share)
        return self.reason() is None

    def reason(self) -> Unavailable | None:
        if self._job.cancelled():
            return Unavailable(Reason.PROVER_CANCELLED)
        if time.monotonic() >= self._deadline:
            seconds = f"{self._job.time_limit_s:g}"
            return Unavailable(Reason.PROVER_TIME_LIMIT, seconds=seconds)
        return None
