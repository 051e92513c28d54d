"""Hostile files: only typed rejections escape, every flipped bit is noticed, and nothing is
allocated for sizes that a header merely claims."""

import base64
import copy
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferproof.errors import InferproofError, Rejection
from inferproof.protocol.documents import encode_document
from inferproof.protocol.encoding import parse_canonical_json
from inferproof.protocol.input_opening import decode_input_opening, encode_input_opening
from inferproof.protocol.opening import (
    KeyOpening,
    ModelOpening,
    PartOpening,
    decode_opening,
    encode_opening,
)
from inferproof.protocol.proof_file import (
    MAX_TENSOR_ELEMENTS,
    decode_proof_file,
    encode_proof_file,
)
from inferproof.protocol.receipt import decode_receipt_file, encode_receipt_file
from inferproof.protocol.verifier_bundle import decode_bundle, encode_bundle
from inferproof.proving.opening import axes_in
from inferproof.testing.samples import (
    PAYMENTS,
    PRIVATE_REQUEST,
    Sample,
    SampleChecker,
    sample_bundle,
    sample_receipt,
    sample_tools,
)
from inferproof.types.proof import Assurance, Visibility
from inferproof.verify.policy import Policy
from inferproof.verify.proof import verify_proof
from inferproof.verify.receipt import verify_receipt

OPEN = Policy(minimum_assurance=Assurance.COMMITMENT)
PROOF, BUNDLE, RECEIPT = Sample().proof(), encode_bundle(sample_bundle()), sample_receipt()
PRIVATE = Sample(request=PRIVATE_REQUEST)
HASHED = Sample(bundle=sample_bundle(visibility=Visibility.HASHED)).proof()

OPENING = encode_opening(
    ModelOpening(
        sample_bundle().commitment,
        PartOpening(sample_bundle().parts.graph, b"\x01" * 32),
        PartOpening(sample_bundle().parts.weights, b"\x02" * 32),
        {
            "axes": {"batch": 2, "named": {"tokens": 4}},
            "bits": 12,
            "margin": "2.5",
            "max_error": "0.05",
            "profile": "default",
        },
        KeyOpening(b"\x03" * 32, b"links"),
    )
)


def _opening(data: bytes) -> ModelOpening:
    """The opening with its options, which are read apart."""
    opening = decode_opening(data)
    axes_in(opening)
    return opening


