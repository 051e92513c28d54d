"""The ports of computing, and the values that pass through them.

    Executor         runs a model once: model + inputs → Execution
    Execution        that run: its outputs, which may be released as they are, and its proof
    ProofSystem      an Executor of models that it compiles, and the checker of their proofs
    ComputeBackend   where heavy work is done: processes of this machine, or of a cluster

Calls block; they run the heavy part in processes of their own and hold no event loop. A service
awaits them in a thread.

    compile   model + calibration → a directory with keys, and the model commitment
    execute   directory + input   → an execution; `prove` of it → a proof file, not yet verified
    verifier  directory           → the verifier bundle, all that a verifier needs
    check     bundle + proof file → nothing, or a rejection (this is verify.proof.ProofChecker)
    estimate  directory           → what one proof will cost
    describe                      → what a proof of this system proves

`execution.prove` makes a proof and verifies it, for who has one system and wants one file.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from inferproof.errors import ArtifactRejected, ModelRejected, ProofRejected, Reason
from inferproof.models.axes import Axes
from inferproof.models.load import load_model
from inferproof.models.loaded import LoadedModel
from inferproof.protocol.commitments import output_commitment
from inferproof.protocol.encoding import Json
from inferproof.protocol.opening import KeyOpening, Salts
from inferproof.protocol.opening_budget import Budget
from inferproof.protocol.proof_file import DisclosedInput, ProofFile
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.types.digest import Address, Digest
from inferproof.types.layer import QuantisedLayer
from inferproof.types.proof import (
    PRIVATE_STATEMENT_VERSION,
    STATEMENT_VERSION,
    Assurance,
    ModelParts,
    Statement,
    Visibility,
)
from inferproof.types.tensor import FixedTensor, Tensors
from inferproof.verify.proof import InputCommitter

Progress = Callable[[str, float], None]
"""Called with the name of a stage and the share of the whole that is done, 0 to 1."""


def no_progress(_stage: str, _share: float) -> None:
    """Reports nothing."""


Cancelled = Callable[[], bool]
"""Asked now and then by work that can be ended: whether nobody wants its result any more."""


def never() -> bool:
    """Nothing is cancelled."""
    return False


PROVE_LIMIT_S = 600.0
SPENT = "the run was proven or closed before"
"""Why there is no second proof of one execution."""
Model = TypeVar("Model", contravariant=True)


@dataclass(frozen=True, slots=True)
class SrsSource:
    """A ceremony's SRS file and the SHA-256 that pins it. Absent: a development SRS."""

    path: Path
    sha256: str


UNDECLARED: dict[str, Json] = {"kind": "tensor"}
"""The pre-processing of a model without a card: tensors as they are."""


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """What to compile: an ONNX file, or what intake made of one.

    Shapes: each calibration array is [samples, *shape of that graph input], float32.
    `max_error` bounds |quantised - float| on the calibration data relative to the largest
    float output; `preprocessing` is canonical and only enters the commitment. `profile` names
    what the soundness rests on, for systems that have a choice. `bits` and `margin` are how finely
    values are quantised, and how many times as far as on the calibration data an input may go
    before it is cut, for systems that can be told; None is what the system finds.
    `explain` asks for the report's `layers`. `axes` are sizes for what the model leaves open.
    `salts` hide graph and weights in the commitment; None draws new ones, so that compiling again
    gives another one.
    """

    model: Path | LoadedModel
    calibration: dict[str, npt.NDArray[np.float32]]
    out: Path
    visibility: Visibility = Visibility.PUBLIC
    preprocessing: dict[str, Json] = field(default_factory=lambda: dict(UNDECLARED))
    srs: SrsSource | None = None
    max_error: float = 0.05
    profile: str = "default"
    axes: Axes = field(default_factory=Axes)
    bits: int | None = None
    margin: float | None = None
    explain: bool = False
    salts: Salts | None = None

    def loaded(self) -> LoadedModel:
        """The model as intake made it. Raises: as `load_model`."""
        if isinstance(self.model, LoadedModel):
            return self.model
        return load_model(self.model, axes=self.axes)

    def committed(self, model: LoadedModel) -> dict[str, Json]:
        """The pre-processing that is committed to: that of the model's own texts goes before what
        nobody declared. Raises: ModelRejected MODEL_TEXTS_UNDECLARED.
        """
        own = model.preprocessing
        if own is None or own == self.preprocessing:
            return self.preprocessing
        if self.preprocessing != UNDECLARED:
            raise ModelRejected(Reason.MODEL_TEXTS_UNDECLARED, kind=self.preprocessing.get("kind"))
        return own


