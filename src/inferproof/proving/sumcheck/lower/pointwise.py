"""Operators that work element by element."""

import math
from collections.abc import Callable

import numpy as np

from inferproof.proving.sumcheck.lower.arithmetic import (
    absolute,
    add_constant,
    add_values,
    divide,
    joint_source,
    maximum,
    minimum,
    multiply,
    multiply_constant,
    negated,
    scaled_by,
    square_root,
)
from inferproof.proving.sumcheck.lower.context import Array, Context, lowers
from inferproof.proving.sumcheck.lower.evaluate import evaluate
from inferproof.proving.sumcheck.lower.logic import MASK, mask_floor
from inferproof.proving.sumcheck.lower.movement import broadcast, concat, reshape, taken
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.rewrite import BEYOND
from inferproof.proving.sumcheck.lower.scaling import clamped, in_steps
from inferproof.proving.sumcheck.lower.tables import table
from inferproof.proving.sumcheck.lower.thresholds import answer, traced
from inferproof.proving.sumcheck.lower.value import Points, Value
from inferproof.proving.sumcheck.lower.whole import divide_whole

_BY_TABLE = (
    "Acos Acosh Asin Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid "
    "HardSwish LeakyRelu Log Mish Reciprocal Selu Shrink Sigmoid Sin Sinh Softplus "
    "Softsign Swish Tan Tanh ThresholdedRelu"
)


def _function(c: Context, step: Step, place: int = 0) -> Callable[[Points], Points]:
    """The operator as a function of one of its inputs, the others constant single numbers."""

    def function(points: Points) -> Points:
        inputs: list[Array | None] = []
        for other, name in enumerate(step.inputs):
            if other == place:
                inputs.append(points.astype(np.float64))
            else:
                array = c.constant(name)
                inputs.append(None if array is None else array.astype(np.float64).reshape(-1))
        return numbers(evaluate(step, inputs, c.program.opset)[0])

    return function


@lowers(*_BY_TABLE.split())
def _by_table(c: Context, step: Step) -> Value:
    if traced(step):
        return answer(c, step)
    x = c.value(step, 0)
    if c.whole(step.input(0)) and step.op in ("Floor", "Ceil"):
        return x
    return table(c, step, x, _function(c, step), c.span(step.outputs[0]))


@lowers("Round")
def _round(c: Context, step: Step) -> Value:
    if traced(step):
        return answer(c, step)
    x = c.value(step, 0)
    if c.whole(step.input(0)):
        return x
    ends = (math.floor(x.real[0]), math.ceil(x.real[1]))
    if x.source is not None or ends[1] - ends[0] < _FINE_RANGE:
        # As the standard rounds what lies half-way.
        return table(c, step, x, _function(c, step), c.span(step.outputs[0]))
    return in_steps(c.builder, x, 1.0, ends)


