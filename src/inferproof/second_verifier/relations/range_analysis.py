"""Ranges that relations hold tensors to. Source: specs/relations.md, section 3, "Held"."""

from collections.abc import Sequence
from math import prod

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.field import P
from inferproof.second_verifier.graph import Graph, Node
from inferproof.second_verifier.relations.integers import Range, product_range
from inferproof.second_verifier.relations.parts import (
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
    Wide,
    most,
)

Held = Range | None


def of_inputs(graph: Graph) -> list[Held]:
    return [(min(tensor.lo, 0), max(tensor.hi, 0)) for tensor in graph.inputs]


def of_node(graph: Graph, plan: Plan, before: Sequence[Held], place: int) -> Held:
    """The range of the elements of a node's result, with 0; `before` has that of all tensors before
    it."""
    node, constraint = graph.nodes[place], plan.constraints[place]
    found: Held
    if plan.known[place]:
        found = node.out.lo, node.out.hi
    elif node.op == g.PARAMETER:
        # Nothing shows it to be in its range.
        found = None
    elif constraint is not None:
        found = _of_constraint(graph, plan, before, constraint)
    else:
        found = None if plan.taken[place] else _reduced(graph, before, node)
    if found is None:
        return None
    low, high = min(found[0], 0), max(found[1], 0)
    return (low, high) if 2 * max(-low, high) < P else None


def _of_constraint(
    graph: Graph, plan: Plan, before: Sequence[Held], constraint: Constraint
) -> Held:
    """What is stored of the result."""
    if isinstance(constraint, Max):
        return before[constraint.operand]
    if isinstance(constraint, Pick):
        return before[constraint.rows]
    if isinstance(constraint, ArgMax):
        return 0, graph.tensor(constraint.operand).shape[-1] - 1
    if isinstance(constraint, Root | Division):
        result = constraint.exact.result
        return result.base, result.base + most(result.limbs)
    if isinstance(constraint, Looked):
        return _entries(plan, constraint.lookup)
    return _rescaled(plan, constraint)


def _rescaled(plan: Plan, constraint: Rescale) -> Range:
    form = constraint.form
    if isinstance(form, Direct):
        return _entries(plan, form.lookup)
    if isinstance(form, Clamped):
        low, high = constraint.lo, constraint.hi
        if form.upper is None and form.lower is not None:
            high = constraint.lo + _entries(plan, form.lower)[1]
        if form.lower is None and form.upper is not None:
            low = constraint.hi - _entries(plan, form.upper)[1]
        return low, high
    if isinstance(form, Wide):
        low, high = constraint.lo, constraint.lo + most(form.above)
        if form.held is None:
            return low, high
        return max(low, form.held.low), min(high, form.held.high)
    low = constraint.lo if form.lower else constraint.hi - most(form.upper)
    high = constraint.hi if form.upper else constraint.lo + most(form.lower)
    if form.held is None:
        return low, high
    least, greatest = (min(max(end, low), high) for end in (form.held.low, form.held.high))
    return least, greatest


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
        summed = prod(shape[len(shape) - node.axes :])
        return first[0] * summed, first[1] * summed
    low, high = product_range(first, ranges[1])
    count = shape[-1] if node.op == g.MATMUL else 1
    return low * count, high * count


def _added(graph: Graph, before: Sequence[Held], node: Node) -> Held:
    low = high = 0
    if node.constant != g.NONE:
        values = graph.constants[node.constant].values
        low, high = min(*values, 0), max(*values, 0)
    pairs = _pairs(graph, node)
    taken = {product for product, _ in pairs.values()}
    for place, (number, c) in enumerate(zip(node.operands, node.coefficients, strict=True)):
        own = before[number]
        if own is None:
            return None
        if place in taken:
            continue
        if place in pairs:
            factor = before[pairs[place][1]]
            if factor is None:
                return None
            own = product_range(own, (1 - factor[1], 1 - factor[0]))
        least, greatest = product_range(own, (c, c))
        low, high = low + least, high + greatest
    return low, high


def _pairs(graph: Graph, node: Node) -> dict[int, tuple[int, int]]:
    """For places of operands x of an Add: the place of x·y, whose coefficient is the opposite one,
    and y. A place is in one pair at most."""
    pairs: dict[int, tuple[int, int]] = {}
    used: set[int] = set()
    for place, number in enumerate(node.operands):
        made = number - len(graph.inputs)
        if place in used or made < 0 or graph.nodes[made].op != g.MUL:
            continue
        first, second = graph.nodes[made].operands
        found = [
            (other, by)
            for x, by in ((first, second), (second, first))
            for other, candidate in enumerate(node.operands)
            if candidate == x and other not in used
            if node.coefficients[other] == -node.coefficients[place]
        ]
        if found:
            other, by = found[0]
            pairs[other] = place, by
            used |= {place, other}
    return pairs
