"""A function of each column of a row by one table with a part for each column.

A power with an exponent for each column, as of a transformer to normal distributions, is many
functions that have no unit in common, and branches that are taken nowhere have no values at all.
From the input to where columns meet, the steps are evaluated in binary64 on each column's range.
"""

import math

import numpy as np

from inferproof.models.measure import ColumnRanges, ValueRange
from inferproof.proving.sumcheck.lower.context import Context, lowers_inner
from inferproof.proving.sumcheck.lower.evaluate import evaluate
from inferproof.proving.sumcheck.lower.polynomials import row
from inferproof.proving.sumcheck.lower.program import Array, Program, Step, numbers
from inferproof.proving.sumcheck.lower.scaling import binary, narrow
from inferproof.proving.sumcheck.lower.tables import MOST_BITS, entries_of, finite
from inferproof.proving.sumcheck.lower.value import Points, Value
from inferproof.types.tensor import TensorSpec

TABULATED = "Tabulated"
"""A step of this program that no file has. Its attributes: `steps`, what it computes of `of`, the
middle of each column, and the unit that the operand, less its middle, has there."""
_FEWEST_BITS = 9
_BEYOND = 2.0
_OPERATORS = (
    "Abs Add And Cast Div Equal Exp Greater GreaterOrEqual Identity IsInf IsNaN Less LessOrEqual "
    "Log Max Min Mul Neg Not Or Pow Reciprocal Relu Sigmoid Sqrt Sub Tanh Where"
)
_BY_ELEMENT = frozenset(_OPERATORS.split())


def tabulate(program: Program, columns: dict[str, ColumnRanges]) -> None:
    """Rewrites powers with an exponent for each column, and what is around them, in place.

    To be called before what asks whether a value is finite is taken for settled: a branch that is
    not taken may have none that are.
    """
    for spec in program.inputs:
        seen = columns.get(spec.name)
        size = spec.shape[-1] if spec.shape else 0
        if seen is None or not row(program, spec.name) or size > 2 ** (MOST_BITS - _FEWEST_BITS):
            continue
        for name in _ends(program, spec.name, size):
            _write(program, spec.name, name, seen)
    program.drop_unused()


def _ends(program: Program, base: str, size: int) -> list[str]:
    """The values at which functions of single columns end, of those with powers of their own."""
    shape = program.specs[base].shape
    inner, special = {base}, set[str]()
    for step in program.steps:
        known = [name for name in step.inputs if name not in program.constants]
        alike = all(program.constants[n].size in (1, size) for n in step.inputs if n not in known)
        spec = program.specs.get(step.outputs[0])
        if (
            step.op in _BY_ELEMENT
            and alike
            and set(known) <= inner
            and spec is not None
            and spec.shape == shape
        ):
            inner.add(step.outputs[0])
            if special.intersection(known) or _several_powers(program, step):
                special.add(step.outputs[0])
    shown = {spec.name for spec in program.outputs}
    for step in program.steps:
        if step.outputs[0] not in inner:
            shown.update(step.inputs)
    return [n for n in sorted(special & shown) if program.specs[n].dtype.startswith("float")]


def _several_powers(program: Program, step: Step) -> bool:
    powers = program.constants.get(step.input(1)) if step.op == "Pow" else None
    return powers is not None and bool((powers != powers.flat[0]).any())


def _write(program: Program, base: str, name: str, seen: ColumnRanges) -> None:
    wanted, steps = {name}, list[Step]()
    for step in reversed(program.steps):
        if wanted.intersection(step.outputs) and step.outputs[0] != base:
            steps.append(step)
            wanted.update(step.inputs)
    place = next(n for n, step in enumerate(program.steps) if name in step.outputs)
    end = program.steps[place]
    middle = (seen.low + seen.high) / 2
    reach = float((seen.high - seen.low).max() / 2)
    around, constant = f"{name}~around", f"{name}~middle"
    program.constants[constant] = middle[None]
    program.specs[around] = TensorSpec(around, "float32", program.specs[base].shape)
    program.ranges[around] = ValueRange(around, -reach, reach, True)
    attributes = {
        "steps": steps[::-1],
        "of": base,
        "middle": middle,
        "units": np.ones(len(middle)),
    }
    program.steps[place : place + 1] = [
        Step(end.node, "Sub", (base, constant), (around,), index=end.index),
        Step(end.node, TABULATED, (around,), (name,), attributes, end.index),
    ]


@lowers_inner(TABULATED)
def _tabulated(c: Context, step: Step) -> Value:
    """The operand in so few integers that all columns' parts have 2^16 entries together."""
    b, given = c.builder, step.attributes
    units, middle = given["units"], given["middle"]
    bits = min(c.options.table_bits, math.floor(math.log2(2**MOST_BITS / len(units))))
    x = narrow(b, binary(b, c.value(step, 0)), bits)
    half = x.bound
    grid = np.arange(-half, half + 1, dtype=np.float64)[:, None] * x.scale * units + middle
    results = _evaluated(c, step, grid)
    span = c.span(step.outputs[0])
    if span is not None:
        most = _BEYOND * max(abs(span[0]), abs(span[1]))
        results = np.clip(results, -most, most)
    entries, scale = entries_of(results.T.reshape(-1))
    offsets = np.arange(len(units)) * (2 * half + 1)
    moved = b.add([x], [1], offsets.reshape(x.shape), within=(x.lo, int(offsets[-1]) + x.hi))
    table = entries[x.lo + half : len(entries) - (half - x.hi)]
    return b.lookup(moved, table).with_(scale=scale)


def _evaluated(c: Context, step: Step, grid: Points) -> Points:
    """The steps on a table of columns; what is not finite is as the nearest that is."""
    values: dict[str, Array] = {step.attributes["of"]: grid}
    for inner in step.attributes["steps"]:
        operands: list[Array | None] = []
        for name in inner.inputs:
            array = values.get(name)
            if array is None:
                array = c.program.constants[name]
                array = array.reshape(-1) if array.size > 1 else array.reshape(())
                array = array.astype(np.float64) if array.dtype.kind == "f" else array
            operands.append(array)
        # Evaluated in binary64 throughout: a cast between reals is none.
        first = operands[0]
        plain = inner.op == "Cast" and not c.whole(inner.outputs[0])
        if not plain or first is None or first.dtype.kind != "f":
            first = evaluate(inner, operands, c.program.opset)[0]
        values[inner.outputs[0]] = first.astype(np.float64) if first.dtype.kind == "f" else first
    found = numbers(np.broadcast_to(values[step.outputs[0]], grid.shape))
    return np.stack([finite(step, column) for column in found.T], axis=1)
