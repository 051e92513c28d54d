"""Comparisons of features with constants: all of a model at once, in the order of the numbers.

A comparison holds up to some place of an input, or from there on, so it is one of two whole
numbers; what follows from comparisons is taken from their answers.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.proving.sumcheck.float_order import numbers_at
from inferproof.proving.sumcheck.lower.builder import Builder, row_major
from inferproof.proving.sumcheck.lower.context import Context
from inferproof.proving.sumcheck.lower.program import Step, numbers
from inferproof.proving.sumcheck.lower.sources import (
    SOURCES,
    Features,
    Truths,
    joined,
    last_where,
)
from inferproof.proving.sumcheck.lower.traced import COMPARISONS, ENDS, FIRST
from inferproof.proving.sumcheck.lower.value import Value

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

_SWAPPED = {"Less": "Greater", "Greater": "Less"}
_SWAPPED |= {f"{name}OrEqual": f"{other}OrEqual" for name, other in _SWAPPED.items()}
_BELOW = {"Less": True, "GreaterOrEqual": True, "LessOrEqual": False, "Greater": False}
"""Whether an operator asks for what is below its constant, or at most that; or the contrary."""
_CONTRARY = ("Greater", "GreaterOrEqual")


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whether features are at most, or below, thresholds, or the contrary. All are flat."""

    features: Features
    thresholds: Reals
    strict: Truths
    contrary: Truths

    @property
    def count(self) -> int:
        return self.thresholds.size


def traced(step: Step) -> bool:
    """Whether what a step compares is traced to inputs."""
    return SOURCES in step.attributes and (step.op in COMPARISONS or ENDS in step.attributes)


def answer(c: Context, step: Step) -> Value:
    """The result of a traced step: 1 where it holds, or the whole part of a feature."""
    b = c.builder
    if not c.answers:
        _ask(c)
    bits, first = c.answers[step.outputs[0]]
    shape = c.shape(step.outputs[0])
    if ENDS not in step.attributes:
        return b.view(bits, shape, first, row_major(shape))
    low, high = step.attributes[ENDS]
    if low == high:
        return b.const(np.full(shape, low), fixed=True)
    wide = (*shape, high - low)
    # As many whole numbers above the first as it is not below.
    above = b.sum(b.view(bits, wide, first, row_major(wide)), 1, within=(0, high - low))
    return b.add([above], [1], low, fixed=True)


def _ask(c: Context) -> None:
    """Makes the comparisons of the program, each once: those with whole numbers, which are no
    secret, and those with thresholds, which are."""
    steps = [step for step in c.program.steps if traced(step)]
    whole = [step for step in steps if ENDS in step.attributes]
    equal = [step for step in steps if step.op == "Equal"]
    others = [step for step in steps if ENDS not in step.attributes and step.op != "Equal"]
    _answer(c, whole, [_asked(c, step, step.op) for step in whole], fixed=True)
    _answer(c, others, [_asked(c, step, step.op) for step in others])
    # x = t is x <= t without x < t.
    both = [_asked(c, step, op) for op in ("LessOrEqual", "Less") for step in equal]
    _answer(c, equal, both, halves=True)


def _answer(
    c: Context, steps: list[Step], asked: list[_Asked], fixed: bool = False, halves: bool = False
) -> None:
    """Notes where each step's answers are: those that it asked, or as `halves` of two each the
    first less the second."""
    if not steps:
        return
    b = c.builder
    found, which = _compared(c, _joined(asked), fixed)
    count = len(which) // 2 if halves else len(which)
    parts = [_part(b, found, which[start : start + count]) for start in range(0, len(which), count)]
    bits = b.add(parts, [1, -1], within=(0, 1)) if halves else parts[0]
    starts = np.cumsum([0, *(item.count for item in asked)])
    for step, start in zip(steps, starts, strict=False):
        c.answers[step.outputs[0]] = (bits, int(start))


