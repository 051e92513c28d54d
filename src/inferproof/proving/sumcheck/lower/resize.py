"""Resize and Upsample: each element of the result is a weighted sum of a few along each axis.

Source: the operator's text in onnx/docs/Operators.md, and what ONNX Runtime makes of it.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.graph import MAX_ELEMENTS
from inferproof.proving.sumcheck.lower.arithmetic import (
    add_constant,
    add_values,
    multiply_constant,
)
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.dense import linear
from inferproof.proving.sumcheck.lower.movement import addresses_of, transpose
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.shape import gathered
from inferproof.proving.sumcheck.lower.value import Value

Points = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_FEW = 4
"""So many weighted elements are added one by one; more are a product with a committed matrix."""


@dataclass(frozen=True, slots=True)
class Taps:
    """For each place along an axis of the result what it is made of: [places, taps], `offset`."""

    places: Ints
    weights: Points
    offset: Points

    @property
    def plain(self) -> bool:
        """Whether each place is one element as it is."""
        one = (self.weights == 1.0).sum(axis=1) == 1
        return bool(one.all() and (np.abs(self.weights).sum(axis=1) == 1).all())

    @property
    def chosen(self) -> Ints:
        """The elements, where each place is one."""
        found: Ints = self.places[np.arange(len(self.places)), self.weights.argmax(axis=1)]
        return found


@lowers("Resize", "Upsample")
def _resize(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    taps = [_axis_taps(c, step, axis) for axis in range(len(x.shape))]
    chosen = [
        found.chosen if found.plain else np.arange(size)
        for found, size in zip(taps, x.shape, strict=True)
    ]
    x = gathered(c, x, addresses_of(x.shape)[np.ix_(*chosen)])
    for axis, found in enumerate(taps):
        if not found.plain:
            x = _weighted(c, step, x, axis, found)
    return x


def _weighted(c: Context, step: Step, x: Value, axis: int, taps: Taps) -> Value:
    """The axis replaced by the weighted sums along it."""
    b = c.builder
    count, size = len(taps.places), x.shape[axis]
    wide = (-1, *(1 for _ in x.shape[axis + 1 :]))
    if taps.weights.shape[1] > _FEW:
        matrix = np.zeros((count, size))
        np.add.at(matrix, (np.arange(count)[:, None], taps.places), taps.weights)
        order = [place for place in range(len(x.shape)) if place != axis] + [axis]
        made = linear(c, step, transpose(b, x, order), matrix, None, final=False)
        made = transpose(b, made, [order.index(place) for place in range(len(order))])
    else:
        parts = []
        for places, weights in zip(taps.places.T, taps.weights.T, strict=True):
            picked = gathered(c, x, np.take(addresses_of(x.shape), places, axis=axis))
            parts.append(multiply_constant(b, picked, weights.reshape(wide), fixed=True))
        made = add_values(b, [part.with_(source=None) for part in parts])
    if not taps.offset.any():
        return made
    offset = np.broadcast_to(taps.offset.reshape(wide), made.shape)
    return add_constant(b, made, offset, fixed=True)


def _axis_taps(c: Context, step: Step, axis: int) -> Taps:
    """What the operator does along one axis."""
    before, after = (c.shape(name)[axis] for name in (step.input(0), step.outputs[0]))
    scale, told = _scale(c, step, axis)
    mode = str(step.attributes.get("mode", "nearest"))
    if before == after and scale == 1.0 and told is None:
        return _one(np.arange(before))
    way = str(step.attributes.get("coordinate_transformation_mode", "half_pixel"))
    if step.op == "Upsample" or c.program.opset < 11:
        way = "asymmetric"
    spots = _origins(step, way, before, after, scale, told or (0.0, 1.0))
    outside = (spots < 0) | (spots > before - 1)
    if mode == "nearest":
        found = _one(_nearest(c, step, spots, before, scale))
    elif mode in ("linear", "cubic"):
        antialias = bool(step.attributes.get("antialias", 0)) and scale < 1
        found = _blended(step, mode, spots, before, scale if antialias else 1.0, antialias)
    else:
        raise unsupported(step, f"its mode is {mode}", "nearest, linear or cubic")
    if way != "tf_crop_and_resize" or not outside.any():
        return found
    beyond = float(step.attributes.get("extrapolation_value", 0.0))
    weights = np.where(outside[:, None], 0.0, found.weights)
    return Taps(found.places, weights, np.where(outside, beyond, 0.0))


def _one(places: Ints) -> Taps:
    return Taps(places[:, None], np.ones((len(places), 1)), np.zeros(len(places)))


def _scale(c: Context, step: Step, axis: int) -> tuple[float, tuple[float, float] | None]:
    """How many times as long the axis becomes, and the part of it that is read, where told."""
    shape, target = c.shape(step.input(0)), c.shape(step.outputs[0])
    rank = len(shape)
    axes = [int(a) % rank for a in step.attributes.get("axes") or range(rank)]
    if axis not in axes:
        return 1.0, None
    place = axes.index(axis)
    old = step.op == "Upsample" or c.program.opset < 11
    region = None if old else c.optional(step, 1, "region")
    told = None
    if region is not None and region.size:
        told = (float(region[place]), float(region[place + len(axes)]))
    if step.attributes.get("coordinate_transformation_mode") != "tf_crop_and_resize":
        told = None
    scales = c.optional(step, 1 if old else 2, "scale")
    if scales is None and step.attributes.get("scales"):
        scales = np.array(step.attributes["scales"])
    if scales is not None and scales.size:
        return float(scales[place]), told
    ratios = [target[a] / shape[a] for a in axes]
    policy = str(step.attributes.get("keep_aspect_ratio_policy", "stretch"))
    if policy == "stretch":
        return ratios[place], told
    sizes = numbers(c.needed(step, 3, "size"))
    every = [float(size) / shape[a] for size, a in zip(sizes, axes, strict=True)]
    return (min(every) if policy == "not_larger" else max(every)), told


def _origins(
    step: Step, way: str, before: int, after: int, scale: float, region: tuple[float, float]
) -> Points:
    """Where each place of the result lies among the operand's, in single precision as there."""
    x = np.arange(after, dtype=np.float32)
    s = np.float32(scale)
    half, one = np.float32(0.5), np.float32(1)
    match way:
        case "half_pixel":
            found = (x + half) / s - half
        case "half_pixel_symmetric":
            exact = np.float32(scale * before)
            centre = np.float32(before) / 2
            found = centre * (one - np.float32(after) / exact) + (x + half) / s - half
        case "pytorch_half_pixel":
            found = (x + half) / s - half if after > 1 else np.zeros(after, np.float32)
        case "align_corners":
            found = x * np.float32(before - 1) / np.float32(max(1, after - 1))
        case "asymmetric":
            found = x / s
        case "tf_half_pixel_for_nn":
            found = (x + half) / s
        case "tf_crop_and_resize":
            start, end = (np.float32(value) for value in region)
            last = np.float32(before - 1)
            if after > 1:
                found = start * last + x * (end - start) * last / np.float32(after - 1)
            else:
                found = np.full(after, half * (start + end) * last)
        case _:
            raise unsupported(step, f"its coordinates are {way}", "half_pixel or asymmetric")
    if not np.isfinite(found).all():
        raise unsupported(step, "its places are not finite", "a finite region and scale")
    return np.asarray(found, np.float64)


