"""Finds the cheapest circuit whose quantised answers stay near the float model's.

1  the smallest scale whose error on the calibration data is within the bound
2  for that scale, the digit decomposition with the fewest rows (2^k first) that still holds
   every calibration sample, and the largest of them stretched to twice their size
3  a larger scale where it costs nothing: same decomposition, same k

Nothing here depends on the clock: the same model and data give the same circuit.
Proving time follows 2^k. ezkl's default decomposition forces k ≥ 15; small circuits are 3 to 5
times faster with another.
"""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inferproof.errors import ModelRejected, Reason
from inferproof.protocol.encoding import Json
from inferproof.proving.base import Progress
from inferproof.proving.ezkl.bench import Bench, Parameters, Size, output_values
from inferproof.proving.ezkl.library import EzklFailed

Sample = list[npt.NDArray[np.float32]]
Outputs = list[npt.NDArray[np.float64]]

SCALES = (7, 8, 9, 10, 11, 12, 13)
WIDE = (14, 4)
"""56 bits: holds whatever a model of sane ranges computes at any of the scales."""
DECOMPOSITIONS = (
    *((9, 2), (10, 2), (11, 2), (12, 2), (13, 2), (14, 2), (15, 2), (16, 2)),
    *((6, 3), (7, 3), (8, 3), (9, 3), (10, 3), (11, 3), (12, 3), (14, 3)),
    *((6, 4), (7, 4), (8, 4), (9, 4), (10, 4), (12, 4), (14, 4)),
)
"""Base bits and digits. None below 18 bits: the 16-bit limbs of the binding must fit, signed."""
TUNING_SAMPLES = 16
STRESS_SAMPLES = 4
STRETCH = 2.0
MIN_AGREEMENT = 0.95
GOOD_ENOUGH = 0.1
"""Refining stops at a tenth of the error bound."""
MAX_LOGROWS = 22
"""2^22 rows take tens of gigabytes to prove; refusing early beats dying late."""


@dataclass(frozen=True, slots=True)
class Score:
    """How far quantised answers are from float ones. `relative` is what the bound is on."""

    relative: float
    absolute: float
    agreement: float


@dataclass(slots=True)
class Tuned:
    """The chosen circuit and how it was found."""

    parameters: Parameters
    size: Size
    score: Score
    trials: list[dict[str, Json | float]] = field(default_factory=list)


def tune(
    bench: Bench, samples: list[Sample], expected: list[Outputs], bound: float, report: Progress
) -> Tuned:
    """The cheapest circuit within the error bound; settings.json and network.compiled are its own.

    Raises: ModelRejected CIRCUIT_REFUSED, CIRCUIT_INACCURATE, CIRCUIT_TOO_LARGE.
    """
    few = samples[:TUNING_SAMPLES]
    paths = [bench.write_input(f"sample{i}.json", s) for i, s in enumerate(few)]
    largest = sorted(few, key=_magnitude, reverse=True)[:STRESS_SAMPLES]
    stretched = [_stretch(bench, s) for s in largest]
    stress = [bench.write_input(f"stress{i}.json", s) for i, s in enumerate(stretched)]
    trials: list[dict[str, Json | float]] = []
    report("choosing the scale", 0.05)
    wide, score = _choose_scale(bench, paths, expected, bound, trials)
    report("choosing the decomposition", 0.15)
    chosen, size = _choose_decomposition(bench, wide, [*paths, *stress], trials)
    report("refining the scale", 0.25)
    chosen, size, score = _refine(
        bench, (chosen, size, score), paths, stress, expected, bound, trials
    )
    if size.logrows > MAX_LOGROWS:
        raise ModelRejected(Reason.CIRCUIT_TOO_LARGE, need=size.logrows, limit=MAX_LOGROWS)
    bench.measure(chosen, size.logrows)
    bench.compile()
    return Tuned(chosen, size, score, trials)


def score_samples(bench: Bench, paths: list[Path], expected: list[Outputs]) -> Score:
    """Error and agreement of the current circuit. Raises: EzklFailed out of range."""
    return _evaluate(bench, paths, expected)[0]


def _choose_scale(
    bench: Bench,
    paths: list[Path],
    expected: list[Outputs],
    bound: float,
    trials: list[dict[str, Json | float]],
) -> tuple[Parameters, Score]:
    best = float("inf")
    failure: str | None = None
    for scale in SCALES:
        wide = Parameters(scale, *WIDE)
        trial: dict[str, Json | float] = {"step": "scale", "scale": scale}
        try:
            size = bench.measure(wide)
            bench.compile()
            score, lookup = _evaluate(bench, paths, expected)
        except EzklFailed as error:
            failure = str(error)
            trials.append({**trial, "verdict": failure})
            continue
        ok = score.relative <= bound and score.agreement >= MIN_AGREEMENT
        trial |= {"error": score.relative, "agreement": score.agreement}
        trials.append({**trial, "verdict": "within the bound" if ok else "too inaccurate"})
        best = min(best, score.relative)
        if ok:
            return replace(wide, lookup=lookup if size.lookups else wide.lookup), score
    if best == float("inf"):
        raise ModelRejected(Reason.CIRCUIT_REFUSED, system="ezkl", why=failure)
    raise ModelRejected(Reason.CIRCUIT_INACCURATE, bound=f"{bound:g}", best=f"{best:.3g}")


