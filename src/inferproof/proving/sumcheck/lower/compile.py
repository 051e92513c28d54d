"""From a model and calibration data to an integer graph, its weights, and how near it comes."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import ModelRejected, Reason
from inferproof.models.limits import DEFAULT_LIMITS, Limits
from inferproof.models.loaded import LoadedModel
from inferproof.models.measure import Calibration, Measured, measure
from inferproof.proving.base import Progress, no_progress
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.float_order import REACH, places
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import graph_rejection, library
from inferproof.proving.sumcheck.lower import operators  # noqa: F401  (they register themselves)
from inferproof.proving.sumcheck.lower.columns import Columns, split_columns
from inferproof.proving.sumcheck.lower.compose import compose
from inferproof.proving.sumcheck.lower.context import Context, Options, lower_step, widened
from inferproof.proving.sumcheck.lower.dense import (
    through_a_weight,
)
from inferproof.proving.sumcheck.lower.passes import finish
from inferproof.proving.sumcheck.lower.program import read_program
from inferproof.proving.sumcheck.lower.quantised import wanted_steps
from inferproof.proving.sumcheck.lower.ranges import only_moved, whole_range
from inferproof.proving.sumcheck.lower.rewrite import rewrite
from inferproof.proving.sumcheck.lower.score import Report, held_out_of, scored, unscored
from inferproof.proving.sumcheck.lower.traced import ordered_inputs
from inferproof.proving.sumcheck.lower.value import Value, power_of_two_above
from inferproof.proving.sumcheck.precision import LEAST_BITS
from inferproof.proving.sumcheck.prove import failure
from inferproof.proving.sumcheck.quantisation import (
    Ints,
    QuantisedInput,
    QuantisedOutput,
    Settings,
    dequantise,
    quantise_inputs,
)
from inferproof.types.tensor import TensorSpec

CHEAP_ACCUMULATORS = 2**14
CHEAP_WEIGHTS = 2**19
"""So many cost next to nothing; within them weights of 16 bits are taken where they help."""
GOOD_ERROR = 0.0005
FAIR_ERROR = 0.02
"""Relative to the largest output. Finer weights are tried until the first is reached where they
are cheap, and the second where they are not.
"""
_BEGUN, _LOWERED = 0.05, 0.5
"""The shares of compiling that are done before and after."""
_LARGEST_WHOLE = 2**28
_SHOWN_BITS = 28
"""Of inputs that are shown as they are: the 24 of binary32, and more for columns that are small
beside the one that gives the unit. Those that something computes with have fewer, which layers and
tables take as they are."""
_TOO_MANY = (Reason.LOWERING_NODES, Reason.LOWERING_TENSOR)
"""What finer weights may be refused for where coarser ones were not."""


@dataclass(frozen=True, slots=True)
class Lowering:
    """A model in whole numbers. `weights` is the weights file that belongs to the graph; `measured`
    is what the float model did, which gave the ranges.
    """

    graph: g.Graph
    weights: bytes
    settings: Settings
    report: Report
    measured: Measured = field(repr=False)


_CHOICES = (
    Options(),
    Options(weight_bits=16),
    Options(weight_bits=16, activation_bits=14, table_bits=14),
)


def choices(bits: int | None, margin: float) -> tuple[Options, ...]:
    """The ways to quantise that are tried in turn: one where the bits are told.

    `bits` are those of the values that a layer or a table takes; weights have 8 with LEAST_BITS,
    else 16. `margin` is that of `Options`.
    """
    if bits is None:
        return tuple(replace(choice, margin=margin) for choice in _CHOICES)
    weights = 8 if bits == LEAST_BITS else 16
    return (Options(bits, weights, bits, margin=margin),)


def lower(
    model: LoadedModel,
    calibration: Calibration,
    options: tuple[Options, ...] = _CHOICES,
    limits: Limits = DEFAULT_LIMITS,
    report: Progress = no_progress,
) -> Lowering:
    """The model as an integer graph.

    The first of the options that keeps every answer, and the error on the samples that gave ranges
    below GOOD_ERROR, or below FAIR_ERROR for a model whose weights and accumulators are many; the
    most exact one if none does. Of enough samples some are held out, and give no ranges
    (`score.held_out_of`): on those the error is to be below FAIR_ERROR where more bits are cheap.
    Raises: InputRejected as `models.measure.measure`; ModelRejected
    MODEL_OPERATOR_UNSUPPORTED, LOWERING_UNSUPPORTED, LOWERING_ROW, LOWERING_OVERFLOW,
    LOWERING_TENSOR, LOWERING_NOT_FINITE, LOWERING_NODES.
    """
    samples = max((len(array) for array in calibration.values() if array.ndim), default=0)
    report(f"running the model on {samples} samples", _BEGUN)
    measured = measure(model, calibration, limits, held_out_of(samples))
    best: Lowering | None = None
    for number, choice in enumerate(options, 1):
        if best is not None and _good_enough(best):
            break
        share = _BEGUN + (_LOWERED - _BEGUN) * number / (len(options) + 1)
        report(f"quantising, weights of {choice.weight_bits} bits, try {number}", share)
        try:
            made = _scored(model, calibration, measured, choice)
        except ModelRejected as refused:
            if best is None or refused.reason not in _TOO_MANY:
                raise
            break
        if best is None or _rank(made) < _rank(best):
            best = made
    assert best is not None  # noqa: S101  (there is a choice)
    return best


def _good_enough(made: Lowering) -> bool:
    """Whether finer weights would not be worth what they cost."""
    cheap = (
        2 * made.report.accumulators <= CHEAP_ACCUMULATORS
        and 2 * len(made.weights) <= CHEAP_WEIGHTS
    )
    error = GOOD_ERROR if cheap else FAIR_ERROR
    if made.report.fitted.relative_error > error or made.report.agreement < 1.0:
        return False
    # Where few samples are near a border between answers, others may still be.
    return not cheap or made.report.relative_error <= FAIR_ERROR


def _rank(made: Lowering) -> tuple[float, bool, float]:
    report = made.report
    # By how much held-out samples err says more of their ranges than of the bits.
    return -report.agreement, report.relative_error > FAIR_ERROR, report.fitted.relative_error


def build(
    model: LoadedModel, measured: Measured, options: Options
) -> tuple[Context, tuple[QuantisedInput, ...]]:
    """Every step of the model lowered with these options, and its inputs. Raises: as `lower`."""
    program = read_program(model, measured.ranges)
    for spec in model.outputs:
        if not program.ranges[spec.name].finite:
            raise ModelRejected(Reason.LOWERING_NOT_FINITE, name=spec.name)
    rewrite(program, options.margin, measured.columns)
    compose(program, measured.columns)
    columns = split_columns(program, measured.columns)
    context = Context(program, options, wanted=wanted_steps(program))
    inputs = tuple(
        item for spec in model.inputs for item in _inputs(context, spec, columns.get(spec.name))
    )
    for step in program.steps:
        lower_step(context, step)
    return context, inputs


def lower_once(model: LoadedModel, measured: Measured, options: Options) -> Lowering:
    """The model lowered with these options, not yet compared. Raises: as `lower`."""
    context, inputs = build(model, measured, options)
    results = [_output(context, spec) for spec in model.outputs]
    outputs = tuple(
        QuantisedOutput(spec.name, spec.shape, value.scale)
        for spec, value in zip(model.outputs, results, strict=True)
    )
    graph, weights = finish(context.builder, tuple(value.tensor for value in results))
    if not graph.weights:
        results[0] = through_a_weight(context.builder, results[0])
        graph, weights = finish(context.builder, tuple(value.tensor for value in results))
    if len(graph.nodes) > g.MAX_NODES:
        raise ModelRejected(Reason.LOWERING_NODES, got=len(graph.nodes), limit=g.MAX_NODES)
    accumulators = count_accumulators(graph)
    ranged = measured.samples - len(measured.held_out)
    report = unscored(options, accumulators, measured.samples, ranged)
    return Lowering(graph, weights, Settings(inputs, outputs), report, measured)


def count_accumulators(graph: g.Graph) -> int:
    """How many results of Linear and Conv one run has."""
    return sum(
        int(np.prod(node.shape, dtype=object))
        for node in graph.nodes
        if isinstance(node.op, g.Linear | g.Conv)
    )


def _inputs(context: Context, spec: TensorSpec, columns: Columns | None) -> list[QuantisedInput]:
    """The input in its units, and in the order of its numbers where it is compared with thresholds;
    in one of both where nothing needs the other."""
    program = context.program
    compared = spec.name in ordered_inputs(program) and not context.whole(spec.name)
    used = program.uses()[spec.name] or not (compared or columns)
    return [
        *([_input(context, spec)] if used else []),
        *([_split_input(context, spec, columns)] if columns else []),
        *([_ordered_input(context, spec)] if compared else []),
    ]


def _split_input(context: Context, spec: TensorSpec, columns: Columns) -> QuantisedInput:
    found = context.program.ranges[columns.name]
    # Columns are about as wide as the largest unit, which is 1; their numbers may be larger.
    largest, margin = max(abs(found.low), abs(found.high)), context.options.margin
    scale = power_of_two_above(margin) * columns.width / 2 ** (context.options.input_bits - 1)
    hi = math.ceil(largest * margin / scale)
    tensor = context.builder.input(spec.shape, -hi, hi)
    span = widened(found.low, found.high, margin)
    context.values[columns.name] = Value(tensor, spec.shape, scale, -hi, hi, span)
    least = float(columns.units.min())
    powers = tuple(round(math.log2(unit / least)) for unit in columns.units)
    return QuantisedInput(spec.name, spec.shape, scale * least, -hi, hi, False, powers)


def _ordered_input(context: Context, spec: TensorSpec) -> QuantisedInput:
    found = context.program.ranges[spec.name]
    largest = max(abs(found.low), abs(found.high)) or 1.0
    largest *= context.options.margin
    scale = power_of_two_above(largest) * 2.0 / REACH
    hi = int(places(np.array(largest), scale))
    tensor = context.builder.input(spec.shape, -hi, hi)
    context.ordered[spec.name] = Value(tensor, spec.shape, scale, -hi, hi)
    return QuantisedInput(spec.name, spec.shape, scale, -hi, hi, False, ordered=True)


def _input(context: Context, spec: TensorSpec) -> QuantisedInput:
    found = context.program.ranges[spec.name]
    whole = context.whole(spec.name)
    if whole:
        low, high = whole_range(context.program, spec.name)
        scale, lo, hi = 1.0, max(low, 1 - _LARGEST_WHOLE), min(high, _LARGEST_WHOLE - 1)
        span = None
    else:
        largest, margin = max(abs(found.low), abs(found.high)) or 1.0, context.options.margin
        moved = only_moved(context.program, spec.name)
        bits = _SHOWN_BITS if moved else context.options.input_bits
        hi = 2 ** (bits - 1) - 1
        scale = power_of_two_above(largest * margin) / (hi + 1)
        steps = context.wanted.get(spec.name)
        if steps is not None:
            # Rounding to the file's own steps is then that of inputs.
            scale = steps.size
            reach = max(largest * margin, steps.size * (steps.count + 1))
            hi = min(math.ceil(reach / scale), _LARGEST_WHOLE - 1)
        lo = -hi
        span = widened(found.low, found.high, margin)
    tensor = context.builder.input(spec.shape, lo, hi)
    context.values[spec.name] = Value(tensor, spec.shape, scale, lo, hi, span)
    return QuantisedInput(spec.name, spec.shape, scale, lo, hi, whole)


def _output(context: Context, spec: TensorSpec) -> Value:
    array = context.constant(spec.name)
    return context.values[spec.name] if array is None else context.embed(array)


def run(lowering: Lowering, tensors: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """The quantised model's outputs in real numbers.

    Raises: InputRejected as `quantise_inputs`, and INPUT_BEYOND_CIRCUIT; MissingPart
    MISSING_NATIVE.
    """
    ints = quantise_inputs(lowering.settings, tensors)
    return _run(lowering, encode_graph(lowering.graph), ints)


def _run(lowering: Lowering, graph: bytes, inputs: list[Ints]) -> dict[str, Any]:
    outputs = run_integers(graph, lowering.weights, inputs)
    return dequantise(lowering.settings, outputs)


def run_integers(graph: bytes, weights: bytes, inputs: list[Ints]) -> list[Ints]:
    """The outputs of an encoded graph.

    Raises: InputRejected INPUT_BEYOND_CIRCUIT for indices and divisors that inputs decide;
    ArtifactRejected GRAPH_ reasons; Unavailable PROVER_FAILED; MissingPart.
    """
    native = library()
    matrices = np.frombuffer(weights, dtype=np.int8)
    flat = [values.astype(np.int32).reshape(-1) for values in inputs]
    try:
        outputs = native.run_graph(graph, matrices, flat)
    except native.NativeError as error:
        raise graph_rejection(error) or failure(error) from error
    return [values.astype(np.int64) for values in outputs]


def _scored(
    model: LoadedModel, calibration: Calibration, measured: Measured, options: Options
) -> Lowering:
    made = lower_once(model, measured, options)
    graph = encode_graph(made.graph)

    def run_one(sample: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
        return _run(made, graph, quantise_inputs(made.settings, sample))

    report = scored(made.report, model, calibration, measured, run_one)
    return replace(made, report=report)
