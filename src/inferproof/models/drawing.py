"""Inputs for calibration where nobody gave any: drawn from declared ranges, or asked for.

A range is declared for one input (`name=low:high`) or for all that have none of their own
(`low:high`). Truth values need none: their type says what they are; nor do the places of a constant
table, whose size says it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import InputRejected, Reason
from inferproof.models.loaded import LoadedModel
from inferproof.models.show import printable, shown
from inferproof.types.tensor import TensorSpec

DRAWN_SAMPLES = 256
"""Enough that the far ends of a range are met in wide inputs, few enough to wait for."""
_FEWEST = 2
"""Both ends of a range are drawn, or nothing is."""
DRAWN_BYTES = 2**29
"""All samples together: a model that nobody looked at may declare inputs of any size."""
_SEED = 1

_LARGEST = 2.0**60
"""Beyond this no quantised model has a value, and whole numbers of 64 bits end soon after."""

Array = npt.NDArray[Any]
Range = tuple[float | Array, float | Array]
"""The low and the high end: numbers, or one for each element of the input."""
Ranges = Mapping[str, Range]
"""By the name of an input; under "" that of every other input that needs one."""
_TRUTH: Range = (0.0, 1.0)


def parse_ranges(texts: Iterable[str]) -> Ranges:
    """The declared ranges. Raises: InputRejected RANGE_MALFORMED."""
    ranges: dict[str, Range] = {}
    for text in texts:
        name, _, span = text.rpartition("=")
        low, _, high = span.partition(":")
        try:
            found = float(low), float(high)
        except ValueError:
            raise _malformed(text, "it is not low:high") from None
        if not all(abs(end) <= _LARGEST for end in found):
            raise _malformed(text, "its ends must be within ±2^60")
        if not found[0] < found[1]:
            raise _malformed(text, "its low end must be below its high end")
        if name in ranges:
            raise _malformed(text, "there is another one for the same input")
        ranges[name] = found
    return ranges


def drawn(model: LoadedModel, ranges: Ranges, samples: int = DRAWN_SAMPLES) -> dict[str, Array]:
    """Inputs for calibration, the same at every call: drawn evenly, both ends of a range first.

    Shapes: [samples, *shape of that input], of its type; fewer samples where they are very large.
    Raises: InputRejected RANGE_MALFORMED for a range of an unknown input or one that holds no
    value of its type; CALIBRATION_WANTED where an input has no range, or inputs are too large.
    """
    known = {spec.name for spec in model.inputs}
    for name in ranges:
        if name and name not in known:
            told = ", ".join(printable(spec.name) for spec in model.inputs)
            raise _malformed(f"{name}=…", f"the model's inputs are: {told}")
    declared = {**_places(model), **ranges}
    found = [_range_of(spec, declared) for spec in model.inputs]
    size = sum(spec.size * np.dtype(spec.dtype).itemsize for spec in model.inputs)
    samples = min(samples, DRAWN_BYTES // max(size, 1))
    if samples < _FEWEST:
        raise wanted(model.inputs)
    generator = np.random.default_rng(_SEED)
    arrays = {}
    for spec, range_ in zip(model.inputs, found, strict=True):
        if range_ is None:
            raise wanted(model.inputs)
        arrays[spec.name] = _draw(spec, range_, samples, generator)
    return arrays


def wanted(specs: tuple[TensorSpec, ...]) -> InputRejected:
    """What asks for the calibration file: its arrays with shapes and types, and how to write it."""
    arrays = ", ".join(f"{shown(spec.name)} {spec.dtype}[samples{_sizes(spec)}]" for spec in specs)
    made = ", ".join(
        f'{printable(spec.name)!r}: np.zeros((256{_sizes(spec)}), "{spec.dtype}")' for spec in specs
    )
    return InputRejected(
        Reason.CALIBRATION_WANTED,
        arrays=arrays,
        example=f'np.savez("calibration.npz", **{{{made}}})',
    )


def _range_of(spec: TensorSpec, ranges: Ranges) -> Range | None:
    if spec.dtype == "bool":
        return _TRUTH
    return ranges.get(spec.name, ranges.get(""))


def _places(model: LoadedModel) -> Ranges:
    """The places that inputs may name in constant tables, by input. The smallest table counts."""
    from onnx import ModelProto

    graph = ModelProto.FromString(model.onnx).graph
    tables = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    whole = {spec.name for spec in model.inputs if np.dtype(spec.dtype).kind in "iu"}
    sizes: dict[str, int] = {}
    for node in graph.node:
        if node.op_type != "Gather" or node.input[0] not in tables or node.input[1] not in whole:
            continue
        axis = next((item.i for item in node.attribute if item.name == "axis"), 0)
        size = tables[node.input[0]][axis]
        sizes[node.input[1]] = min(size, sizes.get(node.input[1], size))
    return {name: (0.0, size - 1.0) for name, size in sizes.items()}


def _draw(spec: TensorSpec, range_: Range, samples: int, generator: np.random.Generator) -> Array:
    (low, high), dtype = range_, np.dtype(spec.dtype)
    shape = (samples, *spec.shape)
    if dtype.kind != "f":
        low, high = np.ceil(low), np.floor(high)
    least, most = float(np.min(low)), float(np.max(high))
    if not np.all(low <= high) or not _held_by(dtype, least, most):
        text = f"{spec.name}={least:g}:{most:g}"
        raise _malformed(text, f"the input is {spec.dtype}, which does not hold these numbers")
    if dtype.kind == "f":
        values: Array = generator.uniform(low, high, shape)
    else:
        values = generator.integers(np.int64(low), np.int64(high), shape, endpoint=True)
    for sample, end in enumerate((low, high)):
        values[sample] = end
    return values.astype(dtype)


def _held_by(dtype: np.dtype[Any], low: float, high: float) -> bool:
    if dtype.kind == "b":
        return (low, high) == _TRUTH
    about = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return bool(about.min <= low and high <= about.max)


def _sizes(spec: TensorSpec) -> str:
    return "".join(f", {size}" for size in spec.shape)


def _malformed(text: str, why: str) -> InputRejected:
    return InputRejected(Reason.RANGE_MALFORMED, range=printable(text), why=why)
