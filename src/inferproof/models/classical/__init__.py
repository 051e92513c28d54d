"""Operators of classical machine learning (ai.onnx.ml) written with those of ONNX: FORMS.

So everything behind the intake sees ONNX alone: shapes, ONNX Runtime, every proof system. Ensembles
of trees stay what they are. Source: the operators' texts in onnx/docs/Operators-ml.md, and what
ONNX Runtime makes of them, which tests hold each to.
"""

from collections.abc import Iterable

from onnx import NodeProto, helper

from inferproof.models.classical import (  # noqa: F401  (they register)
    categories,
    ensembles,
    features,
    linear,
    svm,
)
from inferproof.models.classical.expansion import REGISTRY
from inferproof.models.expansion import Expansion


def expanded(node: NodeProto, opset: int) -> Expansion:
    """What stands for a node of an operator in EXPANDED, whose attributes were looked at.

    Raises: ModelRejected MODEL_INVALID, MODEL_OPERATOR_REFUSED.
    """
    made = Expansion(node, opset)
    try:
        given = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    except ValueError:
        raise made.invalid("an attribute is of a kind that it cannot have") from None
    if not node.input or not all(node.input) or not any(node.output):
        raise made.invalid("it lacks an input or an output")
    REGISTRY[node.op_type](made, node, given)
    return made


def zipped_outputs(nodes: Iterable[NodeProto]) -> set[str]:
    """The names that are dictionaries in the file, and tensors here."""
    return {name for node in nodes if node.op_type == "ZipMap" for name in node.output}


EXPANDED = frozenset(REGISTRY)
"""The operators that are written with others."""

FORMS = {
    "ArrayFeatureExtractor": "Gather",
    "Binarizer": "Greater",
    "FeatureVectorizer": "Concat",
    "LabelEncoder": "of numbers: Less, Greater, Sub, Where, Gather; of keys far apart Equal",
    "LinearClassifier": "scores by MatMul, Add and the activation; the class by ArgMax and Gather",
    "LinearRegressor": "MatMul, Add, the activation",
    "Imputer": "Equal or IsNaN and Where",
    "Normalizer": "LpNormalization, or ReduceMax and Div",
    "OneHotEncoder": "of numbers: as LabelEncoder, OneHot; an unknown number has zeros",
    "SVMClassifier": "as SVMRegressor for all pairs of classes; votes by Greater, MatMul and "
    "ArgMax; probabilities by Sigmoid and the solution of the coupling's equations",
    "SVMRegressor": "MatMul with the support vectors, the kernel, MatMul, Add; Where of one class",
    "Scaler": "Sub, Mul",
    "TreeEnsemble": "TreeEnsembleRegressor; a branch by membership is one for each member",
    "ZipMap": "the tensor whose columns it would name",
}
"""What each becomes, in words."""
