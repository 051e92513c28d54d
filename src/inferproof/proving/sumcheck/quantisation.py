"""The numbers of a quantised model's interface, and inputs and outputs in them.

Encoding of the settings: canonical JSON, {"version": 1, "inputs": [...], "outputs": [...]}. An
input has name, shape, scale, lo, hi and whole, and where they are needed columns or order; an
output name, shape and scale. A scale is a binary64 number, written as `float.hex` does.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.errors import ArtifactRejected, InputRejected, Reason
from inferproof.protocol.encoding import Json, canonical_json
from inferproof.protocol.json_text import read_json
from inferproof.proving.sumcheck.float_order import places
from inferproof.types.tensor import MAX_SCALE

Ints = npt.NDArray[np.int64]
Shape = tuple[int, ...]

VERSION = 1
_MAX_BYTES = 2**20
MOST_POWERS = 128
"""How far the units of an input's columns may be apart: binary32 has no more."""


@dataclass(frozen=True, slots=True)
class QuantisedInput:
    """An input tensor: what one unit stands for, and the integers that it may hold.

    `whole` inputs hold whole numbers, such as the numbers of tokens: they are refused outside of
    their range instead of being cut to it. `columns` has for each place of the last axis the
    power of two by which its unit is larger than `scale`; empty, all have that. An `ordered` input
    holds the places of its numbers in `float_order`. The inputs of one name follow each other.
    """

    name: str
    shape: Shape
    scale: float
    lo: int
    hi: int
    whole: bool
    columns: tuple[int, ...] = ()
    ordered: bool = False

    def __post_init__(self) -> None:
        if self.columns and (not self.shape or len(self.columns) != self.shape[-1]):
            raise ValueError("columns are as many as the last axis has places")
        if any(not 0 <= power <= MOST_POWERS for power in self.columns):
            raise ValueError("a column's power is from 0 to 128")
        if (self.whole and (self.columns or self.ordered)) or (self.columns and self.ordered):
            raise ValueError("an input is whole, has columns, or is in order")
        if self.ordered and math.frexp(self.scale)[0] != 0.5:
            raise ValueError("the scale of an input in order is a power of two")


@dataclass(frozen=True, slots=True)
class QuantisedOutput:
    """An output tensor: what one unit stands for."""

    name: str
    shape: Shape
    scale: float


@dataclass(frozen=True, slots=True)
class Settings:
    """The interface of a quantised model; its bytes enter the model commitment."""

    inputs: tuple[QuantisedInput, ...]
    outputs: tuple[QuantisedOutput, ...]

    def encode(self) -> bytes:
        """The settings as canonical JSON."""
        inputs: list[Json] = [_written(item) for item in self.inputs]
        outputs: list[Json] = [
            {"name": item.name, "shape": list(item.shape), "scale": item.scale.hex()}
            for item in self.outputs
        ]
        return canonical_json({"version": VERSION, "inputs": inputs, "outputs": outputs})


def _written(item: QuantisedInput) -> Json:
    told: dict[str, Json] = {
        "name": item.name,
        "shape": list(item.shape),
        "scale": item.scale.hex(),
        "lo": item.lo,
        "hi": item.hi,
        "whole": item.whole,
    }
    if item.columns:
        told["columns"] = list(item.columns)
    if item.ordered:
        told["ordered"] = True
    return told


def decode_settings(data: bytes) -> Settings:
    """The settings of these bytes, in their one form.

    Raises: ArtifactRejected ARTIFACT_SETTINGS.
    """
    try:
        if len(data) > _MAX_BYTES:
            raise ValueError("they are too long")
        told = read_json(data)
        if told["version"] != VERSION:
            raise ValueError(f"they are of version {told['version']}")
        settings = Settings(
            tuple(
                QuantisedInput(
                    *_common(item),
                    _integer(item["lo"]),
                    _integer(item["hi"]),
                    _truth(item["whole"]),
                    tuple(_integer(power) for power in item.get("columns", ())),
                    _truth(item.get("ordered", False)),
                )
                for item in told["inputs"]
            ),
            tuple(QuantisedOutput(*_common(item)) for item in told["outputs"]),
        )
        if settings.encode() != data:
            raise ValueError("they are not in their canonical form")
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
    ) as error:
        raise ArtifactRejected(Reason.ARTIFACT_SETTINGS, what=str(error)[:200]) from None
    return settings


