"""Verification of one proof file against one verifier bundle.

1  the proof file decodes, in its only byte form
2  the statement names the bundle's model and proof system
3  the outputs are those the model declares, and have the stated commitment
4  the input, disclosed or hashed, has the stated commitment
5  the proof holds for the statement's digest, under the version of the system that checks it
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from inferproof.errors import ProofRejected, Reason
from inferproof.protocol.commitments import (
    hashed_input_commitment,
    input_commitment,
    output_commitment,
    proof_digest,
)
from inferproof.protocol.proof_file import ProofFile, decode_proof_file
from inferproof.protocol.statement import statement_digest
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.types.digest import Digest
from inferproof.types.proof import SecurityReport, Statement, Visibility
from inferproof.types.tensor import FixedTensor, Tensors


class ProofChecker(Protocol):
    """The part of a proof system that checks; it needs no proving key.

    It refuses bundles of another version of the system, by `check_version`.
    """

    def check(self, bundle: VerifierBundle, file: ProofFile, statement: Digest) -> None: ...


@runtime_checkable
class RangeReporter(Protocol):
    """A checker that knows the range which a model's inputs are quantised in."""

    def out_of_range(self, bundle: VerifierBundle, inputs: Tensors) -> int | None:
        """How many values of the graph's inputs lie beyond the range and are cut to it; None
        where there is no range.

        Raises: ArtifactRejected. Soundness: bundle and inputs are those of a proof that
        `check` accepted, or the bundle is our own.
        """
        ...


@runtime_checkable
class SecurityReporter(Protocol):
    """A checker that can itemise how sound proofs are."""

    def security(self, bundle: VerifierBundle) -> SecurityReport | None:
        """The error terms of proofs of this model; None where nobody has counted them.

        Raises: ArtifactRejected, MissingPart.
        """
        ...


def out_of_range(checker: ProofChecker, bundle: VerifierBundle, inputs: Tensors) -> int | None:
    """How many values of the graph's inputs are cut to the model's range; None where the proof
    system has none. Raises: as `RangeReporter.out_of_range`.
    """
    return checker.out_of_range(bundle, inputs) if isinstance(checker, RangeReporter) else None


def security_of(checker: ProofChecker, bundle: VerifierBundle) -> SecurityReport | None:
    """What is proven about the soundness of this model's proofs; None where nothing is.

    Raises: as `SecurityReporter.security`.
    """
    return checker.security(bundle) if isinstance(checker, SecurityReporter) else None


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedProof:
    """A proof that held. Only `verify_proof` makes one.

    `out_of_range` counts the values of the disclosed input that were cut to the model's range;
    None where the proof system has none, or the input is not disclosed.
    """

    statement: Statement
    digest: Digest
    outputs: tuple[FixedTensor, ...]
    file: ProofFile
    out_of_range: int | None = None


def verify_proof(data: bytes, bundle: VerifierBundle, checker: ProofChecker) -> VerifiedProof:
    """The verified proof that the file holds.

    Raises: ProofRejected with the reason of the first step that fails.
    Soundness: the caller compares `bundle.commitment` with the model it asked for, and the
    statement's job id and provider with its own.
    """
    # 1
    file = decode_proof_file(data)
    statement = file.statement
    # 2
    if statement.model_commitment != bundle.commitment:
        raise ProofRejected(
            Reason.PROOF_OTHER_MODEL, got=statement.model_commitment, expected=bundle.commitment
        )
    if statement.proof_system != bundle.parts.proof_system:
        raise ProofRejected(
            Reason.PROOF_OTHER_SYSTEM,
            got=statement.proof_system,
            expected=bundle.parts.proof_system,
        )
    # 3
    if [(o.name, o.shape) for o in file.outputs] != [(s.name, s.shape) for s in bundle.outputs]:
        raise ProofRejected(Reason.PROOF_OUTPUTS_SHAPE)
    if output_commitment(file.outputs) != statement.output_commitment:
        raise ProofRejected(Reason.PROOF_OUTPUT_COMMITMENT)
    # 4
    _check_input(file, bundle)
    # 5
    checker.check(bundle, file, statement_digest(statement))
    beyond = None
    if file.disclosed is not None:
        beyond = out_of_range(checker, bundle, file.disclosed.tensors)
    return VerifiedProof(statement, proof_digest(data), file.outputs, file, beyond)


def check_version(bundle: VerifierBundle, version: str) -> None:
    """Returns when the bundle is of the version of the proof system that checks its proofs.

    The statement names no version: it is bound in the model commitment, and so is the bundle's.
    Raises: ProofRejected PROOF_OTHER_VERSION.
    """
    got = bundle.parts.proof_system_version
    if got != version:
        raise ProofRejected(
            Reason.PROOF_OTHER_VERSION,
            system=bundle.parts.proof_system,
            got=got,
            expected=version,
        )


def _check_input(file: ProofFile, bundle: VerifierBundle) -> None:
    if bundle.parts.visibility is Visibility.PUBLIC:
        if file.disclosed is None:
            raise ProofRejected(Reason.PROOF_INPUT_VISIBILITY, expected="public")
        shapes = {name: array.shape for name, array in file.disclosed.tensors.items()}
        if shapes != {s.name: s.shape for s in bundle.inputs}:
            raise ProofRejected(Reason.PROOF_INPUTS_SHAPE)
        got = input_commitment(file.disclosed.salt, file.disclosed.tensors)
    else:
        if file.input_hashes is None:
            raise ProofRejected(Reason.PROOF_INPUT_VISIBILITY, expected="hashed")
        got = hashed_input_commitment(bundle.parts.proof_system, file.input_hashes)
    if got != file.statement.input_commitment:
        raise ProofRejected(Reason.PROOF_INPUT_COMMITMENT)
