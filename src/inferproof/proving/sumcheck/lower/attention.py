"""Softmax, and normalisation over features."""

import math
from collections.abc import Callable

import numpy as np

from inferproof.proving.sumcheck.lower.arithmetic import (
    absolute,
    add_constant,
    add_values,
    multiply,
    multiply_constant,
)
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.movement import broadcast, reshape, transpose
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.reduce import axes_last, spread
from inferproof.proving.sumcheck.lower.scaling import SUM_LIMIT, clamped, coarser, fit
from inferproof.proving.sumcheck.lower.tables import table
from inferproof.proving.sumcheck.lower.value import Value, power_of_two_above

_POWER_BITS = 16
"""exp(0) = 1 is 2^16 units."""
_SMALLEST = 12.0
"""exp(-12) is less than half a unit."""
_SHARE_BITS = 16
_NORMAL_BITS = 18
"""Of what is normalised: so many that a rescaling by factors of 12 bits takes it as it is."""
_MANY = 2**12
"""From so many shares on a reciprocal for each line takes less than a division for each share."""
_MULTIPLIED = range(16, 129)
"""Elements of a line of these: of fewer the reciprocals are many, of more they are coarse."""
_FEWER_POWER_BITS = 13
"""Of them and of reciprocals, whose products have 28 bits."""


def exponentials(
    c: Context, step: Step, x: Value, power_bits: int = _POWER_BITS
) -> tuple[Value, Value, Value]:
    """The maximum over the last axis, exp(x - maximum), and its sum over that axis.

    exp(0) = 1 is 2^power_bits units.
    """
    b = c.builder
    x = fit(b, x, 2**26)
    peak = b.max(x, 1).with_(scale=x.scale)
    low = max(x.lo - x.hi, -SUM_LIMIT)
    below = b.add([x, spread(c, peak, x.shape)], [1, -1], within=(low, 0)).with_(scale=x.scale)
    least = -max(1, math.ceil(_SMALLEST / x.scale))
    below = clamped(b, below, least, 0).with_(span=None, source=None)
    bits = c.options.table_bits
    shift = 0
    while -below.lo >> shift >= 2**bits:
        shift += 1
    narrow = coarser(b, below, shift) if shift else below
    points = np.arange(narrow.lo, 1) * narrow.scale
    entries = np.floor(np.exp(points) * 2.0**power_bits + 0.5).astype(np.int64)
    powers = b.lookup(narrow, entries).with_(scale=2.0**-power_bits)
    return peak, powers, _sum_of_powers(c, step, powers)


