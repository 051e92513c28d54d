"""Tensors as polynomials over their axes. Source: specs/relations.md, section 1."""

from collections.abc import Sequence
from typing import TypeVar

from inferproof.second_verifier.field import (
    ONE,
    ZERO,
    Element,
    P,
    add,
    dot,
    dot_integers,
    equality,
    lift,
    mul,
    product,
    sub,
)
from inferproof.second_verifier.layers import log
from inferproof.second_verifier.reader import Rejected

Point = list[Element]
T = TypeVar("T")
HALF = lift(pow(2, -1, P))


def coordinates(shape: Sequence[int]) -> int:
    """Coordinates of a point of a tensor."""
    return sum(log(size) for size in shape)


def split(shape: Sequence[int], point: Sequence[T]) -> list[list[T]]:
    """What belongs to the coordinates of each axis."""
    parts: list[list[T]] = []
    start = 0
    for size in shape:
        parts.append(list(point[start : start + log(size)]))
        start += log(size)
    return parts


def ones(point: Sequence[Element], count: int) -> Element:
    """1~: the sum of eq(point, i) over i < count."""
    if count >= 1 << len(point):
        return ONE
    if count == 0:
        return ZERO
    first, rest = point[0], point[1:]
    half = 1 << len(rest)
    if count < half:
        return mul(sub(ONE, first), ones(rest, count))
    return add(sub(ONE, first), mul(first, ones(rest, count - half)))


def ones_of(shape: Sequence[int], point: Sequence[Element]) -> Element:
    """The same for a tensor of ones."""
    parts = split(shape, point)
    return product(ones(part, size) for part, size in zip(parts, shape, strict=True))


def evaluate(values: Sequence[int], shape: Sequence[int], point: Sequence[Element]) -> Element:
    """The value of a tensor at a point, one axis after another from the last."""
    left: list[Element] | None = None
    for size, part in reversed(list(zip(shape, split(shape, point), strict=True))):
        weights = equality(part, size)
        if left is None:
            starts = range(0, len(values), size)
            left = [dot_integers(weights, values[start : start + size]) for start in starts]
        else:
            starts = range(0, len(left), size)
            left = [dot(weights, left[start : start + size]) for start in starts]
    return lift(values[0]) if left is None else left[0]


def element_weights(shape: Sequence[int], point: Sequence[Element]) -> list[Element]:
    """eq of a point and each element of a tensor, row-major."""
    weights = [ONE]
    for size, part in zip(shape, split(shape, point), strict=True):
        weights = [mul(outer, inner) for outer in weights for inner in equality(part, size)]
    return weights


def front(point: Sequence[Element], variables: int) -> Point:
    """The point of a column of so many variables that ends with a point of its tensor."""
    return [ZERO] * (variables - len(point)) + list(point)


def behind(point: Sequence[Element], own: int) -> tuple[Element, Point]:
    """The factor that the padding in front of a tensor has at a column's point, and the rest."""
    cut = len(point) - own
    return ones(point[:cut], 1) if cut else ONE, list(point[cut:])


def inverse(a: Element) -> Element:
    """1 / a. Raises: Rejected REDUCTION_MISMATCH where a is zero."""
    if a == ZERO:
        raise Rejected("REDUCTION_MISMATCH", "a challenge is a root")
    # a^(p^5 - 2), by squaring.
    result, exponent = ONE, P**5 - 2
    while exponent:
        if exponent & 1:
            result = mul(result, a)
        a = mul(a, a)
        exponent >>= 1
    return result
