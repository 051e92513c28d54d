"""Fixed-point numbers as field elements, compared with ezkl's own."""

import math
import random

import ezkl
import numpy as np
import pytest

from inferproof.proving.ezkl.field import (
    MODULUS,
    bytes_to_felt,
    felt_to_bytes,
    from_felt,
    limbs,
    quantise,
    to_felt,
)
from inferproof.proving.ezkl.layout import grow, salt_limbs
from inferproof.types.tensor import TensorSpec


@pytest.mark.parametrize("scale", [0, 7, 13])
def test_rounding_is_ezkls(scale):
    rng = random.Random(scale)  # noqa: S311 - test data
    step = 2.0**-scale
    halves = [(rng.randrange(-(10**6), 10**6) + 0.5) * step for _ in range(300)]
    edges = [math.nextafter(h, d) for h in halves[:60] for d in (-math.inf, math.inf)]
    values = [0.0, -0.0, 1e-30, *halves, *edges, *(rng.uniform(-99, 99) for _ in range(300))]
    array = np.array(values, dtype=np.float32)
    for value, got in zip(array.tolist(), quantise(array, scale), strict=True):
        assert to_felt(got) == ezkl.float_to_felt(value, scale), value


def test_halves_go_away_from_zero():
    assert quantise(np.array([0.5, -0.5, 1.5, -1.5, 0.49999997], np.float32), 0) == [
        1,
        -1,
        2,
        -2,
        0,
    ]


def test_huge_values_are_refused():
    with pytest.raises(OverflowError):
        quantise(np.array([3e38], np.float32), 7)


@pytest.mark.parametrize("value", [0, 1, -1, 2**62, -(2**62)])
def test_signed_integers_survive_the_field(value):
    assert from_felt(to_felt(value)) == value


def test_only_reduced_bytes_are_field_elements():
    felt = to_felt(-5)
    assert bytes_to_felt(felt_to_bytes(felt)) == felt
    assert bytes_to_felt((MODULUS - 1).to_bytes(32, "big")) == to_felt(-1)
    assert bytes_to_felt(MODULUS.to_bytes(32, "big")) is None


def test_limbs_are_big_endian():
    assert limbs(bytes(range(32)))[:2] == [0x0001, 0x0203]
    with pytest.raises(ValueError, match="32 bytes"):
        limbs(b"short")


@pytest.mark.parametrize(
    ("shape", "grown"),
    [
        ((5,), (21,)),
        ((1, 784), (1, 800)),
        ((1, 3, 7, 5), (1, 3, 7, 6)),
        ((1, 1, 2, 2), (1, 1, 2, 10)),
        ((1, 2, 1, 3, 1, 2, 2), (1, 2, 1, 5, 1, 2, 2)),
        ((6, 4), (6, 7)),
    ],
)
def test_an_input_grows_along_one_axis_but_never_the_batch(shape, grown):
    result = grow(TensorSpec("x", "float32", shape))
    assert result.shape == grown
    assert math.prod(grown) - math.prod(shape) >= 16


def test_values_and_salt_stand_apart_in_a_grown_input():
    grown = grow(TensorSpec("x", "float32", (1, 2, 3)))
    filled = np.array(grown.fill(list(range(1, 7)), list(range(101, 117)))).reshape(grown.shape)
    assert filled[:, :2, :3].reshape(-1).tolist() == [1, 2, 3, 4, 5, 6]
    assert sorted(filled[filled > 100].tolist()) == list(range(101, 117))
    padded = grown.pad(np.ones((1, 2, 3), np.float32))
    assert padded.shape == grown.shape
    assert padded.sum() == 6


def test_equal_inputs_get_unequal_salts():
    assert salt_limbs(bytes(32), 0) != salt_limbs(bytes(32), 1)
    assert salt_limbs(bytes(32), 0) != salt_limbs(b"\x01" * 32, 0)
