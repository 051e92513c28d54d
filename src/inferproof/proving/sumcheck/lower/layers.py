"""What each node of a model loses and costs in its lowered form."""

import math
from collections import Counter, defaultdict

import numpy as np

from inferproof.models.loaded import LoadedModel
from inferproof.models.measure import Calibration
from inferproof.models.trace import trace
from inferproof.proving.costs import Costs, Size
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.lower.compile import Lowering, build, run_integers
from inferproof.proving.sumcheck.lower.context import Array, Context
from inferproof.proving.sumcheck.lower.passes import finish
from inferproof.proving.sumcheck.lower.value import Value
from inferproof.proving.sumcheck.quantisation import quantise_inputs
from inferproof.types.layer import QuantisedLayer

MOST_COMPARED = 8 * g.MAX_OUTPUTS
"""Values that are compared; a graph puts out MAX_OUTPUTS at once."""


def layers_of(
    model: LoadedModel, calibration: Calibration, made: Lowering, costs: Costs | None = None
) -> tuple[QuantisedLayer, ...]:
    """The lowered nodes in their order; `costs` are those of the mode that it is proven in.

    Raises: as `trace`, `lower` and `run`.
    """
    context, _ = build(model, made.measured, made.report.options)
    held_out = made.report.held_out
    places = {*made.report.fitted.worst, *(held_out.worst if held_out else ())}
    exact = trace(model, calibration, sorted(places)) if places else {}
    errors = _errors(context, calibration, made, exact, sorted(places))
    shares = _shares(made.graph, costs)
    found = []
    for step in context.program.steps:
        names = [name for name in step.outputs if name in context.values]
        if not names:
            continue
        value = context.values[names[0]]
        known = [errors[name] for name in names if name in errors]
        error = max(known, default=None)
        before = max((errors.get(name, 0.0) for name in step.inputs), default=0.0)
        found.append(
            QuantisedLayer(
                node=step.index,
                operator=step.op,
                value=names[0],
                low=value.lo * value.scale,
                high=value.hi * value.scale,
                bits=(value.hi - value.lo).bit_length(),
                error=error,
                added=None if error is None else max(0.0, error - before),
                share=shares[step.index],
            )
        )
    return tuple(found)


def _errors(
    context: Context,
    calibration: Calibration,
    made: Lowering,
    exact: dict[str, Array],
    places: list[int],
) -> dict[str, float]:
    """By value's name the largest difference over the largest float value known of it."""
    largest = {seen.name: max(abs(seen.low), abs(seen.high)) for seen in made.measured.ranges}
    known = [(name, value) for name, value in context.values.items() if name in exact]
    count = len(next(iter(exact.values()), ()))
    samples = [
        quantise_inputs(made.settings, {name: array[place] for name, array in calibration.items()})
        for place in places[:count]
    ]
    step = math.ceil(len(known) / MOST_COMPARED) or 1
    errors = {}
    for first in range(0, len(known), step * g.MAX_OUTPUTS):
        part = known[first : first + step * g.MAX_OUTPUTS : step]
        tensors = tuple(dict.fromkeys(value.tensor for _, value in part))
        graph, weights = finish(context.builder, tensors)
        data = encode_graph(graph)
        results = [
            dict(zip(tensors, run_integers(data, weights, ints), strict=True)) for ints in samples
        ]
        for name, value in part:
            got = np.stack([result[value.tensor] for result in results])
            errors[name] = _relative(exact[name], got, value, largest[name])
    return errors


def _relative(exact: Array, got: Array, value: Value, largest: float) -> float:
    real = exact.astype(np.float64).reshape(len(got), -1)
    real = np.nan_to_num(real, nan=0.0, posinf=0.0, neginf=0.0)
    largest = max(largest, float(np.abs(real).max(initial=0.0)))
    error = float(np.abs(real - got.reshape(len(got), -1) * value.scale).max(initial=0.0))
    return error / largest if largest else error


def sizes_of(graph: g.Graph) -> dict[int, Size]:
    """What the nodes made for each step add to the size of a graph, as `graph_size` counts it."""
    shapes = [item.shape for item in graph.inputs] + [node.shape for node in graph.nodes]
    parts: dict[int, Counter[str]] = defaultdict(Counter)
    for node in graph.nodes:
        part, size = parts[node.step], math.prod(node.shape)
        part["steps"] += size + sum(math.prod(shapes[operand]) for operand in node.operands)
        if isinstance(node.op, g.Linear | g.Conv):
            matrix = graph.weights[node.op.weight]
            part["weights"] += matrix.rows * matrix.cols
            part["products"] += size * matrix.cols
        elif isinstance(node.op, g.MatMul):
            part["steps"] += size * shapes[node.operands[0]][-1]
    return {
        step: Size(part["weights"], part["products"], part["steps"]) for step, part in parts.items()
    }


def _shares(graph: g.Graph, costs: Costs | None) -> Counter[int]:
    """Each step's share of what a proof takes beyond what every proof does."""
    sizes = sizes_of(graph)
    if costs is None:
        effort = {step: float(s.weights + s.products + s.steps) for step, s in sizes.items()}
    else:
        fixed = costs.seconds(Size(0, 0, 0))[0]
        effort = {step: costs.seconds(size)[0] - fixed for step, size in sizes.items()}
    total = sum(effort.values())
    return Counter({step: part / total if total else 0.0 for step, part in effort.items()})
