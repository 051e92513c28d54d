"""Operators of classical machine learning (ai.onnx.ml) written with those of ONNX: FORMS.

So everything behind the intake sees ONNX alone: shapes, ONNX Runtime, every proof system. Ensembles
of trees stay what they are. Source: the operators' texts in onnx/docs/Operators-ml.md, and what
ONNX Runtime makes of them, which tests hold each to.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.show import shown
from inferproof.models.tensors import Array

Attributes = dict[str, Any]
Expand = Callable[["Expansion", NodeProto, Attributes], None]

_PLAIN = {"NONE": None, "LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}
"""What is applied to scores, by its name there."""
_NORMS = {"L1": 1, "L2": 2}
_EXPANDED: dict[str, Expand] = {}


class Expansion:
    """The nodes and constants that stand for one node. Names of its own begin with that of the
    node's first output."""

    def __init__(self, node: NodeProto) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {}
        self._op = node.op_type
        self._stem = next(iter(node.output), "")

    def constant(self, values: Any, dtype: str = "<f4") -> str:
        """The name of a constant tensor."""
        name = self._name()
        self.constants[name] = np.asarray(values, dtype=dtype)
        return name

    def node(self, op: str, inputs: list[str], output: str | None = None, **more: Any) -> str:
        """The name of what the node makes, which is `output` where that is given."""
        name = output or self._name()
        self.nodes.append(helper.make_node(op, inputs, [name], **more))
        return name

    def floats(self, name: str) -> str:
        """The tensor as real numbers of 32 bits, as these operators take any."""
        return self.node("Cast", [name], to=TensorProto.FLOAT)

    def invalid(self, why: str) -> ModelRejected:
        return ModelRejected(Reason.MODEL_INVALID, op=shown(self._op), why=why)

    def refused(self, why: str) -> ModelRejected:
        return ModelRejected(Reason.MODEL_OPERATOR_REFUSED, op=shown(self._op), why=why)

    def _name(self) -> str:
        return f"{self._stem}/{self._op}/{len(self.nodes) + len(self.constants)}"


def expanded(node: NodeProto) -> Expansion:
    """What stands for a node of an operator in EXPANDED, whose attributes were looked at.

    Raises: ModelRejected MODEL_INVALID, MODEL_OPERATOR_REFUSED.
    """
    made = Expansion(node)
    try:
        given = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    except ValueError:
        raise made.invalid("an attribute is of a kind that it cannot have") from None
    if not node.input or not all(node.input) or not any(node.output):
        raise made.invalid("it lacks an input or an output")
    _EXPANDED[node.op_type](made, node, given)
    return made


def _expands(name: str) -> Callable[[Expand], Expand]:
    def declare(expand: Expand) -> Expand:
        _EXPANDED[name] = expand
        return expand

    return declare


def _text(made: Expansion, given: Attributes, name: str, default: str) -> str:
    value = given.get(name, default.encode())
    if not isinstance(value, bytes):
        raise made.invalid(f"its {name} is no text")
    return value.decode("ascii")


def _floats(made: Expansion, given: Attributes, name: str) -> Array:
    value = np.asarray(given.get(name, []))
    if value.dtype.kind not in "fi" or value.ndim != 1:
        raise made.invalid(f"its {name} are no numbers")
    return value.astype("<f4")


def _ints(made: Expansion, given: Attributes, name: str) -> Array:
    value = np.asarray(given.get(name, np.zeros(0, "<i8")))
    if value.dtype.kind != "i" or value.ndim != 1:
        raise made.invalid(f"its {name} are no whole numbers")
    return value.astype("<i8")


def _scores(made: Expansion, x: str, given: Attributes, rows: int) -> str:
    """The linear scores of `rows` targets or classes."""
    weights, offsets = (_floats(made, given, name) for name in ("coefficients", "intercepts"))
    if rows < 1 or not weights.size or weights.size % rows or offsets.size not in (0, rows):
        raise made.invalid("its coefficients and intercepts do not fit each other")
    matrix = made.constant(weights.reshape(rows, -1).T)
    scores = made.node("MatMul", [made.floats(x), matrix])
    return made.node("Add", [scores, made.constant(offsets)]) if offsets.size else scores


