"""Pooling: the maximum, sum or norm of each window, and what is made of neighbouring channels."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.lower.arithmetic import (
    absolute,
    multiply,
    scaled_by,
    square_root,
)
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.movement import (
    addresses_of,
    broadcast,
    padded,
    reshape,
    transpose,
    windows,
)
from inferproof.proving.sumcheck.lower.program import Step, unsupported
from inferproof.proving.sumcheck.lower.reduce import axes_last, total
from inferproof.proving.sumcheck.lower.scaling import SUM_LIMIT, fit
from inferproof.proving.sumcheck.lower.scatter import put_computed
from inferproof.proving.sumcheck.lower.tables import table
from inferproof.proving.sumcheck.lower.value import Points, Value
from inferproof.proving.sumcheck.lower.vision import numbers_of, spatial_pads

Shape = tuple[int, ...]

MOST_IN_WINDOWS = 2**22
"""Elements of all windows of a pooling together; beyond, axis after axis takes fewer."""


class _Pool:
    """The windows of a pooling operator."""

    def __init__(self, c: Context, step: Step, x: Value):
        self.kernel: Shape = tuple(step.attributes["kernel_shape"])
        rank = len(self.kernel)
        self.stride, self.dilation = (
            numbers_of(step, name, rank) for name in ("strides", "dilations")
        )
        self.size = x.shape[2:]
        self.begin, told = spatial_pads(step, self.size, self.kernel, self.stride, self.dilation)
        self.counts = c.shape(step.outputs[0])[2:]
        # As far as the windows reach; with ceil_mode that can be more than was told.
        reach = [
            (n - 1) * s + d * (k - 1) + 1
            for n, s, d, k in zip(self.counts, self.stride, self.dilation, self.kernel, strict=True)
        ]
        self.end = tuple(
            max(0, r - n - p) for r, n, p in zip(reach, self.size, self.begin, strict=True)
        )
        self.told_end = told

    def reduced(
        self, c: Context, x: Value, fill: int, reduce: Callable[[Value, int], Value]
    ) -> Value:
        """A maximum or sum over each window: of all windows at once, or axis after axis where
        those would be too many elements.
        """
        b = c.builder
        wide = padded(b, x, (0, 0, *self.begin), (0, 0, *self.end), fill)
        parts = (self.kernel, self.stride, self.dilation, self.counts)
        if math.prod((*x.shape[:2], *self.counts, *self.kernel)) <= MOST_IN_WINDOWS:
            return reduce(windows(b, wide, *parts), len(self.kernel)).with_(scale=x.scale)
        for place, (kernel, stride, dilation, count) in enumerate(zip(*parts, strict=True)):
            axis = place + 2
            lines = (math.prod(wide.shape[:axis]), 1, *wide.shape[axis:])
            after = math.prod(lines[3:])
            flat = reshape(b, wide, (lines[0], lines[2], after))
            turned = reshape(b, transpose(b, flat, (0, 2, 1)), (lines[0], after, lines[2]))
            seen = windows(b, turned, (kernel,), (stride,), (dilation,), (count,))
            made = reduce(seen, 1).with_(scale=x.scale)
            back = transpose(b, made, (0, 2, 1))
            wide = reshape(b, back, (*wide.shape[:axis], count, *wide.shape[axis + 1 :]))
        return wide

    def shares(self, with_pads: bool) -> npt.NDArray[np.int64]:
        """How many elements of each window count."""
        total = np.ones((), np.int64)
        for n, k, s, d, p, q, count in zip(
            self.size,
            self.kernel,
            self.stride,
            self.dilation,
            self.begin,
            self.told_end,
            self.counts,
            strict=True,
        ):
            low, high = (-p, n + q) if with_pads else (0, n)
            spots = (np.arange(count) * s - p)[:, None] + np.arange(k) * d
            total = np.multiply.outer(total, ((spots >= low) & (spots < high)).sum(axis=1))
        return total


@lowers("MaxPool")
def _max_pool(c: Context, step: Step) -> Value | tuple[Value, Value]:
    x = fit(c.builder, c.value(step, 0), 2**c.options.activation_bits - 1)
    pool = _Pool(c, step, x)
    if len(step.outputs) > 1 and step.outputs[1]:
        return _with_places(c, step, x, pool)
    return pool.reduced(c, x, x.lo, c.builder.max)


def _with_places(c: Context, step: Step, x: Value, pool: _Pool) -> tuple[Value, Value]:
    """The maxima, and the address of each in the operand, of equals the first."""
    b = c.builder
    rank = len(pool.kernel)
    # What is around the operand is below all of it.
    wide = padded(b, x, (0, 0, *pool.begin), (0, 0, *pool.end), x.lo - 1)
    seen = windows(b, wide, pool.kernel, pool.stride, pool.dilation, pool.counts)
    flat = reshape(b, seen, (*seen.shape[: 2 + rank], math.prod(pool.kernel)))
    best = b.max(flat, 1, within=x.interval).with_(scale=x.scale)
    steps = [math.prod(x.shape[2 + axis + 1 :]) for axis in range(rank)]
    if step.attributes.get("storage_order"):
        steps = [math.prod(x.shape[2 : 2 + axis]) for axis in range(rank)]
    inner = np.zeros(pool.kernel, np.int64)
    corner = np.zeros(pool.counts, np.int64)
    for axis in range(rank):
        along = [1] * rank
        along[axis] = -1
        inner += (np.arange(pool.kernel[axis]) * pool.dilation[axis] * steps[axis]).reshape(along)
        first = np.arange(pool.counts[axis]) * pool.stride[axis] - pool.begin[axis]
        corner += (first * steps[axis]).reshape(along)
    within = b.lookup(b.argmax(flat, False), inner.reshape(-1))
    lead = addresses_of(x.shape[:2]).reshape(*x.shape[:2], *(1,) * rank) * math.prod(x.shape[2:])
    last = math.prod(x.shape) - 1
    base = np.broadcast_to(lead + corner, within.shape)
    return best, b.add([within], [1], base, within=(0, last), fixed=True)


@lowers("MaxUnpool")
def _max_unpool(c: Context, step: Step) -> Value:
    """Each element where its index says, in its own channel; zeros elsewhere."""
    b = c.builder
    x, index = c.value(step, 0), c.value(step, 1)
    shape = c.shape(step.outputs[0])
    rows, places = math.prod(shape[:2]), math.prod(shape[2:])
    count = math.prod(x.shape[2:])
    base = np.broadcast_to(-places * np.arange(rows)[:, None], (rows, count))
    spots = b.add([reshape(b, index.with_(scale=1.0), (rows, count))], [1], base, fixed=True)
    spots = b.rescale(spots, clamp=(0, places - 1))
    empty = b.const(np.zeros((rows, places, 1)), fixed=True).with_(scale=x.scale)
    made = put_computed(c, empty, reshape(b, x, (rows, count, 1)), spots, "add")
    return reshape(b, made, shape)


@lowers("AveragePool")
def _average_pool(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    pool = _Pool(c, step, x)
    x = fit(c.builder, x, SUM_LIMIT // math.prod(pool.kernel))
    total = pool.reduced(c, x, 0, c.builder.sum)
    shares = pool.shares(bool(step.attributes.get("count_include_pad", 0)))
    return share_out(c, total, shares)


def share_out(c: Context, total: Value, shares: npt.NDArray[np.int64]) -> Value:
    """A sum over the number of its parts, which can differ along the last axes."""
    if (shares == shares.reshape(-1)[0]).all():
        return scaled_by(c.builder, total, 1 / int(shares.reshape(-1)[0]))
    below = broadcast(c.builder, c.builder.const(shares, fixed=True), total.shape)
    k = 1
    while k < 2**12 and 2 * k * total.bound < SUM_LIMIT:
        k *= 2
    return c.builder.divide(total, below, k).with_(scale=total.scale / k)


@lowers("GlobalAveragePool")
def _global_average_pool(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    count = math.prod(x.shape[2:])
    x = fit(c.builder, x, SUM_LIMIT // count)
    made = c.builder.sum(x, len(x.shape) - 2).with_(scale=x.scale)
    return reshape(c.builder, scaled_by(c.builder, made, 1 / count), c.shape(step.outputs[0]))


@lowers("GlobalMaxPool")
def _global_max_pool(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    made = c.builder.max(x, len(x.shape) - 2).with_(scale=x.scale)
    return reshape(c.builder, made, c.shape(step.outputs[0]))


def _powers(c: Context, step: Step, x: Value) -> tuple[Value, int]:
    """The absolute value of each element to the operator's power."""
    p = int(step.attributes.get("p", 2))
    if p not in (1, 2):
        raise unsupported(step, f"its p is {p}", "p = 1 or 2")
    return (absolute(c.builder, x) if p == 1 else multiply(c.builder, x, x)), p


