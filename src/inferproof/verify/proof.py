"""Verification of one proof file against one verifier bundle.

1  the proof file decodes, in its only byte form
2  the statement names the bundle's model and proof system
3  the outputs are those the model declares, and have the stated commitment
4  the input, disclosed, hashed or under a root, has the stated commitment
5  the proof holds for the statement's digest, under the version of the system that checks it
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from inferproof.errors import ProofRejected, Reason
from inferproof.protocol.commitments import (
    hashed_input_commitment,
    input_commitment,
    output_commitment,
    private_input_commitment,
    proof_digest,
)
from inferproof.protocol.input_opening import InputOpening, check_same_job
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

    def security(
        self, bundle: VerifierBundle, *, private_input: bool = False
    ) -> SecurityReport | None:
        """The error terms of proofs of this model, about private inputs where it is asked for; None
        where nobody has counted them.

        Raises: ArtifactRejected, MissingPart; RequestRejected PRIVATE_INPUT_UNSUPPORTED.
        """
        ...


@runtime_checkable
class InputCommitter(Protocol):
    """A checker of proofs that may be about private inputs. Any other is asked for none."""

    def input_root(self, bundle: VerifierBundle, inputs: Tensors, secret: bytes) -> Digest:
        """The root of the commitment to these inputs that a secret of 32 bytes makes.

        Raises: InputRejected; ArtifactRejected; MissingPart; RequestRejected
        PRIVATE_INPUT_UNSUPPORTED. Soundness: as of `RangeReporter.out_of_range`.
        """
        ...


def out_of_range(checker: ProofChecker, bundle: VerifierBundle, inputs: Tensors) -> int | None:
    """How many values of the graph's inputs are cut to the model's range; None where the proof
    system has none. Raises: as `RangeReporter.out_of_range`.
    """
    return checker.out_of_range(bundle, inputs) if isinstance(checker, RangeReporter) else None


def security_of(
    checker: ProofChecker, bundle: VerifierBundle, *, private_input: bool = False
) -> SecurityReport | None:
    """What is proven about the soundness of this model's proofs, about private inputs or not; None
    where nothing is.

    Raises: as `SecurityReporter.security`.
    """
    if not isinstance(checker, SecurityReporter):
        return None
    return checker.security(bundle, private_input=private_input)


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
    if statement.private_input:
        _check_root(file, bundle, checker)
    else:
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


def check_own_input(
    proved: VerifiedProof,
    bundle: VerifierBundle,
    checker: ProofChecker,
    inputs: Tensors,
    opening: InputOpening,
) -> None:
    """Returns when a verified proof about a private input is about this one, of the payer's own.

    Raises: ProofRejected PROOF_INPUT_SHOWN, PROOF_OTHER_OPENING, PROOF_OTHER_INPUT; and as
    `InputCommitter.input_root`. Soundness: the root binds to one input (specs/private-input.md),
    and the statement to the root; so no other input has this statement.
    """
    statement = proved.statement
    if not statement.private_input or not isinstance(checker, InputCommitter):
        raise ProofRejected(Reason.PROOF_INPUT_SHOWN)
    check_same_job(opening, statement)
    root = checker.input_root(bundle, inputs, opening.secret)
    got = private_input_commitment(bundle.parts.proof_system, root)
    if got != statement.input_commitment:
        raise ProofRejected(Reason.PROOF_OTHER_INPUT)


def _check_root(file: ProofFile, bundle: VerifierBundle, checker: ProofChecker) -> None:
    # Of a system that knows no private inputs nothing would check the root.
    visibility = bundle.parts.visibility
    if file.input_root is None or not isinstance(checker, InputCommitter):
        raise ProofRejected(Reason.PROOF_INPUT_VISIBILITY, expected=visibility.value)
    if visibility is not Visibility.PUBLIC:
        raise ProofRejected(Reason.PROOF_INPUT_VISIBILITY, expected=visibility.value)
    got = private_input_commitment(bundle.parts.proof_system, file.input_root)
    if got != file.statement.input_commitment:
        raise ProofRejected(Reason.PROOF_INPUT_COMMITMENT)


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
