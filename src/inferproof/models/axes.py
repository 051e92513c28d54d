"""Sizes for the axes that a model leaves open."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import Any

from inferproof.errors import ModelRejected, Reason
from inferproof.models.show import printable, shown

BATCH = "batch"
MOST_VARIANTS = 16
"""Models that one list of sizes may become; each is compiled, kept and offered by itself."""
_LONGEST_WORD = 16
_UNSAID = re.compile(r"[^0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Axes:
    """What open axes are set to: `batch` the first ones, `named` those of a name.

    An axis without a name is called after its input and place: x.2.
    """

    batch: int = 1
    named: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"batch": self.batch, "named": dict(self.named)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Axes":
        """Reads what `to_json` wrote."""
        return cls(told["batch"], dict(told["named"]))


@dataclass(frozen=True, slots=True)
class Choice:
    """One size for every axis, out of several for those of the names `several`. `name` tells these
    sizes, tokens-64, in letters, digits and hyphens, and is empty where there are none."""

    axes: Axes = field(default_factory=Axes)
    several: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return "-".join(f"{_word(name)}-{self.axes.named[name]}" for name in self.several)


def choices(batch: int, sizes: Mapping[str, int | Sequence[int]]) -> tuple[Choice, ...]:
    """Each choice among the sizes.

    Raises: ValueError for an axis without sizes or with one twice, and for too many choices.
    """
    several = tuple(name for name, size in sizes.items() if not isinstance(size, int))
    lists = [[size] if isinstance(size, int) else list(size) for size in sizes.values()]
    if any(not each or len(set(each)) != len(each) for each in lists):
        raise ValueError("an axis has no size, or one of them twice")
    if math.prod(map(len, lists)) > MOST_VARIANTS:
        raise ValueError(f"these sizes make more than {MOST_VARIANTS} models")
    named = (dict(zip(sizes, chosen, strict=True)) for chosen in itertools.product(*lists))
    return tuple(Choice(Axes(batch, each), several) for each in named)


def _word(name: str) -> str:
    return _UNSAID.sub("-", name).strip("-")[:_LONGEST_WORD] or "axis"


@dataclass(frozen=True, slots=True)
class OpenAxis:
    """An axis that the file leaves open, and what it was set to."""

    input: str
    axis: int
    name: str
    size: int


def fixed(
    inputs: Sequence[tuple[str, tuple[int | str, ...]]], axes: Axes
) -> tuple[list[tuple[int, ...]], tuple[OpenAxis, ...]]:
    """The inputs' shapes with every open axis set, and these axes.

    `inputs` are names and shapes; a text in a shape is an open axis: its name, or nothing. A first
    axis is the batch, unless its name is also that of another axis, which has to be told.
    Raises: ModelRejected MODEL_DYNAMIC_DIM, MODEL_AXIS_UNKNOWN.
    """
    found = [
        OpenAxis(name, axis, size or f"{name}.{axis}", 0)
        for name, shape in inputs
        for axis, size in enumerate(shape)
        if isinstance(size, str)
    ]
    later = {item.name for item in found if item.axis > 0}
    _check_told(axes, found, later)
    missing = [item for item in found if item.name in later and item.name not in axes.named]
    if missing:
        names = dict.fromkeys(item.name for item in missing)
        raise ModelRejected(
            Reason.MODEL_DYNAMIC_DIM,
            axes=", ".join(f"{shown(name)} ({_places(missing, name)})" for name in names),
            options=" ".join(f"--shape {quote(f'{printable(name)}=SIZE')}" for name in names),
        )
    opened = tuple(replace(item, size=axes.named.get(item.name, axes.batch)) for item in found)
    sizes = {(item.input, item.axis): item.size for item in opened}
    shapes = [
        tuple(
            sizes[name, axis] if isinstance(size, str) else size for axis, size in enumerate(shape)
        )
        for name, shape in inputs
    ]
    return shapes, opened


def _check_told(axes: Axes, found: Sequence[OpenAxis], later: set[str]) -> None:
    """Returns when every size that was given is for an axis that is open."""
    known = list(dict.fromkeys(item.name for item in found))
    first = [item for item in found if item.axis == 0 and item.name not in later]
    unknown = [name for name in axes.named if name not in known]
    if axes.batch != 1 and all(item.name in axes.named for item in first):
        unknown.append(BATCH)
    if unknown:
        raise ModelRejected(
            Reason.MODEL_AXIS_UNKNOWN,
            name=shown(unknown[0]),
            known=", ".join(map(shown, known)) or "none",
        )


def _places(items: Sequence[OpenAxis], name: str) -> str:
    return ", ".join(f"dimension {i.axis} of {shown(i.input)}" for i in items if i.name == name)
