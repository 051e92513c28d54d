"""Random small integer graphs that any executor must run alike, bit for bit.

A graph is built node by node from a seed, with ranges by interval arithmetic, so that every
input in range runs without an error. Every operation occurs; weights reach -128 and 127.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import ModelRejected
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower import intervals
from inferproof.proving.sumcheck.lower.builder import Builder, row_major
from inferproof.proving.sumcheck.lower.passes import finish
from inferproof.proving.sumcheck.lower.value import Value

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RandomGraph:
    """A graph, its weights file, and inputs in range for it."""

    graph: g.Graph
    weights: bytes
    inputs: tuple[Ints, ...]


def random_graph(seed: int, nodes: int = 12) -> RandomGraph:
    """The graph of this seed; its outputs are the last tensors."""
    maker = _Maker(Random(seed))  # noqa: S311  (for tests)
    count = maker.random.randint(1, 3)
    for _ in range(count):
        maker.add_input()
    attempts = 0
    while len(maker.b.nodes) < nodes and attempts < 20 * nodes:
        attempts += 1
        try:
            maker.add_node()
        except ModelRejected:
            # Beyond 29 bits or too large: another node is tried.
            continue
    outputs = tuple(dict.fromkeys(v.tensor for v in maker.values[-4:]))
    graph, weights = finish(maker.b, outputs)
    inputs = tuple(maker.numbers(item.shape, item.lo, item.hi) for item in graph.inputs)
    return RandomGraph(graph, weights, inputs)


class _Maker:
    def __init__(self, random: Random):
        self.random = random
        self.b = Builder()
        self.values: list[Value] = []

    def numbers(self, shape: tuple[int, ...], low: int, high: int) -> Ints:
        """Random numbers in a range, its ends often among them."""
        size = int(np.prod(shape, dtype=object))
        pick = self.random
        flat = [
            pick.choice((low, high)) if pick.random() < 0.2 else pick.randint(low, high)
            for _ in range(size)
        ]
        return np.array(flat, np.int64).reshape(shape)

    def shape(self, rank: int | None = None) -> tuple[int, ...]:
        rank = self.random.randint(0, 4) if rank is None else rank
        return tuple(self.random.randint(1, 4) for _ in range(rank))

    def add_input(self) -> None:
        bits = self.random.randint(1, 16)
        low = self.random.choice((0, -(2**bits), -1))
        high = self.random.choice((2**bits - 1, 2**bits))
        shape = self.shape()
        self.values.append(Value(self.b.input(shape, low, high), shape, 1.0, low, high))

    def value(self, rank: int = 0) -> Value:
        """A value so far, or a reshaped one, of at least this rank."""
        v = self.random.choice(self.values)
        if len(v.shape) < rank:
            shape = (*(1,) * (rank - len(v.shape)), *v.shape)
            v = self.b.view(v, shape, 0, row_major(shape))
        return v

    def add_node(self) -> None:
        kinds = [
            *(self.linear, self.conv, self.matmul, self.add, self.mul, self.rescale),
            *(self.lookup, self.view, self.pad, self.concat, self.take, self.pick),
            *(self.sum, self.max, self.argmax, self.divide, self.root, self.const),
        ]
        self.values.append(self.random.choice(kinds)())

    def _weighted(self, kind: Any, rows: int, columns: int, x: Value, **parts: Any) -> Any:
        matrix = self.numbers((rows, columns), -128, 127)
        bias = self.numbers((rows,), -(2**20), 2**20) if self.random.random() < 0.5 else None
        seen = (min(x.lo, 0), max(x.hi, 0))
        low, high = intervals.weighted(matrix, seen, None, bias)
        if max(abs(int(low.min())), abs(int(high.max()))) >= g.VALUE_LIMIT:
            raise self.b.overflow(int(high.max()))
        number = g.NONE if bias is None else self.b.constant(bias)
        op = self.b.weighted(kind, matrix.astype(np.int8), bias=number, **parts)
        return op, (int(low.min()), int(high.max()))

    def linear(self) -> Value:
        x, rows = self.value(1), self.random.randint(1, 4)
        op, interval = self._weighted(g.Linear, rows, x.shape[-1], x)
        return self.b.emit(op, [x], (*x.shape[:-1], rows), interval)

    def conv(self) -> Value:
        x = self.value(3)
        if len(x.shape) > 4:
            raise self.b.overflow(0)
        rank, pick = len(x.shape) - 2, self.random.randint
        groups = self.random.choice([n for n in (1, 2, x.shape[1]) if x.shape[1] % n == 0])
        kernel, stride, dilation = (tuple(pick(1, 2) for _ in range(rank)) for _ in range(3))
        begin, end = (tuple(pick(0, 2) for _ in range(rank)) for _ in range(2))
        room = [
            n + p + q - (d * (k - 1) + 1)
            for n, p, q, d, k in zip(x.shape[2:], begin, end, dilation, kernel, strict=True)
        ]
        if min(room) < 0:
            raise self.b.overflow(0)
        sizes = tuple(r // s + 1 for r, s in zip(room, stride, strict=True))
        rows, columns = groups * pick(1, 2), x.shape[1] // groups * int(np.prod(kernel))
        op, interval = self._weighted(
            g.Conv, rows, columns, x, groups=groups, kernel=kernel, stride=stride,
            dilation=dilation, pad_begin=begin, pad_end=end,
        )  # fmt: skip
        return self.b.emit(op, [x], (x.shape[0], rows, *sizes), interval)

    def matmul(self) -> Value:
        a = self.value(2)
        columns = self.random.randint(1, 3)
        shape = (*a.shape[:-2], a.shape[-1], columns)
        other = self.b.const(self.numbers(shape, -50, 50))
        return self.b.matmul(a, other)

    def add(self) -> Value:
        x = self.value()
        others = [v for v in self.values if v.shape == x.shape]
        operands = [x, *(self.random.choice(others) for _ in range(self.random.randint(0, 2)))]
        coefficients = [self.random.choice((-5, -3, -2, -1, 1, 2, 4, 5)) for _ in operands]
        constant = self.random.choice(
            (None, self.numbers((1,), -1000, 1000), self.numbers(x.shape, -9, 9))
        )
        return self.b.add(operands, coefficients, constant)

    def mul(self) -> Value:
        x = self.value()
        return self.b.mul(x, self.random.choice([v for v in self.values if v.shape == x.shape]))

    def rescale(self) -> Value:
        x = self.value()
        axis = self.random.randrange(len(x.shape)) if x.shape else 0
        count = x.shape[axis] if x.shape and self.random.random() < 0.5 else 1
        factors = self.numbers((count,), -15, 15)
        shift = self.random.choice((0, 1, 2, 7, 15, 31, 40))
        low, high = intervals.rescaled(x.interval, factors, shift)
        least, most = sorted(self.random.randint(low - 2, high + 2) for _ in range(2))
        clamp = (min(max(low, least), most), min(max(high, least), most))
        op = g.Rescale(self.b.constant(factors), axis if count > 1 else 0, shift)
        return self.b.emit(op, [x], x.shape, clamp)

    def lookup(self) -> Value:
        x = self.value()
        x = self.b.rescale(x, clamp=(max(x.lo, -20), max(-20, min(x.hi, 20))))
        return self.b.lookup(x, self.numbers((x.hi - x.lo + 1,), -(2**20), 2**20))

    def view(self) -> Value:
        x = self.value()
        size = int(np.prod(x.shape, dtype=object))
        shape = self.shape()
        strides = [self.random.randint(-size, size) // max(1, n) for n in shape]
        reach = [(n - 1) * s for n, s in zip(shape, strides, strict=True)]
        low, high = sum(r for r in reach if r < 0), sum(r for r in reach if r > 0)
        if high - low >= size:
            raise self.b.overflow(0)
        return self.b.view(x, shape, self.random.randint(-low, size - 1 - high), strides)

    def pad(self) -> Value:
        x = self.value(1)
        begin, end = ([self.random.randint(0, 2) for _ in x.shape] for _ in range(2))
        return self.b.pad(x, begin, end, self.random.randint(-3, 3))

    def concat(self) -> Value:
        x = self.value(1)
        axis = self.random.randrange(len(x.shape))
        parts = [x, *(self.b.pad(x, [0] * len(x.shape), [0] * len(x.shape), 0) for _ in "ab")]
        return self.b.concat(parts, axis)

    def take(self) -> Value:
        x = self.value()
        size = int(np.prod(x.shape, dtype=object))
        return self.b.take(x, self.numbers(self.shape(), -1, size - 1))

    def pick(self) -> Value:
        x, index = self.value(1), self.value()
        index = self.b.rescale(index, clamp=(0, x.shape[0] - 1))
        return self.b.pick(x, index.with_(lo=0, hi=x.shape[0] - 1))

    def sum(self) -> Value:
        x = self.value(1)
        return self.b.sum(x, self.random.randint(1, len(x.shape)))

    def max(self) -> Value:
        x = self.value(1)
        return self.b.max(x, self.random.randint(1, len(x.shape)))

    def argmax(self) -> Value:
        return self.b.argmax(self.value(1), self.random.random() < 0.5)

    def divide(self) -> Value:
        a = self.value()
        b = self.b.rescale(
            self.random.choice([v for v in self.values if v.shape == a.shape]),
            clamp=(1, g.VALUE_LIMIT - 1),
        )
        return self.b.divide(a, b, self.random.choice((1, 2, 3, 1000)))

    def root(self) -> Value:
        x = self.value()
        x = self.b.rescale(x, clamp=(0, max(0, x.hi)))
        return self.b.root(x, self.random.choice((1, 3, 2**20)))

    def const(self) -> Value:
        return self.b.const(self.numbers(self.shape(), -(2**20), 2**20))
