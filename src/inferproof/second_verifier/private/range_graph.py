"""The graph that shows a key's ranges. Source: specs/private-mode.md, section 11."""

from collections.abc import Sequence
from typing import Any

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.graph import Constant, Graph, Node, Tensor
from inferproof.second_verifier.layers import log

_TABLE = 1 << 16
_LOW_BITS = 16
_HALF = _TABLE // 2
_MOST_ENTRIES = 1 << 20
_MOST_ROWS = 1 << 24
_MOST_TENSORS = 1 << 13
_MOST_TABLES = 512
_MOST_SUMMED = 4095
_LIMIT = 1 << 29
_MIN_COLUMN = 8
_ZERO = (0, 0)


def ranged(graph: Graph) -> list[Tensor]:
    """Shapes and ranges of matrices and then of parameters."""
    matrices = [Tensor(shape, -128, 127) for shape in graph.weights]
    return matrices + [node.out for node in graph.parameters]


def parts_of(tensors: Sequence[Tensor]) -> list[range]:
    """How they are cut: each part as long as its rows allow."""
    found, first = [], 0
    rows, entries, tables = 0, 0, set[tuple[int, int]]()
    for number, tensor in enumerate(tensors):
        keys, own = _keys(tensor), _rows(tensor)
        more = 0 if keys in tables else keys[1] - keys[0] + 1
        full = (
            rows + own > _MOST_ROWS
            or number - first == _MOST_TENSORS
            or len(tables | {keys}) > _MOST_TABLES
            or entries + more > _MOST_ENTRIES
        )
        if number > first and full:
            found.append(range(first, number))
            first = number
            rows, entries, tables, more = 0, 0, set(), keys[1] - keys[0] + 1
        rows, entries = rows + own, entries + more
        tables.add(keys)
    return [*found, range(first, len(tensors))]


def _ends(tensor: Tensor) -> tuple[int, int]:
    """Those of what is looked up or rescaled."""
    width = tensor.hi - tensor.lo - _HALF
    if _narrow(tensor) or width >= _LIMIT:
        return tensor.lo, tensor.hi
    return -_HALF, width


def _keys(tensor: Tensor) -> tuple[int, int]:
    """The first and last key of its table."""
    lo, hi = _ends(tensor)
    return (lo, hi) if _narrow(tensor) else ((lo + _HALF) // _TABLE, (hi + _HALF) // _TABLE)


def _narrow(tensor: Tensor) -> bool:
    return tensor.hi - tensor.lo < _TABLE


def _rows(tensor: Tensor) -> int:
    elements = 1 << max(sum(map(log, tensor.shape)), _MIN_COLUMN)
    return elements if _narrow(tensor) else 2 * elements


def range_graph(tensors: Sequence[Tensor]) -> Graph:
    """The graph whose output is 0 for elements in these ranges alone."""
    return _Maker(tensors).graph


class _Maker:
    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.graph = Graph([Tensor((1,), *_ZERO)], [], [], [], [])
        self._tables: dict[int, int] = {}
        views = []
        for tensor in tensors:
            zeros = self._zeros(tensor)
            if tensor.shape:
                zeros = self._node(g.SUM, (), _ZERO, zeros, axes=len(tensor.shape))
            views.append(self._node(g.VIEW, (1,), _ZERO, zeros, offset=0, strides=[0]))
        end = 0
        for first in range(0, max(len(views), 1), _MOST_SUMMED):
            summed = [end, *views[first : first + _MOST_SUMMED]]
            ones = [1] * len(summed)
            end = self._node(g.ADD, (1,), _ZERO, *summed, coefficients=ones, constant=g.NONE)
        self.graph.outputs.append(end)

    def _zeros(self, tensor: Tensor) -> int:
        shape, ends, keys = tensor.shape, _ends(tensor), _keys(tensor)
        x = self._node(g.PARAMETER, shape, (tensor.lo, tensor.hi))
        if ends[0] != tensor.lo:
            by = self._constant([ends[0] - tensor.lo])
            x = self._node(g.ADD, shape, ends, x, coefficients=[1], constant=by)
        if not _narrow(tensor):
            one = self._constant([1])
            x = self._node(g.RESCALE, shape, keys, x, multipliers=one, axis=0, shift=_LOW_BITS)
        count = keys[1] - keys[0] + 1
        if count not in self._tables:
            self._tables[count] = self._constant([0] * count)
        table = self._tables[count]
        return self._node(g.LOOKUP, shape, _ZERO, x, table=table, first=keys[0])

    def _constant(self, values: list[int]) -> int:
        self.graph.constants.append(Constant((len(values),), tuple(values)))
        return len(self.graph.constants) - 1

    def _node(
        self, op: int, shape: g.Shape, ends: tuple[int, int], *operands: int, **attributes: Any
    ) -> int:
        self.graph.nodes.append(Node(op, Tensor(shape, *ends), operands, attributes))
        return len(self.graph.nodes)
