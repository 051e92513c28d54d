"""Constants of a model as whole numbers."""

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.lower.value import power_of_two_above

Points = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_EXACT_BITS = 20
_ZERO = 2.0**-900
"""Below this a constant is 0: its scale would not be a normal number."""


def quantised(values: Points, bits: int) -> tuple[Ints, float]:
    """Whole numbers and a scale, a power of two, with values = numbers times scale.

    Exact when the values are multiples of one power of two and need no more than 20 bits;
    otherwise rounded so that the largest takes `bits` bits and a sign.
    """
    largest = float(np.abs(values).max(initial=0.0))
    if largest < _ZERO:
        return np.zeros(values.shape, dtype=np.int64), 1.0
    scale = power_of_two_above(largest) / 2.0**_EXACT_BITS
    if _exact(values, 1.0, largest):
        scale = 1.0
    elif _exact(values, scale, largest):
        while _exact(values, scale * 2, largest):
            scale *= 2
    else:
        scale = power_of_two_above(largest) / 2.0**bits
    return np.floor(values / scale + 0.5).astype(np.int64), scale


def _exact(values: Points, scale: float, largest: float) -> bool:
    if largest / scale > 2.0**_EXACT_BITS:
        return False
    ratio = values / scale
    return bool((ratio == np.rint(ratio)).all())
