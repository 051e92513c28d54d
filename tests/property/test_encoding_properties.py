"""Canonical JSON and tagged digests, on values nobody thought of."""

import json
import math
import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inferproof.errors import RequestRejected
from inferproof.protocol.encoding import (
    MAX_JSON_INT,
    MIN_JSON_INT,
    canonical_json,
    encode_fixed_tensor,
    encode_tensor,
    is_json_shallow,
    parse_canonical_json,
    tagged_digest,
)
from inferproof.types.tensor import MAX_SCALE, FixedTensor

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(MIN_JSON_INT, MAX_JSON_INT) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
PARTS = st.lists(st.binary(max_size=8), max_size=5)
LIMIT = 1 << 20


@given(VALUES)
def test_a_value_reads_back(value: object) -> None:
    text = canonical_json(value)  # type: ignore[arg-type]
    assert parse_canonical_json(text, max_bytes=LIMIT) == value
    assert text.isascii()


@given(VALUES)
def test_the_order_of_keys_does_not_matter(value: object) -> None:
    def turned(v: object) -> object:
        if isinstance(v, dict):
            return {k: turned(v[k]) for k in reversed(v)}
        return [turned(i) for i in v] if isinstance(v, list) else v

    assert canonical_json(turned(value)) == canonical_json(value)  # type: ignore[arg-type]


@given(VALUES)
def test_another_text_of_the_same_value_is_refused(value: object) -> None:
    text = canonical_json(value)  # type: ignore[arg-type]
    for other in (
        json.dumps(value, sort_keys=True, indent=1).encode(),
        json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(),
        json.dumps(value, sort_keys=True).encode("utf-16"),
        text + b" ",
        b" " + text,
    ):
        assert other == text or _refused(other)


@given(st.binary(max_size=64))
def test_any_bytes_are_refused_or_canonical(data: bytes) -> None:
    assert _refused(data) or canonical_json(parse_canonical_json(data, max_bytes=64)) == data


@given(st.text('[]{}",:\\1ae \n', max_size=60))
def test_near_json_is_refused_or_canonical(text: str) -> None:
    data = text.encode()
    assert _refused(data) or canonical_json(parse_canonical_json(data, max_bytes=64)) == data


def _refused(data: bytes) -> bool:
    try:
        parse_canonical_json(data, max_bytes=LIMIT)
    except RequestRejected:
        return True
    return False


@given(VALUES, st.integers(0, 12))
def test_depth_is_counted_right(value: object, most: int) -> None:
    def depth(v: object) -> int:
        items = list(v.values()) if isinstance(v, dict) else v
        if not isinstance(items, list):
            return 0
        return 1 + max(map(depth, items), default=0)

    text = canonical_json(value)  # type: ignore[arg-type]
    assert is_json_shallow(text, most) is (depth(value) <= most)


@given(PARTS, PARTS)
def test_another_split_is_another_digest(one: list[bytes], other: list[bytes]) -> None:
    assert (tagged_digest("t", *one) == tagged_digest("t", *other)) is (one == other)


@given(st.binary(max_size=16), st.integers(0, 16), st.integers(0, 16))
def test_no_two_cuts_of_one_text_share_a_digest(data: bytes, a: int, b: int) -> None:
    cuts = [[data[:a], data[a:]], [data[:b], data[b:]]]
    assert (tagged_digest("t", *cuts[0]) == tagged_digest("t", *cuts[1])) is (cuts[0] == cuts[1])


@given(TEXT, TEXT, PARTS)
def test_another_tag_is_another_digest(one: str, other: str, parts: list[bytes]) -> None:
    assert (tagged_digest(one, *parts) == tagged_digest(other, *parts)) is (one == other)


FLOATS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=0, max_dims=3, max_side=3),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


@given(TEXT, FLOATS, TEXT, FLOATS)
def test_tensors_share_an_encoding_only_when_equal(
    one: str, a: np.ndarray, other: str, b: np.ndarray
) -> None:
    same = one == other and a.shape == b.shape and bool(np.array_equal(a, b))
    assert (encode_tensor(one, a) == encode_tensor(other, b)) is same


FIXED = st.builds(
    lambda name, values, scale: FixedTensor(name, (len(values),), tuple(values), scale),
    TEXT,
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
    st.floats(min_value=0, max_value=MAX_SCALE, exclude_min=True),
)


@given(FIXED, FIXED)
def test_outputs_share_an_encoding_only_when_equal(a: FixedTensor, b: FixedTensor) -> None:
    assert (encode_fixed_tensor(a) == encode_fixed_tensor(b)) is (a == b)


@given(FIXED)
def test_outputs_are_finite_whatever_their_scale(tensor: FixedTensor) -> None:
    assert np.isfinite(tensor.to_array()).all()


@given(st.binary(min_size=8, max_size=8))
def test_any_eight_bytes_are_a_scale_or_refused(data: bytes) -> None:
    (scale,) = struct.unpack(">d", data)
    try:
        tensor = FixedTensor("y", (1,), (2**63 - 1,), scale)
    except ValueError:
        assert math.isnan(scale) or not 0 < scale <= MAX_SCALE
    else:
        assert np.isfinite(tensor.to_array()).all()
