"""What is applied to scores: the post-transforms of classical machine learning.

As ONNX Runtime has them: a single score without a class beside it is only ever given PROBIT.
"""

import math

from inferproof.models.classical.expansion import Attributes, text
from inferproof.models.expansion import Expansion
from inferproof.models.show import shown

TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")
NOTHING = 1e-7
"""SOFTMAX_ZERO takes a score that is no further from 0 for one that was not given."""
ERF_FACTOR = 0.147
"""Of the approximation of the inverse error function behind PROBIT (S. Winitzki, 2008)."""


def transform_of(made: Expansion, given: Attributes) -> str:
    """The post-transform. Raises: ModelRejected MODEL_INVALID for one that does not exist."""
    name = text(made, given, "post_transform", "NONE")
    if name not in TRANSFORMS:
        raise made.invalid(f"there is no post_transform {shown(name)}")
    return name


def activated(
    made: Expansion, scores: str, columns: int, given: Attributes, output: str | None = None
) -> str:
    """The scores after the post-transform. Shapes: [rows, columns]."""
    name = transform_of(made, given)
    if name == "PROBIT":
        return _probit(made, scores, output)
    if name == "NONE" or columns == 1:
        return made.node("Identity", [scores], output)
    if name == "LOGISTIC":
        return made.node("Sigmoid", [scores], output)
    if name == "SOFTMAX":
        return made.node("Softmax", [scores], output, axis=1)
    return _softmax_zero(made, scores, output)


def paired(made: Expansion, score: str, given: Attributes, output: str, signed: bool) -> None:
    """The scores of two classes, of which only the second's was computed. Shapes: score [rows, 1].

    The first is 1 - score, or with `signed` -score where there is no post-transform.
    Raises: ModelRejected MODEL_OPERATOR_REFUSED.
    """
    name = transform_of(made, given)
    if name == "PROBIT":
        raise made.refused("its post_transform PROBIT has one score; export it without")
    own = made.node("Sigmoid", [score]) if name == "LOGISTIC" else score
    if signed and name == "NONE":
        other = made.node("Neg", [own])
    else:
        other = made.node("Sub", [made.constant(1.0), own])
    made.node("Concat", [other, own], output, axis=1)


def _softmax_zero(made: Expansion, scores: str, output: str | None) -> str:
    """Softmax in which a score of 0 has no share."""
    peak = made.reduced("ReduceMax", scores, 1)
    powers = made.node("Exp", [made.node("Sub", [scores, peak])])
    told = made.node("Greater", [made.node("Abs", [scores]), made.constant(NOTHING)])
    kept = made.node("Where", [told, powers, made.constant(0.0)])
    return made.node("Div", [kept, made.reduced("ReduceSum", kept, 1)], output)


def _probit(made: Expansion, scores: str, output: str | None) -> str:
    """The inverse of the normal distribution's cumulative function, for scores within 0 and 1."""
    doubled = made.node("Mul", [scores, made.constant(2.0)])
    x = made.node("Sub", [doubled, made.constant(1.0)])
    rest = made.node("Sub", [made.constant(1.0), made.node("Mul", [x, x])])
    logarithm = made.node("Log", [rest])
    halved = made.node("Mul", [logarithm, made.constant(0.5)])
    v = made.node("Add", [halved, made.constant(2 / (math.pi * ERF_FACTOR))])
    squared = made.node("Mul", [v, v])
    w = made.node("Mul", [logarithm, made.constant(1 / ERF_FACTOR)])
    root = made.node("Sqrt", [made.node("Sub", [squared, w])])
    size = made.node("Sqrt", [made.node("Sub", [root, v])])
    signed = made.node("Mul", [made.node("Sign", [x]), size])
    return made.node("Mul", [signed, made.constant(math.sqrt(2))], output)
