"""Interval arithmetic over whole numbers: where a result is for any operands in their ranges.

Every function returns bounds that hold for all values; where the operation is monotone in each
operand they are the tightest ones.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Interval = tuple[int, int]
Ints = npt.NDArray[np.int64]
Whole = npt.NDArray[np.signedinteger[Any]]


def scaled(interval: Interval, coefficient: int) -> Interval:
    """The range of coefficient times x."""
    low, high = interval[0] * coefficient, interval[1] * coefficient
    return (low, high) if coefficient >= 0 else (high, low)


def added(*intervals: Interval) -> Interval:
    """The range of the sum."""
    return sum(low for low, _ in intervals), sum(high for _, high in intervals)


def multiplied(a: Interval, b: Interval) -> Interval:
    """The range of a times b."""
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)


def hull(*intervals: Interval) -> Interval:
    """The smallest range that holds all of them."""
    return min(low for low, _ in intervals), max(high for _, high in intervals)


def rounded_shift(value: int, shift: int) -> int:
    """floor((value + half) / 2^shift), as Rescale rounds."""
    return (value + ((1 << shift) >> 1)) >> shift


def rescaled(interval: Interval, multipliers: Ints, shift: int) -> Interval:
    """The range of Rescale before its clamp."""
    low, high = hull(
        *(scaled(interval, m) for m in (int(multipliers.min()), int(multipliers.max())))
    )
    return rounded_shift(low, shift), rounded_shift(high, shift)


def divided(a: Interval, b: Interval, k: int) -> Interval:
    """The range of Divide for b > 0."""
    corners = [(2 * k * x + y) // (2 * y) for x in a for y in b]
    return min(corners), max(corners)


def rooted(x: Interval, k: int) -> Interval:
    """The range of SquareRoot for x >= 0."""
    return math.isqrt(k * x[0]), math.isqrt(k * x[1])


def weighted(weights: Whole, x: Interval, most: int | None, bias: Ints | None) -> tuple[Ints, Ints]:
    """For each row of weights the range of its sum with x, bias included.

    `most` bounds the sum of |x| over the columns, where that is known.
    """
    positive = np.maximum(weights, 0).sum(axis=1, dtype=np.int64)
    negative = weights.sum(axis=1, dtype=np.int64) - positive
    low = positive * x[0] + negative * x[1]
    high = positive * x[1] + negative * x[0]
    if most is not None:
        reach = np.abs(weights).max(axis=1).astype(np.int64) * most
        low, high = np.maximum(low, -reach), np.minimum(high, reach)
    return (low, high) if bias is None else (low + bias, high + bias)
