"""Support vector machines."""

import numpy as np
from onnx import NodeProto

from inferproof.models.classical.expansion import Attributes, expands, floats, text
from inferproof.models.classical.scores import activated
from inferproof.models.expansion import Expansion
from inferproof.models.show import shown
from inferproof.models.tensors import Array


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
        activated(made, moved, given, node.output[0])
        return
    inside = made.node("Greater", [moved, made.constant(0.0)])
    sides = [made.constant(1.0), made.constant(-1.0)]
    made.node("Where", [inside, *sides], node.output[0])


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
