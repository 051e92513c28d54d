"""Reductions over axes, and operators made of them."""

import math
from collections.abc import Callable

import numpy as np

from inferproof.proving.sumcheck.lower.arithmetic import (
    absolute,
    add_values,
    multiply,
    negated,
    scaled_by,
    square_root,
)
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.movement import (
    broadcast,
    padded,
    reshape,
    sliced,
    transpose,
    windows,
)
from inferproof.proving.sumcheck.lower.program import Step, unsupported
from inferproof.proving.sumcheck.lower.scaling import SUM_LIMIT, fit
from inferproof.proving.sumcheck.lower.tables import table
from inferproof.proving.sumcheck.lower.value import Value

_MOST_FACTORS = 8
"""Of a product over axes: the range of a longer one is far wider than what it is."""


def reduced_axes(c: Context, step: Step, rank: int) -> list[int]:
    """The axes that a reduction runs over; empty when it leaves its input as it is."""
    told = step.attributes.get("axes")
    if told is None and step.input(1):
        told = c.needed(step, 1, "axes").reshape(-1).tolist()
    if not told:
        return [] if step.attributes.get("noop_with_empty_axes") else list(range(rank))
    return sorted(int(axis) % rank for axis in told)


def axes_last(c: Context, x: Value, axes: list[int]) -> Value:
    """The value with these axes moved to the end."""
    order = [axis for axis in range(len(x.shape)) if axis not in axes] + axes
    return transpose(c.builder, x, order)


