"""The graph of an untrusted model as plain parts, after everything in it was looked at."""

from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.classical import EXPANDED, expanded, zipped_outputs
from inferproof.models.contrib import is_rewritten, is_unnamed
from inferproof.models.limits import NEWEST_OPSET, OLDEST_OPSET, UNNAMED_OPSET, Limits
from inferproof.models.operators import ML_DOMAIN, operator_schema
from inferproof.models.show import shown
from inferproof.models.tensors import (
    NIBBLES,
    OTHER_FLOATS,
    Array,
    TensorReader,
    check_shape,
    dtype_of,
    finished,
    unknown_dtype,
)

_NAMES_A_TYPE = frozenset(
    {"dtype", "output_datatype", "output_dtype", "precision", "softmax_precision", "to"}
    | {"stash_type"}
)
"""Attributes that name an element type, which may be a float of another width."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A graph input or output as the file declares it. None stands for an open dimension.

    `other_float`: the file declares floats of another width than the 32 bits that are computed.
    """

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int | None, ...] | None
    other_float: bool = False


@dataclass(slots=True)
class Graph:
    """Inputs with fixed shapes, nodes in an order in which they can run, and constants."""

    opset: int
    inputs: list[Declared]
    outputs: list[Declared]
    nodes: list[NodeProto]
    constants: dict[str, Array]
    fixed_batch: list[str] = field(default_factory=list)
    as_float32: list[str] = field(default_factory=list)


def read_graph(model: ModelProto, reader: TensorReader) -> Graph:
    """The model's graph, flat, named once, without a cycle, its tensors decoded and finite.

    Raises: ModelRejected with any reason that can be found without shapes: opset, functions,
    training steps, subgraphs, sparse or string tensors, element types, open dimensions,
    names, cycles, attributes, and all of `TensorReader.read`.
    """
    limits = reader.limits
    if not model.HasField("graph"):
        raise ModelRejected(Reason.MODEL_MALFORMED, why="it holds no graph")
    if model.functions:
        raise ModelRejected(Reason.MODEL_HAS_FUNCTIONS)
    if model.training_info:
        raise ModelRejected(Reason.MODEL_HAS_TRAINING_INFO)
    graph = model.graph
    opset = opset_of(model)
    for sparse in graph.sparse_initializer:
        raise ModelRejected(Reason.MODEL_SPARSE_TENSOR, name=shown(sparse.values.name))
    constants: dict[str, Array] = {}
    for tensor in graph.initializer:
        if tensor.name in constants or not tensor.name:
            raise ModelRejected(Reason.MODEL_DUPLICATE_NAME, name=shown(tensor.name))
        constants[tensor.name] = reader.read(tensor.name, tensor)
    declared = [_declared(info, limits) for info in graph.input if info.name not in constants]
    fixed_batch: list[str] = []
    inputs = [_fixed(item, fixed_batch, limits) for item in declared]
    zipped = zipped_outputs(graph.node)
    outputs = [
        Declared(info.name, np.dtype("<f4"), None)
        if info.name in zipped
        else _declared(info, limits)
        for info in graph.output
    ]
    if not inputs:
        raise ModelRejected(Reason.MODEL_NO_INPUT)
    if not outputs:
        raise ModelRejected(Reason.MODEL_NO_OUTPUT)
    nodes: list[NodeProto] = []
    for original in graph.node:
        # A copy: it may be changed, and the parsed file's memory can go.
        node = NodeProto()
        node.CopyFrom(original)
        _check_node(node, opset, reader)
        if node.op_type == "Constant":
            constant = _constant(node, reader)
            if len(node.output) != 1 or not node.output[0] or node.output[0] in constants:
                name = shown(node.output[0] if node.output else "")
                raise ModelRejected(Reason.MODEL_DUPLICATE_NAME, name=name)
            constants[node.output[0]] = constant
        elif node.domain == ML_DOMAIN and node.op_type in EXPANDED:
            made = expanded(node)
            if not constants.keys().isdisjoint(made.constants):
                raise ModelRejected(Reason.MODEL_DUPLICATE_NAME, name=shown(node.output[0]))
            constants |= made.constants
            nodes += made.nodes
            if len(nodes) > limits.nodes:  # the file was counted before it was parsed
                raise ModelRejected(Reason.MODEL_TOO_MANY, what="nodes", limit=limits.nodes)
        else:
            nodes.append(node)
    _check_names(inputs, outputs, nodes, constants)
    for node in nodes:
        _check_nibbles(node, reader)
    ordered = _ordered(nodes)
    as_float32 = [item.name for item in (*declared, *outputs) if item.other_float]
    return Graph(opset, inputs, outputs, ordered, constants, fixed_batch, as_float32)


