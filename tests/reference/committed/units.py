"""What operations that are not linear add to the claims.

Source: specs/committed-mode.md, section 13.
"""

from collections.abc import Sequence

from reference.committed.claims import Claim, Functional, State, demand, separable
from reference.committed.lookups import Found
from reference.committed.maps import weighted_axis
from reference.committed.plan import Clamped, Direct, Limb, Looked, Max, Plan, Rescale, Unit, Wide
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
from reference.graph import Graph, Node


class Relations:
    """The columns of one node, at the point at which the lookup argument has left them."""

    def __init__(
        self, graph: Graph, plan: Plan, node: Node, found: Sequence[Found], state: State
    ) -> None:
        self.graph, self.plan, self.node = graph, plan, node
        self.found, self.state = found, state

    def settle(self, unit: Unit, claim: Claim) -> None:
        """Turns a claim on the result into claims on the columns that it is committed in."""
        shape = self.node.out.shape
        rest = sub(ONE, ones_of(shape, claim.point))
        if isinstance(unit, Rescale) and isinstance(unit.form, Wide):
            padded = add(claim.value, scale(rest, unit.form.pad))
            left = sub(padded, lift(unit.lo))
            *others, last = unit.form.above
            point = front(claim.point, self.plan.columns[last.column].variables)
            values = self.state.messages.values(len(others)) if others else []
            for limb, value in zip(others, values, strict=True):
                left = sub(left, scale(value, 1 << limb.shift))
                self.state.column(limb.column, point, value)
            self.state.column(last.column, point, _shifted_back(left, last.shift))
            return
        number = unit.form.column if isinstance(unit, Rescale) else unit.column  # type: ignore[union-attr]
        column = self.plan.columns[number]
        point = front(claim.point, column.variables)
        self.state.column(number, point, add(claim.value, scale(rest, column.pad)))

    def relate(self, unit: Unit) -> None:
        """Checks the relation of a unit and claims its operand."""
        if isinstance(unit, Rescale):
            self._rescale(unit)
        elif isinstance(unit, Looked):
            found = self.found[unit.lookup]
            self.state.column(unit.column, found.point, found.value)
            factor, own = behind(found.point, coordinates(self.node.out.shape))
            self.state.claim(unit.operand, Claim(own, mul(found.key, inverse(factor))))
        else:
            self._max(unit)

    def _number(self, limbs: Sequence[Limb], point: Point) -> Element:
        """The number that limbs make, where their columns are claimed."""
        number = ZERO
        for limb in limbs:
            found = self.found[limb.lookup]
            demand(found.point == point, "limbs are looked up at several points")
            self.state.column(limb.column, point, found.key)
            number = add(number, scale(found.key, 1 << limb.shift))
        return number

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
        remainder = _shifted_back(self._number(unit.remainder, point), unit.raised)
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
        above = self._number(form.above, point)
        below = self._number(form.below, point)
        up, down = self._number(form.up, point), self._number(form.down, point)
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
        numbers = [ZERO, ZERO]
        for place, (limb, value) in enumerate(zip(limbs, values, strict=True)):
            which = int(place >= len(first))
            numbers[which] = add(numbers[which], scale(value, 1 << limb.shift))
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
            difference = self._number(unit.limbs, point)
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


def _shifted_back(a: Element, shift: int) -> Element:
    """a / 2^shift."""
    return scale(a, pow(2, -shift, P))
