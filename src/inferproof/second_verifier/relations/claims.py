"""Claims about tensors, and what reduces them. Source: specs/relations.md, section 11."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from inferproof.second_verifier.field import ONE, ZERO, Element, equality, equality_at, powers
from inferproof.second_verifier.layers import log
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.relations.tensors import Point, coordinates, split
from inferproof.second_verifier.relations.values import Value, add, dot, mul, scale, sub, total
from inferproof.second_verifier.transcript import Transcript

Open = list[Element | None]
"""A point of which some coordinates are still open."""


@dataclass(frozen=True)
class Claim:
    """That a tensor has a value at a point."""

    point: Point
    value: Value


@dataclass(frozen=True)
class MatrixClaim:
    """That a weight matrix has a value at a point of its rows and one of its columns."""

    rows: Point
    columns: Point
    value: Value


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
    """What the proof says, in order, the challenges in between, and what must hold of it.

    Here values are held in the clear, so that what must hold is checked at once.
    """

    hides = False
    """Whether values are hidden."""

    def __init__(self, values: Sequence[Element], transcript: Transcript) -> None:
        self._values = values
        self._at = 0
        self.transcript = transcript

    def _next(self, count: int, site: str) -> list[Element]:
        taken = list(self._values[self._at : self._at + count])
        demand(len(taken) == count, "the elements end too early")
        self._at += count
        self.transcript.absorb_elements(site, taken)
        return taken

    def take(self, count: int, site: str) -> list[Value]:
        """One message of values, absorbed at a site."""
        return list(self._next(count, site))

    def equal(self, left: Value, right: Value, why: str) -> None:
        """Both values must be equal."""
        demand(left == right, why)

    def products(self, pairs: Sequence[tuple[Value, Value]], result: Value, why: str) -> None:
        """The products of all pairs must add up to the result."""
        self.equal(result, total(mul(a, b) for a, b in pairs), why)

    def values(self, count: int) -> list[Value]:
        """One message of values of the reduction."""
        return self.take(count, "claims")

    def sumcheck(self, variables: int, degree: int, claim: Value) -> tuple[Value, Point]:
        """The claim that is left at the end, and the point."""
        point = []
        for _ in range(variables):
            constant, *higher = self.take(degree, "round")
            x = self.transcript.challenge()
            linear = sub(sub(claim, scale(constant, 2)), total(higher))
            coefficients = [constant, linear, *higher]
            claim = dot(powers(x, degree + 1), coefficients)
            point.append(x)
        return claim, point

    def end(self) -> None:
        demand(self._at == len(self._values), "elements are left over")


@dataclass
class State:
    """Claims to be reduced, by tensor, and those to be opened."""

    messages: Messages
    claims: dict[int, list[Claim]] = field(default_factory=dict)
    columns: list[tuple[int, Point, Value]] = field(default_factory=list)
    matrices: dict[int, MatrixClaim] = field(default_factory=dict)
    inputs: list[Claim] = field(default_factory=list)
    """One on each input, where they are private."""
    parameters: dict[int, Claim] = field(default_factory=dict)
    """One on each parameter, by its node."""

    def claim(self, tensor: int, claim: Claim) -> None:
        self.claims.setdefault(tensor, []).append(claim)

    def column(self, column: int, point: Point, value: Value) -> None:
        self.columns.append((column, point, value))


def fill(point: Open, ends: Sequence[Element]) -> Point:
    """A point with its open coordinates filled in."""
    left = iter(ends)
    return [next(left) if x is None else x for x in point]


class Functional:
    """Reduces Σ G[j] · x[j] = value over the open coordinates of a point."""

    def __init__(self, messages: Messages, point: Open, value: Value) -> None:
        self._messages = messages
        self._point = point
        count = sum(x is None for x in point)
        self._left, self.ends = messages.sumcheck(count, 2, value)

    def end(self, weight: Element) -> Claim:
        """The claim on x, `weight` being G at the end."""
        (value,) = self._messages.values(1)
        self._messages.equal(self._left, mul(weight, value), "a functional does not follow")
        return Claim(fill(self._point, self.ends), value)


def separable(
    messages: Messages, shape: Sequence[int], axes: Sequence[Axis], value: Value
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
            messages.equal(same[0].value, claim.value, "two values at one point")
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
