"""The shape of each operation's result, so that random graphs can be built node by node."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph import Graph, Op, Shape

_SUM_LIMIT = 2**62
"""Exact sums of products stay below this."""


class _Fault(Exception):
    """Why a node is malformed, in words."""


@dataclass(frozen=True, slots=True)
class _Operands:
    """Shapes and largest absolute values of a node's operands."""

    graph: Graph
    shapes: tuple[Shape, ...]
    bounds: tuple[int, ...]

    def constant(self, number: int) -> g.Constant:
        if not 0 <= number < len(self.graph.constants):
            raise _Fault(f"there is no constant {number}")
        return self.graph.constants[number]

    def weight(self, number: int) -> g.Weight:
        if not 0 <= number < len(self.graph.weights):
            raise _Fault(f"there is no weight matrix {number}")
        return self.graph.weights[number]

    def bias(self, number: int, rows: int) -> None:
        _demand(
            number == g.NONE or self.constant(number).shape == (rows,),
            "the bias does not have one number per row",
        )


def _demand(fact: bool, why: str) -> None:
    if not fact:
        raise _Fault(why)


def result_shape(op: Op, graph: Graph, operands: Sequence[int]) -> Shape | None:
    """The shape that an operation gives on these tensors; None where it fits them not, and for a
    View, which declares its own.

    `graph` may lack nodes after those named.
    """
    try:
        return _shape(op, graph, operands, tensors=graph.tensors)
    except _Fault:
        return None


def _shape(op: Op, graph: Graph, operands: Sequence[int], tensors: int) -> Shape | None:
    wanted = _ARITY.get(type(op), 1)
    if wanted is None:
        _demand(1 <= len(operands) <= g.MAX_OPERANDS, "it has no operand, or too many")
    else:
        _demand(len(operands) == wanted, f"it takes {wanted} operands, not {len(operands)}")
    for operand in operands:
        _demand(0 <= operand < tensors, f"tensor {operand} is not computed before it")
    tensors_of = [graph.tensor(operand) for operand in operands]
    found = _Operands(
        graph,
        tuple(tensor.shape for tensor in tensors_of),
        tuple(max(abs(tensor.lo), abs(tensor.hi)) for tensor in tensors_of),
    )
    return _RULES[type(op)](op, found)


def _linear(op: g.Linear, on: _Operands) -> Shape:
    (x,) = on.shapes
    weight = on.weight(op.weight)
    _demand(len(x) >= 1 and x[-1] == weight.cols, "the last dimension is not the matrix's columns")
    on.bias(op.bias, weight.rows)
    return (*x[:-1], weight.rows)


