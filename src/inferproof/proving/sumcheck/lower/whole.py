"""Whole numbers divided, shifted, and taken bit by bit."""

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.lower.arithmetic import absolute, aligned_pair
from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.movement import broadcast
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.scaling import SUM_LIMIT
from inferproof.proving.sumcheck.lower.tables import MOST_BITS
from inferproof.proving.sumcheck.lower.value import Value

Ints = npt.NDArray[np.int64]


def _operands(c: Context, step: Step) -> tuple[Value, Value, Value | None]:
    """Dividend and divisor in whole numbers of one scale, the divisor above 0, and its sign.

    Where the divisor is below 0 both have changed their signs. A divisor that is a constant is
    public: no product of quotients with one that is hidden is shown to stay within the field.
    Shapes: that of the result.
    """
    b = c.builder
    shape = c.shape(step.outputs[0])
    array = c.constant(step.input(1))
    if c.whole(step.outputs[0]):
        above, below = (broadcast(b, _whole(c, step, place), shape) for place in (0, 1))
    else:
        found = c.value(step, 0), c.value(step, 1) if array is None else c.embed(array, fixed=True)
        above, below = aligned_pair(b, *(broadcast(b, x, shape) for x in found))
    seen = c.program.ranges.get(step.input(1))
    if array is not None:
        signs = np.sign(numbers(array)).astype(np.int64)
    else:
        signs = np.array(0 if seen is None else _sign(seen.low, seen.high))
    if not signs.all():
        raise unsupported(
            step,
            "its divisor is 0 or of both signs on the calibration data",
            "a divisor of one sign",
        )
    sign, scale = None, above.scale
    if (signs < 0).any():
        sign = broadcast(b, b.const(signs, fixed=True), shape)
        above, below = b.mul(above, sign), b.mul(below, sign)
    below = b.rescale(below, clamp=(1, max(1, below.hi))).with_(scale=scale)
    return above.with_(scale=scale, source=None), below, sign


def _whole(c: Context, step: Step, place: int) -> Value:
    """An operand in units of 1."""
    array = c.constant(step.input(place))
    if array is None:
        return c.value(step, place)
    if int(np.abs(numbers(array)).max()) >= SUM_LIMIT:
        raise unsupported(step, "a constant has more than 28 bits", "smaller numbers")
    return c.builder.const(array, fixed=place == 1)


def _sign(low: float, high: float) -> int:
    return 1 if low > 0 else -1 if high < 0 else 0


def _floored(b: Builder, above: Value, below: Value) -> Value:
    """The quotient of whole numbers, rounded down, for a divisor above 0.

    Divide takes the nearest whole number to a / b, ties up; less half of b, rounded down, that of
    a is the whole number below.
    """
    half = b.add([below, b.rescale(below, 1, 1)], [1, -1])
    corners = [x // y for x in above.interval for y in below.interval]
    return b.divide(b.add([above, half], [1, -1]), below, 1, within=(min(corners), max(corners)))


def _cut_off(b: Builder, above: Value, below: Value) -> Value:
    """The quotient rounded towards 0."""
    if above.lo >= 0:
        return _floored(b, above, below)
    size = _floored(b, absolute(b, above).with_(source=None), below)
    return b.mul(size, b.rescale(above, clamp=(-1, 1)))


def divide_whole(c: Context, step: Step) -> Value:
    """Div of whole numbers: towards 0. Raises: ModelRejected LOWERING_UNSUPPORTED."""
    above, below, _ = _operands(c, step)
    return _cut_off(c.builder, above, below)


@lowers("Mod")
def _mod(c: Context, step: Step) -> Value:
    """The dividend less the divisor times the quotient, which is rounded down or towards 0."""
    b = c.builder
    fmod = bool(step.attributes.get("fmod", 0))
    above, below, sign = _operands(c, step)
    quotient = (_cut_off if fmod else _floored)(b, above, below)
    # Not further than a divisor from the dividend.
    near = (above.lo - below.hi, above.hi + below.hi)
    most = below.hi - 1
    low = -most if fmod and above.lo < 0 else 0
    product = b.mul(quotient, below, within=near)
    left = b.add([above, product], [1, -1], within=(low, most))
    # Both signs were turned together; that of what is left is turned back.
    return (left if sign is None else b.mul(left, sign)).with_(scale=above.scale)


@lowers("BitwiseNot")
def _not(c: Context, step: Step) -> Value:
    limits = np.iinfo(c.program.specs[step.outputs[0]].dtype)
    most = -1 if limits.min < 0 else int(limits.max)
    return c.builder.add([c.value(step, 0)], [-1], most, fixed=True)


@lowers("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift")
def _bitwise(c: Context, step: Step) -> Value:
    """One table of all pairs of operands; of a constant operand only the numbers that it holds."""
    b = c.builder
    shape = c.shape(step.outputs[0])
    places: list[Value] = []
    held: list[Ints] = []
    counts = []
    for place in (0, 1):
        array = c.constant(step.input(place))
        if array is None:
            x = broadcast(b, c.value(step, place), shape)
            counts.append(x.hi - x.lo + 1)
            # Enough to see that there are too many.
            held.append(np.arange(x.lo, min(x.hi, x.lo + 2**MOST_BITS) + 1))
            places.append(b.add([x], [1], -x.lo, fixed=True))
        else:
            values, which = np.unique(array, return_inverse=True)
            held.append(values.astype(np.int64))
            counts.append(values.size)
            places.append(broadcast(b, b.const(which.reshape(array.shape)), shape))
    if counts[0] * counts[1] > 2**MOST_BITS:
        raise unsupported(
            step,
            f"its operands take {counts[0]} and {counts[1]} values",
            "at most 2^16 pairs of values; calibrate with a narrower range",
        )
    dtype = np.dtype(c.program.specs[step.outputs[0]].dtype)
    with np.errstate(all="ignore"):
        first, second = held[0].astype(dtype)[:, None], held[1].astype(dtype)[None, :]
        function = _BITWISE[step.op + str(step.attributes.get("direction", ""))]
        entries = np.asarray(function(first, second), np.int64).reshape(-1)
    where = b.add(places, [held[1].size, 1], within=(0, entries.size - 1))
    return b.lookup(where, entries)


_BITWISE = {
    "BitwiseAnd": np.bitwise_and,
    "BitwiseOr": np.bitwise_or,
    "BitwiseXor": np.bitwise_xor,
    "BitShiftLEFT": np.left_shift,
    "BitShiftRIGHT": np.right_shift,
}