def opset_of(model: ModelProto) -> int:
    """The version of the ONNX operators that the model is written for.

    Raises: ModelRejected MODEL_MALFORMED, MODEL_OPSET_UNSUPPORTED.
    """
    # Exporters name it once for each part of a model, all the same; those of trees not at all.
    named = {item.version for item in model.opset_import if item.domain in ("", "ai.onnx")}
    others = {item.domain for item in model.opset_import}
    versions = list(named) or [UNNAMED_OPSET] * (others == {ML_DOMAIN})
    if len(versions) != 1:
        raise ModelRejected(
            Reason.MODEL_MALFORMED, why="it does not name one version of the ONNX operators"
        )
    opset = int(versions[0])
    if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
        raise ModelRejected(
            Reason.MODEL_OPSET_UNSUPPORTED, opset=opset, oldest=OLDEST_OPSET, newest=NEWEST_OPSET
        )
    return opset


def _declared(info: ValueInfoProto, limits: Limits) -> Declared:
    if info.type.WhichOneof("value") == "sparse_tensor_type":
        raise ModelRejected(Reason.MODEL_SPARSE_TENSOR, name=shown(info.name))
    if not info.name or info.type.WhichOneof("value") != "tensor_type":
        raise ModelRejected(Reason.MODEL_NOT_A_TENSOR, name=shown(info.name))
    tensor = info.type.tensor_type
    dtype = dtype_of(info.name, tensor.elem_type)
    other = tensor.elem_type in OTHER_FLOATS
    if not tensor.HasField("shape"):
        return Declared(info.name, dtype, None, other)
    dims = tensor.shape.dim
    if len(dims) > limits.rank:
        raise ModelRejected(
            Reason.MODEL_RANK_TOO_HIGH, name=shown(info.name), rank=len(dims), limit=limits.rank
        )
    # Some exporters write an open dimension as 0 or -1 with no name.
    shape = tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in dims
    )
    return Declared(info.name, dtype, shape, other)


def _fixed(item: Declared, fixed_batch: list[str], limits: Limits) -> Declared:
    """The input with its open first dimension set to 1, noted in `fixed_batch`."""
    if item.shape is None:
        raise ModelRejected(Reason.MODEL_NOT_A_TENSOR, name=shown(item.name))
    for axis, size in enumerate(item.shape):
        if size is None and axis > 0:
            raise ModelRejected(Reason.MODEL_DYNAMIC_DIM, name=shown(item.name), axis=axis)
    shape = tuple(size or 1 for size in item.shape)
    if None in item.shape:
        fixed_batch.append(item.name)
    check_shape(item.name, shape, limits)
    return Declared(item.name, item.dtype, shape)


def _check_node(node: NodeProto, opset: int, reader: TensorReader) -> None:
    limits = reader.limits
    if not (is_rewritten(node, opset) and is_unnamed(node, opset)):
        operator_schema(node, opset)
    if max(len(node.input), len(node.output)) > limits.node_arguments:
        raise ModelRejected(
            Reason.MODEL_TOO_MANY, what="inputs of one node", limit=limits.node_arguments
        )
    if len(node.attribute) > limits.node_attributes:
        raise ModelRejected(
            Reason.MODEL_TOO_MANY, what="attributes of one node", limit=limits.node_attributes
        )
    repeated = [name for name, n in Counter(a.name for a in node.attribute).items() if n > 1]
    if repeated:
        raise ModelRejected(Reason.MODEL_DUPLICATE_NAME, name=shown(repeated[0]))
    for attribute in node.attribute:
        _check_attribute(node, attribute, limits)
        if attribute.HasField("t") and node.op_type != "Constant":
            if attribute.t.data_type in NIBBLES:
                raise unknown_dtype(attribute.name, attribute.t.data_type)
            value = reader.read(attribute.name, attribute.t)
            attribute.t.CopyFrom(numpy_helper.from_array(value))
        if attribute.name in _NAMES_A_TYPE and attribute.i in OTHER_FLOATS:
            attribute.i = TensorProto.FLOAT


def _check_nibbles(node: NodeProto, reader: TensorReader) -> None:
    """Returns when the node reads no whole numbers of 4 bits but to dequantise them.

    They are kept in bytes: what is rounded to 4 bits elsewhere would go further here.
    """
    for place, name in enumerate(node.input):
        if name in reader.nibbles and (node.op_type != "DequantizeLinear" or place == 1):
            raise unknown_dtype(name, TensorProto.INT4)


