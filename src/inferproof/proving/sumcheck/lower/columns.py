"""Units for each column of a table, moved through the scaling of features into weights.

A table's columns are as far apart as dollars and shares. In one unit for all, the small ones would
keep a few values. Each column has a unit of its own here, and what undoes it is not computed: a
number that every column is multiplied by goes behind sums and into factors and weights.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.models.measure import ColumnRanges, ValueRange
from inferproof.proving.sumcheck.lower.program import Program, Step, numbers, renamed
from inferproof.types.tensor import TensorSpec

Reals = npt.NDArray[np.float64]

_ALIKE = 16.0
"""Columns that go no further apart than this have one unit."""
_FARTHEST = 2.0**10
"""How much larger than its range a column's numbers may be, for its unit to be by the range."""
_WIDEST = 2.0**40
"""How far apart units may be: a column that is smaller still is as good as nothing."""
_KEPT = ("Identity", "Cast")
_SUMS = ("Add", "Sub")
_FACTORS = ("Mul", "Div")
_PRODUCTS = ("MatMul", "Gemm")


@dataclass(frozen=True, slots=True)
class Columns:
    """A table `name` in units of its columns: what the model calls `of` is name · units.

    Shapes: units [columns], powers of two of which the largest is 1. `width` is a power of two that
    no column's range is above, in its unit.
    """

    name: str
    of: str
    units: Reals
    width: float


def split_columns(program: Program, ranges: dict[str, ColumnRanges]) -> dict[str, Columns]:
    """For each input that is a table of columns of different sizes, and only scaled or multiplied
    by weights, the program with it in units of its columns: by the name of the input."""
    found: dict[str, Columns] = {}
    for spec in program.inputs:
        seen = ranges.get(spec.name)
        if seen is None or len(spec.shape) != 2 or not spec.dtype.startswith("float"):
            continue
        split = _units(seen)
        if split is None or not _Moving(program, seen).possible(spec.name):
            continue
        made = Columns(f"{spec.name}~columns", spec.name, *split)
        _Moving(program, seen).move(made)
        found[spec.name] = made
    program.drop_unused()
    return found


def unsplit_columns(program: Program, ranges: dict[str, ColumnRanges]) -> dict[str, ColumnRanges]:
    """The inputs that are tables of columns of different sizes, which are read in ways that units
    of columns cannot be moved through."""
    return {
        spec.name: ranges[spec.name]
        for spec in program.inputs
        if spec.name in ranges
        and len(spec.shape) == 2
        and spec.shape[0] == 1
        and spec.dtype == "float32"
        and _units(ranges[spec.name]) is not None
        and not _Moving(program, ranges[spec.name]).possible(spec.name)
    }


def _units(seen: ColumnRanges) -> tuple[Reals, float] | None:
    """A power of two for each column, about its range, over the largest, and that; None where one
    does for all."""
    low, high = seen.low, seen.high
    largest = np.maximum(np.abs(low), np.abs(high))
    size = np.maximum((high - low) / 2, largest / _FARTHEST)
    if not largest.any():
        return None
    size = np.maximum(size, size.max() / _WIDEST)
    if size.max() <= _ALIKE * size.min() and largest.max() <= _ALIKE * size.max():
        return None
    powers = np.ceil(np.log2(size))
    units: Reals = np.exp2(powers - powers.max())
    return units, float(np.exp2(powers.max()))


