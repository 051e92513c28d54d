"""ArgMax and Pick: one element of each line is chosen.

Source: specs/relations.md, section 13.
"""

from itertools import accumulate

from inferproof.second_verifier.field import ONE, ZERO, Element, equality
from inferproof.second_verifier.layers import log
from inferproof.second_verifier.relations.claims import Claim, Functional
from inferproof.second_verifier.relations.parts import ArgMax, Limb, Pick
from inferproof.second_verifier.relations.relation import Relation
from inferproof.second_verifier.relations.tensors import (
    Point,
    behind,
    coordinates,
    front,
    inverse,
    ones,
    ones_of,
)
from inferproof.second_verifier.relations.values import Value, add, dot, mul, scale, sub


class Choices(Relation):
    """The relations of ArgMax and Pick."""

    def arg_max(self, constraint: ArgMax) -> None:
        """Checks that what is chosen is a maximum, and of equals the first or the last."""
        messages = self.state.messages
        shape = self.graph.tensor(constraint.operand).shape
        size, found = shape[-1], self.found[constraint.looked]
        point = found.point
        if constraint.limbs:
            self.state.column(constraint.chosen, point, found.key)
            excess = self.number(constraint.limbs, point)
            self.exclude(
                [Limb(constraint.chosen, constraint.looked, 0, 1)], constraint.limbs, point
            )
            key = sub(excess, found.key)
        else:
            self.state.column(constraint.chosen, point, found.value)
            key = found.key
        factor, own = behind(point, coordinates(shape))
        lead = coordinates(self.node.out.shape)
        line, within = own[:lead], own[lead:]
        maximum, place, counted = messages.values(3)
        for column, value in ((constraint.maxima, maximum), (constraint.column, place)):
            variables = self.plan.columns[column].variables
            self.state.column(column, front(line, variables), value)
        value = sub(sub(mul(ones(within, size), maximum), counted), mul(key, inverse(factor)))
        self.state.claim(constraint.operand, Claim(own, value))

        gamma = messages.transcript.challenge()
        weights = _weights(equality(within)[:size], gamma, last=constraint.last)
        claimed = add(ONE, mul(gamma, add(place, mul(gamma, counted))))
        self._along(constraint.chosen, line, len(within), claimed, weights)

    def rows(self, constraint: Pick, claim: Claim) -> None:
        """Turns a claim on the result into claims on the rows and on the flags."""
        rows = self.graph.tensor(constraint.rows).shape
        lead = coordinates(self.graph.tensor(constraint.index).shape)
        line, rest = claim.point[:lead], claim.point[lead:]
        messages = self.state.messages
        left, ends = messages.sumcheck(log(rows[0]), 2, claim.value)
        flag, row = messages.values(2)
        messages.products([(flag, row)], left, "a row does not follow")
        variables = self.plan.columns[constraint.flags].variables
        self.state.column(constraint.flags, front([*line, *ends], variables), flag)
        self.state.claim(constraint.rows, Claim([*ends, *rest], row))

    def pick(self, constraint: Pick) -> None:
        """Checks that the flags are those of the index."""
        messages = self.state.messages
        rows = self.graph.tensor(constraint.rows).shape[0]
        index = self.graph.tensor(constraint.index).shape
        found = self.found[constraint.looked]
        self.state.column(constraint.flags, found.point, found.key)
        _, own = behind(found.point, coordinates(index) + log(rows))
        line = own[: coordinates(index)]
        (named,) = messages.values(1)
        self.state.claim(constraint.index, Claim(line, named))
        gamma = messages.transcript.challenge()
        weights = [add(ONE, scale(gamma, n)) for n in range(rows)]
        weights += [mul(gamma, gamma)] * ((1 << log(rows)) - rows)
        claimed = add(ones_of(index, line), mul(gamma, named))
        self._along(constraint.flags, line, log(rows), claimed, weights)

    def _along(
        self, column: int, line: Point, inner: int, value: Value, weights: list[Element]
    ) -> None:
        """Checks Σ weights[i] · column(zeros, line, i) = value."""
        before = self.plan.columns[column].variables - len(line) - inner
        at: list[Element | None] = [*[ZERO] * before, *line, *[None] * inner]
        sums = Functional(self.state.messages, at, value)
        claim = sums.end(dot(equality(sums.ends), weights))
        self.state.column(column, claim.point, claim.value)


def _weights(within: list[Element], gamma: Element, *, last: bool) -> list[Element]:
    """G of each element: 1 + γ·i + γ²·(how much its flag counts in the keys)."""
    if last:
        counts = list(accumulate(reversed(within), add))[::-1]
    else:
        counts = list(accumulate(within, add))
    return [
        add(ONE, mul(gamma, add(scale(ONE, i), mul(gamma, count))))
        for i, count in enumerate(counts)
    ]
