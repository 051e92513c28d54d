"""Comparisons of inputs with constants, and whole parts of inputs: exactly the float model's."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from inferproof.proving.sumcheck.lower.compile import Lowering, run
from inferproof.proving.sumcheck.lower.program import read_program
from inferproof.proving.sumcheck.lower.rewrite import rewrite
from suites.lowering import assert_close, loaded, measured_of, model_of

node = helper.make_node
OPERATORS = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")
SIZES = np.array([1500.0, 3.0, 0.02], np.float32)
"""About how large each column is: in one unit for all the last would have one value."""
THRESHOLDS = np.array([700.25, 1.1, 0.0071], np.float32)


def table(rows: int = 60) -> dict[str, Any]:
    """Numbers of columns far apart, among them the thresholds and what is next to them."""
    x = np.random.default_rng(5).uniform(-1, 1, (rows, 1, 3)).astype(np.float32) * SIZES
    x[0], x[1] = SIZES, -SIZES
    for row, end in ((2, np.inf), (3, -np.inf)):
        x[row] = np.nextafter(THRESHOLDS, np.float32(end))
    x[4:8] = THRESHOLDS
    return {"x": x}


def exact(
    nodes: list[Any], samples: dict[str, Any], constants: dict[str, Any], outputs: tuple[str, ...]
) -> Lowering:
    """The lowering, once its truth values and whole numbers are ONNX Runtime's."""
    shown = [node("Cast", [name], [f"{name}_shown"], to=TensorProto.FLOAT) for name in outputs]
    names = [f"{name}_shown" for name in outputs]
    return assert_close(model_of([*nodes, *shown], samples, names, constants), samples, 0.0)


def ordered(made: Lowering) -> list[bool]:
    return [item.ordered for item in made.settings.inputs]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("first", [True, False])
def test_columns_far_apart_are_compared_exactly(operator: str, first: bool) -> None:
    names = ["x", "t"] if first else ["t", "x"]
    made = exact([node(operator, names, ["y"])], table(), {"t": THRESHOLDS}, ("y",))
    assert ordered(made) == [True]


@pytest.mark.parametrize("operator", OPERATORS)
def test_what_is_computed_is_compared_as_before(operator: str) -> None:
    samples = {"x": np.arange(-8, 8, dtype=np.float32).reshape(16, 1, 1)}
    nodes = [node("Mul", ["x", "x"], ["a"]), node(operator, ["a", "t"], ["y"])]
    made = exact(nodes, samples, {"t": np.array([9.0], np.float32)}, ("y",))
    assert ordered(made) == [False]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    "changed", ["scaled", "falling", "Neg", "Floor", "Ceil", "Round", "Cast", "from"]
)
def test_through_what_keeps_or_turns_the_order(operator: str, changed: str) -> None:
    """Some features fall where others rise; thresholds are reached."""
    signs = np.array([-0.5, 2.0, -1.0] if changed == "falling" else [0.5, 2.0, 1.0], np.float32)
    samples = {"x": (np.arange(-30, 30, dtype=np.float32) / 4).repeat(3).reshape(60, 1, 3)}
    t = np.array([-1.0, 3.0, 2.0], np.float32)
    if changed in ("scaled", "falling"):
        before = node("Mul", ["x", "signs"], ["a"])
    elif changed == "from":
        before = node("Sub", ["signs", "x"], ["a"])
    elif changed == "Cast":
        before = node("Cast", ["x"], ["a"], to=TensorProto.INT64)
        t = t.astype(np.int64)
    else:
        before = node(changed, ["x"], ["a"])
    nodes = [before, node(operator, ["a", "t"], ["y"])]
    constants = {"t": t, **({"signs": signs} if "signs" in before.input else {})}
    assert ordered(exact(nodes, samples, constants, ("y",))) == [True]


def test_one_feature_among_many_thresholds_and_equal_comparisons_once() -> None:
    """As bins are found: a column beside the ends of them all."""
    ends = np.array([-1.0, 0.25, 0.25, 1.75], np.float32)
    nodes = [
        node("Gather", ["x", "column"], ["a"], axis=1),
        *(node("Less", ["a", "ends"], [name]) for name in ("y", "z")),
    ]
    constants = {"ends": ends, "column": np.array([1], np.int64)}
    made = exact(nodes, table(), constants, ("y", "z"))
    widths = [item.shape for item in made.graph.nodes if type(item.op).__name__ == "Rescale"]
    assert (3,) in widths
    assert all(np.prod(shape) < 8 for shape in widths)


def test_an_input_that_is_read_otherwise_too_stands_there_twice() -> None:
    nodes = [
        node("Less", ["x", "t"], ["a"]),
        node("Cast", ["a"], ["b"], to=TensorProto.FLOAT),
        node("Mul", ["b", "x"], ["y"]),
    ]
    made = assert_close(model_of(nodes, table(), ["y"], {"t": THRESHOLDS}), table(), 0.001)
    assert ordered(made) == [False, True]


def test_whole_numbers_are_compared_as_they_are() -> None:
    samples = {"x": np.arange(-8, 8, dtype=np.int64).reshape(16, 1, 1)}
    constants = {"t": np.array([3], np.int64)}
    made = exact([node("Less", ["x", "t"], ["y"])], samples, constants, ("y",))
    assert ordered(made) == [False]


