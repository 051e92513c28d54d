"""Constants that are weights become parameters, which a key commits to and does not show (ADR 34).

What counts as a weight is said where a constant is made (`Builder`, `Node.fixed`). Every execution
has the outputs that it had before. Tables of functions, maps, multipliers and attributes stay.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from inferproof.errors import ModelRejected, Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.passes import with_constants
from inferproof.proving.sumcheck.lower.wider_ranges import WIDEST, Interval, hides, wider_ranges

Int32s = npt.NDArray[np.int32]

_ADDED = (-(2**28), 2**28 - 1)
"""The range of parameters that are added, the same for all models: nothing follows from it."""


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
    ranges: tuple[Interval, ...] = ()

    def __post_init__(self) -> None:
        self.tensors = {number: number for number in range(len(self.graph.inputs))}
        self.ranges = wider_ranges(self.graph)

    def take(self, number: int) -> None:
        """Adds the graph's next node, or what stands for it."""
        own = len(self.graph.inputs) + number
        low, high = self.ranges[own]
        node = replace(self.graph.nodes[number], lo=low, hi=high)
        self.tensors[own] = self._hidden(node) if hides(node) else self._copy(node)

    def _hidden(self, node: g.Node) -> int:
        match node.op:
            case g.Const(constant):
                return self._parameter(node, constant, node.shape, (node.lo, node.hi))
            case g.Add():
                return self._added(node, node.op)
            case g.Linear() | g.Conv():
                return self._biased(node, node.op)
        raise AssertionError(node.op)

    def _emit(self, node: g.Node) -> int:
        self.nodes.append(node)
        return len(self.graph.inputs) + len(self.nodes) - 1

    def _copy(self, node: g.Node) -> int:
        operands = tuple(self.tensors[operand] for operand in node.operands)
        op = with_constants(node.op, self.constants)
        return self._emit(replace(node, op=op, operands=operands))

    def _tensor(self, number: int) -> g.Input | g.Node:
        count = len(self.graph.inputs)
        return self.graph.inputs[number] if number < count else self.nodes[number - count]

    def _parameter(self, node: g.Node, constant: int, shape: g.Shape, within: Interval) -> int:
        """A parameter for what a node reads of a constant, if need be of the widest range."""
        values = self.graph.constants[constant].values
        least, most = int(values.min()), int(values.max())
        if not within[0] <= least <= most <= within[1]:
            within = WIDEST
        if not within[0] <= least <= most <= within[1]:
            raise ModelRejected(
                Reason.LOWERING_OVERFLOW,
                node=node.step,
                operator=g.op_name(node.op),
                reach=max(abs(least), abs(most)),
            )
        key = (constant, node.step, shape, within)
        if key not in self.made:
            self.values.append(values.reshape(-1))
            self.made[key] = self._emit(g.Node(g.Parameter(), (), shape, *within, node.step))
        return self.made[key]

    def _biased(self, node: g.Node, op: g.Linear | g.Conv) -> int:
        """A contraction without a bias, and behind it what adds one."""
        bare = replace(node, op=replace(op, bias=g.NONE), lo=WIDEST[0], hi=WIDEST[1])
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
