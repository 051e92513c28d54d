"""Sessions: exact inputs, the same answer every time, nothing but finite numbers out."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from inferproof.errors import Reason
from inferproof.inference.session import Session
from inferproof.models.loaded import LoadedModel
from inferproof.models.parse import parse_untrusted
from inferproof.testing.rejections import rejects


def loaded(nodes, weights=(), inputs=None, outputs=("y",)) -> LoadedModel:
    graph = helper.make_graph(
        nodes,
        "g",
        inputs or [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return parse_untrusted(model.SerializeToString())


def dense(seed: int = 0) -> LoadedModel:
    w = np.random.default_rng(seed).normal(size=(3, 64)).astype("f4")
    return loaded(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Softmax", ["h"], ["y"])],
        [("w", w)],
    )


X = np.array([[0.5, -1.0, 2.0]], dtype="f4")


def test_run_gives_the_models_output():
    model = dense()
    y = Session(model).run({"x": X})["y"]
    assert y.shape == model.outputs[0].shape
    assert y.dtype == np.float32
    assert y.sum() == pytest.approx(1.0, abs=1e-5)


def test_two_sessions_give_the_same_bits():
    answers = {Session(dense()).run({"x": X})["y"].tobytes() for _ in range(3)}
    session = Session(dense())
    answers |= {session.run({"x": X})["y"].tobytes() for _ in range(20)}
    assert len(answers) == 1


def test_missing_input():
    with rejects(Reason.INPUT_MISSING_FIELD, "the input lacks the field x"):
        Session(dense()).run({})


def test_unknown_input():
    with rejects(
        Reason.INPUT_UNKNOWN_FIELD, "the input has the unknown field z; the fields are: x"
    ):
        Session(dense()).run({"x": X, "z": X})


def test_wrong_shape():
    with rejects(Reason.INPUT_SHAPE_MISMATCH, "input x has shape [3]; this model takes [1, 3]"):
        Session(dense()).run({"x": X[0]})


def test_wrong_type():
    with rejects(Reason.INPUT_TYPE_MISMATCH, "input x must be float32, got float64"):
        Session(dense()).run({"x": X.astype("f8")})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(bad: float):
    with rejects(Reason.INPUT_NOT_FINITE, "input x holds a NaN or an infinity"):
        Session(dense()).run({"x": np.array([[0.0, bad, 0.0]], dtype="f4")})


def test_output_not_finite():
    session = Session(loaded([helper.make_node("Exp", ["x"], ["y"])]))
    with rejects(
        Reason.OUTPUT_NOT_FINITE,
        "for this input the model's output y holds NaN or infinity; "
        "give it values of the size that it was trained on",
    ):
        session.run({"x": X * 1000})
    assert np.isfinite(session.run({"x": X})["y"]).all()


def test_index_out_of_range():
    model = loaded(
        [helper.make_node("Gather", ["table", "x"], ["y"])],
        [("table", np.ones((4, 2), "f4"))],
        [helper.make_tensor_value_info("x", TensorProto.INT64, [1])],
    )
    session = Session(model)
    assert session.run({"x": np.array([3])})["y"].shape == (1, 2)
    with rejects(
        Reason.INPUT_RUN_FAILED,
        "the model fails on this input: indices element out of data bounds, "
        "idx=4 must be within the inclusive range [-4,3]",
    ):
        session.run({"x": np.array([4])})


def test_operator_that_the_runtime_lacks():
    model = loaded(
        [
            helper.make_node("Max", ["x", "x"], ["m"]),
            helper.make_node("Cast", ["m"], ["y"], to=TensorProto.FLOAT),
        ],
        inputs=[helper.make_tensor_value_info("x", TensorProto.INT16, [1])],
    )
    with rejects(
        Reason.MODEL_NOT_RUNNABLE,
        "ONNX Runtime cannot run the model: "
        "Could not find an implementation for Max(13) node with name ''",
    ):
        Session(model)


def test_runtime_that_reads_the_standard_otherwise():
    # Where the last window of a ceiling pool would lie wholly in padding, the runtime drops it.
    pool = helper.make_node(
        "AveragePool", ["x"], ["y"], kernel_shape=[2], strides=[3], pads=[0, 1], ceil_mode=1
    )
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 3])
    session = Session(loaded([pool], inputs=[x]))
    with rejects(
        Reason.MODEL_NOT_RUNNABLE,
        "ONNX Runtime cannot run the model: "
        "tensor 'y' comes out as float32[1, 1, 1], the standard says float32[1, 1, 2]",
    ):
        session.run({"x": np.ones((1, 1, 3), "f4")})
