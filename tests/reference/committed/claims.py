"""Claims about tensors, and what reduces them. Source: specs/committed-mode.md, section 11."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reference.committed.tensors import Point, coordinates, split
from reference.field import (
    ONE,
    ZERO,
    Element,
    add,
    dot,
    equality,
    equality_at,
    mul,
    powers,
    scale,
    sub,
    total,
)
from reference.layers import log
from reference.reader import Rejected
from reference.transcript import Transcript

Open = list[Element | None]
"""A point of which some coordinates are still open."""


@dataclass(frozen=True)
class Claim:
    """That a tensor has a value at a point."""

    point: Point
    value: Element


@dataclass(frozen=True)
class MatrixClaim:
    """That a weight matrix has a value at a point of its rows and one of its columns."""

    rows: Point
    columns: Point
    value: Element


@dataclass(frozen=True)
class At:
    """An axis that is fixed at a point."""

    point: Point


@dataclass(frozen=True)
class Weighted:
    """An axis that is summed over, one weight for each position."""

    weights: list[Element]


Axis = At | Weighted


def mismatch(why: str) -> Rejected:
    return Rejected("REDUCTION_MISMATCH", why)


def demand(fact: bool, why: str) -> None:
    if not fact:
        raise mismatch(why)


class Messages:
    """What the proof says in a reduction, in order, and the challenges in between."""

    def __init__(self, values: Sequence[Element], transcript: Transcript) -> None:
        self._values = values
        self._at = 0
        self.transcript = transcript

    def _take(self, count: int, site: str) -> list[Element]:
        taken = list(self._values[self._at : self._at + count])
        demand(len(taken) == count, "the reduction ends too early")
        self._at += count
        self.transcript.absorb_elements(site, taken)
        return taken

    def values(self, count: int) -> list[Element]:
        """One message of values."""
        return self._take(count, "claims")

    def sumcheck(self, variables: int, degree: int, claim: Element) -> tuple[Element, Point]:
        """The claim that is left at the end, and the point."""
        point = []
        for _ in range(variables):
            constant, *higher = self._take(degree, "round")
            x = self.transcript.challenge()
            linear = sub(sub(claim, scale(constant, 2)), total(higher))
            coefficients = [constant, linear, *higher]
            claim = dot(powers(x, degree + 1), coefficients)
            point.append(x)
        return claim, point

    def end(self) -> None:
        demand(self._at == len(self._values), "the reduction has values left over")


@dataclass
class State:
    """Claims to be reduced, by tensor, and those to be opened."""

    messages: Messages
    claims: dict[int, list[Claim]] = field(default_factory=dict)
    columns: list[tuple[int, Point, Element]] = field(default_factory=list)
    matrices: dict[int, MatrixClaim] = field(default_factory=dict)

    def claim(self, tensor: int, claim: Claim) -> None:
        self.claims.setdefault(tensor, []).append(claim)

    def column(self, column: int, point: Point, value: Element) -> None:
        self.columns.append((column, point, value))


def fill(point: Open, ends: Sequence[Element]) -> Point:
    """A point with its open coordinates filled in."""
    left = iter(ends)
    return [next(left) if x is None else x for x in point]


class Functional:
    """Reduces Σ G[j] · x[j] = value over the open coordinates of a point."""

    def __init__(self, messages: Messages, point: Open, value: Element) -> None:
        self._messages = messages
        self._point = point
        count = sum(x is None for x in point)
        self._left, self.ends = messages.sumcheck(count, 2, value)

    def end(self, weight: Element) -> Claim:
        """The claim on x, `weight` being G at the end."""
        (value,) = self._messages.values(1)
        demand(self._left == mul(weight, value), "a functional does not follow")
        return Claim(fill(self._point, self.ends), value)


def separable(
    messages: Messages, shape: Sequence[int], axes: Sequence[Axis], value: Element
) -> Claim:
    """Reduces Σ Π_axes weight · x = value."""
    point: Open = []
    sums: list[list[Element]] = []
    sizes = []
    for size, axis in zip(shape, axes, strict=True):
        if isinstance(axis, At):
            point.extend(axis.point)
        else:
            point.extend([None] * log(size))
            sums.append(axis.weights)
            sizes.append(size)
    if not sums:
        return Claim(fill(point, []), value)
    own = Functional(messages, point, value)
    weight = ONE
    for part, weights in zip(split(sizes, own.ends), sums, strict=True):
        weight = mul(weight, dot(equality(part), weights))
    return own.end(weight)


def merged(messages: Messages, claims: Sequence[Claim]) -> Claim | None:
    """One claim in place of several about one tensor."""
    distinct: list[Claim] = []
    for claim in claims:
        same = [known for known in distinct if known.point == claim.point]
        if same:
            demand(same[0].value == claim.value, "two values at one point")
        else:
            distinct.append(claim)
    if len(distinct) < 2:
        return distinct[0] if distinct else None
    point: Open = []
    for coordinates_ in zip(*(claim.point for claim in distinct), strict=True):
        first = coordinates_[0]
        point.append(first if all(x == first for x in coordinates_) else None)
    weights = powers(messages.transcript.challenge(), len(distinct))
    own = Functional(messages, point, dot(weights, [claim.value for claim in distinct]))
    sums = ZERO
    for weight, claim in zip(weights, distinct, strict=True):
        part = [x for x, common in zip(claim.point, point, strict=True) if common is None]
        sums = add(sums, mul(weight, equality_at(part, own.ends)))
    return own.end(sums)


def whole(shape: Sequence[int]) -> Open:
    """A point of which every coordinate is open."""
    return [None] * coordinates(shape)
