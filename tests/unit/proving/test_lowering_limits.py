"""What has no form in whole numbers is refused with its node, operator and the nearest form."""

import numpy as np
import pytest
from lowering import loaded, lowered, model_of
from onnx import helper

from inferproof.errors import Reason
from inferproof.models.measure import Measured, ValueRange
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.compile import lower_once
from inferproof.proving.sumcheck.lower.context import Options
from inferproof.proving.sumcheck.lower.value import Value
from inferproof.testing.rejections import rejects

RNG = np.random.default_rng(5)
X = RNG.standard_normal((4, 1, 6)).astype(np.float32)


def test_an_operator_without_a_lowering_is_refused() -> None:
    square = RNG.standard_normal((2, 3, 3)).astype(np.float32)
    model = model_of([helper.make_node("Det", ["x"], ["y"])], {"x": square}, ["y"])
    with rejects(
        Reason.MODEL_OPERATOR_UNSUPPORTED,
        "node 'y' uses the operator Det, which proof system sumcheck cannot prove; write out the "
        "products of a small matrix with Mul and Add",
    ):
        lowered(model, {"x": square})


def test_a_divisor_that_may_be_zero_is_refused() -> None:
    model = model_of([helper.make_node("Div", ["x", "z"], ["y"])], {"x": X, "z": X}, ["y"])
    samples = {"x": X, "z": X}
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (Div) has no form in whole numbers: its divisor is 0 or of both signs on the "
        "calibration data; supported is a divisor that is bounded away from 0, such as x + 1",
    ):
        lowered(model, samples)


def test_a_row_that_no_number_of_bits_can_hold_is_refused() -> None:
    wide = np.linspace(0.5, 1, 2**19, dtype=np.float32)[None, None]
    x = np.ones((1, 1, 1, 2**19), np.float32)
    model = model_of([helper.make_node("Conv", ["x", "w"], ["y"])], {"x": x}, ["y"], {"w": wide})
    with rejects(
        Reason.LOWERING_ROW,
        "row 0 of the weights of node 'y' (Conv) can reach 805306368 whatever the number of "
        "bits, the limit is 536870912; scale the row down, or split it in two",
    ):
        lowered(model, {"x": x})


def test_a_matrix_beyond_the_limits_is_refused() -> None:
    builder = Builder(at=("'c'", "Conv"))
    with rejects(
        Reason.LOWERING_TENSOR,
        "node 'c' (Conv) needs a tensor of the shape [4097, 4096]; at most 16777216 elements and 8 "
        "dimensions are supported",
    ):
        builder.weighted(g.Conv, np.zeros((2**12 + 1, 2**12), np.int8), bias=g.NONE)
    builder.weighted(g.Linear, np.zeros((2**12, 2**12), np.int8), bias=g.NONE)


def test_integers_beyond_29_bits_are_refused() -> None:
    builder = Builder(at=("'a'", "Add"))
    x = builder.const(np.array([2**28]))
    with rejects(
        Reason.LOWERING_OVERFLOW,
        "node 'a' (Add) can reach 536870912 in whole numbers, the limit is 536870911; "
        "split its sum, or scale its operands down",
    ):
        builder.add([x], [2])
    assert builder.add([x], [2], -1).hi == 2**29 - 1


def test_coefficients_are_those_that_a_graph_may_have() -> None:
    builder = Builder(at=("'a'", "Add"))
    zero = Value(builder.input((2,), 0, 0), (2,), 1.0, 0, 0)
    x = Value(builder.input((2,), -5, 5), (2,), 1.0, -5, 5)
    with rejects(
        Reason.LOWERING_OVERFLOW,
        "node 'a' (Add) can reach 536870912 in whole numbers, the limit is 536870911; "
        "split its sum, or scale its operands down",
    ):
        builder.add([x, zero], [1, -(2**29)])
    builder.add([x, zero], [1, 1 - 2**29])
    # What does not count is left out; without anything else there is a constant.
    kept = builder.add([zero, x], [0, 3], 1)
    assert builder.nodes[-1].op == g.Add((3,), builder.constant([1]))
    assert (builder.nodes[-1].operands, kept.interval) == ((x.tensor,), (-14, 16))
    fixed = builder.add([x], [0], [7])
    assert (fixed.shape, fixed.interval) == ((2,), (7, 7))
    assert isinstance(builder.nodes[-1].op, g.Const)
    assert builder.add([x], [0]).interval == (0, 0)


def test_a_tensor_beyond_the_limits_is_refused() -> None:
    builder = Builder(at=("'e'", "Expand"))
    x = builder.const(np.array([1]))
    with rejects(
        Reason.LOWERING_TENSOR,
        "node 'e' (Expand) needs a tensor of the shape [16777217]; at most 16777216 elements "
        "and 8 dimensions are supported",
    ):
        builder.view(x, (2**24 + 1,), 0, (0,))


def test_an_output_that_is_not_finite_is_refused() -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": X}, ["y"])
    canonical = loaded(model)
    ranges = (ValueRange("x", -1, 1, True), ValueRange("y", 0, 1, False))
    with rejects(
        Reason.LOWERING_NOT_FINITE,
        "output y is not finite on the calibration data; calibrate where it is",
    ):
        lower_once(canonical, Measured(1, ranges, {}), Options())


def test_more_steps_than_a_proof_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {f"w{n}": RNG.standard_normal((6, 6)).astype(np.float32) for n in range(2)}
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["h"]),
        helper.make_node("MatMul", ["h", "w1"], ["y"]),
    ]
    model = model_of(nodes, {"x": X}, ["y"], weights)
    taken = len(lowered(model, {"x": X})[0].graph.nodes)
    monkeypatch.setattr(g, "MAX_NODES", taken)
    assert len(lowered(model, {"x": X})[0].graph.nodes) == taken
    monkeypatch.setattr(g, "MAX_NODES", taken - 1)
    with rejects(
        Reason.LOWERING_NODES,
        f"the model takes {taken} steps in whole numbers, one proof may have {taken - 1}; leave "
        "out layers, or steps of a loop or a recurrent layer",
    ):
        lowered(model, {"x": X})
