"""A lowered value: an integer tensor, what one unit stands for, and what is known of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Function = Callable[[Points], Points]


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of the integer graph that stands for `scale` times its integers.

    `lo` and `hi` bound the integers for every input. `span` are the real numbers between which
    the value was on the calibration data, with a margin; None where only `lo` and `hi` are known.
    `most` bounds the sum of absolute integers along the last axis, where that is less than what
    `lo` and `hi` say.
    """

    tensor: int
    shape: tuple[int, ...]
    scale: float
    lo: int
    hi: int
    span: tuple[float, float] | None = None
    most: int | None = None
    source: "Source | None" = None

    @property
    def interval(self) -> tuple[int, int]:
        return self.lo, self.hi

    @property
    def bound(self) -> int:
        """The largest absolute integer."""
        return max(abs(self.lo), abs(self.hi))

    @property
    def real(self) -> tuple[float, float]:
        """The real numbers between which the value matters: the interval, cut to the span."""
        low, high = self.lo * self.scale, self.hi * self.scale
        if self.span is None or self.span[0] > high or self.span[1] < low:
            return low, high
        return max(low, self.span[0]), min(high, self.span[1])

    @property
    def largest(self) -> float:
        """The largest absolute real number that matters."""
        return max(abs(end) for end in self.real)

    def with_(self, **changes: Any) -> "Value":
        return replace(self, **changes)

    @property
    def origin(self) -> "Source":
        """The value as a function of one tensor, element by element; of itself at least."""
        return self.source or Source(self, lambda points: points)


@dataclass(frozen=True, slots=True)
class Source:
    """A value that is `function` of `root`, element by element."""

    root: Value
    function: Function

    def then(self, outer: Function) -> "Source":
        inner = self.function
        return Source(self.root, lambda points: outer(inner(points)))


def is_power_of_two(scale: float) -> bool:
    return float(np.frexp(scale)[0]) == 0.5


def power_of_two_above(value: float) -> float:
    """The smallest power of two that is at least value > 0."""
    fraction, exponent = np.frexp(value)
    return float(np.ldexp(1.0, int(exponent) - (1 if fraction == 0.5 else 0)))
