"""Tables whose columns are far apart: each has a unit of its own."""

from typing import Any

import numpy as np
import pytest
from lowering import assert_close, lowered, model_of
from onnx import helper

from inferproof.models.measure import column_ranges
from inferproof.proving.sumcheck.lower.compile import run
from inferproof.proving.sumcheck.lower.context import Options

NODE = helper.make_node
COLUMNS = 6
SIZES = np.array([1e-4, 1.0, 40.0, 3e4, 2e-3, 5e6])
FINE = Options(weight_bits=16, activation_bits=14, table_bits=14)
Array = Any


def table(samples: int = 120, offset: float = 0.0, seed: int = 1) -> dict[str, Array]:
    rows = np.random.default_rng(seed).normal(size=(samples, 2, COLUMNS)) + offset
    return {"x": (rows * SIZES).astype(np.float32)}


def weights(outputs: int = 3, seed: int = 2) -> Array:
    """What gives every column a say."""
    drawn = np.random.default_rng(seed).normal(size=(COLUMNS, outputs))
    return (drawn / SIZES[:, None]).astype(np.float32)


ROW = np.random.default_rng(3).normal(size=COLUMNS).astype(np.float32)
FORMS: dict[str, tuple[list[Any], dict[str, Array]]] = {
    "product": ([NODE("MatMul", ["x", "w"], ["y"])], {"w": weights()}),
    "biased": (
        [NODE("MatMul", ["x", "w"], ["p"]), NODE("Add", ["p", "b"], ["y"])],
        {"w": weights(), "b": ROW[:3]},
    ),
    "gemm": (
        [NODE("Gemm", ["x", "w", "b"], ["y"], alpha=0.5, beta=2.0, transB=1)],
        {"w": np.ascontiguousarray(weights().T), "b": ROW[:3]},
    ),
    "scaled": (
        [
            NODE("Sub", ["x", "m"], ["c"]),
            NODE("Mul", ["c", "s"], ["z"]),
            NODE("MatMul", ["z", "w"], ["y"]),
        ],
        {
            "m": (ROW * SIZES).astype(np.float32),
            "s": (ROW / SIZES).astype(np.float32),
            "w": weights() * SIZES[:, None].astype(np.float32),
        },
    ),
    "divided": (
        [
            NODE("Identity", ["x"], ["i"]),
            NODE("Sub", ["m", "i"], ["c"]),
            NODE("Div", ["c", "s"], ["z"]),
            NODE("Tanh", ["z"], ["y"]),
        ],
        {"m": (ROW * SIZES).astype(np.float32), "s": SIZES.astype(np.float32)},
    ),
    "shared": (
        [
            NODE("Div", ["x", "s"], ["z"]),
            NODE("MatMul", ["z", "w"], ["p"]),
            NODE("MatMul", ["z", "v"], ["q"]),
            NODE("Sigmoid", ["q"], ["g"]),
            NODE("Mul", ["p", "g"], ["y"]),
        ],
        {
            "s": SIZES.astype(np.float32),
            "w": weights() * SIZES[:, None].astype(np.float32),
            "v": weights(seed=4) * SIZES[:, None].astype(np.float32),
        },
    ),
    "imputed": (
        [
            NODE("IsNaN", ["x"], ["missing"]),
            NODE("Where", ["missing", "m", "x"], ["filled"]),
            NODE("MatMul", ["filled", "w"], ["y"]),
        ],
        {"m": (ROW * SIZES).astype(np.float32), "w": weights()},
    ),
    "an output too": (
        [
            NODE("Mul", ["x", "s"], ["z"]),
            NODE("Add", ["z", "m"], ["y"]),
        ],
        {"s": (1 / SIZES).astype(np.float32), "m": ROW},
    ),
    "without one of them": (
        [NODE("Mul", ["x", "s"], ["z"]), NODE("Add", ["z", "m"], ["y"])],
        {"s": np.where(np.arange(COLUMNS) == 2, 0, 1 / SIZES).astype(np.float32), "m": ROW},
    ),
}


@pytest.mark.parametrize("offset", [0.0, 30.0])
@pytest.mark.parametrize("name", FORMS)
def test_every_column_keeps_its_say(name: str, offset: float) -> None:
    nodes, constants = FORMS[name]
    samples = table(offset=offset)
    made = assert_close(model_of(nodes, samples, ["y"], constants), samples, 0.004, FINE)
    (item,) = made.settings.inputs
    assert len(item.columns) == COLUMNS
    assert max(item.columns) > 20 > min(item.columns) == 0


@pytest.mark.parametrize(
    "nodes",
    [
        [NODE("Softmax", ["x"], ["y"], axis=1)],
        [NODE("Mul", ["x", "x"], ["y"])],
        [NODE("MatMul", ["x", "w"], ["p"]), NODE("Mul", ["x", "x"], ["y"])],
        [NODE("Identity", ["x"], ["y"]), NODE("MatMul", ["x", "w"], ["p"])],
    ],
)
def test_what_reads_columns_together_reads_them_in_one_unit(nodes: list[Any]) -> None:
    samples = table()
    outputs = ["y", "p"] if len(nodes) > 1 else ["y"]
    model = model_of(nodes, samples, outputs, {"w": weights()} if len(nodes) > 1 else {})
    made, _ = lowered(model, samples, FINE)
    assert made.settings.inputs[0].columns == ()


def test_columns_that_are_alike_have_one_unit() -> None:
    samples = {"x": (table()["x"] / SIZES * np.linspace(1, 9, COLUMNS)).astype(np.float32)}
    model = model_of([NODE("MatMul", ["x", "w"], ["y"])], samples, ["y"], {"w": weights()})
    made, _ = lowered(model, samples, FINE)
    assert made.settings.inputs[0].columns == ()


def test_a_column_that_few_samples_show_is_not_cut_short() -> None:
    """Such as a word that is mostly absent, or one that no sample had."""
    rows = np.zeros((100, 3))
    rows[:, 0] = np.linspace(-5, 5, 100)
    rows[7, 1] = 2.0
    found = column_ranges(rows)
    assert found is not None
    assert found.low.tolist() == [-5.0, 0.0, -5.0]
    assert found.high.tolist() == [5.0, 8.0, 5.0]
    assert column_ranges(rows[:31]) is None


def test_a_row_beyond_the_calibrated_ones_is_read_as_it_is() -> None:
    samples = table()
    model = model_of([NODE("MatMul", ["x", "w"], ["y"])], samples, ["y"], {"w": weights()})
    made, _ = lowered(model, samples, FINE)
    beyond = (np.full((2, COLUMNS), 1.1 * np.abs(samples["x"] / SIZES).max()) * SIZES).astype("f4")
    exact = beyond @ weights()
    got = run(made, {"x": beyond})["y"]
    assert np.abs(got - exact).max() < 0.02 * np.abs(exact).max()
