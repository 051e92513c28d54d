"""Categories that are numbers: as ONNX Runtime encodes them."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.inference.session import Session
from inferproof.models.parse import parse_untrusted

ML, FLOAT, INT = "ai.onnx.ml", TensorProto.FLOAT, TensorProto.INT64


def model(op: str, read: int, made: int, **attributes: Any) -> ModelProto:
    """The operator on x[1, 3]."""
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], domain=ML, **attributes)],
        "test",
        [helper.make_tensor_value_info("x", read, [None, 3])],
        [helper.make_tensor_value_info("y", made, None)],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(ML, 2)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def same(made: ModelProto, rows: Any) -> None:
    data = made.SerializeToString()
    theirs = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    ours = Session(parse_untrusted(data))
    for row in rows:
        (expected,) = theirs.run(None, {"x": row})
        got = ours.run({"x": row})["y"]
        assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_array_equal(got, expected)


WHOLE = np.array([[[-2, 0, 1]], [[2, 3, 4]], [[7, 40, 2]], [[1, 1, 2**40]]])


@pytest.mark.parametrize(
    "keys", [[0, 1, 2, 3], [2, 3, 4], [3, 2, 1], [40, -2, 7], [10**6, 0, 7], [2]]
)
def test_numbers_of_numbers(keys: list[int]) -> None:
    values = [9, -4, 0, 5][: len(keys)]
    for more in ({}, {"default_int64": 77}):
        encoder = model("LabelEncoder", INT, INT, keys_int64s=keys, values_int64s=values, **more)
        same(encoder, WHOLE)
    real = [0.25, -4.5, 1e6, 5.0][: len(keys)]
    same(
        model("LabelEncoder", INT, FLOAT, keys_int64s=keys, values_floats=real, default_float=0.5),
        WHOLE,
    )


@pytest.mark.parametrize(
    ("keys", "nodes"), [(list(range(3, 403, 2)), 6), ([*range(199), 2**17], 2 * 200 + 1)]
)
def test_keys_that_are_close_to_one_another_are_found_at_once(keys: list[int], nodes: int) -> None:
    """As of the leaves of a tree, of which an isolation forest has a hundred."""
    values = [place % 9 - 4 for place in range(len(keys))]
    made = model("LabelEncoder", INT, INT, keys_int64s=keys, values_int64s=values)
    same(made, WHOLE)
    assert parse_untrusted(made.SerializeToString()).nodes == nodes


def test_numbers_of_real_numbers() -> None:
    given = {"keys_floats": [0.5, -1.25, 3.0], "values_int64s": [4, 5, 6]}
    rows = np.array([[[0.5, -1.25, 3.0]], [[0.0, 3.0, 0.50001]]], "f4")
    same(model("LabelEncoder", FLOAT, INT, **given), rows)


@pytest.mark.parametrize("keys", [[0, 1, 2, 3], [3, 7, 1], [10**6, 1]])
@pytest.mark.parametrize("read", [INT, FLOAT])
def test_numbers_in_their_places(keys: list[int], read: int) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(read)
    same(model("OneHotEncoder", read, FLOAT, cats_int64s=keys), WHOLE[:3].astype(dtype))


@pytest.mark.parametrize(
    ("op", "attributes", "why"),
    [
        ("LabelEncoder", {"keys_int64s": [1, 2], "values_int64s": [1]}, "another number of keys"),
        ("LabelEncoder", {"keys_int64s": [1, 1], "values_int64s": [1, 2]}, "something twice"),
        ("LabelEncoder", {"values_int64s": [1, 2]}, "another number of keys"),
        ("LabelEncoder", {"keys_int64s": [1, 2]}, "it makes or takes texts"),
        ("OneHotEncoder", {}, "or none"),
        ("OneHotEncoder", {"cats_int64s": [1, 1]}, "something twice"),
        ("OneHotEncoder", {"cats_strings": ["a"]}, "texts that no input holds"),
        (
            "OneHotEncoder",
            {"cats_int64s": list(range(0, 500_000, 1000))},
            "number the categories from 0",
        ),
    ],
)
def test_tables_that_are_refused(op: str, attributes: dict[str, Any], why: str) -> None:
    with pytest.raises(ModelRejected, match=why) as told:
        parse_untrusted(model(op, INT, INT, **attributes).SerializeToString())
    assert told.value.reason in (Reason.MODEL_INVALID, Reason.MODEL_OPERATOR_REFUSED)
