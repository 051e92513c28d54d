"""Texts that a parsed, untrusted file holds: constant tensors and attributes of nodes."""

import math
from collections.abc import Sequence

from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, numpy_helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.show import shown

MAX_TEXTS = 65_536
"""Of one table. A vocabulary of that many words is a large one; more would make a request slow."""


class Texts:
    """The constant text tensors of a graph, decoded where they are asked for."""

    def __init__(self, model: ModelProto) -> None:
        self._graph = model.graph
        self._tensors = {
            tensor.name: tensor
            for tensor in model.graph.initializer
            if tensor.data_type == TensorProto.STRING
        }
        self._others = {
            tensor.name: tensor
            for tensor in model.graph.initializer
            if tensor.data_type != TensorProto.STRING
        }
        self._nodes = {
            node.output[0]: node
            for node in model.graph.node
            if node.op_type == "Constant" and len(node.output) == len(node.attribute) == 1
        }
        self._made = {name: node for name, node in self._nodes.items() if _holds_texts(node)}

    def __contains__(self, name: str) -> bool:
        return name in self._tensors or name in self._made

    def vector(self, node: NodeProto, name: str) -> tuple[str, ...]:
        """A constant's texts, where it is a row of them.

        Raises: ModelRejected MODEL_TEXT_REFUSED, MODEL_TEXT_TOO_MANY, MODEL_INVALID.
        """
        if name in self._made:
            (attribute,) = self._made[name].attribute
            if attribute.type != AttributeProto.TENSOR:
                return decoded(node, attribute.strings or [attribute.s])
            tensor = attribute.t
        else:
            tensor = self._tensors[name]
        shape = tuple(tensor.dims)
        if len(tensor.string_data) != math.prod(shape):
            raise invalid(node, f"its texts {shown(name)} are not as many as their shape says")
        if len(shape) != 1 and shape[:-1] != (1,):
            raise refused(node, f"takes texts of shape {list(shape)}", "give it one row of texts")
        return decoded(node, tensor.string_data)

    def whole_numbers(self, name: str) -> tuple[int, ...] | None:
        """The values of a constant of whole numbers; None where that is none, or too large."""
        tensor = self._constant(name)
        if tensor is None or math.prod(tensor.dims) > MAX_TEXTS or any(d < 0 for d in tensor.dims):
            return None
        if tensor.data_type not in (TensorProto.INT64, TensorProto.INT32) or tensor.external_data:
            return None
        try:
            return tuple(numpy_helper.to_array(tensor).ravel().tolist())
        except (ValueError, TypeError):
            return None

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a constant; that of a scalar where there is none."""
        tensor = self._constant(name)
        return () if tensor is None else tuple(tensor.dims)

    def _constant(self, name: str) -> TensorProto | None:
        tensor: TensorProto
        node = self._nodes.get(name)
        if node is None:
            return self._others.get(name)
        attribute = node.attribute[0]
        match attribute.name:
            case "value":
                tensor = attribute.t
                return tensor
            case "value_int":
                return TensorProto(data_type=TensorProto.INT64, int64_data=[attribute.i])
            case "value_ints":
                values = attribute.ints
                return TensorProto(
                    data_type=TensorProto.INT64, dims=[len(values)], int64_data=values
                )
        return None

    def drop_unused(self) -> None:
        """Removes the constants that no node reads any more: the graph is to hold no text."""
        read = {name for node in self._graph.node for name in node.input}
        read |= {info.name for info in self._graph.output}
        for kept, names in (
            (self._graph.initializer, self._tensors.keys() - read),
            (self._graph.node, self._made.keys() - read),
        ):
            gone = [
                place
                for place, item in enumerate(kept)
                if (item.name if isinstance(item, TensorProto) else next(iter(item.output), ""))
                in names
            ]
            for place in reversed(gone):
                del kept[place]


def _holds_texts(node: NodeProto) -> bool:
    (attribute,) = node.attribute
    kinds = (AttributeProto.STRINGS, AttributeProto.STRING)
    return attribute.type in kinds or attribute.t.data_type == TensorProto.STRING


def strings(node: NodeProto, name: str) -> tuple[str, ...]:
    """The texts of an attribute; none where it is absent.

    Raises: ModelRejected MODEL_TEXT_TOO_MANY, MODEL_INVALID.
    """
    for attribute in node.attribute:
        if attribute.name == name:
            if attribute.type != AttributeProto.STRINGS:
                raise invalid(node, f"its {name} are no texts")
            return decoded(node, attribute.strings)
    return ()


def numbers(node: NodeProto, name: str) -> tuple[int, ...]:
    """The whole numbers of an attribute; none where it is absent. Raises: as `strings`."""
    for attribute in node.attribute:
        if attribute.name == name:
            if attribute.type != AttributeProto.INTS:
                raise invalid(node, f"its {name} are no whole numbers")
            _bounded(node, attribute.ints)
            return tuple(attribute.ints)
    return ()


def floats(node: NodeProto, name: str) -> tuple[float, ...]:
    """The real numbers of an attribute; none where it is absent. Raises: as `strings`."""
    for attribute in node.attribute:
        if attribute.name == name:
            if attribute.type != AttributeProto.FLOATS:
                raise invalid(node, f"its {name} are no numbers")
            _bounded(node, attribute.floats)
            return tuple(attribute.floats)
    return ()


def real(node: NodeProto, name: str, default: float) -> float:
    """A real number of an attribute."""
    found = [item for item in node.attribute if item.name == name]
    if found and found[0].type != AttributeProto.FLOAT:
        raise invalid(node, f"its {name} is no number")
    return float(found[0].f) if found else default


def number(node: NodeProto, name: str, default: int) -> int:
    """A whole number of an attribute."""
    found = [item for item in node.attribute if item.name == name]
    if found and found[0].type != AttributeProto.INT:
        raise invalid(node, f"its {name} is no whole number")
    return int(found[0].i) if found else default


def string(node: NodeProto, name: str, default: str) -> str:
    """A text of an attribute."""
    found = [item for item in node.attribute if item.name == name]
    if found and found[0].type != AttributeProto.STRING:
        raise invalid(node, f"its {name} is no text")
    return decoded(node, [found[0].s])[0] if found else default


def decoded(node: NodeProto, values: Sequence[bytes]) -> tuple[str, ...]:
    """Bytes as texts. Raises: ModelRejected MODEL_TEXT_TOO_MANY, MODEL_INVALID."""
    _bounded(node, values)
    try:
        return tuple(value.decode("utf-8") for value in values)
    except UnicodeDecodeError:
        raise invalid(node, "a text of it is not UTF-8") from None


def drop(node: NodeProto, *names: str) -> None:
    """Removes attributes of a node."""
    for place in reversed(range(len(node.attribute))):
        if node.attribute[place].name in names:
            del node.attribute[place]


def set_numbers(node: NodeProto, name: str, values: Sequence[int]) -> None:
    """Gives a node an attribute of whole numbers in place of one of that name."""
    drop(node, name)
    node.attribute.append(AttributeProto(name=name, type=AttributeProto.INTS, ints=values))


def set_number(node: NodeProto, name: str, value: int) -> None:
    """Gives a node an attribute of one whole number in place of one of that name."""
    drop(node, name)
    node.attribute.append(AttributeProto(name=name, type=AttributeProto.INT, i=value))


def distinct(node: NodeProto, what: str, values: Sequence[object]) -> None:
    """Returns when nothing stands twice. Raises: ModelRejected MODEL_INVALID."""
    if len(set(values)) != len(values):
        raise invalid(node, f"its {what} name something twice")


def invalid(node: NodeProto, why: str) -> ModelRejected:
    """The node contradicts its operator's text."""
    return ModelRejected(Reason.MODEL_INVALID, op=shown(node.op_type), why=why)


def refused(node: NodeProto, why: str, instead: str) -> ModelRejected:
    """What the node does with texts is not taken."""
    return ModelRejected(
        Reason.MODEL_TEXT_REFUSED,
        op=shown(node.op_type),
        name=shown(next(iter(node.output), "")),
        why=why,
        instead=instead,
    )


def _bounded(node: NodeProto, values: Sequence[object]) -> None:
    if len(values) > MAX_TEXTS:
        raise ModelRejected(
            Reason.MODEL_TEXT_TOO_MANY,
            op=shown(node.op_type),
            name=shown(next(iter(node.output), "")),
            count=len(values),
            limit=MAX_TEXTS,
        )
