"""Elements put into a tensor at given places: Scatter, ScatterElements, ScatterND, Col2Im."""

import math

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.arithmetic import add_values, aligned_pair, multiply
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.movement import (
    addresses_of,
    broadcast,
    concat,
    reshape,
    taken,
    transpose,
)
from inferproof.proving.sumcheck.lower.program import Step, unsupported
from inferproof.proving.sumcheck.lower.scaling import SUM_LIMIT, fit
from inferproof.proving.sumcheck.lower.shape import flat_index, one_hot, positions
from inferproof.proving.sumcheck.lower.value import Value

Ints = npt.NDArray[np.int64]

_MOST_PARTS = 64
"""Elements that may meet in one place by multiplication."""


@lowers("Scatter", "ScatterElements")
def _scatter_elements(c: Context, step: Step) -> Value:
    x, updates = c.value(step, 0), c.value(step, 2)
    axis = int(step.attributes.get("axis", 0)) % len(x.shape)
    how = str(step.attributes.get("reduction", "none"))
    index = c.constant(step.input(1))
    if index is not None:
        places = np.indices(index.shape)
        places[axis] = np.where(index < 0, index + x.shape[axis], index)
        addresses: Ints = np.asarray(np.ravel_multi_index(tuple(places), x.shape, mode="clip"))
        return _put(c, step, x, updates, addresses.reshape(-1).astype(np.int64), how)
    _only_sums(step, how)
    lead = tuple(size for place, size in enumerate(x.shape) if place != axis)
    if tuple(size for place, size in enumerate(updates.shape) if place != axis) != lead:
        raise unsupported(
            step,
            "its computed indices leave out parts of other axes",
            "indices as long as the tensor on all axes but one",
        )
    order = [place for place in range(len(x.shape)) if place != axis] + [axis]
    b = c.builder
    where = positions(c, transpose(b, c.value(step, 1), order), x.shape[axis])
    rows = math.prod(lead)
    flat = reshape(b, transpose(b, x, order), (rows, x.shape[axis], 1))
    values = reshape(b, transpose(b, updates, order), (rows, updates.shape[axis], 1))
    spots = reshape(b, where, (rows, updates.shape[axis]))
    made = put_computed(c, flat, values, spots, how)
    back = [order.index(place) for place in range(len(order))]
    return transpose(b, reshape(b, made, (*lead, x.shape[axis])), back)


@lowers("ScatterND")
def _scatter_nd(c: Context, step: Step) -> Value:
    x, updates = c.value(step, 0), c.value(step, 2)
    how = str(step.attributes.get("reduction", "none"))
    index = c.constant(step.input(1))
    shape = c.shape(step.input(1))
    depth = shape[-1]
    rest = math.prod(x.shape[depth:])
    count = math.prod(shape[:-1])
    if index is not None:
        sizes = np.array(x.shape[:depth])
        whole = np.where(index < 0, index + sizes, index).reshape(count, depth)
        first = np.asarray(np.ravel_multi_index(tuple(whole.T), x.shape[:depth], mode="clip"))
        addresses = (rest * first[:, None] + np.arange(rest)).reshape(-1).astype(np.int64)
        return _put(c, step, x, updates, addresses, how)
    _only_sums(step, how)
    b = c.builder
    places = math.prod(x.shape[:depth])
    spots = reshape(b, flat_index(c, c.value(step, 1), x.shape[:depth]), (1, count))
    flat = reshape(b, x, (1, places, rest))
    values = reshape(b, updates, (1, count, rest))
    return reshape(b, put_computed(c, flat, values, spots, how), x.shape)


@lowers("TensorScatter")
def _tensor_scatter(c: Context, step: Step) -> Value:
    """Slices put into a cache, from an index of each sample on."""
    x, updates = c.value(step, 0), c.value(step, 1)
    axis = int(step.attributes.get("axis", -2)) % len(x.shape)
    told = c.optional(step, 2, "index")
    first = np.zeros(x.shape[0], np.int64) if told is None else told.astype(np.int64)
    places = np.indices(updates.shape)
    places[axis] += first.reshape(-1, *(1 for _ in x.shape[1:]))
    circular = step.attributes.get("mode", "linear") == "circular"
    if circular:
        places[axis] %= x.shape[axis]
    elif places[axis].min() < 0 or places[axis].max() >= x.shape[axis]:
        raise unsupported(step, "it writes beyond the cache", "mode circular, or a longer cache")
    addresses: Ints = np.asarray(np.ravel_multi_index(tuple(places), x.shape))
    return _put(c, step, x, updates, addresses.reshape(-1), "none")


def _only_sums(step: Step, how: str) -> None:
    if how not in ("none", "add"):
        raise unsupported(
            step, f"its indices are computed and it takes the {how}", "reduction none or add"
        )


