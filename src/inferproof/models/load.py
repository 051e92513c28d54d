"""Loads untrusted ONNX files. This is the door: nothing else opens a file that we did not write."""

import stat
from pathlib import Path
from typing import Any

from inferproof.errors import ModelRejected, Reason
from inferproof.models.axes import Axes, OpenAxis
from inferproof.models.declared import Misdeclared, Unpacked
from inferproof.models.isolation import Head, run_isolated
from inferproof.models.limits import DEFAULT_LIMITS, Limits
from inferproof.models.loaded import LoadedModel
from inferproof.models.show import shown
from inferproof.types.digest import Digest
from inferproof.types.tensor import TensorSpec

_COUNTS = ("opset", "parameters", "weight_bytes", "activations", "multiply_adds")


def load_model(path: Path, limits: Limits = DEFAULT_LIMITS, axes: Axes = Axes()) -> LoadedModel:
    """The canonical, checked form of an ONNX file, read in a process of its own; `axes` are sizes
    for what the file leaves open.

    External data is read from plain files below the model's folder and built in.
    Raises: ModelRejected with a MODEL_ reason, whatever the file holds; MissingPart
    MISSING_LIBRARY without the onnx package.
    Soundness: see `LoadedModel` and `run_isolated`.
    """
    check_file(path, limits)
    request = {"path": str(path.absolute()), "axes": axes.to_json()}
    head, blobs = run_isolated("parse", request, (), limits, ("onnx",))
    try:
        (onnx,) = blobs
        return from_head(head, onnx)
    except (ValueError, TypeError, KeyError):
        raise ModelRejected(Reason.MODEL_PARSER_CRASHED, how="its answer cannot be read") from None


def check_file(path: Path, limits: Limits) -> None:
    """Returns when a process may be started to read the file. Raises: ModelRejected MODEL_*."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise ModelRejected(Reason.MODEL_NOT_FOUND, path=shown(str(path))) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ModelRejected(Reason.MODEL_UNREADABLE, why=why.lower()) from None
    if not stat.S_ISREG(status.st_mode):
        raise ModelRejected(Reason.MODEL_NOT_A_FILE, path=shown(str(path)))
    if status.st_size > limits.file_bytes:
        raise ModelRejected(Reason.MODEL_TOO_LARGE, size=status.st_size, limit=limits.file_bytes)


def to_head(model: LoadedModel) -> Head:
    """All of the model but its bytes, as JSON. Encoding: digests as 0x-hex."""
    return {
        "inputs": [_spec_out(spec) for spec in model.inputs],
        "outputs": [_spec_out(spec) for spec in model.outputs],
        "values": [_spec_out(spec) for spec in model.values],
        "operators": [list(item) for item in model.operators],
        "open_axes": [[item.input, item.axis, item.name, item.size] for item in model.open_axes],
        "reshaped": list(model.reshaped),
        "misdeclared": [[item.name, item.declared, item.computed] for item in model.misdeclared],
        "unpacked": [[item.name, item.count] for item in model.unpacked],
        "names": list(model.names),
        "as_float32": list(model.as_float32),
        "preprocessing": model.preprocessing,
        "graph_digest": model.graph_digest.hex,
        "weights_digest": model.weights_digest.hex,
        **{name: getattr(model, name) for name in _COUNTS},
    }


def from_head(head: Head, onnx: bytes) -> LoadedModel:
    """The model that `to_head` wrote. Raises: ValueError, TypeError or KeyError for nonsense."""
    return LoadedModel(
        onnx=onnx,
        inputs=_specs_in(head["inputs"]),
        outputs=_specs_in(head["outputs"]),
        values=_specs_in(head["values"]),
        operators=tuple((_text(name), _count(n)) for name, n in head["operators"]),
        open_axes=tuple(
            OpenAxis(_text(given), _count(axis), _text(name), _count(size))
            for given, axis, name, size in head["open_axes"]
        ),
        reshaped=tuple(_text(name) for name in head["reshaped"]),
        misdeclared=tuple(Misdeclared(*map(_text, item)) for item in head["misdeclared"]),
        unpacked=tuple(Unpacked(_text(name), _count(n)) for name, n in head["unpacked"]),
        names=tuple(_text(name) for name in head["names"]),
        as_float32=tuple(_text(name) for name in head["as_float32"]),
        graph_digest=_digest(head["graph_digest"]),
        weights_digest=_digest(head["weights_digest"]),
        preprocessing=_steps(head["preprocessing"]),
        **{name: _count(head[name]) for name in _COUNTS},
    )


def _spec_out(spec: TensorSpec) -> list[Any]:
    return [spec.name, spec.dtype, list(spec.shape), list(spec.labels)]


def _specs_in(items: Any) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            _text(name),
            _text(dtype),
            tuple(_count(size) for size in shape),
            tuple(_text(label) for label in labels),
        )
        for name, dtype, shape, labels in items
    )


def _steps(value: Any) -> dict[str, Any] | None:
    if value is not None and type(value) is not dict:
        raise ValueError("a pre-processing is an object")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("a name is text")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a count is a whole number")
    return value


def _digest(value: Any) -> Digest:
    text = _text(value)
    if len(text) != 66 or not text.startswith("0x"):
        raise ValueError("a digest is 0x and 64 hex digits")
    return Digest(bytes.fromhex(text[2:]))
