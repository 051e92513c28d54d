"""A model submission: one JSON document that its provider signs.

    {"format": "inferproof/submission/2",
     "card": {the model card as JSON},
     "file": {"size": bytes of the ONNX file},
     "provider": "0x…",
     "bundle": base64 of the verifier bundle}

The file is named by no digest: who guesses it could confirm it by one. Its graph and weights are
in the bundle, hidden. Version 1 had the file's SHA-256, which is read over and shown to nobody.

The signature is over a tagged digest of the bytes as sent, so no canonical form is asked for.
The compiled model itself does not travel here: the operator puts it beside the gateway.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inferproof.errors import InferproofError, Reason, RequestRejected
from inferproof.models.card import ModelCard, parse_card
from inferproof.models.labels import labelled
from inferproof.models.show import shown
from inferproof.protocol.encoding import tagged_digest
from inferproof.protocol.fields import Fields, to_base64
from inferproof.protocol.json_text import read_json
from inferproof.protocol.signature import SigningKey, recover
from inferproof.protocol.verifier_bundle import MAX_BYTES as MAX_BUNDLE_BYTES
from inferproof.protocol.verifier_bundle import VerifierBundle, decode_bundle
from inferproof.types.digest import Address, Digest

FORMAT = "inferproof/submission/2"
OLD_FORMAT = "inferproof/submission/1"
"""What gateways hold of models that were submitted before."""
TAG = "inferproof/submission/1"
MAX_BYTES = 96 * 2**20
"""The largest verifier bundle in base64, and a card beside it."""
_NO_FOLDER = Path("/nonexistent")
"""A submitted card names files that the provider keeps; nothing is read through it."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A checked submission. `bundle_bytes` is the verifier bundle as a file."""

    card: ModelCard
    bundle: VerifierBundle
    bundle_bytes: bytes = field(repr=False)
    file_size: int
    provider: Address


def submission_digest(document: bytes) -> Digest:
    """The digest that the provider signs."""
    return tagged_digest(TAG, document)


def build_submission(
    card: dict[str, Any], bundle: bytes, file_size: int, key: SigningKey
) -> tuple[bytes, bytes]:
    """The document and its signature. `card` is the parsed TOML of the model card."""
    document = json.dumps(
        {
            "format": FORMAT,
            "card": card,
            "file": {"size": file_size},
            "provider": key.address.hex,
            "bundle": to_base64(bundle),
        },
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    ).encode()
    return document, key.sign(submission_digest(document))


def read_submission(document: bytes) -> Submission:
    """The submission in a document whose signature was checked, or will be.

    Raises: RequestRejected SUBMISSION_MALFORMED, FIELD_MALFORMED, SUBMISSION_MISMATCH;
    ModelRejected CARD_*; ArtifactRejected for the bundle.
    """
    if len(document) > MAX_BYTES:
        raise RequestRejected(
            Reason.SUBMISSION_MALFORMED, why=f"it is longer than {MAX_BYTES} bytes"
        )
    try:
        value = read_json(document)
    except ValueError:
        raise RequestRejected(Reason.SUBMISSION_MALFORMED, why="it is not JSON") from None
    fields = Fields(value, "submission")
    form = fields.text("format", most=64)
    if form not in (FORMAT, OLD_FORMAT):
        raise RequestRejected(Reason.SUBMISSION_MALFORMED, why=f"its format is not {FORMAT}")
    file = fields.child(fields.take("file", dict), "file")
    if form == OLD_FORMAT:
        file.digest("sha256")
    bundle_bytes = fields.base64("bundle", most=MAX_BUNDLE_BYTES)
    submission = Submission(
        card=parse_card(fields.take("card", dict), _NO_FOLDER),
        bundle=decode_bundle(bundle_bytes),
        bundle_bytes=bundle_bytes,
        file_size=file.integer("size"),
        provider=fields.address("provider"),
    )
    file.end()
    fields.end()
    _check_agreement(submission)
    return submission


def check_submission_signature(document: bytes, signature: bytes, provider: Address) -> None:
    """Returns when the provider signed the document.

    Raises: RequestRejected SUBMISSION_SIGNATURE.
    """
    try:
        signer = recover(submission_digest(document), signature)
    except InferproofError:
        signer = None
    if signer != provider:
        raise RequestRejected(Reason.SUBMISSION_SIGNATURE, provider=provider)


def _check_agreement(submission: Submission) -> None:
    card, parts = submission.card, submission.bundle.parts
    outputs = submission.bundle.outputs
    said = {
        "proof system": (card.proof.system, parts.proof_system),
        "input visibility": (card.proof.input_visibility, parts.visibility.value),
        "pre-processing": (card.input.type, submission.bundle.preprocessing.get("kind")),
    }
    for what, (in_card, in_bundle) in said.items():
        if in_card != in_bundle:
            raise RequestRejected(
                Reason.SUBMISSION_MISMATCH, what=what, card=in_card, bundle=in_bundle
            )
    for bound, wanted in zip(outputs, labelled(outputs, card.output), strict=True):
        if bound != wanted:
            raise RequestRejected(
                Reason.SUBMISSION_MISMATCH,
                what=f"labels of output {shown(bound.name)}",
                card=", ".join(wanted.labels),
                bundle="none",
            )
