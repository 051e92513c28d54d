"""Operations that move elements. Source: specs/relations.md, section 12."""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.field import ONE, Element, equality, product
from inferproof.second_verifier.graph import Node, Shape
from inferproof.second_verifier.layers import log
from inferproof.second_verifier.relations.claims import (
    At,
    Axis,
    Claim,
    Functional,
    Messages,
    Weighted,
    separable,
)
from inferproof.second_verifier.relations.tensors import (
    coordinates,
    element_weights,
    ones,
    ones_of,
    split,
)
from inferproof.second_verifier.relations.values import Value, mul, scale, sub, total
from inferproof.second_verifier.weights import bits


def strides_of(shape: Sequence[int]) -> list[int]:
    """Row-major strides."""
    found = [1]
    for size in reversed(shape[1:]):
        found.append(found[-1] * size)
    return found[::-1][: len(shape)]


@dataclass(frozen=True)
class Bit:
    """A coordinate of the operand: that of the result with this number, or a fixed bit."""

    source: int | None
    fixed: int = 0


def _axis_of(stride: int, x: Shape, steps: Sequence[int]) -> int | None:
    """The axis of the operand along which an address moves by whole steps."""
    for axis, size in enumerate(x):
        step = steps[axis]
        if size > 1 and step <= stride < step * size and stride % step == 0:
            return axis
    return None


