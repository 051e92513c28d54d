"""Constants that are weights become parameters, which a key commits to and does not show (ADR 34).

What counts as a weight is said where a constant is made (`Builder`, `Node.fixed`). Every execution
has the outputs that it had before. Tables of functions, maps, multipliers and attributes stay.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from inferproof.errors import ModelRejected, Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.passes import with_constants

Int32s = npt.NDArray[np.int32]
Interval = tuple[int, int]

_ADDED = (-(2**28), 2**28 - 1)
_WIDE = (1 - g.VALUE_LIMIT, g.VALUE_LIMIT - 1)
"""Ranges of parameters that are added, and of what they are added to: the same for all models, as
no reader's range follows from theirs."""

_MOVES = (g.View, g.Pad, g.Concat, g.Take)
"""Operations whose results are elements of all operands, as those of Pick are of its first."""
_BY_RANGE: dict[type[g.Op], int] = {
    g.Divide: 1,
    g.Lookup: 0,
    g.Pick: 1,
    g.SquareRoot: 0,
}
"""Operations that take no more than the range of an operand, and which it is."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A graph whose weights are not in it.

    `parameters` are the elements of its parameters, one after another in the order of their nodes;
    `weights` is the weights file, as before.
    """

    graph: g.Graph
    weights: bytes
    parameters: Int32s


def hide_weights(graph: g.Graph, weights: bytes) -> Hidden:
    """The graph with a parameter for each constant that is a weight.

    Raises: ModelRejected LOWERING_OVERFLOW where a constant does not fit a tensor, LOWERING_NODES.
    """
    made = _Hiding(graph)
    for number in range(len(graph.nodes)):
        made.take(number)
    return Hidden(made.finished(), weights, made.parameters())