def _activated(made: Expansion, scores: str, given: Attributes, output: str) -> None:
    name = _text(made, given, "post_transform", "NONE")
    if name not in _PLAIN:
        raise made.refused(f"its post_transform {shown(name)} is not one of {', '.join(_PLAIN)}")
    op = _PLAIN[name]
    more = {"axis": 1} if op == "Softmax" else {}
    made.node(op or "Identity", [scores], output, **more)


@_expands("LinearRegressor")
def _linear_regressor(made: Expansion, node: NodeProto, given: Attributes) -> None:
    targets = given.get("targets", 1)
    if not isinstance(targets, int):
        raise made.invalid("its targets are no whole number")
    scores = _scores(made, node.input[0], given, targets)
    _activated(made, scores, given, node.output[0])


@_expands("LinearClassifier")
def _linear_classifier(made: Expansion, node: NodeProto, given: Attributes) -> None:
    if given.get("classlabels_strings"):
        raise made.refused("its classes are texts; export it with whole numbers as classes")
    labels = _ints(made, given, "classlabels_ints")
    rows = _floats(made, given, "intercepts").size or labels.size
    scores = _scores(made, node.input[0], given, rows)
    if rows == 1 and labels.size == 2:
        _two_classes(made, node, given, scores, labels)
        return
    if labels.size != rows:
        raise made.invalid("it has another number of classes than of scores")
    if node.output[0]:
        best = made.node("ArgMax", [scores], axis=1, keepdims=0)
        made.node("Gather", [made.constant(labels, "<i8"), best], node.output[0], axis=0)
    if len(node.output) > 1 and node.output[1]:
        _activated(made, scores, given, node.output[1])


def _two_classes(
    made: Expansion, node: NodeProto, given: Attributes, score: str, labels: Array
) -> None:
    """One score for two classes: that of the second, which is the answer above 0."""
    if node.output[0]:
        flat = made.node("Reshape", [score, made.constant([-1], "<i8")])
        above = made.node("Greater", [flat, made.constant(0.0)])
        place = made.node("Cast", [above], to=TensorProto.INT64)
        made.node("Gather", [made.constant(labels, "<i8"), place], node.output[0], axis=0)
    if len(node.output) > 1 and node.output[1]:
        transform = _text(made, given, "post_transform", "NONE")
        if transform not in ("NONE", "LOGISTIC"):
            raise made.refused(f"its post_transform {shown(transform)} has one score")
        own = made.node("Sigmoid", [score]) if transform == "LOGISTIC" else score
        other = made.node("Sub", [made.constant(1.0), own])
        made.node("Concat", [other, own], node.output[1], axis=1)


@_expands("SVMRegressor")
def _svm_regressor(made: Expansion, node: NodeProto, given: Attributes) -> None:
    weights, rho = (_floats(made, given, name) for name in ("coefficients", "rho"))
    vectors = _floats(made, given, "support_vectors")
    count = given.get("n_supports", 0)
    if rho.size != 1 or not weights.size or not isinstance(count, int):
        raise made.invalid("it needs coefficients and one rho")
    x = made.floats(node.input[0])
    if count:
        if weights.size != count or not vectors.size or vectors.size % count:
            raise made.invalid("its support vectors and coefficients do not fit each other")
        x = _kernel(made, x, given, vectors.reshape(count, -1))
    scores = made.node("MatMul", [x, made.constant(weights.reshape(-1, 1))])
    moved = made.node("Add", [scores, made.constant(rho)])
    if not given.get("one_class", 0):
        _activated(made, moved, given, node.output[0])
        return
    inside = made.node("Greater", [moved, made.constant(0.0)])
    sides = [made.constant(1.0), made.constant(-1.0)]
    made.node("Where", [inside, *sides], node.output[0])


