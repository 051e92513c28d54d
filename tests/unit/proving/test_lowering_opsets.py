"""Operators at the oldest and the newest opset that a model may be written for."""

import numpy as np
import onnx
import pytest
from lowering import assert_close, model_of
from onnx import helper

from inferproof.models.limits import CONVERTED_BELOW, NEWEST_OPSET
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.context import Options

SMOOTH = (
    "Acos Asin Atanh Acosh Asinh Atan Celu Cos Cosh Elu Erf Exp Gelu HardSigmoid HardSwish "
    "LeakyRelu Log Mish Reciprocal Selu Shrink Sigmoid Sin Sinh Softplus Softsign Tan Tanh "
    "ThresholdedRelu Abs Neg Sign Sqrt Relu Clip Softmax LogSoftmax Hardmax ReduceSum ReduceMean "
    "ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp ReduceMax ReduceMin ArgMax "
    "ArgMin Flatten Transpose Identity Dropout GlobalAveragePool GlobalMaxPool"
)
WITHIN_ONE = frozenset({"Acos", "Asin", "Atanh", "Tan"})


def opsets(operator: str) -> list[int]:
    """The first and the last that the operator has."""
    first = max(CONVERTED_BELOW, min(s.since_version for s in versions(operator)))
    return sorted({first, NEWEST_OPSET})


def versions(operator: str) -> list[onnx.defs.OpSchema]:
    return [s for s in onnx.defs.get_all_schemas_with_history() if s.name == operator]


@pytest.mark.parametrize("operator", SMOOTH.split())
def test_oldest_and_newest_form(operator: str) -> None:
    x = (np.random.default_rng(4).random((4, 2, 3, 5)) * 0.8 + 1.05).astype(np.float32)
    samples = {"x": x - 1 if operator in WITHIN_ONE else x}
    for opset in opsets(operator):
        model = model_of([helper.make_node(operator, ["x"], ["y"])], samples, ["y"], opset=opset)
        assert_close(model, samples, 0.003, Options(table_bits=14))


def test_what_depends_on_shapes_alone_is_a_constant() -> None:
    """Also where intake leaves it, because it is larger than shapes are."""
    make = helper.make_node
    nodes = [
        make("Shape", ["x"], ["s"]),
        make("ConstantOfShape", ["s"], ["ones"], value=onnx.helper.make_tensor("v", 1, [1], [2])),
        make("Size", ["x"], ["n"]),
        make("Range", ["zero", "n", "one"], ["r"]),
        make("Cast", ["r"], ["f"], to=onnx.TensorProto.FLOAT),
        make("Reshape", ["f", "s"], ["g"]),
        make("Mul", ["g", "small"], ["h"]),
        make("Add", ["x", "ones"], ["t"]),
        make("Add", ["t", "h"], ["y"]),
    ]
    x = {"x": np.random.default_rng(5).standard_normal((2, 40, 50)).astype(np.float32)}
    constants = {
        "zero": np.array(0),
        "one": np.array(1),
        "small": np.array(1e-3, np.float32),
    }
    made = assert_close(model_of(nodes, x, ["y"], constants), x, 0.001)
    # What is computed is two sums; the others pass one element through a weight.
    names = [g.op_name(node.op) for node in made.graph.nodes]
    assert names == [*("Add", "Add", "View", "View", "Linear", "View", "Concat", "View")]
