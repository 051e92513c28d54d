"""Fixed tensors keep their invariants; inputs are finite."""

import math

import numpy as np
import pytest

from inferproof.errors import Reason
from inferproof.testing.rejections import rejects
from inferproof.types.tensor import MAX_SCALE, FixedTensor, TensorSpec, require_finite


def test_values_times_scale_in_the_shape() -> None:
    array = FixedTensor("y", (2, 1), (3, -4), 0.25).to_array()
    assert array.dtype == np.float64
    assert array.tolist() == [[0.75], [-1.0]]


def test_a_scalar_has_the_empty_shape() -> None:
    assert FixedTensor("y", (), (5,), 1.0).to_array().shape == ()


def test_the_ends_of_int64_at_the_largest_scale_stay_finite() -> None:
    array = FixedTensor("y", (2,), (-(2**63), 2**63 - 1), MAX_SCALE).to_array()
    assert np.isfinite(array).all()


def test_a_subnormal_scale_is_a_scale() -> None:
    assert FixedTensor("y", (1,), (1,), 5e-324).to_array()[0] == 5e-324


@pytest.mark.parametrize(
    "scale", [0.0, -0.0, -1.0, math.nan, math.inf, math.nextafter(MAX_SCALE, math.inf)]
)
def test_a_scale_that_is_none(scale: float) -> None:
    with pytest.raises(ValueError, match="a scale is positive"):
        FixedTensor("y", (1,), (1,), scale)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_value_beyond_int64(value: int) -> None:
    with pytest.raises(ValueError, match="within int64"):
        FixedTensor("y", (1,), (value,), 1.0)


def test_as_many_values_as_the_shape_says() -> None:
    with pytest.raises(ValueError, match="as many values"):
        FixedTensor("y", (2,), (1,), 1.0)


def test_size_of_a_spec() -> None:
    assert TensorSpec("x", "float32", (2, 3)).size == 6
    assert TensorSpec("x", "float32", ()).size == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_input_that_is_not_finite_is_refused(value: float) -> None:
    tensors = {"a": np.zeros(2, np.float32), "b": np.array([0, value], np.float32)}
    with rejects(Reason.INPUT_NOT_FINITE, "input b holds a NaN or an infinity"):
        require_finite(tensors)


def test_a_finite_input_passes() -> None:
    require_finite({"a": np.array([np.finfo(np.float32).max, -0.0], np.float32)})
