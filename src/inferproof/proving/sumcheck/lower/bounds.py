"""Hard bounds of values: what the float model can never leave, whatever its input.

Rounding may carry a quantised value a unit beyond them: it is cut back, so that a sigmoid of
something positive is never below 1/2 and a probability never above 1. Where a value is cut is
public: so bounds follow from functions and single numbers, and never from tensors of weights.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.program import Array, Program, Step
from inferproof.proving.sumcheck.lower.scaling import clamped
from inferproof.proving.sumcheck.lower.value import Value

Bound = tuple[float, float]

FREE: Bound = (-math.inf, math.inf)
_SLACK = 1e-6
"""Of a unit: what a bound computed in binary64 may be off by."""
_BETWEEN = (
    "Cast Dropout Expand Flatten Gather GlobalAveragePool GlobalMaxPool Identity MaxPool ReduceMax "
    "ReduceMean ReduceMin Reshape Slice Split Squeeze Tile Transpose Unsqueeze"
)
_MOVES = frozenset(_BETWEEN.split())
"""Results are elements of the first operand, or between them."""
_SHARES = frozenset({"HardSigmoid", "Hardmax", "Softmax"})
_POSITIVE = frozenset({"Abs", "ReduceL1", "ReduceL2", "ReduceSumSquare", "Softplus"})
_RISING: dict[str, Callable[[float], float]] = {
    "Exp": lambda x: math.inf if x > 700 else math.exp(x),
    "Relu": lambda x: max(x, 0.0),
    "Sigmoid": lambda x: 0.0 if x < -700 else 1 / (1 + math.exp(-x)),
    "Sqrt": lambda x: math.sqrt(max(x, 0.0)),
    "Tanh": math.tanh,
    "Erf": math.erf,
    "Atan": math.atan,
    "Softsign": lambda x: math.copysign(1.0, x) if math.isinf(x) else x / (1 + abs(x)),
    "Sign": lambda x: float(np.sign(x)),
}
"""Functions that rise with their operand: the ends of a range go to the ends."""


class Bounds:
    """The bounds of a program's values, found step by step."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._known: dict[str, Bound] = {}

    def of(self, name: str) -> Bound:
        """The bound of a value or constant."""
        if name not in self._known and name in self._program.constants:
            self._known[name] = _range_of(self._program.constants[name])
        return self._known.get(name, FREE)

    def take(self, step: Step) -> None:
        """Finds the bounds of a step's results."""
        operands = [self.of(name) for name in step.inputs if name]
        made = _step(step, operands, self._shape)
        # The second result of others holds places or a mask.
        for name in step.outputs if step.op == "Split" else step.outputs[:1]:
            self._know(name, made)
        if step.op == "TreeEnsembleClassifier" and len(step.outputs) > 1:
            self._know(step.outputs[1], _scores(step))

    def _know(self, name: str, bound: Bound) -> None:
        # Whole numbers are exact as they are, and divided otherwise.
        if name and bound != FREE and self._program.specs[name].dtype.startswith("float"):
            self._known[name] = bound

    def _shape(self, name: str) -> tuple[int, ...]:
        array = self._program.constants.get(name)
        return self._program.specs[name].shape if array is None else array.shape


def _range_of(array: Array) -> Bound:
    if array.size == 0 or array.dtype.kind not in "fiub" or (array != array.flat[0]).any():
        return FREE
    number = float(array.flat[0])
    return (number, number) if math.isfinite(number) else FREE


def _step(step: Step, operands: list[Bound], shape: Callable[[str], tuple[int, ...]]) -> Bound:
    first = operands[0] if operands else FREE
    if step.op in _SHARES:
        return 0.0, 1.0
    if step.op == "LogSoftmax":
        return -math.inf, 0.0
    if step.op in _POSITIVE:
        return 0.0, math.inf
    if step.op in _RISING:
        rising = _RISING[step.op]
        return rising(first[0]), rising(first[1])
    if step.op in _MOVES:
        return first
    if step.op in ("Concat", "Where"):
        parts = operands[1:] if step.op == "Where" else operands
        return min(low for low, _ in parts), max(high for _, high in parts)
    if step.op in ("Max", "Min"):
        pick = max if step.op == "Max" else min
        return pick(low for low, _ in operands), pick(high for _, high in operands)
    if step.op == "ReduceSum":
        count = math.prod(shape(step.input(0))) // max(1, math.prod(shape(step.outputs[0])))
        return _times(first, (count, count))
    return _arithmetic(step, operands)


def _arithmetic(step: Step, operands: list[Bound]) -> Bound:
    if step.op in ("Add", "Sum", "Mean"):
        low, high = sum(low for low, _ in operands), sum(high for _, high in operands)
        count = len(operands) if step.op == "Mean" else 1
        return low / count, high / count
    if step.op == "Neg":
        return -operands[0][1], -operands[0][0]
    if step.op == "Sub":
        return operands[0][0] - operands[1][1], operands[0][1] - operands[1][0]
    if step.op == "Mul":
        if step.inputs[0] == step.inputs[1]:
            return 0.0, max(abs(end) for end in operands[0]) ** 2
        return _times(*operands)
    if step.op == "Div" and operands[1][0] > 0:
        low, high = operands[1]
        return _times(operands[0], (1 / high, 1 / low))
    return FREE


def _times(a: Bound, b: Bound) -> Bound:
    # An end that is infinite stands for any finite number: times 0 it is 0.
    corners = [0.0 if 0.0 in (x, y) else x * y for x in a for y in b]
    return min(corners), max(corners)


def _listed(step: Step, name: str) -> list[Any]:
    told = step.attributes.get(f"{name}_as_tensor")
    return list(step.attributes.get(name, [])) if told is None else told.reshape(-1).tolist()


def _scores(step: Step) -> Bound:
    """0 to 1 where the leaves of an ensemble add up to probabilities."""
    transform = step.attributes.get("post_transform", "NONE")
    told = set(_listed(step, "class_ids"))
    # The one score of two classes is given no softmax.
    if transform == "LOGISTIC" or (transform == "SOFTMAX" and told != {0}):
        return 0.0, 1.0
    if transform != "NONE":
        return FREE
    # A leaf without a weight for a class adds nothing to it.
    parts: dict[int, dict[int, tuple[float, float]]] = defaultdict(dict)
    names = ("class_ids", "class_treeids", "class_weights")
    for number, tree, weight in zip(*(_listed(step, name) for name in names), strict=False):
        low, high = parts[number].get(tree, (0.0, 0.0))
        parts[number][tree] = (min(low, weight), max(high, weight))
    base = _listed(step, "base_values")
    if base or not parts:
        return FREE
    low = min(sum(part[0] for part in trees.values()) for trees in parts.values())
    high = max(sum(part[1] for part in trees.values()) for trees in parts.values())
    # Of two classes one may have weights alone, and the other what is left of 1.
    # What float32 adds up to may be a little above 1.
    return (0.0, max(1.0, high)) if low >= 0 and high <= 1 + _SLACK else FREE


def kept_within(b: Builder, v: Value, bound: Bound) -> Value:
    """The value cut to the bound, where its integers can be beyond it."""
    low = v.lo if bound[0] == -math.inf else math.ceil(bound[0] / v.scale - _SLACK)
    high = v.hi if bound[1] == math.inf else math.floor(bound[1] / v.scale + _SLACK)
    if low > high or (low <= v.lo and v.hi <= high):
        return v
    made = clamped(b, v, low, high)
    return made.with_(most=v.most) if low <= 0 <= high else made