def _choose_decomposition(
    bench: Bench,
    wide: Parameters,
    paths: list[Path],
    trials: list[dict[str, Json | float]],
) -> tuple[Parameters, Size]:
    candidates = []
    for base_bits, legs in DECOMPOSITIONS:
        candidate = replace(wide, base_bits=base_bits, legs=legs)
        try:
            size = bench.measure(candidate)
        except EzklFailed:
            continue
        candidates.append((size.logrows, size.rows, candidate.bits, candidate, size))
    # Among equals the one with more bits: it holds larger inputs at the same cost.
    candidates.sort(key=lambda c: (c[0], c[1], -c[2]))
    too_few = 0
    for logrows, rows, bits, candidate, size in candidates:
        trial: dict[str, Json | float] = {
            "step": "decomposition",
            "base": 2**candidate.base_bits,
            "legs": candidate.legs,
            "logrows": logrows,
            "rows": rows,
        }
        if bits <= too_few:
            trials.append({**trial, "verdict": "holds fewer bits than one that failed"})
            continue
        if _holds(bench, candidate, logrows, paths):
            trials.append({**trial, "verdict": "chosen"})
            return candidate, size
        too_few = max(too_few, bits)
        trials.append({**trial, "verdict": "a sample does not fit"})
    size = bench.measure(wide)
    return wide, size


def _refine(
    bench: Bench,
    current: tuple[Parameters, Size, Score],
    paths: list[Path],
    stress: list[Path],
    expected: list[Outputs],
    bound: float,
    trials: list[dict[str, Json | float]],
) -> tuple[Parameters, Size, Score]:
    parameters, size, score = current
    if size.lookups:
        # A larger scale widens the lookup tables, which are sized for this one.
        return current
    # The error halves with each bit. More bits than needed would only take range from
    # unusual inputs.
    missing = score.relative / (bound * GOOD_ENOUGH)
    target = parameters.scale + max(0, math.ceil(math.log2(missing or 1.0)))
    for scale in range(min(target, SCALES[-1]), parameters.scale, -1):
        finer = replace(parameters, scale=scale)
        trial: dict[str, Json | float] = {"step": "refine", "scale": scale}
        try:
            finer_size = bench.measure(finer)
            fits = finer_size.logrows <= size.logrows and _holds(
                bench, finer, finer_size.logrows, stress
            )
            finer_score = score_samples(bench, paths, expected) if fits else score
        except EzklFailed:
            continue
        if finer_score.relative < score.relative:
            trials.append({**trial, "error": finer_score.relative, "verdict": "chosen"})
            return finer, finer_size, finer_score
        trials.append({**trial, "verdict": "a sample does not fit" if not fits else "no gain"})
    return current


def _holds(bench: Bench, candidate: Parameters, logrows: int, paths: list[Path]) -> bool:
    bench.measure(candidate, logrows)
    bench.compile()
    try:
        for path in paths:
            bench.witness(path)
    except EzklFailed:
        return False
    return True


def _evaluate(
    bench: Bench, paths: list[Path], expected: list[Outputs]
) -> tuple[Score, tuple[int, int]]:
    """The score of the compiled circuit, and the range of its lookups with a margin of two."""
    scales = bench.output_scales()
    relative = absolute = 0.0
    agreed = counted = 0
    low = high = 0
    largest = [
        max((float(np.abs(e[i]).max()) for e in expected), default=0.0) for i in range(len(scales))
    ]
    for path, wanted in zip(paths, expected, strict=False):
        witness = bench.witness(path)
        low = min(low, int(witness["min_lookup_inputs"]))
        high = max(high, int(witness["max_lookup_inputs"]))
        for i, values in enumerate(output_values(witness, len(scales))):
            got = np.array(values, dtype=np.float64) * 2.0 ** -scales[i]
            if got.size != wanted[i].size:
                raise EzklFailed("it lays out an output in another size than ONNX")
            error = float(np.abs(got - wanted[i].reshape(-1)).max(initial=0.0))
            absolute = max(absolute, error)
            relative = max(relative, error / (largest[i] or 1.0))
            if got.size > 1:
                counted += 1
                agreed += int(got.argmax() == wanted[i].argmax())
    margin = int(STRETCH * max(-low, high, 64)) + 1
    return Score(relative, absolute, agreed / counted if counted else 1.0), (-margin, margin)


def _stretch(bench: Bench, sample: Sample) -> Sample:
    """The sample at twice its size; whole-number inputs (indices, flags) are left as they are."""
    return [
        array * np.float32(STRETCH) if spec.dtype.startswith("float") else array
        for spec, array in zip(bench.inputs, sample, strict=True)
    ]


def _magnitude(sample: Sample) -> float:
    return max(float(np.abs(array).max(initial=0.0)) for array in sample)
