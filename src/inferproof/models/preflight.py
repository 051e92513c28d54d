"""What a model would cost and lose if it were proven, before anyone compiles it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from inferproof.errors import MissingPart, ModelRejected
from inferproof.models.limits import DEFAULT_LIMITS, Limits
from inferproof.models.loaded import LoadedModel
from inferproof.models.measure import Calibration, Measured, ValueRange, measure
from inferproof.types.layer import QuantisedLayer

Array = npt.NDArray[Any]


class CostEstimate(Protocol):
    """What one proof would cost. `proving.base.Estimate` is one. Units: seconds, bytes, gas."""

    @property
    def prove_s(self) -> float: ...
    @property
    def verify_s(self) -> float: ...
    @property
    def peak_bytes(self) -> int: ...
    @property
    def key_bytes(self) -> int: ...
    @property
    def proof_bytes(self) -> int: ...
    @property
    def verify_gas(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Quantised:
    """What a proof system's arithmetic gives on the calibration data, and what it would cost.

    Shapes: each output is [samples, *shape of that output], as real numbers. `layers` are what each
    node loses and costs, where the system can say.
    """

    outputs: dict[str, Array]
    estimate: CostEstimate | None = None
    layers: tuple[QuantisedLayer, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemProbe:
    """The questions that preflight asks of one proof system.

    `quantise` and `estimate` are asked only when the system supports every operator;
    `quantise` also only when there is calibration data. An estimate that comes with
    `quantise` goes before that of `estimate`.
    """

    supports: Callable[[str], bool]
    quantise: Callable[[LoadedModel, Calibration], Quantised] | None = None
    estimate: Callable[[LoadedModel], CostEstimate] | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the quantised model is from the float one on the calibration data.

    `relative_error` is the largest difference divided by the largest float output.
    `same_choice` is the share of samples whose largest output has the same place; None when
    the first output is a single number. The accuracies need labels.
    """

    max_error: float
    mean_error: float
    relative_error: float
    same_choice: float | None
    float_accuracy: float | None = None
    quantised_accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class SystemReport:
    """One proof system's part of the report. An absent part was not asked for.

    `refused` is why the system cannot take the model, or is not installed: reason and message.
    """

    system: str
    unsupported: tuple[str, ...]
    agreement: Agreement | None
    estimate: dict[str, float | int] | None
    refused: dict[str, str] | None = None
    layers: tuple[QuantisedLayer, ...] = ()

    @property
    def supported(self) -> bool:
        return not self.unsupported and self.refused is None


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """The facts about a model file, and what each proof system says to it."""

    model: LoadedModel
    samples: int
    ranges: tuple[ValueRange, ...]
    systems: tuple[SystemReport, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values. Everything but the model's bytes is in it."""
        model = self.model
        return {
            "opset": model.opset,
            "graph_digest": model.graph_digest.hex,
            "weights_digest": model.weights_digest.hex,
            "inputs": [_spec(spec) for spec in model.inputs],
            "outputs": [_spec(spec) | _labels(spec) for spec in model.outputs],
            "preprocessing": model.preprocessing,
            "open_axes": [asdict(item) for item in model.open_axes],
            "reshaped": list(model.reshaped),
            "misdeclared": [asdict(item) for item in model.misdeclared],
            "unpacked": [asdict(item) for item in model.unpacked],
            "as_float32": list(model.as_float32),
            "nodes": model.nodes,
            "parameters": model.parameters,
            "weight_bytes": model.weight_bytes,
            "activations": model.activations,
            "multiply_adds": model.multiply_adds,
            "operators": [
                {
                    "name": name,
                    "count": count,
                    "supported": {
                        report.system: name not in report.unsupported for report in self.systems
                    },
                }
                for name, count in model.operators
            ],
            "values": [_spec(spec) for spec in model.values],
            "samples": self.samples,
            "ranges": [asdict(seen) for seen in self.ranges],
            "systems": [
                {
                    "system": report.system,
                    "supported": report.supported,
                    "unsupported": list(report.unsupported),
                    "refused": report.refused,
                    "agreement": asdict(report.agreement) if report.agreement else None,
                    "estimate": report.estimate,
                    "layers": [asdict(layer) for layer in report.layers],
                }
                for report in self.systems
            ],
        }


def _spec(spec: Any) -> dict[str, Any]:
    return {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}


def _labels(spec: Any) -> dict[str, Any]:
    return {"labels": list(spec.labels)} if spec.labels else {}


def preflight(
    model: LoadedModel,
    systems: Mapping[str, SystemProbe],
    calibration: Calibration | None = None,
    labels: npt.NDArray[np.integer[Any]] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> PreflightReport:
    """The report on a loaded model.

    Shapes: `labels` is [samples], the right place of the first output's largest number.
    Without calibration data there are no ranges and no agreement.
    Raises: as `measure`, and what the probes raise.
    """
    measured = None if calibration is None else measure(model, calibration, limits)
    reports = tuple(
        _ask(name, probe, model, calibration, measured, labels)
        for name, probe in sorted(systems.items())
    )
    if measured is None:
        return PreflightReport(model, 0, (), reports)
    return PreflightReport(model, measured.samples, measured.ranges, reports)


def _ask(
    name: str,
    probe: SystemProbe,
    model: LoadedModel,
    calibration: Calibration | None,
    measured: Measured | None,
    labels: npt.NDArray[np.integer[Any]] | None,
) -> SystemReport:
    unsupported = tuple(op for op, _ in model.operators if not probe.supports(op))
    if unsupported:
        return SystemReport(name, unsupported, None, None)
    agreement: Agreement | None = None
    estimate: CostEstimate | None = None
    layers: tuple[QuantisedLayer, ...] = ()
    if probe.quantise is not None and calibration is not None and measured is not None:
        try:
            quantised = probe.quantise(model, calibration)
        except (ModelRejected, MissingPart) as error:
            # What one system says must not hide what the others do.
            told = {"reason": error.code, "message": error.message}
            return SystemReport(name, (), None, None, told)
        agreement = compare(model, measured.outputs, quantised.outputs, labels)
        estimate, layers = quantised.estimate, quantised.layers
    if estimate is None and probe.estimate is not None:
        estimate = probe.estimate(model)
    costs = None if estimate is None else _costs(estimate)
    return SystemReport(name, (), agreement, costs, layers=layers)


def _costs(estimate: CostEstimate) -> dict[str, float | int]:
    return {
        "prove_s": estimate.prove_s,
        "verify_s": estimate.verify_s,
        "peak_bytes": estimate.peak_bytes,
        "key_bytes": estimate.key_bytes,
        "proof_bytes": estimate.proof_bytes,
        "verify_gas": estimate.verify_gas,
    }


def compare(
    model: LoadedModel,
    exact: dict[str, Array],
    quantised: dict[str, Array],
    labels: npt.NDArray[np.integer[Any]] | None = None,
) -> Agreement:
    """How far the quantised outputs are from the exact ones. Shapes: [samples, *shape]."""
    pairs = [
        (exact[spec.name].astype(np.float64), quantised[spec.name].astype(np.float64))
        for spec in model.outputs
    ]
    errors = [np.abs(a - b).reshape(-1) for a, b in pairs]
    largest = max(float(np.abs(a).max(initial=0.0)) for a, _ in pairs)
    max_error = max(float(error.max(initial=0.0)) for error in errors)
    first, first_quantised = (array.reshape(len(array), -1) for array in pairs[0])
    several = first.shape[1] > 1
    choices = (first.argmax(axis=1), first_quantised.argmax(axis=1)) if several else None
    told = choices is not None and labels is not None
    return Agreement(
        max_error=max_error,
        mean_error=float(np.concatenate(errors).mean()),
        relative_error=max_error / largest if largest else max_error,
        same_choice=None if choices is None else _share(choices[0] == choices[1]),
        float_accuracy=_share(choices[0] == labels) if told and choices else None,
        quantised_accuracy=_share(choices[1] == labels) if told and choices else None,
    )


def _share(hits: Any) -> float:
    return float(np.mean(hits))
