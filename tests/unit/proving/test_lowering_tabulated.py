"""Powers with an exponent for each column: one table with a part for each."""

from typing import Any

import numpy as np
import pytest
from lowering import assert_close, loaded, lowered, measured_of, model_of
from onnx import TensorProto, helper

from inferproof.proving.sumcheck.graph import Lookup
from inferproof.proving.sumcheck.lower.compile import run
from inferproof.proving.sumcheck.lower.context import Options
from inferproof.proving.sumcheck.lower.program import read_program
from inferproof.proving.sumcheck.lower.tabulate import TABULATED, tabulate

NODE = helper.make_node
POWERS = np.array([0.4, -0.7, 2.5, 1.3], np.float32)
SIZES = np.array([0.05, 1.0, 30.0, 1500.0])
ONE = np.ones(1, np.float32)
FINE = Options(weight_bits=16, activation_bits=14, table_bits=14)
Array = Any
Case = tuple[list[Any], dict[str, Array]]


def rows(samples: int = 80, middle: float = 3.0) -> Array:
    drawn = np.random.default_rng(1).uniform(-1, 1, size=(samples, 1, 4)) + middle
    return (drawn * SIZES).astype(np.float32)


def scale() -> Array:
    return np.abs((rows().astype(np.float64) + 1) ** POWERS).max(axis=(0, 1)).astype(np.float32)


def power() -> Case:
    return (
        [
            NODE("Add", ["x", "one"], ["a"]),
            NODE("Pow", ["a", "p"], ["b"]),
            NODE("Div", ["b", "s"], ["y"]),
        ],
        {"one": ONE, "p": POWERS, "s": scale()},
    )


def branches() -> Case:
    """As of Yeo and Johnson: where numbers are positive the other branch is none."""
    nodes, constants = power()
    return (
        [
            *nodes[:2],
            NODE("Sub", ["one", "x"], ["c"]),
            NODE("Pow", ["c", "p"], ["d"]),
            NODE("IsNaN", ["d"], ["n"]),
            NODE("Where", ["n", "zero", "d"], ["e"]),
            NODE("Less", ["x", "zero"], ["l"]),
            NODE("Cast", ["l"], ["f"], to=TensorProto.FLOAT),
            NODE("Mul", ["e", "f"], ["g"]),
            NODE("Not", ["l"], ["o"]),
            NODE("Cast", ["o"], ["h"], to=TensorProto.FLOAT),
            NODE("Mul", ["b", "h"], ["i"]),
            NODE("Add", ["i", "g"], ["j"]),
            NODE("Div", ["j", "s"], ["y"]),
        ],
        {**constants, "zero": np.zeros(1, np.float32)},
    )


def weighted() -> Case:
    nodes, constants = power()
    return (
        [*nodes[:2], NODE("Div", ["b", "s"], ["z"]), NODE("MatMul", ["z", "w"], ["y"])],
        {**constants, "w": np.array([[1, 2], [3, -1], [-2, 1], [1, 1]], np.float32)},
    )


@pytest.mark.parametrize("case", [power, branches, weighted])
def test_every_column_has_its_function(case: Any) -> None:
    nodes, constants = case()
    samples = {"x": rows()}
    made = assert_close(model_of(nodes, samples, ["y"], constants), samples, 0.002, FINE)
    assert sum(isinstance(node.op, Lookup) for node in made.graph.nodes) == 1
    assert len(made.settings.inputs[0].columns) == 4


def test_columns_that_are_alike_have_their_functions_too() -> None:
    samples = {"x": (rows() / SIZES).astype(np.float32)}
    nodes = [NODE("Pow", ["x", "p"], ["y"])]
    made = assert_close(model_of(nodes, samples, ["y"], {"p": POWERS}), samples, 0.002, FINE)
    assert made.settings.inputs[0].columns == ()


def test_a_row_beyond_the_table_has_its_end() -> None:
    nodes, constants = power()
    samples = {"x": rows()}
    made, _ = lowered(model_of(nodes, samples, ["y"], constants), samples, FINE)
    far, inside = (rows(1) * 0 + factor * SIZES for factor in (5.9, 4.9))
    got = [run(made, {"x": row[0].astype(np.float32)})["y"] for row in (far, inside)]
    assert np.isfinite(got[0]).all()
    exact = (inside[0] + 1) ** POWERS / scale()
    np.testing.assert_allclose(got[1], exact, atol=0.01)


def _written(nodes: list[Any], constants: dict[str, Array], samples: Array) -> list[str]:
    model = loaded(model_of(nodes, {"x": samples}, ["y"], constants))
    measured = measured_of(model, {"x": samples})
    program = read_program(model, measured.ranges)
    tabulate(program, measured.columns)
    return [step.op for step in program.steps]


def test_what_puts_columns_together_is_computed_after_the_table() -> None:
    nodes, constants = weighted()
    assert _written(nodes, constants, rows()) == ["Sub", TABULATED, "MatMul"]


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([NODE("Pow", ["x", "p"], ["y"])], {"p": np.array(1.5, np.float32)}),
        ([NODE("Log", ["x"], ["a"]), NODE("Mul", ["a", "p"], ["y"])], {"p": POWERS}),
        ([NODE("Softmax", ["x"], ["a"]), NODE("Pow", ["a", "p"], ["y"])], {"p": POWERS}),
        ([NODE("Pow", ["x", "p"], ["y"])], {"p": np.full((3, 4), POWERS)}),
    ],
)
def test_other_steps_stay_as_they_are(nodes: list[Any], constants: dict[str, Array]) -> None:
    assert _written(nodes, constants, rows()) == [node.op_type for node in nodes]


def test_few_rows_show_no_ranges_of_columns() -> None:
    nodes, constants = power()
    assert TABULATED not in _written(nodes, constants, rows(20))
