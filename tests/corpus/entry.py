"""One model of the corpus: how it is made, and the rows that it is tried with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Rows = dict[str, np.ndarray]
"""An array for each input of a model, rows stacked along the first axis."""


@dataclass(frozen=True)
class Made:
    """A model as its tool wrote it, and rows: some to calibrate on, the others to be judged by."""

    onnx: bytes
    rows: Rows


@dataclass(frozen=True)
class Entry:
    """A model that is not made yet. `make` may take seconds, and may fail as its tool fails."""

    family: str
    name: str
    make: Callable[[], Made]


class Family:
    """The entries of one family, each declared by a function that makes it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._entries: list[Entry] = []

    def add(self, name: str, make: Callable[[], Made]) -> None:
        self._entries.append(Entry(self.name, name, make))

    def entry(self, name: str) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
        def declare(make: Callable[[], Made]) -> Callable[[], Made]:
            self.add(name, make)
            return make

        return declare

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)


def floats(values: Any) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float32)
