"""The one form of a model: needed nodes only, in one order, under short names; its digests.

The digests are not salted: they compare models on the provider's side, and what is published are
hiding commitments to them (`protocol.commitments`).

Order: nodes are listed as a depth-first walk from the outputs, inputs first, meets them.
It depends on the wiring alone, not on the file's order or names. Graph inputs and outputs
keep their names and order, because callers use them; everything else is numbered.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, ValueInfoProto, helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.loaded import LoadedModel
from inferproof.models.naming import named
from inferproof.models.operators import ML_DOMAIN, ML_OPSET
from inferproof.models.shaped import Shaped
from inferproof.models.show import shown
from inferproof.models.tensors import Array
from inferproof.protocol.encoding import canonical_json, tagged_digest
from inferproof.types.digest import Digest
from inferproof.types.tensor import TensorSpec

GRAPH_TAG = "inferproof/onnx-graph/1"
WEIGHTS_TAG = "inferproof/onnx-weights/1"
TENSOR_TAG = "inferproof/onnx-tensor/1"

CANONICAL_IR_VERSION = 8
"""Enough for every accepted element type, and read by all runtimes and provers in use."""


@dataclass(slots=True)
class _Names:
    """Hands out short names that no graph input or output has."""

    given: dict[str, str]
    prefix: str = ""

    def __post_init__(self) -> None:
        # Longer until no interface name starts with it.
        while any(name.startswith((f"{self.prefix}w_", f"{self.prefix}t_")) for name in self.given):
            self.prefix += "_"


def canonical_model(shaped: Shaped) -> LoadedModel:
    """The canonical form of a checked graph.

    Raises: ModelRejected MODEL_OUTPUT_NOT_COMPUTED for an output that no node computes from
    an input.
    """
    nodes = _needed(shaped)
    names = _Names({item.name: item.name for item in (*shaped.graph.inputs, *shaped.outputs)})
    weights: dict[str, Array] = {}
    kept = [_renamed(node, shaped, names, weights) for node in nodes]
    opset = shaped.graph.opset
    inputs = tuple(_spec(shaped, item.name) for item in shaped.graph.inputs)
    outputs = tuple(_spec(shaped, item.name) for item in shaped.outputs)
    model = _model(opset, inputs, outputs, kept, weights)
    values = tuple(
        TensorSpec(names.given[name], spec.dtype, spec.shape)
        for node in nodes
        for name in node.output
        if name
        for spec in (_spec(shaped, name),)
    )
    histogram = Counter(node.op_type for node in kept)
    return LoadedModel(
        onnx=model.SerializeToString(deterministic=True),
        inputs=inputs,
        outputs=outputs,
        values=values,
        opset=opset,
        operators=tuple(sorted(histogram.items())),
        parameters=sum(array.size for array in weights.values()),
        weight_bytes=sum(array.nbytes for array in weights.values()),
        activations=shaped.activations,
        multiply_adds=shaped.multiply_adds,
        open_axes=shaped.graph.open_axes,
        reshaped=tuple(shaped.reshaped),
        misdeclared=tuple(shaped.misdeclared),
        unpacked=tuple(shaped.unpacked),
        as_float32=tuple(shaped.graph.as_float32),
        graph_digest=_graph_digest(opset, inputs, outputs, kept, weights),
        weights_digest=_weights_digest(weights),
        names=tuple(named(node) for node in nodes),
    )


def _model(
    opset: int,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    nodes: list[NodeProto],
    weights: dict[str, Array],
) -> ModelProto:
    # Filled in place: a protobuf message that is put into another is copied, and with it
    # all weights.
    model = ModelProto(ir_version=CANONICAL_IR_VERSION)
    model.opset_import.append(helper.make_opsetid("", opset))
    if any(node.domain for node in nodes):
        model.opset_import.append(helper.make_opsetid(ML_DOMAIN, ML_OPSET))
    graph = model.graph
    graph.name = "g"
    graph.node.extend(nodes)
    graph.input.extend(_value_info(spec) for spec in inputs)
    graph.output.extend(_value_info(spec) for spec in outputs)
    for name, array in weights.items():
        tensor = graph.initializer.add()
        tensor.name = name
        tensor.data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        tensor.dims.extend(array.shape)
        tensor.raw_data = np.ascontiguousarray(array).tobytes()
    return model


def _needed(shaped: Shaped) -> list[NodeProto]:
    """The nodes that some output needs, each after those that it needs."""
    maker = {name: node for node in shaped.nodes for name in node.output if name}
    listed: set[int] = set()
    order: list[NodeProto] = []
    for output in shaped.outputs:
        if output.name not in maker:
            raise ModelRejected(Reason.MODEL_OUTPUT_NOT_COMPUTED, name=shown(output.name))
        stack = [(maker[output.name], False)]
        while stack:
            node, inputs_done = stack.pop()
            if id(node) in listed:
                continue
            if inputs_done:
                listed.add(id(node))
                order.append(node)
                continue
            stack.append((node, True))
            needed = [maker[name] for name in node.input if name in maker]
            stack += [(other, False) for other in reversed(needed) if id(other) not in listed]
    return order


def _renamed(
    node: NodeProto, shaped: Shaped, names: _Names, weights: dict[str, Array]
) -> NodeProto:
    for name in node.input:
        if name and name not in names.given:
            new = f"{names.prefix}w_{len(weights)}"
            names.given[name] = new
            weights[new] = shaped.constants[name]
    for name in node.output:
        if name and name not in names.given:
            names.given[name] = f"{names.prefix}t_{len(names.given)}"
    kept = NodeProto(op_type=node.op_type)
    if node.domain == ML_DOMAIN:
        kept.domain = ML_DOMAIN
    kept.input.extend(names.given[name] if name else "" for name in node.input)
    kept.output.extend(names.given[name] if name else "" for name in node.output)
    while kept.output and not kept.output[-1]:
        kept.output.pop()
    while kept.input and not kept.input[-1]:
        kept.input.pop()
    for attribute in sorted(node.attribute, key=lambda item: item.name):
        kept.attribute.append(_plain(attribute))
    return kept


def _plain(attribute: AttributeProto) -> AttributeProto:
    """The attribute without text about it; a tensor in it in its one encoding."""
    plain = AttributeProto(name=attribute.name, type=attribute.type)
    match attribute.type:
        case AttributeProto.FLOAT:
            plain.f = attribute.f
        case AttributeProto.INT:
            plain.i = attribute.i
        case AttributeProto.STRING:
            plain.s = attribute.s
        case AttributeProto.FLOATS:
            plain.floats.extend(attribute.floats)
        case AttributeProto.INTS:
            plain.ints.extend(attribute.ints)
        case AttributeProto.STRINGS:
            plain.strings.extend(attribute.strings)
        case AttributeProto.TENSOR:
            # Its one encoding already: `read_graph` wrote it.
            plain.t.CopyFrom(attribute.t)
        case _:
            raise ModelRejected(
                Reason.MODEL_INVALID,
                op=shown(attribute.name),
                why="an attribute has a type that no accepted operator has",
            )
    return plain


def _spec(shaped: Shaped, name: str) -> TensorSpec:
    dtype, shape = shaped.types[name]
    return TensorSpec(name, dtype.name, shape)


def _value_info(spec: TensorSpec) -> ValueInfoProto:
    code = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    return helper.make_tensor_value_info(spec.name, code, spec.shape)


def _graph_digest(
    opset: int,
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    nodes: list[NodeProto],
    weights: dict[str, Array],
) -> Digest:
    """Binds everything but the values of the weights. Encoding: canonical JSON for the
    interface, the weights' types and shapes, and the deterministic protobuf of each node.
    """
    head = canonical_json(
        {
            "opset": opset,
            "inputs": [[spec.name, spec.dtype, list(spec.shape)] for spec in inputs],
            "outputs": [[spec.name, spec.dtype, list(spec.shape)] for spec in outputs],
            "weights": [[n, array.dtype.name, list(array.shape)] for n, array in weights.items()],
        }
    )
    return tagged_digest(
        GRAPH_TAG, head, *(node.SerializeToString(deterministic=True) for node in nodes)
    )


def _weights_digest(weights: dict[str, Array]) -> Digest:
    """Binds each constant's name, type, shape and little-endian bytes, in order of first use."""
    digests = [
        tagged_digest(
            TENSOR_TAG,
            name.encode(),
            canonical_json([array.dtype.name, list(array.shape)]),
            np.ascontiguousarray(array).tobytes(),
        ).raw
        for name, array in weights.items()
    ]
    return tagged_digest(WEIGHTS_TAG, *digests)
