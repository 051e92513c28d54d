"""Linear models."""

import numpy as np
from onnx import NodeProto, TensorProto

from inferproof.models.classical.expansion import Attributes, expands, floats, ints
from inferproof.models.classical.scores import activated, paired
from inferproof.models.expansion import Expansion
from inferproof.models.tensors import Array


def _scores(made: Expansion, x: str, given: Attributes, rows: int) -> str:
    """The linear scores of `rows` targets or classes."""
    weights, offsets = (floats(made, given, name) for name in ("coefficients", "intercepts"))
    if rows < 1 or not weights.size or weights.size % rows or offsets.size not in (0, rows):
        raise made.invalid("its coefficients and intercepts do not fit each other")
    matrix = made.constant(weights.reshape(rows, -1).T)
    scores = made.node("MatMul", [made.floats(x), matrix])
    return made.node("Add", [scores, made.constant(offsets)]) if offsets.size else scores


@expands("LinearRegressor")
def _linear_regressor(made: Expansion, node: NodeProto, given: Attributes) -> None:
    targets = given.get("targets", 1)
    if not isinstance(targets, int):
        raise made.invalid("its targets are no whole number")
    scores = _scores(made, node.input[0], given, targets)
    activated(made, scores, targets, given, node.output[0])


@expands("LinearClassifier")
def _linear_classifier(made: Expansion, node: NodeProto, given: Attributes) -> None:
    """`multi_class` changes nothing: runtimes read scores and post-transform alone."""
    labels = ints(made, given, "classlabels_ints")
    rows = floats(made, given, "intercepts").size or labels.size
    scores = _scores(made, node.input[0], given, rows)
    wanted = node.output[1] if len(node.output) > 1 else ""
    if rows == 1 and labels.size in (0, 2):
        # Without labels they are 0 and 1, and only the second has its score shown.
        told = labels if labels.size else np.arange(2)
        if node.output[0]:
            above_zero(made, scores, told, node.output[0])
        if wanted and labels.size:
            paired(made, scores, given, wanted, signed=False)
        elif wanted:
            activated(made, scores, 1, given, wanted)
        return
    if labels.size != rows:
        raise made.invalid("it has another number of classes than of scores")
    if node.output[0]:
        named(made, made.node("ArgMax", [scores], axis=1, keepdims=0), labels, node.output[0])
    if wanted:
        activated(made, scores, rows, given, wanted)


def above_zero(made: Expansion, score: str, labels: Array, output: str) -> None:
    """The second label where the score is above 0, else the first. Shapes: score [rows, 1]."""
    flat = made.node("Reshape", [score, made.constant([-1], "<i8")])
    above = made.node("Greater", [flat, made.constant(0.0)])
    named(made, made.node("Cast", [above], to=TensorProto.INT64), labels, output)


def named(made: Expansion, place: str, labels: Array, output: str) -> None:
    """The label of each number of a class."""
    made.node("Gather", [made.constant(labels, "<i8"), place], output, axis=0)
