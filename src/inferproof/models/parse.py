"""Parses an untrusted ONNX file in this process. Outside tests, call `load.load_model`."""

import math
from dataclasses import replace
from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, version_converter
from onnx.external_data_helper import load_external_data_for_model

from inferproof.errors import ModelRejected, Reason
from inferproof.models.axes import Axes
from inferproof.models.canonical import canonical_model
from inferproof.models.functions import inlined
from inferproof.models.graph import opset_of, read_graph
from inferproof.models.labels import with_labels
from inferproof.models.limits import CONVERTED_BELOW, CONVERTED_TO, DEFAULT_LIMITS, Limits
from inferproof.models.loaded import LoadedModel
from inferproof.models.operators import BODIES
from inferproof.models.shapes import infer_shapes
from inferproof.models.show import first_line
from inferproof.models.tensors import TensorReader
from inferproof.models.texts import settled, take_texts
from inferproof.models.wire import prescan

_ALIGNED = frozenset(
    {"Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"}
)
_ALIGNED_BEFORE = 7
"""Operators that before this opset aligned a smaller second input by an attribute `axis`."""


def parse_untrusted(
    data: bytes,
    limits: Limits = DEFAULT_LIMITS,
    folder: Path | None = None,
    axes: Axes = Axes(),
) -> LoadedModel:
    """The canonical model in the bytes of an ONNX file.

    `folder` is where external data may lie; without it, external data is refused.
    Raises: ModelRejected with any MODEL_ reason but those of files and processes.
    MemoryError when memory runs out.
    Soundness: memory and time are bounded by `load.load_model`, not here; a fault in the
    native parts of the onnx package ends this process.
    """
    model = read_proto(data, limits)
    # 3. The functions that the model defines, where it calls them.
    model = inlined(model, limits)
    # 4. Texts at its edges, which a graph of numbers has no place for.
    edges = take_texts(model)
    # 5. Structure: operators, names, order, tensors and attributes.
    graph = read_graph(model, TensorReader(limits, folder), axes)
    if graph.opset < CONVERTED_BELOW:
        if any(node.op_type in BODIES for node in graph.nodes):
            # The converter leaves graphs within operators as they are.
            model = ModelProto.FromString(canonical_model(infer_shapes(graph, limits)).onnx)
            axes = Axes()
        newer = read_graph(_modern(model, folder), TensorReader(limits, folder), axes)
        graph = replace(newer, open_axes=graph.open_axes, as_float32=graph.as_float32)
    del model
    # 6. Every shape, each bounded before the next.
    shaped = infer_shapes(graph, limits)
    # 7. The one form, and its digests.
    loaded = with_labels(canonical_model(shaped), edges.labels)
    return replace(loaded, preprocessing=settled(edges.preprocessing, loaded.inputs))


def read_untrusted(path: Path, limits: Limits) -> bytes:
    """The bytes of a file, no more than one byte beyond the limit. Raises: ModelRejected."""
    try:
        with path.open("rb") as file:
            return file.read(limits.file_bytes + 1)
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        raise ModelRejected(Reason.MODEL_UNREADABLE, why=why) from None


def read_proto(data: bytes, limits: Limits) -> ModelProto:
    """The parsed file, of which nothing but sizes and counts was looked at.

    Raises: ModelRejected MODEL_TOO_LARGE, and as `prescan`; MemoryError.
    """
    if len(data) > limits.file_bytes:
        raise ModelRejected(Reason.MODEL_TOO_LARGE, size=len(data), limit=limits.file_bytes)
    # 1. Lengths, nesting and counts, before anything is built from the bytes.
    prescan(data, limits)
    # 2. The parse.
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        # The parser reports exhausted memory as if the file were at fault.
        if "alloc" in str(error):
            raise MemoryError from None
        raise ModelRejected(Reason.MODEL_MALFORMED, why="it does not parse as protobuf") from None
    return model


def _modern(model: ModelProto, folder: Path | None) -> ModelProto:
    """The model in a newer opset. Its structure was checked before: the converter is native code.

    Raises: ModelRejected MODEL_OPSET_NOT_CONVERTED.
    """
    _check_alignment(model)
    if any(tensor.external_data for tensor in model.graph.initializer):
        load_external_data_for_model(model, str(folder))
    # From this version on a constant need not be an input too.
    model.ir_version = max(model.ir_version, 4)
    try:
        return version_converter.convert_version(model, CONVERTED_TO)
    except (version_converter.ConvertError, RuntimeError, ValueError) as error:
        raise _not_converted(model, first_line(str(error))) from None


def _not_converted(model: ModelProto, why: str) -> ModelRejected:
    return ModelRejected(
        Reason.MODEL_OPSET_NOT_CONVERTED, opset=opset_of(model), target=CONVERTED_TO, why=why
    )


def _check_alignment(model: ModelProto) -> None:
    """Returns when no operator aligns a smaller input otherwise than by its last axes.

    The converter forgets such an alignment, and on a square tensor nobody would notice.
    """
    if opset_of(model) >= _ALIGNED_BEFORE:
        return
    sizes = {tensor.name: math.prod(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in _ALIGNED and any(item.name == "axis" for item in node.attribute):
            raise _not_converted(model, f"{node.op_type} aligns its second input by an axis")
        if node.op_type == "PRelu" and sizes.get(node.input[1]) != 1:
            raise _not_converted(model, "PRelu aligns its slopes with the channels")