KINDS: dict[str, tuple[bytes, Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "proof": (PROOF, decode_proof_file, encode_proof_file),
    "hashed proof": (HASHED, decode_proof_file, encode_proof_file),
    "private proof": (PRIVATE.proof(), decode_proof_file, encode_proof_file),
    "input opening": (
        encode_input_opening(PRIVATE.opening()),
        decode_input_opening,
        encode_input_opening,
    ),
    "private receipt": (
        sample_receipt(PRIVATE),
        partial(decode_receipt_file, parts=PAYMENTS),
        encode_receipt_file,
    ),
    "bundle": (BUNDLE, decode_bundle, encode_bundle),
    "opening": (OPENING, _opening, encode_opening),
    "receipt": (RECEIPT, partial(decode_receipt_file, parts=PAYMENTS), encode_receipt_file),
}
kinds = pytest.mark.parametrize("kind", KINDS)


def _refused(decode: Callable[[bytes], Any], data: bytes) -> bool:
    try:
        decode(data)
    except InferproofError:
        return True
    return False


@kinds
@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_bytes(kind: str, data: bytes) -> None:
    assert _refused(KINDS[kind][1], data)


@kinds
@given(st.data())
@settings(max_examples=100)
def test_bytes_cut_doubled_or_written_over(kind: str, data: st.DataObject) -> None:
    whole, decode, _encode = KINDS[kind]
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    middle = data.draw(st.binary(max_size=8) | st.just(whole[start:end] * 2))
    broken = whole[:start] + middle + whole[end:]
    assert broken == whole or _refused(decode, broken)


def _flips(data: bytes, step: int) -> Any:
    for bit in range(0, 8 * len(data), step):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        yield bytes(broken)


@kinds
def test_every_flipped_bit_is_noticed(kind: str) -> None:
    whole, decode, _encode = KINDS[kind]
    step = 1 if len(whole) < 2000 else 23
    assert all(_refused(decode, broken) for broken in _flips(whole, step))


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from([0, 1, 2**24, 2**24 + 1, 2**31, 2**32, 2**63, 2**64 - 1]),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
    st.sampled_from(
        ["0x", "0x" + "00" * 8, "0x" + "ff" * 8, "0x7ff0000000000000", "0x" + "f" * 64]
    ),
    st.binary(max_size=40).map(lambda b: base64.b64encode(b).decode()),
    st.lists(st.sampled_from([0, 1, 2, 3, 2**12, 2**24, -1, True]), max_size=17),
    st.builds(dict),
    st.lists(st.builds(dict), max_size=3),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else []
    if isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        found += _places(item, (*path, key))
    return found


def _document(data: bytes) -> Any:
    return parse_canonical_json(data, max_bytes=len(data))


PLACES = {kind: _places(_document(whole)["body"]) for kind, (whole, _, _) in KINDS.items()}


@kinds
@given(st.data())
@settings(max_examples=120)
def test_fields_written_over_with_the_checksum_made_right(kind: str, data: st.DataObject) -> None:
    whole, decode, encode = KINDS[kind]
    document = _document(whole)
    body = copy.deepcopy(document["body"])
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(PLACES[kind]))
        here = body
        try:
            for step in path[:-1]:
                here = here[step]
            _ = here[path[-1]]
            here[path[-1]] = data.draw(ODD)
        except (KeyError, IndexError, TypeError):
            continue
    text = encode_document(document["format"], body)
    try:
        read = decode(text)
    except Rejection:
        return
    assert encode(read) == text
    if kind in ("proof", "private proof"):
        assert text == whole or _refused(
            lambda d: verify_proof(d, sample_bundle(), SampleChecker()), text
        )
    if kind in ("receipt", "private receipt"):
        try:
            verify_receipt(text, OPEN, sample_tools())
        except InferproofError:
            return
        body["request"] = document["body"]["request"]
        assert body == document["body"]


BOMB_SHAPES = [
    [2**24],
    [2**12, 2**12],
    [0, 2**24, 2**24, 2**24],
    [2**24] * 16,
    [2**63],
    [2**64 - 1],
    [1] * 16,
    [],
]


@pytest.mark.parametrize("shape", BOMB_SHAPES, ids=str)
@pytest.mark.parametrize("where", ["outputs", "disclosed"])
def test_a_claimed_size_allocates_nothing(shape: list[int], where: str) -> None:
    body = _document(PROOF)["body"]
    tensor = body["outputs"][0] if where == "outputs" else body["disclosed"]["tensors"][0]
    tensor["shape"] = shape
    tensor["values" if where == "outputs" else "data"] = ""
    data = encode_document("inferproof/proof/1", body)
    tracemalloc.start()
    try:
        assert _refused(decode_proof_file, data)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_the_largest_shape_in_a_bundle_allocates_nothing() -> None:
    body = _document(BUNDLE)["body"]
    body["inputs"][0]["shape"] = [MAX_TENSOR_ELEMENTS]
    tracemalloc.start()
    try:
        assert _refused(decode_bundle, encode_document("inferproof/verifier/1", body))
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


@given(st.binary(min_size=1, max_size=64), st.integers(0, 2**32))
@settings(max_examples=50)
def test_any_change_of_an_attached_proof(noise: bytes, at: int) -> None:
    body = _document(RECEIPT)["body"]
    start = at % len(PROOF)
    changed = PROOF[:start] + noise + PROOF[start + len(noise) :]
    body["proof"] = base64.b64encode(changed).decode()
    data = encode_document("inferproof/receipt/1", body)
    assert changed == PROOF or _refused(lambda d: verify_receipt(d, OPEN, sample_tools()), data)
