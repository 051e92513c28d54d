"""How the operators of classical machine learning are registered, and what they ask of their
attributes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import NodeProto

from inferproof.models.expansion import Expansion
from inferproof.models.tensors import Array

Attributes = dict[str, Any]
Expand = Callable[[Expansion, NodeProto, Attributes], None]

REGISTRY: dict[str, Expand] = {}
"""What writes each operator with others."""


def expands(name: str) -> Callable[[Expand], Expand]:
    def declare(expand: Expand) -> Expand:
        REGISTRY[name] = expand
        return expand

    return declare


def text(made: Expansion, given: Attributes, name: str, default: str) -> str:
    value = given.get(name, default.encode())
    if not isinstance(value, bytes):
        raise made.invalid(f"its {name} is no text")
    return value.decode("ascii")


def floats(made: Expansion, given: Attributes, name: str) -> Array:
    value = np.asarray(given.get(name, []))
    if value.dtype.kind not in "fi" or value.ndim != 1:
        raise made.invalid(f"its {name} are no numbers")
    return value.astype("<f4")


def ints(made: Expansion, given: Attributes, name: str) -> Array:
    value = np.asarray(given.get(name, np.zeros(0, "<i8")))
    if value.dtype.kind != "i" or value.ndim != 1:
        raise made.invalid(f"its {name} are no whole numbers")
    return value.astype("<i8")
