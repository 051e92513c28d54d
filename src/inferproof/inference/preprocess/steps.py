"""The steps by which texts become numbers: each exactly what an ONNX operator does with texts.

A step reads values that come before it, by name, and makes one. Values are arrays of texts or of
numbers; what `Words` makes has as many texts in its last axis as were found. Characters are
Unicode code points. Source: the operators' texts in onnx/docs, and ONNX Runtime's kernels, which
tests hold each to; specs/statement.md, section "Texts as features".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from inferproof.errors import InputRejected, Reason
from inferproof.inference.preprocess.case import lowered, raised
from inferproof.inference.preprocess.raw import show
from inferproof.models.card_table import Table

Array = npt.NDArray[Any]
Values = Mapping[str, Array]
Texts = tuple[str, ...]

MAX_TABLE = 65_536
"""Entries of one table, columns of one tensor."""
MAX_TEXT = 4096
"""Code points of one entry."""
MAX_ELEMENTS = 2**22
"""Elements of one value, rounds of one step."""
LARGEST = 2**24
"""Whole numbers up to this are exact in float32."""


class Step(Protocol):
    """One step; `do` names its kind, `made` the value that it makes."""

    @property
    def do(self) -> str: ...
    @property
    def made(self) -> str: ...
    @property
    def read(self) -> tuple[str, ...]: ...
    def canonical(self) -> dict[str, Any]: ...
    def apply(self, values: Values) -> Array: ...
    def spread(self, most: int) -> tuple[float, ...]: ...


class Spread:
    """A step whose numbers every calibration meets, or that makes none."""

    def spread(self, most: int) -> tuple[float, ...]:  # noqa: ARG002
        """Numbers that the step may make and that samples may lack, at most so many."""
        return ()


@dataclass(frozen=True)
class Join(Spread):
    """Values one behind the other along an axis (Concat)."""

    do: ClassVar[str] = "join"
    made: str
    read: tuple[str, ...]
    axis: int

    @classmethod
    def parse(cls, table: Table, made: str, read: tuple[str, ...]) -> "Join":
        return cls(made, read, table.integer("axis", 0, 8))

    def canonical(self) -> dict[str, Any]:
        return {"axis": self.axis}

    def apply(self, values: Values) -> Array:
        given = [values[name] for name in self.read]
        room(sum(one.size for one in given))
        return np.concatenate(given, axis=self.axis)


@dataclass(frozen=True)
class Take(Spread):
    """What stands at some places of an axis (Gather, ArrayFeatureExtractor)."""

    do: ClassVar[str] = "take"
    made: str
    read: tuple[str, ...]
    axis: int
    places: tuple[int, ...]

    @classmethod
    def parse(cls, table: Table, made: str, read: tuple[str, ...]) -> "Take":
        return cls(made, read, table.integer("axis", 0, 8), whole_numbers(table, "places", 0))

    def canonical(self) -> dict[str, Any]:
        return {"axis": self.axis, "places": list(self.places)}

    def apply(self, values: Values) -> Array:
        given = values[self.read[0]]
        room(given.size * len(self.places))
        return np.take(given, self.places, axis=self.axis)


@dataclass(frozen=True)
class Shape(Spread):
    """The same texts in another shape, in which one size may be open: -1 (Reshape and its kin)."""

    do: ClassVar[str] = "shape"
    made: str
    read: tuple[str, ...]
    shape: tuple[int, ...]

    @classmethod
    def parse(cls, table: Table, made: str, read: tuple[str, ...]) -> "Shape":
        shape = whole_numbers(table, "shape", -1, fewest=0)
        if len(shape) > 8 or shape.count(-1) > 1 or 0 in shape:
            table.fail("shape", "it must hold at most 8 sizes, of which one may be -1")
        return cls(made, read, shape)

    def canonical(self) -> dict[str, Any]:
        return {"shape": list(self.shape)}

    def apply(self, values: Values) -> Array:
        return values[self.read[0]].reshape(self.shape)


@dataclass(frozen=True)
class Normal(Spread):
    """Texts without stop words, in lower or upper case (StringNormalizer).

    Stop words are compared before the case is changed: as they are, or both in lower case. Where
    nothing is left, one empty text is.
    """

    do: ClassVar[str] = "normal"
    made: str
    read: tuple[str, ...]
    case: str
    stop: Texts
    stop_as_is: bool

    @classmethod
    def parse(cls, table: Table, made: str, read: tuple[str, ...]) -> "Normal":
        return cls(
            made,
            read,
            table.choice("case", ("none", "lower", "upper")),
            texts(table, "stop", fewest=0),
            truth(table, "stop_as_is"),
        )

    def canonical(self) -> dict[str, Any]:
        return {"case": self.case, "stop": list(self.stop), "stop_as_is": self.stop_as_is}

    @cached_property
    def _stop(self) -> frozenset[str]:
        return frozenset(self.stop if self.stop_as_is else map(lowered, self.stop))

    def apply(self, values: Values) -> Array:
        given = values[self.read[0]]
        kept = given.ravel().tolist()
        shape = given.shape
        if self.stop:
            kept = [t for t in kept if (t if self.stop_as_is else lowered(t)) not in self._stop]
            kept = kept or [""]
            shape = (*given.shape[:-1], len(kept))
        if self.case != "none":
            kept = [lowered(t) if self.case == "lower" else raised(t) for t in kept]
        return objects(kept).reshape(shape)


@dataclass(frozen=True)
class Rename(Spread):
    """Each text's other name (LabelEncoder from texts to texts)."""

    do: ClassVar[str] = "rename"
    made: str
    read: tuple[str, ...]
    known: Texts
    names: Texts
    unknown: str

    @classmethod
    def parse(cls, table: Table, made: str, read: tuple[str, ...]) -> "Rename":
        known, names = texts(table, "known"), texts(table, "names", distinct=False)
        if len(known) != len(names):
            table.fail("names", f"it has {len(names)} names for {len(known)} texts")
        return cls(made, read, known, names, one_text(table, "unknown"))

    def canonical(self) -> dict[str, Any]:
        return {"known": list(self.known), "names": list(self.names), "unknown": self.unknown}

    @cached_property
    def _names(self) -> dict[str, str]:
        return dict(zip(self.known, self.names, strict=True))

    def apply(self, values: Values) -> Array:
        given = values[self.read[0]]
        found = [self._names.get(text, self.unknown) for text in given.ravel().tolist()]
        return objects(found).reshape(given.shape)


