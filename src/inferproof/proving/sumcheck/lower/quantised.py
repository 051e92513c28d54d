"""Models that were quantised before: QuantizeLinear and DequantizeLinear in the file's own steps.

Between the two a value is held less its zero point: then the weights of a contraction meet the
steps themselves, and the rescaling behind it is the rounding to the next steps.
"""

import numpy as np

from inferproof.proving.sumcheck.lower.arithmetic import (
    add_constant,
    multiply_constant,
    scaled_by,
)
from inferproof.proving.sumcheck.lower.context import Context, Steps, lowers
from inferproof.proving.sumcheck.lower.program import Program, Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.scaling import in_steps
from inferproof.proving.sumcheck.lower.value import Points, Value

_PASSED_ON = frozenset(
    {"Clip", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Relu", "Reshape", "Slice"}
    | {"Split", "Squeeze", "Transpose", "Unsqueeze"}
)
"""Operators whose result has the scale of their first input."""


def wanted_steps(program: Program) -> dict[str, Steps]:
    """For each value that is quantised next, and read for nothing else, those steps."""
    readers: dict[str, list[Step]] = {}
    for step in program.steps:
        for name in step.inputs:
            readers.setdefault(name, []).append(step)
    shown = {spec.name for spec in program.outputs}
    wanted: dict[str, Steps] = {}
    made = [spec.name for spec in program.inputs]
    made += [name for step in program.steps for name in step.outputs if name]
    for name in reversed(made):
        found = {_wanted_by(program, step, name, wanted) for step in readers.get(name, ())}
        if len(found) == 1 and name not in shown:
            (only,) = found
            if only is not None:
                wanted[name] = only
    return wanted


def _wanted_by(program: Program, step: Step, name: str, wanted: dict[str, Steps]) -> Steps | None:
    """The steps to which this reader of a value brings it."""
    if step.inputs.index(name) != 0 or step.inputs.count(name) > 1:
        return None
    if step.op == "QuantizeLinear":
        scale = program.constants.get(step.input(1))
        if scale is None or scale.size != 1 or not scale.reshape(-1)[0] > 0:
            return None
        limits = np.iinfo(program.specs[step.outputs[0]].dtype)
        return Steps(float(scale.reshape(-1)[0]), limits.max - limits.min)
    if step.op not in _PASSED_ON:
        return None
    further = {wanted.get(output) for output in step.outputs if output}
    return further.pop() if len(further) == 1 else None


def _parameters(c: Context, step: Step) -> tuple[Points, Points]:
    """Scale and zero point, each flat."""
    scale = numbers(c.needed(step, 1, "scale")).reshape(-1)
    zero = c.optional(step, 2, "zero point")
    return scale, np.zeros(1) if zero is None else numbers(zero).reshape(-1)


@lowers("QuantizeLinear")
def _quantize(c: Context, step: Step) -> Value:
    scale, zero = _parameters(c, step)
    if scale.size != 1 or zero.size != 1:
        raise unsupported(step, "its scale differs by channel", "one scale for all")
    if not scale[0] > 0:
        raise unsupported(step, "its scale is not above 0", "a scale above 0")
    limits = np.iinfo(c.program.specs[step.outputs[0]].dtype)
    middle = int(zero[0])
    ends = (limits.min - middle, limits.max - middle)
    found = in_steps(c.builder, c.value(step, 0), float(scale[0]), ends)
    if middle == 0:
        return found
    made = c.builder.add([found], [1], middle)
    c.steps[made.tensor] = (found, float(middle))
    return made


@lowers("DequantizeLinear")
def _dequantize(c: Context, step: Step) -> Value:
    scale, zero = _parameters(c, step)
    x = c.value(step, 0)
    found = c.steps.get(x.tensor)
    if found is not None and zero.size == 1 and found[1] == zero[0]:
        x = found[0]
    else:
        x = add_constant(c.builder, x, -_along(step, zero, x))
    if scale.size == 1:
        return scaled_by(c.builder, x, float(scale[0]))
    return multiply_constant(c.builder, x, _along(step, scale, x))


def _along(step: Step, parameter: Points, x: Value) -> Points:
    """A flat parameter that broadcasts along the step's axis."""
    if parameter.size == 1:
        return parameter.reshape(())
    rank = len(x.shape)
    axis = int(step.attributes.get("axis", 1)) % rank
    if parameter.size != x.shape[axis]:
        raise unsupported(step, "its scale differs by block", "one scale for each channel")
    return parameter.reshape(-1, *(1,) * (rank - axis - 1))