def _rooted(c: Context, sums: Value, p: int) -> Value:
    return sums if p == 1 else square_root(c.builder, sums)


@lowers("LpPool")
def _lp_pool(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    pool = _Pool(c, step, x)
    powers, p = _powers(c, step, x)
    powers = fit(c.builder, powers, SUM_LIMIT // math.prod(pool.kernel)).with_(source=None)
    return _rooted(c, pool.reduced(c, powers, 0, c.builder.sum), p)


@lowers("GlobalLpPool")
def _global_lp_pool(c: Context, step: Step) -> Value:
    powers, p = _powers(c, step, c.value(step, 0))
    sums = total(c, powers.with_(source=None), len(powers.shape) - 2)
    return reshape(c.builder, _rooted(c, sums, p), c.shape(step.outputs[0]))


@lowers("LRN")
def _lrn(c: Context, step: Step) -> Value:
    """x over a power of the sum of squares of the channels around it."""
    b = c.builder
    x = c.value(step, 0)
    size = int(step.attributes["size"])
    alpha, beta = (float(step.attributes.get(n, d)) for n, d in (("alpha", 1e-4), ("beta", 0.75)))
    bias = float(step.attributes.get("bias", 1.0))
    squares = fit(b, multiply(b, x, x), SUM_LIMIT // size)
    last = axes_last(c, squares, [1])
    flat = reshape(b, last, (1, math.prod(last.shape[:-1]), last.shape[-1]))
    before = (size - 1) // 2
    wide = padded(b, flat, (0, 0, before), (0, 0, size - 1 - before), 0)
    seen = windows(b, wide, (size,), (1,), (1,), (last.shape[-1],))
    sums = b.sum(seen, 1).with_(scale=squares.scale)

    def factor(points: Points) -> Points:
        return np.asarray((bias + alpha / size * np.maximum(points, 0)) ** -beta)

    factors = reshape(b, table(c, step, sums, factor).with_(source=None), last.shape)
    rank = len(x.shape)
    return multiply(b, x, transpose(b, factors, (0, rank - 1, *range(1, rank - 1))))
