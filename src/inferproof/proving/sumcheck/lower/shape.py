"""Operators that only move elements, or pass them on."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.lower.builder import row_major
from inferproof.proving.sumcheck.lower.constants import quantised
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.evaluate import evaluate
from inferproof.proving.sumcheck.lower.logic import equals_zero, mask_floor
from inferproof.proving.sumcheck.lower.movement import (
    addresses_of,
    broadcast,
    concat,
    padded,
    reshape,
    sliced,
    taken,
    transpose,
)
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.rewrite import BEYOND
from inferproof.proving.sumcheck.lower.scaling import binary, clamped, coarser
from inferproof.proving.sumcheck.lower.tables import table
from inferproof.proving.sumcheck.lower.thresholds import answer, traced
from inferproof.proving.sumcheck.lower.value import Value

Ints = npt.NDArray[np.int64]


@lowers("Identity", "Dropout")
def _identity(c: Context, step: Step) -> Value | tuple[Value, Value]:
    x = c.value(step, 0)
    if len(step.outputs) > 1 and step.outputs[1]:
        # For inference nothing is dropped.
        return x, c.builder.const(np.ones(x.shape, np.int64), fixed=True)
    return x


@lowers("Cast", "CastLike")
def _cast(c: Context, step: Step) -> Value:
    if traced(step):
        return answer(c, step)
    x = c.value(step, 0)
    target = c.program.specs[step.outputs[0]].dtype
    if target == "bool":
        if c.program.specs[step.input(0)].dtype == "bool":
            return x
        zero = equals_zero(c, x)
        return c.builder.add([zero], [-1], 1, within=(0, 1), fixed=True)
    if target.startswith("float") or c.whole(step.input(0)):
        return x
    if x.scale >= 1.0 and x.scale == int(x.scale):
        return x
    # To whole numbers: towards 0.
    return table(c, step, x, np.trunc)


@lowers("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _reshape(c: Context, step: Step) -> Value:
    return reshape(c.builder, c.value(step, 0), c.shape(step.outputs[0]))


@lowers("Transpose")
def _transpose(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    order = step.attributes.get("perm") or list(range(len(x.shape)))[::-1]
    return transpose(c.builder, x, order)


@lowers("Concat")
def _concat(c: Context, step: Step) -> Value:
    rank = len(c.shape(step.outputs[0]))
    parts = [c.value(step, place) for place in range(len(step.inputs))]
    return concat(c.builder, parts, int(step.attributes["axis"]) % rank)


@lowers("Split")
def _split(c: Context, step: Step) -> tuple[Value, ...]:
    x = c.value(step, 0)
    axis = int(step.attributes.get("axis", 0)) % len(x.shape)
    parts, start = [], 0
    for name in step.outputs:
        count = c.shape(name)[axis]
        parts.append(sliced(c.builder, x, axis, start, count))
        start += count
    return tuple(parts)


def moved(c: Context, step: Step, places: Sequence[int] = ()) -> Value:
    """The step's first input, its elements moved as the operator moves addresses.

    `places` are the further inputs, which must be constants.
    """
    x = c.value(step, 0)
    addresses = addresses_of(x.shape)
    others = [c.needed(step, p, "layout") if step.input(p) else None for p in places]
    (found,) = evaluate(step, [addresses, *others], c.program.opset)
    return gathered(c, x, np.asarray(found, np.int64).reshape(c.shape(step.outputs[0])))


def gathered(c: Context, x: Value, addresses: Ints) -> Value:
    """Elements at addresses: a view where they lie regularly, else one by one."""
    shape = addresses.shape
    offset = int(addresses.reshape(-1)[0])
    strides = []
    for axis, size in enumerate(shape):
        at = tuple(1 if place == axis else 0 for place in range(len(shape)))
        strides.append(int(addresses[at]) - offset if size > 1 else 0)
    regular = np.full(shape, offset, np.int64)
    for axis, (size, stride) in enumerate(zip(shape, strides, strict=True)):
        after = (1,) * (len(shape) - axis - 1)
        regular = regular + (np.arange(size) * stride).reshape(-1, *after)
    if offset >= 0 and np.array_equal(regular, addresses):
        if (
            tuple(strides) == row_major(shape)
            and offset == 0
            and addresses.size == math.prod(x.shape)
        ):
            return reshape(c.builder, x, shape)
        return c.builder.view(x, shape, offset, strides).with_(scale=x.scale, span=x.span)
    return taken(c.builder, x, addresses)


@lowers("Slice")
def _slice(c: Context, step: Step) -> Value:
    return moved(c, step, range(1, len(step.inputs)))


@lowers("Expand")
def _expand(c: Context, step: Step) -> Value:
    return broadcast(c.builder, c.value(step, 0), c.shape(step.outputs[0]))


@lowers("Tile")
def _tile(c: Context, step: Step) -> Value:
    return moved(c, step, (1,))


@lowers("DepthToSpace", "SpaceToDepth")
def _depth(c: Context, step: Step) -> Value:
    return moved(c, step)


@lowers("ReverseSequence")
def _reverse_sequence(c: Context, step: Step) -> Value:
    return moved(c, step, (1,))


@lowers("Trilu")
def _trilu(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    addresses = addresses_of(x.shape)
    diagonal = c.optional(step, 1, "diagonal")
    k = 0 if diagonal is None else int(diagonal.reshape(-1)[0])
    upper = bool(step.attributes.get("upper", 1))
    rows, columns = np.indices(x.shape[-2:])
    kept = columns - rows >= k if upper else columns - rows <= k
    return gathered(c, x, np.where(kept, addresses, -1))


@lowers("EyeLike")
def _eye_like(c: Context, step: Step) -> Value:
    rows, columns = c.shape(step.outputs[0])
    eye = np.eye(rows, columns, int(step.attributes.get("k", 0)), np.int64)
    return c.builder.const(eye, fixed=True)


@lowers("Pad")
def _pad(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    shape = c.shape(step.outputs[0])
    rank = len(x.shape)
    pads = step.attributes.get("pads")
    if pads is None:
        pads = c.needed(step, 1, "padding").reshape(-1).tolist()
    axes = c.optional(step, 3, "axes")
    told = range(rank) if axes is None else [int(a) % rank for a in axes.reshape(-1)]
    begin, end = [0] * rank, [0] * rank
    count = len(pads) // 2
    for place, axis in enumerate(told):
        begin[axis], end[axis] = int(pads[place]), int(pads[place + count])
    mode = step.attributes.get("mode", "constant")
    if mode != "constant":
        return gathered(c, x, _padded_addresses(step, x, begin, end, mode))
    # Negative pads cut.
    addresses = [
        slice(max(0, -b), n - max(0, -e)) for b, n, e in zip(begin, x.shape, end, strict=True)
    ]
    if any(n < 0 for n in (*begin, *end)):
        x = gathered(c, x, addresses_of(x.shape)[tuple(addresses)])
    array = c.optional(step, 2, "value")
    value = (
        float(step.attributes.get("value", 0.0))
        if array is None
        else float(array.reshape(-1)[0] if array.size else 0)
    )
    if value <= -BEYOND:
        value = mask_floor(x)
    x = binary(c.builder, x) if value else x
    fill = math.floor(value / x.scale + 0.5)
    made = padded(c.builder, x, [max(0, n) for n in begin], [max(0, n) for n in end], fill)
    return made if made.shape == shape else reshape(c.builder, made, shape)


def _padded_addresses(step: Step, x: Value, begin: list[int], end: list[int], mode: str) -> Ints:
    if min(*begin, *end) < 0:
        raise unsupported(step, f"it cuts in mode {mode}", "a Slice before the Pad")
    widths = list(zip(begin, end, strict=True))
    addresses = addresses_of(x.shape)
    if mode == "edge":
        return np.pad(addresses, widths, mode="edge")
    if mode == "reflect":
        return np.pad(addresses, widths, mode="reflect")
    if mode == "wrap":
        return np.pad(addresses, widths, mode="wrap")
    raise unsupported(step, f"it pads in mode {mode}", "constant, edge, reflect or wrap")


@lowers("Gather")
def _gather(c: Context, step: Step) -> Value:
    array, index = c.constant(step.input(0)), c.constant(step.input(1))
    shape = c.shape(step.input(0))
    axis = int(step.attributes.get("axis", 0)) % len(shape)
    if index is not None:
        x = c.value(step, 0)
        where = np.where(index < 0, index + shape[axis], index).astype(np.int64)
        return gathered(c, x, np.take(addresses_of(x.shape), where, axis=axis))
    where_ = positions(c, c.value(step, 1), shape[axis])
    if array is not None and array.dtype.kind == "f" and array.ndim > 1:
        return _embedding(c, step, numbers(array), where_, axis)
    x = c.value(step, 0)
    order = [axis, *(place for place in range(len(shape)) if place != axis)]
    front = transpose(c.builder, x, order)
    picked = c.builder.pick(front, where_).with_(scale=x.scale, span=x.span)
    rank = len(where_.shape)
    # [index..., before..., after...] to [before..., index..., after...].
    back = [*range(rank, rank + axis), *range(rank), *range(rank + axis, len(picked.shape))]
    return transpose(c.builder, picked, back)


def _counted(c: Context, index: Value) -> Value:
    """The index in units of 1."""
    index = binary(c.builder, index.with_(source=None))
    if index.scale < 1.0:
        index = coarser(c.builder, index, round(-math.log2(index.scale)))
    if index.scale > 1.0:
        factor = round(index.scale)
        index = c.builder.add([index], [factor]).with_(scale=1.0)
    return index


def positions(c: Context, index: Value, size: int) -> Value:
    """The index with negative ones counted from the end, cut to the axis."""
    b = c.builder
    index = _counted(c, index)
    if index.lo < 0:
        below = b.rescale(b.add([index], [-1]), clamp=(0, 1))
        index = b.add([index, below], [1, size], within=(index.lo, max(index.hi, size - 1)))
    return clamped(b, index, 0, size - 1)


def one_hot(c: Context, index: Value, size: int) -> Value:
    """1 at the index's place along a new last axis of `size`, else 0."""
    b = c.builder
    shape = (*index.shape, size)
    wide = broadcast(b, reshape(b, index.with_(source=None), (*index.shape, 1)), shape)
    places = broadcast(b, b.const(np.arange(size), fixed=True), shape)
    return equals_zero(c, b.add([wide, places], [1, -1])).with_(most=1)


