"""GridSample at constant places: each element of the result is a weighted sum of a few.

Source: the operator's text in onnx/docs/Operators.md, and what ONNX Runtime makes of it.
"""

import itertools
import math

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.lower.arithmetic import add_values, multiply_constant
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.movement import addresses_of, taken
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.resize import cubic
from inferproof.proving.sumcheck.lower.value import Value

Points = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BEND = -0.75
"""The parameter of the cubic, which the operator does not let anyone choose."""


@lowers("GridSample")
def _grid_sample(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    grid = numbers(c.needed(step, 1, "grid"))
    sizes = x.shape[2:]
    mode = str(step.attributes.get("mode", "linear"))
    beyond = str(step.attributes.get("padding_mode", "zeros"))
    aligned = bool(step.attributes.get("align_corners", 0))
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    if mode not in ("nearest", "linear", "cubic") or beyond not in (
        "zeros",
        "border",
        "reflection",
    ):
        raise unsupported(step, f"its modes are {mode} and {beyond}", "linear and zeros")
    if not np.isfinite(grid).all():
        raise unsupported(step, "its grid is not finite", "finite places")
    # The grid names the last axis first.
    axes = []
    for axis, size in enumerate(sizes):
        told = grid[..., len(sizes) - 1 - axis]
        spots = (told + 1) / 2 * (size - 1) if aligned else ((told + 1) * size - 1) / 2
        if mode != "cubic" and beyond != "zeros":
            spots = _inside(spots, size, beyond, aligned)
        axes.append(_taps(spots, size, mode, beyond, aligned))
    lead = addresses_of(x.shape[:2]) * math.prod(sizes)
    wide = (*x.shape[:2], *(1 for _ in sizes))
    parts = []
    for taps in itertools.product(*axes):
        places, weights = np.zeros(grid.shape[:-1], np.int64), np.ones(grid.shape[:-1])
        there = np.ones(grid.shape[:-1], bool)
        for (index, weight), size in zip(taps, sizes, strict=True):
            there &= (index >= 0) & (index < size)
            places = places * size + np.clip(index, 0, size - 1)
            weights = weights * weight
        addresses = lead.reshape(wide) + places[:, None]
        picked = taken(c.builder, x, np.where(there[:, None], addresses, -1))
        parts.append(multiply_constant(c.builder, picked, weights[:, None]))
    return add_values(c.builder, [part.with_(source=None) for part in parts])


def _taps(
    spots: Points, size: int, mode: str, beyond: str, aligned: bool
) -> list[tuple[Ints, Points]]:
    """The elements around each spot along one axis, and their weights."""
    if mode == "nearest":
        return [(np.rint(spots).astype(np.int64), np.ones(spots.shape))]
    reach = 1 if mode == "linear" else 2
    first = np.floor(spots).astype(np.int64) - reach + 1
    found = []
    for offset in range(2 * reach):
        index = first + offset
        distance = np.abs(index - spots)
        weight = np.maximum(0.0, 1 - distance) if mode == "linear" else cubic(distance, _BEND)
        if beyond != "zeros":
            index = _inside(index.astype(np.float64), size, beyond, aligned).astype(np.int64)
        found.append((index, weight))
    return found


def _inside(spots: Points, size: int, beyond: str, aligned: bool) -> Points:
    """Places beyond the ends: at the end, or reflected at it until they are inside."""
    if beyond == "border":
        return np.clip(spots, 0, size - 1)
    low, high = (0.0, size - 1.0) if aligned else (-0.5, size - 0.5)
    length = high - low
    if length == 0:
        return np.zeros(spots.shape)
    turned = np.mod(spots - low, 2 * length)
    return np.clip(low + np.minimum(turned, 2 * length - turned), 0, size - 1)