def by_bits(x: Shape, node: Node) -> list[Bit] | None:
    """The view as a permutation of coordinates with some fixed, where it is one."""
    steps, y = strides_of(x), node.out.shape
    firsts = [node.offset // step % size for step, size in zip(steps, x, strict=True)]
    lines = [
        [Bit(None, first >> place & 1) for place in range(log(size))]
        for first, size in zip(firsts, x, strict=True)
    ]
    """Of each axis, its coordinates from the lowest bit."""
    last = list(firsts)
    next_ = 0
    for stride, size in zip(node.strides, y, strict=True):
        start, next_ = next_, next_ + log(size)
        if size == 1 or stride == 0:
            continue
        axis = None if stride < 0 else _axis_of(stride, x, steps)
        if axis is None:
            return None
        step = stride // steps[axis]
        if step.bit_count() != 1:
            return None
        shift = step.bit_length() - 1
        if log(size) + shift > log(x[axis]):
            return None
        if size.bit_count() != 1 and size * step < x[axis]:
            return None
        last[axis] += (size - 1) * step
        if last[axis] >= x[axis]:
            return None
        for place in range(log(size)):
            bit = lines[axis][shift + place]
            if bit.source is not None or bit.fixed:
                return None
            lines[axis][shift + place] = Bit(start + log(size) - 1 - place)
    return [bit for line in lines for bit in reversed(line)]


def _by_axes(x: Shape, node: Node) -> list[tuple[int, int | None, int]] | None:
    """Of each axis of the operand: first position, axis of the result that moves along it, step."""
    steps, y = strides_of(x), node.out.shape
    firsts = [node.offset // step % size for step, size in zip(steps, x, strict=True)]
    found: list[tuple[int, int | None, int]] = [(first, None, 0) for first in firsts]
    for number, (stride, size) in enumerate(zip(node.strides, y, strict=True)):
        if size == 1 or stride == 0:
            continue
        axis = _axis_of(abs(stride), x, steps)
        if axis is None or found[axis][1] is not None:
            return None
        step = stride // steps[axis]
        if not 0 <= firsts[axis] + step * (size - 1) < x[axis]:
            return None
        found[axis] = (firsts[axis], number, step)
    return found


def view(messages: Messages, x: Shape, node: Node, claim: Claim) -> Claim:
    y = node.out.shape
    parts = split(y, claim.point)
    repeated = product(
        ones(part, size)
        for stride, size, part in zip(node.strides, y, parts, strict=True)
        if stride == 0
    )
    permuted = by_bits(x, node)
    if permuted is not None:
        point = [
            (bit.fixed, 0, 0, 0, 0) if bit.source is None else claim.point[bit.source]
            for bit in permuted
        ]
        return _scaled(messages, repeated, Claim(point, claim.value))
    by_axes = _by_axes(x, node)
    if by_axes is None:
        addresses = [node.offset]
        for stride, size in zip(node.strides, y, strict=True):
            addresses = [base + index * stride for base in addresses for index in range(size)]
        return take(messages, x, y, addresses, claim)
    axes: list[Axis] = []
    for (first, along, step), size in zip(by_axes, x, strict=True):
        if along is None:
            axes.append(At(bits(first, log(size))))
        elif (first, step, y[along]) == (0, 1, size):
            axes.append(At(parts[along]))
        else:
            weights: list[Element] = [(0, 0, 0, 0, 0)] * size
            for index, weight in enumerate(equality(parts[along], y[along])):
                weights[first + step * index] = weight
            axes.append(Weighted(weights))
    if repeated != ONE:
        if not axes:
            return _scaled(messages, repeated, Claim([], claim.value))
        first_axis = axes[0]
        own = equality(first_axis.point, x[0]) if isinstance(first_axis, At) else first_axis.weights
        axes[0] = Weighted([mul(weight, repeated) for weight in own])
    return separable(messages, x, axes, claim.value)


def _scaled(messages: Messages, factor: Element, claim: Claim) -> Claim:
    """Reduces factor · x(point) = value."""
    if factor == ONE:
        return claim
    return Functional(messages, list(claim.point), claim.value).end(factor)


def take(messages: Messages, x: Shape, y: Shape, addresses: Sequence[int], claim: Claim) -> Claim:
    """A tensor each of whose elements is that at an address, or 0 where it is negative."""
    own = Functional(messages, [None] * coordinates(x), claim.value)
    elements = element_weights(x, own.ends)
    weights = element_weights(y, claim.point)
    pairs = [(w, elements[at]) for w, at in zip(weights, addresses, strict=True) if at >= 0]
    return own.end(total(mul(w, e) for w, e in pairs))


def pad(messages: Messages, x: Shape, node: Node, claim: Claim) -> Claim:
    y = node.out.shape
    parts = split(y, claim.point)
    windows = [
        equality(part, to)[begin : begin + size]
        for part, to, begin, size in zip(parts, y, node.begin, x, strict=True)
    ]
    inside = product(total(window) for window in windows)
    around = sub(ones_of(y, claim.point), inside)
    axes: list[Axis] = [
        At(part) if size == to else Weighted(window)
        for part, to, size, window in zip(parts, y, x, windows, strict=True)
    ]
    return separable(messages, x, axes, sub(claim.value, scale(around, node.fill)))


def concat(messages: Messages, shapes: Sequence[Shape], node: Node, claim: Claim) -> list[Claim]:
    """A claim on each operand."""
    parts = split(node.out.shape, claim.point)
    weights = equality(parts[node.axis], node.out.shape[node.axis])
    shares: list[Value] = messages.values(len(shapes) - 1) if len(shapes) > 1 else []
    shares.append(sub(claim.value, total(shares)))
    found, start = [], 0
    for shape, share in zip(shapes, shares, strict=True):
        axes: list[Axis] = [At(part) for part in parts]
        axes[node.axis] = Weighted(weights[start : start + shape[node.axis]])
        start += shape[node.axis]
        found.append(separable(messages, shape, axes, share))
    return found


def moved(messages: Messages, x: Shape, node: Node, values: Sequence[int], claim: Claim) -> Claim:
    """The claim on the operand of a View, a Pad, or a Take with these addresses."""
    if node.op == g.VIEW:
        return view(messages, x, node, claim)
    if node.op == g.PAD:
        return pad(messages, x, node, claim)
    return take(messages, x, node.out.shape, values, claim)


def weighted_axis(
    shape: Shape, axis: int, factors: Sequence[int], point: Sequence[Element]
) -> list[Axis]:
    """A tensor times one factor for each position of an axis."""
    axes: list[Axis] = [At(part) for part in split(shape, point)]
    own = equality(split(shape, point)[axis], shape[axis])
    axes[axis] = Weighted([scale(w, m) for w, m in zip(own, factors, strict=True)])
    return axes
