"""Operators that the standard defines by others, held to ONNX Runtime's own; empty values."""

import numpy as np
import pytest
from lowering import Array, assert_close, model_of
from onnx import helper

from inferproof.errors import Reason
from inferproof.models.limits import Limits
from inferproof.models.parse import parse_untrusted
from inferproof.proving.sumcheck.lower.context import Options
from inferproof.testing.rejections import rejects

RNG = np.random.default_rng(31)
FINE = Options(weight_bits=16, activation_bits=14, table_bits=14)


def normal(*shape: int) -> Array:
    return RNG.standard_normal((3, *shape)).astype(np.float32)


def test_attention_with_more_queries_than_keys_heads() -> None:
    x = {"q": normal(1, 4, 5, 8), "k": normal(1, 2, 6, 8), "v": normal(1, 2, 6, 4)}
    node = helper.make_node("Attention", ["q", "k", "v"], ["y"], is_causal=1)
    assert_close(model_of([node], x, ["y"], opset=23), x, 0.005, FINE)


def test_attention_with_a_cache_and_a_computed_mask() -> None:
    x = {
        "q": normal(1, 2, 12),
        "k": normal(1, 2, 12),
        "v": normal(1, 2, 12),
        "m": RNG.random((3, 2, 5)) > 0.3,
        "pk": normal(1, 3, 3, 4),
        "pv": normal(1, 3, 3, 4),
    }
    x["m"][:, :, 0] = True
    heads = {"q_num_heads": 3, "kv_num_heads": 3}
    results = ["y", "nk", "nv"]
    node = helper.make_node("Attention", list(x), results, **heads)
    assert_close(model_of([node], x, results, opset=24), x, 0.005, FINE)


@pytest.mark.parametrize("part", [0, 4])
def test_rotary_embedding_of_all_and_of_a_part(part: int) -> None:
    x = {"x": normal(1, 2, 3, 8)}
    width = (part or 8) // 2
    angles = RNG.random((1, 3, width))
    tables = {"c": np.cos(angles).astype(np.float32), "s": np.sin(angles).astype(np.float32)}
    node = helper.make_node("RotaryEmbedding", ["x", "c", "s"], ["y"], rotary_embedding_dim=part)
    assert_close(model_of([node], x, ["y"], tables, opset=23), x, 0.003, FINE)


def test_what_is_cut_and_filled_around_the_centre() -> None:
    x = {"x": normal(5, 8)}
    node = helper.make_node("CenterCropPad", ["x", "s"], ["y"], axes=[0, 1])
    model = model_of([node], x, ["y"], {"s": np.array([8, 3])}, opset=18)
    assert_close(model, x, 0.001, FINE)


def test_a_definition_counts_among_the_nodes() -> None:
    x = {name: normal(1, 1, 2, 4) for name in "qkv"}
    model = model_of([helper.make_node("Attention", ["q", "k", "v"], ["y"])], x, ["y"], opset=23)
    with rejects(Reason.MODEL_TOO_MANY, "the model holds more than 20 nodes"):
        parse_untrusted(model.SerializeToString(), Limits(nodes=20))


def test_what_has_no_elements_is_left_out_of_a_concat_and_refused_elsewhere() -> None:
    x = {"x": normal(4, 6)}
    ends = {"from": np.array([6]), "to": np.array([9]), "axis": np.array([1])}
    cut = helper.make_node("Slice", ["x", "from", "to", "axis"], ["none"])
    join = helper.make_node("Concat", ["none", "x"], ["y"], axis=1)
    assert_close(model_of([cut, join], x, ["y"], ends), x, 0.001, FINE)
    bend = helper.make_node("Relu", ["none"], ["bent"])
    last = helper.make_node("Concat", ["bent", "x"], ["y"], axis=1)
    with rejects(
        Reason.MODEL_BAD_SHAPE, "tensor 'none' has the shape [4, 0]; sizes must be positive"
    ):
        parse_untrusted(model_of([cut, bend, last], x, ["y"], ends).SerializeToString())


def test_masks_of_minus_infinity() -> None:
    x = {"x": normal(4, 4), "m": RNG.random((3, 4, 4)) > 0.3}
    x["m"][:, :, 0] = True
    low = {"low": np.array(-np.inf, np.float32), "zero": np.zeros((), np.float32)}
    nodes = [
        helper.make_node("Where", ["m", "zero", "low"], ["bias"]),
        helper.make_node("Add", ["x", "bias"], ["s"]),
        helper.make_node("Softmax", ["s"], ["y"]),
    ]
    assert_close(model_of(nodes, x, ["y"], low), x, 0.003, FINE)
    causal = {"b": np.where(np.tri(4) > 0, 0, -np.inf).astype(np.float32)}
    nodes = [helper.make_node("Add", ["x", "b"], ["s"]), helper.make_node("Softmax", ["s"], ["y"])]
    plain = {"x": x["x"]}
    assert_close(model_of(nodes, plain, ["y"], causal), plain, 0.003, FINE)
    with rejects(
        Reason.LOWERING_NOT_FINITE,
        "output s is not finite on the calibration data; calibrate where it is",
    ):
        assert_close(model_of(nodes[:1], plain, ["s"], causal), plain, 1, FINE)


@pytest.mark.parametrize("axis", [None, 0, -1])
def test_elements_selected_by_a_constant(axis: int | None) -> None:
    x = {"x": normal(4, 4)}
    more = {} if axis is None else {"axis": axis}
    node = helper.make_node("Compress", ["x", "c"], ["y"], **more)
    wanted = {"c": np.array([True, False, True])}
    model = model_of([node], x, ["y"], wanted)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    for size in [2] if axis is None else [2, 4] if axis == 0 else [4, 2]:
        model.graph.output[0].type.tensor_type.shape.dim.add(dim_value=size)
    assert_close(model, x, 0.001, FINE)
    computed = {**x, "c": np.array([[True, False, True]] * 3)}
    with rejects(
        Reason.MODEL_OPERATOR_REFUSED,
        "operator 'Compress' of node 'y' is not accepted: the size of its result would depend on "
        "the input; do this step outside of the model, or keep the size and mask with Where",
    ):
        parse_untrusted(model_of([node], computed, ["y"]).SerializeToString())


def test_places_that_are_not_zero_in_a_constant() -> None:
    x = {"x": normal(5)}
    nodes = [
        helper.make_node("NonZero", ["c"], ["n"]),
        helper.make_node("Squeeze", ["n", "first"], ["i"]),
        helper.make_node("Gather", ["x", "i"], ["y"]),
    ]
    constants = {"c": np.array([0, 1, 1, 0, 1]), "first": np.array([0])}
    model = model_of(nodes, x, ["y"], constants)
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 3
    assert_close(model, x, 0.001, FINE)


@pytest.mark.parametrize("equation", ["...ii...->i", "ij,jk->ik", "i1->i", "ij->i,j"])
def test_an_equation_that_is_none_is_refused(equation: str) -> None:
    x = {"x": normal(3, 3)}
    model = model_of([helper.make_node("Einsum", ["x"], ["y"], equation="ij->ji")], x, ["y"])
    model.graph.node[0].attribute[0].s = equation.encode()
    with rejects(
        Reason.MODEL_INVALID,
        "the ONNX checker refuses operator 'Einsum': its equation is not one term of letters for "
        "each input, with at most one ellipsis",
    ):
        parse_untrusted(model.SerializeToString())
