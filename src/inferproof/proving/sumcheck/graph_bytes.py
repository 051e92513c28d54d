"""An integer graph as bytes. The encoding is described in graph.py.

Whether the graph is well formed is for the native module to say, which reads these bytes.
"""

import struct

import numpy as np

from inferproof.errors import ArtifactRejected, Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph import Graph, Shape

_U32, _I32 = "<u4", "<i4"
_FORMS = {
    form: (int(np.iinfo(form).min), int(np.iinfo(form).max), code)
    for form, code in ((_U32, "I"), (_I32, "i"), ("<i8", "q"))
}
"""Least and largest number of each form, and how `struct` names it."""


def encode_graph(graph: Graph) -> bytes:
    """The canonical bytes of a graph.

    Raises: ArtifactRejected GRAPH_ENCODING where it takes more than 2^28 bytes or a number does
    not fit its field.
    """
    out = _Writer()
    out.raw(g.MAGIC)
    out.numbers(_U32, g.VERSION, len(graph.inputs))
    for item in graph.inputs:
        out.dims(item.shape)
        out.numbers(_I32, item.lo, item.hi)
    out.numbers(_U32, len(graph.weights))
    for weight in graph.weights:
        out.numbers(_U32, weight.rows, weight.cols)
    out.numbers(_U32, len(graph.constants))
    for constant in graph.constants:
        out.dims(constant.shape)
        out.raw(constant.values.astype(_I32).tobytes())
    out.numbers(_U32, len(graph.nodes))
    for node in graph.nodes:
        out.raw(bytes([g.OPS.index(type(node.op)) + 1]))
        out.numbers(_I32, node.lo, node.hi)
        out.dims(node.shape)
        out.list(_U32, node.operands)
        for name, is_list, form in g.ATTRIBUTES[type(node.op)]:
            value = getattr(node.op, name)
            if is_list:
                out.list(form, value)
            else:
                out.numbers(form, value)
    out.list(_U32, graph.outputs)
    data = b"".join(out.parts)
    if len(data) > g.MAX_BYTES:
        raise _encoding(f"it takes more than {g.MAX_BYTES} bytes")
    return data


class _Writer:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def raw(self, data: bytes) -> None:
        self.parts.append(data)

    def numbers(self, form: str, *values: int) -> None:
        low, high, code = _FORMS[form]
        for value in values:
            if not low <= value <= high:
                raise _encoding(f"the number {value} does not fit its field")
        self.parts.append(struct.pack(f"<{len(values)}{code}", *values))

    def dims(self, shape: Shape) -> None:
        self.raw(bytes([len(shape)]))
        self.numbers(_U32, *shape)

    def list(self, form: str, values: tuple[int, ...]) -> None:
        self.numbers(_U32, len(values))
        self.numbers(form, *values)


def _encoding(why: str) -> ArtifactRejected:
    return ArtifactRejected(Reason.GRAPH_ENCODING, why=why)
