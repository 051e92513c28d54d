"""Runs a model on calibration data, with every intermediate value kept, in its own process."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import InputRejected, ModelRejected, Reason
from inferproof.models.arrays import stacked, stacked_shapes
from inferproof.models.isolation import Head, run_isolated
from inferproof.models.limits import DEFAULT_LIMITS, Limits
from inferproof.models.load import from_head, to_head
from inferproof.models.loaded import LoadedModel
from inferproof.models.runtime import open_session, run_session
from inferproof.models.show import printable

Array = npt.NDArray[Any]
Calibration = dict[str, Array]
"""One array per graph input. Shapes: [samples, *shape of that input], of its type."""


_FEW_ROWS = 32
_SPARE = 3.0
"""By how many times its range a place is widened whose range is not sure."""


@dataclass(frozen=True, slots=True)
class ValueRange:
    """The smallest and largest finite value that a tensor took. `finite` is False when it
    also took NaN or infinity.
    """

    name: str
    low: float
    high: float
    finite: bool


@dataclass(frozen=True, slots=True)
class ColumnRanges:
    """Between which numbers each place of an input's last axis is. Shapes: [places]."""

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]


def column_ranges(samples: Array) -> ColumnRanges:
    """Those of a stack of samples, widened where few of them show what a place can hold: where more
    than half say the same, as words that are mostly absent do. Shapes: [..., places]."""
    flat = samples.reshape(-1, samples.shape[-1]).astype(np.float64)
    low, high = flat.min(axis=0), flat.max(axis=0)
    shown = (flat != np.median(flat, axis=0)).sum(axis=0)
    rare = (shown < len(flat) / 2) | (len(flat) < _FEW_ROWS)
    spare = np.where(rare, _SPARE * (high - low), 0.0)
    unseen = low == high
    least, most = low.min(), high.max()
    low, high = low - np.where(low < 0, spare, 0.0), high + np.where(high > 0, spare, 0.0)
    return ColumnRanges(np.where(unseen, least, low), np.where(unseen, most, high))


@dataclass(frozen=True, slots=True)
class Measured:
    """What the float model did on the calibration data.

    Shapes: each output is [samples, *shape of that output]. `ranges` holds inputs first, then
    values in the order in which the nodes run; `columns` those of inputs that are tables, by name.
    Samples in `held_out` widened none but the ranges of inputs that hold whole numbers.
    """

    samples: int
    ranges: tuple[ValueRange, ...]
    outputs: dict[str, Array]
    held_out: frozenset[int] = frozenset()
    columns: dict[str, ColumnRanges] = field(default_factory=dict)


