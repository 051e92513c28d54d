"""Functions of single features of a table, piece by piece in the order of the features' numbers.

What PowerTransformer and QuantileTransformer compute is for each element a function of that element
alone. Where columns are far apart and no unit for each can be moved through it, such a function is
read off at places of the input, and is a straight line between two of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.models.measure import ColumnRanges
from inferproof.proving.sumcheck.lower.evaluate import evaluate
from inferproof.proving.sumcheck.lower.program import Array, Program, Step

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

Ordering = tuple[Callable[[Reals], Ints], Callable[[Ints], Reals]]
"""The places of numbers, and the numbers of places."""

FUNCTION = "FeatureFunction"
"""The operator of a step that is a function of single features."""
OF = "of"
"""Its attribute that is the function."""
_ELEMENTWISE = frozenset(
    {"Abs", "Add", "And", "Cast", "Ceil", "Clip", "Div", "Equal", "Erf", "Exp", "Floor", "Greater"}
    | {"GreaterOrEqual", "Identity", "IsInf", "IsNaN", "Less", "LessOrEqual", "Log", "Max", "Min"}
    | {"Mul", "Neg", "Not", "Or", "Pow", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sqrt"}
    | {"Sub", "Sum", "Tanh", "Where", "Xor"}
)
_CURVED = frozenset({"Erf", "Exp", "Gather", "Log", "Pow", "Reciprocal", "Sigmoid", "Sqrt", "Tanh"})
"""Without one of these a function is as well computed step by step."""
_MOVED = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
_FRACTION_BITS = 23
_GRID = 64
_FINE = 2.0**-13
"""How far from a straight line a function may be, of its largest value."""
_FINEST = 2.0**-17
"""And of the largest value of all: results have no more bits."""
_ROUNDS = 24
_MOST_PROBES = 2**14
_AT_ONCE = 2**18
"""Numbers, for which all steps' results are in memory."""
_MOST_TURNS = 2**19
"""Constants near which a function may turn, for each element of a table."""