def total(c: Context, x: Value, axes: int) -> Value:
    """The sum over the last axes, the value made coarser where it would become too large."""
    count = math.prod(x.shape[len(x.shape) - axes :])
    x = fit(c.builder, x, SUM_LIMIT // count)
    return c.builder.sum(x, axes).with_(scale=x.scale)


def _reducing(
    function: Callable[[Context, Step, Value, int, int], Value], step: Step, c: Context
) -> Value:
    x = c.value(step, 0)
    axes = reduced_axes(c, step, len(x.shape))
    shape = c.shape(step.outputs[0])
    if not axes:
        return x if len(x.shape) else function(c, step, x.with_(shape=()), 0, 1)
    count = math.prod(x.shape[axis] for axis in axes)
    made = function(c, step, axes_last(c, x, axes), len(axes), count)
    return reshape(c.builder, made, shape)


@lowers("ReduceSum", "ReduceMean")
def _sum(c: Context, step: Step) -> Value:
    def function(c: Context, step: Step, x: Value, axes: int, count: int) -> Value:
        made = total(c, x, axes) if axes else x
        return scaled_by(c.builder, made, 1 / count) if step.op == "ReduceMean" else made

    return _reducing(function, step, c)


@lowers("ReduceMax", "ReduceMin")
def _extreme(c: Context, step: Step) -> Value:
    def function(c: Context, step: Step, x: Value, axes: int, _count: int) -> Value:
        if not axes:
            return x
        if step.op == "ReduceMax":
            return c.builder.max(x, axes).with_(scale=x.scale)
        flipped = negated(c.builder, x)
        return negated(c.builder, c.builder.max(flipped, axes).with_(scale=x.scale))

    return _reducing(function, step, c)


@lowers("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum")
def _norm(c: Context, step: Step) -> Value:
    def function(c: Context, step: Step, x: Value, axes: int, _count: int) -> Value:
        if step.op == "ReduceL1":
            x = absolute(c.builder, x)
        elif step.op != "ReduceLogSum":
            x = multiply(c.builder, x, x)
        made = total(c, x, axes) if axes else x
        if step.op == "ReduceL2":
            return square_root(c.builder, made)
        return table(c, step, made, np.log) if step.op == "ReduceLogSum" else made

    return _reducing(function, step, c)


@lowers("ReduceLogSumExp")
def _log_sum_exp(c: Context, step: Step) -> Value:
    from inferproof.proving.sumcheck.lower.attention import exponentials

    def function(c: Context, step: Step, x: Value, axes: int, count: int) -> Value:
        flat = reshape(c.builder, x, (*x.shape[: len(x.shape) - axes], count))
        peak, _powers, sums = exponentials(c, step, flat)
        logarithm = table(c, step, sums, np.log)
        return add_values(c.builder, [peak, logarithm])

    return _reducing(function, step, c)


def _times(c: Context, a: Value, b: Value) -> Value:
    """The product, with the range that both ranges give it."""
    corners = [x * y for x in a.real for y in b.real]
    return multiply(c.builder, a, b).with_(span=(min(corners), max(corners)))


@lowers("ReduceProd")
def _product(c: Context, step: Step) -> Value:
    def function(c: Context, step: Step, x: Value, axes: int, count: int) -> Value:
        if count > _MOST_FACTORS:
            raise unsupported(
                step, f"it multiplies {count} values", f"a product of at most {_MOST_FACTORS}"
            )
        made = reshape(c.builder, x, (*x.shape[: len(x.shape) - axes], count)).with_(source=None)
        last = len(made.shape) - 1
        odd: list[Value] = []
        while (count := made.shape[last]) > 1:
            # Halves have one size; what is left of an odd number is of another, and comes last.
            half = count // 2
            if count % 2:
                odd.append(sliced(c.builder, made, last, count - 1, 1))
            first, second = (sliced(c.builder, made, last, at, half) for at in (0, half))
            made = _times(c, first, second)
        for part in odd:
            made = _times(c, made, part)
        return reshape(c.builder, made, made.shape[:-1])

    return _reducing(function, step, c)


@lowers("ArgMax", "ArgMin")
def _arg(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    axis = int(step.attributes.get("axis", 0)) % len(x.shape)
    if step.op == "ArgMin":
        x = negated(c.builder, x)
    last = bool(step.attributes.get("select_last_index", 0))
    made = c.builder.argmax(axes_last(c, x, [axis]), last)
    return reshape(c.builder, made, c.shape(step.outputs[0]))


@lowers("CumSum")
def _cumsum(c: Context, step: Step) -> Value:
    """Each result is the sum of a window that begins before the start, where zeros are."""
    x = c.value(step, 0)
    axis = int(c.needed(step, 1, "axis").reshape(-1)[0]) % len(x.shape)
    exclusive = bool(step.attributes.get("exclusive", 0))
    reverse = bool(step.attributes.get("reverse", 0))
    b = c.builder
    order = [place for place in range(len(x.shape)) if place != axis] + [axis]
    moved = transpose(b, x, order)
    count = x.shape[axis]
    moved = fit(b, moved, SUM_LIMIT // count)
    flat = reshape(b, moved, (1, math.prod(moved.shape[:-1]), count))
    pad = (count - 1 + exclusive, 0)
    begin, end = ((0, 0, n) for n in (pad[::-1] if reverse else pad))
    wide = padded(b, flat, begin, end, 0)
    start = exclusive if reverse else 0
    wide = sliced(b, wide, 2, start, 2 * count - 1)
    made = b.sum(windows(b, wide, (count,), (1,), (1,), (count,)), 1).with_(scale=moved.scale)
    back = [order.index(place) for place in range(len(order))]
    return transpose(b, reshape(b, made, moved.shape), back)


@lowers("Hardmax")
def _hardmax(c: Context, step: Step) -> Value:
    from inferproof.proving.sumcheck.lower.shape import one_hot

    x = c.value(step, 0)
    rank = len(x.shape)
    axis = int(step.attributes.get("axis", -1 if c.program.opset >= 13 else 1)) % rank
    if c.program.opset < 13:
        rows = (math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))
        flat = reshape(c.builder, x, rows)
        hot = one_hot(c, c.builder.argmax(flat, False), rows[1])
        return reshape(c.builder, hot.with_(most=None), x.shape)
    moved = axes_last(c, x, [axis])
    hot = one_hot(c, c.builder.argmax(moved, False), x.shape[axis])
    order = [*range(axis), rank - 1, *range(axis, rank - 1)]
    return transpose(c.builder, hot.with_(most=None), order)


def spread(c: Context, v: Value, shape: tuple[int, ...]) -> Value:
    """A value of a reduction over the last axis, repeated along it."""
    return broadcast(c.builder, reshape(c.builder, v, (*v.shape, 1)), shape)
