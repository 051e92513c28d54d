"""Builders of model files, sound and hostile. Nothing large is kept; it is made when asked for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
INT64 = TensorProto.INT64


def info(name: str, shape: Sequence[int | str | None], dtype: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


def weight(name: str, values: Any, dtype: str = "f4") -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype=dtype), name)


def model(
    nodes: Sequence[NodeProto],
    weights: Sequence[TensorProto] = (),
    inputs: Sequence[Any] | None = None,
    outputs: Sequence[Any] | None = None,
    opset: int = 17,
) -> ModelProto:
    """A model from x [1, 4] to y, unless told otherwise. y's shape is left undeclared."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        list(inputs) if inputs is not None else [info("x", [1, 4])],
        list(outputs) if outputs is not None else [undeclared("y")],
        list(weights),
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="test"
    )


def undeclared(name: str, dtype: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, None)


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> NodeProto:
    return helper.make_node(op, list(inputs), list(outputs), **attributes)


def relu(source: str = "x", target: str = "y") -> NodeProto:
    return node("Relu", [source], [target])


def dense(seed: int = 0, **changes: Any) -> ModelProto:
    """A small sound model: y = relu(x·w + b), x [N, 4], y [N, 3]."""
    random = np.random.default_rng(seed)
    return model(
        [
            node("MatMul", ["x", "w"], ["product"], name="layer/product"),
            node("Add", ["product", "b"], ["sum"], name="layer/sum"),
            relu("sum"),
        ],
        [weight("w", random.normal(size=(4, 3))), weight("b", random.normal(size=3))],
        inputs=[info("x", ["N", 4])],
        outputs=[info("y", ["N", 3])],
        **changes,
    )


def with_attribute_graphs(depth: int) -> ModelProto:
    """An If within an If, `depth` deep."""
    inner = helper.make_graph([relu()], "leaf", [], [info("y", [1, 4])])
    for _ in range(depth):
        branch = node("If", ["c"], ["y"], then_branch=inner)
        inner = helper.make_graph([branch], "level", [], [info("y", [1, 4])])
    return model(
        [node("If", ["c"], ["y"], then_branch=inner)],
        inputs=[info("x", [1, 4]), info("c", [], TensorProto.BOOL)],
    )


def external(location: str, offset: str | None = None, length: str | None = None) -> ModelProto:
    """The dense model with w [4, 3] in an external file."""
    made = dense()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    return made


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, body: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(len(body)) + body
