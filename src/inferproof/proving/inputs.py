"""Checks arrays against a graph's inputs before any work is done."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import InputRejected, ModelRejected, Reason
from inferproof.models.arrays import stacked, stacked_shapes
from inferproof.proving.base import CompileRequest
from inferproof.types.tensor import Tensors, TensorSpec, require_finite


def check_inputs(specs: tuple[TensorSpec, ...], arrays: dict[str, Any]) -> Tensors:
    """One finite float32 array for each graph input, in its shape.

    Raises: InputRejected INPUT_NAMES, INPUT_SHAPE_MISMATCH, INPUT_NOT_FINITE, INPUT_NOT_WHOLE,
    INPUT_TYPE_MISMATCH.
    """
    names = [spec.name for spec in specs]
    if set(arrays) != set(names):
        raise InputRejected(Reason.INPUT_NAMES, expected=", ".join(names))
    tensors: Tensors = {}
    for spec in specs:
        array = _float32(spec, arrays[spec.name])
        if array.shape != spec.shape:
            raise InputRejected(
                Reason.INPUT_SHAPE_MISMATCH,
                name=spec.name,
                got=_shown(array.shape),
                expected=_shown(spec.shape),
            )
        tensors[spec.name] = array
    require_finite(tensors)
    _require_whole(specs, tensors)
    return tensors


def check_calibration(specs: tuple[TensorSpec, ...], arrays: dict[str, Any]) -> Tensors:
    """One finite float32 array [samples, *shape] for each graph input, all of equal length; they
    may lack a batch axis of size 1.

    Raises: InputRejected CALIBRATION_INPUTS, CALIBRATION_SHAPE, CALIBRATION_EMPTY,
    INPUT_NOT_FINITE, INPUT_NOT_WHOLE, INPUT_TYPE_MISMATCH.
    """
    names = [spec.name for spec in specs]
    if set(arrays) != set(names):
        raise InputRejected(Reason.CALIBRATION_INPUTS, expected=", ".join(names))
    tensors: Tensors = {}
    for spec in specs:
        array = stacked(_float32(spec, arrays[spec.name]), spec.shape)
        if array.ndim == 0 or array.shape[1:] != spec.shape:
            raise InputRejected(
                Reason.CALIBRATION_SHAPE,
                name=spec.name,
                got=_shown(array.shape),
                expected=stacked_shapes(spec.shape),
            )
        tensors[spec.name] = array
    lengths = {len(array) for array in tensors.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise InputRejected(Reason.CALIBRATION_EMPTY)
    require_finite(tensors)
    _require_whole(specs, tensors)
    return tensors


def write_arrays(path: Path, tensors: Tensors) -> None:
    """Writes the arrays for a worker, numbered in order: a graph's names may not suit a file."""
    numbered: dict[str, Any] = {f"a{i}": array for i, array in enumerate(tensors.values())}
    np.savez(path, **numbered)


def _float32(spec: TensorSpec, value: Any) -> npt.NDArray[np.float32]:
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise InputRejected(
            Reason.INPUT_TYPE_MISMATCH, name=spec.name, expected="numbers", got=str(array.dtype)
        )
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape)


def _require_whole(specs: tuple[TensorSpec, ...], tensors: Tensors) -> None:
    for spec in specs:
        array = tensors[spec.name]
        if not spec.dtype.startswith("float") and not (array == np.floor(array)).all():
            raise InputRejected(Reason.INPUT_NOT_WHOLE, name=spec.name)


def _shown(shape: tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def check_found_precision(system: str, request: CompileRequest) -> None:
    """Returns when the proof system is not told how to quantise, because it finds that itself.

    Raises: ModelRejected OPTION_UNUSED.
    """
    for option in ("bits", "margin"):
        if getattr(request, option) is not None:
            raise ModelRejected(Reason.OPTION_UNUSED, system=system, option=option)
