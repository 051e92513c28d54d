"""Functions of single features of columns far apart: straight pieces in the order of numbers."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from inferproof.proving.sumcheck.float_order import numbers_at, places
from inferproof.proving.sumcheck.lower.compile import Lowering, run
from suites.lowering import assert_close, lowered, model_of

node = helper.make_node
SIZES = np.array([1500.0, 3.0, 0.02], np.float32)
"""About how large each column is: in one unit for all the last would have one value."""


def table(rows: int = 60, sizes: Any = SIZES) -> dict[str, Any]:
    x = np.random.default_rng(5).uniform(0.5, 1, (rows, 1, len(sizes))).astype(np.float32)
    x[1] = 1.0
    return {"x": x * sizes}


def constants() -> dict[str, Any]:
    return {
        "powers": np.array([0.5, -0.7, 1.6], np.float32),
        "units": 1 / SIZES ** np.array([0.5, -0.7, 1.6], np.float32),
    }


POWERS = [node("Pow", ["x", "powers"], ["a"]), node("Mul", ["a", "units"], ["y"])]
"""Of one size for all columns."""


def ordered(made: Lowering) -> list[bool]:
    return [item.ordered for item in made.settings.inputs]


def test_powers_of_columns_far_apart() -> None:
    made = assert_close(model_of(POWERS, table(), ["y"], constants()), table(), 0.0005)
    assert ordered(made) == [True]


def test_columns_that_are_alike_have_one_unit() -> None:
    alike = table(sizes=np.ones(3, np.float32))
    given = {"powers": constants()["powers"]}
    model = model_of([node("Pow", ["x", "powers"], ["y"])], alike, ["y"], given)
    assert ordered(assert_close(model, alike, 0.005)) == [False]


def test_a_function_of_very_many_constants_is_computed_step_by_step() -> None:
    """Each element would be tried beside all of them."""
    nodes = [
        node("Cast", ["x"], ["a"], to=TensorProto.INT64),
        node("Gather", ["levels", "a"], ["y"], axis=0),
    ]
    for size, places_only in ((2000, True), (90000, False)):
        given = {"levels": np.arange(size, dtype=np.float32) / size}
        made, _ = lowered(model_of(nodes, table(), ["y"], given), table())
        names = {node.op.__class__.__name__ for node in made.graph.nodes}
        assert ("Divide" in names) is places_only


def test_few_samples_show_no_columns() -> None:
    few = table(rows=20)
    made, _ = lowered(model_of(POWERS, few, ["y"], constants()), few)
    assert ordered(made) == [False]


def test_what_else_reads_the_input_keeps_it() -> None:
    nodes = [*POWERS, node("ReduceSum", ["x"], ["z"])]
    made, _ = lowered(model_of(nodes, table(), ["y", "z"], constants()), table())
    assert ordered(made) == [False]


def test_sums_and_products_need_no_pieces() -> None:
    nodes = [node("Relu", ["x"], ["a"]), node("Mul", ["a", "units"], ["y"])]
    made, _ = lowered(model_of(nodes, table(), ["y"], {"units": 1 / SIZES}), table())
    assert ordered(made) == [False]


@pytest.mark.parametrize("operator", ["GreaterOrEqual", "Greater"])
def test_steps_and_what_is_between_them(operator: str) -> None:
    """As quantiles: which step an element is on, and how far; exact on both sides of a step."""
    samples = table()
    t = (SIZES * 0.75).astype(np.float32)
    samples["x"][2:4, 0] = t
    samples["x"][4, 0] = np.nextafter(t, np.float32(np.inf))
    samples["x"][5, 0] = np.nextafter(t, np.float32(-np.inf))
    nodes = [
        node(operator, ["x", "t"], ["a"]),
        node("Cast", ["a"], ["b"], to=TensorProto.INT64),
        node("Gather", ["levels", "b"], ["c"], axis=0),
        node("Mul", ["x", "units"], ["d"]),
        node("Add", ["c", "d"], ["y"]),
    ]
    given = {"t": t, "levels": np.array([-3.0, 4.0], np.float32), "units": 1 / SIZES}
    made = assert_close(model_of(nodes, samples, ["y"], given), samples, 0.0005)
    assert ordered(made) == [True]


def test_what_is_not_a_number_is_replaced_as_the_file_says() -> None:
    """log of a number below 0 beside its root, as PowerTransformer leaves out one of two."""
    samples = table()
    samples["x"][::2] *= -1
    nodes = [
        node("Log", ["x"], ["a"]),
        node("IsNaN", ["a"], ["b"]),
        node("Where", ["b", "other", "a"], ["y"]),
    ]
    given = {"other": np.array([0.5, 0.25, -0.5], np.float32)}
    made = assert_close(model_of(nodes, samples, ["y"], given), samples, 0.0005)
    assert ordered(made) == [True]


def test_beyond_its_range_a_function_stays_as_at_the_end() -> None:
    made, _ = lowered(model_of(POWERS, table(), ["y"], constants()), table())
    ends = [run(made, {"x": np.array([[c, 3.0, 0.02]], np.float32)})["y"] for c in (3000, 3e5)]
    assert np.abs(ends[0] - ends[1]).max() < 0.001
    assert ends[0][0, 0] == pytest.approx(2**0.5, abs=0.001)


def test_places_are_numbers_again() -> None:
    """What pieces are found by: a place of a constant and those beside it."""
    at = places(np.array([-1.5, 0.25, 12.37]), 2.0**-10)
    assert (np.diff(numbers_at(at + np.array([[-1], [0], [1]]), 2.0**-10), axis=0) > 0).all()