def _embedding(
    c: Context, step: Step, rows: npt.NDArray[np.float64], index: Value, axis: int
) -> Value:
    """Rows of a committed table: its product with a one-hot matrix, so that it stays hidden."""
    from inferproof.proving.sumcheck.lower.dense import linear

    size = rows.shape[axis]
    front = np.moveaxis(rows, axis, 0)
    rest = front.shape[1:]
    made = linear(c, step, one_hot(c, index, size), front.reshape(size, -1).T, None)
    made = reshape(c.builder, made, (*index.shape, *rest))
    rank = len(index.shape)
    back = [*range(rank, rank + axis), *range(rank), *range(rank + axis, len(made.shape))]
    return transpose(c.builder, made, back)


@lowers("GatherElements")
def _gather_elements(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    axis = int(step.attributes.get("axis", 0)) % len(x.shape)
    index = c.constant(step.input(1))
    shape = c.shape(step.outputs[0])
    size, stride = x.shape[axis], math.prod(x.shape[axis + 1 :])
    places = np.indices(shape)
    base = np.zeros(shape, np.int64)
    for place in range(len(shape)):
        if place != axis:
            base += places[place] * math.prod(x.shape[place + 1 :])
    if index is not None:
        where = np.where(index < 0, index + size, index).astype(np.int64)
        return gathered(c, x, base + where * stride)
    b = c.builder
    last = math.prod(x.shape) - 1
    spots = positions(c, c.value(step, 1), size)
    moved_ = b.add([spots], [stride], base, within=(0, last), fixed=True)
    flat = reshape(b, x, (last + 1,))
    return b.pick(flat, moved_).with_(scale=x.scale, span=x.span)


def flat_index(c: Context, index: Value, sizes: tuple[int, ...]) -> Value:
    """The row-major number of the place that the last axis of an index names, cut to the sizes."""
    b = c.builder
    last = len(index.shape) - 1
    parts = [
        reshape(b, positions(c, sliced(b, index, last, place, 1), size), index.shape[:-1])
        for place, size in enumerate(sizes)
    ]
    steps = [math.prod(sizes[place + 1 :]) for place in range(len(sizes))]
    return b.add(parts, steps)


@lowers("GatherND")
def _gather_nd(c: Context, step: Step) -> Value:
    if c.constant(step.input(1)) is not None:
        return moved(c, step, (1,))
    b, x, index = c.builder, c.value(step, 0), c.value(step, 1)
    batch = int(step.attributes.get("batch_dims", 0))
    depth = batch + index.shape[-1]
    where = flat_index(c, index, x.shape[batch:depth])
    places, rows = math.prod(x.shape[batch:depth]), math.prod(x.shape[:batch])
    base = np.arange(rows).reshape(*x.shape[:batch], *(1,) * (len(where.shape) - batch)) * places
    where = b.add([where], [1], np.broadcast_to(base, where.shape), fixed=True)
    flat = reshape(b, x, (rows * places, *x.shape[depth:]))
    return b.pick(flat, where).with_(scale=x.scale, span=x.span)


@lowers("OneHot")
def _one_hot(c: Context, step: Step) -> Value:
    depth = int(c.needed(step, 1, "depth").reshape(-1)[0])
    off, on = numbers(c.needed(step, 2, "pair of values")).tolist()
    index = _positions_or_none(c, c.value(step, 0), depth)
    hot = one_hot(c, index, depth)
    rank = len(hot.shape)
    axis = int(step.attributes.get("axis", -1)) % rank
    order = [*range(axis), rank - 1, *range(axis, rank - 1)]
    made = transpose(c.builder, hot, order).with_(most=None)
    ints, unit = quantised(np.array([off, on]), 16)
    low, high = int(ints[0]), int(ints[1])
    within = (min(low, high), max(low, high))
    return c.builder.add([made], [high - low], low, within=within).with_(scale=unit)


def _positions_or_none(c: Context, index: Value, size: int) -> Value:
    """The index with negative ones counted from the end; out of the axis it selects nothing."""
    b = c.builder
    index = _counted(c, index)
    if index.lo >= 0:
        return index
    below = b.rescale(b.add([index], [-1]), clamp=(0, 1))
    return b.add([index, below], [1, size])