def _conv(op: g.Conv, on: _Operands) -> Shape:
    (x,) = on.shapes
    weight = on.weight(op.weight)
    spatial = len(x) - 2
    _demand(spatial in (1, 2), "the operand is not of 3 or 4 dimensions")
    lists = (op.kernel, op.stride, op.dilation, op.pad_begin, op.pad_end)
    _demand(all(len(item) == spatial for item in lists), "an attribute is not one per dimension")
    _demand(
        all(1 <= n <= g.MAX_ELEMENTS for item in lists[:3] for n in item),
        "kernel, stride or dilation is 0 or too large",
    )
    _demand(all(0 <= n <= g.MAX_ELEMENTS for item in lists[3:] for n in item), "a pad is too large")
    _demand(
        op.groups >= 1 and x[1] % op.groups == 0 and weight.rows % op.groups == 0,
        "the groups do not divide the channels",
    )
    _demand(
        weight.cols == x[1] // op.groups * math.prod(op.kernel),
        "the matrix's columns are not channels in a group times kernel",
    )
    on.bias(op.bias, weight.rows)
    sizes = []
    for size, kernel, stride, dilation, begin, end in zip(x[2:], *lists, strict=True):
        room = size + begin + end - (dilation * (kernel - 1) + 1)
        _demand(room >= 0, "the kernel is larger than the padded operand")
        sizes.append(room // stride + 1)
    return (x[0], weight.rows, *sizes)


def _matmul(_op: g.MatMul, on: _Operands) -> Shape:
    a, b = on.shapes
    _demand(
        len(a) == len(b) >= 2 and a[:-2] == b[:-2] and a[-1] == b[-2],
        "the operands' shapes do not fit",
    )
    _demand(a[-1] * on.bounds[0] * on.bounds[1] < _SUM_LIMIT, "its sums can reach 2^62")
    return (*a[:-1], b[-1])


def _add(op: g.Add, on: _Operands) -> Shape:
    _demand(len(op.coefficients) == len(on.shapes), "there is not one coefficient per operand")
    _demand(len(set(on.shapes)) == 1, "the operands' shapes differ")
    most = sum(abs(c) * bound for c, bound in zip(op.coefficients, on.bounds, strict=True))
    _demand(most < _SUM_LIMIT, "its sums can reach 2^62")
    if op.constant != g.NONE:
        constant = on.constant(op.constant)
        _demand(
            constant.values.size == 1 or constant.shape == on.shapes[0],
            "the constant has neither one element nor the operands' shape",
        )
    return on.shapes[0]


def _mul(_op: g.Mul, on: _Operands) -> Shape:
    _demand(on.shapes[0] == on.shapes[1], "the operands' shapes differ")
    return on.shapes[0]


def _rescale(op: g.Rescale, on: _Operands) -> Shape:
    (x,) = on.shapes
    _demand(0 <= op.shift <= g.MAX_SHIFT, f"the shift is more than {g.MAX_SHIFT}")
    count = on.constant(op.multipliers).values.size
    if count == 1:
        _demand(op.axis == 0, "a single multiplier takes axis 0")
    else:
        _demand(
            0 <= op.axis < len(x) and x[op.axis] == count, "there is not one multiplier per slice"
        )
    return x


def _lookup(op: g.Lookup, on: _Operands) -> Shape:
    _demand(len(on.constant(op.table).shape) == 1, "the table is not of one dimension")
    return on.shapes[0]


def _view(op: g.View, _on: _Operands) -> None:
    _demand(
        all(abs(n) <= g.MAX_ELEMENTS for n in (op.offset, *op.strides)),
        "an offset or stride is too large",
    )


def _pad(op: g.Pad, on: _Operands) -> Shape:
    (x,) = on.shapes
    _demand(len(op.begin) == len(op.end) == len(x), "there is not one pad per dimension")
    _demand(all(0 <= n <= g.MAX_ELEMENTS for n in op.begin + op.end), "a pad is too large")
    return tuple(begin + size + end for begin, size, end in zip(op.begin, x, op.end, strict=True))


def _concat(op: g.Concat, on: _Operands) -> Shape:
    first = on.shapes[0]
    axis = op.axis
    _demand(0 <= axis < len(first), "there is no such axis")
    _demand(
        all(
            len(x) == len(first) and x[:axis] == first[:axis] and x[axis + 1 :] == first[axis + 1 :]
            for x in on.shapes
        ),
        "the operands' shapes differ beside the axis",
    )
    return (*first[:axis], sum(x[axis] for x in on.shapes), *first[axis + 1 :])


def _take(op: g.Take, on: _Operands) -> Shape:
    constant = on.constant(op.map)
    low, high = int(constant.values.min()), int(constant.values.max())
    _demand(low >= -1 and high < math.prod(on.shapes[0]), "an address is outside of the operand")
    return constant.shape


def _pick(_op: g.Pick, on: _Operands) -> Shape:
    x, index = on.shapes
    _demand(len(x) >= 1, "the operand is a single number")
    return (*index, *x[1:])


def _reduce(op: g.Sum | g.Max, on: _Operands) -> Shape:
    (x,) = on.shapes
    _demand(1 <= op.axes <= len(x), "there are not so many axes")
    return x[: len(x) - op.axes]


def _argmax(op: g.ArgMax, on: _Operands) -> Shape:
    _demand(len(on.shapes[0]) >= 1, "the operand is a single number")
    _demand(op.last in (0, 1), "the choice among equals is neither 0 nor 1")
    return on.shapes[0][:-1]


def _divide(op: g.Divide, on: _Operands) -> Shape:
    _demand(op.k >= 1, "k is not positive")
    return _mul(g.Mul(), on)


def _square_root(op: g.SquareRoot, on: _Operands) -> Shape:
    _demand(op.k >= 1, "k is not positive")
    return on.shapes[0]


def _const(op: g.Const, on: _Operands) -> Shape:
    return on.constant(op.constant).shape


_ARITY: dict[type[Op], int | None] = {
    g.MatMul: 2,
    g.Add: None,
    g.Mul: 2,
    g.Concat: None,
    g.Pick: 2,
    g.Divide: 2,
    g.Const: 0,
}
_RULES: dict[type[Op], Callable[[Any, _Operands], Shape | None]] = {
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
    g.Sum: _reduce,
    g.Max: _reduce,
    g.ArgMax: _argmax,
    g.Divide: _divide,
    g.SquareRoot: _square_root,
    g.Const: _const,
}
