"""Writing one node with others: the nodes and constants that stand for it, and its rejections."""

from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.show import shown
from inferproof.models.tensors import Array


class Expansion:
    """The nodes and constants that stand for one node. Names of its own begin with that of the
    node's first output."""

    def __init__(self, node: NodeProto, opset: int) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.opset = opset
        self._op = node.op_type
        self._stem = next(filter(None, node.output), "")

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

    def several(self, op: str, inputs: list[str], outputs: list[str], **more: Any) -> None:
        """A node of several outputs, each given or, by an empty name, left out."""
        self.nodes.append(helper.make_node(op, inputs, outputs, **more))

    def floats(self, name: str) -> str:
        """The tensor as real numbers of 32 bits, as these operators take any."""
        return self.node("Cast", [name], to=TensorProto.FLOAT)

    def clipped(self, name: str, low: float, high: float) -> str:
        """The tensor cut to numbers from low to high."""
        if self.opset >= 11:
            return self.node("Clip", [name, self.constant(low), self.constant(high)])
        return self.node("Clip", [name], min=low, max=high)

    def reduced(self, op: str, name: str, axis: int) -> str:
        """The tensor reduced over one axis, which is kept with size 1."""
        if self.opset >= (13 if op == "ReduceSum" else 18):
            return self.node(op, [name, self.constant([axis], "<i8")], keepdims=1)
        return self.node(op, [name], axes=[axis], keepdims=1)

    def invalid(self, why: str) -> ModelRejected:
        return ModelRejected(Reason.MODEL_INVALID, op=shown(self._op), why=why)

    def refused(self, why: str) -> ModelRejected:
        return ModelRejected(Reason.MODEL_OPERATOR_REFUSED, op=shown(self._op), why=why)

    def _name(self) -> str:
        return f"{self._stem}/{self._op}/{len(self.nodes) + len(self.constants)}"
