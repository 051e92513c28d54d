"""Parses an untrusted ONNX file in this process. Outside tests, call `load.load_model`."""

from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto

from inferproof.errors import ModelRejected, Reason
from inferproof.models.canonical import canonical_model
from inferproof.models.graph import read_graph
from inferproof.models.limits import DEFAULT_LIMITS, Limits
from inferproof.models.loaded import LoadedModel
from inferproof.models.shapes import infer_shapes
from inferproof.models.tensors import TensorReader
from inferproof.models.wire import prescan


def parse_untrusted(
    data: bytes, limits: Limits = DEFAULT_LIMITS, folder: Path | None = None
) -> LoadedModel:
    """The canonical model in the bytes of an ONNX file.

    `folder` is where external data may lie; without it, external data is refused.
    Raises: ModelRejected with any MODEL_ reason but those of files and processes.
    MemoryError when memory runs out.
    Soundness: memory and time are bounded by `load.load_model`, not here; a fault in the
    native parts of the onnx package ends this process.
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
    # 3. Structure: operators, names, order, tensors and attributes.
    graph = read_graph(model, TensorReader(limits, folder))
    del model
    # 4. Every shape, each bounded before the next.
    shaped = infer_shapes(graph, limits)
    # 5. The one form, and its digests.
    return canonical_model(shaped)
