"""Ranges that relations hold tensors to. Source: specs/committed-mode.md, section 3, "Held"."""

from collections.abc import Sequence

from reference import graph as g
from reference.committed.integers import Range, product_range
from reference.committed.parts import (
    ArgMax,
    Clamped,
    Constraint,
    Direct,
    Division,
    Looked,
    Max,
    Pick,
    Plan,
    Rescale,
    Root,
    most,
)
from reference.committed.tensors import coordinates
from reference.field import P
from reference.graph import Graph, Node

Held = Range | None


def of_inputs(graph: Graph) -> list[Held]:
    return [(min(tensor.lo, 0), max(tensor.hi, 0)) for tensor in graph.inputs]


def of_node(graph: Graph, plan: Plan, before: Sequence[Held], place: int) -> Held:
    """The range of a node's result, its padding and 0 included; `before` has that of all tensors
    before it."""
    node, constraint = graph.nodes[place], plan.constraints[place]
    if plan.known[place]:
        found, pad = (node.out.lo, node.out.hi), 0
    elif constraint is not None:
        ranged = _of_constraint(graph, plan, before, constraint)
        if ranged is None:
            return None
        found, pad = ranged
    elif plan.taken[place]:
        return None
    else:
        reduced = _reduced(graph, before, node)
        if reduced is None:
            return None
        found, pad = reduced, 0
    low, high = min(found[0], found[0] - pad, 0), max(found[1], found[1] - pad, 0)
    return (low, high) if 2 * max(-low, high) < P else None


def _of_constraint(
    graph: Graph, plan: Plan, before: Sequence[Held], constraint: Constraint
) -> tuple[Range, int] | None:
    """What is stored of the result, and its pad."""
    if isinstance(constraint, Max):
        own = before[constraint.operand]
        return None if own is None else (own, 0)
    if isinstance(constraint, Pick):
        own = before[constraint.rows]
        return None if own is None else (own, 0)
    if isinstance(constraint, ArgMax):
        last = graph.tensor(constraint.operand).shape[-1] - 1
        return (0, last), plan.columns[constraint.column].pad
    if isinstance(constraint, Root | Division):
        result = constraint.exact.result
        return (result.base, result.base + most(result.limbs)), 0
    if isinstance(constraint, Looked):
        return _entries(plan, constraint.lookup), plan.columns[constraint.column].pad
    return _rescaled(plan, constraint)


def _rescaled(plan: Plan, constraint: Rescale) -> tuple[Range, int]:
    form = constraint.form
    if isinstance(form, Direct):
        return _entries(plan, form.lookup), plan.columns[form.column].pad
    if isinstance(form, Clamped):
        low, high = constraint.lo, constraint.hi
        if form.upper is None and form.lower is not None:
            high = constraint.lo + _entries(plan, form.lower)[1]
        if form.lower is None and form.upper is not None:
            low = constraint.hi - _entries(plan, form.upper)[1]
        return (low, high), plan.columns[form.column].pad
    return (constraint.lo, constraint.lo + most(form.above)), form.pad


def _entries(plan: Plan, lookup: int) -> Range:
    """Least and greatest value of a function table."""
    values = plan.tables[plan.lookups[lookup].table].values or ()
    return min(values), max(values)


def _reduced(graph: Graph, before: Sequence[Held], node: Node) -> Held:
    """What an operation that commits to nothing makes of what is held."""
    if node.op in (g.LINEAR, g.CONV):
        return None
    if node.op == g.ADD:
        return _added(graph, before, node)
    own = [before[number] for number in node.operands]
    ranges = [one for one in own if one is not None]
    if len(ranges) < len(own):
        return None
    first = ranges[0]
    shape = graph.tensor(node.operands[0]).shape
    if node.op in (g.VIEW, g.TAKE):
        return first
    if node.op == g.PAD:
        return min(first[0], node.fill), max(first[1], node.fill)
    if node.op == g.CONCAT:
        return min(low for low, _ in ranges), max(high for _, high in ranges)
    if node.op == g.SUM:
        summed = 1 << coordinates(shape[len(shape) - node.axes :])
        return first[0] * summed, first[1] * summed
    low, high = product_range(first, ranges[1])
    count = 1 << coordinates(shape[-1:]) if node.op == g.MATMUL else 1
    return low * count, high * count


def _added(graph: Graph, before: Sequence[Held], node: Node) -> Held:
    low = high = 0
    if node.constant != g.NONE:
        values = graph.constants[node.constant].values
        low, high = min(*values, 0), max(*values, 0)
    for number, c in zip(node.operands, node.coefficients, strict=True):
        own = before[number]
        if c == 0:
            continue
        if own is None:
            return None
        least, greatest = product_range(own, (c, c))
        low, high = low + least, high + greatest
    return low, high
