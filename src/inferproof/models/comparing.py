"""How far a loaded model is from the file that it was read from, by running both."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import InferproofError, ModelRejected, Reason
from inferproof.models.isolation import Head, run_isolated
from inferproof.models.limits import DEFAULT_LIMITS, Limits
from inferproof.models.load import from_head, to_head
from inferproof.models.loaded import LoadedModel
from inferproof.models.measure import Calibration, check_calibration
from inferproof.models.runtime import open_session, run_any, run_session
from inferproof.models.show import first_line

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class OutputDifference:
    """The largest difference in one output, and the largest value that the file's has; or why
    the two cannot be compared."""

    name: str
    difference: float
    largest: float
    why_not: str = ""


def compare_with_file(
    path: Path, model: LoadedModel, samples: Calibration, limits: Limits = DEFAULT_LIMITS
) -> tuple[OutputDifference, ...]:
    """The differences on the samples, in the order of the model's outputs.

    Shapes: samples are [samples, *shape of that input]. Raises: as `check_calibration` and
    `run_isolated`; ModelRejected MODEL_NOT_RUNNABLE, InputRejected INPUT_RUN_FAILED.
    Soundness: the file passed `load_model`, which bounds what it may name outside of itself.
    """
    count = check_calibration(model, samples)
    arrays = tuple(np.ascontiguousarray(samples[spec.name]).tobytes() for spec in model.inputs)
    head, _ = run_isolated(
        "compare",
        {"path": str(path.absolute()), "model": to_head(model), "samples": count},
        (model.onnx, *arrays),
        limits,
        ("onnx", "onnxruntime"),
    )
    try:
        return tuple(_difference_in(item) for item in head["outputs"])
    except (ValueError, TypeError, KeyError):
        raise ModelRejected(Reason.MODEL_PARSER_CRASHED, how="its answer cannot be read") from None


def _difference_in(item: Any) -> OutputDifference:
    given = OutputDifference(**item)
    if (type(given.name), type(given.why_not)) != (str, str):
        raise ValueError("a difference has a name")
    why_not = first_line(given.why_not) if given.why_not else ""
    return OutputDifference(given.name, float(given.difference), float(given.largest), why_not)


def compare_here(request: Head, blobs: list[bytes]) -> Head:
    """The sandbox's side of `compare_with_file`. Raises: as it."""
    model, count = from_head(request["model"], blobs[0]), request["samples"]
    inputs = {
        spec.name: np.frombuffer(blob, spec.dtype).reshape(count, *spec.shape)
        for spec, blob in zip(model.inputs, blobs[1:], strict=True)
    }
    names = [spec.name for spec in model.outputs]
    told = [OutputDifference(name, 0.0, 0.0) for name in names]
    try:
        original = open_session(request["path"])
        types = {item.name: item.type for item in original.get_inputs()}
        ours = open_session(model.onnx)
        for sample in range(count):
            given = {name: array[sample] for name, array in inputs.items()}
            cast = {name: _as_declared(array, types[name]) for name, array in given.items()}
            before = _of_the_file(original, cast, model)
            after = run_session(ours, given, model.outputs)
            told = [_larger(*three) for three in zip(told, before, after, strict=True)]
    except (InferproofError, KeyError, ValueError, TypeError) as error:
        why = f"ONNX Runtime does not run both: {error}"
        told = [OutputDifference(name, 0.0, 0.0, why) for name in names]
    return {"outputs": [asdict(item) for item in told]}


def _of_the_file(original: Any, inputs: dict[str, Array], model: LoadedModel) -> list[Any]:
    """What the file's own graph gives for each output; a part of a sequence for a part of it."""
    places = {
        name: (item.name, place) for item in model.unpacked for place, name in enumerate(item.names)
    }
    asked = [places.get(spec.name, (spec.name, -1)) for spec in model.outputs]
    names = list(dict.fromkeys(name for name, _ in asked))
    given = dict(zip(names, run_any(original, inputs, names), strict=True))
    return [given[name] if place < 0 else given[name][place] for name, place in asked]


_TYPES = {"tensor(double)": "<f8", "tensor(float16)": "<f2", "tensor(float)": "<f4"}


def _as_declared(array: Array, declared: str) -> Array:
    return array.astype(_TYPES[declared]) if declared in _TYPES else array


def _larger(known: OutputDifference, before: Any, after: Array) -> OutputDifference:
    if known.why_not:
        return known
    array = _plain(before)
    if array is None or array.dtype.kind not in "fiub" or array.size != after.size:
        why = "the file gives no numbers there, or another count of them"
        return OutputDifference(known.name, 0.0, 0.0, why)
    old, new = (each.astype(np.float64).reshape(-1) for each in (array, after))
    if not np.isfinite([old, new]).all():
        return OutputDifference(known.name, 0.0, 0.0, "one of the two is not finite there")
    difference, held = (float(np.abs(each).max(initial=0.0)) for each in (old - new, old))
    return OutputDifference(known.name, max(known.difference, difference), max(known.largest, held))


def _plain(value: Any) -> Array | None:
    """The numbers of an output; of a sequence of dictionaries, in the order of their keys."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return np.array([[row[key] for key in sorted(row)] for row in value])
    return value if isinstance(value, np.ndarray) else None
