"""Univariate functions by table."""

import math

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.lower import intervals
from inferproof.proving.sumcheck.lower.context import Context
from inferproof.proving.sumcheck.lower.program import Step, unsupported
from inferproof.proving.sumcheck.lower.value import (
    Function,
    Points,
    Source,
    Value,
    power_of_two_above,
)

MOST_BITS = 16
"""A table has at most 2^16 entries."""
_RESULT_BITS = 16
_FEW = 2**9
"""So few entries that a shorter table would not pay for cutting the value."""
_BEYOND = 2.0
_COARSE = 2.0**-8
"""A table whose neighbouring entries differ by more of its range gets more entries."""


def table(
    c: Context,
    step: Step,
    v: Value,
    function: Function,
    span: tuple[float, float] | None = None,
) -> Value:
    """function(v), element by element, where v may be a function of an earlier value itself.

    Results are cut at twice the span, where it is given: near a pole they would cost all bits.

    Raises: ModelRejected LOWERING_UNSUPPORTED when the function is finite nowhere on the range.
    """
    source = v.origin.then(function)
    root = source.root
    bits = c.options.table_bits
    while True:
        x = _domain(c, root, bits)
        points = np.arange(x.lo, x.hi + 1, dtype=np.float64) * x.scale
        with np.errstate(all="ignore"):
            results = _finite(step, np.asarray(source.function(points), dtype=np.float64))
        if span is not None:
            most = _BEYOND * max(abs(span[0]), abs(span[1]))
            results = np.clip(results, -most, most)
        spread = float(results.max() - results.min())
        steps = float(np.abs(np.diff(results)).max(initial=0.0))
        finer = x.tensor != root.tensor and bits < MOST_BITS
        if not finer or steps <= spread * _COARSE:
            break
        bits += 1
    entries, scale = _entries(results)
    reached = (float(results.min()), float(results.max()))
    return c.builder.lookup(x, entries).with_(
        scale=scale, span=reached, source=Source(root, source.function)
    )


def _domain(c: Context, v: Value, bits: int) -> Value:
    """The value cut to its span and in at most 2^bits different integers."""
    if v.hi - v.lo < _FEW:
        return v
    low, high = v.real
    first = max(v.lo, min(v.hi, math.floor(low / v.scale)))
    last = min(v.hi, max(v.lo, math.ceil(high / v.scale)))
    shift = 0
    while intervals.rounded_shift(last, shift) - intervals.rounded_shift(first, shift) >= 2**bits:
        shift += 1
    clamp = (intervals.rounded_shift(first, shift), intervals.rounded_shift(last, shift))
    if shift == 0 and clamp == v.interval:
        return v
    return c.builder.rescale(v, 1, shift, clamp=clamp).with_(
        scale=v.scale * 2.0**shift, span=v.span
    )


def _finite(step: Step, results: Points) -> Points:
    """The results, with the nearest finite one where one is not finite."""
    good = np.flatnonzero(np.isfinite(results))
    if good.size == 0:
        raise unsupported(
            step, "it is finite nowhere on the calibrated range", "calibrate where it is"
        )
    if good.size == results.size:
        return results
    places = np.arange(results.size)
    after = np.minimum(np.searchsorted(good, places), good.size - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(good[after] - places) < np.abs(places - good[before])
    return results[np.where(nearer, good[after], good[before])]


def _entries(results: Points) -> tuple[npt.NDArray[np.int64], float]:
    largest = float(np.abs(results).max())
    whole = bool((results == np.rint(results)).all()) and largest < 2**24
    scale = 1.0 if whole or largest == 0 else power_of_two_above(largest) / 2.0**_RESULT_BITS
    return np.floor(results / scale + 0.5).astype(np.int64), scale
