"""The graph that is proven: the model's own, with the statement's binding woven in."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from inferproof.errors import ModelRejected, Reason
from inferproof.models.show import printable
from inferproof.proving.ezkl.field import LIMBS
from inferproof.proving.ezkl.layout import BINDING, BOUND, grow
from inferproof.proving.ezkl.operators import SUPPORTED
from inferproof.types.proof import Visibility
from inferproof.types.tensor import TensorSpec

_SPATIAL = {"Conv", "ConvTranspose", "MaxPool", "AveragePool"}


def bind(model: bytes, inputs: tuple[TensorSpec, ...], visibility: Visibility) -> bytes:
    """The model with a binding input, and in hashed visibility with salted inputs.

    `model` is canonical and came through models.load. The result is for ezkl alone.
    Raises: ModelRejected MODEL_OPERATOR_UNSUPPORTED naming node and operator; CIRCUIT_REFUSED.
    """
    proto = onnx.load_from_string(model)
    graph = proto.graph
    _check_operators(graph)
    _check_constants(graph)
    _spell_out_defaults(graph)
    if visibility is Visibility.HASHED:
        _salt(graph, inputs)
    graph.input.append(helper.make_tensor_value_info(BINDING, TensorProto.INT64, [LIMBS]))
    if visibility is Visibility.HASHED:
        graph.node.append(helper.make_node("Identity", [BINDING], [BOUND]))
        graph.output.append(helper.make_tensor_value_info(BOUND, TensorProto.INT64, [LIMBS]))
    return bytes(proto.SerializeToString(deterministic=True))


def _check_operators(graph: onnx.GraphProto) -> None:
    for index, node in enumerate(graph.node):
        if node.op_type not in SUPPORTED:
            raise ModelRejected(
                Reason.MODEL_OPERATOR_UNSUPPORTED,
                system="ezkl",
                operator=node.op_type,
                node=f"{index} (makes {printable(node.output[0])})",
                instead="compile it for sumcheck",
            )


def _check_constants(graph: onnx.GraphProto) -> None:
    """ezkl would take an infinity for some large number."""
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and np.isinf(values).any():
            raise ModelRejected(
                Reason.CIRCUIT_REFUSED,
                system="ezkl",
                why=f"constant {printable(tensor.name)} is infinite; mask with a finite number",
            )


def _spell_out_defaults(graph: onnx.GraphProto) -> None:
    """ezkl refuses convolutions and pools that leave strides, pads or dilations at default."""
    ranks = {i.name: len(i.dims) for i in graph.initializer}
    for node in graph.node:
        if node.op_type not in _SPATIAL:
            continue
        given = {a.name: a for a in node.attribute}
        if "kernel_shape" in given:
            spatial = len(given["kernel_shape"].ints)
        else:
            spatial = ranks.get(node.input[1], 4) - 2
        wanted = {"strides": [1] * spatial}
        auto = given["auto_pad"].s.decode() if "auto_pad" in given else "NOTSET"
        if auto == "NOTSET":
            wanted["pads"] = [0] * (2 * spatial)
        if node.op_type != "AveragePool":
            wanted["dilations"] = [1] * spatial
        for name, value in wanted.items():
            if name not in given:
                node.attribute.append(helper.make_attribute(name, value))
        if "group" not in given and node.op_type in ("Conv", "ConvTranspose"):
            node.attribute.append(helper.make_attribute("group", 1))


def _salt(graph: onnx.GraphProto, inputs: tuple[TensorSpec, ...]) -> None:
    """Grows every input and cuts it back to size, so that its hash covers a salt."""
    infos = {info.name: info for info in graph.input}
    cuts = []
    for index, spec in enumerate(inputs):
        info = infos[spec.name]
        grown = grow(spec)
        if not spec.shape:
            raise ModelRejected(Reason.CIRCUIT_SCALAR_INPUT, name=spec.name)
        sealed = f"inferproof.sealed.{index}"
        bounds = {
            f"{sealed}.start": [0],
            f"{sealed}.end": [spec.shape[grown.axis]],
            f"{sealed}.axis": [grown.axis],
        }
        for name, value in bounds.items():
            graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), name))
        cuts.append(helper.make_node("Slice", [sealed, *bounds], [spec.name]))
        element = info.type.tensor_type.elem_type
        info.CopyFrom(helper.make_tensor_value_info(sealed, element, list(grown.shape)))
    nodes = [*cuts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
