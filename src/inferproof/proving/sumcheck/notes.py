"""What a provider should know of a model's accuracy, in sentences."""

from inferproof.proving.sumcheck.lower.score import ENOUGH_SAMPLES, Report

SHORT_ERROR = 0.02
"""Relative to the largest output; a larger error is told."""
SHORT_AGREEMENT = 0.99
_UNLIKE = 4.0
"""An error on held-out samples so many times the other one means that the ranges are too narrow."""


def notes(report: Report) -> list[str]:
    """What is to be told; nothing when the model is accurate and its ranges rest on enough."""
    found = []
    if report.samples < ENOUGH_SAMPLES:
        found.append(
            f"{_samples(report.samples)} gave the ranges of all values, and none was held out: "
            f"inputs more than {report.options.margin:g} times as far out are cut; calibrate with "
            f"{ENOUGH_SAMPLES} or more, or widen the ranges by --margin"
        )
    fitted, held_out = report.fitted.relative_error, report.relative_error
    if held_out > SHORT_ERROR and held_out > _UNLIKE * fitted:
        found.append(
            f"the error is {held_out:.2%} of the largest output on samples that were held out of "
            f"calibration and {fitted:.2%} on the {report.ranged} that gave the ranges, which are "
            "too narrow: calibrate with more samples, or widen the ranges by --margin"
        )
    return found


def _samples(count: int) -> str:
    return "1 calibration sample" if count == 1 else f"{count} calibration samples"
