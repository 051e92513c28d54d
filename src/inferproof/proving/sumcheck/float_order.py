"""Whole numbers in the order of the 32-bit floating-point numbers that they stand for.

y = x / scale, truncated towards 0 to 24 significant bits and to multiples of 2^-23, becomes
sign(y) times m, where m is

    |y| · 2^23                              for |y| < 1
    (e + 1 + |y| / 2^e - 1) · 2^23          for 2^e <= |y| < 2^(e + 1), e >= 0

as the bits of a number of IEEE 754 are its place among its like, the exponents from that of scale
on being kept: equal numbers have equal places, a greater one never has a smaller place, and
numbers of binary32 that are not below scale in size have different places.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

FRACTION_BITS = 23
MOST = 2**28 - 1
"""The largest place, 31 powers of two above scale: differences of places stay below 2^29."""
REACH = 2.0**31
"""y is below this."""


def places(numbers: npt.NDArray[Any], scale: float) -> Ints:
    """The place of each finite number, at most MOST from 0; beyond it the last.

    `scale` is a power of two.
    """
    size = np.minimum(np.abs(np.asarray(numbers, np.float64)) / scale, REACH)
    fraction, exponent = np.frexp(size)
    # size = fraction · 2^exponent with fraction in [1/2, 1).
    large = np.floor((exponent + 2 * fraction - 1) * 2.0**FRACTION_BITS)
    small = np.floor(size * 2.0**FRACTION_BITS)
    found = np.minimum(np.where(size < 1, small, large), MOST).astype(np.int64)
    return np.where(np.asarray(numbers) < 0, -found, found)


def numbers_at(places: Ints, scale: float) -> Reals:
    """The number of each place: the smallest in size that has it."""
    size = np.abs(places)
    exponent = np.maximum((size >> FRACTION_BITS) - 1, 0)
    fraction = (size - (exponent << FRACTION_BITS)) * 2.0**-FRACTION_BITS
    found: Reals = np.where(places < 0, -scale, scale) * np.ldexp(fraction, exponent)
    return found