def check_calibration(model: LoadedModel, calibration: Calibration) -> int:
    """The number of samples.

    Raises: InputRejected with INPUT_MISSING_FIELD, INPUT_UNKNOWN_FIELD, INPUT_TYPE_MISMATCH,
    INPUT_SHAPE_MISMATCH or INPUT_NOT_FINITE.
    """
    known = [spec.name for spec in model.inputs]
    for name in calibration:
        if name not in known:
            raise InputRejected(
                Reason.INPUT_UNKNOWN_FIELD, field=printable(name), known=", ".join(known)
            )
    samples = 0
    for spec in model.inputs:
        name = printable(spec.name)
        if spec.name not in calibration:
            raise InputRejected(Reason.INPUT_MISSING_FIELD, field=name)
        array = calibration[spec.name]
        if array.dtype.name != spec.dtype:
            raise InputRejected(
                Reason.INPUT_TYPE_MISMATCH, name=name, expected=spec.dtype, got=array.dtype.name
            )
        samples = samples or (len(array) if array.ndim else 0)
        if not samples or array.shape != (samples, *spec.shape):
            raise InputRejected(
                Reason.INPUT_SHAPE_MISMATCH,
                name=name,
                got=list(array.shape),
                expected=stacked_shapes(spec.shape, samples),
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputRejected(Reason.INPUT_NOT_FINITE, name=name)
    return samples


def measure(
    model: LoadedModel,
    calibration: Calibration,
    limits: Limits = DEFAULT_LIMITS,
    held_out: frozenset[int] = frozenset(),
) -> Measured:
    """The float model's outputs and the range of every value on the calibration data.

    Samples that are held out give outputs but widen no range, except of inputs that hold whole
    numbers: those are refused beyond their range, which no calibration sample is to be.

    Raises: InputRejected with the reasons of `check_calibration` or INPUT_RUN_FAILED;
    ModelRejected MODEL_NOT_RUNNABLE, MODEL_PARSE_TIMEOUT, MODEL_PARSE_MEMORY or
    MODEL_PARSER_CRASHED; MissingPart MISSING_LIBRARY.
    """
    calibration = calibration | {
        spec.name: stacked(calibration[spec.name], spec.shape)
        for spec in model.inputs
        if spec.name in calibration
    }
    samples = check_calibration(model, calibration)
    arrays = tuple(np.ascontiguousarray(calibration[spec.name]).tobytes() for spec in model.inputs)
    head, blobs = run_isolated(
        "measure",
        {"model": to_head(model), "samples": samples, "held_out": sorted(held_out)},
        (model.onnx, *arrays),
        limits,
        ("onnx", "onnxruntime"),
    )
    try:
        outputs = {
            spec.name: np.frombuffer(blob, spec.dtype).reshape(samples, *spec.shape)
            for spec, blob in zip(model.outputs, blobs, strict=True)
        }
        ranges = tuple(_range_in(item) for item in head["ranges"])
    except (ValueError, TypeError, KeyError):
        raise ModelRejected(Reason.MODEL_PARSER_CRASHED, how="its answer cannot be read") from None
    return Measured(samples, ranges, outputs, held_out, _columns(model, calibration, held_out))


def _columns(
    model: LoadedModel, calibration: Calibration, held_out: frozenset[int]
) -> dict[str, ColumnRanges]:
    found = {}
    for spec in model.inputs:
        if len(spec.shape) == 2:
            samples = calibration[spec.name]
            kept = [place for place in range(len(samples)) if place not in held_out]
            found[spec.name] = column_ranges(samples[kept])
    return found


def _range_in(item: Any) -> ValueRange:
    given = ValueRange(**item)
    if (type(given.name), type(given.finite)) != (str, bool):
        raise ValueError("a range has a name")
    return ValueRange(given.name, float(given.low), float(given.high), given.finite)


def measure_here(request: Head, blobs: list[bytes]) -> tuple[Head, tuple[bytes, ...]]:
    """The sandbox's side of `measure`. Raises: as `measure`."""
    model = from_head(request["model"], blobs[0])
    samples, held_out = request["samples"], frozenset(request["held_out"])
    inputs = {
        spec.name: np.frombuffer(blob, spec.dtype).reshape(samples, *spec.shape)
        for spec, blob in zip(model.inputs, blobs[1:], strict=True)
    }
    session = open_session(with_all_values(model))
    shown = {spec.name for spec in model.outputs}
    # The outputs first, then the values that are not outputs too.
    specs = (*model.outputs, *(spec for spec in model.values if spec.name not in shown))
    ranges = {spec.name: _Range() for spec in (*model.inputs, *model.values)}
    outputs: list[list[bytes]] = [[] for _ in model.outputs]
    for sample in range(samples):
        given = {name: np.asarray(array[sample]) for name, array in inputs.items()}
        results = run_session(session, given, specs)
        widen = sample not in held_out
        for name, array in given.items():
            ranges[name].take(array, widen or array.dtype.kind != "f")
        for spec, array in zip(specs, results, strict=True):
            ranges[spec.name].take(array, widen)
        for kept, array in zip(outputs, results, strict=False):
            kept.append(np.ascontiguousarray(array).tobytes())
    told = [asdict(seen.value(name)) for name, seen in ranges.items()]
    return {"ranges": told}, tuple(b"".join(kept) for kept in outputs)


def with_all_values(model: LoadedModel) -> bytes:
    from onnx import ModelProto, helper

    proto = ModelProto.FromString(model.onnx)
    shown = {spec.name for spec in model.outputs}
    for spec in model.values:
        if spec.name not in shown:
            code = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
            proto.graph.output.append(helper.make_tensor_value_info(spec.name, code, spec.shape))
    raw: bytes = proto.SerializeToString()
    return raw


class _Range:
    def __init__(self) -> None:
        self.low = np.inf
        self.high = -np.inf
        self.finite = True

    def take(self, array: Array, widen: bool) -> None:
        if not array.size:
            return
        low, high = float(array.min()), float(array.max())
        # NaN is passed on by either, and what is infinite is at an end.
        if not (math.isfinite(low) and math.isfinite(high)):
            self.finite = False
            array = array[np.isfinite(array)]
            if not array.size:
                return
            low, high = float(array.min()), float(array.max())
        if widen:
            self.low, self.high = min(self.low, low), max(self.high, high)

    def value(self, name: str) -> ValueRange:
        # A tensor that was never finite, or holds nothing, has the range 0 to 0.
        if self.low > self.high:
            return ValueRange(name, 0.0, 0.0, self.finite)
        return ValueRange(name, self.low, self.high, self.finite)
