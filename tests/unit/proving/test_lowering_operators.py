"""Operators in forms that the onnx package's cases lack, their edges, and what is refused."""

from typing import Any

import numpy as np
import pytest
from lowering import FINE, Array, assert_close, close, lowered, model_of
from onnx import TensorProto, helper

from inferproof.errors import Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower import pooling
from inferproof.proving.sumcheck.lower.compile import run
from inferproof.testing.rejections import rejects

RNG = np.random.default_rng(11)


def normal(*shape: int, samples: int = 4) -> Array:
    return RNG.standard_normal((samples, *shape)).astype(np.float32)


def between(*shape: int, samples: int = 4) -> Array:
    """Numbers at least a tenth away from the whole ones, where rounding decides the result."""
    whole = RNG.integers(-12, 12, (samples, *shape))
    return (whole + RNG.uniform(0.1, 0.9, whole.shape)).astype(np.float32)


def constant(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 21, 24])
def test_gemm_at_every_opset(opset: int) -> None:
    x = {"x": normal(2, 5)}
    close("Gemm", x, {"w": constant(5, 3), "b": constant(3)}, opset=opset)


@pytest.mark.parametrize(("flip_a", "flip_b"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_gemm_with_a_constant_on_either_side_or_none(flip_a: int, flip_b: int) -> None:
    a, b = ((4, 3) if flip_a else (3, 4)), ((2, 4) if flip_b else (4, 2))
    flips = {"transA": flip_a, "transB": flip_b, "alpha": 0.7, "beta": -2.0}
    close("Gemm", {"a": normal(*a)}, {"b": constant(*b), "c": constant(3, 2)}, **flips)
    close("Gemm", {"b": normal(*b)}, {"a": constant(*a)}, names=["a", "b"], **flips)
    close("Gemm", {"a": normal(*a), "b": normal(*b), "c": normal(1, 2)}, **flips)


@pytest.mark.parametrize(
    ("a", "b"), [((4,), (4, 3)), ((2, 3, 4), (4,)), ((2, 3, 4), (2, 4, 2)), ((3, 4), (5, 4, 2))]
)
def test_matmul_of_any_rank_and_side(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    close("MatMul", {"a": normal(*a)}, {"b": constant(*b)})
    close("MatMul", {"a": normal(*a), "b": normal(*b)})
    if len(a) == len(b) == 3:
        close("MatMul", {"b": normal(*b)}, {"a": constant(*a)}, names=["a", "b"])


def test_rows_of_very_different_size_share_a_rescaling() -> None:
    weights = constant(6, 4) * np.array([1, 0.1, 30, 0], np.float32)
    made = close("MatMul", {"x": normal(2, 6)}, {"w": weights})
    assert sum(isinstance(node.op, g.Linear) for node in made.graph.nodes) == 1


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"dilations": [2, 1], "pads": [1, 0, 2, 3], "strides": [1, 2]},
        {"group": 2, "auto_pad": "SAME_LOWER"},
        {"group": 4, "auto_pad": "VALID"},
    ],
)
def test_convolution_over_two_dimensions(attributes: dict[str, Any]) -> None:
    kernel = constant(8, 4 // attributes.get("group", 1), 3, 2)
    close("Conv", {"x": normal(1, 4, 7, 6)}, {"w": kernel, "b": constant(8)}, **attributes)


def test_convolution_over_one_dimension() -> None:
    x = {"x": normal(1, 3, 9)}
    close("Conv", x, {"w": constant(2, 3, 4)}, dilations=[2], pads=[3, 0], strides=[2])


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": [2, 3], "output_padding": [1, 2], "pads": [0, 1, 2, 1]},
        {"group": 2, "dilations": [2, 1], "strides": [3, 1]},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"strides": [1, 1], "pads": [2, 2, 2, 2]},
    ],
)
def test_transposed_convolution(attributes: dict[str, Any]) -> None:
    x = {"x": normal(1, 4, 4, 5)}
    close("ConvTranspose", x, {"w": constant(4, 3, 3, 3)}, **attributes)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": [2, 1, 2], "pads": [1, 0, 1, 0, 2, 1], "dilations": [1, 2, 1]},
        {"group": 2},
    ],
)
def test_convolution_over_three_dimensions(attributes: dict[str, Any]) -> None:
    x = {"x": normal(1, 4, 5, 6, 4)}
    kernel = constant(4, 4 // attributes.get("group", 1), 2, 3, 2)
    close("Conv", x, {"w": kernel, "b": constant(4)}, **attributes)
    strides = {"strides": [2, 1, 2], "group": attributes.get("group", 1)}
    close("ConvTranspose", x, {"w": constant(4, 2, 2, 3, 2)}, **strides)


def test_convolution_over_four_dimensions_is_refused() -> None:
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (Conv) has no form in whole numbers: it has 4 spatial dimensions; supported is "
        "a convolution over 1 to 3 dimensions",
    ):
        close("Conv", {"x": normal(1, 1, 3, 3, 3, 3)}, {"w": constant(1, 1, 2, 2, 2, 2)})


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_pooling_with_uneven_pads_and_a_last_window_that_is_cut(operator: str) -> None:
    x = {"x": normal(1, 2, 7, 8)}
    shape = {"kernel_shape": [3, 2], "strides": [2, 3]}
    close(operator, x, ceil_mode=1, **shape)
    close(operator, x, pads=[1, 0, 2, 1], **shape)
    close(operator, {"x": normal(1, 2, 9)}, kernel_shape=[4], strides=[3])
    if operator == "AveragePool":
        close(operator, x, pads=[1, 0, 2, 1], count_include_pad=1, **shape)


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_pooling_of_many_windows_goes_axis_after_axis(
    operator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "MOST_IN_WINDOWS", 10)
    x = {"x": normal(2, 3, 7, 8)}
    close(operator, x, kernel_shape=[3, 2], strides=[2, 3], pads=[1, 0, 2, 1])
    close(operator, {"x": normal(2, 3, 9)}, kernel_shape=[4], strides=[3])


