"""Places in the order of binary32: as its bits have them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferproof.proving.sumcheck.float_order import MOST, numbers_at, places

numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
scales = st.integers(-120, 90).map(lambda power: 2.0**power)


@given(numbers, numbers, scales)
def test_a_greater_number_never_has_a_smaller_place(a: float, b: float, scale: float) -> None:
    low, high = places(np.array(sorted([a, b]), np.float32), scale)
    assert -MOST <= low <= high <= MOST
    if a != b and scale <= min(abs(a), abs(b)) and max(abs(a), abs(b)) < scale * 2**31:
        assert low < high


@given(numbers, scales)
def test_a_place_has_its_number_again(number: float, scale: float) -> None:
    (place,) = places(np.array([number], np.float32), scale)
    (back,) = numbers_at(np.array([place]), scale)
    if scale <= abs(number) < scale * 2**31:
        assert back == number
    elif abs(number) < scale:
        assert abs(back) <= abs(number) < abs(back) + scale * 2.0**-23
    assert places(np.array([back]), scale).tolist() == [place]


def test_it_is_the_bits_of_a_number_with_fewer_exponents() -> None:
    values = np.array([1.0, 1.5, 2.0, 3.0, 1e6, 2.0**30], np.float32)
    bits = values.view(np.int32).astype(np.int64)
    assert (places(values, 1.0) == bits - (126 << 23)).all()
    assert (places(-values, 1.0) == -places(values, 1.0)).all()


@pytest.mark.parametrize(
    ("number", "place"),
    [(0.0, 0), (-0.0, 0), (0.5, 2**22), (2.0**31, MOST), (-3e38, -MOST), (2.0**-24, 0)],
)
def test_the_ends(number: float, place: int) -> None:
    assert places(np.array([number]), 1.0).tolist() == [place]
