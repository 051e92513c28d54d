"""Tensors as they are committed to: float inputs, and exact fixed-point outputs."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.errors import InputRejected, Reason

MAX_SCALE = 2.0**900
"""So that no int64 times a scale is infinite in float64."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, element type and fixed shape of a graph input or output, and what is called by words.

    `labels` name the whole numbers 0, 1, … that an output of whole numbers holds, or the elements
    along the last axis of any other; empty where nothing is named.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    labels: tuple[str, ...] = ()

    @property
    def names_values(self) -> bool:
        """Whether labels would name numbers of this tensor, and not places in it."""
        return not self.dtype.startswith("float")

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class FixedTensor:
    """A proven output: integers and the real number that one unit stands for.

    Shapes: `values` holds prod(shape) integers in row-major order, each within int64.
    `scale` is a float64 above 0 and at most MAX_SCALE; the answer is values × scale in float64.
    """

    name: str
    shape: tuple[int, ...]
    values: tuple[int, ...]
    scale: float

    def __post_init__(self) -> None:
        if len(self.values) != math.prod(self.shape):
            raise ValueError("a fixed tensor holds as many values as its shape says")
        if not 0 < self.scale <= MAX_SCALE:
            raise ValueError("a scale is positive and at most 2^900")
        if any(not -(2**63) <= v < 2**63 for v in self.values):
            raise ValueError("a fixed tensor's values are within int64")

    def to_array(self) -> npt.NDArray[np.float64]:
        """The real values, float64, in the tensor's shape."""
        return (np.array(self.values, dtype=np.int64) * np.float64(self.scale)).reshape(self.shape)


Tensors = dict[str, npt.NDArray[np.float32]]
"""Named float32 arrays, one for each graph input, in the graph's shapes."""


def require_finite(tensors: Tensors) -> None:
    """Raises: InputRejected INPUT_NOT_FINITE naming the first tensor with a NaN or infinity."""
    for name, array in tensors.items():
        if not np.isfinite(array).all():
            raise InputRejected(Reason.INPUT_NOT_FINITE, name=name)
