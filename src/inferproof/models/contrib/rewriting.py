"""Writing an operator with others once the types and shapes of its inputs are known."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import AttributeProto, NodeProto, helper

from inferproof.models.expansion import Expansion
from inferproof.models.tensors import Array

Shape = tuple[int, ...]
Types = Mapping[str, tuple[np.dtype[np.generic], Shape]]
Rewrite = Callable[["Rewriting"], None]

STANDARD = ""
MICROSOFT = "com.microsoft"
REGISTRY: dict[tuple[str, str], Rewrite] = {}
"""What writes each operator with others, by domain and name."""

_KINDS = {int: AttributeProto.INT, float: AttributeProto.FLOAT, str: AttributeProto.STRING}
_AXES_ARE_AN_INPUT = {"ReduceSum": 13, "Unsqueeze": 13}
_OTHER_AXES_ARE_AN_INPUT = 18


def rewrites(*names: str, domain: str = MICROSOFT) -> Callable[[Rewrite], Rewrite]:
    """Registers a function as what writes these operators with others."""

    def declare(rewrite: Rewrite) -> Rewrite:
        for name in names:
            REGISTRY[domain, name] = rewrite
        return rewrite

    return declare


class Rewriting(Expansion):
    """The nodes and constants that stand for one node, and what is known of its inputs.

    `used` are the names that anything reads: another output need not be made.
    """

    def __init__(
        self,
        node: NodeProto,
        opset: int,
        types: Types,
        constants: Mapping[str, Array],
        used: Iterable[str],
    ) -> None:
        super().__init__(node, opset)
        self.op = node.op_type
        self._types = types
        self._values = constants
        self._inputs = list(node.input)
        self._outputs = [name if name in used else "" for name in node.output]
        self.attributes = {item.name: item for item in node.attribute}

    # What the node is given.

    @property
    def count(self) -> int:
        """How many inputs it has, those left out between others included."""
        return len(self._inputs)

    def maybe(self, place: int) -> str:
        """The name of an input, empty where it is left out."""
        return self._inputs[place] if place < len(self._inputs) else ""

    def input(self, place: int) -> str:
        """The name of an input. Raises: ModelRejected MODEL_INVALID where it is left out."""
        if not self.maybe(place):
            raise self.invalid(f"its input {place} is missing")
        return str(self._inputs[place])

    def shape(self, name: str, rank: int | None = None) -> Shape:
        """The shape of an input. Raises: ModelRejected MODEL_INVALID for another rank."""
        shape = self._types[name][1]
        if rank is not None and len(shape) != rank:
            raise self.invalid(f"an input has {len(shape)} dimensions where it takes {rank}")
        return shape

    def dtype(self, name: str) -> np.dtype[np.generic]:
        return self._types[name][0]

    def size(self, name: str) -> int:
        return int(np.prod(self.shape(name), dtype=object))

    def known(self, name: str, what: str) -> Array:
        """An input's value. Raises: ModelRejected MODEL_OPERATOR_REFUSED if it is computed."""
        if name not in self._values:
            raise self.refused(f"its {what} must be a constant of the model")
        return self._values[name]

    def output(self, place: int = 0) -> str:
        """The name of an output that is read, else empty."""
        return self._outputs[place] if place < len(self._outputs) else ""

    def only(self, *places: int) -> None:
        """Returns when none but these outputs is read. Raises: MODEL_OPERATOR_REFUSED."""
        for place in range(len(self._outputs)):
            if self.output(place) and place not in places:
                raise self.refused(f"its output {place} is used, which is for training or caching")

    def whole(self, name: str, default: int) -> int:
        return int(self._given(name, int, default))

    def real(self, name: str, default: float) -> float:
        return float(self._given(name, float, default))

    def text(self, name: str, default: str) -> str:
        return str(self._given(name, str, default))

    def wholes(self, name: str) -> list[int]:
        item = self.attributes.get(name)
        if item is not None and item.type != AttributeProto.INTS:
            raise self.invalid(f"its {name} are no whole numbers")
        return [] if item is None else list(item.ints)

    def reals(self, name: str) -> list[float]:
        item = self.attributes.get(name)
        if item is not None and item.type != AttributeProto.FLOATS:
            raise self.invalid(f"its {name} are no numbers")
        return [] if item is None else list(item.floats)

    def passed_on(self, *names: str) -> dict[str, Any]:
        """Those of these attributes that the node has, for a node that takes the same."""
        found = {name: self.attributes[name] for name in names if name in self.attributes}
        try:
            return {name: helper.get_attribute_value(item) for name, item in found.items()}
        except ValueError:
            raise self.invalid("an attribute is of a kind that it cannot have") from None

    def _given(self, name: str, kind: type, default: Any) -> Any:
        item = self.attributes.get(name)
        if item is None:
            return default
        if item.type != _KINDS[kind]:
            raise self.invalid(f"its {name} is of another type")
        value = helper.get_attribute_value(item)
        return value.decode("ascii") if isinstance(value, bytes) else value

    # What is made of it.

    def reshape(self, x: str, shape: Sequence[int], output: str | None = None) -> str:
        return self.node("Reshape", [x, self.constant(list(shape), "<i8")], output)

    def reduce(self, op: str, x: str, axes: Sequence[int], keepdims: int = 1) -> str:
        """A reduction over axes, as the opset writes it; over none, x."""
        if not axes:
            return x
        if self.opset >= _AXES_ARE_AN_INPUT.get(op, _OTHER_AXES_ARE_AN_INPUT):
            return self.node(op, [x, self.constant(list(axes), "<i8")], keepdims=keepdims)
        return self.node(op, [x], axes=list(axes), keepdims=keepdims)

    def slice(self, x: str, axis: int, start: int, end: int, output: str | None = None) -> str:
        if self.opset < 10:
            return self.node("Slice", [x], output, axes=[axis], starts=[start], ends=[end])
        bounds = [self.constant([number], "<i8") for number in (start, end, axis)]
        return self.node("Slice", [x, *bounds], output)

    def cast(self, x: str, dtype: np.dtype[np.generic] | str, output: str | None = None) -> str:
        return self.node("Cast", [x], output, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def clipped(self, x: str, low: float, high: float) -> str:
        above = self.node("Max", [x, self.constant(low)])
        return self.node("Min", [above, self.constant(high)])

    def rounded(self, x: str) -> str:
        """The nearest whole number; half-way between two the even one, from opset 11 on."""
        if self.opset >= 11:
            return self.node("Round", [x])
        return self.node("Floor", [self.node("Add", [x, self.constant(0.5)])])

    def as_float(self, x: str) -> str:
        return x if self._is_float(x) else self.floats(x)

    def _is_float(self, x: str) -> bool:
        return x in self._types and self._types[x][0].kind == "f"

    def activated(self, x: str, name: str, numbers: Sequence[float], output: str) -> None:
        """An activation by its name, as the fused operators write it."""
        known = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta")}
        if name in ("", "Identity"):
            self.node("Identity", [x], output)
        elif name == "Clip":
            if len(numbers) != 2:
                raise self.invalid("its Clip needs two activation parameters")
            above = self.node("Max", [x, self.constant(numbers[0])])
            self.node("Min", [above, self.constant(numbers[1])], output)
        elif name in ("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish"):
            self.node(name, [x], output)
        elif name in known or name in ("Elu", "ThresholdedRelu"):
            given = dict(zip(known.get(name, ("alpha",)), numbers, strict=False))
            self.node(name, [x], output, **given)
        else:
            raise self.refused(f"its activation is {name!r:.40}")
