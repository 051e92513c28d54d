"""Terms of linear forms, as polynomials. Source: specs/hiding-opening.md, section 1."""

from collections.abc import Callable, Sequence

from inferproof.second_verifier.field import (
    ONE,
    Element,
    add,
    equality_at,
    lift,
    mul,
    scale,
    spread,
    total,
)
from inferproof.second_verifier.hiding.shape import PLANES, Vector, bits_of

Term = Callable[[Sequence[Element]], Element]
"""The polynomial of a term's weights, at a point of its vector."""


def in_column(vector: Vector, index: int, of: Term) -> Term:
    place = vector.columns[index]

    def at(point: Sequence[Element]) -> Element:
        own, slot = point[: place.variables], point[place.variables :]
        return mul(of(own), equality_at(slot, bits_of(place.slot, len(slot))))

    return at


def at_point(point: Sequence[Element], factor: Element) -> Term:
    return lambda own: mul(factor, equality_at(point, own))


def cells(first: int, weights: Sequence[Element]) -> Term:
    def at(own: Sequence[Element]) -> Element:
        numbered = enumerate(weights, first)
        return total(mul(w, equality_at(bits_of(cell, len(own)), own)) for cell, w in numbered)

    return at


def basis(limb: int) -> Element:
    return tuple(int(place == limb) for place in range(PLANES))  # type: ignore[return-value]


def powers_of(x: int) -> Term:
    """The weights x^i of all elements i."""

    def at(point: Sequence[Element]) -> Element:
        found = ONE
        for s, (power, *_) in zip(point, spread(lift(x), len(point)), strict=True):
            found = mul(found, add(ONE, scale(s, power - 1)))
        return found

    return at


def scaled(term: Term, factor: Element) -> Term:
    return lambda point: mul(factor, term(point))
