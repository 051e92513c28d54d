"""Values whose elements lie elsewhere: reshape, transpose, slice, broadcast, concatenate."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.lower.builder import Builder, row_major
from inferproof.proving.sumcheck.lower.scaling import aligned
from inferproof.proving.sumcheck.lower.value import Value

Ints = npt.NDArray[np.int64]
Shape = tuple[int, ...]


def _like(made: Value, v: Value, most: int | None = None) -> Value:
    return made.with_(scale=v.scale, span=v.span, most=most)


def reshape(b: Builder, v: Value, shape: Shape) -> Value:
    """The value in another shape of as many elements."""
    if shape == v.shape:
        return v
    kept = v.most if shape[-1:] == v.shape[-1:] else None
    return _like(b.view(v, shape, 0, row_major(shape)), v, kept)


def transpose(b: Builder, v: Value, order: Sequence[int]) -> Value:
    """The value with its axes in another order."""
    if tuple(order) == tuple(range(len(v.shape))):
        return v
    strides = row_major(v.shape)
    shape = tuple(v.shape[axis] for axis in order)
    if [axis for axis in order if v.shape[axis] > 1] == [
        axis for axis, size in enumerate(v.shape) if size > 1
    ]:
        return reshape(b, v, shape)
    kept = v.most if order[-1] == len(order) - 1 else None
    return _like(b.view(v, shape, 0, [strides[axis] for axis in order]), v, kept)


def sliced(b: Builder, v: Value, axis: int, start: int, count: int, step: int = 1) -> Value:
    """`count` slices along an axis from `start` on."""
    if start == 0 and count == v.shape[axis] and step == 1:
        return v
    strides = list(row_major(v.shape))
    offset = start * strides[axis]
    strides[axis] *= step
    shape = (*v.shape[:axis], count, *v.shape[axis + 1 :])
    return _like(b.view(v, shape, offset, strides), v)


def broadcast(b: Builder, v: Value, shape: Shape) -> Value:
    """The value repeated along dimensions that it lacks or has of size 1."""
    if v.shape == shape:
        return v
    lead = len(shape) - len(v.shape)
    strides = (*(0,) * lead, *row_major(v.shape))
    if math.prod(shape) == math.prod(v.shape):
        return reshape(b, v, shape)
    kept = v.most if v.shape[-1:] == shape[-1:] else None
    return _like(b.view(v, shape, 0, strides), v, kept)


def concat(b: Builder, parts: Sequence[Value], axis: int) -> Value:
    """The values one after another along an axis, in one scale."""
    if len(parts) == 1:
        return parts[0]
    same = aligned(b, parts)
    spans = [part.real for part in parts]
    span = (min(low for low, _ in spans), max(high for _, high in spans))
    return b.concat(same, axis).with_(scale=same[0].scale, span=span)


def stack(b: Builder, parts: Sequence[Value]) -> Value:
    """The values side by side along a new last axis."""
    return concat(b, [reshape(b, part, (*part.shape, 1)) for part in parts], len(parts[0].shape))


def taken(b: Builder, v: Value, addresses: Ints) -> Value:
    """The elements at addresses of the flat value; -1 gives 0."""
    return _like(b.take(v, addresses), v)


def padded(b: Builder, v: Value, begin: Sequence[int], end: Sequence[int], fill: int) -> Value:
    """The value with integers `fill` around it."""
    return _like(b.pad(v, begin, end, fill), v)


def addresses_of(shape: Shape) -> Ints:
    """The address of each element of a tensor of this shape."""
    return np.arange(math.prod(shape), dtype=np.int64).reshape(shape)


def windows(
    b: Builder,
    v: Value,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    counts: Sequence[int],
) -> Value:
    """Every window over the spatial axes of v[B, C, s...]: [B, C, counts..., kernel...]."""
    strides = row_major(v.shape)
    plain = [math.prod(v.shape[axis + 1 :]) for axis in range(len(v.shape))]
    moves = [plain[2 + i] * stride[i] for i in range(len(kernel))]
    inner = [plain[2 + i] * dilation[i] for i in range(len(kernel))]
    shape = (*v.shape[:2], *counts, *kernel)
    return _like(b.view(v, shape, 0, (*strides[:2], *moves, *inner)), v)