def _kernel(made: Expansion, x: str, given: Attributes, vectors: Array) -> str:
    """The kernel of each row of x and each support vector. Shapes: x [N, F], vectors [S, F]."""
    kind = _text(made, given, "kernel_type", "LINEAR")
    numbers = _floats(made, given, "kernel_params")
    gamma, offset, degree = (float(value) for value in (*numbers, *np.zeros(3))[:3])
    products = made.node("MatMul", [x, made.constant(vectors.T)])
    if kind == "LINEAR":
        return products
    if kind == "RBF":
        # |x - v|^2 = x·x - 2 x·v + v·v
        squares = made.node("Mul", [x, x])
        lengths = made.node("MatMul", [squares, made.constant(np.ones((vectors.shape[1], 1)))])
        twice = made.node("Mul", [products, made.constant(2.0)])
        part = made.node("Sub", [lengths, twice])
        own = (vectors.astype(np.float64) ** 2).sum(axis=1)
        distances = made.node("Add", [part, made.constant(own)])
        return made.node("Exp", [made.node("Mul", [distances, made.constant(-gamma)])])
    if kind not in ("POLY", "SIGMOID"):
        raise made.invalid(f"there is no kernel {shown(kind)}")
    scaled = made.node("Mul", [products, made.constant(gamma)])
    moved = made.node("Add", [scaled, made.constant(offset)])
    if kind == "SIGMOID":
        return made.node("Tanh", [moved])
    return made.node("Pow", [moved, made.constant(degree)])


@_expands("Scaler")
def _scaler(made: Expansion, node: NodeProto, given: Attributes) -> None:
    offset, scale = (_floats(made, given, name) for name in ("offset", "scale"))
    if not offset.size or not scale.size:
        raise made.invalid("it needs offset and scale")
    moved = made.node("Sub", [made.floats(node.input[0]), made.constant(offset)])
    made.node("Mul", [moved, made.constant(scale)], node.output[0])


@_expands("Normalizer")
def _normalizer(made: Expansion, node: NodeProto, given: Attributes) -> None:
    norm = _text(made, given, "norm", "MAX")
    if norm not in _NORMS:
        raise made.refused(f"its norm {shown(norm)} is not one of {', '.join(_NORMS)}")
    x = made.floats(node.input[0])
    made.node("LpNormalization", [x], node.output[0], axis=-1, p=_NORMS[norm])


@_expands("Binarizer")
def _binarizer(made: Expansion, node: NodeProto, given: Attributes) -> None:
    threshold = given.get("threshold", 0.0)
    if not isinstance(threshold, float):
        raise made.invalid("its threshold is no number")
    above = made.node("Greater", [made.floats(node.input[0]), made.constant(threshold)])
    made.node("Cast", [above], node.output[0], to=TensorProto.FLOAT)


@_expands("ArrayFeatureExtractor")
def _array_feature_extractor(made: Expansion, node: NodeProto, _: Attributes) -> None:
    if len(node.input) != 2:
        raise made.invalid("it needs a tensor and indices")
    places = made.node("Reshape", [node.input[1], made.constant([-1], "<i8")])
    made.node("Gather", [node.input[0], places], node.output[0], axis=-1)


@_expands("FeatureVectorizer")
def _feature_vectorizer(made: Expansion, node: NodeProto, _: Attributes) -> None:
    made.node("Concat", [made.floats(name) for name in node.input], node.output[0], axis=1)


@_expands("ZipMap")
def _zip_map(made: Expansion, node: NodeProto, _: Attributes) -> None:
    made.node("Identity", [node.input[0]], node.output[0])


def zipped_outputs(nodes: Iterable[NodeProto]) -> set[str]:
    """The names that are dictionaries in the file, and tensors here."""
    return {name for node in nodes if node.op_type == "ZipMap" for name in node.output}


EXPANDED = frozenset(_EXPANDED)
"""The operators that are written with others."""

FORMS = {
    "ArrayFeatureExtractor": "Gather",
    "Binarizer": "Greater",
    "FeatureVectorizer": "Concat",
    "LinearClassifier": "scores by MatMul, Add and the activation; the class by ArgMax and Gather",
    "LinearRegressor": "MatMul, Add, the activation",
    "Normalizer": "LpNormalization (norms L1 and L2)",
    "SVMRegressor": "MatMul with the support vectors, the kernel, MatMul, Add; Where of one class",
    "Scaler": "Sub, Mul",
    "ZipMap": "the tensor whose columns it would name",
}
"""What each becomes, in words."""
