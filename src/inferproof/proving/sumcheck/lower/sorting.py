"""TopK: the greatest or least elements along an axis, in order, and where they are."""

import math

import numpy as np

from inferproof.proving.sumcheck.lower.arithmetic import negated
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.logic import equals_zero
from inferproof.proving.sumcheck.lower.movement import broadcast, concat, reshape, transpose
from inferproof.proving.sumcheck.lower.program import Step, unsupported
from inferproof.proving.sumcheck.lower.reduce import axes_last, spread
from inferproof.proving.sumcheck.lower.scaling import fit
from inferproof.proving.sumcheck.lower.shape import one_hot
from inferproof.proving.sumcheck.lower.value import Value

_ROUND = 6
"""What a round of searching costs for each element, where comparing it with one other costs 1."""
_LARGEST = 2**26
"""Differences of two elements, and an element that is put below all others, stay in range."""


_MOST = 2**24
"""Elements that are looked at together: beyond, no proof would hold them."""


@lowers("TopK")
def _top_k(c: Context, step: Step) -> tuple[Value, Value]:
    """Of equal elements the one with the smaller index comes first, as ONNX Runtime has it."""
    b = c.builder
    x = c.value(step, 0)
    rank = len(x.shape)
    axis = int(step.attributes.get("axis", -1)) % rank
    k = c.shape(step.outputs[0] or step.outputs[1])[axis]
    smallest = step.attributes.get("largest", 1) == 0
    moved = fit(b, axes_last(c, x, [axis]), _LARGEST)
    if smallest:
        moved = negated(b, moved)
    if k * math.prod(moved.shape) > _MOST:
        raise unsupported(
            step, f"it finds {k} of {moved.shape[-1]} elements", "a smaller k, or fewer elements"
        )
    find = _by_rounds if _ROUND * k < moved.shape[-1] else _by_ranks
    values, places = find(c, moved, k)
    if smallest:
        values = negated(b, values)
    order = [*range(axis), rank - 1, *range(axis, rank - 1)]
    return transpose(b, values, order), transpose(b, places, order)


def _by_rounds(c: Context, x: Value, k: int) -> tuple[Value, Value]:
    """The maximum, k times; the one that was found is then put below all others."""
    b = c.builder
    below = x.hi - x.lo + 1
    left = x
    values, places = [], []
    for number in range(k):
        # Fewer than all are below: the maximum is one that is not.
        values.append(b.max(left, 1, within=x.interval).with_(scale=x.scale))
        places.append(b.argmax(left, False))
        if number + 1 < k:
            found = one_hot(c, places[-1], x.shape[-1])
            # Each is found once.
            left = b.add([left, found], [1, -below], within=(x.lo - below, x.hi))
    return tuple(  # type: ignore[return-value]
        concat(b, [reshape(b, part, (*part.shape, 1)) for part in parts], len(x.shape) - 1)
        for parts in (values, places)
    )


def _by_ranks(c: Context, x: Value, k: int) -> tuple[Value, Value]:
    """How many come before each element; then the one before which there are 0, 1 … k - 1."""
    b = c.builder
    n = x.shape[-1]
    square = (*x.shape, n)
    own = spread(c, x, square)
    others = broadcast(b, reshape(b, x, (*x.shape[:-1], 1, n)), square)
    earlier = np.broadcast_to(np.tri(n, k=-1, dtype=np.int64), square)
    # Another is before when it is greater, or equal and has a smaller index.
    before = b.rescale(b.add([others, own], [1, -1], earlier, fixed=True), clamp=(0, 1))
    ranks = b.sum(before, 1, within=(0, n - 1))
    shape = (*x.shape[:-1], k, n)
    wanted = np.broadcast_to(-np.arange(k)[:, None], shape)
    spot = broadcast(b, reshape(b, ranks, (*x.shape[:-1], 1, n)), shape)
    found = equals_zero(c, b.add([spot], [1], wanted, fixed=True))
    values = b.mul(found, broadcast(b, reshape(b, x, (*x.shape[:-1], 1, n)), shape))
    # Exactly one is found for each rank.
    chosen = b.sum(values, 1, within=x.interval).with_(scale=x.scale)
    numbers = broadcast(b, b.const(np.arange(n), fixed=True), shape)
    return chosen, b.sum(b.mul(found, numbers), 1, within=(0, n - 1))
