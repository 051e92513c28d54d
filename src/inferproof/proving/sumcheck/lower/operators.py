"""Every lowering, and what of it depends on several subjects."""

from inferproof.proving.sumcheck.lower import (  # noqa: F401  (they register themselves)
    attention,
    dense,
    einsum,
    fourier,
    gridsample,
    pointwise,
    pooling,
    quantised,
    recurrent,
    reduce,
    resize,
    scatter,
    shape,
    sorting,
    trees,
    vision,
    whole,
)
from inferproof.proving.sumcheck.lower.context import REGISTRY
from inferproof.proving.sumcheck.lower.program import Program
from inferproof.proving.sumcheck.lower.rewrite import NEVER

_ALONE = frozenset({"Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten"})

_MADE = "BlackmanWindow Constant ConstantOfShape HammingWindow HannWindow MelWeightMatrix Range"
FOLDED = frozenset({*_MADE.split(), "Shape", "Size"}) | NEVER
"""Operators whose results are constants once every shape is known."""

SUPPORTED = frozenset(REGISTRY) | FOLDED
"""Operators that a graph may hold; some only in part (specs/quantisation.md)."""


def whole_range(program: Program, name: str) -> tuple[int, int]:
    """The whole numbers that an input may hold: rows of a table that it selects, or those seen."""
    found = program.ranges[name]
    low, high = min(0, int(found.low)), int(found.high)
    names = {name}
    for step in program.steps:
        if step.op in _ALONE and step.input(0) in names:
            names.add(step.outputs[0])
        if step.op == "Gather" and step.input(1) in names and step.input(0) not in names:
            array = program.constants.get(step.input(0))
            shape = program.specs[step.input(0)].shape if array is None else array.shape
            axis = int(step.attributes.get("axis", 0))
            high = max(high, shape[axis] - 1)
    return low, high
