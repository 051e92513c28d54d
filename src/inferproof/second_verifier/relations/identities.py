"""Divide and SquareRoot: identities of integers in pieces.

Source: specs/relations.md, section 13.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.second_verifier.field import ONE, ZERO, Element, equality_at, lift, powers
from inferproof.second_verifier.relations.claims import Claim
from inferproof.second_verifier.relations.integers import PIECE, B, digits
from inferproof.second_verifier.relations.parts import Division, Exact, Number, Root
from inferproof.second_verifier.relations.relation import Relation
from inferproof.second_verifier.relations.tensors import (
    HALF,
    Point,
    behind,
    coordinates,
    front,
    inverse,
    ones_of,
)
from inferproof.second_verifier.relations.values import Value, add, mul, scale, sub

AT_BASE = lift(B)


@dataclass(frozen=True)
class _Found:
    """An identity at the point of the lookups: X, the numbers there, and what the product is."""

    point: Point
    x: Element
    result: Value
    rest: Value
    slack: Value
    product: Value


class Identities(Relation):
    """The relations of Divide and SquareRoot."""

    def root(self, constraint: Root) -> None:
        """Checks that g + h = 2y and y² + g = k·a."""
        at = self._exact(constraint.exact)
        twice = scale(at.result, 2)
        messages = self.state.messages
        messages.equal(add(at.rest, at.slack), twice, "rest and slack are not twice the root")
        left, ends = messages.sumcheck(len(at.point), 3, at.product)
        root = self._sent(constraint.exact.result, ends, at.x)
        weighted = mul(equality_at(at.point, ends), root)
        messages.products([(weighted, root)], left, "a root does not follow")

    def division(self, constraint: Division) -> None:
        """Checks that g + h + 1 = 2b and b·(2y - 1) + g = 2k·a."""
        at, shape = self._exact(constraint.exact), self.node.out.shape
        factor, own = behind(at.point, coordinates(shape))
        outside = sub(ONE, mul(factor, ones_of(shape, own)))
        divisor = sub(mul(add(add(at.rest, at.slack), ONE), HALF), outside)
        self.state.claim(constraint.divisor, Claim(own, mul(divisor, inverse(factor))))
        self._origin(constraint)

        left, ends = self.state.messages.sumcheck(len(at.point), 3, at.product)
        factor, own = behind(ends, coordinates(shape))
        outside = sub(ONE, mul(factor, ones_of(shape, own)))
        repeated, inner = constraint.origin.at(own)
        divisor = self._sent(constraint.origin_pieces, inner, at.x)
        quotient = self._sent(constraint.exact.result, ends, at.x)
        divisor = add(mul(mul(factor, repeated), divisor), outside)
        doubled = sub(scale(quotient, 2), ONE)
        weighted = mul(equality_at(at.point, ends), divisor)
        why = "a quotient does not follow"
        self.state.messages.products([(weighted, doubled)], left, why)

    def _exact(self, exact: Exact) -> _Found:
        """Claims all columns but the divisor's, and the operand."""
        point = self.found[exact.rest.limbs[0].lookup].point
        factor, own = behind(point, coordinates(self.node.out.shape))
        x = self.state.messages.transcript.challenge()
        rest = self.keys(exact.rest.limbs, point)
        result = self.keys(exact.result.limbs, point)
        slack = self.number(exact.slack, point)
        carried: Value = ZERO
        for carry in reversed(exact.carries):
            own_carry = add(self.number(carry.limbs, point), lift(carry.base))
            carried = add(mul(carried, x), own_carry)
        if exact.pieces is None:
            (value,) = self.state.messages.values(1)
            operand = mul(factor, value)
        else:
            pieces = self.keys(exact.pieces.limbs, point)
            value = mul(_value(exact.pieces, pieces, AT_BASE), inverse(factor))
            operand = _value(exact.pieces, pieces, x)
        self.state.claim(exact.operand, Claim(own, value))
        product = mul(_polynomial(digits(exact.factor), x), operand)
        product = sub(product, _value(exact.rest, rest, x))
        product = add(product, mul(sub(AT_BASE, x), carried))
        return _Found(
            point,
            x,
            _value(exact.result, result, AT_BASE),
            _value(exact.rest, rest, AT_BASE),
            slack,
            product,
        )

    def _origin(self, constraint: Division) -> None:
        """Claims the tensor that the divisor is made of, by its pieces."""
        limbs = constraint.origin_pieces.limbs
        point = self.found[limbs[0].lookup].point
        shape = self.graph.tensor(constraint.origin.tensor).shape
        factor, own = behind(point, coordinates(shape))
        values = self.keys(limbs, point)
        value = mul(_value(constraint.origin_pieces, values, AT_BASE), inverse(factor))
        self.state.claim(constraint.origin.tensor, Claim(own, value))

    def _sent(self, number: Number, point: Point, x: Element) -> Value:
        """A number as a polynomial at x; the values of its limbs are a message, and claimed."""
        values = self.state.messages.values(len(number.limbs))
        for limb, value in zip(number.limbs, values, strict=True):
            variables = self.plan.columns[limb.column].variables
            self.state.column(limb.column, front(point, variables), value)
        return _value(number, values, x)


def _polynomial(coefficients: Sequence[int], x: Element) -> Element:
    """The value at x."""
    weights = powers(x, len(coefficients))
    total = ZERO
    for weight, c in zip(weights, coefficients, strict=True):
        total = add(total, scale(weight, c))
    return total


def _value(number: Number, values: Sequence[Value], x: Element) -> Value:
    """The value at x of a number whose limbs have these values."""
    total: Value = _polynomial(digits(number.base), x)
    last = max(limb.shift for limb in number.limbs) // PIECE
    weights = powers(x, last + 1)
    for limb, value in zip(number.limbs, values, strict=True):
        own = scale(value, 1 << limb.shift % PIECE)
        total = add(total, mul(weights[limb.shift // PIECE], own))
    return total