def _check_attribute(node: NodeProto, attribute: AttributeProto, limits: Limits) -> None:
    op = node.op_type
    if attribute.HasField("g") or attribute.graphs:
        raise ModelRejected(Reason.MODEL_HAS_SUBGRAPH, op=shown(op))
    if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
        raise ModelRejected(Reason.MODEL_SPARSE_TENSOR, name=shown(attribute.name))
    if attribute.ref_attr_name or attribute.tensors or attribute.HasField("tp"):
        raise ModelRejected(
            Reason.MODEL_INVALID, op=shown(op), why="an attribute is of a kind that it cannot have"
        )
    texts = (attribute.s, *attribute.strings)
    size = 4 * len(attribute.floats) + 8 * len(attribute.ints) + sum(map(len, texts))
    limit = limits.ensemble_bytes if node.domain == ML_DOMAIN else limits.attribute_bytes
    if size > limit:
        raise ModelRejected(
            Reason.MODEL_ATTRIBUTE_TOO_LONG,
            attribute=shown(attribute.name),
            op=shown(op),
            size=size,
            limit=limit,
        )
    if not all(text.isascii() for text in texts):
        # Runtimes put it into messages as if it were UTF-8. Every standard value is ASCII.
        raise ModelRejected(
            Reason.MODEL_INVALID, op=shown(op), why="a text attribute is not plain ASCII"
        )
    floats = np.array([attribute.f, *attribute.floats])
    finished(f"attribute {shown(attribute.name)} of operator {shown(op)}", floats)
    # Slice alone means "to the end" by the largest number.
    if op != "Slice" and op != "Constant":
        for number in (attribute.i, *attribute.ints):
            if abs(number) > limits.size_operand:
                raise ModelRejected(
                    Reason.MODEL_SIZE_OPERAND,
                    op=shown(op),
                    value=number,
                    limit=limits.size_operand,
                )


def _constant(node: NodeProto, reader: TensorReader) -> Array:
    if len(node.attribute) != 1:
        raise ModelRejected(
            Reason.MODEL_INVALID, op=shown("Constant"), why="it needs exactly one value"
        )
    attribute = node.attribute[0]
    name = node.output[0] if node.output else ""
    match attribute.name, attribute.type:
        case "value", AttributeProto.TENSOR:
            return reader.read(name, attribute.t)
        case "value_float", AttributeProto.FLOAT:
            return np.array(attribute.f, dtype="<f4")
        case "value_floats", AttributeProto.FLOATS:
            return np.array(attribute.floats, dtype="<f4")
        case "value_int", AttributeProto.INT:
            return np.array(attribute.i, dtype="<i8")
        case "value_ints", AttributeProto.INTS:
            return np.array(attribute.ints, dtype="<i8")
        case (("value_string" | "value_strings"), _):
            raise ModelRejected(Reason.MODEL_STRING_TENSOR, name=shown(name))
        case _:
            raise ModelRejected(
                Reason.MODEL_INVALID,
                op=shown("Constant"),
                why=f"it has no attribute {shown(attribute.name)} of this type",
            )


def _check_names(
    inputs: list[Declared],
    outputs: list[Declared],
    nodes: list[NodeProto],
    constants: dict[str, Array],
) -> None:
    """Every name is defined once and every used name is defined."""
    defined = Counter(item.name for item in inputs)
    defined.update(list(constants))
    defined.update(name for node in nodes for name in node.output if name)
    twice = [name for name, count in defined.items() if count > 1]
    twice += [name for name, n in Counter(item.name for item in outputs).items() if n > 1]
    if twice:
        raise ModelRejected(Reason.MODEL_DUPLICATE_NAME, name=shown(twice[0]))
    used = [name for node in nodes for name in node.input if name]
    for name in used + [item.name for item in outputs]:
        if name not in defined:
            raise ModelRejected(Reason.MODEL_UNDEFINED_NAME, name=shown(name))


def _ordered(nodes: list[NodeProto]) -> list[NodeProto]:
    """The nodes in an order in which they can run. Raises: ModelRejected MODEL_CYCLE."""
    maker = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    waits = [{maker[name] for name in node.input if name in maker} for node in nodes]
    users: list[list[int]] = [[] for _ in nodes]
    for index, needed in enumerate(waits):
        for other in needed:
            users[other].append(index)
    missing = [len(needed) for needed in waits]
    ready = deque(index for index, count in enumerate(missing) if count == 0)
    order: list[NodeProto] = []
    while ready:
        index = ready.popleft()
        order.append(nodes[index])
        for user in users[index]:
            missing[user] -= 1
            if missing[user] == 0:
                ready.append(user)
    if len(order) < len(nodes):
        stuck = next(index for index, count in enumerate(missing) if count > 0)
        raise ModelRejected(Reason.MODEL_CYCLE, op=shown(nodes[stuck].op_type))
    return order
