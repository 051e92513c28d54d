"""Runs nodes of a graph that read no weights, on lists of integers.

Source: specs/quantisation.md. Tensors are flat, row-major.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import isqrt, prod
from typing import Any

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.graph import Graph, Node
from inferproof.second_verifier.reader import Rejected

Values = list[int]


def execute_some(
    graph: Graph, wanted: Sequence[bool], inputs: Sequence[Sequence[int]]
) -> list[Values]:
    """The tensors of inputs and of the nodes that are wanted, which depend on no others; the rest
    are empty. Raises: Rejected EXECUTION."""
    tensors = [list(values) for values in inputs]
    for node, own in zip(graph.nodes, wanted, strict=True):
        result: Values = []
        if own:
            shapes = [graph.tensor(number).shape for number in node.operands]
            operands = [tensors[number] for number in node.operands]
            result = _Work(graph, node, shapes).compute(*operands)
            if not all(node.out.lo <= value <= node.out.hi for value in result):
                raise Rejected("EXECUTION", "a result leaves its node's range")
        tensors.append(result)
    return tensors


def _addresses(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return product(*(range(size) for size in shape))


def _flat(index: Sequence[int], shape: Sequence[int]) -> int:
    at = 0
    for place, size in zip(index, shape, strict=True):
        at = at * size + place
    return at


def _chunks(values: Values, size: int) -> Iterator[Values]:
    return (values[at : at + size] for at in range(0, len(values), size))


class _Work:
    """One node with the shapes of its operands."""

    def __init__(self, graph: Graph, node: Node, shapes: list[tuple[int, ...]]) -> None:
        self.node = node
        self.shapes = shapes
        self.constants = graph.constants

    def compute(self, *xs: Values) -> Values:
        operations: dict[int, Callable[..., Values]] = {
            g.MATMUL: self.matmul,
            g.ADD: self.add,
            g.MUL: lambda a, b: [x * y for x, y in zip(a, b, strict=True)],
            g.RESCALE: self.rescale,
            g.LOOKUP: self.lookup,
            g.VIEW: self.view,
            g.PAD: self.pad,
            g.CONCAT: self.concat,
            g.TAKE: lambda x: [x[at] if at >= 0 else 0 for at in self.values(self.node.map)],
            g.PICK: self.pick,
            g.SUM: lambda x: [sum(part) for part in self.last(x, self.node.axes)],
            g.MAX: lambda x: [max(part) for part in self.last(x, self.node.axes)],
            g.ARGMAX: self.arg_max,
            g.DIVIDE: self.divide,
            g.SQUARE_ROOT: self.square_root,
            g.CONST: lambda: list(self.values(self.node.constant)),
        }
        return operations[self.node.op](*xs)

    def values(self, number: int) -> Any:
        return self.constants[number].values

    def last(self, x: Values, axes: int) -> Iterator[Values]:
        """Parts of the operand over its last axes."""
        shape = self.shapes[0]
        return _chunks(x, prod(shape[len(shape) - axes :]))

    def matmul(self, a: Values, b: Values) -> Values:
        *_, m, k = self.shapes[0]
        n = self.shapes[1][-1]
        pairs = zip(_chunks(a, m * k), _chunks(b, k * n), strict=True)
        return [
            sum(x * y for x, y in zip(row, right[column::n], strict=True))
            for left, right in pairs
            for row in _chunks(left, k)
            for column in range(n)
        ]

    def add(self, *xs: Values) -> Values:
        constant = [0]
        if self.node.constant != g.NONE:
            constant = self.values(self.node.constant)
        sums = [
            sum(c * x for c, x in zip(self.node.coefficients, column, strict=True))
            for column in zip(*xs, strict=True)
        ]
        return [total + constant[at % len(constant)] for at, total in enumerate(sums)]

    def rescale(self, x: Values) -> Values:
        node = self.node
        multipliers = self.values(node.multipliers)
        inner = prod(self.shapes[0][node.axis + 1 :])
        half = 1 << (node.shift - 1) if node.shift else 0
        results = []
        for at, value in enumerate(x):
            m = multipliers[at // inner % len(multipliers)]
            results.append(min(max((m * value + half) >> node.shift, node.out.lo), node.out.hi))
        return results

    def lookup(self, x: Values) -> Values:
        table, first = self.values(self.node.table), self.node.first
        if not all(0 <= value - first < len(table) for value in x):
            raise Rejected("EXECUTION", "outside of a table")
        return [table[value - first] for value in x]

    def view(self, x: Values) -> Values:
        node = self.node
        return [
            x[node.offset + sum(i * s for i, s in zip(index, node.strides, strict=True))]
            for index in _addresses(node.out.shape)
        ]

    def pad(self, x: Values) -> Values:
        node, shape = self.node, self.shapes[0]
        results = []
        for index in _addresses(node.out.shape):
            source = [i - before for i, before in zip(index, node.begin, strict=True)]
            inside = all(0 <= i < size for i, size in zip(source, shape, strict=True))
            results.append(x[_flat(source, shape)] if inside else node.fill)
        return results

    def concat(self, *xs: Values) -> Values:
        axis = self.node.axis
        parts = [
            list(_chunks(x, prod(shape[axis:]))) for x, shape in zip(xs, self.shapes, strict=True)
        ]
        return [value for row in zip(*parts, strict=True) for part in row for value in part]

    def pick(self, x: Values, index: Values) -> Values:
        rows = list(_chunks(x, prod(self.shapes[0][1:])))
        if not all(0 <= at < len(rows) for at in index):
            raise Rejected("EXECUTION", "an index without row")
        return [value for at in index for value in rows[at]]

    def arg_max(self, x: Values) -> Values:
        results = []
        for part in self.last(x, 1):
            if self.node.last:
                results.append(len(part) - 1 - part[::-1].index(max(part)))
            else:
                results.append(part.index(max(part)))
        return results

    def divide(self, a: Values, b: Values) -> Values:
        if min(b) <= 0:
            raise Rejected("EXECUTION", "a divisor is not positive")
        return [(2 * self.node.k * x + y) // (2 * y) for x, y in zip(a, b, strict=True)]

    def square_root(self, x: Values) -> Values:
        if min(x) < 0:
            raise Rejected("EXECUTION", "the root of a negative number")
        return [isqrt(self.node.k * value) for value in x]