@dataclass(frozen=True, slots=True)
class CompileReport:
    """What compiling gave. Units: seconds, bytes, MB of 10^6 bytes.

    `agreement` is the share of calibration samples with the same argmax; `max_error` the
    largest |quantised - float| on those that were held out of calibration, or on all where none
    were. `samples` gave the ranges and `held_out` did not; 0 where the system does not tell.
    `notes` are what the model's provider should know, each a sentence or two; `layers` what each
    node loses and costs, where the request asked and the system can say.
    """

    commitment: Digest
    parts: ModelParts
    parameters: int
    compile_s: float
    key_bytes: int
    peak_mb: float
    max_error: float
    agreement: float
    trials: tuple[dict[str, Json | float], ...] = ()
    samples: int = 0
    held_out: int = 0
    notes: tuple[str, ...] = ()
    layers: tuple[QuantisedLayer, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """What one run of a model gave: the public values of a proof of it.

    The input is either `disclosed`, hidden behind `input_hashes`, or private under `input_root`, as
    in a proof file. Units: seconds; `load_s` is what came before the run, `run_s` the run.
    """

    model_commitment: Digest
    proof_system: str
    input_commitment: Digest
    outputs: tuple[FixedTensor, ...]
    disclosed: DisclosedInput | None
    input_hashes: tuple[bytes, ...] | None
    load_s: float
    run_s: float
    input_root: Digest | None = None

    def statement(self, job_id: Digest, provider: Address) -> Statement:
        """The statement that this run is what a provider computed for a job."""
        return Statement(
            job_id=job_id,
            model_commitment=self.model_commitment,
            input_commitment=self.input_commitment,
            output_commitment=output_commitment(self.outputs),
            proof_system=self.proof_system,
            provider=provider,
            version=STATEMENT_VERSION if self.input_root is None else PRIVATE_STATEMENT_VERSION,
        )

    @classmethod
    def of(cls, file: ProofFile, *, load_s: float, run_s: float) -> "Ran":
        """The run that a proof file is about; its job, provider and proof are not looked at."""
        statement = file.statement
        return cls(
            model_commitment=statement.model_commitment,
            proof_system=statement.proof_system,
            input_commitment=statement.input_commitment,
            outputs=file.outputs,
            disclosed=file.disclosed,
            input_hashes=file.input_hashes,
            load_s=load_s,
            run_s=run_s,
            input_root=file.input_root,
        )

    def file(self, statement: Statement, proof: bytes) -> ProofFile:
        """The proof file of this run."""
        return ProofFile(
            statement, self.outputs, proof, self.disclosed, self.input_hashes, self.input_root
        )

    def require(self, statement: Statement) -> None:
        """Returns when a statement is about this run. Raises: ProofRejected
        STATEMENT_OTHER_RUN.
        """
        own = self.statement(statement.job_id, statement.provider)
        if statement != own:
            raise ProofRejected(Reason.STATEMENT_OTHER_RUN)


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof file as it was made: nobody has verified it yet. Units: seconds, MB of 10^6 bytes.

    `prove_s` does not include the run that is proven.
    """

    file: bytes = field(repr=False)
    prove_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one proof will cost, as `inferproof calibrate` or compiling measured it."""

    prove_s: float
    verify_s: float
    peak_bytes: int
    key_bytes: int
    proof_bytes: int
    verify_gas: int


@dataclass(frozen=True, slots=True)
class Description:
    """What a proof of this system proves, in words for a receipt, and what it does not; `shows`
    says in one line what a proof shows of a run and what not, empty where nobody says so."""

    name: str
    version: str
    assurance: Assurance
    proven: str
    not_proven: str
    shows: str = ""


class Execution(Protocol):
    """One run of a model, which its proof does not repeat.

    What the proof is made of is kept until the execution is proven, which is done at most once,
    or closed.
    """

    @property
    def ran(self) -> Ran: ...

    def prove(
        self,
        statement: Statement,
        *,
        time_limit_s: float = PROVE_LIMIT_S,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> Proof:
        """The proof of this run for a statement about it (`Ran.statement`).

        Raises: ProofRejected STATEMENT_OTHER_RUN; InputRejected INPUT_BEYOND_CIRCUIT; Unavailable
        PROVER_ reasons, of which PROVER_CANCELLED and PROVER_TIME_LIMIT end the work.
        """
        ...

    def close(self) -> None:
        """Lets go of what a proof would be made of. May be called again."""
        ...


class Executor(Protocol[Model]):
    """Runs models. Of what a model is, only the executor knows: a compiled folder, or the name of
    one that runs elsewhere."""

    def execute(
        self,
        model: Model,
        inputs: Tensors,
        salt: bytes,
        *,
        time_limit_s: float = PROVE_LIMIT_S,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> Execution:
        """One run of the model. `salt` is 32 random bytes of the caller that enter the input
        commitment.

        Raises: InputRejected, ArtifactRejected, MissingPart, Unavailable as `Execution.prove`.
        """
        ...


class ProofSystem(Executor[Path], Protocol):
    """One way to prove inference. Implementations share tests/suites/proof_system_suite.py."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def supports(self, operator: str) -> bool:
        """Whether a graph may hold this ONNX operator."""
        ...

    def describe(self) -> Description: ...

    def compile(self, request: CompileRequest, progress: Progress = no_progress) -> CompileReport:
        """Writes `request.out` whole or not at all.

        Raises: ModelRejected, InputRejected (calibration), ArtifactRejected, MissingPart.
        """
        ...

    def verifier(self, artifact: Path) -> VerifierBundle:
        """The verifier bundle of a compiled model. Raises: ArtifactRejected."""
        ...

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None:
        """Returns when the proof holds for this statement digest and these instances.

        Called by inferproof.verify.proof, which has already compared commitments: here only
        the proof itself is checked, with every public value derived from `file` and
        `statement` and none taken from the proof. For hashed visibility the hashes in the
        file are public values. Raises: ProofRejected, MissingPart.
        """
        ...

    def estimate(self, artifact: Path) -> Estimate: ...


@runtime_checkable
class Evaluator(Protocol):
    """A proof system that can also run a compiled model without proving it."""

    def evaluate(
        self, artifact: Path, samples: dict[str, npt.NDArray[np.float32]]
    ) -> dict[str, npt.NDArray[np.float64]]:
        """The quantised model's outputs: what proofs of these samples would show.

        Shapes: each array of samples is [samples, *shape of that graph input], each result
        [samples, *shape of that output]. Raises: InputRejected, ArtifactRejected.
        """
        ...


@runtime_checkable
class OpeningCounter(Protocol):
    """A proof system with models whose keys may be opened so often."""

    def budget(self, artifact: Path) -> Budget | None:
        """What is known of the openings of the model's key, where proofs of this system are
        counted; None for a model that is proven without count.

        Raises: ArtifactRejected; Conflict OPENINGS_DAMAGED; Unavailable; MissingPart
        MISSING_OPENINGS.
        """
        ...

    def end_epochs(self) -> None:
        """Ends what was begun for proofs to come. Others may follow."""
        ...


@runtime_checkable
class PrivateExecutor(InputCommitter, Protocol):
    """A proof system that proves runs on private inputs too."""

    def execute_private(
        self,
        model: Path,
        inputs: Tensors,
        secret: bytes,
        *,
        time_limit_s: float = PROVE_LIMIT_S,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> Execution:
        """One run of the model on inputs that its proof does not show. `secret` is 32 random bytes
        for one job, whose attempts are counted (`proving.input_attempts`); a proof is one of them.

        Raises: as `Executor.execute`; RequestRejected PRIVATE_INPUT_UNSUPPORTED. Its `prove` raises
        also: Conflict INPUT_ATTEMPTS_SPENT, INPUT_ATTEMPTS_UNKNOWN.
        """
        ...


@runtime_checkable
class PrivacyReporter(Protocol):
    """A proof system that says what a model's key shows, where its proofs show nothing else."""

    def privacy(self, bundle: VerifierBundle) -> dict[str, Json]:
        """What is public of the model, and how much is not. Raises: ArtifactRejected;
        MissingPart."""
        ...


@dataclass(frozen=True, slots=True)
class Compared:
    """One part of a published bundle beside the same part of a model that was compiled again.

    `agrees` is None for what could not be compared: the opening keeps the part hidden, or the
    model, which is another one, does not compile. `why` says so then. `failure` tells of
    a part that is another one more than its name, where there is more to tell.
    """

    part: str
    agrees: bool | None
    why: str = ""
    failure: ArtifactRejected | None = field(default=None, compare=False)

    @classmethod
    def hidden(cls, part: str) -> "Compared":
        """A part that the opening does not open."""
        return cls(part, None, "the opening keeps it hidden")

    @classmethod
    def other(cls, part: str, reason: Reason, **facts: object) -> "Compared":
        """A part that is another one, with the sentence that says so."""
        failure = ArtifactRejected(reason, **facts)
        return cls(part, False, failure.message, failure)

    def check(self) -> None:
        """Returns when nothing more is told of the part. Raises: its failure."""
        if self.failure is not None:
            raise self.failure


@runtime_checkable
class KeyAuditor(Protocol):
    """A proof system with verifying keys that have randomness of their own, which their maker can
    open: compiled again, such a key has other bytes."""

    def compare_key(
        self, bundle: VerifierBundle, compiled: Path, opened: KeyOpening | None
    ) -> tuple[Compared, ...] | None:
        """The verifying key of the bundle, part by part, beside the model compiled again; None for
        keys that are to be equal.

        Nothing is proven, and no opening of the key is used. Raises: ArtifactRejected; MissingPart;
        Unavailable PROVER_FAILED.
        """
        ...


class ComputeBackend(Protocol):
    """Where tasks run that are heavy, block or may crash. Implementations share
    tests/suites/compute_backend_suite.py.

    A task is a function of this package, named `module:function`, that takes the arguments and a
    `Progress` and returns a JSON object; `inferproof.proving.worker` is what serves them. Paths in
    the arguments must be reachable where the task runs.

    - A task that takes longer than its limit is ended, waiting for its turn included.
    - A task that is cancelled is ended; `cancelled` is asked several times a second.
    - A worker that dies, or takes more memory than it may, costs its own task alone.
    """

    def run(
        self,
        task: str,
        args: dict[str, Any],
        *,
        time_limit_s: float,
        progress: Progress = no_progress,
        cancelled: Cancelled = never,
    ) -> dict[str, Any]:
        """What the task returns, with `peak_bytes` of its worker added.

        Raises: the task's own typed error; Unavailable PROVER_TIME_LIMIT, PROVER_CANCELLED,
        PROVER_CRASHED, PROVER_FAILED (also where memory ran out), PROVER_CLOSED.
        """
        ...

    def close(self) -> None:
        """Ends all workers; tasks in progress fail with PROVER_CRASHED."""
        ...
