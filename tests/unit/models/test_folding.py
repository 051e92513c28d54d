"""Arithmetic on shapes that is done beforehand gives what the standard says."""

import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from inferproof.models.folding import fold

OPSET = 17
FAR = 2**63 - 1
SLICES = [
    (0, 3, 1),
    (1, FAR, 2),
    (-3, -1, 1),
    # The whole list backwards, as PyTorch writes the ends of a padding.
    (-1, -FAR, -1),
    (FAR, -FAR, -2),
    (-2, 0, -1),
    (2, 2, -1),
]


def whole(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(("start", "end", "step"), SLICES)
def test_slices_of_every_direction(start: int, end: int, step: int) -> None:
    node = helper.make_node("Slice", ["x", "starts", "ends", "axes", "steps"], ["y"])
    given = [whole(*range(12)).reshape(2, 6), whole(start), whole(end), whole(1), whole(step)]
    kinds = [helper.make_tensor_value_info(name, 7, None) for name in node.input]
    graph = helper.make_graph([node], "g", kinds, [helper.make_tensor_value_info("y", 7, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    (wanted,) = ReferenceEvaluator(model).run(None, dict(zip(node.input, given, strict=True)))
    found = fold(node, OPSET, list(given))
    assert found is not None
    assert np.array_equal(found, wanted)


def test_a_step_of_0_is_left_to_the_library() -> None:
    node = helper.make_node("Slice", ["x", "starts", "ends", "axes", "steps"], ["y"])
    given = [whole(1, 2, 3), whole(0), whole(3), whole(0), whole(0)]
    assert fold(node, OPSET, list(given)) is None


@pytest.mark.parametrize("name", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
def test_comparing_floats_is_exact(name: str) -> None:
    node = helper.make_node(name, ["x", "y"], ["z"])
    x, y = np.float32([0, 7, 8, 9]), np.float32([8])
    kinds = [helper.make_tensor_value_info(given, 1, None) for given in node.input]
    graph = helper.make_graph([node], "g", kinds, [helper.make_tensor_value_info("z", 9, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    (wanted,) = ReferenceEvaluator(model).run(None, {"x": x, "y": y})
    found = fold(node, OPSET, [x, y])
    assert found is not None
    assert found.dtype == bool
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("name", ["Add", "Mul", "Div"])
def test_floats_are_not_computed(name: str) -> None:
    node = helper.make_node(name, ["x", "y"], ["z"])
    assert fold(node, OPSET, [np.float32([0.1]), np.float32([0.2])]) is None
