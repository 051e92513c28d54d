"""Weights that are whole multiples of a unit already, as those of a quantised model are."""

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.graph import MAX_SHIFT, VALUE_LIMIT
from inferproof.proving.sumcheck.lower import intervals
from inferproof.proving.sumcheck.lower.rows import Rows, TooLarge, product_limit, reach_of
from inferproof.proving.sumcheck.lower.scaling import PRODUCT_LIMIT
from inferproof.proving.sumcheck.lower.value import Value

Points = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LARGEST = 255
"""Of a weight in units: whole numbers of 8 bits less a zero point."""
_SAMPLE = 256
_FEWEST_COLUMNS = 8
"""A row of fewer weights can be of multiples by chance."""
_NEAR = 2e-4
"""How far from a whole number a multiple may be: weights in float32 are off by 255 / 2^23."""


_FIRST_BITS = 16
_LONG_MULTIPLIER = 2**13
"""Results are cut and lose bits down to these where multipliers would be shorter than this."""


def unit_of(values: Points) -> float | None:
    """The largest number of which all values are whole multiples up to LARGEST; 0 for zeros."""
    sizes = np.unique(np.abs(values[values != 0]))
    if not sizes.size:
        return 0.0
    if sizes.size > LARGEST:
        return None
    # The largest is one multiple or another.
    ratios = np.arange(1, LARGEST + 1)[:, None] * (sizes / sizes[-1])
    good = (np.abs(ratios - np.rint(ratios)) <= _NEAR).all(axis=1)
    if not good.any():
        return None
    counts = np.rint(ratios[int(good.argmax())])
    return float((sizes * counts).sum() / (counts * counts).sum())


def units_of(weights: Points) -> Points | None:
    """For each row the unit of which its weights are whole multiples; None where one has none.

    One for all rows where that is possible. Shapes: weights [rows, columns].
    """
    # Almost always a few weights tell that there is none, of a row or of all.
    rows = np.flatnonzero(weights.any(axis=1))
    if not rows.size:
        return np.ones(len(weights))
    if unit_of(weights[rows[0], :_SAMPLE]) is None:
        return None
    flat = weights.reshape(-1)
    if unit_of(flat[:: max(1, flat.size // _SAMPLE)]) is not None:
        one = unit_of(flat)
        if one is not None:
            return np.full(len(weights), one)
    if weights.shape[1] < _FEWEST_COLUMNS:
        return None
    found = []
    for row in weights:
        unit = unit_of(row)
        if unit is None:
            return None
        found.append(unit)
    units = np.array(found)
    # A row of zeros has any.
    return np.where(units == 0.0, units.max(), units)


def exact_rows(
    weights: Points,
    units: Points,
    bias: Points,
    x: Value,
    scale: float | None,
    end: float | None,
) -> Rows | TooLarge:
    """The rows as the whole multiples that they are, for a result of about the scale given.

    Shapes: weights [rows, columns]; units, bias [rows]. Without a scale and with one unit nothing
    is rescaled. Beyond `end` results do not matter.
    """
    whole = np.rint(weights / units[:, None]).astype(np.int16)
    offsets = np.floor(bias / (units * x.scale) + 0.5)
    worst = int(np.abs(offsets).argmax())
    if abs(offsets[worst]) >= VALUE_LIMIT:
        return TooLarge(worst, int(abs(offsets[worst])))
    offsets = offsets.astype(np.int64)
    low, high = intervals.weighted(whole, x.interval, x.most, offsets)
    bounds = reach_of(low, high, offsets)
    worst = int(bounds.argmax())
    if bounds[worst] >= VALUE_LIMIT:
        return TooLarge(worst, int(bounds[worst]))
    ones = np.ones(len(whole), np.int64)
    if scale is None and (units == units[0]).all():
        return Rows(whole, offsets, ones, 0, float(units[0]) * x.scale, low, high)
    if scale is None:
        scale = float(units.max()) * x.scale
    own = units * x.scale
    found = _multipliers(own, bounds, scale)
    if found[0].max() >= _LONG_MULTIPLIER:
        return Rows(whole, offsets, *found, low, high)
    most = int(bounds.max())
    cut = most if end is None else min(most, int(end / own.min()) + 1)
    first = max(0, cut.bit_length() - _FIRST_BITS)
    reach = np.minimum((bounds + ((1 << first) >> 1)) >> first, cut >> first)
    found = _multipliers(own * 2.0**first, reach, scale)
    return Rows(whole, offsets, *found, low, high, first, cut >> first)


def _multipliers(units: Points, reach: Ints, scale: float) -> tuple[Ints, int, float]:
    """Multipliers and shift, as long as they may be, that bring integers to about one scale.

    Shapes: `units`, what one stands for, and `reach`, how large they are, are [rows].
    """
    while True:
        factors = units / scale
        shift = MAX_SHIFT
        while shift >= 0:
            products = np.maximum(1.0, np.rint(factors * 2.0**shift)) * reach + 2**shift // 2
            if products.max() < PRODUCT_LIMIT and products.max() / 2**shift < VALUE_LIMIT:
                multipliers = np.maximum(1, np.rint(factors * 2.0**shift)).astype(np.int64)
                if products.max() < product_limit(multipliers):
                    return multipliers, shift, scale
            shift -= 1
        scale *= 2
