"""Convolution and batch normalisation."""

import math

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.arithmetic import (
    add_constant,
    add_values,
    multiply_constant,
)
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.contraction import contract
from inferproof.proving.sumcheck.lower.movement import (
    padded,
    reshape,
    sliced,
    transpose,
)
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.rewrite import batch_norm
from inferproof.proving.sumcheck.lower.value import Value

Points = npt.NDArray[np.float64]
Shape = tuple[int, ...]


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


def numbers_of(step: Step, name: str, rank: int) -> Shape:
    """The attribute for each spatial axis; 1 where it is left out."""
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
    if rank == 3:
        return _in_three(c, step, x, weights, bias, groups, stride, dilation, begin, end)
    if rank not in (1, 2):
        raise unsupported(
            step, f"it has {rank} spatial dimensions", "a convolution over 1 to 3 dimensions"
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
        number = g.NONE if bias is None else b.constant(offsets)
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
        span=c.span(step.outputs[0]) if final else None,
        padded=any(begin) or any(end),
        halves=halves if groups == 1 and x.shape[1] > 1 else None,
    )


def _in_three(
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
) -> Value:
    """A convolution over 3 dimensions as one over 2: slices along the first become channels."""
    b = c.builder
    depth = weights.shape[2]
    x = padded(b, x, (0, 0, begin[0], 0, 0), (0, 0, end[0], 0, 0), 0)
    count = (x.shape[2] - dilation[0] * (depth - 1) - 1) // stride[0] + 1
    batch, channels, _, *plane = x.shape
    strides = [math.prod(x.shape[axis + 1 :]) for axis in range(5)]
    shape = (batch, count, channels, depth, *plane)
    moves = (strides[0], strides[2] * stride[0], strides[1], strides[2] * dilation[0], *strides[3:])
    slices = b.view(x, shape, 0, moves).with_(scale=x.scale, span=x.span)
    flat = reshape(b, slices, (batch * count, channels * depth, *plane))
    rows = len(weights)
    kernel = weights.reshape(rows, -1, *weights.shape[3:])
    rest = (stride[1:], dilation[1:], begin[1:], end[1:])
    made = convolution(c, step, flat, kernel, bias, groups, *rest)
    whole = reshape(b, made, (batch, count, *made.shape[1:]))
    return transpose(b, whole, (0, 2, 1, 3, 4))


@lowers("Conv")
def _conv(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    weights = numbers(c.needed(step, 1, "kernel"))
    bias = c.optional(step, 2, "bias")
    rank = weights.ndim - 2
    stride, dilation = (numbers_of(step, name, rank) for name in ("strides", "dilations"))
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
    groups = int(step.attributes.get("group", 1))
    stride, dilation = (numbers_of(step, name, rank) for name in ("strides", "dilations"))
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
