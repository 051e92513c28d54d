"""What all relations of a node start from. Source: specs/relations.md, section 13."""

from collections.abc import Sequence

from inferproof.second_verifier.field import ZERO, equality_at
from inferproof.second_verifier.graph import Graph, Node
from inferproof.second_verifier.relations.claims import State, demand
from inferproof.second_verifier.relations.lookups import Found
from inferproof.second_verifier.relations.parts import Limb, Plan
from inferproof.second_verifier.relations.tensors import Point
from inferproof.second_verifier.relations.values import Value, add, mul, scale


class Relation:
    """The columns of one node, at the point at which the lookup argument has left them."""

    def __init__(
        self, graph: Graph, plan: Plan, node: Node, found: Sequence[Found], state: State
    ) -> None:
        self.graph, self.plan, self.node = graph, plan, node
        self.found, self.state = found, state

    def keys(self, limbs: Sequence[Limb], point: Point) -> list[Value]:
        """The values of limbs, where their columns are claimed."""
        return keys_of(limbs, point, self.found, self.state)

    def number(self, limbs: Sequence[Limb], point: Point) -> Value:
        """The number that limbs make there."""
        return made_of(limbs, self.keys(limbs, point))

    def exclude(self, first: Sequence[Limb], second: Sequence[Limb], at: Point) -> None:
        """Checks that everywhere one of two numbers is zero."""
        messages = self.state.messages
        left, ends = messages.sumcheck(len(at), 3, ZERO)
        limbs = [*first, *second]
        values = messages.values(len(limbs))
        cut = len(first)
        number, other = made_of(first, values[:cut]), made_of(second, values[cut:])
        weighted = mul(equality_at(at, ends), number)
        messages.products([(weighted, other)], left, "neither of two numbers is zero")
        for limb, value in zip(limbs, values, strict=True):
            self.state.column(limb.column, ends, value)


def keys_of(
    limbs: Sequence[Limb], point: Point, found: Sequence[Found], state: State
) -> list[Value]:
    """The values of limbs at the point of their lookups, where their columns are claimed."""
    values = []
    for limb in limbs:
        own = found[limb.lookup]
        demand(own.point == point, "limbs are looked up at several points")
        state.column(limb.column, point, own.key)
        values.append(own.key)
    return values


def made_of(limbs: Sequence[Limb], values: Sequence[Value]) -> Value:
    """The number that these values of limbs make."""
    number: Value = ZERO
    for limb, value in zip(limbs, values, strict=True):
        number = add(number, scale(value, 1 << limb.shift))
    return number
