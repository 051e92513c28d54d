"""The ProofSystem protocol and the values that pass through it.

Calls block; they run the heavy part in processes of their own and hold no event loop. A
service awaits them in a thread.

    compile   model + calibration → a directory with keys, and the model commitment
    prove     directory + input   → a proof file (self-checked before it is returned)
    verifier  directory           → the verifier bundle, all that a verifier needs
    check     bundle + proof file → nothing, or a rejection (this is verify.proof.ProofChecker)
    estimate  directory           → what one proof will cost
    describe                      → what a proof of this system proves
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from inferproof.protocol.encoding import Json
from inferproof.protocol.proof_file import ProofFile
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.types.digest import Address, Digest
from inferproof.types.proof import Assurance, ModelParts, Visibility
from inferproof.types.tensor import FixedTensor, Tensors

Progress = Callable[[str, float], None]
"""Called with the name of a stage and the share of the whole that is done, 0 to 1."""


def no_progress(_stage: str, _share: float) -> None:
    """Reports nothing."""


@dataclass(frozen=True, slots=True)
class SrsSource:
    """A ceremony's SRS file and the SHA-256 that pins it. Absent: a development SRS."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """What to compile.

    Shapes: each calibration array is [samples, *shape of that graph input], float32.
    `max_error` bounds |quantised - float| on the calibration data relative to the largest
    float output; `preprocessing` is canonical and only enters the commitment. `profile` names
    what the soundness rests on, and `mode` what of the run a proof shows, for systems that have a
    choice; None is the system's default mode.
    """

    model: Path
    calibration: dict[str, npt.NDArray[np.float32]]
    out: Path
    visibility: Visibility = Visibility.PUBLIC
    preprocessing: dict[str, Json] = field(default_factory=lambda: {"kind": "tensor"})
    srs: SrsSource | None = None
    max_error: float = 0.05
    profile: str = "default"
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class CompileReport:
    """What compiling gave. Units: seconds, bytes, MB of 10^6 bytes.

    `agreement` is the share of calibration samples with the same argmax; `max_error` the
    largest |quantised - float| on them.
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


@dataclass(frozen=True, slots=True)
class ProveRequest:
    """What to prove. `salt` is 32 random bytes of the caller; `time_limit_s` ends in a kill."""

    artifact: Path
    inputs: Tensors
    job_id: Digest
    provider: Address
    salt: bytes
    time_limit_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Proved:
    """A proof file that was verified after it was made. `prove_s` includes the witness."""

    file: bytes = field(repr=False)
    outputs: tuple[FixedTensor, ...]
    load_s: float
    witness_s: float
    prove_s: float
    verify_s: float
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
class SecurityReport:
    """What is proven about the soundness of a model's proofs.

    Units: bits, -log2 of the probability that a false proof is accepted; `provable_bits` of all
    `terms` together. No conjecture is counted, and hash and transcript are taken as ideal.
    """

    provable_bits: float
    profile: str
    mode: str
    terms: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Description:
    """What a proof of this system proves, in words for a receipt, and what it does not."""

    name: str
    version: str
    assurance: Assurance
    proven: str
    not_proven: str


class ProofSystem(Protocol):
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

    def prove(self, request: ProveRequest, progress: Progress = no_progress) -> Proved:
        """Raises: InputRejected, ArtifactRejected, Unavailable (time limit, worker lost)."""
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
class ModeReporter(Protocol):
    """A proof system that has several modes."""

    def mode(self, bundle: VerifierBundle) -> str:
        """The mode that the model was compiled for. Raises: ArtifactRejected."""
        ...


@runtime_checkable
class SecurityReporter(Protocol):
    """A proof system that can itemise how sound its proofs are."""

    def security(self, bundle: VerifierBundle) -> SecurityReport:
        """The error terms of proofs of this model. Raises: ArtifactRejected, MissingPart."""
        ...
