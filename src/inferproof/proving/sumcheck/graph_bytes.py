"""An integer graph as bytes. The encoding is described in graph.py.

Whether the graph is well formed is for the native module to say, which reads these bytes.
"""

import math
import struct
from typing import Any

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
    version = g.VERSION_WITH_PARAMETERS if graph.parameters else g.VERSION
    out.numbers(_U32, version, len(graph.inputs))
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


def decode_graph(data: bytes) -> Graph:
    """The graph of these bytes, which the native module has found to be those of one.

    Nothing is checked here: bytes that are not those of a graph end in any error.
    """
    source = _Reader(data, len(g.MAGIC))
    source.number(_U32)
    inputs = tuple(
        g.Input(source.dims(), source.number(_I32), source.number(_I32)) for _ in source.several()
    )
    weights = tuple(g.Weight(*source.array(_U32, 2)) for _ in source.several())
    constants = []
    for _ in source.several():
        shape = source.dims()
        values = np.array(source.array(_I32, math.prod(shape)), np.int32)
        constants.append(g.Constant(values.reshape(shape)))
    nodes = []
    for _ in source.several():
        op = g.OPS[source.byte() - 1]
        low, high = source.array(_I32, 2)
        shape, operands = source.dims(), source.list(_U32)
        attributes: dict[str, Any] = {
            name: source.list(form) if is_list else source.number(form)
            for name, is_list, form in g.ATTRIBUTES[op]
        }
        nodes.append(g.Node(op(**attributes), operands, shape, low, high))
    return Graph(inputs, weights, tuple(constants), tuple(nodes), source.list(_U32))


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def array(self, form: str, count: int) -> tuple[int, ...]:
        found = np.frombuffer(self._data, form, count, self._at)
        self._at += found.nbytes
        return tuple(found.tolist())

    def number(self, form: str) -> int:
        return self.array(form, 1)[0]

    def several(self) -> range:
        return range(self.number(_U32))

    def dims(self) -> Shape:
        return self.array(_U32, self.byte())

    def list(self, form: str) -> tuple[int, ...]:
        return self.array(form, self.number(_U32))


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