def test_a_row_of_an_embedding_and_of_a_computed_tensor() -> None:
    ids = RNG.integers(0, 9, (4, 2, 3))
    close("Gather", {"ids": ids}, {"t": constant(9, 5)}, names=["t", "ids"])
    close("Gather", {"x": normal(9, 2), "ids": ids}, axis=0)
    close("Gather", {"x": normal(2, 9, 3), "ids": ids}, axis=1)
    below = RNG.integers(-9, 9, (6, 4))
    close("Gather", {"x": normal(9, samples=6), "ids": below})


def test_elements_picked_along_an_axis() -> None:
    index = RNG.integers(-3, 3, (5, 2, 2))
    close("GatherElements", {"x": normal(2, 3, samples=5), "i": index}, axis=1)


def test_division_by_a_tensor_of_one_sign() -> None:
    x = {"x": normal(3, 4)}
    positive = (RNG.random((4, 3, 4)) + 0.5).astype(np.float32)
    close("Div", {**x, "z": positive})
    close("Div", {**x, "z": -positive})
    close("Div", {"z": positive}, {"c": constant(4)}, names=["c", "z"])
    close("Div", x, {"c": np.array([1, 2, -3, 4], np.float32)})


def test_division_by_zero_is_refused() -> None:
    with rejects(
        Reason.LOWERING_NOT_FINITE,
        "output y is not finite on the calibration data; calibrate where it is",
    ):
        close("Div", {"x": normal(2)}, {"c": np.array([1, 0], np.float32)})


def test_tables_of_functions_with_a_pole_outside_of_the_range() -> None:
    x = (RNG.random((4, 3)) * 2 - 1).astype(np.float32)
    close("Tan", {"x": x})
    close("Log", {"x": x + np.float32(1.1)})
    close("Reciprocal", {"x": x - np.float32(1.5)})


@pytest.mark.parametrize("least", [1e-6, -1e-6])
def test_what_rounds_to_a_pole_everywhere_is_what_it_was(least: float) -> None:
    """Weights by distance, as scikit-learn's exporter writes them: 1 / max(-distance, 1e-6)."""
    x = {"x": RNG.uniform(1, 300, (20, 4)).astype(np.float32)}
    sign = np.float32(1 if least > 0 else -1)
    nodes = [
        helper.make_node("Mul", ["x", "flip"], ["away"]),
        helper.make_node("Max" if least > 0 else "Min", ["away", "least"], ["kept"]),
        helper.make_node("Reciprocal", ["kept"], ["weight"]),
        helper.make_node("Mul", ["x", "weight"], ["y"]),
    ]
    constants = {"flip": np.array([-sign], "f4"), "least": np.array([least], "f4")}
    assert_close(model_of(nodes, x, ["y"], constants), x, 0.001, FINE)


def test_a_function_that_is_finite_nowhere_is_refused() -> None:
    model = model_of(
        [helper.make_node("Log", ["x"], ["l"]), helper.make_node("Relu", ["l"], ["y"])],
        {"x": -np.ones((2, 3), np.float32)},
        ["y"],
    )
    samples = {"x": -np.ones((2, 3), np.float32)}
    with pytest.raises(Exception, match="finite"):
        lowered(model, samples)


