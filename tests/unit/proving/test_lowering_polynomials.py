"""Rows of which a model computes a polynomial: the whole is composed before it is rounded."""

from typing import Any

import numpy as np
import pytest
from lowering import assert_close, loaded, lowered, measured_of, model_of
from onnx import helper

from inferproof.proving.sumcheck.graph import Linear
from inferproof.proving.sumcheck.lower import polynomials
from inferproof.proving.sumcheck.lower.compose import compose
from inferproof.proving.sumcheck.lower.context import Options
from inferproof.proving.sumcheck.lower.program import Program, read_program
from inferproof.proving.sumcheck.lower.rewrite import rewrite

NODE = helper.make_node
COLUMNS, VECTORS = 5, 40
SIZES = np.array([0.02, 1.0, 30.0, 1200.0, 0.3])
FINE = Options(weight_bits=16, activation_bits=14, table_bits=14)
Array = Any
Case = tuple[list[Any], dict[str, Array]]


def rows(samples: int = 80, seed: int = 1) -> Array:
    drawn = np.random.default_rng(seed).normal(size=(samples, 1, COLUMNS)) + 4.0
    return (drawn * SIZES).astype(np.float32)


VECTOR = rows(VECTORS, 2)[:, 0]
SHARES = np.random.default_rng(3).normal(size=(VECTORS, 2)).astype(np.float32)
MEANS = rows(3, 4).reshape(1, 3, COLUMNS)
SPREADS = np.broadcast_to(np.square(SIZES) * 0.1, MEANS.shape).astype(np.float32)
ONES = np.ones((COLUMNS, 1), np.float32)


def linear_kernel() -> Case:
    """x · yᵀ for every vector y, then the weighted sum: small beside its terms."""
    shares = SHARES - SHARES.mean(axis=0)
    return (
        [NODE("MatMul", ["x", "v"], ["k"]), NODE("MatMul", ["k", "s"], ["y"])],
        {"v": np.ascontiguousarray(VECTOR.T), "s": shares},
    )


def centred_kernel() -> Case:
    nodes, constants = linear_kernel()
    means = (VECTOR @ VECTOR.T).mean(axis=0)
    return (
        [
            nodes[0],
            NODE("Sub", ["k", "m"], ["c"]),
            NODE("ReduceMean", ["k"], ["r"], axes=[1], keepdims=1),
            NODE("Sub", ["c", "r"], ["d"]),
            NODE("Neg", ["d"], ["n"]),
            NODE("Gemm", ["n", "s", "b"], ["y"], alpha=0.5, beta=2.0),
        ],
        {**constants, "m": means.astype(np.float32), "b": np.array([3.0, -4.0], np.float32)},
    )


def density() -> Case:
    """Of naive Bayes, before its logarithms are added."""
    return (
        [
            NODE("Reshape", ["x", "shape"], ["r"]),
            NODE("Sub", ["r", "m"], ["d"]),
            NODE("Pow", ["d", "two"], ["q"]),
            NODE("Div", ["q", "v"], ["w"]),
            NODE("ReduceSum", ["w", "axes"], ["y"], keepdims=0),
        ],
        {
            "shape": np.array([-1, 1, COLUMNS]),
            "m": MEANS,
            "two": np.array(2.0, np.float32),
            "v": SPREADS,
            "axes": np.array([2]),
        },
    )


def distances() -> Case:
    """|x|² - 2 x · y + |y|², times what makes the kernel's exponent of it."""
    return (
        [
            NODE("Mul", ["x", "x"], ["q"]),
            NODE("MatMul", ["q", "ones"], ["n"]),
            NODE("MatMul", ["x", "v"], ["p"]),
            NODE("Mul", ["p", "two"], ["t"]),
            NODE("Sub", ["n", "t"], ["d"]),
            NODE("Add", ["d", "o"], ["e"]),
            NODE("Mul", ["e", "g"], ["z"]),
            NODE("Exp", ["z"], ["y"]),
        ],
        {
            "ones": ONES,
            "v": np.ascontiguousarray(VECTOR.T),
            "two": np.array(2.0, np.float32),
            "o": np.square(VECTOR.astype(np.float64)).sum(axis=1).astype(np.float32),
            "g": np.array(-2e-7, np.float32),
        },
    )


def chosen_columns() -> Case:
    """Two parts of a row, each scaled, side by side and then weighted."""
    return (
        [
            NODE("Gather", ["x", "first"], ["a"], axis=1),
            NODE("Gather", ["x", "rest"], ["b"], axis=1),
            NODE("Div", ["b", "u"], ["c"]),
            NODE("Concat", ["a", "c"], ["d"], axis=1),
            NODE("MatMul", ["d", "w"], ["y"]),
        ],
        {
            "first": np.array([4, 0]),
            "rest": np.array([3, 1, 2]),
            "u": SIZES[[3, 1, 2]].astype(np.float32),
            "w": (np.ones((COLUMNS, 2)) / [[0.3], [0.02], [1], [1], [1]]).astype(np.float32),
        },
    )


