"""The statement that a proof proves, and how strong a proof is."""

from dataclasses import dataclass
from enum import StrEnum

from inferproof.types.digest import Address, Digest

STATEMENT_VERSION = 1
PRIVATE_STATEMENT_VERSION = 2
"""Of a statement about a private input, which is a type of its own."""


class Assurance(StrEnum):
    """What a receipt may claim about the execution, from weakest to strongest."""

    COMMITMENT = "commitment"
    """Digests are bound together; nothing is proven about the execution."""
    QUORUM = "quorum"
    """Validators with stake attested the result; wrong answers are punishable, not impossible."""
    ZK_INTEGRITY = "zk-integrity"
    """A proof shows that the output is the committed model's on the committed input."""
    ZK_PRIVATE = "zk-private"
    """The same, and the proof reveals nothing else of the weights, nor of an input that is not
    disclosed."""


class Visibility(StrEnum):
    """What of the input the verifier of a proof sees."""

    PUBLIC = "public"
    """The input is part of the proof file."""
    HASHED = "hashed"
    """Only a salted hash of the input is; who knows input and salt can open it."""


class AskedVisibility(StrEnum):
    """What a buyer asks for, call by call."""

    PUBLIC = "public"
    """The proof shows of the input what the model's visibility says."""
    PRIVATE = "private"
    """The statement names the root of a hiding commitment to the input, which prover and payer can
    open, and the proof shows nothing of it."""


class Setup(StrEnum):
    """Where the structured reference string of a proof system comes from."""

    NONE = "none"
    """The system needs no trusted set-up."""
    CEREMONY = "ceremony"
    """A published ceremony's, pinned by digest."""
    DEVELOPMENT = "development"
    """Made on one machine: whoever made it can forge proofs. For development only."""


@dataclass(frozen=True, slots=True)
class Statement:
    """The public claim of one proof. Its EIP-712 digest is bound inside the proof.

    `version` says whether the input is private, whatever the model's visibility is.
    Source: specs/statement.md.
    """

    job_id: Digest
    model_commitment: Digest
    input_commitment: Digest
    output_commitment: Digest
    proof_system: str
    provider: Address
    version: int = STATEMENT_VERSION

    @property
    def private_input(self) -> bool:
        """Whether the input commitment is to a root, which only prover and payer can open."""
        return self.version == PRIVATE_STATEMENT_VERSION


@dataclass(frozen=True, slots=True)
class ModelParts:
    """Everything that defines the function a proof is about; digested to the model commitment.

    `graph` and `weights` are hiding commitments, which the provider can open. `verifying_key` and
    `srs` are zero for systems that have none; `setup` is the provider's word on where the SRS comes
    from. Source: specs/statement.md.
    """

    graph: Digest
    weights: Digest
    preprocessing: Digest
    quantisation: Digest
    proof_system: str
    proof_system_version: str
    visibility: Visibility
    verifying_key: Digest
    srs: Digest
    setup: Setup


@dataclass(frozen=True, slots=True)
class ToldProof:
    """What a gateway says of a model's proofs before anything is paid; None is what it leaves open.

    `private_inputs` says whether a proof can be about a private input, `assurance` what one gives
    of the input that was asked about. A receipt shows the assurance by itself.
    """

    assurance: Assurance | None = None
    private_inputs: bool | None = None


UNTOLD = ToldProof()
"""Of a gateway that says nothing."""
RANGES = "ranges: "
"""What the names of terms begin with that are those of the proof of a key's ranges."""


@dataclass(frozen=True, slots=True)
class SecurityReport:
    """What is proven about the soundness of a model's proofs.

    Units: bits, -log2 of the probability that a false proof is accepted; `provable_bits` of all
    `terms` together. No conjecture is counted, and hash and transcript are taken as ideal.
    """

    provable_bits: float
    profile: str
    terms: tuple[tuple[str, float], ...]

    @property
    def shows_ranges(self) -> bool:
        """Whether the key shows that its weights and parameters are in their ranges, so that no
        proof is verified under one whose are not."""
        return any(name.startswith(RANGES) for name, _ in self.terms)

    @property
    def summary(self) -> str:
        """Profile and bits in a line: profile default, 100.3 provable bits."""
        return f"profile {self.profile}, {self.provable_bits:.1f} provable bits"
