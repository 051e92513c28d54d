"""Support vector machines in whole numbers: the classes and scores of ONNX Runtime."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from lowering import lowered
from onnx import ModelProto, TensorProto, helper

from inferproof.proving.sumcheck.lower.compile import run
from inferproof.proving.sumcheck.lower.context import Options

FEATURES = 4
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def machine(classes: int, probabilities: bool) -> ModelProto:
    """A classifier with radial kernels and a few support vectors a class."""
    rng = np.random.default_rng(classes)
    pairs, total = classes * (classes - 1) // 2, 6 * classes
    given: dict[str, Any] = {
        "kernel_type": "RBF",
        "kernel_params": [0.25, 0.0, 3.0],
        "vectors_per_class": [6] * classes,
        "coefficients": rng.standard_normal(total * (classes - 1)).tolist(),
        "support_vectors": rng.standard_normal(total * FEATURES).tolist(),
        "rho": (rng.standard_normal(pairs) / 4).tolist(),
        "classlabels_ints": [7, -2, 4, 9][:classes],
    }
    if probabilities:
        given |= {"prob_a": [-1.5] * pairs, "prob_b": [0.1] * pairs}
    node = helper.make_node("SVMClassifier", ["x"], ["label", "y"], domain="ai.onnx.ml", **given)
    columns = classes if probabilities or classes == 2 else pairs
    graph = helper.make_graph(
        [node],
        "machine",
        [helper.make_tensor_value_info("x", FLOAT, [1, FEATURES])],
        [
            helper.make_tensor_value_info("label", INT, [1]),
            helper.make_tensor_value_info("y", FLOAT, [1, columns]),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_classes_and_scores(classes: int, probabilities: bool) -> None:
    model = machine(classes, probabilities)
    theirs = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rows = np.random.default_rng(9).standard_normal((60, 1, FEATURES)).astype("f4")
    made, _ = lowered(
        model, {"x": rows}, Options(weight_bits=16, activation_bits=14, table_bits=14)
    )
    # Where two decisions are as near as rounding, either class is right.
    near = 0.003
    for row in rows:
        label, scores = theirs.run(["label", "y"], {"x": row})
        got = run(made, {"x": row})
        # ONNX Runtime ends the coupling of probabilities early.
        within = 0.008 if probabilities else near * max(1.0, np.abs(scores).max())
        assert np.abs(got["y"] - scores).max() <= within
        if not probabilities and np.abs(scores).min() > near:
            assert got["label"].tolist() == label.tolist()
