"""Changing what one unit of a value stands for: fewer bits, a common scale, a wanted one."""

import math
from collections.abc import Sequence

import numpy as np

from inferproof.proving.sumcheck.graph import MAX_SHIFT
from inferproof.proving.sumcheck.lower import intervals
from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.value import Function, Points, Value, is_power_of_two

PRODUCT_LIMIT = 2**30
"""A multiplier times the value that it rescales stays below this, so that later proofs of the
rounding cannot wrap around in the field."""
SUM_LIMIT = 2**28
"""What sums are kept below: half of what a tensor may hold."""
_RATIO_BITS = 14
_NEARLY_NOTHING = 0.25
"""What is below this part of a step everywhere is none."""
_FRACTION_BITS = 7
"""Of a step, before it is rounded with a multiplier that has all other bits."""
_LONG_MULTIPLIER = 2**13


def fit(b: Builder, v: Value, limit: int) -> Value:
    """The value in units so coarse that no integer is beyond ±limit; cut to its span.

    A value that fits already is returned as it is.
    """
    if v.bound <= limit:
        return v
    low, high = ends(v)
    shift = 0
    while max(abs(intervals.rounded_shift(end, shift)) for end in (low, high)) > limit:
        shift += 1
    clamp = (intervals.rounded_shift(low, shift), intervals.rounded_shift(high, shift))
    made = b.rescale(v, 1, shift, clamp=clamp)
    most = None if v.most is None else (v.most >> shift) + v.shape[-1]
    return made.with_(scale=v.scale * 2.0**shift, span=v.span, most=most, source=v.source)


def ends(v: Value) -> tuple[int, int]:
    """The integers at the ends of what matters of a value, and 0; never beyond its interval."""
    low, high = min(v.real[0], 0.0), max(v.real[1], 0.0)
    return (
        max(v.lo, min(v.hi, math.floor(low / v.scale))),
        min(v.hi, max(v.lo, math.ceil(high / v.scale))),
    )


def narrow(b: Builder, v: Value, bits: int) -> Value:
    """The value in at most 2^bits different integers: symmetric, or from 0 on."""
    low, _ = ends(v)
    if low >= 0:
        return fit(b, v, 2**bits - 1)
    return fit(b, v, 2 ** (bits - 1) - 1)


def clamped(b: Builder, v: Value, low: int, high: int) -> Value:
    """The value cut to integers from low to high."""
    if low <= v.lo and v.hi <= high:
        return v
    if v.hi < low or high < v.lo:
        low = high = low if v.hi < low else high
    else:
        low, high = max(low, v.lo), min(high, v.hi)
    span = None if v.span is None else _cut_span(v.span, low * v.scale, high * v.scale)
    return b.rescale(v, clamp=(low, high)).with_(
        scale=v.scale, span=span, source=v.origin.then(_clip(low * v.scale, high * v.scale))
    )


def _cut_span(span: tuple[float, float], low: float, high: float) -> tuple[float, float]:
    return min(max(span[0], low), high), min(max(span[1], low), high)


def _clip(low: float, high: float) -> Function:
    def function(points: Points) -> Points:
        return np.clip(points, low, high)

    return function


def binary(b: Builder, v: Value) -> Value:
    """The value in a scale that is a power of two, rounded if it has another."""
    if is_power_of_two(v.scale):
        return v
    v = fit(b, v, 2**_RATIO_BITS * 2 - 1)
    fraction, exponent = np.frexp(v.scale)
    # scale = fraction * 2^exponent with fraction in [1/2, 1): x * fraction loses no range.
    multiplier = max(1, round(float(fraction) * 2**_RATIO_BITS))
    # Few bits would be fewer in a unit that is another: it is so much finer then.
    finer = max(0, min(_RATIO_BITS, _RATIO_BITS + 1 - v.bound.bit_length()))
    made = b.rescale(v, multiplier, _RATIO_BITS - finer)
    scale = float(np.ldexp(1.0, int(exponent) - finer))
    return made.with_(scale=scale, span=v.span, source=v.source)