def _common(item: Any) -> tuple[str, Shape, float]:
    name, scale = item["name"], float.fromhex(item["scale"])
    if type(name) is not str:
        raise ValueError("a name is text")
    if not 0 < scale <= MAX_SCALE:
        raise ValueError("a scale is above 0 and at most 2^900")
    return name, tuple(_integer(size) for size in item["shape"]), scale


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("a size or bound is a whole number")
    return value


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("whole is true or false")
    return value


def quantise_inputs(settings: Settings, tensors: dict[str, npt.NDArray[Any]]) -> list[Ints]:
    """The integers of each input: clamp(floor(x / unit + 0.5), lo, hi) in binary64, the unit being
    the scale times the column's power of two; or the clamped places in the order of numbers.

    Values beyond the range are cut to it; whole numbers are refused there.
    Raises: InputRejected INPUT_NAMES, INPUT_SHAPE_MISMATCH, INPUT_NOT_FINITE, INPUT_NOT_WHOLE,
    INPUT_BEYOND_CIRCUIT.
    """
    names = [item.name for item in settings.inputs]
    if set(tensors) != set(names):
        raise InputRejected(Reason.INPUT_NAMES, expected=", ".join(dict.fromkeys(names)))
    return [_quantise(item, tensors[item.name]) for item in settings.inputs]


def _quantise(item: QuantisedInput, array: npt.NDArray[Any]) -> Ints:
    if array.shape != item.shape:
        raise InputRejected(
            Reason.INPUT_SHAPE_MISMATCH,
            name=item.name,
            got=list(array.shape),
            expected=list(item.shape),
        )
    real = np.asarray(array, dtype=np.float64)
    if not np.isfinite(real).all():
        raise InputRejected(Reason.INPUT_NOT_FINITE, name=item.name)
    if item.whole:
        if not (real == np.floor(real)).all():
            raise InputRejected(Reason.INPUT_NOT_WHOLE, name=item.name)
        if float(real.min()) < item.lo or float(real.max()) > item.hi:
            raise InputRejected(Reason.INPUT_BEYOND_CIRCUIT)
    return np.clip(_units(item, real), item.lo, item.hi).astype(np.int64)


def _units(item: QuantisedInput, array: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    if item.ordered:
        return places(array, item.scale).astype(np.float64)
    scale: npt.NDArray[np.float64] | float = item.scale
    if item.columns:
        scale = np.ldexp(item.scale, np.array(item.columns))
    with np.errstate(over="ignore"):
        units: npt.NDArray[np.float64] = np.floor(np.asarray(array, dtype=np.float64) / scale + 0.5)
    return units


def count_beyond(settings: Settings, tensors: dict[str, npt.NDArray[Any]]) -> int:
    """How many values of an input that was quantised lay beyond its range and were cut to it."""
    beyond = {item.name: np.zeros(tensors[item.name].shape, np.bool_) for item in settings.inputs}
    for item in settings.inputs:
        units = _units(item, tensors[item.name])
        beyond[item.name] |= (units < item.lo) | (units > item.hi)
    return sum(int(cut.sum()) for cut in beyond.values())


def dequantise(settings: Settings, outputs: list[Ints]) -> dict[str, npt.NDArray[np.float64]]:
    """The real numbers that output integers stand for: value times scale."""
    return {
        item.name: np.asarray(values, dtype=np.float64).reshape(item.shape) * item.scale
        for item, values in zip(settings.outputs, outputs, strict=True)
    }
