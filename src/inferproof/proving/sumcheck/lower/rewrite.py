"""Rewrites a program before it is lowered: constants evaluated, normalisation folded, patterns."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from inferproof.models.measure import ColumnRanges
from inferproof.proving.sumcheck.lower.columns import unsplit_columns
from inferproof.proving.sumcheck.lower.evaluate import evaluate
from inferproof.proving.sumcheck.lower.pieces import FUNCTION, feature_functions
from inferproof.proving.sumcheck.lower.program import Array, Program, Step, numbers, renamed
from inferproof.proving.sumcheck.lower.traced import (
    trace_comparisons,
    trace_ensembles,
    trace_whole_parts,
)
from inferproof.proving.sumcheck.precision import MARGIN

_NO_CONSTANT = frozenset({"Dropout", FUNCTION})
BEYOND = 1e30
"""What an infinite constant counts as: further than any value, and still a number. It masks."""
NEVER = frozenset({"IsNaN", "IsInf"})
"""False for every whole number; an input that is not finite is refused."""


def rewrite(
    program: Program, margin: float = MARGIN, columns: dict[str, ColumnRanges] | None = None
) -> None:
    """Applies every rewriting to the program, in place.

    Values matter up to `margin` times as far as they went on the calibration data; `columns` are
    the ranges of inputs that are tables.
    """
    # Before what is not finite is taken for whole numbers, which always are.
    feature_functions(program, unsplit_columns(program, columns or {}))
    evaluate_constants(program)
    for rule in (_fold_batch_norm, _fold_bias, _recognise_softmax):
        rule(program)
    trace_ensembles(program)
    trace_comparisons(program)
    program.drop_unused()
    trace_whole_parts(program, margin)
    program.drop_unused()


def evaluate_constants(program: Program) -> None:
    """Replaces steps on constants by their results. Raises: ModelRejected LOWERING_UNSUPPORTED."""
    kept = []
    for step in program.steps:
        known = _known(program, step)
        names = [name for name in step.inputs if name]
        if known is not None:
            program.constants[step.outputs[0]] = known
            continue
        if step.op in _NO_CONSTANT or any(name not in program.constants for name in names):
            kept.append(_settled(program, step))
            continue
        given = [program.constants[name] if name else None for name in step.inputs]
        for name, array in zip(step.outputs, evaluate(step, given, program.opset), strict=False):
            if name:
                program.constants[name] = array.astype(program.specs[name].dtype)
    program.steps = kept
    for name, array in program.constants.items():
        if _infinite(array).any():
            program.constants[name] = np.clip(array.astype(np.float64), -BEYOND, BEYOND)


def _settled(program: Program, step: Step) -> Step:
    """A Where that always takes the same operand, as an imputer of NaN does, as that operand."""
    condition = program.constants.get(step.input(0))
    if step.op != "Where" or condition is None or condition.any() != condition.all():
        return step
    taken = step.inputs[1 if condition.all() else 2]
    if taken in program.constants or (
        program.specs[taken].shape != program.specs[step.outputs[0]].shape
    ):
        return step
    return renamed(step, op="Identity", inputs=(taken,))


def _known(program: Program, step: Step) -> Array | None:
    """The result of a step that does not depend on the operands that are computed, or None."""
    constants = [program.constants.get(name) for name in step.inputs]
    spec = program.specs[step.outputs[0]] if step.outputs[0] else None
    if spec is None:
        return None
    if step.op in NEVER:
        return np.zeros(spec.shape, bool)
    if step.op == "Equal" and any(a is not None and _infinite(a).all() for a in constants):
        computed = [name for name, a in zip(step.inputs, constants, strict=True) if a is None]
        if computed and all(program.ranges[name].finite for name in computed):
            return np.zeros(spec.shape, bool)
    if step.op == "Mul" and any(a is not None and not a.any() for a in constants):
        # 0 times a finite number; runtimes may make it -0.
        computed = [name for name, a in zip(step.inputs, constants, strict=True) if a is None]
        if computed and all(program.ranges[name].finite for name in computed):
            return np.zeros(spec.shape, spec.dtype)
    if step.op == "CastLike" and constants[0] is not None:
        return constants[0].astype(spec.dtype)
    return None


def _infinite(array: Array) -> npt.NDArray[np.bool_]:
    return np.isinf(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)


Alone = Callable[[str], Step | None]
"""The step that makes a value which nobody else reads."""
Joined = Callable[[Program, Step, Alone], tuple[Step, Step] | None]
"""For a step the one before it, and what both together become."""


def _join(program: Program, joined: Joined) -> None:
    """Applies a rule to every step in turn; what two steps become stands where the first stood."""
    uses = program.uses()
    steps: list[Step | None] = list(program.steps)
    places = {name: place for place, step in enumerate(program.steps) for name in step.outputs}

    def alone(name: str) -> Step | None:
        place = places.get(name) if uses[name] == 1 else None
        return None if place is None else steps[place]

    for place, step in enumerate(program.steps):
        found = joined(program, step, alone)
        if found is not None:
            before, made = found
            first = places[before.outputs[0]]
            steps[first], steps[place] = made, None
            places.update(dict.fromkeys(made.outputs, first))
    program.steps = [step for step in steps if step is not None]


def _new(program: Program, stem: str, array: Array) -> str:
    name = f"{stem}~{len(program.constants)}"
    program.constants[name] = array
    return name


def batch_norm(program: Program, step: Step) -> tuple[Array, Array] | None:
    """Factor and offset per channel of a BatchNormalization whose parameters are constants."""
    found = [program.constants.get(step.input(place)) for place in range(1, 5)]
    if any(array is None for array in found):
        return None
    gamma, beta, mean, variance = (numbers(array) for array in found if array is not None)
    factor = gamma / np.sqrt(variance + float(step.attributes.get("epsilon", 1e-5)))
    return factor, beta - mean * factor


def _fold_batch_norm(program: Program) -> None:
    _join(program, _with_batch_norm)


def _with_batch_norm(program: Program, step: Step, alone: Alone) -> tuple[Step, Step] | None:
    """Moves a BatchNormalization into the weights of the contraction before it."""
    if step.op != "BatchNormalization":
        return None
    before, folded = alone(step.input(0)), batch_norm(program, step)
    if before is None or folded is None or before.op not in _FACTORED:
        return None
    weights, bias = (program.constants.get(before.input(place)) for place in (1, 2))
    if weights is None or (before.input(2) and bias is None):
        return None
    changed = _FACTORED[before.op](before, numbers(weights), *folded, bias)
    if changed is None:
        return None
    names = [_new(program, step.outputs[0], array) for array in changed]
    made = renamed(
        before,
        inputs=(before.inputs[0], *names),
        outputs=(step.outputs[0],),
        attributes=_plain_gemm(before),
    )
    return before, made


def _plain_gemm(step: Step) -> dict[str, object]:
    return {name: v for name, v in step.attributes.items() if name not in ("alpha", "beta")}


_Folded = tuple[Array, Array] | None


def _factored_conv(
    _step: Step, weights: Array, factor: Array, offset: Array, bias: Array | None
) -> _Folded:
    wide = factor.reshape(-1, *(1 for _ in weights.shape[1:]))
    held = np.zeros(len(factor)) if bias is None else numbers(bias)
    return weights * wide, held * factor + offset


def _factored_transpose(
    step: Step, weights: Array, factor: Array, offset: Array, bias: Array | None
) -> _Folded:
    groups = int(step.attributes.get("group", 1))
    # [C, M / groups, k...]: output channels are numbered group by group.
    split = weights.reshape(groups, -1, *weights.shape[1:])
    wide = factor.reshape(groups, 1, -1, *(1 for _ in weights.shape[2:]))
    held = np.zeros(len(factor)) if bias is None else numbers(bias)
    return (split * wide).reshape(weights.shape), held * factor + offset


def _factored_gemm(
    step: Step, weights: Array, factor: Array, offset: Array, bias: Array | None
) -> _Folded:
    alpha = float(step.attributes.get("alpha", 1.0))
    beta = float(step.attributes.get("beta", 1.0))
    flipped = bool(step.attributes.get("transB", 0))
    wide = factor[:, None] if flipped else factor[None, :]
    held = np.zeros(len(factor)) if bias is None else numbers(bias) * beta
    if held.size not in (1, len(factor)):
        return None
    return weights * alpha * wide, held.reshape(-1) * factor + offset


_FACTORED: dict[str, Callable[..., _Folded]] = {
    "Conv": _factored_conv,
    "ConvTranspose": _factored_transpose,
    "Gemm": _factored_gemm,
}


def _fold_bias(program: Program) -> None:
    _join(program, _with_bias)


def _with_bias(program: Program, step: Step, alone: Alone) -> tuple[Step, Step] | None:
    """Moves the addition of a constant row behind a MatMul with constant weights into it."""
    if step.op != "Add":
        return None
    for place in (0, 1):
        before, bias = alone(step.input(place)), program.constants.get(step.input(1 - place))
        if before is None or bias is None or before.op != "MatMul" or before.input(2):
            continue
        weights = program.constants.get(before.input(1))
        rows = weights.shape[-1] if weights is not None and weights.ndim == 2 else 0
        if bias.size != rows or bias.shape[-1] != rows:
            continue
        if program.specs[step.outputs[0]].shape != program.specs[before.outputs[0]].shape:
            continue
        inputs = (*before.inputs, step.input(1 - place))
        return before, renamed(before, inputs=inputs, outputs=step.outputs)
    return None


_VIEWS = frozenset({"Identity", "Reshape", "Squeeze", "Unsqueeze"})
_MOST_VIEWS = 4
"""In a row; of a longer one nothing is recognised."""


def _recognise_softmax(program: Program) -> None:
    """Writes softmax and its logarithm as such where exporters spell them out.

    x - ReduceLogSumExp(x) is LogSoftmax(x), Exp(LogSoftmax(x)) is Softmax(x), and so is
    Exp(x) / ReduceSum(Exp(x)). The whole keeps its bounds, and needs no table of wide range.
    """
    makers = {name: step for step in program.steps for name in step.outputs if name}
    for place, step in enumerate(tuple(program.steps)):
        before = makers.get(step.input(0))
        made: Step | None = None
        if step.op == "Sub":
            axis = _reduced_axis(program, makers, step, "ReduceLogSumExp")
            made = _over_axis(program, step, "LogSoftmax", step.input(0), axis)
        elif step.op == "Div" and before is not None and before.op == "Exp":
            axis = _reduced_axis(program, makers, step, "ReduceSum")
            made = _over_axis(program, step, "Softmax", before.input(0), axis)
        elif step.op == "Exp" and before is not None and before.op == "LogSoftmax":
            made = renamed(
                before, index=step.index, node=step.node, op="Softmax", outputs=step.outputs
            )
        if made is not None:
            program.steps[place] = made
            makers |= dict.fromkeys(made.outputs, made)


def _over_axis(program: Program, step: Step, op: str, x: str, axis: int | None) -> Step | None:
    rank = len(program.specs[x].shape) if x in program.specs else 0
    # Before operator set 13 everything from the axis on was one.
    if axis is None or (program.opset < 13 and axis != rank - 1):
        return None
    return renamed(step, op=op, inputs=(x,), attributes={"axis": axis})


def _reduced_axis(program: Program, makers: dict[str, Step], step: Step, op: str) -> int | None:
    """The one axis over which the second operand is a reduction of the first, if it is one."""
    x, found = step.input(0), makers.get(step.input(1))
    for _ in range(_MOST_VIEWS):
        if found is not None and found.op in _VIEWS:
            found = makers.get(found.input(0))
    if found is None or found.op != op or found.input(0) != x or x not in program.specs:
        return None
    shape = program.specs[x].shape
    told = program.constants.get(found.input(1))
    axes = found.attributes.get("axes", []) if told is None else told.reshape(-1).tolist()
    if len(axes) != 1:
        return None
    axis = int(axes[0]) % len(shape)
    kept = (*shape[:axis], 1, *shape[axis + 1 :])
    return axis if program.specs[step.input(1)].shape == kept else None
