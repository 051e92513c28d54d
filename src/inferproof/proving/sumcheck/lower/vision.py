"""Convolution, pooling and normalisation over spatial axes."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.arithmetic import (
    add_constant,
    add_values,
    multiply_constant,
    scaled_by,
)
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.contraction import contract
from inferproof.proving.sumcheck.lower.movement import (
    broadcast,
    padded,
    reshape,
    sliced,
    transpose,
    windows,
)
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.rewrite import batch_norm
from inferproof.proving.sumcheck.lower.scaling import SUM_LIMIT, fit
from inferproof.proving.sumcheck.lower.value import Value

Points = npt.NDArray[np.float64]
Shape = tuple[int, ...]

MOST_IN_WINDOWS = 2**22
"""Elements of all windows of a pooling together; beyond, axis after axis takes fewer."""


def spatial_pads(
    step: Step, size: Shape, kernel: Shape, stride: Shape, dilation: Shape
) -> tuple[Shape, Shape]:
    """Padding before and after, from `pads` or `auto_pad`."""
    mode = step.attributes.get("auto_pad", "NOTSET")
    rank = len(kernel)
    if mode in ("NOTSET", ""):
        pads = step.attributes.get("pads") or [0] * (2 * rank)
        return tuple(pads[:rank]), tuple(pads[rank:])
    if mode == "VALID":
        return (0,) * rank, (0,) * rank
    begin, end = [], []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max(0, (math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n)
        less, more = total // 2, total - total // 2
        begin.append(less if mode == "SAME_UPPER" else more)
        end.append(more if mode == "SAME_UPPER" else less)
    return tuple(begin), tuple(end)


def _numbers(step: Step, name: str, rank: int) -> Shape:
    return tuple(step.attributes.get(name) or [1] * rank)


def convolution(
    c: Context,
    step: Step,
    x: Value,
    weights: Points,
    bias: Points | None,
    groups: int,
    stride: Shape,
    dilation: Shape,
    begin: Shape,
    end: Shape,
    final: bool = True,
) -> Value:
    """Cross-correlation with committed weights [M, C / groups, k...].

    `final`: the result is the step's, so that its range is known from the calibration data.
    """
    rank = weights.ndim - 2
    if rank not in (1, 2):
        raise unsupported(
            step, f"it has {rank} spatial dimensions", "a convolution over 1 or 2 dimensions"
        )
    b = c.builder
    kernel = weights.shape[2:]
    sizes = tuple(
        (n + p + q - d * (k - 1) - 1) // s + 1
        for n, p, q, d, k, s in zip(x.shape[2:], begin, end, dilation, kernel, stride, strict=True)
    )
    rows = len(weights)

    def emit(
        operand: Value,
        matrix: npt.NDArray[np.int8],
        offsets: npt.NDArray[np.int64],
        interval: tuple[int, int],
    ) -> Value:
        number = b.constant(offsets) if offsets.any() else g.NONE
        op = b.weighted(
            g.Conv,
            matrix,
            bias=number,
            groups=groups,
            kernel=kernel,
            stride=stride,
            dilation=dilation,
            pad_begin=begin,
            pad_end=end,
        )
        return b.emit(op, [operand], (x.shape[0], len(matrix), *sizes), interval)

    def recombine(made: Value, interval: tuple[int, int]) -> Value:
        split = reshape(b, made, (x.shape[0], groups, 2 * rows // groups, *sizes))
        count = rows // groups
        halves = [sliced(b, split, 2, start, count) for start in (0, count)]
        whole = b.add(halves, [256, 1], within=interval)
        return reshape(b, whole, (x.shape[0], rows, *sizes))

    def halves() -> Value:
        channels = x.shape[1]
        parts = [
            convolution(
                c,
                step,
                sliced(b, x, 1, start, stop - start),
                weights[:, start:stop],
                None if start else bias,
                groups,
                stride,
                dilation,
                begin,
                end,
                final=False,
            )
            for start, stop in ((0, channels // 2), (channels // 2, channels))
        ]
        return add_values(b, parts)

    return contract(
        c,
        step,
        x,
        weights.reshape(rows, -1),
        bias,
        1,
        emit,
        recombine,
        groups=groups,
        span=c.span(step.outputs[0]) if final else None,
        padded=any(begin) or any(end),
        halves=halves if groups == 1 and x.shape[1] > 1 else None,
    )


@lowers("Conv")
def _conv(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    weights = numbers(c.needed(step, 1, "kernel"))
    bias = c.optional(step, 2, "bias")
    rank = weights.ndim - 2
    stride, dilation = (_numbers(step, name, rank) for name in ("strides", "dilations"))
    begin, end = spatial_pads(step, x.shape[2:], weights.shape[2:], stride, dilation)
    groups = int(step.attributes.get("group", 1))
    if min(*begin, *end) < 0:
        raise unsupported(step, "a pad is negative", "a Slice before the Conv")
    offsets = None if bias is None else numbers(bias)
    return convolution(c, step, x, weights, offsets, groups, stride, dilation, begin, end)


@lowers("ConvTranspose")
def _conv_transpose(c: Context, step: Step) -> Value:
    """The convolution of the input, spread out with zeros, with the turned kernel."""
    x = c.value(step, 0)
    weights = numbers(c.needed(step, 1, "kernel"))
    bias = c.optional(step, 2, "bias")
    rank = weights.ndim - 2
    if rank not in (1, 2):
        raise unsupported(
            step, f"it has {rank} spatial dimensions", "a convolution over 1 or 2 dimensions"
        )
    groups = int(step.attributes.get("group", 1))
    stride, dilation = (_numbers(step, name, rank) for name in ("strides", "dilations"))
    sizes = c.shape(step.outputs[0])[2:]
    kernel = weights.shape[2:]
    begin = _transposed_begin(step, x.shape[2:], kernel, stride, dilation, sizes)
    # [C, M/g, k] to [M, C/g, k], turned.
    split = weights.reshape(groups, -1, *weights.shape[1:]).swapaxes(1, 2)
    turned = np.flip(split.reshape(-1, split.shape[2], *kernel), tuple(range(2, 2 + rank)))
    spread = _spread(c, x, stride)
    before = [d * (k - 1) - p for d, k, p in zip(dilation, kernel, begin, strict=True)]
    after = [
        out - 1 + d * (k - 1) - p - (n - 1)
        for out, d, k, p, n in zip(sizes, dilation, kernel, before, spread.shape[2:], strict=True)
    ]
    # Results beyond the pads are not computed: there the operand is cut instead.
    for place, (low, high) in enumerate(zip(before, after, strict=True)):
        axis = place + 2
        count = spread.shape[axis] + min(low, 0) + min(high, 0)
        spread = sliced(c.builder, spread, axis, max(0, -low), count)
    offsets = None if bias is None else numbers(bias)
    ones = (1,) * rank
    pads = [tuple(max(0, n) for n in side) for side in (before, after)]
    return convolution(c, step, spread, turned, offsets, groups, ones, dilation, pads[0], pads[1])


def _transposed_begin(
    step: Step, size: Shape, kernel: Shape, stride: Shape, dilation: Shape, sizes: Shape
) -> Shape:
    """What is cut before, as the standard computes it."""
    rank = len(kernel)
    mode = step.attributes.get("auto_pad", "NOTSET")
    told = step.attributes.get("output_shape")
    extra = step.attributes.get("output_padding") or [0] * rank
    if mode in ("NOTSET", "") and told is None:
        return tuple((step.attributes.get("pads") or [0] * (2 * rank))[:rank])
    if mode == "VALID":
        return (0,) * rank
    begin = []
    for n, k, s, d, e, out in zip(size, kernel, stride, dilation, extra, sizes, strict=True):
        total = max(0, s * (n - 1) + e + d * (k - 1) + 1 - out)
        begin.append(total // 2 if mode == "SAME_UPPER" else total - total // 2)
    return tuple(begin)


def _spread(c: Context, x: Value, stride: Shape) -> Value:
    """x with stride - 1 zeros after each element along each spatial axis but the last."""
    b = c.builder
    for place, step in enumerate(stride):
        if step == 1:
            continue
        axis = place + 2
        shape = x.shape
        x = reshape(b, x, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
        begin, end = [0] * len(x.shape), [0] * len(x.shape)
        end[axis + 1] = step - 1
        x = padded(b, x, begin, end, 0)
        x = reshape(b, x, (*shape[:axis], shape[axis] * step, *shape[axis + 1 :]))
        x = sliced(b, x, axis, 0, (shape[axis] - 1) * step + 1)
    return x


class _Pool:
    """The windows of a pooling operator."""

    def __init__(self, c: Context, step: Step, x: Value):
        self.kernel: Shape = tuple(step.attributes["kernel_shape"])
        rank = len(self.kernel)
        self.stride, self.dilation = (
            _numbers(step, name, rank) for name in ("strides", "dilations")
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
def _max_pool(c: Context, step: Step) -> Value:
    if len(step.outputs) > 1 and step.outputs[1]:
        raise unsupported(step, "its indices are used", "MaxPool with one output")
    x = fit(c.builder, c.value(step, 0), 2**c.options.activation_bits - 1)
    pool = _Pool(c, step, x)
    return pool.reduced(c, x, x.lo, c.builder.max)


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
    below = broadcast(c.builder, c.builder.const(shares), total.shape)
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


@lowers("BatchNormalization")
def _batch_norm(c: Context, step: Step) -> Value:
    if step.attributes.get("training_mode"):
        raise unsupported(step, "it trains", "BatchNormalization for inference")
    folded = batch_norm(c.program, step)
    if folded is None:
        raise unsupported(step, "its parameters depend on the model's input", "constant parameters")
    x = c.value(step, 0)
    factor, offset = (_per_channel(part, len(x.shape)) for part in folded)
    return add_constant(c.builder, multiply_constant(c.builder, x, factor), offset)


def _per_channel(array: Points, rank: int) -> Points:
    return array.reshape(-1, *(1 for _ in range(rank - 2)))
