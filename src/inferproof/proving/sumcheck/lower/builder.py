"""Builds an integer graph node by node, each with the interval of its result."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import ModelRejected, Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower import intervals
from inferproof.proving.sumcheck.lower.value import Value

Ints = npt.NDArray[np.int64]
Interval = tuple[int, int]
Shape = tuple[int, ...]


@dataclass(slots=True)
class Builder:
    """The graph so far. `at` names the step that is being lowered, for messages; `step`
    is its place in the program.

    Constants count as made of the model's weights, and are hidden then, unless `fixed` says that
    a model of the same operators has the same ones.
    """

    inputs: list[g.Input] = field(default_factory=list)
    nodes: list[g.Node] = field(default_factory=list)
    weights: list[npt.NDArray[np.int8]] = field(default_factory=list)
    constants: dict[g.Constant, int] = field(default_factory=dict)
    listed: list[g.Constant] = field(default_factory=list)
    at: tuple[str, str] = ("", "")
    step: int = -1
    made: dict[tuple[g.Op, tuple[int, ...], Shape, Interval, bool, int], int] = field(
        default_factory=dict
    )

    def constant(self, values: Any) -> int:
        """The number of a public constant; equal ones are stored once."""
        array = np.asarray(values)
        if array.size and max(abs(int(array.min())), abs(int(array.max()))) >= 2**31:
            raise self.overflow(int(np.abs(array).max()))
        made = g.Constant(array)
        if made not in self.constants:
            self.constants[made] = len(self.listed)
            self.listed.append(made)
        return self.constants[made]

    def values_of(self, number: int) -> npt.NDArray[np.int32]:
        """A constant by its number."""
        return self.listed[number].values

    def input(self, shape: Shape, lo: int, hi: int) -> int:
        """A further input of the graph; all come before the first node."""
        assert not self.nodes  # noqa: S101  (ids count inputs first)
        self.inputs.append(g.Input(shape, lo, hi))
        return len(self.inputs) - 1

    def emit(
        self,
        op: g.Op,
        operands: Sequence[Value],
        shape: Shape,
        interval: Interval,
        fixed: bool = False,
    ) -> Value:
        """The result of a node, of scale 1. The same node is never made twice, but for constants
        of two steps: that they are equal would show.

        Raises: ModelRejected LOWERING_OVERFLOW, LOWERING_TENSOR.
        """
        if max(abs(interval[0]), abs(interval[1])) >= g.VALUE_LIMIT:
            raise self.overflow(max(interval, key=abs))
        size = math.prod(shape)
        if size > g.MAX_ELEMENTS or len(shape) > g.MAX_RANK:
            raise self.too_large(shape)
        owner = self.step if isinstance(op, g.Const) and not fixed else -1
        key = (op, tuple(item.tensor for item in operands), shape, interval, fixed, owner)
        number = self.made.get(key)
        if number is None:
            self.nodes.append(g.Node(op, key[1], shape, *interval, self.step, fixed))
            number = self.made[key] = len(self.inputs) + len(self.nodes) - 1
        return Value(number, shape, 1.0, *interval)

    def too_large(self, shape: Shape) -> ModelRejected:
        """The rejection of a step that needs a tensor or matrix beyond the graph's limits."""
        return ModelRejected(
            Reason.LOWERING_TENSOR,
            node=self.at[0],
            operator=self.at[1],
            shape=list(shape),
            elements=g.MAX_ELEMENTS,
            rank=g.MAX_RANK,
        )

    def overflow(self, reach: int) -> ModelRejected:
        """The rejection of a step whose integers can become too large."""
        return ModelRejected(
            Reason.LOWERING_OVERFLOW, node=self.at[0], operator=self.at[1], reach=abs(reach)
        )

    def weighted(self, op: type[Any], rows: npt.NDArray[np.int8], **attributes: Any) -> g.Op:
        """A Linear or Conv on a new committed matrix. Raises: ModelRejected LOWERING_TENSOR."""
        if rows.size > g.MAX_ELEMENTS:
            raise self.too_large(rows.shape)
        self.weights.append(np.ascontiguousarray(rows))
        made: g.Op = op(weight=len(self.weights) - 1, **attributes)
        return made

    def add(
        self,
        operands: Sequence[Value],
        coefficients: Sequence[int],
        constant: Any = None,
        within: Interval | None = None,
        fixed: bool = False,
    ) -> Value:
        """The sum of coefficient times operand, plus a constant. `within` is known to hold it.

        Operands that do not count are left out; a graph has no coefficient of 0.
        """
        if 0 in coefficients:
            counted = [(x, c) for x, c in zip(operands, coefficients, strict=True) if c]
            if not counted:
                left = 0 if constant is None else constant
                return self.const(np.broadcast_to(left, operands[0].shape), fixed)
            operands, coefficients = [x for x, _ in counted], [c for _, c in counted]
        most = max(map(abs, coefficients))
        if most >= g.VALUE_LIMIT:
            raise self.overflow(int(most))
        interval = intervals.added(
            *(intervals.scaled(x.interval, c) for x, c in zip(operands, coefficients, strict=True))
        )
        number = g.NONE
        if constant is not None:
            array = np.asarray(constant)
            interval = intervals.added(interval, (int(array.min()), int(array.max())))
            number = self.constant(array if array.size > 1 else array.reshape(1))
        op = g.Add(tuple(int(c) for c in coefficients), number)
        return self.emit(op, operands, operands[0].shape, _cut(interval, within), fixed)

    def mul(self, a: Value, b: Value, within: Interval | None = None) -> Value:
        """a times b, element by element."""
        interval = intervals.multiplied(a.interval, b.interval)
        if a.tensor == b.tensor:
            interval = (0, max(interval))
        return self.emit(g.Mul(), [a, b], a.shape, _cut(interval, within))

    def matmul(self, a: Value, b: Value) -> Value:
        """a[..., M, K] times b[..., K, N]."""
        products = intervals.multiplied(a.interval, b.interval)
        interval = (products[0] * a.shape[-1], products[1] * a.shape[-1])
        if a.most is not None:
            reach = a.most * b.bound
            interval = _cut(interval, (-reach, reach))
        return self.emit(g.MatMul(), [a, b], (*a.shape[:-1], b.shape[-1]), interval)

    def rescale(
        self,
        x: Value,
        multiplier: int = 1,
        shift: int = 0,
        clamp: Interval | None = None,
    ) -> Value:
        """Rescale with the given clamp, or one that changes nothing."""
        array = np.array([multiplier], dtype=np.int64)
        low, high = intervals.rescaled(x.interval, array, shift)
        if clamp is not None:
            low, high = (min(max(end, clamp[0]), clamp[1]) for end in (low, high))
        op = g.Rescale(self.constant(array), 0, shift)
        return self.emit(op, [x], x.shape, (low, high))

    def times_along(
        self,
        x: Value,
        factors: Ints,
        axis: int,
        within: Interval | None = None,
        fixed: bool = False,
    ) -> Value:
        """x with each slice along an axis multiplied by its own factor.

        A Rescale could have them for multipliers, which are public: here they can be hidden.
        """
        strides = [1 if place == axis else 0 for place in range(len(x.shape))]
        wide = self.view(self.const(factors.reshape(-1), fixed), x.shape, 0, strides)
        return self.mul(x, wide, within)

    def lookup(self, x: Value, table: Ints) -> Value:
        """The table's entry of each element; the table begins at x.lo."""
        interval = (int(table.min()), int(table.max()))
        return self.emit(g.Lookup(self.constant(table), x.lo), [x], x.shape, interval)

    def view(self, x: Value, shape: Shape, offset: int, strides: Sequence[int]) -> Value:
        """Elements of x at computed addresses."""
        plain = tuple(
            0 if size == 1 else int(step) for size, step in zip(shape, strides, strict=True)
        )
        if offset == 0 and shape == x.shape and plain == row_major(shape):
            return Value(x.tensor, x.shape, 1.0, x.lo, x.hi)
        return self.emit(g.View(int(offset), plain), [x], shape, x.interval)

    def pad(self, x: Value, begin: Sequence[int], end: Sequence[int], fill: int) -> Value:
        """x with elements of value `fill` around it."""
        if not any(begin) and not any(end):
            return Value(x.tensor, x.shape, 1.0, x.lo, x.hi)
        shape = tuple(b + n + e for b, n, e in zip(begin, x.shape, end, strict=True))
        op = g.Pad(tuple(map(int, begin)), tuple(map(int, end)), int(fill))
        return self.emit(op, [x], shape, intervals.hull(x.interval, (fill, fill)))

    def concat(self, parts: Sequence[Value], axis: int) -> Value:
        """The parts one after another along an axis."""
        first = parts[0].shape
        total = sum(part.shape[axis] for part in parts)
        interval = intervals.hull(*(part.interval for part in parts))
        return self.emit(
            g.Concat(axis), parts, (*first[:axis], total, *first[axis + 1 :]), interval
        )

    def take(self, x: Value, addresses: Ints) -> Value:
        """x at the addresses of its flat form; -1 gives 0."""
        interval = x.interval
        if (addresses < 0).any():
            interval = intervals.hull(interval, (0, 0))
        return self.emit(g.Take(self.constant(addresses)), [x], addresses.shape, interval)

    def pick(self, x: Value, index: Value) -> Value:
        """x[index] along its first axis."""
        return self.emit(g.Pick(), [x, index], (*index.shape, *x.shape[1:]), x.interval)

    def sum(self, x: Value, axes: int, within: Interval | None = None) -> Value:
        """The sum over the last axes."""
        count = math.prod(x.shape[len(x.shape) - axes :])
        interval = _cut((x.lo * count, x.hi * count), within)
        return self.emit(g.Sum(axes), [x], x.shape[: len(x.shape) - axes], interval)

    def max(self, x: Value, axes: int, within: Interval | None = None) -> Value:
        """The maximum over the last axes."""
        interval = _cut(x.interval, within)
        return self.emit(g.Max(axes), [x], x.shape[: len(x.shape) - axes], interval)

    def argmax(self, x: Value, last: bool) -> Value:
        """The index of the maximum over the last axis."""
        return self.emit(g.ArgMax(int(last)), [x], x.shape[:-1], (0, x.shape[-1] - 1))

    def divide(self, a: Value, b: Value, k: int, within: Interval | None = None) -> Value:
        """The nearest whole number to k times a over b, for b > 0."""
        interval = _cut(intervals.divided(a.interval, b.interval, k), within)
        return self.emit(g.Divide(k), [a, b], a.shape, interval)

    def root(self, x: Value, k: int) -> Value:
        """The square root of k times x, rounded down."""
        return self.emit(g.SquareRoot(k), [x], x.shape, intervals.rooted(x.interval, k))

    def const(self, values: Any, fixed: bool = False) -> Value:
        """A constant as a tensor."""
        array = np.asarray(values, dtype=np.int64)
        interval = (int(array.min()), int(array.max()))
        return self.emit(g.Const(self.constant(array)), [], array.shape, interval, fixed)


def row_major(shape: Shape) -> tuple[int, ...]:
    """Strides of a tensor without gaps; 0 for dimensions of one element."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step if size > 1 else 0)
        step *= size
    return tuple(reversed(strides))


def _cut(interval: Interval, within: Interval | None) -> Interval:
    if within is None:
        return interval
    return max(interval[0], within[0]), min(interval[1], within[1])