def test_slopes_by_channel_by_element_and_computed() -> None:
    x = {"x": normal(3, 4, 2)}
    for shape in ((1,), (3, 1, 1), (3, 4, 2)):
        close("PRelu", x, {"s": constant(*shape)})
    close("PRelu", {**x, "s": normal(3, 1, 1)})


def test_choices_masks_and_comparisons() -> None:
    x, z = normal(4, 4), normal(4, 4)
    close("Where", {"c": x > 0, "x": x, "z": z})
    close("Where", {"x": x}, {"c": constant(4, 4) > 0, "z": constant(1)}, names=["c", "x", "z"])
    for operator in ("Greater", "Less", "GreaterOrEqual", "LessOrEqual"):
        close(operator, {"x": x, "z": z})
        close(operator, {"x": x}, {"c": np.array(0, np.float32)})
    whole = RNG.integers(0, 3, (4, 5))
    close("Equal", {"a": whole, "b": whole[::-1].copy()})
    model = model_of(
        [
            helper.make_node("Where", ["m", "x", "low"], ["s"]),
            helper.make_node("Softmax", ["s"], ["y"]),
        ],
        {"x": x},
        ["y"],
        {"m": np.tri(4) > 0, "low": np.array(-np.finfo(np.float32).max, np.float32)},
    )
    assert_close(model, {"x": x}, 0.003, FINE)


def test_casts_between_truth_values_whole_numbers_and_floats() -> None:
    x = between(3, 3)
    close("Cast", {"x": x}, to=TensorProto.INT64)
    close("Cast", {"x": RNG.integers(-1, 2, (4, 5))}, to=TensorProto.BOOL)
    close("Cast", {"x": x > 0}, to=TensorProto.FLOAT)
    close("CastLike", {"x": RNG.integers(-1, 2, (4, 5))}, {"like": constant(1)})


def test_softmax_over_a_middle_axis_and_before_opset_13() -> None:
    x = {"x": normal(3, 5, 2) * 3}
    close("Softmax", x, axis=1)
    close("Softmax", x, axis=2, opset=11)
    close("LogSoftmax", x, axis=1)


def test_softmax_of_extreme_scores_is_zero_and_one() -> None:
    x = np.array([[[500.0, -500.0, 0.0]], [[0.0, 0.0, 0.0]]], np.float32)
    close("Softmax", {"x": x})


def test_layer_normalisation_of_a_constant_row_is_its_bias() -> None:
    x = normal(3, 8)
    x[0] = 1.5
    made = close("LayerNormalization", {"x": x}, {"s": constant(8), "b": constant(8)}, within=0.01)
    for value in (-40.0, 0.0, 7.0):
        got = run(made, {"x": np.full((3, 8), value, np.float32)})["y"]
        assert np.isfinite(got).all()


def test_attention_by_index_notation() -> None:
    q, k = normal(2, 3, 4), normal(2, 5, 4)
    close("Einsum", {"q": q, "k": k}, equation="hid,hjd->hij")
    close("Einsum", {"q": q}, {"w": constant(2, 4, 6)}, equation="hid,hde->ie")
    close("Einsum", {"q": q}, equation="hid->dh")
    close("Einsum", {"q": normal(3, 3)}, equation="ii->i")
    close("Einsum", {"q": normal(2, 3, 3)}, equation="...ii->...")
    close("Einsum", {"q": q, "k": k}, equation="...id,...jd->...ij")
    close("Einsum", {"q": q, "k": normal(1, 5, 4)}, equation="bid,bjd->bij")
    close(
        "Einsum", {"q": normal(3), "k": normal(4)}, {"w": constant(5, 3, 4)}, equation="i,j,oij->o"
    )


