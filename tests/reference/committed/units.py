"""What operations that are not linear add to the claims.

Source: specs/committed-mode.md, section 13.
"""

from collections.abc import Sequence

from reference.committed.claims import Claim, Functional, demand, separable
from reference.committed.identities import Identities
from reference.committed.maps import weighted_axis
from reference.committed.parts import (
    Clamped,
    Direct,
    Division,
    Limb,
    Looked,
    Max,
    Rescale,
    Root,
    Unit,
    Wide,
)
from reference.committed.relation import made_of
from reference.committed.tensors import (
    HALF,
    Point,
    behind,
    coordinates,
    front,
    inverse,
    ones_of,
)
from reference.field import (
    ONE,
    ZERO,
    Element,
    P,
    add,
    equality_at,
    lift,
    mul,
    powers,
    scale,
    sub,
)


class Relations(Identities):
    """The relations of all operations that commit to something."""

    def settle(self, unit: Unit, claim: Claim) -> None:
        """Turns a claim on the result into claims on the columns that it is committed in."""
        shape = self.node.out.shape
        rest = sub(ONE, ones_of(shape, claim.point))
        if isinstance(unit, Root | Division):
            result = unit.exact.result
            self._settle_limbs(result.limbs, claim.point, sub(claim.value, lift(result.base)))
        elif isinstance(unit, Rescale) and isinstance(unit.form, Wide):
            padded = add(claim.value, scale(rest, unit.form.pad))
            self._settle_limbs(unit.form.above, claim.point, sub(padded, lift(unit.lo)))
        else:
            number = _column_of(unit)
            column = self.plan.columns[number]
            point = front(claim.point, column.variables)
            self.state.column(number, point, add(claim.value, scale(rest, column.pad)))

    def _settle_limbs(self, limbs: Sequence[Limb], at: Point, left: Element) -> None:
        """Claims limbs that make a number at a point of their tensor."""
        *others, last = limbs
        point = front(at, self.plan.columns[last.column].variables)
        values = self.state.messages.values(len(others)) if others else []
        for limb, value in zip(others, values, strict=True):
            left = sub(left, scale(value, 1 << limb.shift))
            self.state.column(limb.column, point, value)
        self.state.column(last.column, point, _shifted_back(left, last.shift))

    def relate(self, unit: Unit) -> None:
        """Checks the relation of a unit and claims its operand."""
        if isinstance(unit, Rescale):
            self._rescale(unit)
        elif isinstance(unit, Looked):
            found = self.found[unit.lookup]
            self.state.column(unit.column, found.point, found.value)
            factor, own = behind(found.point, coordinates(self.node.out.shape))
            self.state.claim(unit.operand, Claim(own, mul(found.key, inverse(factor))))
        elif isinstance(unit, Max):
            self._max(unit)
        elif isinstance(unit, Root):
            self.root(unit)
        else:
            self.division(unit)

    def _rescale(self, unit: Rescale) -> None:
        form = unit.form
        if isinstance(form, Direct):
            found = self.found[form.lookup]
            point, quotient = found.point, found.key
            self.state.column(form.column, point, found.value)
        elif isinstance(form, Clamped):
            point, quotient = self._clamped(unit, form)
        else:
            point, quotient = self._wide(unit, form)
        remainder = _shifted_back(self.number(unit.remainder, point), unit.raised)
        shape = self.graph.tensor(unit.operand).shape
        factor, own = behind(point, coordinates(shape))
        product = add(scale(quotient, 1 << unit.shift), remainder)
        if unit.shift:
            half = scale(mul(factor, ones_of(shape, own)), 1 << (unit.shift - 1))
            product = sub(product, half)
        product = mul(product, inverse(factor))
        if len(unit.multipliers) == 1:
            value = scale(product, pow(unit.multipliers[0], -1, P))
            claim = Claim(own, value)
        else:
            axes = weighted_axis(shape, unit.axis, unit.multipliers, own)
            claim = separable(self.state.messages, shape, axes, product)
        self.state.claim(unit.operand, claim)

    def _clamped(self, unit: Rescale, form: Clamped) -> tuple[Point, Element]:
        """The point, and the quotient there."""
        lo, hi = lift(unit.lo), lift(unit.hi)
        lower = None if form.lower is None else self.found[form.lower]
        upper = None if form.upper is None else self.found[form.upper]
        if lower and upper:
            demand(lower.point == upper.point, "bounds are looked up at two points")
            known = sub(sub(hi, lo), lower.value)
            demand(upper.key == known, "the upper bound does not take what the lower one makes")
        if lower:
            point, quotient, result = lower.point, add(lo, lower.key), add(lo, lower.value)
        elif upper:
            point, quotient = upper.point, sub(hi, upper.key)
        if upper:
            result = sub(hi, upper.value)
        if form.between is not None and lower:
            self.state.column(form.between, point, lower.value)
        self.state.column(form.column, point, result)
        return point, quotient

    def _wide(self, unit: Rescale, form: Wide) -> tuple[Point, Element]:
        point = self.found[form.above[0].lookup].point
        above = self.number(form.above, point)
        below = self.number(form.below, point)
        up, down = self.number(form.up, point), self.number(form.down, point)
        if form.up:
            span = lift(unit.hi - unit.lo)
            demand(add(above, below) == span, "the distances to the bounds do not add up")
            if form.below:
                self._exclude(form.up, form.below, point)
        if form.down:
            self._exclude(form.down, form.above, point)
        return point, sub(add(add(lift(unit.lo), above), up), down)

    def _exclude(self, first: Sequence[Limb], second: Sequence[Limb], at: Point) -> None:
        """Checks that everywhere one of two numbers is zero."""
        messages = self.state.messages
        left, ends = messages.sumcheck(len(at), 3, ZERO)
        limbs = [*first, *second]
        values = messages.values(len(limbs))
        cut = len(first)
        numbers = (made_of(first, values[:cut]), made_of(second, values[cut:]))
        expected = mul(mul(*numbers), equality_at(at, ends))
        demand(left == expected, "neither of two numbers is zero")
        for limb, value in zip(limbs, values, strict=True):
            self.state.column(limb.column, ends, value)

    def _max(self, unit: Max) -> None:
        shape, kept = self.graph.tensor(unit.operand).shape, self.node.out.shape
        reduced, lead = shape[len(kept) :], coordinates(kept)
        found = self.found[unit.difference]
        point = found.point
        if unit.limbs:
            self.state.column(unit.zeros, point, found.key)
            difference = self.number(unit.limbs, point)
            zeros = Limb(unit.zeros, unit.difference, 0, 1)
            self._exclude([zeros], unit.limbs, point)
        else:
            self.state.column(unit.zeros, point, found.value)
            difference = found.key
        factor, own = behind(point, coordinates(shape))
        real = ones_of(reduced, own[lead:])
        (y,) = self.state.messages.values(1)
        variables = self.plan.columns[unit.column].variables
        self.state.column(unit.column, front(own[:lead], variables), y)
        value = add(mul(real, y), sub(ONE, real))
        value = sub(value, mul(difference, inverse(factor)))
        self.state.claim(unit.operand, Claim(own, value))
        self._count(unit, reduced, lead)

    def _count(self, unit: Max, reduced: Sequence[int], lead: int) -> None:
        """Claims the sum of the zeros of each line without its padding."""
        found = self.found[unit.count]
        factor, own = behind(found.point, lead)
        number = add(mul(found.key, inverse(factor)), ONE)
        inner = coordinates(reduced)
        before = self.plan.columns[unit.zeros].variables - lead - inner
        lines = [*[ZERO] * before, *own]
        if all(size.bit_count() == 1 for size in reduced):
            mean = mul(number, powers(HALF, inner + 1)[-1])
            self.state.column(unit.zeros, lines + [HALF] * inner, mean)
            return
        sums = Functional(self.state.messages, [*lines, *[None] * inner], number)
        claim = sums.end(ones_of(reduced, sums.ends))
        self.state.column(unit.zeros, claim.point, claim.value)


def _column_of(unit: Unit) -> int:
    """The column of a result that is committed to whole."""
    if isinstance(unit, Rescale) and not isinstance(unit.form, Wide):
        return unit.form.column
    if isinstance(unit, Looked | Max):
        return unit.column
    raise TypeError(unit)


def _shifted_back(a: Element, shift: int) -> Element:
    """a / 2^shift."""
    return scale(a, pow(2, -shift, P))