@lowers("Relu")
def _relu(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    return clamped(c.builder, x, 0, max(0, x.hi))


@lowers("Clip")
def _clip(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    ends = []
    for place, name in ((1, "min"), (2, "max")):
        array = c.constant(step.input(place))
        if array is None and step.input(place):
            return _clip_computed(c, step, x)
        told = step.attributes.get(name) if array is None else float(array.reshape(-1)[0])
        ends.append(told)
    low, high = ends
    if low is not None and high is not None and low > high:
        # The standard lets the upper end win.
        low = high
    if low is not None and x.hi * x.scale < low:
        return c.embed(np.full(x.shape, float(low)))
    if high is not None and high < x.lo * x.scale:
        return c.embed(np.full(x.shape, float(high)))
    first = x.lo if low is None else round(max(float(low), x.lo * x.scale) / x.scale)
    last = x.hi if high is None else round(min(float(high), x.hi * x.scale) / x.scale)
    return clamped(c.builder, x, first, last)


def _clip_computed(c: Context, step: Step, x: Value) -> Value:
    """An end that is computed is one number for all."""
    for place, combine in ((1, maximum), (2, minimum)):
        if step.input(place):
            end = broadcast(c.builder, reshape(c.builder, c.value(step, place), ()), x.shape)
            x = combine(c.builder, [x, end])
    return x


@lowers("Abs")
def _abs(c: Context, step: Step) -> Value:
    return absolute(c.builder, c.value(step, 0))


@lowers("Neg")
def _neg(c: Context, step: Step) -> Value:
    return negated(c.builder, c.value(step, 0))


@lowers("Sign")
def _sign(c: Context, step: Step) -> Value:
    made = clamped(c.builder, c.value(step, 0).with_(source=None), -1, 1)
    return made.with_(scale=1.0, span=None, source=None)


@lowers("Sqrt")
def _sqrt(c: Context, step: Step) -> Value:
    return square_root(c.builder, c.value(step, 0))


@lowers("PRelu")
def _prelu(c: Context, step: Step) -> Value:
    x = c.value(step, 0)
    slope = c.constant(step.input(1))
    b = c.builder
    positive = clamped(b, x, 0, max(0, x.hi))
    negative = clamped(b, x, min(0, x.lo), 0)
    if slope is None:
        other = broadcast(b, c.value(step, 1), x.shape)
        scaled = multiply(b, negative, other)
    elif slope.size == 1:
        number = float(slope.reshape(-1)[0])
        return table(c, step, x, lambda p: np.where(p < 0, p * number, p))
    else:
        scaled = multiply_constant(b, negative, numbers(slope))
    return add_values(b, [positive, scaled])


def _operands(c: Context, step: Step) -> tuple[list[Value], list[Points]]:
    """The step's computed operands in the shape of its result, and its constant ones."""
    shape = c.shape(step.outputs[0])
    values, constants = [], []
    for place, name in enumerate(step.inputs):
        array = c.constant(name)
        if array is None:
            values.append(broadcast(c.builder, c.value(step, place), shape))
        else:
            constants.append(numbers(array))
    return values, constants


@lowers("Add", "Sum", "Mean")
def _add(c: Context, step: Step) -> Value:
    values, constants = _operands(c, step)
    made = values[0] if len(values) == 1 else add_values(c.builder, values)
    for constant in constants:
        lowest = float(constant.min())
        if lowest <= -BEYOND or (lowest < MASK and made.largest < -MASK / 16):
            constant = np.maximum(constant, mask_floor(made))
        made = add_constant(c.builder, made, constant)
    return scaled_by(c.builder, made, 1 / len(step.inputs)) if step.op == "Mean" else made


@lowers("Sub")
def _sub(c: Context, step: Step) -> Value:
    values, constants = _operands(c, step)
    b = c.builder
    if not constants:
        return add_values(b, values, [1, -1])
    if c.constant(step.input(0)) is None:
        return add_constant(b, values[0], -constants[0])
    return add_constant(b, negated(b, values[0]), constants[0])


@lowers("Mul")
def _mul(c: Context, step: Step) -> Value:
    values, constants = _operands(c, step)
    if constants:
        return multiply_constant(c.builder, values[0], constants[0])
    joint = _joint(c, step, values, np.multiply)
    return multiply(c.builder, *values) if joint is None else joint


def _joint(
    c: Context, step: Step, values: list[Value], function: Callable[..., Points]
) -> Value | None:
    """One table for a function of several values that are functions of one tensor."""
    if all(v.origin.root.tensor == v.tensor for v in values):
        return None
    source = joint_source(values, function)
    if source is None:
        return None
    root = source.root.with_(source=None)
    return table(c, step, root, source.function, c.span(step.outputs[0]))


@lowers("Div")
def _div(c: Context, step: Step) -> Value:
    values, constants = _operands(c, step)
    b = c.builder
    if c.whole(step.outputs[0]):
        return divide_whole(c, step)
    if len(values) == 1 and c.constant(step.input(1)) is not None:
        with np.errstate(divide="ignore"):
            inverse = 1 / constants[0]
        if not np.isfinite(inverse).all():
            raise unsupported(step, "its divisor is 0", "a divisor that is not 0")
        return multiply_constant(b, values[0], inverse)
    if len(values) == 1:
        above = b.const(np.full(values[0].shape, 2**15), fixed=True).with_(scale=2.0**-15)
        made = _quotient(c, step, above, values[0])
        return multiply_constant(b, made, constants[0])
    joint = _joint(c, step, values, np.divide)
    return _quotient(c, step, *values) if joint is None else joint


def _quotient(c: Context, step: Step, above: Value, below: Value) -> Value:
    span = c.span(step.outputs[0])
    largest = None if span is None else max(map(abs, span))
    made = divide(c.builder, above, below, largest)
    if made is None:
        raise unsupported(
            step,
            "its divisor is 0 or of both signs on the calibration data",
            "a divisor that is bounded away from 0, such as x + 1",
        )
    return made


@lowers("Pow")
def _pow(c: Context, step: Step) -> Value:
    exponent = c.constant(step.input(1))
    shape = c.shape(step.outputs[0])
    if exponent is None:
        return _pow_computed(c, step)
    powers = np.unique(numbers(exponent))
    if powers.size > _MOST_POWERS:
        raise unsupported(
            step, f"it has {powers.size} different exponents", f"at most {_MOST_POWERS}"
        )
    x = broadcast(c.builder, c.value(step, 0), shape)
    found = [_power(c, step, x, float(power)) for power in powers]
    if len(found) == 1:
        return found[0]
    # Each element from the results of its exponent.
    size = math.prod(shape)
    every = concat(c.builder, [reshape(c.builder, v, (size,)) for v in found], 0)
    which = np.broadcast_to(np.searchsorted(powers, numbers(exponent)), shape)
    return taken(c.builder, every, which * size + np.arange(size).reshape(shape))


def _power(c: Context, step: Step, x: Value, power: float) -> Value:
    if power == 1.0:
        return x
    if power == 2.0:
        made = multiply(c.builder, x, x)
        return made.with_(source=x.origin.then(np.square))
    if power == 0.5:
        return square_root(c.builder, x)
    return table(c, step, x, lambda p: np.power(p, power), c.span(step.outputs[0]))


def _pow_computed(c: Context, step: Step) -> Value:
    """exp(y log x) for x above 0; of a constant x a function of y alone."""
    b = c.builder
    shape = c.shape(step.outputs[0])
    base, span = c.constant(step.input(0)), c.span(step.outputs[0])
    y = broadcast(b, c.value(step, 1), shape)
    if base is None:
        x = c.value(step, 0)
        # Whole numbers have no span: what the calibration data held bounds them.
        lowest = c.program.ranges[step.input(0)].low
        if lowest <= 0:
            raise unsupported(
                step,
                "its base is 0 or below on the calibration data and its exponent is computed",
                "a base above 0, or a constant exponent",
            )
        least = max(lowest / _BELOW, x.scale)
        logarithm = table(c, step, x, lambda p: np.log(np.maximum(p, least)))
        exponent = multiply(b, broadcast(b, logarithm, shape), y)
    elif (numbers(base) <= 0).any():
        raise unsupported(step, "its base is 0 or below", "a base above 0")
    else:
        exponent = multiply_constant(b, y, np.log(numbers(base)))
    if span is not None and span[1] > 0:
        # Above this the result is beyond what was seen.
        top = math.log(span[1]) + 1
        exponent = exponent.with_(span=(min(exponent.real[0], top - 1), min(exponent.real[1], top)))
    made = table(c, step, exponent.with_(source=None), np.exp, span)
    if c.whole(step.outputs[0]):
        return table(c, step, made, np.rint)
    return made


@lowers("Max")
def _max(c: Context, step: Step) -> Value:
    return _extreme(c, step, maximum)


@lowers("Min")
def _min(c: Context, step: Step) -> Value:
    return _extreme(c, step, minimum)


def _extreme(c: Context, step: Step, combine: Callable[..., Value]) -> Value:
    values, constants = _operands(c, step)
    b = c.builder
    if len(values) == 1 and all(item.size == 1 for item in constants):
        x = values[0]
        first, last = x.lo, x.hi
        for item in constants:
            end = round(float(np.clip(item.reshape(-1)[0] / x.scale, -(2**30), 2**30)))
            if step.op == "Max":
                first = max(first, end)
            else:
                last = min(last, end)
        if first <= x.hi and last >= x.lo:
            return clamped(c.builder, x, first, last)
    shape = c.shape(step.outputs[0])
    # Beyond all computed values a constant is as good as at their end.
    ends = [v.real for v in values]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    values += [broadcast(b, c.embed(np.clip(item, low, high)), shape) for item in constants]
    return combine(b, values)


_FINE_RANGE = 16
"""Within so many whole numbers a table tells apart enough points between two of them."""
_MOST_POWERS = 16
"""Different constant exponents: each is a table over all elements."""
_BELOW = 2.0
"""How far below what was seen a base may be before it is cut."""