COMPOSED = {
    "linear kernel": (linear_kernel, 1),
    "centred kernel": (centred_kernel, 1),
    "density": (density, 2),
    "distances": (distances, 2),
    "chosen columns": (chosen_columns, 1),
}


def composed(nodes: list[Any], constants: dict[str, Array], outputs: list[str]) -> Program:
    samples = {"x": rows()}
    model = loaded(model_of(nodes, samples, outputs, constants))
    measured = measured_of(model, samples)
    program = read_program(model, measured.ranges)
    rewrite(program)
    compose(program, measured.columns)
    return program


@pytest.mark.parametrize("name", COMPOSED)
def test_a_polynomial_is_as_exact_as_its_columns(name: str) -> None:
    case, products = COMPOSED[name]
    nodes, constants = case()
    samples = {"x": rows()}
    made = assert_close(model_of(nodes, samples, ["y"], constants), samples, 0.002, FINE)
    assert sum(isinstance(node.op, Linear) for node in made.graph.nodes) == products


def test_coefficients_are_those_of_the_whole() -> None:
    nodes, constants = linear_kernel()
    program = composed(nodes, constants, ["y"])
    (step,) = program.steps
    exact = constants["v"].astype(np.float64) @ constants["s"].astype(np.float64)
    np.testing.assert_allclose(program.constants[step.inputs[1]], exact, rtol=1e-12)


def test_a_product_that_would_be_larger_is_left_in_two() -> None:
    """As one through a narrow middle."""
    wide = np.ones((300, 2), np.float32)
    nodes = [NODE("MatMul", ["x", "a"], ["m"]), NODE("MatMul", ["m", "b"], ["y"])]
    samples = {"x": np.ones((40, 1, 300), np.float32)}
    made, _ = lowered(model_of(nodes, samples, ["y"], {"a": wide, "b": wide.T.copy()}), samples)
    assert sum(isinstance(node.op, Linear) for node in made.graph.nodes) == 2


def test_what_others_read_is_computed_once() -> None:
    nodes, constants = linear_kernel()
    more = [
        *nodes,
        NODE("Tanh", ["y"], ["t"]),
        NODE("MatMul", ["y", "s2"], ["z"]),
        NODE("Neg", ["y"], ["n"]),
    ]
    second = {"s2": np.ones((2, 2), np.float32)}
    program = composed(more, {**constants, **second}, ["y", "t", "z", "n"])
    reads = {step.op: step.inputs[0] for step in program.steps if step.outputs[0] != "y"}
    assert reads == {"Tanh": "y", "MatMul": "y", "Neg": "y"}


@pytest.mark.parametrize(
    "nodes",
    [
        # A distance in one unit: its differences are exact, and small ones are small.
        [
            NODE("Sub", ["x", "m"], ["d"]),
            NODE("ReduceSumSquare", ["d"], ["q"], axes=[1]),
            NODE("Sqrt", ["q"], ["y"]),
        ],
        # Squares of sums of columns have mixed terms.
        [
            NODE("MatMul", ["x", "w"], ["p"]),
            NODE("Mul", ["p", "p"], ["q"]),
            NODE("MatMul", ["q", "w"], ["y"]),
        ],
        [
            NODE("MatMul", ["x", "w"], ["p"]),
            NODE("Relu", ["p"], ["q"]),
            NODE("MatMul", ["q", "w"], ["y"]),
        ],
        [
            NODE("Mul", ["x", "x"], ["p"]),
            NODE("Mul", ["p", "x"], ["q"]),
            NODE("MatMul", ["q", "w"], ["y"]),
        ],
        [NODE("Div", ["m", "x"], ["q"]), NODE("MatMul", ["q", "w"], ["y"])],
    ],
)
def test_other_steps_stay_as_they_are(nodes: list[Any]) -> None:
    constants = {"m": MEANS[0, 0], "w": np.eye(COLUMNS, dtype=np.float32) + 1}
    used = {name for node in nodes for name in node.input}
    program = composed(nodes, {n: a for n, a in constants.items() if n in used}, ["y"])
    assert [step.op for step in program.steps] == [node.op_type for node in nodes]


def test_beyond_a_bound_in_all_steps_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of thousands of steps on a wide row would else fill the memory."""
    nodes, constants = linear_kernel()
    monkeypatch.setattr(polynomials, "MOST_IN_ALL", COLUMNS * COLUMNS + COLUMNS * VECTORS)
    assert [step.op for step in composed(nodes, constants, ["y"]).steps] == ["MatMul", "MatMul"]
    room = COLUMNS * (COLUMNS + VECTORS + constants["s"].shape[1])
    monkeypatch.setattr(polynomials, "MOST_IN_ALL", room)
    assert [step.op for step in composed(nodes, constants, ["y"]).steps] == ["Gemm"]
