"""Linear models."""

from onnx import NodeProto, TensorProto

from inferproof.models.classical.expansion import Attributes, expands, floats, ints, text
from inferproof.models.classical.scores import activated
from inferproof.models.expansion import Expansion
from inferproof.models.show import shown
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
    activated(made, scores, given, node.output[0])


@expands("LinearClassifier")
def _linear_classifier(made: Expansion, node: NodeProto, given: Attributes) -> None:
    labels = ints(made, given, "classlabels_ints")
    rows = floats(made, given, "intercepts").size or labels.size
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
        activated(made, scores, given, node.output[1])


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
        transform = text(made, given, "post_transform", "NONE")
        if transform not in ("NONE", "LOGISTIC"):
            raise made.refused(f"its post_transform {shown(transform)} has one score")
        own = made.node("Sigmoid", [score]) if transform == "LOGISTIC" else score
        other = made.node("Sub", [made.constant(1.0), own])
        made.node("Concat", [other, own], node.output[1], axis=1)
