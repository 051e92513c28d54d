"""Weights that are whole multiples of a unit already, as those of a quantised model are."""

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LARGEST = 255
"""Of a weight in units: whole numbers of 8 bits less a zero point."""
_SAMPLE = 256
_FEWEST_COLUMNS = 8
"""A row of fewer weights can be of multiples by chance."""
_NEAR = 2e-4
"""How far from a whole number a multiple may be: weights in float32 are off by 255 / 2^23."""


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
    # Almost always a few weights tell that there is none.
    if unit_of(weights[:1, :_SAMPLE]) is None:
        return None
    one = unit_of(weights.reshape(-1))
    if one is not None:
        return np.full(len(weights), one or 1.0)
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
