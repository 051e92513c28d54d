"""Committed weights: the choice of scales and rounding of a Linear or Conv, and its overflow bound.

Row n of W, in whole numbers, has the scale s_n = s_y * m_n / (2^t * s_x), with s_x the scale of
the operand and s_y that of the result, so that the product with m_n and a Rescale of shift t are
exact but for its rounding: all error is in the rounding of the weights.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.errors import ModelRejected, Reason
from inferproof.models.show import shown
from inferproof.proving.sumcheck.graph import MAX_SHIFT, VALUE_LIMIT
from inferproof.proving.sumcheck.lower import intervals
from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.constants import quantised
from inferproof.proving.sumcheck.lower.context import Context, Steps
from inferproof.proving.sumcheck.lower.movement import sliced
from inferproof.proving.sumcheck.lower.program import Step, unsupported
from inferproof.proving.sumcheck.lower.rows import Rows, TooLarge, product_limit, reach_of
from inferproof.proving.sumcheck.lower.scaling import PRODUCT_LIMIT, narrow
from inferproof.proving.sumcheck.lower.units import exact_rows, units_of
from inferproof.proving.sumcheck.lower.value import Value, power_of_two_above

Points = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Emit = Callable[[Value, npt.NDArray[np.int8], Ints, tuple[int, int]], Value]
"""Given operand, matrix, bias and range, the node that contracts them."""

INT8 = 127
LIMBS = 127 * 256 + 127
_MULTIPLIERS = (15, 7, 3, 1)
_FEWEST_BITS = 6
_MOST_SHIFT = min(MAX_SHIFT, PRODUCT_LIMIT.bit_length() - 1)
"""The half that is added before a shift stays within the limit of products."""
_EXACT_BITS = 15
"""Weights that a common power of two makes whole numbers of so many bits are kept as they are."""
_LOST = 6
"""An operand loses at most so many of its bits, its sign included, before its row is split."""
_LARGEST_BIAS = 2.0**27
_MORE_BITS = 2
_OPERAND = 2.0
"""How much more the unit of an operand weighs than that of weights, each as a part of its largest:
weights as large as the largest there are, values mostly go half as far as they may, or less."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Weights in real numbers, and for each row its largest, and the sums of those above 0 and of
    those below, as every number of bits asks for them. `alike`: rows have the unit that makes the
    largest weight of all whole, and so has the result; `exact` is one that makes all of them whole,
    0 where there is none."""

    weights: Points
    reach: Points
    positive: Points
    negative: Points
    alike: bool
    exact: float = 0.0

    @classmethod
    def of(cls, weights: Points, alike: bool = False) -> "Matrix":
        """Shapes: [rows, columns]."""
        sizes = np.abs(weights)
        reach, size, total = sizes.max(axis=1, initial=0.0), sizes.sum(axis=1), weights.sum(axis=1)
        exact = 0.0
        if alike:
            reach = np.full(len(weights), reach.max(initial=0.0))
            counts, unit = quantised(weights, _EXACT_BITS)
            exact = unit if bool((counts * unit == weights).all()) else 0.0
        return cls(weights, reach, (size + total) / 2, (total - size) / 2, alike, exact)

    def units(self, largest: int) -> Points:
        """What one stands for in each row where weights go up to `largest`, of 0 for zeros alone.

        Whole numbers stay such, as the numbers of leaves that a later step looks up.
        """
        if self.exact and self.reach.any() and self.reach.max() <= self.exact * largest:
            return np.full(len(self.weights), self.exact)
        return self.reach / largest


def quantise_rows(
    matrix: Matrix, bias: Points, x: Value, scale: float, largest: int, multiplier: int
) -> Rows | TooLarge:
    """The rows in whole numbers up to `largest`, for a result of about the scale given.

    Shapes: bias [rows]. The scale is doubled until multipliers fit.
    """
    ideal = matrix.units(largest) * x.scale
    if matrix.alike and matrix.reach.any():
        scale = float(ideal[0])
    # A bias far beyond its row's weights makes the row's unit coarser.
    ideal = np.maximum(ideal, np.abs(bias) / _LARGEST_BIAS)
    if not ideal.any():
        ideal = np.full(len(bias), scale)
    while float(ideal.max()) / scale > multiplier:
        scale *= 2
    shift = 0
    while shift < _MOST_SHIFT and float(ideal.max()) / scale * 2 ** (shift + 1) <= multiplier:
        shift += 1
    multipliers = np.maximum(1, np.ceil(ideal / scale * 2.0**shift - 1e-9)).astype(np.int64)
    unit = scale * multipliers / 2.0**shift / x.scale
    offsets = np.floor(bias / (unit * x.scale) + 0.5)
    worst = int(np.abs(offsets).argmax())
    if abs(offsets[worst]) >= VALUE_LIMIT:
        return TooLarge(worst, int(abs(offsets[worst])))
    offsets = offsets.astype(np.int64)
    far = _surely_too_large(matrix, offsets, x, np.asarray(unit, dtype=np.float64))
    if far is not None:
        return far
    whole = matrix.weights / unit[:, None]
    whole += 0.5
    np.clip(np.floor(whole, out=whole), -largest, largest, out=whole)
    shorts = whole.astype(np.int16)
    low, high = intervals.weighted(shorts, x.interval, x.most, offsets)
    bounds = reach_of(low, high, offsets)
    worst = int(bounds.argmax())
    if bounds[worst] >= VALUE_LIMIT:
        return TooLarge(worst, int(bounds[worst]))
    products = bounds * multipliers + 2**shift // 2
    worst = int(products.argmax())
    limit = product_limit(multipliers)
    if products[worst] >= limit or products[worst] >> shift >= VALUE_LIMIT:
        return TooLarge(worst, int(products[worst]))
    return Rows(shorts, offsets, multipliers, shift, scale, low, high)


def _surely_too_large(matrix: Matrix, bias: Ints, x: Value, unit: Points) -> TooLarge | None:
    """What is beyond the bound however weights are rounded, seen without rounding them."""
    if x.most is not None:
        return None
    rounding = 0.5 * x.bound * matrix.weights.shape[1] + 1
    low = (matrix.positive * x.lo + matrix.negative * x.hi) / unit + bias
    high = (matrix.positive * x.hi + matrix.negative * x.lo) / unit + bias
    bounds = np.maximum(-low, high)
    worst = int(bounds.argmax())
    if bounds[worst] * (1 - 1e-9) - rounding < VALUE_LIMIT:
        return None
    return TooLarge(worst, int(bounds[worst]))


def contract(
    c: Context,
    step: Step,
    x: Value,
    weights: Points,
    bias: Points | None,
    axis: int,
    emit: Emit,
    span: tuple[float, float] | None = None,
    padded: bool = False,
    alike: bool = False,
    halves: Callable[[], Value] | None = None,
) -> Value:
    """weights times x plus bias in real numbers, rescaled to one scale.

    Shapes: weights [rows, columns], bias [rows]; `axis` is where the rows are in the result.
    `halves` makes it as the sum of two contractions of half the columns each, which is done where
    a row is too long for as many bits as an operand needs.
    Raises: ModelRejected LOWERING_ROW when no number of bits keeps a row within bounds.
    """
    offsets = np.zeros(len(weights)) if bias is None else bias
    if not (np.isfinite(weights).all() and np.isfinite(offsets).all()):
        raise unsupported(step, "its weights or bias are not finite", "finite ones")
    steps = None if span is None else c.wanted.get(step.outputs[0])
    chosen = _chosen(c, x, weights, offsets, span, steps, padded, alike)
    if halves is not None and (isinstance(chosen, TooLarge) or _too_coarse(c, x, chosen[0])):
        return halves()
    if isinstance(chosen, TooLarge):
        raise ModelRejected(
            Reason.LOWERING_ROW,
            node=shown(step.node),
            operator=step.op,
            row=chosen.row,
            reach=chosen.reach,
            limit=VALUE_LIMIT,
        )
    operand, rows = chosen
    if int(np.abs(rows.weights).max(initial=0)) <= INT8:
        made = emit(operand, rows.weights.astype(np.int8), rows.bias, rows.interval)
    else:
        made = _in_limbs(c.builder, operand, rows, axis, emit)
    if rows.cut is not None:
        made = c.builder.rescale(made, 1, rows.first, clamp=(-rows.cut, rows.cut))
    elif rows.shift == 0 and (rows.multipliers == 1).all():
        return made.with_(scale=rows.scale)
    multiplier, (low, high) = int(rows.multipliers[0]), _multiplied(rows)
    if (rows.multipliers != multiplier).any():
        within = (int(low.min()), int(high.max()))
        made = c.builder.times_along(made, rows.multipliers, axis, within)
        multiplier = 1
    half = (1 << rows.shift) >> 1
    clamp = (int((low.min() + half) >> rows.shift), int((high.max() + half) >> rows.shift))
    return c.builder.rescale(made, multiplier, rows.shift, clamp).with_(scale=rows.scale)


def _multiplied(rows: Rows) -> tuple[Ints, Ints]:
    """Where each row is once it is multiplied."""
    low, high = rows.low, rows.high
    if rows.cut is not None:
        before = (1 << rows.first) >> 1
        low, high = (np.clip((n + before) >> rows.first, -rows.cut, rows.cut) for n in (low, high))
    return low * rows.multipliers, high * rows.multipliers


def _in_limbs(b: Builder, operand: Value, rows: Rows, axis: int, emit: Emit) -> Value:
    """Weights of 16 bits as 256 * high + low, each of 8 bits, one row after the other.

    Side by side a row's limbs stay in its group, and are told apart by one bit of their place.
    """
    # The largest is 2^15 - 129: rounding does not wrap around.
    high = (rows.weights + 128) >> 8
    low = rows.weights - (high << 8)
    limbs = np.stack([high, low], axis=1).reshape(-1, rows.weights.shape[1])
    bias = np.stack([np.zeros_like(rows.bias), rows.bias], axis=1).reshape(-1)
    lows, highs = intervals.weighted(limbs, operand.interval, operand.most, bias)
    made = emit(operand, limbs.astype(np.int8), bias, (int(lows.min()), int(highs.max())))
    parts = [sliced(b, made, axis, place, len(rows.weights), 2) for place in (0, 1)]
    return b.add(parts, [256, 1], within=rows.interval)


def _chosen(
    c: Context,
    x: Value,
    weights: Points,
    bias: Points,
    span: tuple[float, float] | None,
    steps: Steps | None,
    padded: bool,
    alike: bool,
) -> tuple[Value, Rows] | TooLarge:
    """The operand as it will be used and its rows: the pair with the least expected error."""
    problem: TooLarge | None = None
    best: tuple[float, Value, Rows] | None = None
    matrix, sizes = Matrix.of(weights, alike), _weight_sizes(c, alike)
    kept = None if alike else _kept(c, x, matrix, bias, span, steps, padded)
    if kept is not None:
        return kept
    least = 1 / max(largest for largest, _ in sizes)
    for operand in _operands(c, x, c.options.activation_bits):
        seen = _seen(operand, padded)
        scale = _result_scale(c, seen, matrix, bias, span)
        coarseness = _OPERAND * operand.scale / (x.largest or 1.0)
        for largest, multiplier in sizes:
            error = coarseness + 1 / largest
            if best is not None and error >= best[0]:
                break
            rows = quantise_rows(matrix, bias, seen, scale, largest, multiplier)
            if isinstance(rows, Rows):
                best = (error, operand, rows)
                break
            problem = rows
        if best is not None and coarseness + least >= best[0]:
            break
    if best is not None:
        return best[1], best[2]
    assert problem is not None  # noqa: S101  (there is at least one number of bits)
    return problem


def _too_coarse(c: Context, x: Value, operand: Value) -> bool:
    """Whether the operand lost more bits than a split would cost."""
    if x.largest == 0.0:  # it was 0 in every sample, and is cut to that
        return False
    return operand.tensor != x.tensor and operand.bound < 2 ** (c.options.activation_bits - _LOST)


def _kept(
    c: Context,
    x: Value,
    matrix: Matrix,
    bias: Points,
    span: tuple[float, float] | None,
    steps: Steps | None,
    padded: bool,
) -> tuple[Value, Rows] | None:
    """Operand and rows with the weights as they are, if they are whole multiples of units."""
    units = units_of(matrix.weights)
    if units is None:
        return None
    most = LIMBS if c.options.weight_bits == 16 else INT8
    # What weights do not need of a product the operand may have.
    for operand in _operands(c, x, c.options.activation_bits + _MORE_BITS):
        seen = _seen(operand, padded)
        scale = None if steps is None else steps.size
        end = None if steps is None else steps.size * (steps.count + 1)
        if scale is None and (units != units[0]).any():
            scale = _result_scale(c, seen, matrix, bias, span)
        rows = exact_rows(matrix.weights, units, bias, seen, scale, end)
        if isinstance(rows, Rows):
            fits = int(np.abs(rows.weights).max(initial=0)) <= most
            return (operand, rows) if fits else None
    return None


def _seen(operand: Value, padded: bool) -> Value:
    """The operand as a contraction reads it: padding reads 0, which then is one of the values."""
    if not padded:
        return operand
    return operand.with_(lo=min(operand.lo, 0), hi=max(operand.hi, 0))


def _operands(c: Context, x: Value, most: int) -> Iterator[Value]:
    """The operand in fewer and fewer bits. What is disclosed anyway is taken as it is first."""
    if x.tensor < len(c.builder.inputs):
        yield x
        most = c.options.input_bits - 1
    for bits in range(most, _FEWEST_BITS - 1, -1):
        yield narrow(c.builder, x, bits)


def _weight_sizes(c: Context, alike: bool) -> list[tuple[int, int]]:
    """Largest weights with largest multipliers, the finest first."""
    sizes = [(INT8, multiplier) for multiplier in _MULTIPLIERS]
    if c.options.weight_bits == 8 and not alike:
        return sizes
    return [(LIMBS >> shift, 1) for shift in range(8)] + sizes


def _result_scale(
    c: Context, x: Value, matrix: Matrix, bias: Points, span: tuple[float, float] | None
) -> float:
    """A scale that gives results about `wide_bits` bits."""
    if span is not None:
        largest = max(abs(span[0]), abs(span[1]))
    else:
        reach = (matrix.positive - matrix.negative) * x.largest
        if x.most is not None:
            reach = np.minimum(reach, matrix.reach * x.most * x.scale)
        largest = float((reach + np.abs(bias)).max(initial=0.0))
    if largest == 0.0:
        largest = 1.0
    return power_of_two_above(largest) / 2.0 ** (c.options.wide_bits - 1)
