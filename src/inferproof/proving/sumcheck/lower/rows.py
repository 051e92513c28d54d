"""Weights in whole numbers, as a Linear or Conv commits to them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.graph import VALUE_LIMIT
from inferproof.proving.sumcheck.lower.scaling import PRODUCT_LIMIT

Ints = npt.NDArray[np.int64]
Shorts = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Rows:
    """Weights and bias in whole numbers, the rescaling that follows, and where results are."""

    weights: Shorts
    bias: Ints
    multipliers: Ints
    shift: int
    scale: float
    low: Ints
    high: Ints
    first: int = 0
    """Bits that results lose before the multipliers, which then can be longer."""
    cut: int | None = None
    """Where results are cut at before that: beyond it the next steps end."""

    @property
    def interval(self) -> tuple[int, int]:
        return int(self.low.min()), int(self.high.max())


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The row that can become largest, and how large."""

    row: int
    reach: int


def reach_of(low: Ints, high: Ints, bias: Ints) -> Ints:
    """How far from 0 each row can be, with its bias and without: a hidden one is added behind."""
    ends = [np.maximum(np.abs(low - part), np.abs(high - part)) for part in (0, bias)]
    found: Ints = np.maximum(*ends)
    return found


def product_limit(multipliers: Ints) -> int:
    """What products of rows and multipliers stay below: where these differ, a tensor has them."""
    return PRODUCT_LIMIT if (multipliers == multipliers[0]).all() else VALUE_LIMIT
