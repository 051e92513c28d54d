"""Comparisons, truth values, and choices by them."""

import math

import numpy as np

from inferproof.proving.sumcheck.lower.arithmetic import aligned_pair, choose
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.movement import broadcast
from inferproof.proving.sumcheck.lower.program import Step, numbers
from inferproof.proving.sumcheck.lower.rewrite import BEYOND
from inferproof.proving.sumcheck.lower.thresholds import answer, traced
from inferproof.proving.sumcheck.lower.value import Value

_FLOOR = -64.0
"""What is so far below 0 has an exponential of 0 beside that of 0."""
MASK = -1e4
"""Constants below this stand for minus infinity when they mask."""


def difference(c: Context, step: Step) -> Value:
    """The first operand less the second, in whole numbers of one scale."""
    shape = c.shape(step.outputs[0])
    found = [broadcast(c.builder, c.value(step, place), shape) for place in (0, 1)]
    first, second = aligned_pair(c.builder, *found)
    return c.builder.add([first, second], [1, -1])


_SIDES = {"Greater": (1, 0), "Less": (-1, 0), "GreaterOrEqual": (1, 1), "LessOrEqual": (-1, 1)}
"""The sign of the difference that is above 0 where the operator holds, and what is added to it."""


@lowers(*_SIDES)
def _compare(c: Context, step: Step) -> Value:
    if traced(step):
        return answer(c, step)
    b = c.builder
    sign, more = _SIDES[step.op]
    found = difference(c, step)
    if (sign, more) != (1, 0):
        found = b.add([found], [sign], more or None, fixed=True)
    return b.rescale(found, clamp=(0, 1))


@lowers("Equal")
def _equal(c: Context, step: Step) -> Value:
    if traced(step):
        return answer(c, step)
    for place in (0, 1):
        array = c.constant(step.input(place))
        if array is not None and (np.asarray(array) == -BEYOND).all():
            # What was infinite stands at _FLOOR or below (mask_floor).
            x = broadcast(c.builder, c.value(step, 1 - place), c.shape(step.outputs[0]))
            last = math.floor((_FLOOR + 1) / x.scale)
            below = c.builder.add([x], [-1], last + 1, fixed=True)
            return c.builder.rescale(below, clamp=(0, 1))
    return equals_zero(c, difference(c, step))


def equals_zero(c: Context, v: Value) -> Value:
    """1 where the integer is 0, else 0."""
    b = c.builder
    sides = [b.rescale(v, clamp=(0, 1)), b.rescale(b.add([v], [-1]), clamp=(0, 1))]
    return b.add(sides, [-1, -1], 1, within=(0, 1), fixed=True)


@lowers("Not")
def _not(c: Context, step: Step) -> Value:
    return c.builder.add([c.value(step, 0)], [-1], 1, within=(0, 1), fixed=True)


def _truths(c: Context, step: Step) -> list[Value]:
    shape = c.shape(step.outputs[0])
    return [broadcast(c.builder, c.value(step, place), shape) for place in (0, 1)]


@lowers("And")
def _and(c: Context, step: Step) -> Value:
    one, other = _truths(c, step)
    return c.builder.mul(one, other)


@lowers("Or")
def _or(c: Context, step: Step) -> Value:
    return c.builder.rescale(c.builder.add(_truths(c, step), [1, 1]), clamp=(0, 1))


@lowers("Xor")
def _xor(c: Context, step: Step) -> Value:
    one, other = _truths(c, step)
    both = c.builder.mul(one, other)
    return c.builder.add([one, other, both], [1, 1, -2], within=(0, 1))


@lowers("Where")
def _where(c: Context, step: Step) -> Value:
    shape = c.shape(step.outputs[0])
    condition = c.constant(step.input(0))
    b = c.builder
    if condition is not None and condition.all() == condition.any():
        return broadcast(b, c.value(step, 1 if condition.any() else 2), shape)
    found = []
    for place in (1, 2):
        array = c.constant(step.input(place))
        if array is not None and float(array.min(initial=0)) < MASK and array.dtype.kind == "f":
            other = c.value(step, 3 - place)
            array = np.maximum(numbers(array), mask_floor(other))
        value = c.value(step, place) if array is None else c.embed(array)
        found.append(broadcast(b, value, shape))
    mask = c.value(step, 0) if condition is None else b.const(condition.astype(np.int64))
    return choose(b, broadcast(b, mask, shape), *found)


def mask_floor(other: Value) -> float:
    """A number so far below a value that its exponential beside the value's is 0."""
    low, high = other.real
    return min(low, 0.0) - max(high, 0.0) + _FLOOR
