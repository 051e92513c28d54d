"""What the float model can never leave, the quantised one does not leave either."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.compile import Lowering, run
from inferproof.proving.sumcheck.lower.context import Options
from suites.lowering import errors, lowered, model_of

pytestmark = pytest.mark.native

node = helper.make_node
WIDTH = 6
CONSTANTS = {
    "w": np.random.default_rng(3).normal(0, 1, (WIDTH, WIDTH)).astype(np.float32),
    "one": np.float32([1.0]),
    "two": np.float32([2.0]),
    "three": np.float32([3.0]),
    "axis": np.array([1], np.int64),
    "flat": np.array([1, 1], np.int64),
}
LAYER = [node("MatMul", ["x", "w"], ["h"])]
CASES = {
    "a sigmoid of relu": (
        [node("Relu", ["h"], ["r"]), node("Sigmoid", ["r"], ["y"])],
        (0.5, 1.0),
    ),
    "a sigmoid of a mean of relu": (
        [
            node("Relu", ["h"], ["r"]),
            node("ReduceMean", ["r"], ["m"], axes=[1], keepdims=1),
            node("Sigmoid", ["m"], ["y"]),
        ],
        (0.5, 1.0),
    ),
    "tanh": ([node("Tanh", ["h"], ["y"])], (-1.0, 1.0)),
    "softmax": ([node("Softmax", ["h"], ["y"], axis=1)], (0.0, 1.0)),
    "log softmax": ([node("LogSoftmax", ["h"], ["y"], axis=1)], (-np.inf, 0.0)),
    "softmax as it is spelled out": (
        [
            node("Exp", ["h"], ["e"]),
            node("ReduceSum", ["e", "axis"], ["s"], keepdims=1),
            node("Div", ["e", "s"], ["y"]),
        ],
        (0.0, 1.0),
    ),
    "probabilities by their logarithms": (
        [
            node("ReduceLogSumExp", ["h"], ["l"], axes=[1], keepdims=0),
            node("Reshape", ["l", "flat"], ["f"]),
            node("Sub", ["h", "f"], ["d"]),
            node("Exp", ["d"], ["y"]),
        ],
        (0.0, 1.0),
    ),
    "a mean of probabilities": (
        [
            node("Sigmoid", ["h"], ["a"]),
            node("Softmax", ["h"], ["b"], axis=1),
            node("Sigmoid", ["b"], ["d"]),
            node("Sum", ["a", "b", "d"], ["t"]),
            node("Div", ["t", "three"], ["y"]),
        ],
        (0.5 / 3, 1.0),
    ),
    "a product of probabilities": (
        [
            node("Sigmoid", ["h"], ["a"]),
            node("Sub", ["one", "a"], ["b"]),
            node("Mul", ["a", "b"], ["y"]),
        ],
        (0.0, 1.0),
    ),
    "a norm": ([node("ReduceL2", ["h"], ["y"], axes=[1], keepdims=1)], (0.0, np.inf)),
    "one over more than two": (
        [
            node("Sigmoid", ["h"], ["a"]),
            node("Add", ["a", "two"], ["b"]),
            node("Div", ["one", "b"], ["y"]),
        ],
        (1 / 3, 0.5),
    ),
}


def made_of(name: str) -> tuple[Lowering, tuple[float, float]]:
    nodes, bound = CASES[name]
    samples = np.random.default_rng(5).uniform(-2, 2, (12, 1, WIDTH)).astype(np.float32)
    used = {item for each in (*LAYER, *nodes) for item in each.input}
    constants = {key: value for key, value in CONSTANTS.items() if key in used}
    opset = 17 if "axis" in used else 12
    if any(each.op_type in ("Softmax", "LogSoftmax") for each in nodes):
        opset = 13
    model = model_of([*LAYER, *nodes], {"x": samples}, ["y"], constants, opset)
    made, measured = lowered(model, {"x": samples}, Options(weight_bits=16))
    assert errors(made, measured, {"x": samples})["y"] < 0.01
    return made, bound


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Lowering, tuple[float, float]]:
    return made_of(request.param)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_outputs_stay_within_the_hard_bound(
    case: tuple[Lowering, tuple[float, float]], data: st.DataObject
) -> None:
    made, (low, high) = case
    size = data.draw(st.sampled_from([0.001, 1.0, 4.0, 1e6]))
    values = data.draw(st.lists(st.floats(-1, 1), min_size=WIDTH, max_size=WIDTH))
    y = run(made, {"x": np.float32([values]) * np.float32(size)})["y"]
    assert low - 1e-9 <= y.min()
    assert y.max() <= high + 1e-9


def test_many_shares_are_within_0_and_1_and_add_up_to_one() -> None:
    """Of so many, lines have one division each; the sum is off as their reciprocals are."""
    count = 64
    random = np.random.default_rng(7)
    for lines, divided in ((64, (64,)), (60, (60, count))):
        x = {"x": random.normal(0, 4, (3, lines, count)).astype(np.float32)}
        nodes = [node("Softmax", ["x"], ["y"], axis=1)]
        made, _ = lowered(model_of(nodes, x, ["y"]), x)
        assert [own.shape for own in made.graph.nodes if isinstance(own.op, g.Divide)] == [divided]
        for size in (0.0, 0.01, 1.0, 6.0, 1e6):
            given = (random.normal(0, 1, (lines, count)) * size).astype(np.float32)
            y = run(made, {"x": given})["y"]
            assert 0 <= y.min() <= y.max() <= 1
            assert np.abs(y.sum(axis=1) - 1).max() <= 1.5 * count / 2**16


def test_shares_add_up_to_about_one() -> None:
    made, _ = made_of("softmax")
    for size in (0.1, 1.0, 30.0):
        x = np.random.default_rng(6).normal(0, size, (1, WIDTH)).astype(np.float32)
        assert abs(run(made, {"x": x})["y"].sum() - 1) <= WIDTH / 2**16