def _asked(c: Context, step: Step, op: str) -> _Asked:
    features: Features = step.attributes[SOURCES]
    shape = features.inputs.shape
    if ENDS in step.attributes:
        low, high = step.attributes[ENDS]
        op, shape = "GreaterOrEqual", (*shape, high - low)
        every = np.arange(features.inputs.size).reshape(*features.inputs.shape, 1)
        features = features.at(np.broadcast_to(every, shape).reshape(-1))
        thresholds = np.broadcast_to(np.arange(low + 1.0, high + 1.0), shape)
    else:
        constant = c.constant(step.input(0))
        assert constant is not None  # noqa: S101  (the pass that traced it looked)
        thresholds = np.broadcast_to(numbers(constant), shape)
        features = features.at(np.arange(features.inputs.size))
        op = op if step.attributes[FIRST] else _SWAPPED.get(op, op)
    count = thresholds.size
    return _Asked(
        features,
        thresholds.reshape(-1),
        np.full(count, _BELOW[op]),
        np.full(count, op in _CONTRARY),
    )


def _joined(parts: list[_Asked]) -> _Asked:
    return _Asked(
        joined([part.features for part in parts]),
        np.concatenate([part.thresholds for part in parts]),
        np.concatenate([part.strict for part in parts]),
        np.concatenate([part.contrary for part in parts]),
    )


def _compared(c: Context, asked: _Asked, fixed: bool) -> tuple[Value, Ints]:
    """1 where a comparison holds, else 0, each different one once: [comparisons]; and for what was
    asked the place of its answer there. The order is that of asking, which says nothing of that of
    thresholds."""
    b = c.builder
    came = asked.features.inputs
    addresses, last = np.zeros(asked.count, np.int64), np.zeros(asked.count, np.int64)
    parts: list[Value] = []
    start = 0
    for number in np.unique(came):
        where = np.flatnonzero(came == number)
        name = c.program.inputs[number].name
        value = c.ordered.get(name) or c.values[name]
        chosen = asked.features.at(where)
        addresses[where] = chosen.elements + start
        last[where] = last_place(c, name, chosen, asked.thresholds[where], asked.strict[where])
        size = math.prod(value.shape)
        parts.append(b.view(value, (size,), 0, (1,)))
        start += size
    elements = b.concat(parts, 0) if len(parts) > 1 else parts[0]
    contrary = asked.contrary ^ asked.features.falling
    rows, first, which = np.unique(
        np.stack([contrary.astype(np.int64), addresses, last], 1),
        axis=0,
        return_index=True,
        return_inverse=True,
    )
    order = np.lexsort((first, rows[:, 0]))
    rows, which = rows[order], np.argsort(order)[which.reshape(-1)]
    turned = int(rows[:, 0].sum())
    distances = []
    for part, coefficient, offset in (
        (rows[: len(rows) - turned], -1, 1),
        (rows[len(rows) - turned :], 1, 0),
    ):
        if len(part):
            # p <= last is last + 1 - p > 0, and the contrary p - last > 0.
            taken = _part(b, elements, part[:, 1])
            limits = offset - coefficient * part[:, 2]
            distances.append(b.add([taken], [coefficient], limits, fixed=fixed))
    distance = b.concat(distances, 0) if len(distances) > 1 else distances[0]
    return b.rescale(distance, clamp=(0, 1)), which


def _part(b: Builder, x: Value, addresses: Ints) -> Value:
    """The elements of a flat tensor at addresses, without a list of them where they follow each
    other."""
    if (np.diff(addresses) == 1).all():
        return b.view(x, addresses.shape, int(addresses[0]), (1,))
    return b.take(x, addresses)


def last_place(
    c: Context, name: str, features: Features, thresholds: Reals, strict: Truths
) -> Ints:
    """The last integer of an input that makes a feature of at most the threshold, or below it;
    above it where the feature falls."""
    ordered = name in c.ordered
    value = c.ordered[name] if ordered else c.values[name]
    falls = features.falling

    def points(places: Ints) -> Reals:
        return numbers_at(places, value.scale) if ordered else np.asarray(places * value.scale)

    def holds(found: Reals) -> Truths:
        below = np.where(strict, found < thresholds, found <= thresholds)
        return np.asarray(below ^ falls)

    return last_where(features, value.lo, value.hi, points, holds)
