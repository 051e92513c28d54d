"""Whole numbers divided, shifted and taken bit by bit, exactly as ONNX Runtime does; powers."""

from typing import Any

import numpy as np
import pytest
from lowering import Array, close, lowered, model_of
from onnx import helper

from inferproof.errors import Reason
from inferproof.testing.rejections import rejects

RNG = np.random.default_rng(23)


def whole(low: int, high: int, *shape: int, samples: int = 5, dtype: Any = np.int64) -> Array:
    return RNG.integers(low, high, (samples, *shape)).astype(dtype)


@pytest.mark.parametrize("by", [[7], [-3], [2, -5, 1, 16]])
def test_division_of_whole_numbers_goes_towards_zero(by: list[int]) -> None:
    close("Div", {"x": whole(-300, 300, 6, 4)}, {"c": np.array(by)}, within=0)
    close("Div", {"x": whole(-60, 60, 6, 4), "z": whole(1, 9, 6, 4)}, within=0)
    close("Div", {"x": whole(-60, 60, 6, 4), "z": -whole(1, 9, 6, 4)}, within=0)


@pytest.mark.parametrize("fmod", [0, 1])
@pytest.mark.parametrize("by", [[7], [-3], [2, -5, 1, 16]])
def test_what_is_left_of_a_division(by: list[int], fmod: int) -> None:
    close("Mod", {"x": whole(-300, 300, 6, 4)}, {"c": np.array(by)}, within=0, fmod=fmod)
    if len(by) == 1:
        close("Mod", {"x": whole(-60, 60, 6), "z": whole(1, 9, 6)}, within=0, fmod=fmod)


def test_what_is_left_of_a_division_of_real_numbers() -> None:
    x = (RNG.integers(-900, 900, (4, 6)) / 64).astype(np.float32)
    close("Mod", {"x": x}, {"c": np.array([2.5, -1.25, 4], np.float32).repeat(2)}, fmod=1)


@pytest.mark.parametrize("operator", ["Div", "Mod"])
def test_a_divisor_of_both_signs_is_refused(operator: str) -> None:
    samples = {"x": whole(0, 9, 3), "z": np.array([[-1, 0, 1]] * 5)}
    node = helper.make_node(operator, ["x", "z"], ["y"], name="half")
    samples["z"][:, 1] = 2
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        f"node 'half' ({operator}) has no form in whole numbers: its divisor is 0 or of both signs "
        "on the calibration data; supported is a divisor of one sign",
    ):
        lowered(model_of([node], samples, ["y"]), samples)


@pytest.mark.parametrize("operator", ["BitwiseAnd", "BitwiseOr", "BitwiseXor"])
def test_bits_of_two_numbers(operator: str) -> None:
    x = {"x": whole(-128, 128, 9, dtype=np.int8)}
    close(operator, {**x, "z": whole(-128, 128, 9, dtype=np.int8)}, within=0, opset=18)
    mask = {"c": np.array([3, -1, 0], np.int32)}
    close(operator, {"x": whole(-900, 900, 4, 3, dtype=np.int32)}, mask, within=0, opset=18)
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        f"node 'y' ({operator}) has no form in whole numbers: its operands take 40001 and 2 "
        "values; supported is at most 2^16 pairs of values; calibrate with a narrower range",
    ):
        wide = {"x": np.array([[0, 40000]], np.int32)}
        close(operator, wide, {"c": np.array([3, 1], np.int32)}, opset=18)


def test_bits_turned_and_shifted() -> None:
    close("BitwiseNot", {"x": whole(-128, 128, 9, dtype=np.int8)}, within=0, opset=18)
    close("BitwiseNot", {"x": whole(0, 256, 9, dtype=np.uint8)}, within=0, opset=18)
    by = {"c": np.array([0, 1, 3], np.uint8)}
    for direction in ("LEFT", "RIGHT"):
        x = {"x": whole(0, 256, 4, 3, dtype=np.uint8)}
        close("BitShift", x, by, within=0, direction=direction)


def test_powers_with_several_and_with_computed_exponents() -> None:
    x = (RNG.random((4, 3, 2)) * 3 + 0.3).astype(np.float32)
    close("Pow", {"x": x}, {"e": np.array([[2, 0.5], [3, 1], [-1, 2]], np.float32)})
    y = RNG.standard_normal((4, 3, 2)).astype(np.float32)
    close("Pow", {"x": x, "e": y}, within=0.01)
    close("Pow", {"e": y}, {"b": np.array([2.0, 0.5], np.float32)}, names=["b", "e"])
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (Pow) has no form in whole numbers: its base is 0 or below on the calibration "
        "data and its exponent is computed; supported is a base above 0, or a constant exponent",
    ):
        close("Pow", {"x": -x, "e": np.round(y)})


def test_products_over_axes() -> None:
    x = (RNG.random((4, 2, 7)) + 0.5).astype(np.float32)
    close("ReduceProd", {"x": x}, axes=[1], within=0.01)
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (ReduceProd) has no form in whole numbers: it multiplies 14 values; supported is "
        "a product of at most 8",
    ):
        close("ReduceProd", {"x": x})


def test_nothing_is_infinite_or_not_a_number() -> None:
    x = {"x": RNG.standard_normal((3, 5)).astype(np.float32)}
    nodes = [
        helper.make_node("IsNaN", ["x"], ["n"]),
        helper.make_node("Softmax", ["x"], ["s"]),
        helper.make_node("Where", ["n", "zero", "s"], ["y"]),
        helper.make_node("IsInf", ["x"], ["i"]),
    ]
    zero = {"zero": np.zeros((), np.float32)}
    made, _ = lowered(model_of(nodes, x, ["y", "i"], zero), x)
    plain, _ = lowered(model_of([nodes[1]], x, ["s"]), x)
    # The choice costs nothing.
    assert len(made.graph.nodes) == len(plain.graph.nodes) + 1


def test_softmax_of_a_row_that_is_longer_than_one_sum_holds() -> None:
    x = {"x": RNG.standard_normal((2, 1, 9000)).astype(np.float32)}
    x["x"][0, 0, 5] = 9
    close("Softmax", x, within=0.01)
    close("LogSoftmax", x, within=0.003)


def test_an_infinite_end_changes_nothing() -> None:
    x = {"x": RNG.standard_normal((3, 4)).astype(np.float32)}
    close("Min", x, {"c": np.array([0, np.inf, 0.5, np.inf], np.float32)})
    close("Max", x, {"c": np.array([0, -np.inf, 0.5, -1e30], np.float32)})