@dataclass(frozen=True, slots=True)
class Function:
    """Steps that make of each element of an input one of `made`. `ranges` are the columns'."""

    source: str
    shape: tuple[int, ...]
    steps: tuple[Step, ...]
    made: str
    program: Program
    ranges: ColumnRanges

    def at(self, numbers: Reals) -> Reals:
        """The function at numbers. Shapes: [probes, elements]."""
        rows = max(1, _AT_ONCE // numbers.shape[1])
        parts = [self._at(numbers[n : n + rows]) for n in range(0, len(numbers), rows)]
        return np.concatenate(parts)

    def _at(self, numbers: Reals) -> Reals:
        count = len(numbers)
        known: dict[str, Array] = {
            self.source: numbers.astype(np.float32).reshape(count, *self.shape)
        }
        constants, specs = self.program.constants, self.program.specs
        for step in self.steps:
            name = step.outputs[0]
            shape = (count, *specs[name].shape)
            if step.op in _MOVED:
                known[name] = known[step.input(0)].reshape(shape)
                continue
            given = [known[n] if n in known else constants[n] if n else None for n in step.inputs]
            found = (
                _selected(*given)
                if step.op == "Gather"
                else evaluate(step, given, self.program.opset)[0]
            )
            with np.errstate(all="ignore"):
                known[name] = np.broadcast_to(found.astype(specs[name].dtype), shape)
        return known[self.made].astype(np.float64).reshape(count, -1)

    def constants(self) -> Reals:
        """The numbers of the steps' constants, near which the function may turn."""
        found = [
            np.asarray(self.program.constants[n], np.float64).reshape(-1)
            for step in self.steps
            for n in step.inputs
            if n in self.program.constants and self.program.constants[n].dtype.kind == "f"
        ]
        every = np.concatenate([np.zeros(1), *found])
        every = every[np.isfinite(every)]
        return np.unique(np.concatenate([every, -every]))


def _selected(table: Array | None, index: Array | None) -> Array:
    """Elements of a flat table; beyond its ends, where no sample was, that at the end."""
    assert table is not None  # noqa: S101  (the pass that chose the steps looked)
    assert index is not None  # noqa: S101
    places = np.where(index < 0, index + table.size, index)
    return np.asarray(table[np.clip(places, 0, table.size - 1)])


def feature_functions(program: Program, ranges: dict[str, ColumnRanges]) -> None:
    """Makes one step of all that is computed of single elements of these inputs, where nothing else
    reads them. An input is a table. Shapes: [1, columns]."""
    for name, seen in ranges.items():
        inside = _region(program, name)
        shown = {spec.name for spec in program.outputs}
        outside = [step for step in program.steps if step.outputs[0] not in inside]
        read = shown.union(*(step.inputs for step in outside)) if outside else shown
        steps = [step for step in program.steps if step.outputs[0] in inside]
        ends = [step for step in steps if step.outputs[0] in read]
        real = all(program.specs[step.outputs[0]].dtype == "float32" for step in ends)
        curved = any(step.op in _CURVED for step in steps)
        if name in read or not ends or not real or not curved:
            continue
        shape = program.specs[name].shape
        functions = [
            Function(name, shape, tuple(steps), step.outputs[0], program, seen) for step in ends
        ]
        if functions[0].constants().size * np.prod(shape) > _MOST_TURNS:
            continue
        made = {
            step.outputs[0]: Step(step.node, FUNCTION, (), step.outputs, {OF: of}, step.index)
            for step, of in zip(ends, functions, strict=True)
        }
        program.steps = [
            made.get(step.outputs[0], step)
            for step in program.steps
            if step.outputs[0] not in inside or step.outputs[0] in made
        ]


def _region(program: Program, source: str) -> set[str]:
    """The values of which each element is computed of one of the input's, in its place."""
    known = {source}
    for step in program.steps:
        names = [n for n in step.inputs if n and n not in program.constants]
        if not names or len(step.outputs) != 1 or not known.issuperset(names):
            continue
        shape = program.specs[step.outputs[0]].shape
        table = program.constants.get(step.input(0))
        if step.op in _MOVED:
            if np.prod(shape) == np.prod(program.specs[names[0]].shape):
                known.add(step.outputs[0])
        elif step.op == "Gather":
            if table is not None and table.ndim == 1:
                known.add(step.outputs[0])
        elif step.op in _ELEMENTWISE and all(program.specs[n].shape == shape for n in names):
            known.add(step.outputs[0])
    return known - {source}


@dataclass(frozen=True, slots=True)
class Pieces:
    """Straight pieces of functions, from a place of the feature on each.

    Shapes: all [elements, pieces]; `starts` rise, and are beyond all places where there are fewer
    pieces. A piece rises by `rise` from `value` on its `length`.
    """

    starts: Ints
    lengths: Ints
    values: Reals
    rises: Reals


def straight_pieces(function: Function, ends: Ints, beyond: int, order: Ordering) -> Pieces:
    """The pieces of a function between places, before and after which it stays as it is there.

    Shapes: `ends` [2, elements]; no place is `beyond`.
    """
    places, numbers = order
    turns = places(function.constants())
    binades = np.arange(-(2**5), 2**5 + 1) << _FRACTION_BITS
    offsets = np.array([-1, 0, 1])
    fixed = np.unique(np.concatenate([(turns[:, None] + offsets).reshape(-1), binades]))
    probes = []
    for first, last in ends.T:
        grid = np.linspace(first, last, _GRID).astype(np.int64)
        inside = fixed[(fixed > first) & (fixed < last)]
        probes.append(np.unique(np.concatenate([grid, inside])))
    found = _read(function, probes, numbers)
    for _ in range(_ROUNDS):
        middles = [(at[:-1] + at[1:]) >> 1 for at in probes]
        seen = _read(function, middles, numbers)
        more = [
            middle[np.abs(value - np.interp(middle, at, held)) > near]
            for middle, value, at, held, near in zip(
                middles, seen, probes, found, _near(found), strict=True
            )
        ]
        if not any(new.size for new in more) or max(map(len, probes)) > _MOST_PROBES:
            break
        probes = [np.unique(np.concatenate(pair)) for pair in zip(probes, more, strict=True)]
        found = _read(function, probes, numbers)
    kept = [_corners(*each) for each in zip(probes, found, _near(found), strict=True)]
    count = max(map(len, kept))
    starts = np.full((len(kept), count), beyond, np.int64)
    lengths = np.ones((len(kept), count), np.int64)
    values, rises = np.zeros((len(kept), count)), np.zeros((len(kept), count))
    for row, (at, held, corners) in enumerate(zip(probes, found, kept, strict=True)):
        size = len(corners)
        starts[row, :size] = at[corners]
        lengths[row, : size - 1] = np.diff(at[corners])
        # From the last on it stays as it is.
        lengths[row, size - 1] = 2 * beyond
        values[row, :size] = held[corners]
        rises[row, : size - 1] = np.diff(held[corners])
    return Pieces(starts, lengths, values, rises)


def _near(found: list[Reals]) -> list[float]:
    """How far from a straight line each function may be."""
    sizes = [float(np.abs(values).max()) for values in found]
    return [max(_FINE * size, _FINEST * max(sizes)) for size in sizes]


def _read(function: Function, probes: list[Ints], numbers: Callable[[Ints], Reals]) -> list[Reals]:
    """The function of each element at its own places, which differ in number."""
    longest = max(map(len, probes))
    wide = np.stack([np.pad(at, (0, longest - len(at)), mode="edge") for at in probes], 1)
    found = function.at(numbers(wide))
    return [_finite(found[: len(at), row]) for row, at in enumerate(probes)]


def _finite(held: Reals) -> Reals:
    """The values, with one between its neighbours where one is not finite."""
    good = np.flatnonzero(np.isfinite(held))
    if good.size in (0, held.size):
        return np.nan_to_num(held, nan=0.0, posinf=0.0, neginf=0.0)
    return np.interp(np.arange(held.size), good, held[good])


def _corners(at: Ints, held: Reals, fine: float) -> Ints:
    """Probes between which straight lines are near all others: from each as far as one is."""

    def near(first: int, last: int) -> bool:
        part = slice(first, last + 1)
        line = np.interp(at[part], at[[first, last]], held[[first, last]])
        return bool((np.abs(line - held[part]) <= fine).all())

    corners, here = [0], 0
    while here < len(at) - 1:
        step = 1
        while here + 2 * step < len(at) and near(here, here + 2 * step):
            step *= 2
        reached, width = here + step, step
        while width:
            if reached + width < len(at) and near(here, reached + width):
                reached += width
            width //= 2
        here = reached
        corners.append(here)
    return np.array(corners)
