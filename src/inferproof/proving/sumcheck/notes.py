"""What a provider should know of a model's accuracy and privacy, in sentences."""

from typing import TYPE_CHECKING

from inferproof.models.show import printable
from inferproof.proving.sumcheck.check import private_fault
from inferproof.proving.sumcheck.library import library
from inferproof.proving.sumcheck.lower.score import ENOUGH_SAMPLES, Report
from inferproof.proving.sumcheck.precision import MOST_BITS
from inferproof.types.layer import QuantisedLayer, weakest

if TYPE_CHECKING:
    from inferproof.proving.sumcheck import _native

SHORT_ERROR = 0.02
"""Relative to the largest output; a larger error is told."""
SHORT_AGREEMENT = 0.99
_UNLIKE = 4.0
"""An error on held-out samples so many times the other one means that the ranges are too narrow."""


PRIVATE_NOTE = (
    "each process that proves takes an opening of the key, which are counted (provider openings)"
)
"""Of every model."""


def private_notes(key: "_native.VerifyingKey") -> list[str]:
    """What is told of a key: also where buyers cannot keep their inputs private."""
    try:
        key.security(private_inputs=True)
    except library().NativeError as error:
        refusal = private_fault(error)
        if refusal is None:
            raise
        return [PRIVATE_NOTE, refusal.message]
    return [PRIVATE_NOTE]


def falls_short(report: Report) -> bool:
    """Whether the quantised model is so far from the float one that its provider is told why."""
    return report.relative_error > SHORT_ERROR or report.agreement < SHORT_AGREEMENT


def where(layer: QuantisedLayer | None) -> str:
    """At which node most accuracy is lost, as the end of a sentence; nothing where none is."""
    if layer is None or layer.error is None or layer.added is None:
        return ""
    return (
        f", of which most is lost at node {layer.node} ({layer.operator}, output "
        f"{printable(layer.value)}): its result is off by {layer.error:.2%} of its largest value, "
        f"{layer.added:.2%} more than what it is computed from"
    )


def notes(report: Report, layers: tuple[QuantisedLayer, ...] = ()) -> list[str]:
    """What is to be told; nothing when the model is accurate and its ranges rest on enough.

    `layers` are looked at where accuracy falls short.
    """
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
    elif falls_short(report):
        bits = report.options.activation_bits
        finer = "; try --bits 16" if bits < MOST_BITS else ""
        found.append(
            f"the error is {held_out:.2%} of the largest output, and {report.agreement:.1%} of the "
            f"samples keep their answer{where(weakest(layers))}{finer}"
        )
    return found


def _samples(count: int) -> str:
    return "1 calibration sample" if count == 1 else f"{count} calibration samples"
