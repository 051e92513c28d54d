"""Raw tensors, given as nested lists or arrays, rounded once to float32 and else untouched."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from inferproof.errors import InputRejected, Reason
from inferproof.inference.preprocess.raw import FLOAT32_MAX, read_array, show, type_name
from inferproof.models.card_table import NAME, Table
from inferproof.types.tensor import Tensors

MAX_ELEMENTS = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TensorInput:
    """Name, shape and declared range of one graph input."""

    name: str
    shape: tuple[int, ...]
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class TensorInputs:
    """The graph inputs, in the order of the graph."""

    kind: ClassVar[str] = "tensor"
    inputs: tuple[TensorInput, ...]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {item.name: item.shape for item in self.inputs}

    def canonical(self) -> dict[str, Any]:
        return {
            "inputs": [
                {
                    "name": item.name,
                    "shape": list(item.shape),
                    "min": item.min.hex(),
                    "max": item.max.hex(),
                }
                for item in self.inputs
            ]
        }

    @classmethod
    def read(cls, table: Table, folder: Path | None) -> "TensorInputs":  # noqa: ARG003
        """Raises: ModelRejected CARD_*."""
        inputs = tuple(_input(item) for item in table.tables("inputs", 64))
        if len({item.name for item in inputs}) != len(inputs):
            table.fail("inputs", "it names something twice")
        return cls(inputs)


def preprocess_tensors(spec: TensorInputs, raw: object) -> Tensors:
    """The tensors by name. A single one may be given bare.

    Shapes: as declared, float32.
    Raises: InputRejected INPUT_TYPE_MISMATCH, INPUT_MISSING_FIELD, INPUT_UNKNOWN_FIELD,
    INPUT_SHAPE_MISMATCH, INPUT_NOT_FINITE, INPUT_OUT_OF_RANGE.
    """
    if not isinstance(raw, Mapping):
        if len(spec.inputs) != 1:
            raise InputRejected(
                Reason.INPUT_TYPE_MISMATCH,
                name=", ".join(spec.shapes)[:200],
                expected="a table of named tensors",
                got=type_name(raw),
            )
        raw = {spec.inputs[0].name: raw}
    for name in raw:
        if name not in spec.shapes:
            raise InputRejected(
                Reason.INPUT_UNKNOWN_FIELD, field=show(name), known=", ".join(spec.shapes)
            )
    tensors: Tensors = {}
    for item in spec.inputs:
        if item.name not in raw:
            raise InputRejected(Reason.INPUT_MISSING_FIELD, field=item.name)
        array = read_array(item.name, raw[item.name], item.shape, item.min, item.max, "a number")
        tensors[item.name] = np.ascontiguousarray(array, dtype=np.float32)
    return tensors


def _input(table: Table) -> TensorInput:
    item = TensorInput(
        name=table.text("name", longest=100, pattern=NAME, form="the name of an input"),
        shape=table.integers("shape", 8, highest=MAX_ELEMENTS),
        min=table.number("min", -FLOAT32_MAX),
        max=table.number("max", FLOAT32_MAX),
    )
    if math.prod(item.shape) > MAX_ELEMENTS:
        table.fail("shape", f"it has more than {MAX_ELEMENTS} elements")
    if item.min >= item.max:
        table.fail("min", "it must be less than max")
    if max(abs(item.min), abs(item.max)) > FLOAT32_MAX:
        table.fail("max", "it must fit into a float32")
    table.done()
    return item
