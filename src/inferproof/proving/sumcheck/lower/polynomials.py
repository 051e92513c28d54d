"""Values as polynomials of the columns of a row: affine, or with a square of each column.

Steps are followed on coefficients in binary64, so that what cancels between two steps cancels
before anything is rounded to whole numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.lower.program import Array, Program, Step, numbers

Reals = npt.NDArray[np.float64]
Shape = tuple[int, ...]
_Map = Callable[[Reals], Reals]

MOST_COEFFICIENTS = 2**22
"""Of one value, by degree: beyond it is followed no further."""
MOST_IN_ALL = 2**25
"""Of all values, which are in memory together: 270 MB."""


@dataclass(frozen=True, slots=True)
class Polynomial:
    """squares · base² + linear · base + constant, for each element of a value.

    Shapes: constant is the value's, linear and squares have the columns of the base before it;
    squares is None for an affine value. `sums` is over how many contractions or sums in a row it
    came, and `weights` how many weights these had. `joined`: it was put together from parts.
    `mixed`: its squares were weighted one by one, or added to other terms.
    """

    base: str
    constant: Reals
    linear: Reals
    squares: Reals | None = None
    sums: int = 0
    weights: int = 0
    joined: bool = False
    mixed: bool = False

    @property
    def shape(self) -> Shape:
        return self.constant.shape

    def mapped(self, function: _Map) -> "Polynomial":
        """With a linear function of elements applied to all coefficients. It is given arrays with
        one axis before those of the value."""
        squares = None if self.squares is None else function(self.squares)
        constant = function(self.constant[None])[0]
        return replace(self, constant=constant, linear=function(self.linear), squares=squares)

    def broadcast(self, shape: Shape) -> "Polynomial":
        if self.shape == shape:
            return self

        def wide(array: Reals) -> Reals:
            own = (*(1 for _ in range(len(shape) - array.ndim + 1)), *array.shape[1:])
            return np.broadcast_to(array.reshape(len(array), *own), (len(array), *shape))

        return self.mapped(wide)

    def squared(self) -> "Polynomial | None":
        """The square, where each element is one of a single column."""
        if self.squares is not None or (self.linear != 0).sum(axis=0).max(initial=0) > 1:
            return None
        squares, linear = np.square(self.linear), 2 * self.linear * self.constant
        return replace(self, constant=np.square(self.constant), linear=linear, squares=squares)

    def plus(self, other: "Polynomial", sign: float) -> "Polynomial | None":
        """The sum of two of one shape."""
        if other.base != self.base:
            return None
        squares = self.squares
        if other.squares is not None:
            squares = other.squares * sign + (0.0 if squares is None else squares)
        return Polynomial(
            self.base,
            self.constant + sign * other.constant,
            self.linear + sign * other.linear,
            squares,
            max(self.sums, other.sums),
            self.weights + other.weights,
            self.joined or other.joined,
            squares is not None and max(self.sums, other.sums) > 0,
        )


class Following:
    """The polynomials of a program's values, found step by step.

    `cut` are values that are not looked through: a contraction of one is a polynomial of it.
    """

    def __init__(self, program: Program, cut: frozenset[str]) -> None:
        self._program = program
        self._cut = cut
        self._left = MOST_IN_ALL
        self.found: dict[str, Polynomial] = {}
        for spec in program.inputs:
            if row(program, spec.name) and spec.shape[-1] ** 2 <= MOST_COEFFICIENTS:
                size = spec.shape[-1]
                linear = np.eye(size).reshape(size, *spec.shape)
                self._note(spec.name, Polynomial(spec.name, np.zeros(spec.shape), linear))

    def take(self, step: Step) -> None:
        """Finds the polynomial of a step's result, if it is one."""
        program, out = self._program, step.outputs[0]
        spec = program.specs.get(out)
        rule = _RULES.get(step.op)
        if rule is None or spec is None or not spec.dtype.startswith("float"):
            return
        operands = [self._operand(name) for name in step.inputs if name]
        known = [item for item in operands if isinstance(item, Polynomial)]
        if not known and step.op in ("MatMul", "Gemm"):
            found = self._begun(step, spec.shape)
        else:
            given = [item for item in operands if item is not None]
            if not known or len(given) < len(operands):
                return
            size = len(known[0].linear) * int(np.prod(spec.shape, dtype=object))
            found = rule(step, given, spec.shape) if size <= MOST_COEFFICIENTS else None
        if found is not None and found.shape == spec.shape:
            self._note(out, found)

    def _note(self, name: str, found: Polynomial) -> None:
        size = found.linear.size + (0 if found.squares is None else found.squares.size)
        if size <= self._left:
            self._left -= size
            self.found[name] = found

    def _operand(self, name: str) -> Polynomial | Array | None:
        if name in self._program.constants:
            return self._program.constants[name]
        return None if name in self._cut else self.found.get(name)

    def _begun(self, step: Step, shape: Shape) -> Polynomial | None:
        """A product with weights as a polynomial of what it multiplies."""
        program, x = self._program, step.input(0)
        others = [program.constants.get(name) for name in step.inputs[1:] if name]
        weights = others[0] if others else None
        if weights is None or weights.ndim != 2 or not row(program, x):
            return None
        if any(other is None for other in others) or weights.size > MOST_COEFFICIENTS:
            return None
        given_shape = program.specs[x].shape
        size = given_shape[-1]
        # The rule for a value of this shape without coefficients, which costs no product.
        nothing = Polynomial(x, np.zeros(given_shape), np.zeros((0, *given_shape)))
        given: _Operands = [nothing, *(other for other in others if other is not None)]
        made = _RULES[step.op](step, given, shape)
        if made is None or made.constant.size != made.shape[-1]:
            return None
        matrix = _matrix(step, numbers(weights))
        return replace(made, linear=matrix.reshape(size, *made.shape))


