"""From the outputs of a graph to its inputs, columns and weights.

Source: specs/relations.md, sections 10 to 13.
"""

from collections.abc import Sequence

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.executor import Values, execute_some
from inferproof.second_verifier.field import ONE, Element, P, lift, powers
from inferproof.second_verifier.graph import Graph, Node, Shape
from inferproof.second_verifier.layers import log
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.relations.claims import (
    At,
    Axis,
    Claim,
    State,
    Weighted,
    merged,
    separable,
)
from inferproof.second_verifier.relations.constraints import Relations
from inferproof.second_verifier.relations.lookups import Found
from inferproof.second_verifier.relations.maps import concat, moved
from inferproof.second_verifier.relations.parts import Held, Pick, Plan
from inferproof.second_verifier.relations.products import Contraction, masked, multiplied
from inferproof.second_verifier.relations.relation import keys_of, made_of
from inferproof.second_verifier.relations.tensors import (
    HALF,
    behind,
    coordinates,
    evaluate,
    inverse,
    ones_of,
    split,
)
from inferproof.second_verifier.relations.values import add, mul, scale, sub

Tensors = Sequence[Sequence[int]]


class Flow:
    """The reduction of one proof."""

    def __init__(
        self, graph: Graph, plan: Plan, inputs: Tensors, found: Sequence[Found], state: State
    ) -> None:
        self.graph, self.plan, self.inputs = graph, plan, inputs
        self.found, self.state = found, state
        self._known: list[Values] | None = None

    def reduce(self, outputs: Tensors) -> None:
        """Reduces the claim about the outputs. Raises: Rejected REDUCTION_MISMATCH."""
        state, graph = self.state, self.graph
        for number, values in zip(graph.outputs, outputs, strict=True):
            shape = graph.tensor(number).shape
            point = state.messages.transcript.point(coordinates(shape))
            state.claim(number, Claim(point, evaluate(values, shape, point)))
        for place in reversed(range(len(graph.nodes))):
            claims = state.claims.pop(len(graph.inputs) + place, [])
            self._node(place, claims)
        idle = self.plan.idle
        if idle is not None:
            state.column(idle.column, self.found[idle.lookup].point, self.found[idle.lookup].key)
        for number in range(len(graph.inputs)):
            self._input(number, state.claims.pop(number, []))

    def _input(self, number: int, claims: list[Claim]) -> None:
        """Checks the claims on an input, or leaves one of them where it is private."""
        shape, messages = self.graph.inputs[number].shape, self.state.messages
        if self.plan.private:
            one = merged(messages, [*claims, self._held_input(self.plan.inputs[number], shape)])
            if one is not None:
                self.state.inputs.append(one)
            return
        for claim in claims:
            value = evaluate(self.inputs[number], shape, claim.point)
            messages.equal(value, claim.value, f"a claim about input {number} does not hold")

    def _held_input(self, held: Held, shape: Shape) -> Claim:
        """The claim on a private input at the point of its limbs."""
        point = self.found[held.over[0].lookup].point
        over, under = (
            made_of(limbs, keys_of(limbs, point, self.found, self.state))
            for limbs in (held.over, held.under)
        )
        if held.under:
            width = lift(held.high - held.low)
            self.state.messages.equal(add(over, under), width, "an input is not within its range")
        factor, own = behind(point, coordinates(shape))
        low = scale(ones_of(shape, own), held.low)
        return Claim(own, add(mul(over, inverse(factor)), low))

    def _node(self, place: int, claims: list[Claim]) -> None:
        graph, node, constraint = self.graph, self.graph.nodes[place], self.plan.constraints[place]
        if self.plan.known[place]:
            for claim in claims:
                own = self._value(place, claim)
                why = f"a claim about node {place} does not hold"
                self.state.messages.equal(own, claim.value, why)
        elif constraint is not None:
            relations = Relations(graph, self.plan, node, self.found, self.state)
            if isinstance(constraint, Pick):
                one = merged(self.state.messages, claims)
                if one is not None:
                    relations.rows(constraint, one)
            else:
                for claim in claims:
                    relations.settle(constraint, claim)
            relations.relate(constraint)
        elif not self.plan.taken[place]:
            one = merged(self.state.messages, claims)
            if one is not None and node.op == g.PARAMETER:
                self.state.parameters[place] = one
            elif one is not None:
                self._linear(node, one)

    def _value(self, place: int, claim: Claim) -> Element:
        """What the verifier computes itself at a point."""
        if self._known is None:
            try:
                given = [()] * len(self.graph.inputs) if self.plan.private else self.inputs
                self._known = execute_some(self.graph, self.plan.known, given)
            except Rejected as rejected:
                why = f"what depends on inputs alone cannot be executed: {rejected}"
                raise Rejected("REDUCTION_MISMATCH", why) from None
        values = self._known[len(self.graph.inputs) + place]
        return evaluate(values, self.graph.nodes[place].out.shape, claim.point)

    def _linear(self, node: Node, claim: Claim) -> None:
        graph, state = self.graph, self.state
        shapes = [graph.tensor(number).shape for number in node.operands]
        if node.op in (g.LINEAR, g.CONV):
            bias = None if node.bias == g.NONE else graph.constants[node.bias].values
            size = graph.weights[node.weight]
            contraction = Contraction(node, shapes[0], size, bias, self._free(node.operands[0]))
            matrix, operand = contraction.reduce(state.messages, claim)
            state.matrices[node.weight] = matrix
            state.claim(node.operands[0], operand)
        elif node.op in (g.MUL, g.MATMUL):
            free = all(map(self._free, node.operands))
            both = multiplied(state.messages, node, shapes, free, claim)
            for number, one in zip(node.operands, both, strict=True):
                state.claim(number, one)
        elif node.op == g.ADD:
            self._add(node, claim)
        elif node.op == g.CONCAT:
            several = concat(state.messages, shapes, node, claim)
            for number, one in zip(node.operands, several, strict=True):
                state.claim(number, one)
        elif node.op == g.SUM:
            state.claim(node.operands[0], self._sum(node, shapes[0], claim))
        else:
            addresses = graph.constants[node.map].values if node.op == g.TAKE else ()
            one = moved(state.messages, shapes[0], node, addresses, claim)
            state.claim(node.operands[0], one)

    def _free(self, number: int) -> bool:
        """Whether the padding of a tensor may be anything: the verifier does not evaluate it."""
        place = number - len(self.graph.inputs)
        return self.plan.private if place < 0 else not self.plan.known[place]

    def _sum(self, node: Node, shape: Shape, claim: Claim) -> Claim:
        """The claim on what is summed up over its last axes."""
        value, kept = claim.value, node.out.shape
        axes: list[Axis] = [At(part) for part in split(kept, claim.point)]
        for size in shape[len(kept) :]:
            if masked(size, self._free(node.operands[0])):
                axes.append(Weighted([ONE] * size))
            else:
                value = mul(value, powers(HALF, log(size) + 1)[-1])
                axes.append(At([HALF] * log(size)))
        return separable(self.state.messages, shape, axes, value)

    def _add(self, node: Node, claim: Claim) -> None:
        left, shape = claim.value, node.out.shape
        if node.constant != g.NONE:
            constant = self.graph.constants[node.constant].values
            if len(constant) == 1:
                own = scale(ones_of(shape, claim.point), constant[0])
            else:
                own = evaluate(constant, shape, claim.point)
            left = sub(left, own)
        *others, (last, coefficient) = zip(node.operands, node.coefficients, strict=True)
        values = self.state.messages.values(len(others)) if others else []
        for (number, c), value in zip(others, values, strict=True):
            left = sub(left, scale(value, c))
            self.state.claim(number, Claim(claim.point, value))
        value = scale(left, pow(coefficient, -1, P))
        self.state.claim(last, Claim(claim.point, value))
