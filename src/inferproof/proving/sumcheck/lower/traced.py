"""Passes that note of a step where what it compares comes from, if that is an input."""

from dataclasses import replace
from typing import Any

import numpy as np

from inferproof.models.operators import TREES
from inferproof.proving.sumcheck.lower.pieces import FUNCTION, OF
from inferproof.proving.sumcheck.lower.program import Program, Step, renamed
from inferproof.proving.sumcheck.lower.ranges import part_range
from inferproof.proving.sumcheck.lower.sources import ELSEWHERE, SOURCES, Features, Tracer

COMPARISONS = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")
FIRST = "first"
"""The attribute of a comparison that is false where its constant stood before the features."""
ENDS = "ends"
"""The attribute of a whole part that says between which whole numbers it is."""
_PARTS = ("Floor", "Ceil", "Round", "Cast")
_MOST_COMPARED = 2**16
"""Elements of one step; of a larger one, as an image is, two forms of the input would cost more."""
_MOST_STEPS = 2**12
"""Whole numbers, over all elements of one step, that are compared one by one."""


def trace_ensembles(program: Program) -> None:
    """Notes of each ensemble of trees where its features come from, and lets go of its input where
    that is all that it needs."""
    tracer = Tracer(program)
    for place, step in enumerate(program.steps):
        if step.op not in TREES:
            continue
        traced = _by_columns(tracer.trace(step.input(0)))
        free = bool((traced.inputs[0, _asked(step, traced)] != ELSEWHERE).all())
        program.steps[place] = renamed(
            step,
            inputs=() if free else step.inputs,
            attributes={**step.attributes, SOURCES: traced},
        )


def _asked(step: Step, traced: Features) -> Any:
    """The features that an ensemble compares."""
    asked = np.unique(np.asarray(step.attributes.get("nodes_featureids", []), np.int64))
    return asked[(asked >= 0) & (asked < traced.inputs.shape[1])]


def _by_columns(features: Features) -> Features:
    """The features, of no input where the rows of a batch differ. Shapes: [rows, features]."""
    same = (features.inputs == features.inputs[:1]).all(axis=0)
    same &= (features.falling == features.falling[:1]).all(axis=0)
    return replace(features, inputs=np.where(same, features.inputs, ELSEWHERE))


def trace_comparisons(program: Program) -> None:
    """Notes of each comparison of features with constants where those come from, and lets go of
    them; what is computed otherwise stays."""
    tracer = Tracer(program)
    for place, step in enumerate(program.steps):
        if step.op not in COMPARISONS:
            continue
        constant = [name in program.constants for name in step.inputs]
        if constant.count(True) != 1:
            continue
        name, limit = step.inputs[constant.index(False)], step.inputs[constant.index(True)]
        if np.isnan(program.constants[limit].astype(np.float64)).any():
            continue
        traced = _of_inputs(program, tracer, name, program.specs[step.outputs[0]].shape)
        if traced is not None:
            told = {**step.attributes, SOURCES: traced, FIRST: constant[1]}
            program.steps[place] = renamed(step, inputs=(limit,), attributes=told)


def trace_whole_parts(program: Program, margin: float) -> None:
    """Notes of each step that makes whole numbers of features where those come from and between
    which ends they are, where these are few enough to be compared one by one."""
    tracer = Tracer(program)
    found = []
    for place, step in enumerate(program.steps):
        made = step.outputs[0]
        if step.op not in _PARTS or (step.op == "Cast" and not _to_whole(program, step)):
            continue
        low, high = part_range(program, made, margin)
        shape = program.specs[made].shape
        if not 0 <= (high - low) * int(np.prod(shape)) <= _MOST_STEPS:
            continue
        traced = _of_inputs(program, tracer, made, shape)
        if traced is not None:
            told = {**step.attributes, SOURCES: traced, ENDS: (low, high)}
            found.append((place, renamed(step, inputs=(), attributes=told)))
    # Changed last: one may be followed through another.
    for place, step in found:
        program.steps[place] = step


def _to_whole(program: Program, step: Step) -> bool:
    before, after = (program.specs[name].dtype for name in (step.input(0), step.outputs[0]))
    return before == "float32" and after.startswith("int")


def _of_inputs(
    program: Program, tracer: Tracer, name: str, shape: tuple[int, ...]
) -> Features | None:
    """The features of a value, repeated to a shape, where all are of inputs and few enough."""
    if int(np.prod(shape)) > _MOST_COMPARED:
        return None
    traced = tracer.trace(name)
    numbers = np.unique(traced.inputs)
    if not numbers.size or ELSEWHERE in numbers:
        return None
    whole = [not program.inputs[number].dtype.startswith("float") for number in numbers]
    if any(whole) and program.specs[name].dtype != "float32":
        # Whole numbers are compared exactly as they are.
        return None
    return traced.broadcast(shape)


def ordered_inputs(program: Program) -> set[str]:
    """The inputs whose numbers are compared in their order."""
    found: set[str] = set()
    for step in program.steps:
        traced: Features | None = step.attributes.get(SOURCES)
        if traced is not None:
            told = traced.inputs
            if step.op in TREES:
                told = told[0, _asked(step, traced)]
            found |= {program.inputs[number].name for number in np.unique(told) if number >= 0}
        if step.op == FUNCTION:
            found.add(step.attributes[OF].source)
    return found
