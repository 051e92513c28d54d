"""How one operator is written with others: what it asks of its attributes, and what it makes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.show import shown
from inferproof.models.tensors import Array

Attributes = dict[str, Any]
Expand = Callable[["Expansion", NodeProto, Attributes], None]

REGISTRY: dict[str, Expand] = {}
"""What writes each operator with others."""


class Expansion:
    """The nodes and constants that stand for one node. Names of its own begin with that of the
    node's first output."""

    def __init__(self, node: NodeProto) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {}
        self._op = node.op_type
        self._stem = next(iter(node.output), "")

    def constant(self, values: Any, dtype: str = "<f4") -> str:
        """The name of a constant tensor."""
        name = self._name()
        self.constants[name] = np.asarray(values, dtype=dtype)
        return name

    def node(self, op: str, inputs: list[str], output: str | None = None, **more: Any) -> str:
        """The name of what the node makes, which is `output` where that is given."""
        name = output or self._name()
        self.nodes.append(helper.make_node(op, inputs, [name], **more))
        return name

    def floats(self, name: str) -> str:
        """The tensor as real numbers of 32 bits, as these operators take any."""
        return self.node("Cast", [name], to=TensorProto.FLOAT)

    def invalid(self, why: str) -> ModelRejected:
        return ModelRejected(Reason.MODEL_INVALID, op=shown(self._op), why=why)

    def refused(self, why: str) -> ModelRejected:
        return ModelRejected(Reason.MODEL_OPERATOR_REFUSED, op=shown(self._op), why=why)

    def _name(self) -> str:
        return f"{self._stem}/{self._op}/{len(self.nodes) + len(self.constants)}"


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
