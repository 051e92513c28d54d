"""Where the features of a model come from: elements of its inputs, changed one by one.

A threshold on a scaled feature is one on the input itself, found in the order of the numbers that
the input can hold. So a comparison is exactly that of the float model.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.lower.evaluate import evaluate
from inferproof.proving.sumcheck.lower.program import Array, Program, Step

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

MOVED = frozenset(
    {"Concat", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Split", "Transpose"}
    | {"Unsqueeze"}
)
"""Operators whose results are elements of their first operands, or of all of Concat's."""
_KEPT, _PLUS, _MINUS, _FROM, _TIMES, _OVER, _FLOOR, _CEIL, _NEAREST, _CUT = range(10)
_CODES = {"Add": (_PLUS, _PLUS), "Sub": (_MINUS, _FROM), "Mul": (_TIMES, _TIMES)}
"""What an operator with a constant is, by the place of what is not constant."""
_ALONE = {"Floor": _FLOOR, "Ceil": _CEIL, "Round": _NEAREST, "Neg": _FROM}
"""Operators of one operand; the negative is what is taken from 0."""
ELSEWHERE = -1
"""The number of no input."""
_WHOLE = ("int32", "int64")
"""Types of whole numbers that hold all that is seen."""
SOURCES = "sources"
"""The attribute of a step that says where its features come from."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One change of each element. Shapes: those of the features."""

    codes: Ints
    constants: Reals

    def at(self, places: Ints) -> "Layer":
        return Layer(self.codes.reshape(-1)[places], self.constants.reshape(-1)[places])

    def apply(self, numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Each number changed, in binary32 as runtimes compute."""
        by = self.constants.astype(np.float32)
        with np.errstate(all="ignore"):
            results = [numbers, numbers + by, numbers - by, by - numbers, numbers * by]
            results += [numbers / by, np.floor(numbers), np.ceil(numbers)]
            results += [np.rint(numbers), np.trunc(numbers)]
        return np.choose(self.codes, results)


@dataclass(frozen=True, slots=True)
class Features:
    """Each feature as an element of an input, changed by layers; of input -1 where it is none.

    Shapes: `inputs` and `elements` are those of the features; an element is an address.
    """

    inputs: Ints
    elements: Ints
    layers: tuple[Layer, ...]

    def at(self, places: Ints) -> "Features":
        """Some of the features, by their addresses."""
        return Features(
            self.inputs.reshape(-1)[places],
            self.elements.reshape(-1)[places],
            tuple(layer.at(places) for layer in self.layers),
        )

    def broadcast(self, shape: tuple[int, ...]) -> "Features":
        """The features repeated along dimensions that they lack or have of size 1."""
        places = np.arange(self.inputs.size).reshape(self.inputs.shape)
        return self.at(np.broadcast_to(places, shape))

    def values(self, numbers: Reals) -> Reals:
        """The features' numbers where their elements hold these."""
        found = numbers.astype(np.float32)
        for layer in self.layers:
            found = layer.apply(found)
        return found.astype(np.float64)

    @property
    def falling(self) -> Truths:
        """Where a larger element makes a smaller feature."""
        flips = np.zeros(self.inputs.shape, np.int64)
        for layer in self.layers:
            factor = np.isin(layer.codes, (_TIMES, _OVER)) & (layer.constants < 0)
            flips += factor | (layer.codes == _FROM)
        return np.asarray(flips % 2 == 1)


def joined(parts: list[Features]) -> Features:
    """The flat features one after another."""
    depth = max(len(part.layers) for part in parts)
    padded = [_deepened(part, depth) for part in parts]
    return Features(
        np.concatenate([part.inputs for part in padded]),
        np.concatenate([part.elements for part in padded]),
        tuple(
            Layer(
                np.concatenate([part.layers[n].codes for part in padded]),
                np.concatenate([part.layers[n].constants for part in padded]),
            )
            for n in range(depth)
        ),
    )


class Tracer:
    """Finds where the elements of a program's values come from; each value once."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._rank = {made: n for n, step in enumerate(program.steps) for made in step.outputs}
        self._makers = {made: step for step in program.steps for made in step.outputs if made}
        self._known: dict[str, Features] = {}

    def trace(self, name: str) -> Features:
        """Where the elements of a value come from. Shapes: those of the value."""
        # From the inputs on, so that a long chain needs no deep recursion.
        order: list[str] = []
        waiting, seen = [name], set(self._known)
        while waiting:
            at = waiting.pop()
            step = self._makers.get(at)
            if at in seen:
                continue
            seen.add(at)
            order.append(at)
            if step is not None and self._follows(step):
                waiting += [n for n in step.inputs if n and n not in self.program.constants]
        for at in sorted(order, key=lambda made: self._rank.get(made, -1)):
            self._known[at] = self._of(at)
        return self._known[name]

    def _follows(self, step: Step) -> bool:
        followed = step.op in MOVED or step.op in _CODES or step.op in _ALONE
        return followed or step.op in ("Cast", "Div")

    def _of(self, name: str) -> Features:
        shape = self.program.specs[name].shape
        names = [spec.name for spec in self.program.inputs]
        if name in names:
            places = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
            return Features(np.full(shape, names.index(name)), places, ())
        step = self._makers[name]
        found: Features | None = None
        if step.op in MOVED:
            found = self._moved(step, name)
        elif step.op == "Cast":
            found = self._cast(step)
        elif step.op in _ALONE:
            found = self._alone(step)
        elif step.op in _CODES or step.op == "Div":
            found = self._changed(step, shape)
        return found or Features(np.full(shape, ELSEWHERE), np.zeros(shape, np.int64), ())

    def _real(self, name: str) -> bool:
        return self.program.specs[name].dtype == "float32"

    def _cast(self, step: Step) -> Features | None:
        before = self._known.get(step.input(0))
        if before is None or self._real(step.outputs[0]):
            return before
        if self.program.specs[step.outputs[0]].dtype not in _WHOLE:
            return None
        return _with_layer(before, _CUT) if self._real(step.input(0)) else before

    def _alone(self, step: Step) -> Features | None:
        before = self._known.get(step.input(0))
        if before is None or not self._real(step.outputs[0]):
            return None
        return _with_layer(before, _ALONE[step.op])

    def _moved(self, step: Step, name: str) -> Features | None:
        """The features of an operator that moves elements: it is run on their addresses."""
        several = step.op == "Concat"
        sources = step.inputs if several else step.inputs[:1]
        rest = [] if several else [self.program.constants.get(n) for n in step.inputs[1:]]
        if any(n not in self._known for n in sources):
            return None
        if any(array is None and n for array, n in zip(rest, step.inputs[1:], strict=False)):
            return None
        parts = [self._known[n] for n in sources]
        depth = max(len(part.layers) for part in parts)
        padded = [_deepened(part, depth) for part in parts]
        place = list(step.outputs).index(name)

        def move(arrays: list[Array]) -> Array:
            return evaluate(step, [*arrays, *rest], self.program.opset)[place]

        layers = tuple(
            Layer(
                move([part.layers[n].codes for part in padded]),
                move([part.layers[n].constants for part in padded]),
            )
            for n in range(depth)
        )
        return Features(
            move([part.inputs for part in parts]), move([part.elements for part in parts]), layers
        )

    def _changed(self, step: Step, shape: tuple[int, ...]) -> Features | None:
        """The features of an operator with a constant that broadcasts to them."""
        constants = [self.program.constants.get(step.input(place)) for place in (0, 1)]
        place = next((n for n in (0, 1) if constants[n] is None), None)
        other = None if place is None else constants[1 - place]
        if place is None or other is None or not self._real(step.outputs[0]):
            return None
        if step.op == "Div" and place == 1:
            return None
        before = self._known.get(step.input(place))
        if before is None or before.inputs.shape != shape:
            return None
        code = _OVER if step.op == "Div" else _CODES[step.op][place]
        return _with_layer(before, code, other.astype(np.float64))


def _with_layer(before: Features, code: int, by: Array | float = 0.0) -> Features:
    shape = before.inputs.shape
    layer = Layer(np.full(shape, code, np.int64), np.broadcast_to(by, shape))
    return replace(before, layers=(*before.layers, layer))


def _deepened(part: Features, depth: int) -> Features:
    shape = part.inputs.shape
    nothing = Layer(np.full(shape, _KEPT, np.int64), np.zeros(shape))
    return Features(
        part.inputs, part.elements, (*part.layers, *[nothing] * (depth - len(part.layers)))
    )


def last_where(
    features: Features,
    lo: int,
    hi: int,
    numbers_at: Callable[[Ints], Reals],
    holds: Callable[[Reals], Truths],
) -> Ints:
    """The last whole number from lo to hi whose feature is one where `holds`, lo - 1 for none.

    `holds` is true up to some whole number of each feature's input and false from there on.
    """
    low = np.full(features.inputs.shape, lo - 1, np.int64)
    high = np.full(features.inputs.shape, hi, np.int64)
    while (open_ := low < high).any():
        middle = (low + high + 1) >> 1
        true = holds(features.values(numbers_at(middle)))
        low = np.where(open_ & true, middle, low)
        high = np.where(open_ & ~true, middle - 1, high)
    return low
