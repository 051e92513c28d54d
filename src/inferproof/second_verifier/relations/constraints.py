"""What operations that are not linear add to the claims.

Source: specs/relations.md, section 13.
"""

from collections.abc import Sequence

from inferproof.second_verifier.field import ONE, ZERO, P, equality_at, lift, powers
from inferproof.second_verifier.relations.choices import Choices
from inferproof.second_verifier.relations.claims import Claim, Functional, demand, separable
from inferproof.second_verifier.relations.identities import Identities
from inferproof.second_verifier.relations.maps import weighted_axis
from inferproof.second_verifier.relations.parts import (
    ArgMax,
    Clamped,
    Constraint,
    Direct,
    Division,
    Held,
    Limb,
    Looked,
    Max,
    Pick,
    Rescale,
    Root,
    Saturated,
    Wide,
)
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


class Relations(Identities, Choices):
    """The relations of all operations that commit to something."""

    def settle(self, constraint: Constraint, claim: Claim) -> None:
        """Turns a claim on the result into claims on the columns that it is committed in."""
        shape = self.node.out.shape
        rest = sub(ONE, ones_of(shape, claim.point))
        if isinstance(constraint, Root | Division):
            result = constraint.exact.result
            self._settle_limbs(result.limbs, claim.point, sub(claim.value, lift(result.base)))
        elif isinstance(constraint, Rescale) and isinstance(constraint.form, Wide):
            padded = add(claim.value, scale(rest, constraint.form.pad))
            self._settle_limbs(constraint.form.above, claim.point, sub(padded, lift(constraint.lo)))
        else:
            number = _column_of(constraint)
            column = self.plan.columns[number]
            point = front(claim.point, column.variables)
            self.state.column(number, point, add(claim.value, scale(rest, column.pad)))

    def _settle_limbs(self, limbs: Sequence[Limb], at: Point, left: Value) -> None:
        """Claims limbs that make a number at a point of their tensor."""
        *others, last = limbs
        point = front(at, self.plan.columns[last.column].variables)
        values = self.state.messages.values(len(others)) if others else []
        for limb, value in zip(others, values, strict=True):
            left = sub(left, scale(value, 1 << limb.shift))
            self.state.column(limb.column, point, value)
        self.state.column(last.column, point, _shifted_back(left, last.shift))

    def relate(self, constraint: Constraint) -> None:
        """Checks the relation of a constraint and claims its operand."""
        if isinstance(constraint, Rescale):
            self._rescale(constraint)
        elif isinstance(constraint, Looked):
            found = self.found[constraint.lookup]
            self.state.column(constraint.column, found.point, found.value)
            shape = self.node.out.shape
            factor, own = behind(found.point, coordinates(shape))
            rest = sub(ONE, mul(factor, ones_of(shape, own)))
            key = sub(found.key, scale(rest, constraint.outside))
            self.state.claim(constraint.operand, Claim(own, mul(key, inverse(factor))))
        elif isinstance(constraint, Max):
            self._max(constraint)
        elif isinstance(constraint, ArgMax):
            self.arg_max(constraint)
        elif isinstance(constraint, Pick):
            self.pick(constraint)
        elif isinstance(constraint, Root):
            self.root(constraint)
        else:
            self.division(constraint)

    def _rescale(self, constraint: Rescale) -> None:
        form = constraint.form
        if isinstance(form, Direct):
            found = self.found[form.lookup]
            point, quotient = found.point, found.key
            self.state.column(form.column, point, found.value)
        elif isinstance(form, Clamped):
            point, quotient = self._clamped(constraint, form)
        elif isinstance(form, Saturated):
            point, quotient = self._saturated(constraint, form)
        else:
            point, quotient = self._wide(constraint, form)
        remainder = _shifted_back(self.number(constraint.remainder, point), constraint.raised)
        shape = self.graph.tensor(constraint.operand).shape
        factor, own = behind(point, coordinates(shape))
        product = add(scale(quotient, 1 << constraint.shift), remainder)
        if constraint.shift:
            half = scale(mul(factor, ones_of(shape, own)), 1 << (constraint.shift - 1))
            product = sub(product, half)
        product = mul(product, inverse(factor))
        if len(constraint.multipliers) == 1:
            value = scale(product, pow(constraint.multipliers[0], -1, P))
            claim = Claim(own, value)
        else:
            axes = weighted_axis(shape, constraint.axis, constraint.multipliers, own)
            claim = separable(self.state.messages, shape, axes, product)
        self.state.claim(constraint.operand, claim)

    def _clamped(self, constraint: Rescale, form: Clamped) -> tuple[Point, Value]:
        """The point, and the quotient there."""
        lo, hi = lift(constraint.lo), lift(constraint.hi)
        lower = None if form.lower is None else self.found[form.lower]
        upper = None if form.upper is None else self.found[form.upper]
        if lower and upper:
            demand(lower.point == upper.point, "bounds are looked up at two points")
            known = sub(sub(hi, lo), lower.value)
            why = "the upper bound does not take what the lower one makes"
            self.state.messages.equal(upper.key, known, why)
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

    def _wide(self, constraint: Rescale, form: Wide) -> tuple[Point, Value]:
        point = self.found[form.above[0].lookup].point
        quotient = add(lift(constraint.lo), self.number(form.above, point))
        self._holds(form.held, quotient, point)
        return point, quotient

    def _saturated(self, constraint: Rescale, form: Saturated) -> tuple[Point, Value]:
        """The point, and the quotient there: y, and what is beyond each bound that bites."""
        point = self.found[(form.lower or form.upper)[0].lookup].point
        (result,) = self.state.messages.values(1)
        self.state.column(form.column, point, result)
        quotient = result
        if form.lower:
            within = sub(result, lift(constraint.lo))
            quotient = sub(quotient, sub(self.number(form.lower, point), within))
        if form.upper:
            within = sub(lift(constraint.hi), result)
            quotient = add(quotient, sub(self.number(form.upper, point), within))
        self._holds(form.held, quotient, point)
        if form.lower:
            self._at_bound(form.column, form.lower, (-constraint.lo, 1), point)
        if form.upper:
            self._at_bound(form.column, form.upper, (constraint.hi, -1), point)
        return point, quotient

    def _holds(self, held: Held | None, quotient: Value, point: Point) -> None:
        if held is None:
            return
        equal = self.state.messages.equal
        over, under = (self.number(part, point) for part in (held.over, held.under))
        whole = lift(held.high - held.low)
        equal(add(over, under), whole, "a quotient is not within its range")
        equal(quotient, add(lift(held.low), over), "a quotient is not what it is held to")

    def _at_bound(
        self, column: int, limbs: Sequence[Limb], line: tuple[int, int], at: Point
    ) -> None:
        """Checks that a result is at its bound wherever the quotient is beyond it; line[0] +
        line[1]·result is how far it is from it."""
        messages = self.state.messages
        left, ends = messages.sumcheck(len(at), 3, ZERO)
        *values, result = messages.values(len(limbs) + 1)
        number: Value = ZERO
        for limb, value in zip(limbs, values, strict=True):
            number = add(number, scale(value, 1 << limb.shift))
            self.state.column(limb.column, ends, value)
        self.state.column(column, ends, result)
        within = add(lift(line[0]), scale(result, line[1]))
        beyond = mul(equality_at(at, ends), sub(number, within))
        messages.products([(beyond, within)], left, "a result is clamped within its bounds")

    def _max(self, constraint: Max) -> None:
        shape, kept = self.graph.tensor(constraint.operand).shape, self.node.out.shape
        reduced, lead = shape[len(kept) :], coordinates(kept)
        found = self.found[constraint.difference]
        point = found.point
        if constraint.limbs:
            self.state.column(constraint.zeros, point, found.key)
            difference = self.number(constraint.limbs, point)
            zeros = Limb(constraint.zeros, constraint.difference, 0, 1)
            self.exclude([zeros], constraint.limbs, point)
        else:
            self.state.column(constraint.zeros, point, found.value)
            difference = found.key
        factor, own = behind(point, coordinates(shape))
        real = ones_of(reduced, own[lead:])
        (y,) = self.state.messages.values(1)
        variables = self.plan.columns[constraint.column].variables
        self.state.column(constraint.column, front(own[:lead], variables), y)
        value = add(mul(real, y), sub(ONE, real))
        value = sub(value, mul(difference, inverse(factor)))
        self.state.claim(constraint.operand, Claim(own, value))
        self._count(constraint, reduced, lead)

    def _count(self, constraint: Max, reduced: Sequence[int], lead: int) -> None:
        """Claims the sum of the zeros of each line without its padding."""
        found = self.found[constraint.count]
        factor, own = behind(found.point, lead)
        number = add(mul(found.key, inverse(factor)), ONE)
        inner = coordinates(reduced)
        before = self.plan.columns[constraint.zeros].variables - lead - inner
        lines = [*[ZERO] * before, *own]
        if all(size.bit_count() == 1 for size in reduced):
            mean = mul(number, powers(HALF, inner + 1)[-1])
            self.state.column(constraint.zeros, lines + [HALF] * inner, mean)
            return
        sums = Functional(self.state.messages, [*lines, *[None] * inner], number)
        claim = sums.end(ones_of(reduced, sums.ends))
        self.state.column(constraint.zeros, claim.point, claim.value)


def _column_of(constraint: Constraint) -> int:
    """The column of a result that is committed to whole."""
    if isinstance(constraint, Rescale) and not isinstance(constraint.form, Wide):
        return constraint.form.column
    if isinstance(constraint, Looked | Max | ArgMax):
        return constraint.column
    raise TypeError(constraint)


def _shifted_back(a: Value, shift: int) -> Value:
    """a / 2^shift."""
    return scale(a, pow(2, -shift, P))