def _nearest(c: Context, step: Step, spots: Points, before: int, scale: float) -> Ints:
    how = str(step.attributes.get("nearest_mode", "round_prefer_floor"))
    if step.op == "Upsample" or c.program.opset < 11:
        # Before opset 11 a result that is larger takes the one before, else the one after.
        how = "floor" if scale >= 1 else "ceil"
    match how:
        case "floor":
            found = np.floor(spots)
        case "ceil":
            found = np.ceil(spots)
        case "round_prefer_floor":
            found = np.ceil(spots - 0.5)
        case "round_prefer_ceil":
            found = np.floor(spots + 0.5)
        case _:
            raise unsupported(step, f"its nearest_mode is {how}", "floor, ceil or a round one")
    return np.clip(found, 0, before - 1).astype(np.int64)


def _blended(
    step: Step, mode: str, spots: Points, before: int, scale: float, antialias: bool
) -> Taps:
    """The weights of the elements around each spot; those of a smaller result reach further."""
    a = float(step.attributes.get("cubic_coeff_a", -0.75))
    reach = (1 if mode == "linear" else 2) / scale
    if mode == "linear" and not antialias:
        spots = np.clip(spots, 0, before - 1)
    if 2 * reach * len(spots) > MAX_ELEMENTS:
        raise unsupported(step, "it takes too many elements into one", "a larger result")
    first = np.floor(spots - reach).astype(np.int64) + 1
    count = math.ceil(2 * reach) + (1 if antialias else 0)
    places = first[:, None] + np.arange(count)
    distance = np.abs(places - spots[:, None]) * scale
    weights = np.maximum(0.0, 1 - distance) if mode == "linear" else cubic(distance, a)
    # What is outside of the operand counts for its edge, or not at all.
    alone = bool(step.attributes.get("exclude_outside", 0)) and mode == "cubic"
    if alone:
        weights = np.where((places >= 0) & (places < before), weights, 0.0)
    if antialias or alone:
        weights = weights / weights.sum(axis=1, keepdims=True)
    return Taps(np.clip(places, 0, before - 1), weights, np.zeros(len(places)))


def cubic(distance: Points, a: float) -> Points:
    """The weight of an element at a distance below 2, by the cubic with parameter a."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
