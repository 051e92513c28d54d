"""The integer graph: its bytes, and what makes it well formed. Source: specs/quantisation.md."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

from inferproof.second_verifier.reader import Reader

Shape = tuple[int, ...]
NONE = 2**32 - 1
LINEAR, CONV, MATMUL, ADD, MUL, RESCALE, LOOKUP, VIEW, PAD = range(1, 10)
CONCAT, TAKE, PICK, SUM, MAX, ARGMAX, DIVIDE, SQUARE_ROOT, CONST, PARAMETER = range(10, 20)

_ATTRIBUTES = {
    LINEAR: "weight:u bias:u",
    CONV: "weight:u bias:u groups:u kernel:U stride:U dilation:U pad_begin:U pad_end:U",
    MATMUL: "",
    ADD: "coefficients:I constant:u",
    MUL: "",
    RESCALE: "multipliers:u axis:u shift:u",
    LOOKUP: "table:u first:i",
    VIEW: "offset:q strides:Q",
    PAD: "begin:U end:U fill:i",
    CONCAT: "axis:u",
    TAKE: "map:u",
    PICK: "",
    SUM: "axes:u",
    MAX: "axes:u",
    ARGMAX: "last:u",
    DIVIDE: "k:i",
    SQUARE_ROOT: "k:i",
    CONST: "constant:u",
    PARAMETER: "",
}
"""u, i: 32 bits; q: 64 bits; a capital letter is a list of them."""

_OPERANDS = {MATMUL: 2, MUL: 2, PICK: 2, DIVIDE: 2, CONST: 0, PARAMETER: 0}
"""How many an operation takes, where it is not one; ADD and CONCAT take any number."""

_MAX_BYTES = 2**28
_MAX_RANK = 8
_MAX_ELEMENTS = 2**24
_MAX_TOTAL = 2**27
_MAX_WEIGHTS = 2**28
_MAX_WORK = 2**36
_MAX_OPERANDS = 2**12
_LIMIT = 2**29


@dataclass(frozen=True)
class Tensor:
    """Shape and range of a tensor."""

    shape: Shape
    lo: int
    hi: int

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def bound(self) -> int:
        return max(abs(self.lo), abs(self.hi))


@dataclass(frozen=True)
class Constant:
    shape: Shape
    values: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    op: int
    out: Tensor
    operands: tuple[int, ...]
    attributes: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return self.attributes[name]


@dataclass(frozen=True)
class Graph:
    inputs: list[Tensor]
    weights: list[tuple[int, int]]
    constants: list[Constant]
    nodes: list[Node]
    outputs: list[int]

    @property
    def parameters(self) -> list[Node]:
        return [node for node in self.nodes if node.op == PARAMETER]

    def tensor(self, number: int) -> Tensor:
        count = len(self.inputs)
        return self.inputs[number] if number < count else self.nodes[number - count].out


def decode(data: bytes) -> Graph:
    """The graph of these bytes. Raises: Rejected KEY_GRAPH."""
    source = Reader(data, "KEY_GRAPH")
    if len(data) > _MAX_BYTES or source.take(8) != b"INFGRAPH":
        raise source.reject("not a graph")
    version = source.unsigned(4)
    inputs = [
        Tensor(_dims(source), source.signed(4), source.signed(4))
        for _ in range(_count(source, 64, least=1))
    ]
    weights = [(source.unsigned(4), source.unsigned(4)) for _ in range(_count(source, 2**12))]
    constants = [_constant(source) for _ in range(_count(source, 2**16))]
    nodes = [_node(source) for _ in range(_count(source, 2**16))]
    outputs = [source.unsigned(4) for _ in range(_count(source, 64, least=1))]
    source.end()
    graph = Graph(inputs, weights, constants, nodes, outputs)
    if version != (2 if graph.parameters else 1):
        raise source.reject(f"not a graph of version {version}")
    _check(graph, source)
    return graph


def _count(source: Reader, most: int, least: int = 0) -> int:
    count = source.unsigned(4)
    if not least <= count <= most:
        raise source.reject(f"{count} of something; {least} to {most} are allowed")
    return count


def _dims(source: Reader) -> Shape:
    rank = source.unsigned(1)
    if rank > _MAX_RANK:
        raise source.reject("too many dimensions")
    return tuple(source.unsigned(4) for _ in range(rank))


def _constant(source: Reader) -> Constant:
    shape = _dims(source)
    if not 1 <= prod(shape) <= _MAX_ELEMENTS:
        raise source.reject("the size of a constant")
    return Constant(shape, tuple(source.signed(4) for _ in range(prod(shape))))


def _node(source: Reader) -> Node:
    op, lo, hi = source.unsigned(1), source.signed(4), source.signed(4)
    shape = _dims(source)
    operands = tuple(source.unsigned(4) for _ in range(_count(source, _MAX_OPERANDS)))
    if op not in _ATTRIBUTES:
        raise source.reject(f"there is no operation {op}")
    attributes: dict[str, Any] = {}
    for name, kind in (item.split(":") for item in _ATTRIBUTES[op].split()):
        read = source.unsigned if kind in "uU" else source.signed
        size = 8 if kind in "qQ" else 4
        if kind.isupper():
            most = _MAX_OPERANDS if op == ADD else _MAX_RANK
            attributes[name] = [read(size) for _ in range(_count(source, most))]
        else:
            attributes[name] = read(size)
    return Node(op, Tensor(shape, lo, hi), operands, attributes)


def _check(graph: Graph, source: Reader) -> None:
    def demand(fact: bool, why: str) -> None:
        if not fact:
            raise source.reject(why)

    def check_shape(shape: Shape) -> None:
        demand(0 not in shape and prod(shape) <= _MAX_ELEMENTS, "a shape is empty or too large")

    tensors = [*graph.inputs, *(node.out for node in graph.nodes)]
    for tensor in tensors:
        check_shape(tensor.shape)
        demand(-_LIMIT < tensor.lo <= tensor.hi < _LIMIT, "a range is empty or reaches 2^29")
    for shape in (*graph.weights, *(constant.shape for constant in graph.constants)):
        check_shape(shape)
    demand(sum(prod(shape) for shape in graph.weights) <= _MAX_WEIGHTS, "too many weights")
    used = []
    steps = 0
    for place, node in enumerate(graph.nodes):
        before = len(graph.inputs) + place
        demand(all(number < before for number in node.operands), "an operand comes later")
        xs = [graph.tensor(number) for number in node.operands]
        wanted = _OPERANDS.get(node.op, 1)
        several = node.op in (ADD, CONCAT)
        demand(len(xs) >= 1 if several else len(xs) == wanted, "the number of operands")
        if node.op in (LINEAR, CONV):
            used.append(node.weight)
            demand(node.weight < len(graph.weights), "there is no such weight matrix")
        shape = _Shaper(graph, node, demand).shape(xs)
        demand(shape == node.out.shape, f"a node gives {shape}, not {node.out.shape}")
        steps += _work(graph, node, xs)
    demand(used == list(range(len(graph.weights))), "weight matrices are not used in order")
    demand(all(number < len(tensors) for number in graph.outputs), "there is no such output")
    demand(sum(tensor.size for tensor in tensors) <= _MAX_TOTAL, "too many elements")
    demand(steps <= _MAX_WORK, "too much work")


def _work(graph: Graph, node: Node, xs: list[Tensor]) -> int:
    depth = 0
    if node.op == MATMUL:
        depth = xs[0].shape[-1]
    elif node.op in (LINEAR, CONV):
        depth = graph.weights[node.weight][1]
    return node.out.size * (1 + depth) + sum(x.size for x in xs)


class _Demand(Protocol):
    def __call__(self, fact: bool, why: str) -> None: ...


class _Shaper:
    """The rules of one node."""

    def __init__(self, graph: Graph, node: Node, demand: _Demand) -> None:
        self.graph = graph
        self.node = node
        self.demand = demand

    def constant(self, number: int) -> Constant:
        self.demand(number < len(self.graph.constants), "there is no such constant")
        return self.graph.constants[number]

    def shape(self, xs: list[Tensor]) -> Shape:
        """The shape of the result."""
        rules: dict[int, Callable[..., Shape]] = {
            LINEAR: self.linear,
            CONV: self.conv,
            MATMUL: self.matmul,
            ADD: self.add,
            RESCALE: self.rescale,
            VIEW: self.view,
            PAD: self.pad,
            CONCAT: self.concat,
            TAKE: self.take,
            PICK: self.pick,
            SUM: self.reduced,
            MAX: self.reduced,
        }
        node, demand = self.node, self.demand
        if node.op in rules:
            return rules[node.op](*xs)
        if node.op == CONST:
            return self.constant(node.constant).shape
        if node.op == PARAMETER:
            return node.out.shape
        x = xs[0]
        if node.op == ARGMAX:
            demand(node.last in (0, 1) and x.shape != (), "ArgMax")
            return x.shape[:-1]
        if node.op in (DIVIDE, SQUARE_ROOT):
            demand(node.k >= 1, "k is not positive")
        if node.op in (MUL, DIVIDE):
            demand(xs[1].shape == x.shape, "the operands' shapes differ")
        if node.op == LOOKUP:
            demand(len(self.constant(node.table).shape) == 1, "the table's shape")
        return x.shape

    def bias(self, rows: int) -> None:
        if self.node.bias != NONE:
            self.demand(self.constant(self.node.bias).shape == (rows,), "the bias's shape")

    def linear(self, x: Tensor) -> Shape:
        rows, columns = self.graph.weights[self.node.weight]
        self.demand(x.shape[-1:] == (columns,), "the last dimension is not the columns")
        self.bias(rows)
        return (*x.shape[:-1], rows)

    def conv(self, x: Tensor) -> Shape:
        node, demand = self.node, self.demand
        rows, columns = self.graph.weights[node.weight]
        spatial = len(x.shape) - 2
        sizes, pads = (node.kernel, node.stride, node.dilation), (node.pad_begin, node.pad_end)
        demand(spatial in (1, 2), "Conv's dimensions")
        demand(all(len(list_) == spatial for list_ in (*sizes, *pads)), "Conv's attributes")
        demand(all(1 <= n <= _MAX_ELEMENTS for list_ in sizes for n in list_), "Conv's sizes")
        demand(all(n <= _MAX_ELEMENTS for list_ in pads for n in list_), "Conv's pads")
        demand(node.groups >= 1, "Conv's groups")
        demand(x.shape[1] % node.groups == 0 and rows % node.groups == 0, "Conv's groups")
        demand(columns == x.shape[1] // node.groups * prod(node.kernel), "Conv's columns")
        self.bias(rows)
        outer = []
        for axis, size in enumerate(x.shape[2:]):
            reach = node.dilation[axis] * (node.kernel[axis] - 1) + 1
            room = size + node.pad_begin[axis] + node.pad_end[axis] - reach
            demand(room >= 0, "the kernel is larger than the operand")
            outer.append(room // node.stride[axis] + 1)
        return (x.shape[0], rows, *outer)

    def matmul(self, a: Tensor, b: Tensor) -> Shape:
        fits = len(a.shape) >= 2 and len(a.shape) == len(b.shape)
        self.demand(fits and a.shape[:-2] == b.shape[:-2], "MatMul's shapes")
        self.demand(a.shape[-1] == b.shape[-2], "MatMul's shapes")
        self.demand(a.shape[-1] * a.bound * b.bound < 2**62, "MatMul's sums")
        return (*a.shape[:-1], b.shape[-1])

    def add(self, *xs: Tensor) -> Shape:
        node, shape = self.node, xs[0].shape
        self.demand(len(node.coefficients) == len(xs), "Add's coefficients")
        within = all(0 < abs(c) < 2**29 for c in node.coefficients)
        self.demand(within, "a coefficient is 0 or reaches 2^29")
        self.demand(all(x.shape == shape for x in xs), "the operands' shapes differ")
        most = sum(abs(c) * x.bound for c, x in zip(node.coefficients, xs, strict=True))
        self.demand(most < 2**62, "Add's sums")
        if node.constant != NONE:
            constant = self.constant(node.constant)
            self.demand(len(constant.values) == 1 or constant.shape == shape, "Add's constant")
        return shape

    def rescale(self, x: Tensor) -> Shape:
        node = self.node
        count = len(self.constant(node.multipliers).values)
        whole = node.axis == 0 if count == 1 else x.shape[node.axis : node.axis + 1] == (count,)
        self.demand(node.shift <= 40 and whole, "Rescale's attributes")
        return x.shape

    def view(self, x: Tensor) -> Shape:
        node, shape = self.node, self.node.out.shape
        self.demand(len(node.strides) == len(shape), "View's strides")
        small = all(abs(n) <= _MAX_ELEMENTS for n in (node.offset, *node.strides))
        self.demand(small, "View's offset or stride")
        steps = [(size - 1) * stride for size, stride in zip(shape, node.strides, strict=True)]
        first = node.offset + sum(min(step, 0) for step in steps)
        last = node.offset + sum(max(step, 0) for step in steps)
        self.demand(first >= 0 and last < x.size, "View's addresses")
        return shape

    def pad(self, x: Tensor) -> Shape:
        begin, end = self.node.begin, self.node.end
        self.demand(len(begin) == len(end) == len(x.shape), "Pad's lists")
        self.demand(all(n <= _MAX_ELEMENTS for n in (*begin, *end)), "a pad is too large")
        return tuple(b + size + e for b, size, e in zip(begin, x.shape, end, strict=True))

    def concat(self, *xs: Tensor) -> Shape:
        axis, shape = self.node.axis, xs[0].shape
        self.demand(axis < len(shape), "Concat's axis")
        rest = (shape[:axis], shape[axis + 1 :])
        same = all((x.shape[:axis], x.shape[axis + 1 :]) == rest for x in xs)
        self.demand(same and all(len(x.shape) == len(shape) for x in xs), "Concat's shapes")
        return (*rest[0], sum(x.shape[axis] for x in xs), *rest[1])

    def take(self, x: Tensor) -> Shape:
        map_ = self.constant(self.node.map)
        self.demand(all(-1 <= at < x.size for at in map_.values), "Take's addresses")
        return map_.shape

    def pick(self, x: Tensor, index: Tensor) -> Shape:
        self.demand(x.shape != (), "Pick's operand")
        return (*index.shape, *x.shape[1:])

    def reduced(self, x: Tensor) -> Shape:
        self.demand(1 <= self.node.axes <= len(x.shape), "there are not so many axes")
        return x.shape[: len(x.shape) - self.node.axes]