def row(program: Program, name: str) -> bool:
    """Whether a value is a row of real numbers."""
    spec = program.specs.get(name)
    if spec is None or not spec.shape or not spec.dtype.startswith("float"):
        return False
    return spec.shape[-1] == int(np.prod(spec.shape, dtype=object)) > 0


_Operands = list[Polynomial | Array]
_Rule = Callable[[Step, _Operands, Shape], Polynomial | None]


def _kept(_step: Step, operands: _Operands, _shape: Shape) -> Polynomial | None:
    (x,) = operands
    return x if isinstance(x, Polynomial) else None


def _viewed(_step: Step, operands: _Operands, shape: Shape) -> Polynomial | None:
    x = operands[0]
    return (
        x.mapped(lambda a: a.reshape(len(a), *shape))
        if isinstance(x, Polynomial) and x.constant.size == int(np.prod(shape))
        else None
    )


def _expanded(_step: Step, operands: _Operands, shape: Shape) -> Polynomial | None:
    x = operands[0]
    return x.broadcast(shape) if isinstance(x, Polynomial) else None


def _negated(_step: Step, operands: _Operands, _shape: Shape) -> Polynomial | None:
    (x,) = operands
    return x.mapped(np.negative) if isinstance(x, Polynomial) else None


def _added(step: Step, operands: _Operands, shape: Shape) -> Polynomial | None:
    total: Polynomial | None = None
    offset = np.zeros(shape)
    for place, item in enumerate(operands):
        sign = -1.0 if step.op == "Sub" and place == 1 else 1.0
        if not isinstance(item, Polynomial):
            offset = offset + sign * numbers(item)
            continue
        one = item.broadcast(shape)
        if total is None:
            total = one if sign > 0 else one.mapped(np.negative)
        elif (total := total.plus(one, sign)) is None:
            return None
    return None if total is None else replace(total, constant=total.constant + offset)


def _multiplied(step: Step, operands: _Operands, shape: Shape) -> Polynomial | None:
    first, second = operands
    if isinstance(first, Polynomial) and isinstance(second, Polynomial):
        return first.squared() if step.op == "Mul" and first is second else None
    x, other = (first, second) if isinstance(first, Polynomial) else (second, first)
    if not isinstance(x, Polynomial) or isinstance(other, Polynomial):
        return None
    factor = numbers(other)
    if step.op == "Div":
        if x is not first or not factor.all():
            return None
        factor = 1 / factor
    weighted = x.squares is not None and factor.size > 1
    made = x.broadcast(shape).mapped(lambda array: array * factor)
    return replace(made, mixed=x.mixed or weighted)


