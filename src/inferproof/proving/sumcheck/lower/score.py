"""How near a lowered model comes to the float model on calibration samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import InputRejected
from inferproof.models.loaded import LoadedModel
from inferproof.models.measure import Calibration, Measured
from inferproof.proving.sumcheck.lower.context import Options

Array = npt.NDArray[Any]

SCORED_SAMPLES = 64
"""Samples that are run through the quantised model, at most."""
ENOUGH_SAMPLES = 20
"""From so many on some are held out; of fewer the ranges need them all."""
_HELD_OUT_EVERY = 5


@dataclass(frozen=True, slots=True)
class Score:
    """The error on so many samples.

    `max_error` is the largest absolute difference of a float output, `relative_error` that over the
    largest float output; of a model that puts out whole numbers alone both are the share of samples
    with another answer. `worst` are the places of the sample with it, and of the first whose
    argmax differs, if one does.
    """

    samples: int
    max_error: float
    relative_error: float
    worst: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """How a lowered model compares with the float model.

    Of `samples` calibration samples `ranged` gave the ranges of values. `fitted` is the score on
    such, `held_out` that on the others, None where there are too few. `agreement` is the share of
    both with the same argmax of every float output, and the same whole numbers in the others.
    """

    options: Options
    accumulators: int
    samples: int
    ranged: int
    fitted: Score
    held_out: Score | None = None
    agreement: float = 1.0

    @property
    def told(self) -> Score:
        """The score that counts: the one on samples that gave no ranges, if there is one."""
        return self.held_out or self.fitted

    @property
    def max_error(self) -> float:
        return self.told.max_error

    @property
    def relative_error(self) -> float:
        return self.told.relative_error


def unscored(options: Options, accumulators: int, samples: int, ranged: int) -> Report:
    """The report of a model that was not compared yet."""
    return Report(options, accumulators, samples, ranged, Score(0, 0.0, 0.0))


def held_out_of(samples: int) -> frozenset[int]:
    """Which of so many calibration samples give no ranges: every fifth, where there are enough."""
    if samples < ENOUGH_SAMPLES:
        return frozenset()
    return frozenset(range(_HELD_OUT_EVERY - 1, samples, _HELD_OUT_EVERY))


Run = Callable[[dict[str, Array]], dict[str, Array]]
"""Runs a quantised model on one sample. Raises InputRejected for what its inputs cannot hold."""


@dataclass(slots=True)
class _Tally:
    samples: int = 0
    error: float = 0.0
    same: int = 0
    worst: int | None = None
    other: int | None = None

    @property
    def places(self) -> tuple[int, ...]:
        return tuple(place for place in (self.worst, self.other) if place is not None)


def scored(
    report: Report, model: LoadedModel, calibration: Calibration, measured: Measured, run: Run
) -> Report:
    """The report with what a comparison of up to SCORED_SAMPLES samples gives."""
    held_out = sorted(measured.held_out)
    fitted = [place for place in range(measured.samples) if place not in measured.held_out]
    real = [spec.name for spec in model.outputs if spec.dtype.startswith("float")]
    largest = max(
        (float(np.abs(measured.outputs[name]).max(initial=0.0)) for name in real), default=1.0
    )
    room = SCORED_SAMPLES // 2 if held_out else SCORED_SAMPLES
    tallies = [
        _tally(model, calibration, measured, run, _spread(places, room))
        for places in (fitted, held_out)
        if places
    ]
    scores = [
        Score(one.samples, one.error, one.error / largest if largest else one.error, one.places)
        for one in tallies
    ]
    return replace(
        report,
        fitted=scores[0],
        held_out=scores[1] if held_out else None,
        agreement=sum(one.same for one in tallies) / sum(one.samples for one in tallies),
    )


def _spread(places: Sequence[int], most: int) -> list[int]:
    """At most so many of the places, evenly from first to last."""
    picked = np.linspace(0, len(places) - 1, min(len(places), most)).astype(int)
    return [places[number] for number in picked]


def _tally(
    model: LoadedModel, calibration: Calibration, measured: Measured, run: Run, places: list[int]
) -> _Tally:
    made = _Tally(len(places))
    for place in places:
        try:
            got = run({name: array[place] for name, array in calibration.items()})
        except InputRejected:
            continue
        agrees = True
        for spec in model.outputs:
            exact = measured.outputs[spec.name][place].astype(np.float64)
            if not spec.dtype.startswith("float"):
                agrees = agrees and bool((exact == got[spec.name]).all())
                continue
            error = float(np.abs(exact - got[spec.name]).max())
            if made.worst is None or error > made.error:
                made.error, made.worst = error, place
            agrees = agrees and _choice(exact) == _choice(got[spec.name])
        made.same += agrees
        if not agrees and made.other is None:
            made.other = place
    if not any(spec.dtype.startswith("float") for spec in model.outputs):
        made.error = 1 - made.same / made.samples
    return made


def _choice(output: Array) -> int:
    return int(output.argmax()) if output.size > 1 else 0
