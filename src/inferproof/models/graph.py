"""The graph of an untrusted model as plain parts, after everything in it was looked at."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    numpy_helper,
)

from inferproof.errors import ModelRejected, Reason
from inferproof.models.axes import Axes, OpenAxis, fixed
from inferproof.models.classical import EXPANDED, expanded, zipped_outputs
from inferproof.models.contrib import is_rewritten, is_unnamed
from inferproof.models.limits import (
    NEWEST_OPSET,
    NEWEST_READ,
    OLDEST_OPSET,
    UNNAMED_OPSET,
    Limits,
)
from inferproof.models.operators import BODIES, ML_DOMAIN, operator_schema
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
    """A graph input or output as the file declares it. A text stands for an open dimension: its
    name, or nothing.

    `other_float`: the file declares floats of another width than the 32 bits that are computed.
    `sequence`: it is declared as a sequence of such tensors.
    """

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int | str, ...] | None
    other_float: bool = False
    sequence: bool = False


@dataclass(slots=True)
class Graph:
    """Inputs with fixed shapes, nodes in an order in which they can run, and constants.

    Operators of control flow still carry their graphs, which `reader` is to read: one that never
    runs is never looked at.
    """

    opset: int
    inputs: list[Declared]
    outputs: list[Declared]
    nodes: list[NodeProto]
    constants: dict[str, Array]
    reader: TensorReader
    open_axes: tuple[OpenAxis, ...] = ()
    as_float32: tuple[str, ...] = ()


@dataclass(slots=True)
class Body:
    """A graph within an operator of control flow: formal inputs, and the same as a Graph."""

    inputs: list[str]
    outputs: list[str]
    nodes: list[NodeProto]
    constants: dict[str, Array]


def read_graph(model: ModelProto, reader: TensorReader, axes: Axes) -> Graph:
    """The graph of a model without functions: flat, named once, without a cycle, its tensors
    decoded and finite.

    Raises: ModelRejected with any reason that can be found without shapes: opset, training
    steps, subgraphs, sparse or string tensors, element types, open dimensions,
    names, cycles, attributes, and all of `TensorReader.read`.
    """
    limits = reader.limits
    if not model.HasField("graph"):
        raise ModelRejected(Reason.MODEL_MALFORMED, why="it holds no graph")
    if model.training_info:
        raise ModelRejected(Reason.MODEL_HAS_TRAINING_INFO)
    graph = model.graph
    opset = opset_of(model)
    constants = _initializers(graph, reader)
    inputs, open_axes = _inputs(graph, axes, limits)
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
    nodes = _nodes(graph, opset, reader, constants)
    defined = _defined([item.name for item in inputs], nodes, constants)
    _once(Counter(item.name for item in outputs))
    for name in [name for node in nodes for name in reads(node)] + [item.name for item in outputs]:
        if name not in defined:
            raise ModelRejected(Reason.MODEL_UNDEFINED_NAME, name=shown(name))
    as_float32 = tuple(item.name for item in (*inputs, *outputs) if item.other_float)
    return Graph(opset, inputs, outputs, ordered(nodes), constants, reader, open_axes, as_float32)


def read_body(graph: GraphProto, opset: int, reader: TensorReader) -> Body:
    """The graph within an operator. Names that it does not define are those of what is around it.

    Raises: ModelRejected as `read_graph`.
    """
    constants = _initializers(graph, reader)
    nodes = _nodes(graph, opset, reader, constants)
    inputs = [info.name for info in _formal(graph)]
    _defined(inputs, nodes, constants)
    return Body(inputs, [info.name for info in graph.output], ordered(nodes), constants)


def reads(node: NodeProto) -> Iterable[str]:
    """The names that a node takes, those which its graphs read from around them among them."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from _outer(attribute.g)


def _outer(graph: GraphProto) -> set[str]:
    """The names that a graph reads and does not define."""
    own = {info.name for info in graph.input} | {tensor.name for tensor in graph.initializer}
    own.update(name for node in graph.node for name in node.output)
    used = {name for node in graph.node for name in reads(node)}
    used.update(info.name for info in graph.output)
    return used - own


def _formal(graph: GraphProto) -> list[ValueInfoProto]:
    """The inputs that have no value. Old files list constants among them."""
    stored = {tensor.name for tensor in graph.initializer}
    return [info for info in graph.input if info.name not in stored]


def _inputs(
    graph: GraphProto, axes: Axes, limits: Limits
) -> tuple[list[Declared], tuple[OpenAxis, ...]]:
    """The inputs with fixed shapes, and what of them was open."""
    declared = [_declared(info, limits) for info in _formal(graph)]
    for item in declared:
        if item.shape is None:
            raise ModelRejected(Reason.MODEL_NOT_A_TENSOR, name=shown(item.name))
    shapes, opened = fixed([(item.name, item.shape or ()) for item in declared], axes)
    for item, shape in zip(declared, shapes, strict=True):
        check_shape(item.name, shape, limits)
    return [
        replace(item, shape=shape) for item, shape in zip(declared, shapes, strict=True)
    ], opened