class _Moving:
    """Moves factors of columns through the steps of a program."""

    def __init__(self, program: Program, seen: ColumnRanges) -> None:
        self._program = program
        self._seen = seen

    def possible(self, name: str) -> bool:
        """Whether all that reads a value can read it in other units."""
        shown = {spec.name for spec in self._program.outputs}
        waiting = [name]
        while waiting:
            at = waiting.pop()
            readers = [step for step in self._program.steps if at in step.inputs]
            if at in shown or not readers or not all(self._takes(step, at) for step in readers):
                return False
            waiting += [
                step.outputs[0] for step in readers if step.op in _KEPT or _squares(step, at)
            ]
        return True

    def _takes(self, step: Step, name: str) -> bool:
        program = self._program
        shape = program.specs[name].shape
        others = [program.constants.get(other) for other in step.inputs if other and other != name]
        if _squares(step, name):
            return True
        if step.inputs.count(name) != 1 or any(other is None for other in others):
            return False
        if program.specs[step.outputs[0]].dtype != program.specs[name].dtype:
            return False
        if step.op in _KEPT:
            return True
        if step.op in _SUMS or step.op in _FACTORS:
            (other,) = others
            flat = other is not None and (other.size == 1 or other.shape[-1] == other.size)
            first = step.inputs[0] == name
            return (
                flat
                and program.specs[step.outputs[0]].shape == shape
                and (first or step.op != "Div")
            )
        if step.op in _PRODUCTS:
            plain = not step.attributes.get("transA") and step.inputs[0] == name
            return plain and others[0] is not None and others[0].ndim == 2
        return False

    def move(self, start: Columns) -> None:
        """Rewrites what reads the input, from step to step."""
        program = self._program
        spec = program.specs[start.of]
        program.specs[start.name] = TensorSpec(start.name, spec.dtype, spec.shape)
        self._range(start.name, self._seen.low / start.units, self._seen.high / start.units)
        waiting = [(start.of, start.name, start.units, self._seen)]
        while waiting:
            name, raw, factor, seen = waiting.pop()
            for place, step in enumerate(program.steps):
                if name not in step.inputs:
                    continue
                if step.op in _PRODUCTS:
                    program.steps[place] = self._multiplied(step, raw, factor, seen)
                    continue
                made = self._scaled(step, name, raw, factor, seen)
                out = step.outputs[0]
                if (made[1] != 0).all() and self.possible(out):
                    waiting.append((out, *made))
                else:
                    inputs = (made[0], self._constant(out, made[1][None, :]))
                    program.steps[place] = Step(
                        step.node, "Mul", inputs, step.outputs, index=step.index
                    )
            self._order()

    def _scaled(
        self, step: Step, name: str, raw: str, factor: Reals, seen: ColumnRanges
    ) -> tuple[str, Reals, ColumnRanges]:
        """The result of a step on raw · factor as another such product, and its range."""
        program = self._program
        if step.op in _KEPT:
            return raw, factor, seen
        if _squares(step, name):
            return self._squared(step, raw, factor, seen)
        place = step.inputs.index(name)
        by = np.broadcast_to(
            numbers(program.constants[step.inputs[1 - place]]).reshape(-1), factor.shape
        )
        if step.op == "Mul":
            return raw, factor * by, _hull(seen.low * by, seen.high * by)
        if step.op == "Div":
            with np.errstate(divide="ignore", invalid="ignore"):
                inverse = np.where(by == 0, 0.0, 1 / by)
            return raw, factor * inverse, _hull(seen.low * inverse, seen.high * inverse)
        sign = 1.0
        if step.op == "Sub" and place == 0:
            moved = _hull(seen.low - by, seen.high - by)
        elif step.op == "Sub":
            # by - name = (name / factor - by / factor) · -factor
            moved, sign = _hull(by - seen.high, by - seen.low), -1.0
        else:
            moved = _hull(seen.low + by, seen.high + by)
            by = -by
        # name - by = (raw - by / factor) · factor
        return self._without(step, raw, factor, by, moved, sign), factor * sign, moved

    def _squared(
        self, step: Step, raw: str, factor: Reals, seen: ColumnRanges
    ) -> tuple[str, Reals, ColumnRanges]:
        """The square, with no range of its own: it is what the value's makes it."""
        program = self._program
        made = f"{step.outputs[0]}~columns"
        program.specs[made] = TensorSpec(made, "float32", program.specs[raw].shape)
        low, high = np.square(seen.low), np.square(seen.high)
        least = np.where((seen.low < 0) & (seen.high > 0), 0.0, np.minimum(low, high))
        moved, units = _hull(least, np.maximum(low, high)), np.square(factor)
        program.steps.append(Step(step.node, "Mul", (raw, raw), (made,), index=step.index))
        return made, units, moved

    def _without(
        self, step: Step, raw: str, factor: Reals, by: Reals, moved: ColumnRanges, sign: float
    ) -> str:
        program = self._program
        made = f"{step.outputs[0]}~columns{len(program.constants)}"
        program.specs[made] = TensorSpec(made, "float32", program.specs[raw].shape)
        constant = self._constant(made, (by / factor)[None, :])
        self._range(made, moved.low / (factor * sign), moved.high / (factor * sign))
        program.steps.append(Step(step.node, "Sub", (raw, constant), (made,), index=step.index))
        return made

    def _multiplied(self, step: Step, raw: str, factor: Reals, seen: ColumnRanges) -> Step:
        """A product with weights: of the columns without their middles, which go into the bias."""
        program = self._program
        weights = numbers(program.constants[step.inputs[1]])
        if step.op == "Gemm":
            weights = weights * float(step.attributes.get("alpha", 1.0))
            weights = weights.T if step.attributes.get("transB") else weights
        bias = np.zeros(weights.shape[1])
        if step.input(2):
            beta = float(step.attributes.get("beta", 1.0)) if step.op == "Gemm" else 1.0
            bias = np.broadcast_to(
                numbers(program.constants[step.inputs[2]]) * beta, (1, len(bias))
            )
            bias = bias.reshape(-1)
        middle = (seen.low + seen.high) / 2
        if (np.abs(middle) > seen.high - seen.low).any():
            around = _hull(seen.low - middle, seen.high - middle)
            raw = self._without(step, raw, factor, middle, around, 1.0)
            bias = bias + middle @ weights
        names = [
            raw,
            self._constant(step.outputs[0], factor[:, None] * weights),
            self._constant(step.outputs[0], bias),
        ]
        inputs = tuple(names if bias.any() else names[:2])
        return renamed(step, op="Gemm", inputs=inputs, attributes={})

    def _constant(self, stem: str, array: Reals) -> str:
        name = f"{stem}~{len(self._program.constants)}"
        self._program.constants[name] = array
        return name

    def _range(self, name: str, low: Reals, high: Reals) -> None:
        low, high = np.minimum(low, high), np.maximum(low, high)
        self._program.ranges[name] = ValueRange(name, float(low.min()), float(high.max()), True)

    def _order(self) -> None:
        """Puts the steps that were added before those that read them."""
        program = self._program
        rank = {n: place for place, step in enumerate(program.steps) for n in step.outputs}
        done: list[Step] = []
        placed: set[int] = set()
        for start in range(len(program.steps)):
            waiting = [start]
            while waiting:
                place = waiting[-1]
                step = program.steps[place]
                before = [rank[n] for n in step.inputs if n in rank and rank[n] not in placed]
                if place in placed:
                    waiting.pop()
                elif before:
                    waiting += before
                else:
                    placed.add(place)
                    done.append(step)
        program.steps = done


def _squares(step: Step, name: str) -> bool:
    """Whether a step multiplies a value by itself. In other units that is a square in theirs, of
    which the large ones must not be put beside the small: a product with weights is to follow."""
    return step.op == "Mul" and step.inputs == (name, name)


def _hull(a: Reals, b: Reals) -> ColumnRanges:
    return ColumnRanges(np.minimum(a, b), np.maximum(a, b))
