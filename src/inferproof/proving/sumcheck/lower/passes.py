"""Passes over the finished integer graph: rescalings and tables joined, dead nodes removed."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower import intervals
from inferproof.proving.sumcheck.lower.builder import Builder
from inferproof.proving.sumcheck.lower.scaling import PRODUCT_LIMIT


def finish(b: Builder, outputs: tuple[int, ...]) -> tuple[g.Graph, bytes]:
    """The graph with what its outputs need, and its weights file.

    Two rescalings in a row, or with views between them, become one, which rounds once instead of
    twice; a rescaling of table entries becomes part of the table. Both keep every declared range
    true.
    """
    base = len(b.inputs)
    nodes: list[g.Node | None] = list(b.nodes)
    uses = Counter(n for node in _needed(nodes, base, outputs) for n in node.operands)
    uses.update(outputs)
    for number in range(len(nodes)):
        # Joining two nodes changes how often no other is used.
        while uses[base + number] and (joined := _with_the_one_before(b, nodes, uses, number)):
            nodes[number] = joined
    return _renumbered(b, nodes, outputs)


def _with_the_one_before(
    b: Builder, nodes: list[g.Node | None], uses: Counter[int], number: int
) -> g.Node | None:
    """A Rescale and the node that it alone reads as one node; the other is gone then."""
    node = nodes[number]
    if node is None or not isinstance(node.op, g.Rescale):
        return None
    base = len(b.inputs)
    views: list[int] = []
    place = node.operands[0] - base
    while place >= 0 and uses[base + place] == 1 and isinstance(_there(nodes, place).op, g.View):
        views.append(place)
        place = _there(nodes, place).operands[0] - base
    before = nodes[place] if place >= 0 else None
    if before is None or uses[base + place] != 1:
        return None
    if views and not (_same_everywhere(b, before) and _size(node) <= _size(before)):
        return None
    joined = _joined(b, nodes, before, node)
    if joined is None:
        return None
    nodes[place] = None
    if not views:
        return joined
    held, source = _tensor(b, nodes, before.operands[0]), before.operands[0]
    for view in reversed(views):
        moved = replace(_there(nodes, view), operands=(source,), lo=held.lo, hi=held.hi)
        nodes[view], source = moved, base + view
    return replace(joined, operands=(source,), shape=node.shape)


def _same_everywhere(b: Builder, node: g.Node) -> bool:
    """Whether a node is a Rescale of which it does not matter where elements are."""
    return isinstance(node.op, g.Rescale) and b.values_of(node.op.multipliers).size == 1


def _size(node: g.Node) -> int:
    return math.prod(node.shape)


def _there(nodes: list[g.Node | None], place: int) -> g.Node:
    node = nodes[place]
    assert node is not None  # noqa: S101  (only nodes that nobody reads are gone)
    return node


def _tensor(b: Builder, nodes: list[g.Node | None], number: int) -> g.Input | g.Node:
    base = len(b.inputs)
    return b.inputs[number] if number < base else _there(nodes, number - base)


def _needed(nodes: list[g.Node | None], base: int, outputs: tuple[int, ...]) -> list[g.Node]:
    wanted = set(outputs)
    found = []
    for number in range(len(nodes) - 1, -1, -1):
        node = nodes[number]
        if node is not None and base + number in wanted:
            found.append(node)
            wanted.update(node.operands)
    return found[::-1]


def _joined(b: Builder, nodes: list[g.Node | None], first: g.Node, second: g.Node) -> g.Node | None:
    """One node for two, of which the second is a Rescale."""
    assert isinstance(second.op, g.Rescale)  # noqa: S101  (the caller looked)
    if isinstance(first.op, g.Lookup):
        return _joined_table(b, first, second)
    if not isinstance(first.op, g.Rescale):
        return None
    one, other = (b.values_of(op.multipliers).astype(np.int64) for op in (first.op, second.op))
    if other.size != 1 or int(other[0]) < 1:
        return None
    held = _tensor(b, nodes, first.operands[0])
    shift = first.op.shift + second.op.shift
    products = one.reshape(-1) * int(other[0])
    while shift and not (products % 2).any():
        products, shift = products // 2, shift - 1
    reach = max(abs(held.lo), abs(held.hi)) * int(np.abs(products).max())
    if reach >= PRODUCT_LIMIT or shift > g.MAX_SHIFT:
        return None
    # The clamp of the first, seen through the second, which is monotone.
    low, high = intervals.rescaled((first.lo, first.hi), other, second.op.shift)
    clamp = (min(max(low, second.lo), second.hi), max(min(high, second.hi), second.lo))
    reached = intervals.rescaled((held.lo, held.hi), products, shift)
    low, high = (min(max(end, clamp[0]), clamp[1]) for end in reached)
    op = g.Rescale(b.constant(products), first.op.axis, shift)
    return replace(first, op=op, lo=low, hi=high)


def _joined_table(b: Builder, first: g.Node, second: g.Node) -> g.Node | None:
    assert isinstance(first.op, g.Lookup)  # noqa: S101
    assert isinstance(second.op, g.Rescale)  # noqa: S101
    factors = b.values_of(second.op.multipliers).astype(np.int64)
    if factors.size != 1:
        return None
    entries = b.values_of(first.op.table).astype(np.int64)
    half = (1 << second.op.shift) >> 1
    entries = np.clip((entries * int(factors[0]) + half) >> second.op.shift, second.lo, second.hi)
    op = g.Lookup(b.constant(entries), first.op.first)
    return replace(first, op=op, lo=int(entries.min()), hi=int(entries.max()))


def _renumbered(
    b: Builder, nodes: list[g.Node | None], outputs: tuple[int, ...]
) -> tuple[g.Graph, bytes]:
    base = len(b.inputs)
    wanted = set(outputs)
    for number in range(len(nodes) - 1, -1, -1):
        node = nodes[number]
        if node is None or base + number not in wanted:
            nodes[number] = None
        else:
            wanted.update(node.operands)
    tensors = {number: number for number in range(base)}
    constants: dict[int, int] = {}
    weights: list[int] = []
    kept: list[g.Node] = []
    for number, node in enumerate(nodes):
        if node is None:
            continue
        op = with_constants(node.op, constants)
        if isinstance(op, g.Linear | g.Conv):
            weights.append(op.weight)
            op = replace(op, weight=len(weights) - 1)
        operands = tuple(tensors[operand] for operand in node.operands)
        tensors[base + number] = base + len(kept)
        kept.append(replace(node, op=op, operands=operands))
    matrices = [b.weights[number] for number in weights]
    graph = g.Graph(
        inputs=tuple(b.inputs),
        weights=tuple(g.Weight(*matrix.shape) for matrix in matrices),
        constants=tuple(g.Constant(b.values_of(number)) for number in constants),
        nodes=tuple(kept),
        outputs=tuple(tensors[number] for number in outputs),
    )
    return graph, b"".join(matrix.tobytes() for matrix in matrices)


def with_constants(op: g.Op, numbers: dict[int, int]) -> g.Op:
    """The operation with its constant renumbered in order of first use."""
    name = g.CONSTANT_OF.get(type(op))
    if name is None or getattr(op, name) == g.NONE:
        return op
    number = numbers.setdefault(getattr(op, name), len(numbers))
    if getattr(op, name) == number:
        return op
    made: g.Op = replace(op, **{name: number})  # type: ignore[arg-type]
    return made
