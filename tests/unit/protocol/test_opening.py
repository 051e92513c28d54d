"""Openings of a model's hiding commitments: each opens its own model, whole and unchanged."""

import json
from dataclasses import replace

import pytest

from inferproof.errors import ArtifactRejected, Reason
from inferproof.protocol.commitments import graph_commitment, weights_commitment
from inferproof.protocol.documents import encode_document
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.opening import (
    FORMAT,
    KeyOpening,
    ModelOpening,
    PartOpening,
    Salts,
    check_opening,
    decode_opening,
    encode_opening,
)
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import sample_bundle
from inferproof.types.digest import Digest

GRAPH = PartOpening(Digest(b"\x01" * 32), b"\x02" * 32)
WEIGHTS = PartOpening(Digest(b"\x03" * 32), b"\x04" * 32)
SAMPLE = sample_bundle()
BUNDLE = replace(
    SAMPLE,
    parts=replace(
        SAMPLE.parts,
        graph=graph_commitment(GRAPH.salt, GRAPH.digest),
        weights=weights_commitment(WEIGHTS.salt, WEIGHTS.digest),
    ),
)
KEY = KeyOpening(b"\x06" * 32, b"links of rotations")
OPENING = ModelOpening(BUNDLE.commitment, GRAPH, WEIGHTS, {"bits": None}, KEY)
OTHER = b"\x05" * 32


def _rewritten(change):
    """The opening's bytes with a changed body and a checksum that fits."""
    body = json.loads(encode_opening(OPENING))["body"]
    change(body)
    return encode_document(FORMAT, body)


@pytest.mark.parametrize(
    "opening",
    [
        OPENING,
        replace(OPENING, graph=None),
        replace(OPENING, weights=None),
        replace(OPENING, key=None),
        replace(OPENING, key=KeyOpening(b"\x07" * 32)),
    ],
    ids=["all", "not the graph", "not the weights", "not the key", "a key without rotations"],
)
def test_an_opening_opens_its_model(opening):
    assert decode_opening(encode_opening(opening)) == opening
    assert check_opening(opening, BUNDLE) == opening
    both = None not in (opening.graph, opening.weights)
    assert opening.salts == (Salts(GRAPH.salt, WEIGHTS.salt) if both else None)


def test_the_salt_hides_the_content_and_each_part_has_its_own_tag():
    assert graph_commitment(OTHER, GRAPH.digest) != graph_commitment(GRAPH.salt, GRAPH.digest)
    assert graph_commitment(OTHER, GRAPH.digest) != weights_commitment(OTHER, GRAPH.digest)
    with pytest.raises(ValueError, match="a salt is 32 bytes"):
        graph_commitment(b"", GRAPH.digest)
    with pytest.raises(ValueError, match="a salt is 32 bytes"):
        weights_commitment(b"\x01" * 31, GRAPH.digest)


def test_a_commitment_is_what_the_specification_says():
    parts = (GRAPH.salt, GRAPH.digest.raw)
    body = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    tag = keccak256(b"inferproof/model-graph/1")
    assert graph_commitment(GRAPH.salt, GRAPH.digest).raw == keccak256(tag + body)


@pytest.mark.parametrize(
    "changed",
    [replace(GRAPH, salt=OTHER), replace(GRAPH, digest=Digest(OTHER))],
    ids=["wrong salt", "another graph"],
)
def test_what_does_not_open_the_graph_is_refused(changed):
    message = "the opening does not open the commitment to the model's graph"
    with rejects(Reason.OPENING_WRONG, message, kind=ArtifactRejected):
        check_opening(replace(OPENING, graph=changed), BUNDLE)


@pytest.mark.parametrize(
    "changed",
    [replace(WEIGHTS, salt=OTHER), replace(WEIGHTS, digest=Digest(OTHER)), GRAPH],
    ids=["wrong salt", "other weights", "the graph's opening"],
)
def test_what_does_not_open_the_weights_is_refused(changed):
    message = "the opening does not open the commitment to the model's weights"
    with rejects(Reason.OPENING_WRONG, message, kind=ArtifactRejected):
        check_opening(replace(OPENING, weights=changed), BUNDLE)


def test_the_opening_of_another_model_is_refused():
    message = f"the opening is of model {BUNDLE.commitment}, not of {SAMPLE.commitment}"
    with rejects(Reason.OPENING_OTHER_MODEL, message, kind=ArtifactRejected):
        check_opening(OPENING, SAMPLE)


def test_every_flipped_bit_of_the_file_is_found():
    good = encode_opening(OPENING)
    for at in range(len(good)):
        damaged = bytearray(good)
        damaged[at] ^= 1
        with pytest.raises(ArtifactRejected):
            decode_opening(bytes(damaged))


@pytest.mark.parametrize(
    ("change", "field", "document"),
    [
        (lambda body: body.pop("graph"), "graph", FORMAT),
        (lambda body: body.update(more=1), "more", FORMAT),
        (lambda body: body["graph"].update(salt="0x00"), "salt", f"{FORMAT}.graph"),
        (lambda body: body["weights"].pop("digest"), "digest", f"{FORMAT}.weights"),
        (lambda body: body.update(options=[]), "options", FORMAT),
        (lambda body: body.pop("key"), "key", FORMAT),
        (lambda body: body["key"].update(secret="0x" + "00" * 31), "secret", f"{FORMAT}.key"),
        (lambda body: body["key"].update(links="no base64"), "links", f"{FORMAT}.key"),
        (lambda body: body["key"].update(name="0x" + "00" * 32), "name", f"{FORMAT}.key"),
    ],
)
def test_a_body_of_another_form_is_refused(change, field, document):
    with pytest.raises(ArtifactRejected) as raised:
        decode_opening(_rewritten(change))
    assert raised.value.reason is Reason.FIELD_MALFORMED
    assert raised.value.facts == {"field": field, "document": document}


def test_salts_and_digests_do_not_print_themselves():
    told = f"{OPENING!r} {OPENING.salts!r} {OPENING.key!r}"
    for secret in (GRAPH.salt, WEIGHTS.salt, GRAPH.digest.raw, WEIGHTS.digest.raw, KEY.secret):
        assert secret.hex() not in told
        assert repr(secret) not in told
