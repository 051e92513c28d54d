"""Operators that the ONNX standard itself defines by others: each node becomes that definition.

The definition depends on the node's attributes and on the types and shapes of its operands, so it
is written out where these are known (`models.shapes`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from onnx import (
    AttributeProto,
    FunctionProto,
    NodeProto,
    TypeProto,
    defs,
    helper,
    numpy_helper,
)

from inferproof.errors import ModelRejected, Reason
from inferproof.models.expansion import Expansion
from inferproof.models.naming import located
from inferproof.models.show import first_line
from inferproof.models.tensors import Array

DEFINED = frozenset({"Attention", "CenterCropPad", "RotaryEmbedding"})
"""Operators that are written out. Others with a definition have a cheaper form of their own."""


def definition(
    node: NodeProto, schema: defs.OpSchema, types: Sequence[TypeProto]
) -> tuple[list[NodeProto], dict[str, Array]]:
    """The nodes and constants that the standard says a node stands for.

    `types` are those of its inputs, empty where one is left out. Names of its own begin with
    that of the node's first output. Raises: ModelRejected MODEL_OPERATOR_REFUSED.
    """
    try:
        encoded = schema.get_context_dependent_function(  # type: ignore[attr-defined]
            node.SerializeToString(), [item.SerializeToString() for item in types]
        )
    except (RuntimeError, ValueError, IndexError) as error:
        raise _refused(node, first_line(str(error))) from None
    function = FunctionProto.FromString(encoded)
    if not function.node:
        raise _refused(node, "the standard has no definition of this form of it")
    names = _names(node, function)
    nodes: list[NodeProto] = []
    constants: dict[str, Array] = {}
    for part in function.node:
        attributes = _attributes(node, part)
        if part.op_type == "Constant":
            constants[names[part.output[0]]] = _value(attributes[0])
            continue
        made = NodeProto(op_type=part.op_type, name=node.name)
        made.input.extend(names[name] for name in part.input)
        made.output.extend(names[name] for name in part.output)
        made.attribute.extend(attributes)
        nodes.append(made)
    return nodes, constants


def expanded_selection(
    node: NodeProto, values: Sequence[Array | None], opset: int
) -> Expansion | None:
    """A Compress as the Gather of the places that its constant condition names, if it names any."""
    condition = values[1] if len(values) > 1 else None
    if condition is None or not condition.any():
        return None
    made = Expansion(node, opset)
    axis = next((item.i for item in node.attribute if item.name == "axis"), None)
    x = node.input[0]
    if axis is None:
        x = made.node("Reshape", [x, made.constant([-1], "<i8")])
    places = made.constant(np.flatnonzero(condition), "<i8")
    made.node("Gather", [x, places], node.output[0], axis=axis or 0)
    return made


def _attributes(node: NodeProto, part: NodeProto) -> list[AttributeProto]:
    """The attributes of a part of the definition; some are those of the node."""
    given = {item.name: item for item in node.attribute}
    found = []
    for item in part.attribute:
        if item.HasField("g"):
            raise _refused(node, "its definition branches")
        if item.ref_attr_name in given:
            own = AttributeProto()
            own.CopyFrom(given[item.ref_attr_name])
            own.name = item.name
            found.append(own)
        elif not item.ref_attr_name:
            found.append(item)
    if part.op_type == "Constant" and not found:
        raise _refused(node, "it lacks an attribute that its definition needs")
    return found


def _refused(node: NodeProto, why: str) -> ModelRejected:
    return ModelRejected(
        Reason.MODEL_OPERATOR_REFUSED,
        op=located(node),
        why=f"{why}; export it as the operators that it is made of, with an opset below 23",
    )


def _names(node: NodeProto, function: FunctionProto) -> Mapping[str, str]:
    """What each name of the definition is called in the graph."""
    stem = next(filter(None, node.output))
    given = [*node.input, *[""] * len(function.input)]
    names = {"": "", **dict(zip(function.input, given, strict=False))}
    made = zip(function.output, node.output, strict=False)
    names |= {formal: actual for formal, actual in made if actual}
    for part in function.node:
        for name in part.output:
            names.setdefault(name, f"{stem}/{node.op_type}/{name}")
    return names


def _value(attribute: AttributeProto) -> Array:
    value = helper.get_attribute_value(attribute)
    if attribute.type == AttributeProto.TENSOR:
        return numpy_helper.to_array(value)
    return np.asarray(value, "<f4" if attribute.name.startswith("value_float") else "<i8")