def test_several_inputs_and_outputs_of_every_kind() -> None:
    x, flags, count = normal(1, 3), normal(1, 3) > 0, RNG.integers(0, 7, (4, 1, 3))
    nodes = [
        helper.make_node("Cast", ["flags"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["count"], ["n"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["x", "f", "n"], ["all"], axis=-1),
        helper.make_node("Gemm", ["all", "w"], ["y"]),
        helper.make_node("ArgMax", ["y"], ["best"], axis=-1),
    ]
    samples = {"x": x, "flags": flags, "count": count}
    model = model_of(nodes, samples, ["y", "best", "all"], {"w": constant(9, 4)})
    made = assert_close(model, samples, 0.003, FINE)
    assert [item.whole for item in made.settings.inputs] == [False, True, True]
    assert [item.scale for item in made.settings.outputs][1] == 1.0


def test_a_scalar_input() -> None:
    x = {"x": normal()}
    close("Sigmoid", x)
    close("Mul", x, {"c": constant(3)})


def test_an_input_that_is_an_output_of_a_view() -> None:
    close("Identity", {"x": normal(2, 3)})
    close("Transpose", {"x": normal(2, 3)}, perm=[1, 0])


def test_a_sum_of_values_of_very_different_size() -> None:
    close("Add", {"x": normal(3), "z": normal(3) * np.float32(1e-4)})
    close("Add", {"x": normal(3) * np.float32(1e5)}, {"c": constant(3)})
    close("Sub", {"x": normal(3)}, {"c": constant(3)}, names=["c", "x"])
    close("Add", {"x": normal(3) * np.float32(1e-30), "z": normal(3) * np.float32(1e30)})
    zeros = {"c": np.zeros((1, 3), np.float32)}
    close("Concat", {"x": normal(1, 3) * np.float32(1e-12)}, zeros, axis=0)
    close("Max", {"x": normal(1, 3) * np.float32(1e-12)}, zeros)


def test_rows_that_depend_on_nothing() -> None:
    """A constant output of a layer whose weights are 0."""
    close("Gemm", {"x": normal(1, 3)}, {"w": np.zeros((3, 2), np.float32), "b": constant(2)})


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_a_model_that_was_quantised_before(dtype: type) -> None:
    x = {"x": normal(1, 6)}
    scale, zero = np.array(0.03, np.float32), np.array(7, dtype)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["wq", "ws", "wz"], ["w"], axis=1),
        helper.make_node("MatMul", ["d", "w"], ["y"]),
    ]
    constants = {
        "s": scale,
        "z": zero,
        "wq": RNG.integers(-127, 128, (6, 3)).astype(np.int8),
        "ws": np.array([0.01, 0.02, 0.03], np.float32),
        "wz": np.zeros(3, np.int8),
    }
    model = model_of(nodes, x, ["y", "q"], constants)
    # A value next to a half can go to the other side: one step of the scale.
    assert_close(model, x, 0.02, FINE)


def test_a_scale_by_channel_of_a_computed_value_is_refused() -> None:
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (QuantizeLinear) has no form in whole numbers: its scale differs by channel; "
        "supported is one scale for all",
    ):
        close("QuantizeLinear", {"x": normal(1, 2)}, {"s": np.ones(2, np.float32)}, axis=1)


@pytest.mark.parametrize("scale", [0.0, -0.5])
def test_a_scale_that_is_not_above_0_is_refused(scale: float) -> None:
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (QuantizeLinear) has no form in whole numbers: its scale is not above 0; "
        "supported is a scale above 0",
    ):
        close("QuantizeLinear", {"x": normal(1, 2)}, {"s": np.array(scale, np.float32)})


@pytest.mark.parametrize("held", [[True] * 4, [False] * 4, [True, False, True, False]])
def test_a_choice_that_is_known_beforehand(held: list[bool]) -> None:
    """One that is the same everywhere takes no node."""
    nodes = [
        helper.make_node("Where", ["c", "x", "z"], ["chosen"]),
        helper.make_node("Tanh", ["chosen"], ["y"]),
    ]
    given = {"x": normal(1, 4), "z": normal(1, 4)}
    model = model_of(nodes, given, ["y"], {"c": np.array([held])})
    made = assert_close(model, given, 0.002, FINE)
    multiplied = any(isinstance(node.op, g.Mul) for node in made.graph.nodes)
    assert multiplied == (len(set(held)) > 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_cut_beyond_all_values_is_its_end(sign: int) -> None:
    """What comes after relu of negative numbers is computed of 0, whatever they are."""
    nodes = [
        helper.make_node("Mul", ["x", "k"], ["m"]),
        helper.make_node("Relu", ["m"], ["r"]),
        helper.make_node("Sigmoid", ["r"], ["y"]),
        helper.make_node("Clip", ["m", "low", "high"], ["c"]),
    ]
    given = {"x": RNG.uniform(0.3, 0.4, (8, 1, 4)).astype(np.float32)}
    constants = {
        name: np.array(v, np.float32) for name, v in (("k", sign), ("low", 2), ("high", 3))
    }
    made = assert_close(model_of(nodes, given, ["y", "c"], constants), given, 0.001, FINE)
    answers = run(made, {"x": given["x"][0]})
    assert (answers["y"] >= 0.5).all()
    assert np.allclose(answers["c"], 2, atol=0.001)
