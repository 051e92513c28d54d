"""Ranges that say no more of weights than how many bits values have.

The range of a sum with a constant tells the constant, and that of a product with weights what their
rows come to. So the range of what depends on weights is made as wide as its bits allow, but for

- ends at which a Rescale cuts, which are its clamp;
- tensors that some reader takes by their range: divisors, and what is looked up, picked by, or
  under a root;
- tensors that a proof holds to their range, where a product or sum of theirs could then leave the
  field, and others whose reader is not provable with more bits.

Every range stays true. Source: ADR 37.
"""

import math

import numpy as np

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower import intervals

Interval = tuple[int, int]

WIDEST = (1 - g.VALUE_LIMIT, g.VALUE_LIMIT - 1)
_MODULUS = 2**31 - 2**24 + 1
_MOVES = (g.View, g.Pad, g.Concat, g.Take)
"""Operations whose results are elements of all operands, as those of Pick are of its first."""
_LOOKED_UP = (g.Rescale, g.Lookup, g.ArgMax, g.Divide, g.SquareRoot)
"""Operations whose results are shown to be in a range."""
_BY_RANGE: dict[type[g.Op], int] = {g.Divide: 1, g.Lookup: 0, g.Pick: 1, g.SquareRoot: 0}
"""Operations that take no more than the range of an operand, and which it is."""


def hides(node: g.Node) -> bool:
    """Whether a node has a constant that is a weight."""
    name = g.CONSTANT_OF.get(type(node.op))
    able = isinstance(node.op, g.Linear | g.Conv | g.Add | g.Const) and not node.fixed
    return able and name is not None and getattr(node.op, name) != g.NONE


def wider_ranges(graph: g.Graph) -> tuple[Interval, ...]:
    """The range of each tensor of a graph whose constants that are weights become parameters."""
    found = _Ranges(graph)
    wide = found.all(set())
    exact: set[int] = set()
    for number in reversed(range(len(graph.nodes))):
        node = graph.nodes[number]
        exact.update(found.by_range(node, wide))
        if len(graph.inputs) + number in exact:
            exact.update(_moved(node))
    return found.all(exact)


class _Ranges:
    """What the ranges of a graph are made of."""

    def __init__(self, graph: g.Graph) -> None:
        self.graph = graph
        self.secret: set[int] = set()
        self.held = set(range(len(graph.inputs)))
        """Tensors that a proof holds to their ranges, whatever was committed to."""
        for number, node in enumerate(graph.nodes):
            own = len(graph.inputs) + number
            weighs = isinstance(node.op, g.Linear | g.Conv) or hides(node)
            if weighs or self.secret.intersection(node.operands):
                self.secret.add(own)
            looks = isinstance(node.op, _LOOKED_UP)
            if looks or (not weighs and self.held.issuperset(node.operands)):
                self.held.add(own)

    def all(self, exact: set[int]) -> tuple[Interval, ...]:
        """The range of each tensor, where those in `exact` stay as they are."""
        found = [(item.lo, item.hi) for item in self.graph.inputs]
        for node in self.graph.nodes:
            own = (node.lo, node.hi)
            if len(found) in self.secret and len(found) not in exact:
                own = self._wider(node, found)
            # What is moved keeps the range that it has.
            found.append(intervals.hull(own, *(found[number] for number in _moved(node))))
        return tuple(found)

    def _wider(self, node: g.Node, found: list[Interval]) -> Interval:
        if isinstance(node.op, g.Const):
            # Whether numbers are of both signs is not shown either.
            most = max(node.hi, -1 - node.lo)
            return _wide(-1 - most, most)
        if not isinstance(node.op, g.Rescale):
            return _wide(node.lo, node.hi)
        x = self.graph.tensor(node.operands[0])
        factors = self.graph.constants[node.op.multipliers].values.astype(np.int64)
        least, most = intervals.rescaled((x.lo, x.hi), factors, node.op.shift)
        # An end that does not cut now must not cut then, which would cost lookups.
        low, high = intervals.rescaled(found[node.operands[0]], factors, node.op.shift)
        return (
            node.lo if least < node.lo else min(node.lo, max(low, WIDEST[0])),
            node.hi if most > node.hi else max(node.hi, min(high, WIDEST[1])),
        )

    def by_range(self, node: g.Node, wide: tuple[Interval, ...]) -> tuple[int, ...]:
        """The operands that a node takes by their range, or could not take with a wider one."""
        place = _BY_RANGE.get(type(node.op))
        if place is not None:
            return (node.operands[place],)
        ends = [wide[number] for number in node.operands]
        sizes = [max(abs(low), abs(high)) for low, high in ends]
        reach, limit = 0, _MODULUS // 2
        match node.op:
            case g.Mul():
                reach = math.prod(sizes)
            case g.MatMul():
                reach = math.prod(sizes) * self.graph.shape(node.operands[0])[-1]
            case g.Add(coefficients):
                reach = sum(abs(c) * size for c, size in zip(coefficients, sizes, strict=True))
            case g.Sum(axes):
                shape = self.graph.shape(node.operands[0])
                reach = sizes[0] * math.prod(shape[len(shape) - axes :])
            case g.Rescale(multipliers):
                factors = self.graph.constants[multipliers].values.astype(np.int64)
                reach, limit = int(np.abs(factors).max()) * (ends[0][1] - ends[0][0] + 1), _MODULUS
            case g.Max() | g.ArgMax():
                reach, limit = ends[0][1] - ends[0][0], g.VALUE_LIMIT
        held = self.held.issuperset(node.operands) or limit != _MODULUS // 2
        return node.operands if held and reach >= limit else ()


def _wide(low: int, high: int) -> Interval:
    """The widest range whose ends have as many bits as these."""
    return (
        max(-(1 << (-1 - low).bit_length()), WIDEST[0]) if low < 0 else 0,
        (1 << high.bit_length()) - 1 if high >= 0 else -1,
    )


def _moved(node: g.Node) -> tuple[int, ...]:
    """The operands whose elements a node's result has."""
    if isinstance(node.op, g.Pick):
        return node.operands[:1]
    return node.operands if isinstance(node.op, _MOVES) else ()
