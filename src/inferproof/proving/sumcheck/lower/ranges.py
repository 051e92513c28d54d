"""Between which whole numbers a value is."""

import math

import numpy as np

from inferproof.proving.sumcheck.lower.context import widened
from inferproof.proving.sumcheck.lower.program import Program
from inferproof.proving.sumcheck.lower.sources import MOVED

_ALONE = frozenset({"Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten"})

_SHOWN = MOVED | {"Expand", "Neg"}


def only_moved(program: Program, name: str) -> bool:
    """Whether a value is shown as it is, in some place, and nothing computes with it."""
    names = {name}
    for step in program.steps:
        if names.isdisjoint(step.inputs):
            continue
        if step.op not in _SHOWN:
            return False
        names.update(step.outputs)
    return True


def rows_selected(program: Program, name: str) -> int:
    """How many rows the largest table has from which a value selects; 0 where it selects none."""
    names, rows = {name}, 0
    for step in program.steps:
        if step.op in _ALONE and step.input(0) in names:
            names.add(step.outputs[0])
        if step.op == "Gather" and step.input(1) in names and step.input(0) not in names:
            array = program.constants.get(step.input(0))
            shape = program.specs[step.input(0)].shape if array is None else array.shape
            rows = max(rows, shape[int(step.attributes.get("axis", 0))])
    return rows


def whole_range(program: Program, name: str) -> tuple[int, int]:
    """The whole numbers that an input may hold: rows of a table that it selects, all of 8 bits, or
    those seen."""
    found = program.ranges[name]
    low, high = min(0, int(found.low)), int(found.high)
    rows = rows_selected(program, name)
    dtype = program.specs[name].dtype
    if dtype in ("int8", "uint8") and not rows:
        # As of a quantised model: the file's own range, of which samples show a part.
        limits = np.iinfo(dtype)
        return limits.min, limits.max
    return low, max(high, rows - 1)


def part_range(program: Program, name: str, margin: float) -> tuple[int, int]:
    """The whole numbers between which a computed value matters: those seen, as much further as
    values may go, and all rows of a table that it selects."""
    seen = program.ranges[name]
    low, high = widened(seen.low, seen.high, margin)
    first, last = math.floor(low), math.ceil(high)
    rows = rows_selected(program, name)
    return (min(first, 0), max(last, rows - 1)) if rows else (first, last)
