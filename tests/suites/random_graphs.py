"""Random well-formed integer graphs: every operation, with attributes at and around its edges."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from graph_shapes import result_shape

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import library

WHOLE = g.VALUE_LIMIT - 1
MAX_SIZE = 600


class Maker:
    """Builds one graph, node by node."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.inputs: list[g.Input] = []
        self.weights: list[g.Weight] = []
        self.constants: list[g.Constant] = []
        self.nodes: list[g.Node] = []

    def graph(self, nodes: int) -> g.Graph:
        """A graph of so many nodes, all of whose tensors are outputs."""
        for _ in range(self.below(3) + 1):
            bound = int(self.rng.choice([1, 127, 255, 5000, 40000]))
            self.inputs.append(g.Input(self.shape(), -bound if self.below(2) else 0, bound))
        tries = 0
        while len(self.nodes) < nodes and tries < 50 * nodes:
            tries += 1
            getattr(self, str(self.rng.choice(MAKERS)))()
        made = self.finished()
        library().check_graph(encode_graph(made))
        return made

    def finished(self) -> g.Graph:
        count = len(self.inputs) + len(self.nodes)
        outputs = tuple(range(max(0, count - g.MAX_OUTPUTS), count))
        return g.Graph(
            tuple(self.inputs),
            tuple(self.weights),
            tuple(self.constants),
            tuple(self.nodes),
            outputs,
        )

    # -- choices ----------------------------------------------------------------------------

    def below(self, most: int) -> int:
        return int(self.rng.integers(most))

    def shape(self, least: int = 0, most: int = 4) -> g.Shape:
        rank = least + self.below(most - least + 1)
        return tuple(int(n) for n in self.rng.integers(1, 6, rank))

    def any(
        self, fits: Callable[[g.Shape], bool] = lambda _: True, bound: int = WHOLE
    ) -> int | None:
        made = self.finished()
        found = [
            number
            for number in range(made.tensors)
            if fits(made.shape(number))
            and max(abs(made.tensor(number).lo), abs(made.tensor(number).hi)) <= bound
        ]
        return int(self.rng.choice(found)) if found else None

    def constant(self, values: Any) -> int:
        self.constants.append(g.Constant(np.asarray(values, dtype=np.int32)))
        return len(self.constants) - 1

    def numbers(self, shape: Any, bound: int) -> Any:
        return self.rng.integers(-bound, bound + 1, shape)

    def shape_of(self, tensor: int) -> g.Shape:
        return self.finished().shape(tensor)

    def add(self, op: g.Op, *operands: int | None, shape: g.Shape | None = None) -> None:
        """Appends the node when it is well formed and small."""
        if any(operand is None for operand in operands):
            return
        given = tuple(operand for operand in operands if operand is not None)
        found = result_shape(op, self.finished(), given) if shape is None else shape
        if found is None or math.prod(found) > MAX_SIZE:
            return
        bound = int(self.rng.choice([100, 5000, WHOLE]))
        if not isinstance(op, g.Rescale):
            bound = WHOLE if self.below(20) else bound
        self.nodes.append(g.Node(op, given, found, -bound, bound))

    # -- one operation each -----------------------------------------------------------------

    def linear(self) -> None:
        x = self.any(lambda s: len(s) >= 1, 40000)
        if x is None:
            return
        rows = 1 + self.below(5)
        bias = self.constant(self.numbers(rows, 1000)) if self.below(2) else g.NONE
        self.weights.append(g.Weight(rows, self.shape_of(x)[-1]))
        before = len(self.nodes)
        self.add(g.Linear(len(self.weights) - 1, bias), x)
        if len(self.nodes) == before:
            self.weights.pop()

    def conv(self) -> None:
        x = self.any(lambda s: len(s) in (3, 4), 40000)
        if x is None:
            return
        shape = self.shape_of(x)
        dims = len(shape) - 2
        groups = int(self.rng.choice([n for n in range(1, 6) if shape[1] % n == 0]))
        rows = groups * (1 + self.below(5))

        def several(least: int, most: int) -> g.Shape:
            return tuple(int(n) for n in self.rng.integers(least, most + 1, dims))

        kernel = several(1, 3)
        bias = self.constant(self.numbers(rows, 1000)) if self.below(2) else g.NONE
        self.weights.append(g.Weight(rows, shape[1] // groups * math.prod(kernel)))
        before = len(self.nodes)
        pads = several(0, 3), several(0, 3)
        number = len(self.weights) - 1
        op = g.Conv(number, bias, groups, kernel, several(1, 3), several(1, 2), *pads)
        self.add(op, x)
        if len(self.nodes) == before:
            self.weights.pop()

    def matmul(self) -> None:
        a = self.any(lambda s: len(s) >= 2, 40000)
        if a is None:
            return
        left = self.shape_of(a)
        b = self.any(lambda s: s[:-2] == left[:-2] and len(s) >= 2 and s[-2] == left[-1], 40000)
        self.add(g.MatMul(), a, b)

    def plus(self) -> None:
        a = self.any()
        assert a is not None
        shape = self.shape_of(a)
        others = [self.any(lambda s: s == shape) for _ in range(self.below(4))]
        coefficients = tuple(int(n) or 4 for n in self.numbers(1 + len(others), 3))
        constant = g.NONE
        if self.below(2):
            constant = self.constant(self.numbers(shape if self.below(2) else (), 500))
        self.add(g.Add(coefficients, constant), a, *others)

    def times(self) -> None:
        a = self.any(bound=40000)
        if a is not None:
            shape = self.shape_of(a)
            self.add(g.Mul(), a, self.any(lambda s: s == shape, 40000))

    def rescale(self) -> None:
        x = self.any()
        assert x is not None
        shape, shift = self.shape_of(x), int(self.rng.choice([0, 1, 2, 8, 20, 40]))
        axis = self.below(len(shape)) if shape else 0
        count = shape[axis] if shape and self.below(2) else 1
        multipliers = self.constant(self.numbers(count, int(self.rng.choice([3, 1000, 2**31 - 1]))))
        self.add(g.Rescale(multipliers, 0 if count == 1 else axis, shift), x)

    def lookup(self) -> None:
        x = self.any(bound=5000)
        if x is not None:
            tensor = self.finished().tensor(x)
            size = tensor.hi - tensor.lo + 1
            # Now and then a table that is too short, so that a run may fail.
            table = self.constant(self.numbers(size - (self.below(10) == 0 and size > 1), 300))
            self.add(g.Lookup(table, tensor.lo), x)

    def view(self) -> None:
        x = self.any()
        assert x is not None
        size = math.prod(self.shape_of(x))
        shape = self.shape()
        strides, first, last = [], 0, 0
        for count in shape:
            stride = self.below(7) - 3
            if last - first + abs((count - 1) * stride) >= size:
                stride = 0
            first += min(0, (count - 1) * stride)
            last += max(0, (count - 1) * stride)
            strides.append(stride)
        offset = -first + self.below(size - (last - first))
        self.add(g.View(offset, tuple(strides)), x, shape=shape)

    def pad(self) -> None:
        x = self.any()
        assert x is not None
        rank = len(self.shape_of(x))
        begin, end = (tuple(int(n) for n in self.rng.integers(0, 3, rank)) for _ in range(2))
        self.add(g.Pad(begin, end, self.below(100) - 50), x)

    def concat(self) -> None:
        x = self.any(lambda s: len(s) >= 1)
        if x is None:
            return
        shape = self.shape_of(x)
        axis = self.below(len(shape))
        beside = (shape[:axis], shape[axis + 1 :])
        others = [
            self.any(lambda s: len(s) == len(shape) and (s[:axis], s[axis + 1 :]) == beside)
            for _ in range(self.below(3))
        ]
        self.add(g.Concat(axis), x, *others)

    def take(self) -> None:
        x = self.any()
        assert x is not None
        size = math.prod(self.shape_of(x))
        self.add(g.Take(self.constant(self.rng.integers(-1, size, self.shape()))), x)

    def pick(self) -> None:
        x = self.any(lambda s: len(s) >= 1)
        if x is None:
            return
        rows = self.shape_of(x)[0]
        indices = self.rng.integers(0, rows + (self.below(10) == 0), self.shape(0, 2))
        self.add(g.Const(self.constant(indices)))
        if isinstance(self.nodes[-1].op, g.Const) if self.nodes else False:
            self.add(g.Pick(), x, len(self.inputs) + len(self.nodes) - 1)

    def total(self) -> None:
        x = self.any(lambda s: len(s) >= 1)
        if x is not None:
            axes = 1 + self.below(len(self.shape_of(x)))
            self.add(g.Sum(axes) if self.below(2) else g.Max(axes), x)

    def arg_max(self) -> None:
        self.add(g.ArgMax(self.below(2)), self.any(lambda s: len(s) >= 1))

    def divide(self) -> None:
        a = self.any()
        assert a is not None
        shape = self.shape_of(a)
        low = 0 if self.below(10) == 0 else 1
        self.add(g.Const(self.constant(self.rng.integers(low, 500, shape))))
        self.add(
            g.Divide(int(self.rng.choice([1, 2, 1000]))), a, len(self.inputs) + len(self.nodes) - 1
        )

    def parameter(self) -> None:
        self.add(g.Parameter(), shape=self.shape())

    def root(self) -> None:
        x = self.any()
        if x is not None and (self.finished().tensor(x).lo >= 0 or self.below(5) == 0):
            self.add(g.SquareRoot(int(self.rng.choice([1, 3, 10000]))), x)


MAKERS = [
    *("linear", "conv", "matmul", "plus", "times", "rescale", "rescale", "lookup", "view", "pad"),
    *("concat", "take", "pick", "total", "arg_max", "divide", "root"),
    "parameter",
]


def random_parameters(graph: g.Graph, seed: int) -> Any:
    """The elements of all parameters: small ones, so that most runs end well, now and then one that
    is out of range."""
    rng = np.random.default_rng(seed)
    count = sum(math.prod(node.shape) for node in graph.parameters)
    values = rng.integers(-100, 101, count).astype(np.int32)
    least = min((node.hi for node in graph.parameters), default=WHOLE)
    if count and least < WHOLE and rng.random() < 0.1:
        values[rng.integers(count)] = least + 1
    return values


def random_inputs(graph: g.Graph, seed: int) -> list[Any]:
    """Inputs within their ranges, the ends among them."""
    rng = np.random.default_rng(seed)
    found = []
    for item in graph.inputs:
        values = rng.integers(item.lo, item.hi + 1, item.shape)
        ends = rng.choice([item.lo, item.hi], item.shape)
        found.append(np.where(rng.random(item.shape) < 0.2, ends, values).astype(np.int64))
    return found