def _powered(_step: Step, operands: _Operands, shape: Shape) -> Polynomial | None:
    x, power = operands
    if not isinstance(x, Polynomial) or isinstance(power, Polynomial):
        return None
    return x.squared() if power.size and (power == 2).all() and x.shape == shape else None


def _summed(step: Step, operands: _Operands, shape: Shape) -> Polynomial | None:
    x: Polynomial | Array | None = operands[0]
    if isinstance(x, Polynomial) and step.op == "ReduceSumSquare":
        x = x.squared()
    if not isinstance(x, Polynomial):
        return None
    told = operands[1] if len(operands) > 1 else np.array(step.attributes.get("axes", []))
    if isinstance(told, Polynomial):
        return None
    rank = len(x.shape)
    axes = sorted({int(axis) % rank for axis in told.reshape(-1)})
    if not axes:
        return None
    share = 1 / int(np.prod([x.shape[a] for a in axes])) if step.op == "ReduceMean" else 1.0
    over = tuple(axis + 1 for axis in axes)
    made = x.mapped(lambda array: array.sum(axis=over).reshape(len(array), *shape) * share)
    return replace(made, sums=x.sums + 1, weights=x.weights + x.constant.size)


def _matrix(step: Step, weights: Reals) -> Reals:
    if step.op != "Gemm":
        return weights
    weights = weights * float(step.attributes.get("alpha", 1.0))
    return weights.T if step.attributes.get("transB") else weights


def _contracted(step: Step, operands: _Operands, shape: Shape) -> Polynomial | None:
    """A product with weights, and the bias that a Gemm has and a MatMul may have by now."""
    x, weights = operands[:2]
    bias = operands[2] if len(operands) > 2 else None
    if not isinstance(x, Polynomial) or isinstance(weights, Polynomial) or weights.ndim != 2:
        return None
    if isinstance(bias, Polynomial) or step.attributes.get("transA"):
        return None
    matrix = _matrix(step, numbers(weights))
    made = x.mapped(lambda array: array @ matrix)
    if bias is not None:
        beta = float(step.attributes.get("beta", 1.0)) if step.op == "Gemm" else 1.0
        made = replace(made, constant=made.constant + beta * numbers(bias))
    weighted = x.squares is not None and bool((matrix != matrix.flat[0]).any())
    total = x.weights + weights.size
    made = replace(made, sums=x.sums + 1, weights=total, mixed=x.mixed or weighted)
    return made if made.shape == shape else None


def _gathered(step: Step, operands: _Operands, _shape: Shape) -> Polynomial | None:
    x, places = operands
    if not isinstance(x, Polynomial) or isinstance(places, Polynomial):
        return None
    rank = len(x.shape)
    axis = int(step.attributes.get("axis", 0)) % rank + 1
    made = x.mapped(lambda array: np.take(array, places.astype(np.int64), axis=axis))
    return replace(made, joined=True)


def _concatenated(step: Step, operands: _Operands, shape: Shape) -> Polynomial | None:
    first = next(item for item in operands if isinstance(item, Polynomial))
    squares = any(isinstance(item, Polynomial) and item.squares is not None for item in operands)
    if squares:
        return None
    parts = []
    for item in operands:
        if isinstance(item, Polynomial):
            parts.append(item)
        else:
            nothing = np.zeros((len(first.linear), *item.shape))
            parts.append(Polynomial(first.base, numbers(item), nothing))
    if any(part.base != first.base for part in parts):
        return None
    axis = int(step.attributes["axis"]) % len(shape)
    return Polynomial(
        first.base,
        np.concatenate([part.constant for part in parts], axis),
        np.concatenate([part.linear for part in parts], axis + 1),
        None,
        max(part.sums for part in parts),
        sum(part.weights for part in parts),
        True,
    )


_RULES: dict[str, _Rule] = {
    **dict.fromkeys(("Identity", "Cast"), _kept),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _viewed),
    "Expand": _expanded,
    "Neg": _negated,
    **dict.fromkeys(("Add", "Sub", "Sum"), _added),
    **dict.fromkeys(("Mul", "Div"), _multiplied),
    "Pow": _powered,
    **dict.fromkeys(("ReduceSum", "ReduceMean", "ReduceSumSquare"), _summed),
    **dict.fromkeys(("MatMul", "Gemm"), _contracted),
    "Gather": _gathered,
    "Concat": _concatenated,
}