def _initializers(graph: GraphProto, reader: TensorReader) -> dict[str, Array]:
    """The stored tensors that something uses; others are not looked at."""
    _once(Counter(tensor.name for tensor in graph.initializer))
    used = {name for node in graph.node for name in reads(node)}
    used.update(info.name for info in graph.output)
    for sparse in graph.sparse_initializer:
        raise ModelRejected(Reason.MODEL_SPARSE_TENSOR, name=shown(sparse.values.name))
    return {
        tensor.name: reader.read(tensor.name, tensor)
        for tensor in graph.initializer
        if tensor.name in used
    }


def _nodes(
    graph: GraphProto, opset: int, reader: TensorReader, constants: dict[str, Array]
) -> list[NodeProto]:
    """The nodes but those of constants, which join the constants."""
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
            made = expanded(node, opset)
            if not constants.keys().isdisjoint(made.constants):
                raise ModelRejected(Reason.MODEL_DUPLICATE_NAME, name=shown(node.output[0]))
            constants |= made.constants
            nodes += made.nodes
            if len(nodes) > reader.limits.nodes:  # the file was counted before it was parsed
                raise ModelRejected(Reason.MODEL_TOO_MANY, what="nodes", limit=reader.limits.nodes)
        else:
            nodes.append(node)
    for node in nodes:
        _check_nibbles(node, reader)
    return nodes


def opset_of(model: ModelProto) -> int:
    """The version of the ONNX operators that the model is read as: its own, or NEWEST_OPSET.

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
    if not OLDEST_OPSET <= opset <= NEWEST_READ:
        raise ModelRejected(
            Reason.MODEL_OPSET_UNSUPPORTED, opset=opset, oldest=OLDEST_OPSET, newest=NEWEST_READ
        )
    return min(opset, NEWEST_OPSET)


def _declared(info: ValueInfoProto, limits: Limits) -> Declared:
    if info.type.WhichOneof("value") == "sparse_tensor_type":
        raise ModelRejected(Reason.MODEL_SPARSE_TENSOR, name=shown(info.name))
    kind = info.type
    several = kind.WhichOneof("value") == "sequence_type"
    if several:
        kind = kind.sequence_type.elem_type
    if not info.name or kind.WhichOneof("value") != "tensor_type":
        raise ModelRejected(Reason.MODEL_NOT_A_TENSOR, name=shown(info.name))
    tensor = kind.tensor_type
    dtype = dtype_of(info.name, tensor.elem_type)
    other = tensor.elem_type in OTHER_FLOATS
    if several or not tensor.HasField("shape"):
        return Declared(info.name, dtype, None, other, several)
    dims = tensor.shape.dim
    if len(dims) > limits.rank:
        raise ModelRejected(
            Reason.MODEL_RANK_TOO_HIGH, name=shown(info.name), rank=len(dims), limit=limits.rank
        )
    # Some exporters write an open dimension as 0 or -1 with no name.
    shape = tuple(dim.dim_value if dim.dim_value > 0 else dim.dim_param for dim in dims)
    return Declared(info.name, dtype, shape, other)


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
            if (node.op_type, attribute.name) == ("TreeEnsemble", "membership_values"):
                _check_sets(attribute, limits)
                continue
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
    if attribute.graphs or (attribute.HasField("g") and attribute.name not in BODIES.get(op, ())):
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
    # What an imputer replaces may be what is no number.
    missing = op == "Imputer" and attribute.name == "replaced_value_float"
    floats = np.array([*([] if missing else [attribute.f]), *attribute.floats])
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


def _check_sets(attribute: AttributeProto, limits: Limits) -> None:
    """Returns when a tensor of sets, in which NaN ends each, is plain floats and not too long."""
    size, plain = attribute.t.ByteSize(), not attribute.t.external_data
    if attribute.t.data_type not in (TensorProto.FLOAT, TensorProto.DOUBLE) or not plain:
        raise ModelRejected(
            Reason.MODEL_INVALID, op=shown("TreeEnsemble"), why="its sets are no floats in the file"
        )
    if size > limits.attribute_bytes:
        raise ModelRejected(
            Reason.MODEL_ATTRIBUTE_TOO_LONG,
            attribute=shown(attribute.name),
            op=shown("TreeEnsemble"),
            size=size,
            limit=limits.attribute_bytes,
        )
    try:
        numpy_helper.to_array(attribute.t)
    except (ValueError, TypeError):
        raise ModelRejected(
            Reason.MODEL_INVALID, op=shown("TreeEnsemble"), why="its sets do not fit their shape"
        ) from None


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


def _defined(
    inputs: list[str], nodes: list[NodeProto], constants: dict[str, Array]
) -> Counter[str]:
    """The names of one scope. Raises: ModelRejected MODEL_DUPLICATE_NAME."""
    defined = Counter(inputs)
    defined.update(list(constants))
    defined.update(name for node in nodes for name in node.output if name)
    _once(defined)
    return defined


def _once(names: Counter[str]) -> None:
    for name, count in names.items():
        if count > 1:
            raise ModelRejected(Reason.MODEL_DUPLICATE_NAME, name=shown(name))


def ordered(nodes: list[NodeProto]) -> list[NodeProto]:
    """The nodes in an order in which they can run. Raises: ModelRejected MODEL_CYCLE."""
    maker = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    waits = [{maker[name] for name in reads(node) if name in maker} for node in nodes]
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
