"""Named numbers to a standardised vector.

For each field, in the order of the card, in float64:
t = x, or ln(1 + x) where `transform` is log1p; z = (t - mean) / scale, clipped to
[-clip, clip]; one final rounding to float32.

C libraries differ in the last bit of ln: here 1 + x and its ln are each rounded to 40 decimal
digits, half to even, and then to float64, so that every machine has the same bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from inferproof.errors import InputRejected, Reason
from inferproof.inference.preprocess.raw import read_number, show, type_name
from inferproof.models.card_table import NAME, Table
from inferproof.types.tensor import Tensors

MAX_FIELDS = 4096
_DIGITS = Context(prec=40, rounding=ROUND_HALF_EVEN, Emin=-999_999, Emax=999_999, traps=[])


@dataclass(frozen=True, slots=True)
class Field:
    """One named number: what it may be, and how it is standardised.

    Units: as `unit` says; a `flag` is true or false, or 1 or 0; an `integer` is whole.
    """

    name: str
    type: str
    unit: str
    min: float
    max: float
    transform: str
    mean: float
    scale: float

    def canonical(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "unit": self.unit,
            "min": self.min.hex(),
            "max": self.max.hex(),
            "transform": self.transform,
            "mean": self.mean.hex(),
            "scale": self.scale.hex(),
        }

    @classmethod
    def read(cls, table: Table) -> "Field":
        """Raises: ModelRejected CARD_*."""
        field = cls(
            name=table.text("name", longest=100, pattern=NAME, form="the name of a field"),
            type=table.choice("type", ("number", "integer", "flag")),
            unit=table.text("unit", longest=100),
            min=table.number("min"),
            max=table.number("max"),
            transform=table.choice("transform", ("none", "log1p")),
            mean=table.number("mean"),
            scale=table.number("scale"),
        )
        if field.min >= field.max:
            table.fail("min", "it must be less than max")
        if field.scale <= 0:
            table.fail("scale", "it must be more than 0")
        if field.transform == "log1p" and field.min < 0:
            table.fail("min", "it must be 0 or more, because log1p is taken")
        if field.type == "flag" and (field.min, field.max) != (0.0, 1.0):
            table.fail("min", "a flag goes from 0 to 1")
        table.done()
        return field


@dataclass(frozen=True, slots=True)
class VectorSpec:
    """Fields in the order in which they enter the vector."""

    kind: ClassVar[str] = "vector"
    input: str
    clip: float
    fields: tuple[Field, ...]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {self.input: (1, len(self.fields))}

    def canonical(self) -> dict[str, Any]:
        return {
            "input": self.input,
            "clip": self.clip.hex(),
            "fields": [field.canonical() for field in self.fields],
        }

    @classmethod
    def read(cls, table: Table, folder: Path | None) -> "VectorSpec":  # noqa: ARG003
        """Raises: ModelRejected CARD_*."""
        spec = cls(
            input=table.text("input", longest=100, pattern=NAME, form="the name of an input"),
            clip=table.number("clip"),
            fields=tuple(Field.read(item) for item in table.tables("fields", MAX_FIELDS)),
        )
        if not 0 < spec.clip <= 1e6:
            table.fail("clip", "it must be above 0 and up to a million")
        if len({field.name for field in spec.fields}) != len(spec.fields):
            table.fail("fields", "it names something twice")
        return spec


def preprocess_vector(spec: VectorSpec, raw: object) -> Tensors:
    """The standardised fields. Shapes: `[1, fields]`, float32. Raises: as `read_fields`."""
    values = [
        standardise(field, value, spec.clip)
        for field, value in zip(spec.fields, read_fields(spec, raw), strict=True)
    ]
    return {spec.input: np.array([values], dtype=np.float32)}


def read_fields(spec: VectorSpec, raw: object) -> list[float]:
    """The fields' values as float64, in the order of the card; nothing later can fail.

    Raises: InputRejected INPUT_TYPE_MISMATCH, INPUT_MISSING_FIELD, INPUT_UNKNOWN_FIELD,
    INPUT_OUT_OF_RANGE, INPUT_NOT_FINITE.
    """
    if not isinstance(raw, Mapping):
        raise InputRejected(
            Reason.INPUT_TYPE_MISMATCH,
            name=spec.input,
            expected="a table of named numbers",
            got=type_name(raw),
        )
    names = [field.name for field in spec.fields]
    if raw.keys() != set(names):
        for name in raw:
            if name not in names:
                raise InputRejected(
                    Reason.INPUT_UNKNOWN_FIELD, field=show(name), known=", ".join(names)
                )
    values = []
    for field in spec.fields:
        if field.name not in raw:
            raise InputRejected(Reason.INPUT_MISSING_FIELD, field=field.name)
        value, kind = raw[field.name], type(raw[field.name])
        # What nearly all are is told without a call. A card's bounds are finite.
        if (
            (kind is float or kind is int)
            and field.type == "number"
            and field.min <= value <= field.max
        ):
            values.append(float(value))
        else:
            values.append(read_field(field, value))
    return values


_EXPECTED = {"number": "a number", "integer": "a whole number", "flag": "true or false"}


def read_field(field: Field, value: object) -> float:
    """A field's value as float64, within the field's range.

    Raises: InputRejected INPUT_TYPE_MISMATCH, INPUT_NOT_FINITE, INPUT_OUT_OF_RANGE.
    """
    if field.type == "flag" and isinstance(value, bool):
        return 1.0 if value else 0.0
    expected = _EXPECTED[field.type]
    number = read_number(field.name, value, expected, field.min, field.max, field.unit)
    if field.type != "number" and number != int(number):
        raise InputRejected(
            Reason.INPUT_TYPE_MISMATCH,
            name=field.name,
            expected=expected,
            got=show(value),
        )
    return number


def standardise(field: Field, value: float, clip: float) -> float:
    """The value in units of the field's scale from its mean, clipped."""
    transformed = log1p(value) if field.transform == "log1p" else value
    z = (transformed - field.mean) / field.scale
    return min(max(z, -clip), clip)


def log1p(value: float) -> float:
    """ln(1 + value) for value >= 0, the same float64 on every machine."""
    return float(_DIGITS.ln(_DIGITS.add(Decimal(1), Decimal(value))))
