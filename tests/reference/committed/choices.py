"""ArgMax: one element of each line is chosen.

Source: specs/committed-mode.md, section 13.
"""

from itertools import accumulate

from reference.committed.claims import Claim, Functional
from reference.committed.parts import ArgMax, Limb
from reference.committed.relation import Relation
from reference.committed.tensors import behind, coordinates, front, inverse, ones
from reference.field import ONE, ZERO, Element, add, dot, equality, mul, scale, sub


class Choices(Relation):
    """The relation of ArgMax."""

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
        before = self.plan.columns[constraint.chosen].variables - len(own)
        at: list[Element | None] = [*[ZERO] * before, *line, *[None] * len(within)]
        claimed = add(ONE, mul(gamma, add(place, mul(gamma, counted))))
        sums = Functional(messages, at, claimed)
        claim = sums.end(dot(equality(sums.ends)[:size], weights))
        self.state.column(constraint.chosen, claim.point, claim.value)


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