def _sum_of_powers(c: Context, step: Step, powers: Value) -> Value:
    """The sum over the last axis, at least what it is; of a long axis in coarser units."""
    b = c.builder
    one = round(1 / powers.scale)
    count = powers.shape[-1]
    if count * one < SUM_LIMIT:
        # The largest element has exp(0): the sum is at least that.
        return b.sum(powers, 1, within=(one, count * one)).with_(scale=1 / one)
    part = SUM_LIMIT // one // 2
    parts = math.ceil(count / part)
    shift = math.ceil(math.log2(parts)) + 1
    if shift > _POWER_BITS // 2:
        raise unsupported(step, f"it runs over {count} elements", f"at most {part << 7}")
    end = [*(0 for _ in powers.shape[1:]), parts * part - count]
    wide = b.pad(powers, [0] * len(end), end, 0)
    halves = b.sum(reshape(b, wide, (*powers.shape[:-1], parts, part)), 1)
    coarse = b.sum(b.rescale(halves, 1, shift), 1)
    # What rounding may have taken off is put back, so that no share is above 1.
    least = one >> shift
    within = (least, coarse.hi + parts)
    made = b.add([coarse], [1], (parts + 1) // 2, within=within, fixed=True)
    return made.with_(scale=2.0**shift / one)


@lowers("Softmax")
def _softmax(c: Context, step: Step) -> Value:
    return _over_axis(c, step, shares)


def shares(c: Context, step: Step, x: Value) -> Value:
    """exp(x) over the sum of it, along the last axis."""
    if math.prod(x.shape) >= _MANY and x.shape[-1] in _MULTIPLIED:
        return _multiplied_shares(c, step, x)
    _peak, powers, sums = exponentials(c, step, x)
    k = 2**_SHARE_BITS
    factor = round(k * powers.scale / sums.scale)
    made = c.builder.divide(powers, spread(c, sums, x.shape), factor, within=(0, k))
    # Each share is rounded by at most half a unit.
    return made.with_(scale=1 / k, most=k + (x.shape[-1] + 1) // 2)


def _multiplied_shares(c: Context, step: Step, x: Value) -> Value:
    """The same by one division a line: exp(x) times the reciprocal of the sum.

    Of n elements a reciprocal is off by at most n / 2^16 of itself, that of the largest share by
    2^-16; powers are off by 2^-14 of the largest one.
    """
    b = c.builder
    _peak, powers, sums = exponentials(c, step, x, _FEWER_POWER_BITS)
    one = broadcast(b, b.const(np.ones((1,) * len(sums.shape))), sums.shape)
    reciprocals = b.divide(one, sums, SUM_LIMIT)
    # No power is above the sum, so that no product is above the limit by more than rounding adds.
    products = b.mul(powers, spread(c, reciprocals, x.shape))
    shift = SUM_LIMIT.bit_length() - 1 - _SHARE_BITS
    k = 2**_SHARE_BITS
    made = b.rescale(products, 1, shift, clamp=(0, k))
    # For each element the reciprocal adds a unit to the sum at most, and rounding half of one.
    return made.with_(scale=1 / k, most=k + 2 * x.shape[-1])


@lowers("LogSoftmax")
def _log_softmax(c: Context, step: Step) -> Value:
    def function(c: Context, step: Step, x: Value) -> Value:
        peak, _powers, sums = exponentials(c, step, x)
        logarithm = table(c, step, sums.with_(span=None), np.log)
        offset = add_values(c.builder, [peak, logarithm])
        return add_values(c.builder, [x, spread(c, offset, x.shape)], [1, -1])

    return _over_axis(c, step, function)


def _over_axis(c: Context, step: Step, function: Callable[[Context, Step, Value], Value]) -> Value:
    x = c.value(step, 0)
    rank = len(x.shape)
    if c.program.opset < 13:
        # Everything from the axis on is one.
        axis = int(step.attributes.get("axis", 1)) % rank
        rows = (math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))
        return reshape(c.builder, function(c, step, reshape(c.builder, x, rows)), x.shape)
    axis = int(step.attributes.get("axis", -1)) % rank
    made = function(c, step, axes_last(c, x, [axis]))
    order = [*range(axis), rank - 1, *range(axis, rank - 1)]
    return transpose(c.builder, made, order)


def normalised(c: Context, x: Value, epsilon: float, centred: bool = True) -> Value:
    """(x - mean) / sqrt(variance + epsilon) over the last axis; without `centred`, of x itself.

    The quotient is at most sqrt(n) by the inequality of Cauchy and Schwarz; rounding of squares
    is made up for by as much in epsilon.
    """
    b = c.builder
    n = x.shape[-1]
    if centred:
        width = x.real[1] - x.real[0]
        x = fit(b, x, SUM_LIMIT // (4 * n))
        sums = b.sum(x, 1)
        x = b.add([x, spread(c, sums, x.shape)], [n, -1]).with_(scale=x.scale / n)
        x = x.with_(span=(-width, width))
    x = fit(b, x, 2**13 - 1)
    squares = b.mul(x, x)
    shift = max(0, math.ceil(math.log2(n)) - 1)
    while n * (x.bound**2 >> shift) >= SUM_LIMIT:
        shift += 1
    if shift:
        squares = b.rescale(squares, 1, shift)
    variance_unit = x.scale**2 * 2.0**shift / n
    sums = b.sum(squares, 1)
    least = n // 2 + 1 if shift else 1
    sums = b.add([sums], [1], max(least, round(epsilon / variance_unit)), fixed=True)
    k = 1
    while k < 2**28 and 4 * k * sums.hi < 2**50:
        k *= 4
    deviation = b.root(sums, k)
    # z = x * sqrt(n) * sqrt(k) / (2^(shift/2) * deviation)
    factor = math.sqrt(n * k) / 2.0 ** (shift / 2)
    limit = math.sqrt(n) * 1.001 + 1
    units = 2.0**_NORMAL_BITS / power_of_two_above(limit)
    scale_k = max(1, min(2**30, round(units * factor)))
    unit = factor / scale_k
    reach = math.ceil(limit / unit) + 1
    spot = spread(c, deviation, x.shape)
    made = b.divide(x, spot, scale_k, within=(-reach, reach))
    return made.with_(scale=unit)


@lowers("LayerNormalization")
def _layer_normalization(c: Context, step: Step) -> Value:
    if any(step.outputs[1:]):
        raise unsupported(step, "its mean or deviation is used", "one output")
    x = c.value(step, 0)
    rank = len(x.shape)
    axis = int(step.attributes.get("axis", -1)) % rank
    epsilon = float(step.attributes.get("epsilon", 1e-5))
    rows = (*x.shape[:axis], math.prod(x.shape[axis:]))
    made = reshape(c.builder, normalised(c, reshape(c.builder, x, rows), epsilon), x.shape)
    return _with_parameters(c, step, made)


@lowers("RMSNormalization")
def _rms_normalization(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    axis = int(step.attributes.get("axis", -1)) % len(x.shape)
    epsilon = float(step.attributes.get("epsilon", 1e-5))
    rows = (*x.shape[:axis], math.prod(x.shape[axis:]))
    flat = normalised(c, reshape(c.builder, x, rows), epsilon, centred=False)
    return _with_parameters(c, step, reshape(c.builder, flat, x.shape))


def _with_parameters(c: Context, step: Step, x: Value) -> Value:
    """x times the second input plus the third."""
    b = c.builder
    gamma, beta = c.constant(step.input(1)), c.constant(step.input(2))
    if gamma is not None:
        x = multiply_constant(b, x, numbers(gamma))
    elif step.input(1):
        x = multiply(b, x, broadcast(b, c.value(step, 1), x.shape))
    if beta is not None:
        x = add_constant(b, x, numbers(beta))
    elif step.input(2):
        x = add_values(b, [x, broadcast(b, c.value(step, 2), x.shape)])
    return x


@lowers("InstanceNormalization")
def _instance_normalization(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    epsilon = float(step.attributes.get("epsilon", 1e-5))
    flat = reshape(c.builder, x, (*x.shape[:2], math.prod(x.shape[2:])))
    made = reshape(c.builder, normalised(c, flat, epsilon), x.shape)
    wide = (-1, *(1 for _ in x.shape[2:]))
    gamma, beta = (numbers(c.needed(step, p, "parameters")).reshape(wide) for p in (1, 2))
    return add_constant(c.builder, multiply_constant(c.builder, made, gamma), beta)


@lowers("GroupNormalization")
def _group_normalization(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    groups = int(step.attributes["num_groups"])
    epsilon = float(step.attributes.get("epsilon", 1e-5))
    flat = reshape(c.builder, x, (x.shape[0], groups, math.prod(x.shape[1:]) // groups))
    made = reshape(c.builder, normalised(c, flat, epsilon), x.shape)
    gamma, beta = (numbers(c.needed(step, p, "parameters")) for p in (1, 2))
    if gamma.size != x.shape[1]:
        # Until opset 21 there is one for each group.
        gamma, beta = (np.repeat(part, x.shape[1] // groups) for part in (gamma, beta))
    wide = (-1, *(1 for _ in x.shape[2:]))
    made = multiply_constant(c.builder, made, gamma.reshape(wide))
    return add_constant(c.builder, made, beta.reshape(wide))


@lowers("MeanVarianceNormalization")
def _mean_variance_normalization(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    axes = sorted(a % len(x.shape) for a in step.attributes.get("axes", [0, 2, 3]))
    moved = axes_last(c, x, axes)
    count = len(moved.shape) - len(axes)
    flat = reshape(c.builder, moved, (*moved.shape[:count], math.prod(moved.shape[count:])))
    made = reshape(c.builder, normalised(c, flat, 1e-9), moved.shape)
    order = [axis for axis in range(len(x.shape)) if axis not in axes] + axes
    return transpose(c.builder, made, [order.index(axis) for axis in range(len(order))])


def _over_absolute_sum(c: Context, x: Value) -> Value:
    """x over the sum of its absolute values along the last axis; 0 where that is 0."""
    b = c.builder
    x = fit(b, x, min(2**20, SUM_LIMIT // (2 * x.shape[-1])))
    sums = b.sum(absolute(b, x), 1)
    sums = b.rescale(sums, clamp=(1, sums.hi))
    k = 2**_SHARE_BITS
    made = b.divide(x, spread(c, sums, x.shape), k, within=(-k, k))
    return made.with_(scale=1 / k)


@lowers("LpNormalization")
def _lp_normalization(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    rank = len(x.shape)
    axis = int(step.attributes.get("axis", -1)) % rank
    moved = axes_last(c, x, [axis])
    if int(step.attributes.get("p", 2)) == 1:
        made = _over_absolute_sum(c, moved)
    else:
        made = normalised(c, moved, 1e-12, centred=False)
        made = made.with_(scale=made.scale / math.sqrt(x.shape[axis]))
    return transpose(c.builder, made, [*range(axis), rank - 1, *range(axis, rank - 1)])