@dataclass(frozen=True)
class Number(Spread):
    """Each text's whole number, and one for all others (LabelEncoder, CategoryMapper)."""

    do: ClassVar[str] = "number"
    made: str
    read: tuple[str, ...]
    known: Texts
    numbers: tuple[int, ...]
    unknown: int

    @classmethod
    def parse(cls, table: Table, made: str, read: tuple[str, ...]) -> "Number":
        known, numbers = texts(table, "known"), whole_numbers(table, "numbers", -LARGEST)
        if len(known) != len(numbers):
            table.fail("numbers", f"it has {len(numbers)} numbers for {len(known)} texts")
        return cls(made, read, known, numbers, table.integer("unknown", -LARGEST, LARGEST))

    def canonical(self) -> dict[str, Any]:
        return {
            "known": list(self.known),
            "numbers": list(self.numbers),
            "unknown": self.unknown,
        }

    def spread(self, most: int) -> tuple[float, ...]:
        made = sorted({*self.numbers, self.unknown})
        places = np.linspace(0, len(made) - 1, min(most, len(made))).round().astype(int)
        return tuple(float(made[place]) for place in places)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return dict(zip(self.known, self.numbers, strict=True))

    def apply(self, values: Values) -> Array:
        given = values[self.read[0]]
        found = [self._numbers.get(text, self.unknown) for text in given.ravel().tolist()]
        return np.array(found, np.float32).reshape(given.shape)


@dataclass(frozen=True)
class OneHot(Spread):
    """A 1 in the place of each text's category (OneHotEncoder). An unknown text has zeros alone,
    or is refused."""

    do: ClassVar[str] = "one_hot"
    made: str
    read: tuple[str, ...]
    known: Texts
    refuse_unknown: bool

    @classmethod
    def parse(cls, table: Table, made: str, read: tuple[str, ...]) -> "OneHot":
        return cls(made, read, texts(table, "known"), truth(table, "refuse_unknown"))

    def canonical(self) -> dict[str, Any]:
        return {"known": list(self.known), "refuse_unknown": self.refuse_unknown}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {text: place for place, text in enumerate(self.known)}

    def apply(self, values: Values) -> Array:
        given = values[self.read[0]]
        room(given.size * len(self.known))
        made = np.zeros((given.size, len(self.known)), np.float32)
        for row, text in enumerate(given.ravel().tolist()):
            place = self._places.get(text)
            if place is not None:
                made[row, place] = 1.0
            elif self.refuse_unknown:
                raise InputRejected(
                    Reason.INPUT_UNKNOWN_CATEGORY,
                    value=show(text),
                    known=show(", ".join(self.known[:16])),
                )
        return made.reshape((*given.shape, len(self.known)))


def room(elements: int) -> None:
    """Returns when a step may make so many elements or rounds. Raises: ValueError."""
    if elements > MAX_ELEMENTS:
        raise ValueError("more than a step may make")


def objects(items: Sequence[str]) -> Array:
    """Texts as an array of one axis."""
    array: Array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def texts(table: Table, key: str, *, fewest: int = 1, distinct: bool = True) -> Texts:
    """Texts of any characters. Raises: ModelRejected CARD_*."""
    value = table.take(key)
    if not isinstance(value, list) or not fewest <= len(value) <= MAX_TABLE:
        table.fail(key, f"it must be a list of {fewest} to {MAX_TABLE} texts")
    if not all(type(item) is str and len(item) <= MAX_TEXT for item in value):
        table.fail(key, f"it must hold texts of at most {MAX_TEXT} characters")
    if distinct and len(set(value)) != len(value):
        table.fail(key, "it names something twice")
    return tuple(value)


def one_text(table: Table, key: str) -> str:
    """A text of any characters. Raises: ModelRejected CARD_*."""
    value = table.take(key)
    if type(value) is not str or len(value) > MAX_TEXT:
        table.fail(key, f"it must be a text of at most {MAX_TEXT} characters")
    return value


def whole_numbers(table: Table, key: str, least: int, *, fewest: int = 1) -> tuple[int, ...]:
    """Whole numbers from `least` to LARGEST. Raises: ModelRejected CARD_*."""
    value = table.take(key)
    if not isinstance(value, list) or not fewest <= len(value) <= 2 * MAX_TABLE:
        table.fail(key, f"it must be a list of {fewest} to {2 * MAX_TABLE} whole numbers")
    if not all(type(item) is int and least <= item <= LARGEST for item in value):
        table.fail(key, f"it must hold whole numbers from {least} to {LARGEST}")
    return tuple(value)


def truth(table: Table, key: str) -> bool:
    """True or false. Raises: ModelRejected CARD_*."""
    value = table.take(key)
    if type(value) is not bool:
        table.fail(key, "it must be true or false")
    return value
