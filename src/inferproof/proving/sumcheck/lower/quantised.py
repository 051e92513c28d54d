"""Models that were quantised before: QuantizeLinear and DequantizeLinear."""

import numpy as np

from inferproof.proving.sumcheck.lower.arithmetic import add_constant, scaled_by
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.tables import table
from inferproof.proving.sumcheck.lower.value import Points, Value


def _parameters(c: Context, step: Step) -> tuple[float, float]:
    """Scale and zero point, each one number."""
    scale = numbers(c.needed(step, 1, "scale")).reshape(-1)
    zero = c.optional(step, 2, "zero point")
    offset = np.zeros(1) if zero is None else numbers(zero).reshape(-1)
    if scale.size != 1 or offset.size != 1:
        raise unsupported(step, "its scale differs by channel", "one scale for all")
    if not scale[0] > 0:
        raise unsupported(step, "its scale is not above 0", "a scale above 0")
    return float(scale[0]), float(offset[0])


@lowers("QuantizeLinear")
def _quantize(c: Context, step: Step) -> Value:
    scale, zero = _parameters(c, step)
    limits = np.iinfo(c.program.specs[step.outputs[0]].dtype)

    def function(points: Points) -> Points:
        return np.clip(np.rint(points / scale) + zero, limits.min, limits.max)

    return table(c, step, c.value(step, 0), function)


@lowers("DequantizeLinear")
def _dequantize(c: Context, step: Step) -> Value:
    scale, zero = _parameters(c, step)
    x = add_constant(c.builder, c.value(step, 0), np.array(-zero))
    return scaled_by(c.builder, x, scale)