def test_whole_numbers_are_compared_with_fractions() -> None:
    samples = {"x": np.arange(-8, 8, dtype=np.int64).reshape(16, 1, 1)}
    nodes = [
        node("Cast", ["x"], ["a"], to=TensorProto.FLOAT),
        node("Less", ["a", "t"], ["y"]),
        node("Less", ["a", "u"], ["z"]),
    ]
    constants = {"t": np.array([2.5], np.float32), "u": np.array([2.0], np.float32)}
    assert ordered(exact(nodes, samples, constants, ("y", "z"))) == [False]


def test_thresholds_that_nothing_reaches_and_none_that_is_no_number() -> None:
    nodes = [node(operator, ["x", "t"], [operator]) for operator in OPERATORS]
    constants = {"t": np.array([1e30, -1e30, 5.0], np.float32)}
    assert ordered(exact(nodes, table(), constants, OPERATORS)) == [True]
    nodes = [node("Sqrt", ["u"], ["t"]), node("Greater", ["x", "t"], ["y"])]
    program = program_of(nodes, {"u": np.array([-1.0, 1.0, 0.01], np.float32)})
    assert [len(step.inputs) for step in program.steps] == [2]


def test_a_large_input_is_compared_in_one_form() -> None:
    samples = {"x": np.random.default_rng(1).uniform(0, 1, (2, 1, 70000)).astype(np.float32)}
    nodes = [node("Greater", ["x", "t"], ["a"]), node("ReduceSum", ["a_shown"], ["y"])]
    nodes.insert(1, node("Cast", ["a"], ["a_shown"], to=TensorProto.FLOAT))
    model = model_of(nodes, samples, ["y"], {"t": np.array([0.5], np.float32)})
    assert ordered(assert_close(model, samples, 0.001)) == [False]


@pytest.mark.parametrize("operator", ["Floor", "Ceil", "Round", "Cast"])
def test_whole_parts_of_columns_far_apart(operator: str) -> None:
    x = np.random.default_rng(2).uniform(-4, 4, (60, 1, 3)).astype(np.float32)
    x[:40] = np.round(x[:40] * 2) / 2
    near = np.round(x[::3])
    # What is next to 0 is as good as 0.
    x[::3] = np.where(near == 0, near, np.nextafter(near, np.float32(-9)))
    x[:, :, 2] *= 100
    samples = {"x": x}
    kind = {"to": TensorProto.INT64} if operator == "Cast" else {}
    nodes = [
        node("Gather", ["x", "near"], ["a"], axis=1),
        node("Gather", ["x", "far"], ["b"], axis=1),
        node(operator, ["a"], ["y"], **kind),
        node(operator, ["b"], ["z"], **kind),
    ]
    constants = {"near": np.array([0, 1], np.int64), "far": np.array([2], np.int64)}
    assert ordered(exact(nodes, samples, constants, ("y", "z"))) == [True]


def test_whole_parts_of_too_wide_a_range_are_looked_up() -> None:
    samples = {"x": np.arange(-10, 10, dtype=np.float32).reshape(20, 1, 1) * 400 + 0.5}
    made = assert_close(model_of([node("Floor", ["x"], ["y"])], samples, ["y"]), samples, 0.001)
    assert ordered(made) == [False]


@pytest.mark.parametrize(("value", "row"), [(0.5, 0), (1.999, 1), (4.0, 4), (5.9, 5)])
def test_a_table_of_which_samples_select_few_rows_is_selected_from_whole(
    value: float, row: int
) -> None:
    """What no sample selected is a category like the others."""
    samples = {"x": np.array([1.0, 2.0] * 10, np.float32).reshape(20, 1)}
    rows = np.array([0.5, -1.0, 0.25, 0.75, -0.5, 1.0], np.float32)
    nodes = [
        node("Cast", ["x"], ["a"], to=TensorProto.INT64),
        node("Gather", ["rows", "a"], ["y"], axis=0),
    ]
    made = assert_close(model_of(nodes, samples, ["y"], {"rows": rows}), samples, 0.001)
    assert ordered(made) == [True]
    found = run(made, {"x": np.array([value], np.float32)})["y"]
    # The input itself goes twice as far as in the samples.
    assert found == pytest.approx(rows[min(row, 4)], abs=0.001)


def program_of(nodes: list[Any], constants: dict[str, Any], output: str = "y") -> Any:
    model = loaded(model_of(nodes, table(), [output], constants))
    program = read_program(model, measured_of(model, table()).ranges)
    rewrite(program)
    return program


def test_what_is_multiplied_by_zeros_is_zero() -> None:
    zeros = {"t": np.zeros(3, np.float32)}
    program = program_of([node("Mul", ["x", "t"], ["y"])], zeros)
    assert not program.steps
    assert not program.constants[program.outputs[0].name].any()


def test_what_is_no_number_times_zero_is_none_either() -> None:
    zeros = {"t": np.zeros(3, np.float32)}
    program = program_of([node("Log", ["x"], ["a"]), node("Mul", ["a", "t"], ["y"])], zeros)
    assert [step.op for step in program.steps] == ["Log", "Mul"]
