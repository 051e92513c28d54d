"""Every intermediate value of the float model on few samples, computed in its own process."""

import math
from collections.abc import Sequence

import numpy as np

from inferproof.errors import ModelRejected, Reason
from inferproof.models.isolation import Head, run_isolated
from inferproof.models.limits import DEFAULT_LIMITS, Limits
from inferproof.models.load import from_head, to_head
from inferproof.models.loaded import LoadedModel
from inferproof.models.measure import Array, Calibration, with_all_values
from inferproof.models.runtime import open_session, run_session

MOST_BYTES = 64 * 2**20
"""Of the values of all traced samples together."""


def trace(
    model: LoadedModel,
    calibration: Calibration,
    places: Sequence[int],
    limits: Limits = DEFAULT_LIMITS,
) -> dict[str, Array]:
    """The values of these samples, by name; nothing where those of one take MOST_BYTES.

    Shapes: each is [samples, *shape of that value]; of the places as many are traced as fit.
    Raises: as `models.measure.measure`, whose checks the calibration passed.
    """
    one = sum(math.prod(spec.shape) * np.dtype(spec.dtype).itemsize for spec in model.values)
    kept = list(places)[: MOST_BYTES // max(one, 1)]
    if not kept:
        return {}
    arrays = tuple(
        np.ascontiguousarray(calibration[spec.name][kept]).tobytes() for spec in model.inputs
    )
    _, blobs = run_isolated(
        "trace",
        {"model": to_head(model), "samples": len(kept)},
        (model.onnx, *arrays),
        limits,
        ("onnx", "onnxruntime"),
    )
    try:
        return {
            spec.name: np.frombuffer(blob, spec.dtype).reshape(len(kept), *spec.shape)
            for spec, blob in zip(model.values, blobs, strict=True)
        }
    except ValueError:
        raise ModelRejected(Reason.MODEL_PARSER_CRASHED, how="its answer cannot be read") from None


def trace_here(request: Head, blobs: list[bytes]) -> tuple[Head, tuple[bytes, ...]]:
    """The sandbox's side of `trace`. Raises: as `trace`."""
    model = from_head(request["model"], blobs[0])
    samples = request["samples"]
    inputs = {
        spec.name: np.frombuffer(blob, spec.dtype).reshape(samples, *spec.shape)
        for spec, blob in zip(model.inputs, blobs[1:], strict=True)
    }
    session = open_session(with_all_values(model))
    rows = [
        run_session(
            session,
            {name: np.asarray(array[sample]) for name, array in inputs.items()},
            model.values,
        )
        for sample in range(samples)
    ]
    columns = zip(*rows, strict=True)
    return {}, tuple(np.ascontiguousarray(np.stack(column)).tobytes() for column in columns)
