"""An integer graph as bytes and back. The encoding is described in graph.py."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from inferproof.errors import ArtifactRejected, Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph import Graph, Shape
from inferproof.proving.sumcheck.wellformed import check_graph

T = TypeVar("T")
_U32, _I32 = "<u4", "<i4"


def encode_graph(graph: Graph) -> bytes:
    """The canonical bytes of a well-formed graph.

    Raises: ArtifactRejected GRAPH_ reasons where the graph is not well formed, GRAPH_ENCODING
    where it takes more than 2^28 bytes.
    """
    check_graph(graph)
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
        limits = np.iinfo(form)
        for value in values:
            if not limits.min <= value <= limits.max:
                raise _encoding(f"the number {value} does not fit its field")
        self.parts.append(np.array(values, dtype=form).tobytes())

    def dims(self, shape: Shape) -> None:
        self.raw(bytes([len(shape)]))
        self.numbers(_U32, *shape)

    def list(self, form: str, values: tuple[int, ...]) -> None:
        self.numbers(_U32, len(values))
        self.numbers(form, *values)


def decode_graph(data: bytes) -> Graph:
    """The well-formed graph of these bytes; nothing is allocated beyond what the bytes hold.

    Raises: ArtifactRejected GRAPH_ENCODING (cut short, trailing bytes, another version, an
    unknown operation, sizes out of bounds) or another GRAPH_ reason.
    """
    if len(data) > g.MAX_BYTES:
        raise _encoding(f"it takes more than {g.MAX_BYTES} bytes")
    source = _Reader(data)
    if source.raw(len(g.MAGIC)) != g.MAGIC:
        raise _encoding("it does not begin as one")
    version = source.number(_U32)
    if version != g.VERSION:
        raise _encoding(f"it is of version {version}, not {g.VERSION}")
    graph = Graph(
        inputs=source.several("inputs", g.MAX_INPUTS, _read_input),
        weights=source.several("weight matrices", g.MAX_WEIGHTS, _read_weight),
        constants=source.several("constants", g.MAX_CONSTANTS, _read_constant),
        nodes=source.several("nodes", g.MAX_NODES, _read_node),
        outputs=source.list(_U32, g.MAX_OUTPUTS),
    )
    if source.at != len(data):
        raise _encoding("bytes follow its end")
    check_graph(graph)
    return graph


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self.at = 0

    def raw(self, size: int) -> bytes:
        part = self._data[self.at : self.at + size]
        if len(part) != size:
            raise _encoding("it is cut short")
        self.at += size
        return bytes(part)

    def numbers(self, form: str, count: int) -> Any:
        return np.frombuffer(self.raw(count * np.dtype(form).itemsize), dtype=form)

    def number(self, form: str) -> int:
        return int(self.numbers(form, 1)[0])

    def dims(self) -> Shape:
        rank = self.raw(1)[0]
        if rank > g.MAX_RANK:
            raise _encoding(f"a tensor has {rank} dimensions, the limit is {g.MAX_RANK}")
        return tuple(int(size) for size in self.numbers(_U32, rank))

    def list(self, form: str, most: int) -> tuple[int, ...]:
        count = self.number(_U32)
        if count > most:
            raise _encoding(f"a list holds {count} numbers, the limit is {most}")
        return tuple(int(value) for value in self.numbers(form, count))

    def several(self, what: str, most: int, read: Callable[["_Reader"], T]) -> tuple[T, ...]:
        count = self.number(_U32)
        if count > most:
            raise _encoding(f"it holds {count} {what}, the limit is {most}")
        return tuple(read(self) for _ in range(count))


def _read_input(source: _Reader) -> g.Input:
    shape = source.dims()
    return g.Input(shape, source.number(_I32), source.number(_I32))


def _read_weight(source: _Reader) -> g.Weight:
    return g.Weight(source.number(_U32), source.number(_U32))


def _read_constant(source: _Reader) -> g.Constant:
    shape = source.dims()
    count = math.prod(shape)
    if not 1 <= count <= g.MAX_ELEMENTS:
        raise _encoding(f"a constant holds {count} numbers; 1 to {g.MAX_ELEMENTS} are allowed")
    return g.Constant(source.numbers(_I32, count).reshape(shape))


def _read_node(source: _Reader) -> g.Node:
    code = source.raw(1)[0]
    if not 1 <= code <= len(g.OPS):
        raise _encoding(f"there is no operation {code}")
    op = g.OPS[code - 1]
    lo, hi = source.number(_I32), source.number(_I32)
    shape = source.dims()
    operands = source.list(_U32, g.MAX_OPERANDS)
    values: dict[str, Any] = {}
    for name, is_list, form in g.ATTRIBUTES[op]:
        most = g.MAX_OPERANDS if op is g.Add else g.MAX_RANK
        values[name] = source.list(form, most) if is_list else source.number(form)
    if op is g.ArgMax and values["last"] > 1:
        raise _encoding("the choice among equals is neither 0 nor 1")
    return g.Node(op(**values), operands, shape, lo, hi)


def _encoding(why: str) -> ArtifactRejected:
    return ArtifactRejected(Reason.GRAPH_ENCODING, why=why)
