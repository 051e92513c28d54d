"""Models with floats of 16 and 64 bits, bfloat16, and weights of 4 bits."""

from typing import Any

import ml_dtypes
import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from inferproof.errors import Reason
from inferproof.inference.session import Session
from inferproof.models.limits import DEFAULT_LIMITS
from inferproof.models.parse import parse_untrusted
from inferproof.models.tensors import TensorReader
from inferproof.testing.rejections import rejects

T = TensorProto
TYPES = {"float16": T.FLOAT16, "float64": T.DOUBLE, "bfloat16": T.BFLOAT16}
RNG = np.random.default_rng(3)


def model(
    nodes: list[NodeProto], kind: int, constants: dict[str, Any], result: int | None = None
) -> ModelProto:
    """The nodes from x[2, 4] to y, of this element type."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", kind, [2, 4])],
        [helper.make_tensor_value_info("y", kind if result is None else result, None)],
        [
            item if isinstance(item, TensorProto) else numpy_helper.from_array(item, name)
            for name, item in constants.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def parsed(made: ModelProto):
    return parse_untrusted(made.SerializeToString())


def dense(dtype: str) -> ModelProto:
    kinds = np.dtype(getattr(ml_dtypes, dtype, dtype))
    constants = {name: RNG.normal(size=size).astype(kinds) for name, size in SIZES.items()}
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"]),
        helper.make_node("Cast", ["h"], ["c"], to=TYPES[dtype]),
        helper.make_node("Tanh", ["c"], ["y"]),
    ]
    return model(nodes, TYPES[dtype], constants)


SIZES = {"w": (4, 3), "b": (3,)}


@pytest.mark.parametrize(("dtype", "near"), [("float16", 4e-3), ("float64", 1e-6)])
def test_floats_of_another_width(dtype: str, near: float) -> None:
    made = dense(dtype)
    loaded = parsed(made)
    assert {spec.dtype for spec in (*loaded.inputs, *loaded.outputs, *loaded.values)} == {"float32"}
    assert loaded.as_float32 == ("x", "y")
    x = RNG.normal(size=(2, 4)).astype(dtype)
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (exact,) = session.run(None, {"x": x})
    got = Session(loaded).run({"x": x.astype("f4")})["y"]
    np.testing.assert_allclose(got, exact, atol=near)


def test_bfloat16() -> None:
    made = dense("bfloat16")
    weights, bias = (numpy_helper.to_array(t).astype("f4") for t in made.graph.initializer)
    x = RNG.normal(size=(2, 4)).astype("f4")
    got = Session(parsed(made)).run({"x": x})["y"]
    np.testing.assert_allclose(got, np.tanh(x @ weights + bias), atol=1e-6)


def test_float32_is_not_named() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    assert parsed(model(nodes, T.FLOAT, {})).as_float32 == ()


def test_a_float64_beyond_float32_is_the_largest() -> None:
    """As masks are written: the least number of the type."""
    least = np.finfo("f8").min
    nodes = [helper.make_node("Max", ["x", "m"], ["y"])]
    made = model(nodes, T.DOUBLE, {"m": np.array(least)})
    x = np.array([[1, 2, 3, 4]] * 2, "f4")
    np.testing.assert_array_equal(Session(parsed(made)).run({"x": x})["y"], x)


@pytest.mark.parametrize("kind", [T.DOUBLE, T.FLOAT16])
def test_infinity_stays_what_it_is(kind: int) -> None:
    """As the end of a range: only numbers are cut."""
    stored = helper.make_tensor("m", kind, [2], [np.inf, -np.inf])
    got = TensorReader(DEFAULT_LIMITS, None).read("m", stored)
    np.testing.assert_array_equal(got, np.array([np.inf, -np.inf], "f4"))


@pytest.mark.parametrize("kind", [T.INT4, T.UINT4])
def test_weights_of_four_bits(kind: int) -> None:
    low = -8 if kind == T.INT4 else 0
    whole = RNG.integers(low, low + 16, (4, 3))
    constants = {
        "w": helper.make_tensor("w", kind, [4, 3], whole.reshape(-1).tolist()),
        "s": np.array([0.1, 0.2, 0.3], "f4"),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=1),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    x = RNG.normal(size=(2, 4)).astype("f4")
    got = Session(parsed(model(nodes, T.FLOAT, constants))).run({"x": x})["y"]
    np.testing.assert_allclose(got, x @ (whole * constants["s"]), atol=1e-5)


def test_rounding_to_four_bits_is_refused() -> None:
    """It would end at 8 bits."""
    constants = {
        "s": np.array(0.1, "f4"),
        "z": helper.make_tensor("z", T.INT4, [], [0]),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    with rejects(
        Reason.MODEL_DTYPE_UNSUPPORTED,
        "tensor 'z' has the element type INT4; accepted are floats of 16, 32 and 64 bits, "
        "whole numbers of 8 to 64 bits and booleans, and such of 4 bits where DequantizeLinear "
        "reads them",
    ):
        parsed(model(nodes, T.FLOAT, constants))


def test_casts_to_other_types_are_refused() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["c"], to=T.FLOAT8E4M3FN),
        helper.make_node("Cast", ["c"], ["y"], to=T.FLOAT),
    ]
    with rejects(
        Reason.MODEL_DTYPE_UNSUPPORTED,
        "tensor 'c' has the element type FLOAT8E4M3FN; accepted are floats of 16, 32 and 64 bits, "
        "whole numbers of 8 to 64 bits and booleans, and such of 4 bits where DequantizeLinear "
        "reads them",
    ):
        parsed(model(nodes, T.FLOAT, {}))


KINDS = {
    T.FLOAT16: np.float16,
    T.BFLOAT16: ml_dtypes.bfloat16,
    T.INT4: ml_dtypes.int4,
    T.UINT4: ml_dtypes.uint4,
}


@given(st.sampled_from(sorted(KINDS)), st.integers(0, 9), st.integers(0, 2**32 - 1), st.booleans())
def test_every_encoding_is_read(kind: int, size: int, seed: int, raw: bool) -> None:
    values = np.random.default_rng(seed).integers(-8, 16, size).astype(KINDS[kind])
    stored = numpy_helper.from_array(values, "w")
    if not raw:
        stored = helper.make_tensor("w", kind, [size], values.astype("f4").tolist())
    got = TensorReader(DEFAULT_LIMITS, None).read("w", stored)
    assert got.dtype.itemsize in (1, 4)
    np.testing.assert_array_equal(got.astype("f4"), values.astype("f4"))


@pytest.mark.parametrize("kind", [T.INT4, T.BFLOAT16])
def test_data_of_another_size_is_refused(kind: int) -> None:
    stored = TensorProto(name="w", data_type=kind, dims=[5], raw_data=b"\1\2\3\4")
    with rejects(
        Reason.MODEL_TENSOR_DATA_MISMATCH,
        f"tensor 'w' has the shape [5], but its data is for {8 if kind == T.INT4 else 2} elements",
    ):
        TensorReader(DEFAULT_LIMITS, None).read("w", stored)
