"""Runs an integer graph in plain numpy: the readable form of specs/quantisation.md, to which the
native executor of the product is held. It takes the package's graphs, and nothing else of it.

Each function is one operation on int64 arrays, and says what the operation means; where a result
could pass 2^63 it is computed in Python's integers. Every result is checked against the range
that its node declares. Nothing here is fast on purpose, but contractions use binary64 where that
is exact: every partial sum is a whole number below 2^53.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph import Graph, Node

Ints = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.int8]

_EXACT = 2**53


class Fault(Exception):
    """Why a graph cannot be run on an input, and at which node where it is one's."""

    def __init__(self, code: str, message: str, node: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.node = node


def split_weights(graph: Graph, data: bytes) -> list[Matrix]:
    """The weight matrices in a weights file: all of them, row by row, one byte a number.

    Raises: Fault WEIGHTS.
    """
    expected = sum(weight.rows * weight.cols for weight in graph.weights)
    if len(data) != expected:
        message = f"the weights file is {len(data)} bytes, the graph takes {expected}"
        raise Fault("WEIGHTS", message)
    found, at = [], 0
    for weight in graph.weights:
        size = weight.rows * weight.cols
        flat = np.frombuffer(data, dtype=np.int8, count=size, offset=at)
        found.append(flat.reshape(weight.rows, weight.cols))
        at += size
    return found


def split_parameters(graph: Graph, values: Any) -> list[Ints]:
    """The parameters among the elements of all of them. Raises: Fault PARAMETERS."""
    flat = np.asarray(values).reshape(-1)
    shapes = [node.shape for node in graph.parameters]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    expected = int(ends[-1]) if shapes else 0
    if flat.size != expected:
        message = f"there are {flat.size} elements of parameters, the graph takes {expected}"
        raise Fault("PARAMETERS", message)
    parts = zip(np.split(flat.astype(np.int64), ends[:-1]), shapes, strict=False)
    return [part.reshape(shape) for part, shape in parts]


def execute(
    graph: Graph, weights: Sequence[Matrix], inputs: Sequence[Any], parameters: Any = ()
) -> list[Ints]:
    """The graph's outputs. Shapes: as the graph declares; `parameters` flat.

    Raises: Fault PARAMETERS, INPUT, RANGE, TABLE, INDEX, DIVISOR, ROOT.
    """
    tensors = execute_all(graph, weights, inputs, parameters)
    return [tensors[number] for number in graph.outputs]


def execute_all(
    graph: Graph, weights: Sequence[Matrix], inputs: Sequence[Any], parameters: Any = ()
) -> list[Ints]:
    """Every tensor of the graph: inputs, then one for each node. Raises: as `execute`."""
    if len(inputs) != len(graph.inputs):
        why = f"the graph takes {len(graph.inputs)}"
        raise _input(len(inputs), why)
    tensors: list[Ints] = []
    given = iter(split_parameters(graph, parameters))
    for number, (item, value) in enumerate(zip(graph.inputs, inputs, strict=True)):
        array = np.asarray(value)
        if array.dtype.kind not in "iu" or array.shape != item.shape:
            why = f"it is {array.dtype.name}{list(array.shape)}, not whole {list(item.shape)}"
            raise _input(number, why)
        if int(array.min()) < item.lo or int(array.max()) > item.hi:
            why = f"it leaves the range {item.lo} to {item.hi}"
            raise _input(number, why)
        tensors.append(array.astype(np.int64))
    for number, node in enumerate(graph.nodes):
        run = _Run(graph, weights, node, number)
        if isinstance(node.op, g.Parameter):
            result = next(given)
        else:
            result = _OPERATIONS[type(node.op)](run, *(tensors[place] for place in node.operands))
        low, high = int(result.min()), int(result.max())
        if low < node.lo or high > node.hi:
            value = low if low < node.lo else high
            bounds = f"outside of its range {node.lo} to {node.hi}"
            raise run.fail("RANGE", f"({g.op_name(node.op)}) gives {value}, {bounds}")
        tensors.append(result)
    return tensors


def _input(number: int, why: str) -> Fault:
    return Fault("INPUT", f"input {number} of the integer graph is not what it declares: {why}")


class _Run:
    """One node that is being executed."""

    def __init__(self, graph: Graph, weights: Sequence[Matrix], node: Node, number: int):
        self.graph = graph
        self.weights = weights
        self.node = node
        self.op: Any = node.op
        self.number = number

    def constant(self, number: int) -> Ints:
        return self.graph.constants[number].values.astype(np.int64)

    def bias(self, rows: int) -> Ints:
        return np.zeros(rows, np.int64) if self.op.bias == g.NONE else self.constant(self.op.bias)

    def fail(self, code: str, what: str) -> Fault:
        return Fault(code, f"node {self.number} {what}", self.number)


def _product(a: Ints, b: Ints) -> Ints:
    """a times b over the last and last but one axis, exactly."""
    reach = a.shape[-1] * int(np.abs(a).max()) * int(np.abs(b).max())
    if reach < _EXACT:
        exact: Ints = (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
        return exact
    whole: Ints = a @ b
    return whole


def _linear(run: _Run, x: Ints) -> Ints:
    matrix = run.weights[run.op.weight].astype(np.int64)
    flat = x.reshape(-1, x.shape[-1])
    return (_product(flat, matrix.T) + run.bias(len(matrix))).reshape(run.node.shape)


def _conv(run: _Run, x: Ints) -> Ints:
    op: g.Conv = run.op
    matrix = run.weights[op.weight].astype(np.int64)
    pads = [(0, 0), (0, 0), *zip(op.pad_begin, op.pad_end, strict=True)]
    padded = np.pad(x, pads)
    sizes = run.node.shape[2:]
    channels, rows = x.shape[1] // op.groups, len(matrix) // op.groups
    out = np.empty((x.shape[0], len(matrix), *sizes), np.int64)
    for group in range(op.groups):
        columns = []
        for channel in range(group * channels, (group + 1) * channels):
            for place in np.ndindex(*op.kernel):
                starts = [p * d for p, d in zip(place, op.dilation, strict=True)]
                spots: tuple[Any, ...] = tuple(
                    slice(start, start + (size - 1) * stride + 1, stride)
                    for start, size, stride in zip(starts, sizes, op.stride, strict=True)
                )
                columns.append(padded[(slice(None), channel, *spots)].reshape(x.shape[0], -1))
        stacked = np.stack(columns, axis=1)  # [B, columns, positions]
        here = slice(group * rows, (group + 1) * rows)
        out[:, here] = _product(matrix[here], stacked).reshape(x.shape[0], rows, *sizes)
    bias = run.bias(len(matrix))
    return out + bias.reshape(1, -1, *(1 for _ in sizes))


def _matmul(_run: _Run, a: Ints, b: Ints) -> Ints:
    return _product(a, b)


def _add(run: _Run, *operands: Ints) -> Ints:
    total = np.zeros(run.node.shape, np.int64)
    for coefficient, x in zip(run.op.coefficients, operands, strict=True):
        total = total + coefficient * x
    if run.op.constant != g.NONE:
        constant = run.constant(run.op.constant)
        total = total + (constant.reshape(-1)[0] if constant.size == 1 else constant)
    return total


def _mul(_run: _Run, a: Ints, b: Ints) -> Ints:
    return a * b


def _rescale(run: _Run, x: Ints) -> Ints:
    op: g.Rescale = run.op
    factors = run.constant(op.multipliers).reshape(-1)
    after = (1,) * (x.ndim - op.axis - 1)
    multipliers = factors.reshape(-1, *after) if factors.size > 1 else factors[0]
    half = (1 << op.shift) >> 1
    # |m * x| < 2^31 * 2^29, so that the sum stays within 64 bits.
    scaled: Ints = (multipliers * x + half) >> op.shift
    return np.clip(scaled, run.node.lo, run.node.hi)


def _lookup(run: _Run, x: Ints) -> Ints:
    entries = run.constant(run.op.table)
    places = x - run.op.first
    if int(places.min()) < 0 or int(places.max()) >= entries.size:
        value = x.reshape(-1)[int(np.argmax((places < 0) | (places >= entries.size)))]
        raise run.fail("TABLE", f"looks up {value}, which is not in its table")
    found: Ints = entries[places]
    return found


def _view(run: _Run, x: Ints) -> Ints:
    addresses = np.full(run.node.shape, run.op.offset, np.int64)
    for axis, (size, stride) in enumerate(zip(run.node.shape, run.op.strides, strict=True)):
        after = len(run.node.shape) - axis - 1
        addresses = addresses + (np.arange(size) * stride).reshape(-1, *(1 for _ in range(after)))
    found: Ints = x.reshape(-1)[addresses]
    return found


def _pad(run: _Run, x: Ints) -> Ints:
    pads = list(zip(run.op.begin, run.op.end, strict=True))
    return np.pad(x, pads, constant_values=run.op.fill) if pads else x


def _concat(run: _Run, *operands: Ints) -> Ints:
    return np.concatenate(operands, axis=run.op.axis)


def _take(run: _Run, x: Ints) -> Ints:
    addresses = run.constant(run.op.map)
    return np.where(addresses < 0, 0, x.reshape(-1)[np.maximum(addresses, 0)])


def _pick(run: _Run, x: Ints, index: Ints) -> Ints:
    if int(index.min()) < 0 or int(index.max()) >= len(x):
        wrong = index.reshape(-1)[int(np.argmax((index < 0) | (index >= len(x))))]
        raise run.fail("INDEX", f"picks number {wrong} of {len(x)}")
    return x[index]


def _sum(run: _Run, x: Ints) -> Ints:
    return np.asarray(x.sum(axis=tuple(range(x.ndim - run.op.axes, x.ndim)), dtype=np.int64))


def _max(run: _Run, x: Ints) -> Ints:
    return np.asarray(x.max(axis=tuple(range(x.ndim - run.op.axes, x.ndim))))


def _argmax(run: _Run, x: Ints) -> Ints:
    if run.op.last:
        return np.asarray(x.shape[-1] - 1 - x[..., ::-1].argmax(axis=-1), np.int64)
    return np.asarray(x.argmax(axis=-1), np.int64)


def _divide(run: _Run, a: Ints, b: Ints) -> Ints:
    if int(b.min()) <= 0:
        raise run.fail("DIVISOR", f"divides by {b.min()}; divisors are positive")
    # |2 k a + b| < 2 * 2^31 * 2^29 + 2^29 fits into 64 bits.
    return np.asarray((2 * run.op.k * a + b) // (2 * b))


def _square_root(run: _Run, x: Ints) -> Ints:
    if int(x.min()) < 0:
        raise run.fail("ROOT", f"takes the square root of {x.min()}")
    roots = [math.isqrt(run.op.k * int(value)) for value in x.reshape(-1)]
    return np.array(roots, np.int64).reshape(x.shape)


def _const(run: _Run) -> Ints:
    return run.constant(run.op.constant)


_OPERATIONS: dict[type[g.Op], Callable[..., Ints]] = {
    g.Linear: _linear,
    g.Conv: _conv,
    g.MatMul: _matmul,
    g.Add: _add,
    g.Mul: _mul,
    g.Rescale: _rescale,
    g.Lookup: _lookup,
    g.View: _view,
    g.Pad: _pad,
    g.Concat: _concat,
    g.Take: _take,
    g.Pick: _pick,
    g.Sum: _sum,
    g.Max: _max,
    g.ArgMax: _argmax,
    g.Divide: _divide,
    g.SquareRoot: _square_root,
    g.Const: _const,
}