def _put(c: Context, step: Step, x: Value, updates: Value, addresses: Ints, how: str) -> Value:
    """x with each update at its constant address; of several in one place the last, or all."""
    b = c.builder
    size = math.prod(x.shape)
    flat = [reshape(b, x, (size,)), reshape(b, updates, (addresses.size,))]
    if how == "none":
        chosen = np.arange(size, dtype=np.int64)
        chosen[addresses] = size + np.arange(addresses.size)
        return taken(b, concat(b, flat, 0), chosen.reshape(x.shape))
    slots = _slots(step, addresses, size)
    own = np.arange(size, dtype=np.int64)[:, None]
    everything = concat(b, flat, 0)
    met = np.where(slots < 0, -1, slots + size)
    match how:
        case "add":
            made = _summed(c, taken(b, everything, np.concatenate([own, met], axis=1)))
        case "mul":
            one = b.const(np.ones(1), fixed=True)
            made = _multiplied(c, step, concat(b, [everything, one], 0), own, met)
        case "max" | "min":
            every = np.concatenate([own, np.where(met < 0, own, met)], axis=1)
            sign = 1 if how == "max" else -1
            parts = b.add([taken(b, everything, every)], [sign])
            made = b.add([b.max(parts, 1)], [sign]).with_(scale=everything.scale)
        case _:
            raise unsupported(step, f"its reduction is {how}", "none, add, mul, max or min")
    return reshape(b, made, x.shape)


def _multiplied(c: Context, step: Step, everything: Value, own: Ints, met: Ints) -> Value:
    if met.shape[1] > _MOST_PARTS:
        raise unsupported(
            step, f"{met.shape[1]} updates are multiplied in one place", f"at most {_MOST_PARTS}"
        )
    one = math.prod(everything.shape) - 1
    made = taken(c.builder, everything, own[:, 0])
    for column in np.where(met < 0, one, met).T:
        made = multiply(c.builder, made, taken(c.builder, everything, column))
    return made


def _slots(step: Step, addresses: Ints, size: int) -> Ints:
    """For each place the numbers of the updates that go there, then -1: [size, most]."""
    order = np.argsort(addresses, kind="stable")
    counts = np.bincount(addresses, minlength=size)
    starts = np.cumsum(counts) - counts
    most = int(counts.max(initial=0))
    if size * (most + 1) > g.MAX_ELEMENTS:
        limit = g.MAX_ELEMENTS // size - 1
        raise unsupported(step, f"{most} updates meet in one place", f"at most {limit} there")
    places = starts[:, None] + np.arange(most)
    inside = np.arange(most) < counts[:, None]
    return np.where(inside, order[np.minimum(places, max(0, addresses.size - 1))], -1)


def _summed(c: Context, x: Value) -> Value:
    """The sum over the last axis, made coarser where it would become too large."""
    x = fit(c.builder, x, SUM_LIMIT // x.shape[-1])
    return c.builder.sum(x, 1).with_(scale=x.scale)


def put_computed(c: Context, x: Value, updates: Value, where: Value, how: str) -> Value:
    """x[rows, places, rest] with updates[rows, count, rest] at computed places [rows, count].

    By a one-hot matrix. Updates of one place are added up; ONNX leaves open what becomes of them
    where they replace what was there.
    """
    b = c.builder
    count = updates.shape[1]
    hot = one_hot(c, where, x.shape[1])
    turned = transpose(b, hot.with_(most=None), (0, 2, 1))
    updates = fit(b, updates, SUM_LIMIT // (2 * count))
    added = b.matmul(turned, updates).with_(scale=updates.scale)
    if how == "add":
        return add_values(b, [x, added])
    first, second = aligned_pair(b, x, added)
    free = b.rescale(b.add([b.sum(turned, 1)], [-1], 1, fixed=True), clamp=(0, 1))
    wide = broadcast(b, reshape(b, free, (*free.shape, 1)), x.shape)
    kept = b.mul(wide, first).with_(scale=first.scale)
    return add_values(b, [kept, second])


@lowers("Col2Im")
def _col2im(c: Context, step: Step) -> Value:
    """Columns of blocks added up where the blocks lay."""
    x = c.value(step, 0)
    image, block = (
        [int(n) for n in c.needed(step, place, "shape").reshape(-1)] for place in (1, 2)
    )
    rank = len(image)
    stride, dilation = (
        list(step.attributes.get(name) or [1] * rank) for name in ("strides", "dilations")
    )
    pads = list(step.attributes.get("pads") or [0] * (2 * rank))
    wide = [n + pads[i] + pads[rank + i] for i, n in enumerate(image)]
    counts = [
        (n - d * (k - 1) - 1) // s + 1
        for n, d, k, s in zip(wide, dilation, block, stride, strict=True)
    ]
    # The place of each element [block..., counts...] on each axis of the image.
    spots = [
        np.add.outer(np.arange(k) * d, np.arange(n) * s) - pads[axis]
        for axis, (k, d, n, s) in enumerate(zip(block, dilation, counts, stride, strict=True))
    ]
    full = [*block, *counts]
    places = []
    for axis, spot in enumerate(spots):
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = spot.shape
        places.append(np.broadcast_to(spot.reshape(shape), full).reshape(-1))
    inside = np.all(
        [(spot >= 0) & (spot < n) for spot, n in zip(places, image, strict=True)], axis=0
    )
    columns = np.flatnonzero(inside)
    addresses = np.ravel_multi_index(tuple(spot[columns] for spot in places), tuple(image))
    slots = _slots(step, addresses.astype(np.int64), math.prod(image))
    lead = (x.shape[0], x.shape[1] // math.prod(block))
    each = math.prod(full)
    chosen = np.where(slots < 0, -1, columns[np.maximum(slots, 0)])
    base = addresses_of((*lead, 1, 1)) * each
    return reshape(
        c.builder,
        _summed(c, taken(c.builder, x, np.where(chosen < 0, -1, base + chosen))),
        c.shape(step.outputs[0]),
    )
