"""What a model file holds, in words and counts, before anything in it was changed."""

from collections import Counter
from typing import Any

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto

from inferproof.models.show import printable

Facts = dict[str, Any]
"""JSON: opsets, operators, stored and outside tensors, functions, inputs and outputs."""


def describe(model: ModelProto) -> Facts:
    """The facts of a parsed file. Its fields were counted before; nothing else is known of it."""
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    return {
        "opsets": {printable(item.domain): item.version for item in model.opset_import},
        "operators": dict(Counter(printable(node.op_type) for node in graph.node)),
        "stored": len(graph.initializer) + len(graph.sparse_initializer),
        "outside": sum(_outside(tensor) for tensor in graph.initializer),
        "functions": len(model.functions),
        "training": len(model.training_info),
        "inputs": [_interface(info) for info in graph.input if info.name not in stored],
        "outputs": [_interface(info) for info in graph.output],
    }


def depending(graph: GraphProto) -> set[str]:
    """The names whose values depend on an input of the graph."""
    stored = {tensor.name for tensor in graph.initializer}
    users: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in (*node.input, *_captured(node)):
            users.setdefault(name, []).append(node)
    waiting = [info.name for info in graph.input if info.name not in stored]
    found = set(waiting)
    while waiting:
        for node in users.get(waiting.pop(), ()):
            new = [name for name in node.output if name and name not in found]
            found.update(new)
            waiting += new
    return found


def _captured(node: NodeProto) -> list[str]:
    """The names that graphs within the node use, its own among them. Nesting is bounded."""
    names: list[str] = []
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            names += [info.name for info in graph.output]
            for inner in graph.node:
                names += [*inner.input, *_captured(inner)]
    return names


def _outside(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL


def _interface(info: ValueInfoProto) -> list[str]:
    return [info.name, _type(info.type)]


def _type(declared: TypeProto) -> str:
    kind = declared.WhichOneof("value")
    if kind == "sequence_type" and declared.sequence_type.elem_type.HasField("map_type"):
        return "a sequence of dictionaries"
    if kind == "sequence_type":
        return "a sequence"
    if kind != "tensor_type":
        return "no tensor"
    tensor = declared.tensor_type
    code = tensor.elem_type
    dtype = TensorProto.DataType.Name(code).lower() if code in TensorProto.DataType.values() else ""
    if not tensor.HasField("shape"):
        return f"{_NAMES.get(dtype, dtype)} of any shape"
    sizes = [
        str(dim.dim_value) if dim.dim_value > 0 else printable(dim.dim_param) or "?"
        for dim in tensor.shape.dim
    ]
    return f"{_NAMES.get(dtype, dtype)}[{', '.join(sizes)}]"


_NAMES = {"float": "float32", "double": "float64"}
"""What numpy calls these types."""
