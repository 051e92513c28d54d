"""The opening of a model's hiding commitments: what shows which graph and weights they are of.

A verifier bundle names graph and weights by commitments that are salted apart (`commitments`), so
that whoever guesses a model cannot confirm the guess by them, and either can be opened without the
other. The provider keeps both salts, and hands them to whom it hands the model. Where the verifying
key has randomness of its own, the same file opens that.
Source: specs/statement.md, section "Opening of a model".
"""

from dataclasses import dataclass, field

from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.commitments import graph_commitment, weights_commitment
from inferproof.protocol.documents import decode_document, encode_document
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields, to_base64
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.types.digest import Digest

FORMAT = "inferproof/model-opening/2"
MAX_BYTES = 16 * 2**20
MAX_LINK_BYTES = 8 * 2**20
"""Fourteen links of keys, as many as rotations leave room for: of profile `conservative` they take
some 300 kilobytes each, which base64 makes a third more."""
SALT_BYTES = 32
SECRET_BYTES = 32
OPENING = "opening.json"
"""The file in the folder of whoever compiled the model; it is not copied to where models serve."""


@dataclass(frozen=True, slots=True)
class Salts:
    """The salts of a model's graph and weights, 32 bytes each from a secure source.

    Soundness: the commitments hide while these are unknown; they are never printed.
    """

    graph: bytes = field(repr=False)
    weights: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PartOpening:
    """What one commitment is made of: the digest of the graph or the weights, and the salt."""

    digest: Digest = field(repr=False)
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyOpening:
    """What the commitment under a verifying key is made again from, with the
    weights: the secret of the one that is opened now, and the links of rotations that lead to it.

    Soundness of hiding: with the secret the weights follow from enough proofs of the key.
    """

    secret: bytes = field(repr=False)
    links: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True)
class ModelOpening:
    """The opening of the commitments of a compiled model; None for what stays hidden.

    `model` is the model commitment; `options` what the model was compiled with, besides the
    calibration data and what the bundle says itself. `key` is None also where there is nothing to
    open, and in the compiled folder, where another file has it.
    """

    model: Digest
    graph: PartOpening | None
    weights: PartOpening | None
    options: dict[str, Json]
    key: KeyOpening | None = None

    @property
    def salts(self) -> Salts | None:
        """Both salts, or None where not both parts are opened."""
        if self.graph is None or self.weights is None:
            return None
        return Salts(self.graph.salt, self.weights.salt)


def check_opening(opening: ModelOpening, bundle: VerifierBundle) -> ModelOpening:
    """The same opening, once it opens the bundle's commitments.

    Raises: ArtifactRejected OPENING_OTHER_MODEL, OPENING_WRONG naming the part.
    """
    if opening.model != bundle.commitment:
        raise ArtifactRejected(
            Reason.OPENING_OTHER_MODEL, got=opening.model, expected=bundle.commitment
        )
    opened = {
        "graph": (opening.graph, graph_commitment, bundle.parts.graph),
        "weights": (opening.weights, weights_commitment, bundle.parts.weights),
    }
    for name, (part, commit, published) in opened.items():
        if part is not None and commit(part.salt, part.digest) != published:
            raise ArtifactRejected(Reason.OPENING_WRONG, part=name)
    return opening


def encode_opening(opening: ModelOpening) -> bytes:
    """The one byte form of an opening."""
    return encode_document(
        FORMAT,
        {
            "model": opening.model.hex,
            "graph": _part_json(opening.graph),
            "weights": _part_json(opening.weights),
            "options": opening.options,
            "key": _key_json(opening.key),
        },
    )


def decode_opening(data: bytes) -> ModelOpening:
    """The opening that these bytes are. Raises: ArtifactRejected with a decoding reason.

    Soundness: nothing is opened until `check_opening` compared it with a bundle.
    """
    return decode_document(data, FORMAT, _read, max_bytes=MAX_BYTES, kind=ArtifactRejected)


def _part_json(part: PartOpening | None) -> Json:
    return None if part is None else {"digest": part.digest.hex, "salt": "0x" + part.salt.hex()}


def _key_json(key: KeyOpening | None) -> Json:
    if key is None:
        return None
    return {"secret": "0x" + key.secret.hex(), "links": to_base64(key.links)}


def _read(fields: Fields) -> ModelOpening:
    opening = ModelOpening(
        model=fields.digest("model"),
        graph=fields.optional("graph", lambda name: fields.nested(name, _read_part)),
        weights=fields.optional("weights", lambda name: fields.nested(name, _read_part)),
        options=fields.take("options", dict),
        key=fields.optional("key", lambda name: fields.nested(name, _read_key)),
    )
    fields.end()
    return opening


def _read_part(fields: Fields) -> PartOpening:
    part = PartOpening(fields.digest("digest"), fields.hex_bytes("salt", length=SALT_BYTES))
    fields.end()
    return part


def _read_key(fields: Fields) -> KeyOpening:
    key = KeyOpening(
        secret=fields.hex_bytes("secret", length=SECRET_BYTES),
        links=fields.base64("links", most=MAX_LINK_BYTES),
    )
    fields.end()
    return key
