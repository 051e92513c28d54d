"""Columns that a model only chooses are shown with more bits than those it computes with."""

from typing import Any

import numpy as np
import pytest
from lowering import errors, lowered, model_of
from onnx import helper

NODE = helper.make_node
SIZES = np.array([1e-3, 2.0, 3e3])
CHOSEN = NODE("Gather", ["x", "columns"], ["y"], axis=1)
Array = Any


def table(samples: int = 64) -> dict[str, Array]:
    drawn = np.random.default_rng(1).normal(size=(samples, 1, 3))
    return {"x": (drawn * SIZES).astype(np.float32)}


def worst(nodes: list[Any], constants: dict[str, Array]) -> float:
    """The largest error relative to the largest output."""
    samples = table()
    made, measured = lowered(model_of(nodes, samples, ["y"], constants), samples)
    return errors(made, measured, samples)["y"]


@pytest.mark.parametrize(
    "nodes",
    [
        [CHOSEN],
        [NODE("Transpose", ["x"], ["t"], perm=[1, 0]), NODE("Gather", ["t", "columns"], ["y"])],
        [NODE("Neg", ["x"], ["n"]), NODE("Gather", ["n", "columns"], ["y"], axis=1)],
    ],
)
def test_a_small_column_is_chosen_exactly(nodes: list[Any]) -> None:
    """Beside one of some thousands: half of the last of 28 bits is 3e-5 there, of 16 bits 0.1."""
    assert worst(nodes, {"columns": np.array([1])}) < 1e-4


def test_what_is_computed_with_has_16_bits() -> None:
    nodes = [NODE("Gather", ["x", "columns"], ["c"], axis=1), NODE("Abs", ["c"], ["y"])]
    assert worst(nodes, {"columns": np.array([1])}) > 1e-2
