"""Models in the files of their libraries, read and exported in a process of its own with limits."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from inferproof.errors import ModelRejected, Reason
from inferproof.models.arrays import read_arrays
from inferproof.models.importing import boosting, pytorch, scikit
from inferproof.models.importing.base import (
    Array,
    Exported,
    Imported,
    exporting,
    imported,
    need_libraries,
)
from inferproof.models.isolation import Head, run_isolated
from inferproof.models.limits import DEFAULT_LIMITS, Limits
from inferproof.models.load import check_file
from inferproof.models.show import shown

IMPORT_LIMITS = replace(
    DEFAULT_LIMITS, file_bytes=2**30, memory_bytes=64 * 2**30, wall_seconds=300.0
)
"""PyTorch takes tens of GiB of address space before it does anything, and minutes to trace a large
model. What comes out is held to the limits of any model."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a library's files become ONNX. `runs_code`: opening a file runs what it holds."""

    library: str
    own: str
    exporter: str | None
    runs_code: bool
    read: Callable[[Path], Any]
    export: Callable[[Any, Any], Exported]


def import_file(
    kind: str,
    path: Path,
    sample: Path,
    *,
    trust: bool = False,
    limits: Limits = IMPORT_LIMITS,
) -> Imported:
    """The model in a file of one of KINDS, checked on the sample, an .npz.

    `trust` lets a file be opened that runs code as it is.
    Raises: as the library's `from_` function; InputRejected NPZ_MALFORMED; ModelRejected
    IMPORT_RUNS_CODE, MODEL_PARSE_TIMEOUT, MODEL_PARSE_MEMORY, MODEL_PARSER_CRASHED.
    Soundness: a file that runs code can do what its reader can. The process bounds what a broken
    file takes, not what a hostile one does.
    """
    known = KINDS[kind]
    if known.runs_code and not trust:
        raise ModelRejected(Reason.IMPORT_RUNS_CODE, path=shown(str(path)), library=known.library)
    check_file(path, limits)
    arrays = read_arrays(sample)
    need_libraries(known.library, own=known.own, exporter=known.exporter)
    request: Head = {
        "kind": kind,
        "path": str(path.absolute()),
        "arrays": [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()],
    }
    blobs = tuple(np.ascontiguousarray(array).tobytes() for array in arrays.values())
    head, parts = run_isolated("export", request, blobs, limits, ("onnx",))
    try:
        samples = [_array(*item) for item in zip(head["samples"], parts[1:], strict=False)]
        answers = [_array(*i) for i in zip(head["answers"], parts[1 + len(samples) :], strict=True)]
        names = [str(item[0]) for item in head["samples"]]
    except (ValueError, TypeError, KeyError, IndexError):
        raise ModelRejected(Reason.MODEL_PARSER_CRASHED, how="its answer cannot be read") from None
    return imported(
        Exported(
            known.library,
            parts[0],
            {n: a for n, a in zip(names, samples, strict=True) if a is not None},
            tuple(answers),
        )
    )


def export_here(request: Head, blobs: list[bytes]) -> tuple[Head, tuple[bytes, ...]]:
    """The sandbox's side of `import_file`. Raises: as it."""
    known = KINDS[request["kind"]]
    arrays = {
        name: np.frombuffer(blob, dtype).reshape(shape)
        for (name, dtype, shape), blob in zip(request["arrays"], blobs, strict=True)
    }
    with exporting(known.library):
        model = known.read(Path(request["path"]))
    made = known.export(model, arrays)
    samples = [_told(name, array) for name, array in made.samples.items()]
    answers = [_told("", answer) for answer in made.answers]
    parts = (made.onnx, *(raw for _, raw in samples), *(raw for _, raw in answers))
    return {
        "samples": [head for head, _ in samples],
        "answers": [head for head, _ in answers],
    }, parts


def _told(name: str, array: Array | None) -> tuple[list[Any], bytes]:
    if array is None or array.dtype.kind not in "fiub":
        return [name, "", []], b""
    return [name, array.dtype.str, list(array.shape)], np.ascontiguousarray(array).tobytes()


def _array(head: list[Any], blob: bytes) -> Array | None:
    _, dtype, shape = head
    kind = np.dtype(dtype) if dtype else None
    if kind is None:
        return None
    if kind.kind not in "fiub":
        raise ValueError("an array holds numbers")
    return np.frombuffer(blob, kind).reshape([int(size) for size in shape])


def _sklearn(path: Path) -> Any:
    import joblib  # comes with scikit-learn, and reads plain pickles too

    return joblib.load(path)


def _xgboost(path: Path) -> Any:
    import xgboost

    return xgboost.Booster(model_file=str(path))


def _lightgbm(path: Path) -> Any:
    import lightgbm

    return lightgbm.Booster(model_file=str(path))


def _catboost(path: Path) -> Any:
    import catboost

    form = {".json": "json"}.get(path.suffix, "cbm")
    return catboost.CatBoost().load_model(str(path), format=form)


def _torch(path: Path) -> Any:
    import torch

    if path.suffix == ".pt2":
        return torch.export.load(path)
    return torch.jit.load(path, map_location="cpu").eval()


KINDS = {
    "sklearn": Kind(scikit.LIBRARY, "sklearn", "skl2onnx", True, _sklearn, scikit.export),
    "xgboost": Kind(
        boosting.XGBOOST, "xgboost", "onnxmltools", False, _xgboost, boosting.export_xgboost
    ),
    "lightgbm": Kind(
        boosting.LIGHTGBM, "lightgbm", "onnxmltools", False, _lightgbm, boosting.export_lightgbm
    ),
    "catboost": Kind(
        boosting.CATBOOST, "catboost", None, False, _catboost, boosting.export_catboost
    ),
    "torch": Kind(pytorch.LIBRARY, "torch", "onnxscript", True, _torch, pytorch.export),
}
"""What can be imported from a file."""