@dataclass(slots=True)
class _Hiding:
    graph: g.Graph
    nodes: list[g.Node] = field(default_factory=list)
    values: list[Int32s] = field(default_factory=list)
    tensors: dict[int, int] = field(default_factory=dict)
    """The new numbers of the graph's tensors."""
    constants: dict[int, int] = field(default_factory=dict)
    made: dict[tuple[int, int, g.Shape, Interval], int] = field(default_factory=dict)
    """Parameters by constant, step, shape and range: an operator that reads one twice has it once,
    and that two operators' are equal is not shown."""
    exact: set[int] = field(default_factory=set)
    """Tensors whose ranges some reader depends on."""

    def __post_init__(self) -> None:
        self.tensors = {number: number for number in range(len(self.graph.inputs))}
        self.exact = set(_read_by_range(self.graph))

    def take(self, number: int) -> None:
        """Adds the graph's next node, or what stands for it."""
        node = self.graph.nodes[number]
        own = len(self.graph.inputs) + number
        if node.fixed:
            made = self._copy(node)
        elif isinstance(node.op, g.Const):
            made = self._constant(node, node.op.constant, own in self.exact)
        elif isinstance(node.op, g.Linear | g.Conv) and node.op.bias != g.NONE:
            made = self._biased(node, node.op)
        elif isinstance(node.op, g.Add) and node.op.constant != g.NONE:
            made = self._added(node, node.op)
        else:
            made = self._copy(node)
        self.tensors[own] = made

    def _emit(self, node: g.Node) -> int:
        self.nodes.append(node)
        return len(self.graph.inputs) + len(self.nodes) - 1

    def _copy(self, node: g.Node) -> int:
        operands = tuple(self.tensors[operand] for operand in node.operands)
        low, high = node.lo, node.hi
        moved = node.operands if isinstance(node.op, _MOVES) else ()
        for old in node.operands[:1] if isinstance(node.op, g.Pick) else moved:
            before, after = self.graph.tensor(old), self._tensor(self.tensors[old])
            # What is moved keeps the range that it has now.
            low = min(low, after.lo) if after.lo < before.lo else low
            high = max(high, after.hi) if after.hi > before.hi else high
        op = with_constants(node.op, self.constants)
        return self._emit(replace(node, op=op, operands=operands, lo=low, hi=high))

    def _tensor(self, number: int) -> g.Input | g.Node:
        count = len(self.graph.inputs)
        return self.graph.inputs[number] if number < count else self.nodes[number - count]

    def _parameter(self, node: g.Node, constant: int, shape: g.Shape, within: Interval) -> int:
        """A parameter for what a node reads of a constant, if need be of the widest range."""
        values = self.graph.constants[constant].values
        least, most = int(values.min()), int(values.max())
        if not within[0] <= least <= most <= within[1]:
            within = _WIDE
        if not within[0] <= least <= most <= within[1]:
            raise ModelRejected(
                Reason.LOWERING_OVERFLOW,
                node=f"node {node.step}",
                operator=g.op_name(node.op),
                reach=max(abs(least), abs(most)),
            )
        key = (constant, node.step, shape, within)
        if key not in self.made:
            self.values.append(values.reshape(-1))
            self.made[key] = self._emit(g.Node(g.Parameter(), (), shape, *within, node.step))
        return self.made[key]

    def _constant(self, node: g.Node, constant: int, exact: bool) -> int:
        """A tensor of numbers: its range tells no more than how long they are, unless a reader
        depends on more."""
        values = self.graph.constants[constant].values
        bits = max(int(values.max()), -1 - int(values.min())).bit_length()
        within = (node.lo, node.hi) if exact else (max(-(2**bits), _WIDE[0]), 2**bits - 1)
        return self._parameter(node, constant, node.shape, within)

    def _biased(self, node: g.Node, op: g.Linear | g.Conv) -> int:
        """A contraction without a bias, and behind it what adds one."""
        bare = replace(node, op=replace(op, bias=g.NONE), lo=_WIDE[0], hi=_WIDE[1])
        place = len(node.shape) - 1 if isinstance(op, g.Linear) else 1
        bias = self._spread(node, op.bias, place)
        return self._sum(node, (self._copy(bare), bias), (1, 1))

    def _added(self, node: g.Node, op: g.Add) -> int:
        other = self._spread(node, op.constant)
        operands = [self.tensors[operand] for operand in node.operands]
        return self._sum(node, (*operands, other), (*op.coefficients, 1))

    def _sum(self, node: g.Node, operands: tuple[int, ...], coefficients: tuple[int, ...]) -> int:
        return self._emit(replace(node, op=g.Add(coefficients), operands=operands))

    def _spread(self, node: g.Node, constant: int, place: int | None = None) -> int:
        """A parameter of a constant in a node's shape: along one axis, or else as it is or the one
        number that it is everywhere."""
        values = self.graph.constants[constant].values
        if values.size == math.prod(node.shape):
            return self._parameter(node, constant, node.shape, _ADDED)
        held = self._parameter(node, constant, (values.size,), _ADDED)
        strides = tuple(int(axis == place and size > 1) for axis, size in enumerate(node.shape))
        within = self._tensor(held).lo, self._tensor(held).hi
        return self._emit(g.Node(g.View(0, strides), (held,), node.shape, *within, node.step))

    def finished(self) -> g.Graph:
        """The graph of what was taken. Raises: ModelRejected LOWERING_NODES."""
        if len(self.nodes) > g.MAX_NODES:
            raise ModelRejected(Reason.LOWERING_NODES, got=len(self.nodes), limit=g.MAX_NODES)
        return replace(
            self.graph,
            constants=tuple(self.graph.constants[number] for number in self.constants),
            nodes=tuple(self.nodes),
            outputs=tuple(self.tensors[number] for number in self.graph.outputs),
        )

    def parameters(self) -> Int32s:
        """The elements of all parameters."""
        return np.concatenate([np.zeros(0, np.int32), *self.values])


def _read_by_range(graph: g.Graph) -> Iterator[int]:
    """The tensors whose ranges a reader depends on, itself or through what only moves elements."""
    found: set[int] = set()
    for number in reversed(range(len(graph.nodes))):
        node = graph.nodes[number]
        place = _BY_RANGE.get(type(node.op))
        if place is not None:
            found.add(node.operands[place])
        if len(graph.inputs) + number in found:
            moved = node.operands if isinstance(node.op, _MOVES) else ()
            found.update(node.operands[:1] if isinstance(node.op, g.Pick) else moved)
    yield from found
