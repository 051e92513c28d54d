"""Outputs that a file declares with other axes of size 1 than its graph computes."""

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper

from inferproof.inference.session import Session
from inferproof.models.axes import OpenAxis
from inferproof.models.declared import Misdeclared, declared_as
from inferproof.models.load import from_head, to_head
from inferproof.models.parse import parse_untrusted


@pytest.mark.parametrize(
    ("declared", "computed", "result"),
    [
        ((), (1,), ()),
        ((1,), (), (1,)),
        ((1,), (1, 1), (1,)),
        ((1, 1), (1,), (1, 1)),
        ((4,), (1, 4), (4,)),
        (("N", 4), (4,), (1, 4)),
        (("batch", 4), (4,), (1, 4)),
        (("any",), (1, 4), (4,)),
        (("any", "more"), (3, 4), (3, 4)),
        (("batch", 4), (3, 4), (3, 4)),
        (("batch", "more"), (4,), (1, 4)),
        ((4, 3), (3, 4), None),
        ((2, 2), (4,), None),
        ((5,), (1, 4), None),
        ((), (4,), None),
        (("N",), (3, 4), None),
        ((0,), (1,), None),
    ],
)
def test_rule(declared, computed, result):
    assert declared_as(declared, computed, [OpenAxis("x", 0, "batch", 1)]) == result


def model(declared: list[int | str] | None) -> ModelProto:
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("ReduceSum", ["y"], ["z"], keepdims=0),
    ]
    outputs = [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, declared),
        helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 4])
    graph = helper.make_graph(nodes, "g", [x], outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_such_outputs_are_reshaped_and_told_of():
    raw = model(["N", 4]).SerializeToString()
    loaded = parse_untrusted(raw)
    assert [spec.shape for spec in loaded.outputs] == [(1, 4), (1,)]
    assert loaded.reshaped == ("y", "z")
    assert dict(loaded.operators) == {"ReduceSum": 1, "Relu": 1, "Reshape": 2}
    assert from_head(to_head(loaded), loaded.onnx) == loaded
    x = np.array([[[1, -2, 3, 4]]], "f4")
    answers = Session(loaded).run({"x": x})
    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    for name, right in zip("yz", session.run(None, {"x": x}), strict=True):
        assert answers[name].tolist() == right.reshape(answers[name].shape).tolist()


def test_an_output_that_is_declared_as_computed_is_left_alone():
    made = model(["N", 1, 4])
    made.graph.output[1].type.tensor_type.shape.Clear()
    loaded = parse_untrusted(made.SerializeToString())
    assert loaded.reshaped == ()
    assert "Reshape" not in dict(loaded.operators)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ([1, 1, 5], "float32[1, 1, 5]"),
        ([5], "float32[5]"),
        ([1, 2, 2], "float32[1, 2, 2]"),
        ([], "float32[]"),
        (["N", 5], "float32[N, 5]"),
        ([0, 13], "float32[?, 13]"),
    ],
)
def test_an_output_of_other_sizes_has_those_that_are_computed(declared, words):
    """As scikit-learn's exporter declares PLSRegression, and ONNX Runtime takes with a warning."""
    raw = model(declared).SerializeToString()
    loaded = parse_untrusted(raw)
    assert loaded.misdeclared == (Misdeclared("y", words, "float32[1, 1, 4]"),)
    assert str(loaded.misdeclared[0]) == (
        f"output y is declared as {words}, but the graph computes float32[1, 1, 4]: answers have "
        "the computed shape"
    )
    assert [spec.shape for spec in loaded.outputs] == [(1, 1, 4), (1,)]
    assert from_head(to_head(loaded), loaded.onnx) == loaded
    x = np.array([[[1, -2, 3, 4]]], "f4")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    right = session.run(["y"], {"x": x})[0]
    got = Session(loaded).run({"x": x})["y"]
    assert got.shape == right.shape
    assert got.tolist() == right.tolist()
    assert parse_untrusted(model(["N", 1, 4]).SerializeToString()).misdeclared == ()
