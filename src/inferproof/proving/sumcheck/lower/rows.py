"""Weights in whole numbers, as a Linear or Conv commits to them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
