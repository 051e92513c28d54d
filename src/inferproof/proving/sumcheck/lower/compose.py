"""Writes what is a polynomial of a row's columns as one product with weights, made in binary64.

Exporters spell out kernels and densities with steps whose results are large and whose difference is
small: a linear kernel as products with every support vector, of which the sum is then taken, a
squared distance as |x|² - 2 x·y + |y|², a density with squares of columns that are as far apart as
the columns twice. Rounded step by step nothing is left of the small ones. The coefficients of the
whole are known when compiling: they are composed, and the row is read once, about its middle.
"""

import numpy as np
import numpy.typing as npt

from inferproof.models.measure import ColumnRanges, ValueRange
from inferproof.proving.sumcheck.lower.polynomials import Following, Polynomial
from inferproof.proving.sumcheck.lower.program import Program, Step, renamed
from inferproof.types.tensor import TensorSpec

Reals = npt.NDArray[np.float64]

_FREE = 2**12
"""So few weights are fine even where the steps had fewer."""
_MOST_SQUARES = 2**20
"""Weights of squares at most."""


def compose(program: Program, columns: dict[str, ColumnRanges]) -> None:
    """Rewrites the program in place. `columns` are the ranges of inputs that are tables."""
    every = _followed(program, frozenset())
    # What others read is not computed twice: later steps start from it.
    cut = frozenset(name for name in _shown(program, every) if every[name].sums)
    found = _followed(program, cut)
    shown = _shown(program, found)
    steps: list[Step] = []
    for step in program.steps:
        known = found.get(step.outputs[0])
        if known is None or not _worth(known) or step.outputs[0] not in shown:
            steps.append(step)
        else:
            steps += _Writer(program, step, known, columns).write()
    program.steps = steps
    program.drop_unused()


def _followed(program: Program, cut: frozenset[str]) -> dict[str, Polynomial]:
    following = Following(program, cut)
    for step in program.steps:
        following.take(step)
    return following.found


def _shown(program: Program, found: dict[str, Polynomial]) -> set[str]:
    """Those that are outputs, or read by what is no polynomial of the same base."""
    names = {spec.name for spec in program.outputs}
    for step in program.steps:
        made = found.get(step.outputs[0])
        names.update(x for x in step.inputs if x and (made is None or made.base == x))
    return names & set(found)


def _worth(found: Polynomial) -> bool:
    """Whether one product is more exact than the steps, and not much larger."""
    size = found.linear.size
    if found.squares is not None:
        return found.sums > 0 and found.mixed and 2 * size <= _MOST_SQUARES
    several = found.sums > 1 or (found.sums == 1 and found.joined)
    return several and size <= max(found.weights, _FREE)


class _Writer:
    """The steps that compute one polynomial in the place of one step."""

    def __init__(
        self,
        program: Program,
        step: Step,
        found: Polynomial,
        columns: dict[str, ColumnRanges],
    ) -> None:
        self._program = program
        self._step = step
        self._found = found
        self._seen = columns.get(found.base)
        self._steps: list[Step] = []

    def write(self) -> list[Step]:
        """linear · base + constant, and with squares those of the base less its middle."""
        found, base = self._found, self._found.base
        out, shape = self._step.outputs[0], self._found.shape
        size = self._program.specs[base].shape[-1]
        linear = found.linear.reshape(size, -1)
        constant = found.constant.reshape(-1)
        if self._program.specs[base].shape != (1, size):
            base = self._reshaped(base, (1, size))
        if found.squares is None:
            made = self._product(base, linear, constant)
        else:
            made = self._with_squares(base, found.squares.reshape(size, -1), linear, constant)
        if shape == (1, constant.size):
            last = self._steps[-1]
            self._steps[-1] = renamed(last, outputs=(out,))
        else:
            self._reshaped(made, shape, out)
        return self._steps

    def _with_squares(self, base: str, squares: Reals, linear: Reals, constant: Reals) -> str:
        """x² = (x - m)² + 2 m x - m², with m the middle of what was seen."""
        middle, reach = self._around(len(squares))
        one = self._product(
            base, linear + 2 * middle[:, None] * squares, constant - np.square(middle) @ squares
        )
        if middle.any():
            base = self._added("Sub", (base, self._constant(middle[None])), (1, len(middle)))
            self._range(base, -reach, reach)
        # No range of its own: cut at twice the largest square a row would lose its square while its
        # product is kept, which is cut at twice the row.
        own = self._added("Mul", (base, base), (1, len(middle)))
        other = self._product(own, squares, np.zeros(len(constant)))
        return self._added("Add", (one, other), (1, len(constant)))

    def _around(self, size: int) -> tuple[Reals, float]:
        """The middle of each column, and how far from it one was at most."""
        seen = self._seen
        if seen is None:
            found = self._program.ranges[self._found.base]
            seen = ColumnRanges(np.full(size, found.low), np.full(size, found.high))
        return (seen.low + seen.high) / 2, float((seen.high - seen.low).max() / 2)

    def _product(self, x: str, weights: Reals, bias: Reals) -> str:
        names = [x, self._constant(weights), self._constant(bias)]
        inputs = tuple(names if bias.any() else names[:2])
        return self._added("Gemm", inputs, (1, len(bias)))

    def _reshaped(self, x: str, shape: tuple[int, ...], out: str = "") -> str:
        told = self._constant(np.array(shape, dtype=np.int64))
        return self._added("Reshape", (x, told), shape, out)

    def _added(
        self, op: str, inputs: tuple[str, ...], shape: tuple[int, ...], out: str = ""
    ) -> str:
        step = self._step
        name = out or f"{step.outputs[0]}~row{len(self._steps)}"
        self._program.specs.setdefault(name, TensorSpec(name, "float32", shape))
        self._steps.append(Step(step.node, op, inputs, (name,), index=step.index))
        return name

    def _constant(self, array: npt.NDArray[np.generic]) -> str:
        name = f"{self._step.outputs[0]}~{len(self._program.constants)}"
        self._program.constants[name] = array
        return name

    def _range(self, name: str, low: float, high: float) -> None:
        self._program.ranges[name] = ValueRange(name, low, high, True)