def common(
    b: Builder, values: Sequence[Value], limit: int = SUM_LIMIT
) -> tuple[list[Value], list[int], float]:
    """The values, a whole coefficient for each, and the scale that they then share.

    The sum of coefficient times value stays below the limit.
    """
    found = list(values)
    if len({v.scale for v in found}) > 1:
        found = [binary(b, v) for v in found]
    # Zeros are zeros in any scale.
    scale = min((v.scale for v in found if v.bound), default=found[0].scale)
    if sum(_coefficient(v, scale) * v.bound for v in found) >= limit:
        # The finest of them give up bits, and what they have beyond their spans.
        scale *= 2
        while sum(_bound_in(v, scale) for v in found) >= limit:
            scale *= 2
    kept = [_in_units(b, v, scale) for v in found]
    return kept, [_coefficient(v, scale) for v in kept], scale


def _coefficient(v: Value, scale: float) -> int:
    """How many units of `scale` one of the value's is, at least 1; beyond any limit at most."""
    return max(1, round(min(v.scale / scale, 2.0**62)))


def _bound_in(v: Value, scale: float) -> int:
    """The largest absolute integer of the value in units of `scale`, or of its own if coarser."""
    if v.scale >= scale:
        return _coefficient(v, scale) * v.bound
    shift = _shift(v, scale)
    return max(abs(intervals.rounded_shift(end, shift)) for end in ends(v))


def _in_units(b: Builder, v: Value, scale: float) -> Value:
    if not v.bound:
        return v.with_(scale=scale)
    return coarser(b, v, _shift(v, scale)) if v.scale < scale else v


def _shift(v: Value, scale: float) -> int:
    """How many bits are between two powers of two, however far they are from one another."""
    return round(math.log2(scale) - math.log2(v.scale))


def coarser(b: Builder, v: Value, shift: int) -> Value:
    """The value in units 2^shift times as large."""
    low, high = ends(v)
    clamp = (intervals.rounded_shift(low, shift), intervals.rounded_shift(high, shift))
    # Beyond that nothing is left of any integer either way.
    made = b.rescale(v, 1, min(shift, MAX_SHIFT), clamp=clamp)
    most = None if v.most is None else (v.most >> shift) + v.shape[-1]
    return made.with_(scale=math.ldexp(v.scale, shift), span=v.span, most=most, source=v.source)


def aligned(b: Builder, values: Sequence[Value]) -> list[Value]:
    """The values as integers of one scale."""
    found, coefficients, scale = common(b, values)
    return [
        v if c == 1 else b.add([v], [c]).with_(scale=scale, span=v.span, source=v.source)
        for v, c in zip(found, coefficients, strict=True)
    ]


def in_steps(b: Builder, v: Value, size: float, ends: tuple[int, int]) -> Value:
    """The nearest whole numbers of steps of this size, cut at the ends, of scale 1."""
    # Whatever is one unit and more is cut beyond this.
    factor = min(v.scale / size, max(map(abs, ends)) + 1.0)
    if v.bound * factor < _NEARLY_NOTHING:
        return b.const(np.zeros(v.shape, dtype=np.int64), fixed=True)
    fraction, exponent = math.frexp(factor)
    if fraction == 0.5 and -MAX_SHIFT < exponent <= 1:
        return b.rescale(v, 1, 1 - exponent, clamp=ends)
    multiplier, shift = _multiplier(factor, v.bound)
    if multiplier < _LONG_MULTIPLIER:
        # Fewer bits first: those beyond the ends, and those that are a small part of a step.
        less = max(0, -exponent - _FRACTION_BITS)
        low = math.floor((ends[0] - 1) / factor / 2**less)
        high = math.ceil((ends[1] + 1) / factor / 2**less)
        v = b.rescale(v, 1, less, clamp=(min(low, -1), max(high, 1)))
        multiplier, shift = _multiplier(factor * 2.0**less, v.bound)
    return b.rescale(v, multiplier, shift, clamp=ends)


def _multiplier(factor: float, bound: int) -> tuple[int, int]:
    """The longest whole number, and shift, for a factor of integers up to the bound."""
    shift = MAX_SHIFT
    while shift and round(factor * 2.0**shift) * bound + 2**shift // 2 >= PRODUCT_LIMIT:
        shift -= 1
    # Where one unit is beyond all steps, any multiplier that is beyond them too.
    most = (PRODUCT_LIMIT - 1 - 2**shift // 2) // max(1, bound)
    return min(max(1, round(factor * 2.0**shift)), most), shift
