"""What a lowering function works with, and the table of such functions."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from inferproof.errors import ModelRejected, Reason
from inferproof.models.show import shown
from inferproof.proving.sumcheck.lower.bounds import Bounds, kept_within
from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.forms import UNPROVEN
from inferproof.proving.sumcheck.lower.program import Program, Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.value import Value
from inferproof.proving.sumcheck.precision import MARGIN

Array = npt.NDArray[Any]


_EMBEDDED_BITS = 16


def widened(low: float, high: float, factor: float) -> tuple[float, float]:
    """The range with each end moved away from the middle by a factor; no end changes its sign."""
    return (
        low * factor if low < 0 else low / factor,
        high * factor if high > 0 else high / factor,
    )


@dataclass(frozen=True, slots=True)
class Options:
    """How finely to quantise. `weight_bits` is 8, or 16 as two committed int8 matrices; `margin`
    is how many times as far as on the calibration data a value may go before it is cut: inputs and
    what is computed from them alike, or an input within its range would saturate a later value.
    """

    activation_bits: int = 12
    weight_bits: int = 8
    table_bits: int = 12
    wide_bits: int = 20
    input_bits: int = 16
    margin: float = MARGIN


@dataclass(frozen=True, slots=True)
class Steps:
    """What a file quantises to: the size of a step, and how many there are beside each other."""

    size: float
    count: int


@dataclass(slots=True)
class Context:
    """The program, the graph so far, and the lowered values by name."""

    program: Program
    options: Options
    builder: Builder = field(default_factory=Builder)
    values: dict[str, Value] = field(default_factory=dict)
    wanted: dict[str, Steps] = field(default_factory=dict)
    """The steps to which alone a value is rounded next, by name, where it is: it may be rounded
    to them at once, since only operators that keep the order are between."""
    steps: dict[int, tuple[Value, float]] = field(default_factory=dict)
    """For a tensor of quantised steps those less their zero point, and that."""
    ordered: dict[str, Value] = field(default_factory=dict)
    """Inputs of the model in the order of their numbers, for comparisons."""
    answers: dict[str, tuple[Value, int]] = field(default_factory=dict)
    """For the result of a step that compares inputs the tensor that has it, and from where on."""
    bounds: Bounds = field(init=False)

    def __post_init__(self) -> None:
        self.bounds = Bounds(self.program)

    def constant(self, name: str) -> Array | None:
        """The constant of this name, if it is one."""
        return self.program.constants.get(name)

    def value(self, step: Step, place: int) -> Value:
        """An input of the step as a value; a constant becomes one."""
        name = step.input(place)
        if name in self.values:
            return self.values[name]
        array = self.constant(name)
        if array is None:
            raise unsupported(step, f"its input {place} is left out", "give it")
        return self.embed(array)

    def needed(self, step: Step, place: int, what: str) -> Array:
        """An input of the step that must be a constant."""
        array = self.constant(step.input(place))
        if array is None:
            why = f"its {what} depends on the model's input"
            raise unsupported(step, why, f"a {what} that is a constant of the model")
        return array

    def optional(self, step: Step, place: int, what: str) -> Array | None:
        """An input of the step that must be a constant, if it is there."""
        return self.needed(step, place, what) if step.input(place) else None

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a value or constant."""
        array = self.constant(name)
        return self.program.specs[name].shape if array is None else array.shape

    def whole(self, name: str) -> bool:
        """Whether a value holds whole numbers or truth values."""
        return not self.program.specs[name].dtype.startswith("float")

    def span(self, name: str) -> tuple[float, float] | None:
        """Between which real numbers a value was on the calibration data, with a margin."""
        found = self.program.ranges.get(name)
        if found is None or not found.finite or self.whole(name):
            return None
        return widened(found.low, found.high, self.options.margin)

    def embed(self, array: Array, fixed: bool = False) -> Value:
        """A constant as a value: exact where it holds whole numbers, else rounded to 16 bits."""
        from inferproof.proving.sumcheck.lower.constants import quantised

        ints, scale = quantised(numbers(array), _EMBEDDED_BITS)
        return self.builder.const(ints, fixed).with_(scale=scale)


Lowering = Callable[[Context, Step], Value | tuple[Value, ...]]
REGISTRY: dict[str, Lowering] = {}


def lowers(*operators: str) -> Callable[[Lowering], Lowering]:
    """Registers a function as the lowering of these operators."""

    def register(function: Lowering) -> Lowering:
        for operator in operators:
            REGISTRY[operator] = function
        return function

    return register


MADE: dict[str, Lowering] = {}
"""Of operators that no file holds: passes make them."""


def lowers_made(operator: str) -> Callable[[Lowering], Lowering]:
    """Registers a function as the lowering of an operator that a pass makes."""

    def register(function: Lowering) -> Lowering:
        MADE[operator] = function
        return function

    return register


_FARTHEST = 2.0**300
"""Scales within this can be multiplied and divided in binary64 by any float32, and one another."""


def _too_far(step: Step) -> ModelRejected:
    """The rejection of a step whose numbers binary64 does not hold beside the others'."""
    return unsupported(
        step, "its numbers are far too large or too small", "weights and scales of usual sizes"
    )


def lower_step(c: Context, step: Step) -> None:
    """Adds the step to the graph and its outputs to the values.

    Raises: ModelRejected MODEL_OPERATOR_UNSUPPORTED, LOWERING_UNSUPPORTED, LOWERING_OVERFLOW,
    LOWERING_TENSOR.
    """
    function = REGISTRY.get(step.op) or MADE.get(step.op)
    if function is None:
        raise ModelRejected(
            Reason.MODEL_OPERATOR_UNSUPPORTED,
            node=shown(step.node),
            operator=step.op,
            system="sumcheck",
            instead=UNPROVEN[step.op],
        )
    c.builder.at, c.builder.step = (shown(step.node), step.op), step.index
    try:
        made = function(c, step)
    except OverflowError:
        raise _too_far(step) from None
    results = made if isinstance(made, tuple) else (made,)
    c.bounds.take(step)
    for name, value in zip(step.outputs, results, strict=False):
        if not name:
            continue
        if value.shape != c.shape(name):
            raise unsupported(
                step,
                f"it comes out as {list(value.shape)}, the standard says {list(c.shape(name))}",
                "report this model",
            )
        if not 1 / _FARTHEST < value.scale < _FARTHEST:
            raise _too_far(step)
        held = kept_within(c.builder, value, c.bounds.of(name))
        c.values[name] = held.with_(span=c.span(name) or held.span)
