"""Private inputs on the command line: what `prove` draws or takes up, what `verify` compares."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferproof.cli.files import check_writable, read_file, write_file
from inferproof.errors import ArtifactRejected, ProofRejected, Reason
from inferproof.models.arrays import read_arrays
from inferproof.protocol.commitments import private_input_commitment
from inferproof.protocol.input_opening import (
    MAX_BYTES,
    InputOpening,
    decode_input_opening,
    encode_input_opening,
)
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.types.digest import Digest
from inferproof.verify.proof import InputCommitter

if TYPE_CHECKING:
    from inferproof.proving.openings import Openings


def inputs_of(path: Path, bundle: VerifierBundle) -> dict[str, Any]:
    """The arrays of a file; for a model of texts what its steps make of them."""
    arrays = read_arrays(path)
    if bundle.preprocessing.get("kind") != "features":
        return arrays
    from inferproof.cli.samples import features_of
    from inferproof.inference.preprocess.features import preprocess_features

    return dict(preprocess_features(features_of(bundle.preprocessing), arrays))


def begun_or_again(
    path: Path,
    bundle: VerifierBundle,
    committer: InputCommitter,
    inputs: dict[str, Any],
    job_id: Digest | None,
    openings: "Openings",
) -> InputOpening:
    """The opening in this file, for another attempt at its job; a new one, whose attempts are
    counted from now on and which is written there, where there is no file yet.

    Raises: ProofRejected PROOF_OTHER_OPENING, PROOF_OTHER_INPUT and decoding reasons;
    ArtifactRejected OPENING_OTHER_MODEL; RequestRejected FILE_ reasons; Unavailable; and as
    `InputCommitter.input_root`.
    """
    from inferproof.proving.input_attempts import begin_attempts

    def commitment(secret: bytes) -> Digest:
        root = committer.input_root(bundle, inputs, secret)
        return private_input_commitment(bundle.parts.proof_system, root)

    if path.exists():
        return _again(read_opening(path), bundle, job_id, commitment)
    secret = os.urandom(32)
    opening = InputOpening(
        job_id or Digest(os.urandom(32)), bundle.commitment, commitment(secret), secret
    )
    check_writable(path)
    begin_attempts(openings, secret)
    write_file(path, encode_input_opening(opening), owner_only=True)
    return opening


def read_opening(path: Path) -> InputOpening:
    """The opening in a file. Raises: RequestRejected FILE_ reasons; ProofRejected."""
    return decode_input_opening(read_file(path, MAX_BYTES))


def _again(
    opening: InputOpening,
    bundle: VerifierBundle,
    job_id: Digest | None,
    commitment: Callable[[bytes], Digest],
) -> InputOpening:
    if opening.model_commitment != bundle.commitment:
        raise ArtifactRejected(
            Reason.OPENING_OTHER_MODEL, got=opening.model_commitment, expected=bundle.commitment
        )
    if job_id not in (None, opening.job_id):
        raise ProofRejected(Reason.PROOF_OTHER_OPENING, got=opening.job_id, expected=job_id)
    if commitment(opening.secret) != opening.input_commitment:
        raise ProofRejected(Reason.PROOF_OTHER_INPUT)
    return opening
