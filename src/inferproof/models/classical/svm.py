"""Support vector machines."""

from itertools import combinations

import numpy as np
from onnx import NodeProto, TensorProto

from inferproof.models.classical.coupling import coupled
from inferproof.models.classical.expansion import Attributes, expands, floats, ints, text
from inferproof.models.classical.linear import named
from inferproof.models.classical.scores import activated, paired
from inferproof.models.expansion import Expansion
from inferproof.models.show import shown
from inferproof.models.tensors import Array

MOST_PAIRED = 2**22
"""Support vectors times pairs of classes. Ten classes of a thousand support vectors each have
450,000."""
_CERTAIN = 1e-7
"""A pair's probability is kept this far from 0 and 1."""


@expands("SVMRegressor")
def _svm_regressor(made: Expansion, node: NodeProto, given: Attributes) -> None:
    weights, rho = (floats(made, given, name) for name in ("coefficients", "rho"))
    vectors = floats(made, given, "support_vectors")
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
        activated(made, moved, 1, given, node.output[0])
        return
    inside = made.node("Greater", [moved, made.constant(0.0)])
    sides = [made.constant(1.0), made.constant(-1.0)]
    made.node("Where", [inside, *sides], node.output[0])


@expands("SVMClassifier")
def _svm_classifier(made: Expansion, node: NodeProto, given: Attributes) -> None:
    labels = ints(made, given, "classlabels_ints")
    rho = floats(made, given, "rho")
    if labels.size < 2 or not rho.size:
        raise made.invalid("it needs two classes or more, and rho")
    x = made.floats(node.input[0])
    if ints(made, given, "vectors_per_class").size:
        _by_pairs(made, node, given, x, labels, rho)
    else:
        _by_classes(made, node, given, x, labels, rho)


def _by_classes(
    made: Expansion, node: NodeProto, given: Attributes, x: str, labels: Array, rho: Array
) -> None:
    """One linear score for each class, without support vectors."""
    weights = floats(made, given, "coefficients")
    if not weights.size or weights.size % labels.size:
        raise made.invalid("its coefficients do not fit its classes")
    if floats(made, given, "prob_a").size:
        raise made.refused("it has probabilities without support vectors; export it with them")
    matrix = made.constant(weights.reshape(labels.size, -1).T)
    scores = made.node("Add", [made.node("MatMul", [x, matrix]), made.constant(rho[:1])])
    if node.output[0]:
        best = made.node("ArgMax", [scores], axis=1, keepdims=0)
        if labels.size == 2 and rho.size == 1:
            # The second of two classes is also the answer when any score is above 0; without
            # a negative coefficient, above 1/2.
            bound = np.nextafter(np.float32(0.5), np.float32(0)) if (weights >= 0).all() else 0.0
            above = made.node(
                "Greater", [made.reduced("ReduceMax", scores, 1), made.constant(bound)]
            )
            flat = made.node("Reshape", [above, made.constant([-1], "<i8")])
            best = made.node("Max", [best, made.node("Cast", [flat], to=TensorProto.INT64)])
        named(made, best, labels, node.output[0])
    if len(node.output) > 1 and node.output[1]:
        activated(made, scores, labels.size, given, node.output[1])


def _by_pairs(
    made: Expansion, node: NodeProto, given: Attributes, x: str, labels: Array, rho: Array
) -> None:
    """A decision for each pair of classes, of which each is a vote."""
    pairs = list(combinations(range(labels.size), 2))
    decisions = _decisions(made, given, x, labels.size, rho)
    if node.output[0]:
        won = made.node("Greater", [decisions, made.constant(0.0)])
        counted = made.node("Cast", [won], to=TensorProto.FLOAT)
        change, base = np.zeros((len(pairs), labels.size)), np.zeros(labels.size)
        for place, (first, second) in enumerate(pairs):
            change[place, [first, second]] = 1, -1
            base[second] += 1
        votes = made.node("MatMul", [counted, made.constant(change)])
        total = made.node("Add", [votes, made.constant(base)])
        named(made, made.node("ArgMax", [total], axis=1, keepdims=0), labels, node.output[0])
    if len(node.output) < 2 or not node.output[1]:
        return
    slopes, offsets = (floats(made, given, name) for name in ("prob_a", "prob_b"))
    if slopes.size or offsets.size:
        if slopes.size != len(pairs) or offsets.size != len(pairs):
            raise made.invalid("its prob_a and prob_b do not fit its pairs of classes")
        scaled = made.node("Mul", [decisions, made.constant(-slopes)])
        chances = made.node("Sigmoid", [made.node("Add", [scaled, made.constant(-offsets)])])
        kept = made.clipped(chances, _CERTAIN, 1 - _CERTAIN)
        shares = coupled(made, kept, labels.size)
        activated(made, shares, labels.size, given, node.output[1])
    elif len(pairs) == 1:
        paired(made, decisions, given, node.output[1], signed=True)
    else:
        activated(made, decisions, len(pairs), given, node.output[1])


def _decisions(made: Expansion, given: Attributes, x: str, classes: int, rho: Array) -> str:
    """The decision value of each pair of classes, above 0 for the first: [rows, pairs]."""
    counts = ints(made, given, "vectors_per_class")
    weights, vectors = (floats(made, given, n) for n in ("coefficients", "support_vectors"))
    total, pairs = int(counts.sum()), list(combinations(range(classes), 2))
    fits = counts.size == classes and counts.min() >= 0 and total > 0 and rho.size == len(pairs)
    if not fits or weights.size != total * (classes - 1) or vectors.size % total:
        raise made.invalid("its support vectors and coefficients do not fit each other")
    if total * len(pairs) > MOST_PAIRED:
        raise made.refused(
            f"it has {total} support vectors and {len(pairs)} pairs of classes, whose product is "
            f"above {MOST_PAIRED}; fit it with fewer support vectors"
        )
    kernel = _kernel(made, x, given, vectors.reshape(total, -1))
    ends = np.cumsum(counts)
    of = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
    rows = weights.reshape(classes - 1, total)
    matrix = np.zeros((total, len(pairs)))
    for place, (first, second) in enumerate(pairs):
        matrix[of[first], place] = rows[second - 1, of[first]]
        matrix[of[second], place] = rows[first, of[second]]
    sums = made.node("MatMul", [kernel, made.constant(matrix)])
    return made.node("Add", [sums, made.constant(rho)])


def _kernel(made: Expansion, x: str, given: Attributes, vectors: Array) -> str:
    """The kernel of each row of x and each support vector. Shapes: x [N, F], vectors [S, F]."""
    kind = text(made, given, "kernel_type", "LINEAR")
    numbers = floats(made, given, "kernel_params")
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
