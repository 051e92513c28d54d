"""One run of a compiled model, and the proof that is made of it without another run."""

import time
from contextvars import copy_context
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.errors import InferproofError, InputRejected, Reason, Unavailable
from inferproof.protocol.commitments import input_commitment, private_input_commitment
from inferproof.protocol.proof_file import DisclosedInput, decode_proof_file, encode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.proving.base import (
    PROVE_LIMIT_S,
    SPENT,
    Cancelled,
    Progress,
    Proof,
    Ran,
    never,
    no_progress,
)
from inferproof.proving.sumcheck.check import CHECKER, flat_inputs, private_fault
from inferproof.proving.sumcheck.epochs import BEGINS, PrivateRun
from inferproof.proving.sumcheck.library import Int32s, library
from inferproof.proving.sumcheck.loaded import Loaded
from inferproof.proving.sumcheck.quantisation import Settings, dequantise
from inferproof.proving.worker import peak_bytes
from inferproof.types.digest import ZERO_ADDRESS, ZERO_DIGEST, Digest
from inferproof.types.proof import Statement
from inferproof.types.tensor import FixedTensor, Tensors
from inferproof.verify.proof import verify_proof

_STAGES = {
    BEGINS: (0.12, "taking an opening of the key"),
    "commit": (0.15, "committing to what it computes"),
    "look up": (0.2, "looking its values up in their tables"),
    "relate": (0.4, "relating what is under the pads"),
    "reduce": (0.3, "reducing its layers to its weights"),
    "open": (0.5, "opening the weights"),
}
"""The share that is done when a phase begins, and what it does."""


def execute(
    loaded: Loaded, inputs: Tensors, salt: bytes, load_s: float = 0.0
) -> "SumcheckExecution":
    """One run of the quantised model; `load_s` is what loading it took.

    Raises: InputRejected INPUT_BEYOND_CIRCUIT; Unavailable PROVER_FAILED; MissingPart.
    """
    began = time.perf_counter()
    native = run(loaded, flat_inputs(loaded.settings, inputs))
    bundle = loaded.bundle
    ran = Ran(
        model_commitment=bundle.commitment,
        proof_system=bundle.parts.proof_system,
        input_commitment=input_commitment(salt, inputs),
        outputs=fixed_outputs(loaded.settings, native.outputs()),
        disclosed=DisclosedInput(salt, inputs),
        input_hashes=None,
        load_s=load_s,
        run_s=time.perf_counter() - began,
    )
    return SumcheckExecution(native, ran)


def execute_private(
    loaded: Loaded, inputs: Tensors, secret: bytes, load_s: float = 0.0
) -> "SumcheckExecution":
    """One run on private inputs, whose commitment the secret makes.

    Raises: as `execute`; RequestRejected PRIVATE_INPUT_UNSUPPORTED.
    """
    began = time.perf_counter()
    try:
        native = loaded.key.execute(flat_inputs(loaded.settings, inputs), secret)
    except library().NativeError as error:
        raise private_fault(error) or failure(error) from error
    bundle, root = loaded.bundle, Digest(native.input_root() or b"")
    ran = Ran(
        model_commitment=bundle.commitment,
        proof_system=bundle.parts.proof_system,
        input_commitment=private_input_commitment(bundle.parts.proof_system, root),
        outputs=fixed_outputs(loaded.settings, native.outputs()),
        disclosed=None,
        input_hashes=None,
        load_s=load_s,
        run_s=time.perf_counter() - began,
        input_root=root,
    )
    return SumcheckExecution(native, ran)


class SumcheckExecution:
    """Implements proving.base.Execution: the native module keeps the tensors of the run."""

    def __init__(self, native: PrivateRun, ran: Ran) -> None:
        self.ran = ran
        self._native: PrivateRun | None = native

    def prove(
        self,
        statement: Statement,
        *,
        time_limit_s: float = PROVE_LIMIT_S,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> Proof:
        """See Execution; limits are looked at between the phases of a proof."""
        self.ran.require(statement)
        native, self._native = self._native, None
        if native is None:
            raise Unavailable(Reason.PROVER_FAILED, why=SPENT)
        watch = _Watch(time_limit_s, progress, cancelled)
        began = time.perf_counter()
        try:
            proof = native.prove(statement_digest(statement).raw, watch.goes_on)
        except library().NativeError as error:
            raise watch.reason() or failure(error) from error
        prove_s = time.perf_counter() - began
        data = encode_proof_file(self.ran.file(statement, proof))
        return Proof(data, prove_s, peak_bytes() / 1e6)

    def close(self) -> None:
        """See Execution."""
        self._native = None


def run(loaded: Loaded, inputs: list[Int32s]) -> PrivateRun:
    """One native run. Raises: InputRejected INPUT_BEYOND_CIRCUIT; Unavailable."""
    try:
        return loaded.key.execute(inputs)
    except library().NativeError as error:
        raise failure(error) from error


@dataclass(frozen=True, slots=True)
class Trial:
    """What one verified proof took. Units: seconds, bytes; `prove_s` includes the run."""

    prove_s: float
    verify_s: float
    proof_bytes: int
    proof: bytes
    """What the native prover made, without the file around it."""


def trial(loaded: Loaded, inputs: Tensors) -> Trial:
    """A proof for job zero, made and verified as a job's: shows that the keys work, and what a
    proof costs. Raises: as `execute`, `Execution.prove` and `verify_proof`.
    """
    began = time.perf_counter()
    execution = execute(loaded, inputs, bytes(32))
    file = execution.prove(execution.ran.statement(ZERO_DIGEST, ZERO_ADDRESS)).file
    prove_s = time.perf_counter() - began
    began = time.perf_counter()
    verify_proof(file, loaded.bundle, CHECKER)
    verify_s = time.perf_counter() - began
    return Trial(prove_s, verify_s, len(file), decode_proof_file(file).proof)


def fixed_outputs(settings: Settings, outputs: list[Int32s]) -> tuple[FixedTensor, ...]:
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
        outputs = run(loaded, flat_inputs(loaded.settings, sample)).outputs()
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
    """Reports the native prover's phases, and ends it when it is no longer wanted. The prover asks
    in a thread of its own, where what is under way here is to be known too."""

    def __init__(self, limit_s: float, report: Progress, cancelled: Cancelled) -> None:
        self._limit_s = limit_s
        self._report = report
        self._cancelled = cancelled
        self._deadline = time.monotonic() + limit_s
        self._context = copy_context()

    def goes_on(self, phase: str) -> bool:
        return self._context.run(self._goes_on, phase)

    def _goes_on(self, phase: str) -> bool:
        share, words = _STAGES[phase]
        self._report(words, share)
        return self.reason() is None

    def reason(self) -> Unavailable | None:
        if self._cancelled():
            return Unavailable(Reason.PROVER_CANCELLED)
        if time.monotonic() >= self._deadline:
            return Unavailable(Reason.PROVER_TIME_LIMIT, seconds=f"{self._limit_s:g}")
        return None
