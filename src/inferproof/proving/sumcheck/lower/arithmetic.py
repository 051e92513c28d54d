"""Sums, products, quotients and choices of values in real numbers."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.graph import VALUE_LIMIT
from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.constants import quantised
from inferproof.proving.sumcheck.lower.movement import broadcast, stack
from inferproof.proving.sumcheck.lower.scaling import (
    SUM_LIMIT,
    binary,
    clamped,
    coarser,
    common,
    fit,
)
from inferproof.proving.sumcheck.lower.value import Points, Source, Value, power_of_two_above

Ints = npt.NDArray[np.int64]

_CONSTANT_BITS = 20
_FACTOR_BITS = 12


def scaled_by(b: Builder, v: Value, factor: float) -> Value:
    """The value times a number: nothing is computed but the sign, or a zero."""
    if factor == 1.0:
        return v
    if factor == 0.0:
        return b.const(np.zeros(v.shape, dtype=np.int64), fixed=True)
    if factor < 0:
        v = negated(b, v)
    span = None if v.span is None else (v.span[0] * abs(factor), v.span[1] * abs(factor))
    size = abs(factor)
    return v.with_(scale=v.scale * size, span=span, source=v.origin.then(lambda x: x * size))


def negated(b: Builder, v: Value) -> Value:
    """The value with the other sign."""
    span = None if v.span is None else (-v.span[1], -v.span[0])
    made = b.add([v], [-1])
    return made.with_(scale=v.scale, span=span, most=v.most, source=v.origin.then(lambda x: -x))


def add_values(b: Builder, values: Sequence[Value], signs: Sequence[int] | None = None) -> Value:
    """The sum of values of one shape, each with its sign."""
    found, coefficients, scale = common(b, values)
    signs = signs or [1] * len(found)
    signed = [c * sign for c, sign in zip(coefficients, signs, strict=True)]
    return b.add(found, signed).with_(scale=scale, source=joint_source(values, _signed(signs)))


def joint_source(values: Sequence[Value], function: Callable[..., Points]) -> Source | None:
    """The function of the values as one of their common root, if they have one."""
    origins = [v.origin for v in values]
    root = origins[0].root
    if any(origin.root.tensor != root.tensor for origin in origins):
        return None
    inner = [origin.function for origin in origins]
    return Source(root, lambda x: function(*(each(x) for each in inner)))


def _signed(signs: Sequence[int]) -> Callable[..., Points]:
    def function(*points: Points) -> Points:
        total: Points = sum(sign * x for sign, x in zip(signs, points, strict=True))  # type: ignore[assignment]
        return total

    return function


def add_constant(b: Builder, v: Value, constant: Points, fixed: bool = False) -> Value:
    """The value plus a constant that broadcasts to it or widens it; `fixed` as for builders."""
    shape = np.broadcast_shapes(v.shape, constant.shape)
    single = constant.size == 1 or bool((constant == constant.flat[0]).all())
    number = float(constant.flat[0]) if single else 0.0
    if single and number == 0.0:
        return broadcast(b, v, shape)
    source = v.origin.then(lambda x: x + number) if single else None
    v = binary(b, v)
    largest = v.largest + float(np.abs(constant).max())
    _, unit = quantised(constant, _CONSTANT_BITS)
    # Fine enough for the constant, unless the sum then has too many bits.
    scale = v.scale
    finest = max(unit, power_of_two_above(largest) / 2.0**_CONSTANT_BITS)
    while scale > finest and 2 * largest / scale < SUM_LIMIT:
        scale /= 2
    while 2 * largest / scale >= SUM_LIMIT or v.bound * max(1.0, v.scale / scale) >= SUM_LIMIT:
        scale *= 2
        if scale > v.scale:
            v = coarser(b, v, 1)
    offsets = np.floor(constant / scale + 0.5).astype(np.int64)
    coefficient = round(v.scale / scale)
    if single:
        made = b.add([broadcast(b, v, shape)], [coefficient], offsets.reshape(-1)[:1], fixed=fixed)
    elif constant.size == math.prod(shape):
        made = b.add([broadcast(b, v, shape)], [coefficient], offsets.reshape(shape), fixed=fixed)
    else:
        other = broadcast(b, b.const(offsets, fixed), shape)
        made = b.add([broadcast(b, v, shape), other], [coefficient, 1])
    span = (v.real[0] + float(constant.min()), v.real[1] + float(constant.max()))
    return made.with_(scale=scale, span=span, source=source)


def multiply(b: Builder, a: Value, c: Value) -> Value:
    """The product of two values of one shape."""
    square = a.tensor == c.tensor
    while a.bound * c.bound >= SUM_LIMIT:
        if a.bound >= c.bound:
            a = fit(b, a, a.bound // 2)
            c = a if square else c
        else:
            c = fit(b, c, c.bound // 2)
    return b.mul(a, c).with_(scale=a.scale * c.scale)


def multiply_constant(b: Builder, v: Value, constant: Points, fixed: bool = False) -> Value:
    """The value times a constant that broadcasts to it or widens it; `fixed` as for builders."""
    shape = np.broadcast_shapes(v.shape, constant.shape)
    if constant.size == 1 or bool((constant == constant.flat[0]).all()):
        return scaled_by(b, broadcast(b, v, shape), float(constant.flat[0]))
    v = broadcast(b, v, shape)
    wide = constant.reshape((1,) * (len(shape) - constant.ndim) + constant.shape)
    axes = [axis for axis, size in enumerate(wide.shape) if size > 1]
    ints, unit = quantised(wide, _FACTOR_BITS)
    if len(axes) == 1:
        v = fit(b, v, 2**17 - 1)
        factors = ints.reshape(-1)
        most = int(np.abs(factors).max())
        while v.bound * most >= VALUE_LIMIT:
            v = fit(b, v, v.bound // 2)
        shift = max(0, math.ceil(math.log2(max(1, v.bound * most))) - 22)
        made = b.rescale(b.times_along(v, factors, axes[0], fixed=fixed), 1, shift)
        return made.with_(scale=v.scale * unit * 2.0**shift)
    other = broadcast(b, b.const(ints, fixed), shape).with_(scale=unit)
    return multiply(b, v, other)


def absolute(b: Builder, v: Value) -> Value:
    """The value without its sign."""
    if v.lo >= 0:
        return v
    both = stack(b, [v.with_(source=None), negated(b, v).with_(source=None)])
    made = b.max(both, 1, within=(0, both.hi))
    return made.with_(scale=v.scale, source=v.origin.then(np.abs))


def minimum(b: Builder, values: Sequence[Value]) -> Value:
    """The least of values of one shape, element by element."""
    return negated(b, maximum(b, [negated(b, v) for v in values]))


def maximum(b: Builder, values: Sequence[Value]) -> Value:
    """The greatest of values of one shape, element by element."""
    if len(values) == 1:
        return values[0]
    both = stack(b, values)
    return b.max(both, 1).with_(scale=both.scale)


def divide(b: Builder, a: Value, c: Value, largest: float | None) -> Value | None:
    """a over c, of one shape, or None when c can be 0 as far as is known.

    `largest` is the greatest absolute quotient that matters. The divisor is cut at half of what
    it was at least on the calibration data.
    """
    low, high = c.real
    if low <= 0 <= high:
        return None
    if high < 0:
        a, c = negated(b, a), negated(b, c)
        low, high = -high, -low
    least = max(1, math.floor(low / c.scale / 2))
    c = clamped(b, c, least, c.hi)
    a = fit(b, a, 2**24 - 1)
    k = 1
    while 2 * k * a.bound // c.lo + 1 < SUM_LIMIT and k < 2**29 and 2 * k * 2 * a.bound < 2**60:
        # No finer than about 24 bits of what matters.
        if largest is not None and largest * c.scale * k / a.scale > 2.0**23:
            break
        k *= 2
    return b.divide(a, c, k).with_(scale=a.scale / (c.scale * k))


def square_root(b: Builder, v: Value) -> Value:
    """The square root; below 0 it is taken at 0."""
    v = binary(b, clamped(b, v, 0, max(v.hi, 0)))
    k = 1 if math.log2(v.scale) % 2 == 0 else 2
    while k < 2**28 and k * max(1, v.hi) < 2**44:
        k *= 4
    source = v.origin.then(lambda x: np.sqrt(np.maximum(x, 0.0)))
    return b.root(v, k).with_(scale=math.sqrt(v.scale / k), source=source)


def choose(b: Builder, condition: Value, yes: Value, no: Value) -> Value:
    """yes where the condition is 1 and no where it is 0; all of one shape."""
    first, second = aligned_pair(b, yes, no)
    difference = b.add([first, second], [1, -1])
    within = (min(first.lo - second.hi, 0), max(first.hi - second.lo, 0))
    part = b.mul(condition, difference, within=within)
    held = (min(first.lo, second.lo), max(first.hi, second.hi))
    return b.add([part, second], [1, 1], within=held).with_(scale=first.scale)


def aligned_pair(b: Builder, a: Value, c: Value) -> tuple[Value, Value]:
    """Two values as integers of one scale."""
    (a, c), coefficients, scale = common(b, [a, c])
    first, second = (
        v if k == 1 else b.add([v], [k]) for v, k in zip((a, c), coefficients, strict=True)
    )
    return first.with_(scale=scale), second.with_(scale=scale)
