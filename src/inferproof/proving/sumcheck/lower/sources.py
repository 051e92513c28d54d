"""Where the features of a model come from: elements of its inputs, changed one by one.

A threshold on a scaled feature is one on the input itself, found in the order of the numbers that
the input can hold. So a comparison is exactly that of the float model.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from inferproof.models.operators import TREES
from inferproof.proving.sumcheck.lower.evaluate import evaluate
from inferproof.proving.sumcheck.lower.program import Array, Program, Step, renamed

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

_MOVED = frozenset(
    {"Concat", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Split", "Transpose"}
    | {"Unsqueeze"}
)
"""Operators whose results are elements of their first operands, or of all of Concat's."""
_KEPT, _PLUS, _MINUS, _FROM, _TIMES, _OVER = range(6)
_CODES = {"Add": (_PLUS, _PLUS), "Sub": (_MINUS, _FROM), "Mul": (_TIMES, _TIMES)}
"""What an operator with a constant is, by the place of what is not constant."""
_ELSEWHERE = -1
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
            results.append(numbers / by)
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


def trace_ensembles(program: Program) -> None:
    """Notes of each ensemble of trees where its features come from, and lets go of its input where
    that is all that it needs."""
    for place, step in enumerate(program.steps):
        if step.op not in TREES:
            continue
        traced = _by_columns(trace(program, step.input(0)))
        asked = np.unique(np.asarray(step.attributes.get("nodes_featureids", []), np.int64))
        width = traced.inputs.shape[1]
        told = asked[(asked >= 0) & (asked < width)]
        free = bool((traced.inputs[0, told] != _ELSEWHERE).all())
        program.steps[place] = renamed(
            step,
            inputs=() if free else step.inputs,
            attributes={**step.attributes, SOURCES: traced},
        )


def ordered_inputs(program: Program) -> set[str]:
    """The inputs whose numbers ensembles of trees compare."""
    found: set[str] = set()
    for step in program.steps:
        traced = step.attributes.get(SOURCES)
        if traced is not None:
            asked = np.unique(np.asarray(step.attributes.get("nodes_featureids", []), np.int64))
            told = traced.inputs[0, asked[(asked >= 0) & (asked < traced.inputs.shape[1])]]
            found |= {program.inputs[number].name for number in np.unique(told) if number >= 0}
    return found


def _by_columns(features: Features) -> Features:
    """The features, of no input where the rows of a batch differ. Shapes: [rows, features]."""
    same = (features.inputs == features.inputs[:1]).all(axis=0)
    same &= (features.falling == features.falling[:1]).all(axis=0)
    return replace(features, inputs=np.where(same, features.inputs, _ELSEWHERE))


def trace(program: Program, name: str) -> Features:
    """Where the elements of a value come from."""
    makers = {made: step for step in program.steps for made in step.outputs if made}
    return _Tracer(program, makers).trace(name)


@dataclass(slots=True)
class _Tracer:
    program: Program
    makers: dict[str, Step]

    def trace(self, name: str) -> Features:
        # From the inputs on, so that a long chain needs no deep recursion.
        order: list[str] = []
        waiting, seen = [name], set[str]()
        while waiting:
            at = waiting.pop()
            step = self.makers.get(at)
            if at in seen:
                continue
            seen.add(at)
            order.append(at)
            if step is not None and self._follows(step):
                waiting += [n for n in step.inputs if n and n not in self.program.constants]
        known: dict[str, Features] = {}
        for at in self._sorted(order):
            known[at] = self._of(at, known)
        return known[name]

    def _sorted(self, names: list[str]) -> list[str]:
        rank = {made: n for n, step in enumerate(self.program.steps) for made in step.outputs}
        return sorted(names, key=lambda name: rank.get(name, -1))

    def _follows(self, step: Step) -> bool:
        return step.op in _MOVED or step.op in _CODES or step.op in ("Cast", "Div")

    def _of(self, name: str, known: dict[str, Features]) -> Features:
        shape = self.program.specs[name].shape
        names = [spec.name for spec in self.program.inputs]
        if name in names:
            places = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
            return Features(np.full(shape, names.index(name)), places, ())
        step = self.makers[name]
        nothing = Features(np.full(shape, _ELSEWHERE), np.zeros(shape, np.int64), ())
        if step.op in _MOVED:
            return self._moved(step, name, known) or nothing
        if step.op == "Cast":
            return known.get(step.input(0), nothing) if self._real(name) else nothing
        if step.op in _CODES or step.op == "Div":
            return self._changed(step, shape, known) or nothing
        return nothing

    def _real(self, name: str) -> bool:
        return self.program.specs[name].dtype == "float32"

    def _moved(self, step: Step, name: str, known: dict[str, Features]) -> Features | None:
        """The features of an operator that moves elements: it is run on their addresses."""
        several = step.op == "Concat"
        sources = step.inputs if several else step.inputs[:1]
        rest = [] if several else [self.program.constants.get(n) for n in step.inputs[1:]]
        if any(n not in known for n in sources):
            return None
        if any(array is None and n for array, n in zip(rest, step.inputs[1:], strict=False)):
            return None
        parts = [known[n] for n in sources]
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

    def _changed(
        self, step: Step, shape: tuple[int, ...], known: dict[str, Features]
    ) -> Features | None:
        """The features of an operator with a constant that broadcasts to them."""
        constants = [self.program.constants.get(step.input(place)) for place in (0, 1)]
        place = next((n for n in (0, 1) if constants[n] is None), None)
        other = None if place is None else constants[1 - place]
        if place is None or other is None or not self._real(step.outputs[0]):
            return None
        if step.op == "Div" and place == 1:
            return None
        before = known.get(step.input(place))
        if before is None or before.inputs.shape != shape:
            return None
        code = _OVER if step.op == "Div" else _CODES[step.op][place]
        by = np.broadcast_to(other.astype(np.float64), shape)
        return Features(
            before.inputs,
            before.elements,
            (*before.layers, Layer(np.full(shape, code, np.int64), by)),
        )


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
