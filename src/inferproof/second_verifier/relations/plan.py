"""What is committed to and looked up for a graph.

Source: specs/relations.md, sections 2 and 3, and specs/private-input.md, section 2.
"""

from collections import Counter
from collections.abc import Sequence

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.field import P
from inferproof.second_verifier.graph import Graph, Node, Shape, Tensor
from inferproof.second_verifier.layers import log
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.relations import integers, range_analysis
from inferproof.second_verifier.relations.integers import (
    Ranges,
    Span,
    added,
    digits,
    fixed,
    multiplied,
    scaled,
)
from inferproof.second_verifier.relations.origin import origin
from inferproof.second_verifier.relations.parts import (
    ArgMax,
    Clamped,
    Column,
    Constraint,
    Direct,
    Division,
    Exact,
    Held,
    Limb,
    Looked,
    Lookup,
    Max,
    Number,
    Pick,
    Plan,
    Rescale,
    Root,
    Saturated,
    Wide,
    column_variables,
)
from inferproof.second_verifier.relations.saturation_tables import MAX_TABLE, Clamp, shared_table
from inferproof.second_verifier.relations.tables import Table, function, range_of

_LIMB = 16
_MAX_TABLES = 2**10
_HALVED_FROM = 11
_MAX_DIFFERENCE = 2**29
_VALUES = 2**29
_REDUCED = {g.LINEAR, g.CONV, g.MATMUL, g.ADD, g.MUL, g.VIEW, g.PAD, g.CONCAT, g.TAKE, g.SUM}


def apart(low: int, high: int, shift: int) -> bool:
    """Whether the integers low … high, each counting 2^shift, are apart modulo p."""
    return (high - low + 1) << shift < P


def _reach(clamp: Clamp) -> tuple[int, int]:
    """The least and the greatest quotient that the limbs of a wide Rescale can make."""
    own, lower, upper = ((1 << bits) - 1 for bits in clamp.bits)
    least = clamp.lo - lower if clamp.lower else clamp.hi - upper
    greatest = clamp.hi + upper if clamp.upper else clamp.lo + lower
    return (least, greatest) if clamp.bites else (clamp.lo, clamp.lo + own)


def _stores_more(clamp: Clamp) -> bool:
    """Whether limbs can make a result that no quotient from l to h gives."""
    least, greatest = _reach(clamp)
    if clamp.lower and clamp.upper:
        return False
    if clamp.upper:
        return least < min(clamp.low, clamp.hi)
    beyond = greatest > max(clamp.high, clamp.lo)
    return beyond or (not clamp.lower and clamp.lo < clamp.low)


def _can_be_held(clamp: Clamp) -> bool:
    """Whether a quotient that is held to l … h is one, and so is the result."""
    least, greatest = _reach(clamp)
    span = clamp.high - clamp.low
    _, lower, upper = ((1 << bits) - 1 for bits in clamp.bits)
    return (
        apart(clamp.low, clamp.high, clamp.shift)
        and greatest - clamp.low < P
        and clamp.high - least < P
        and 2 * ((1 << span.bit_length()) - 1) < P + span
        and lower + upper < P + clamp.hi - clamp.lo
    )


def known_nodes(graph: Graph, *, private: bool) -> list[bool]:
    """Of each node, whether its result depends on constants and public inputs only."""
    known = [not private] * len(graph.inputs)
    for node in graph.nodes:
        own = node.op not in (g.LINEAR, g.CONV, g.PARAMETER)
        known.append(own and all(known[number] for number in node.operands))
    return known[len(graph.inputs) :]


def quotients(graph: Graph, node: Node) -> tuple[int, int]:
    """The least and the greatest quotient of a Rescale, 0 among them."""
    half = 1 << (node.shift - 1) if node.shift else 0
    operand = graph.tensor(node.operands[0])
    ends = [
        (m * end + half) >> node.shift
        for m in graph.constants[node.multipliers].values
        for end in (operand.lo, operand.hi)
    ]
    return min(0, *ends), max(0, *ends)


def plan(graph: Graph, *, private: bool = False) -> Plan:
    """The plan of a graph, for inputs that are private or not. Raises: Rejected KEY_UNSUPPORTED."""
    exact = False
    try:
        first = _Maker(graph, frozenset(), exact=exact, private=private)
    except _WrapsAround:
        exact = True
        first = _Maker(graph, frozenset(), exact=exact, private=private)
    return _Maker(graph, first.halved(), exact=exact, private=private).plan


class _WrapsAround(Rejected):
    """Integers of a node can reach p/2, by what is held."""


class _Maker:
    def __init__(self, graph: Graph, halved: frozenset[int], *, exact: bool, private: bool) -> None:
        self.graph = graph
        self._exactly = exact
        self._cut = halved
        self._rows: Counter[int] = Counter()
        self._uses = Counter(graph.outputs)
        for node in graph.nodes:
            self._uses.update(node.operands)
        count = len(graph.nodes)
        known = known_nodes(graph, private=private)
        taken = [not known[number] and self._followed(number) for number in range(count)]
        self.plan = Plan(known, taken, private=private)
        clamps = [
            self._clamp(node)
            for number, node in enumerate(graph.nodes)
            if node.op == g.RESCALE and not known[number] and not taken[number]
        ]
        self._shared = shared_table([clamp for clamp in clamps if self._shares(clamp)])
        self._ranges = range_analysis.of_inputs(graph)
        if private:
            self.plan.inputs = [self._held_input(tensor) for tensor in graph.inputs]
        for number, node in enumerate(graph.nodes):
            if not self._uses[len(graph.inputs) + number]:
                raise self._refuse(node, "its result is not used")
            none = known[number] or taken[number]
            self.plan.constraints.append(None if none else self._constraint(node))
            self._ranges.append(range_analysis.of_node(graph, self.plan, self._ranges, number))
            self._follows(number)
            if len(self.plan.tables) > _MAX_TABLES:
                raise self._refuse(node, "the graph needs too many tables")
        if not self.plan.lookups:
            (self.plan.idle,) = self._limbs((), 1, 0)

    def _follows(self, number: int) -> None:
        """What is declared of a node can follow from what is declared of its operands."""
        graph, node = self.graph, self.graph.nodes[number]
        if self.plan.known[number]:
            return
        takes: list[int] = []
        if node.op == g.LOOKUP:
            takes = list(graph.constants[node.table].values)
        elif node.op == g.PICK:
            rows = graph.tensor(node.operands[0])
            takes = [rows.lo, rows.hi]
        elif node.op == g.ARGMAX:
            takes = [0, graph.tensor(node.operands[0]).shape[-1] - 1]
        elif node.op in (g.VIEW, g.CONCAT, g.PAD, g.TAKE):
            operands = [graph.tensor(operand) for operand in node.operands]
            takes = [end for tensor in operands for end in (tensor.lo, tensor.hi)]
            takes += [node.fill] if node.op == g.PAD else []
            takes += [0] if node.op == g.TAKE and -1 in graph.constants[node.map].values else []
        if takes and not node.out.lo <= min(takes) <= max(takes) <= node.out.hi:
            raise self._refuse(node, "its declared range does not hold what it takes")
        if node.op in (g.LINEAR, g.CONV) and not self._reachable(node):
            raise self._refuse(node, "no int8 weights leave its bias in its declared range")
        held = all(self._ranges[operand] is not None for operand in node.operands)
        summed = node.op in _REDUCED and node.op not in (g.LINEAR, g.CONV)
        if summed and held and self._ranges[-1] is None:
            why = "its integers can wrap around in the field"
            raise _WrapsAround("KEY_UNSUPPORTED", f"operation {node.op}: {why}")

    def _reachable(self, node: Node) -> bool:
        """Whether some int8 weights leave a contraction in its declared range."""
        operand = self.graph.tensor(node.operands[0])
        _, columns = self.graph.weights[node.weight]
        reach = 128 * columns * max(abs(operand.lo), abs(operand.hi))
        biases = [0] if node.bias == g.NONE else self.graph.constants[node.bias].values
        least, most = min(biases) + reach, max(biases) - reach
        return bool(least >= node.out.lo and most <= node.out.hi)

    def halved(self) -> frozenset[int]:
        """Widths of limbs whose range takes more than a second limb for each of their rows."""
        return frozenset(
            bits
            for bits, rows in self._rows.items()
            if bits >= _HALVED_FROM and 2 * rows + (3 << -(-bits // 2)) < 3 << bits
        )

    def _refuse(self, node: Node, why: str) -> Rejected:
        return Rejected("KEY_UNSUPPORTED", f"operation {node.op}: {why}")

    def _followed(self, number: int) -> bool:
        """Whether a Rescale is taken together with the one Lookup that uses it."""
        node, own = self.graph.nodes[number], len(self.graph.inputs) + number
        if node.op != g.RESCALE or self._uses[own] != 1:
            return False
        low, high = quotients(self.graph, node)
        users = [other for other in self.graph.nodes if own in other.operands]
        return high - low < MAX_TABLE and bool(users) and users[0].op == g.LOOKUP

    def _shares(self, clamp: Clamp) -> bool:
        """Whether it may use the shared table: in an exact plan if that holds it to both bounds."""
        return not self._exactly or (clamp.lower and clamp.upper)

    def _clamp(self, node: Node) -> Clamp:
        low, high = quotients(self.graph, node)
        variables = column_variables(node.out.shape)
        return Clamp(low, high, node.out.lo, node.out.hi, node.shift, variables)

    def _column(self, shape: Shape, pad: int) -> int:
        self.plan.columns.append(Column(shape, pad))
        return len(self.plan.columns) - 1

    def _look(self, table: Table, shape: Shape) -> int:
        if table not in self.plan.tables:
            self.plan.tables.append(table)
        number = self.plan.tables.index(table)
        self.plan.lookups.append(Lookup(number, column_variables(shape)))
        return len(self.plan.lookups) - 1

    def _limbs(self, shape: Shape, bits: int, pad: int) -> list[Limb]:
        """Columns for a number of so many bits that is `pad` in the padding."""
        widths: list[int] = []
        for left in range(-(-bits // _LIMB), 0, -1):
            widths.append(-(-(bits - sum(widths)) // left))
        return self._cut_up(shape, widths, pad)

    def _cut_up(self, shape: Shape, widths: Sequence[int], pad: int) -> list[Limb]:
        """The same for limbs of these widths, before any of them is cut once more."""
        found: list[Limb] = []
        shift = 0
        for whole in widths:
            self._rows[whole] += 1 << column_variables(shape)
            parts = [whole]
            if whole in self._cut:
                parts = [-(-whole // 2), whole // 2]
            for part in parts:
                column = self._column(shape, pad >> shift & ((1 << part) - 1))
                found.append(Limb(column, self._look(range_of(part), shape), shift, part))
                shift += part
        return found

    def _held_input(self, declared: Tensor) -> Held:
        """What holds a private input to its range."""
        width = declared.hi - declared.lo
        bits = max(width.bit_length(), 1)
        over = self._limbs(declared.shape, bits, 0)
        under = [] if width == (1 << bits) - 1 else self._limbs(declared.shape, bits, width)
        return Held(declared.lo, declared.hi, over, under)

    def _constraint(self, node: Node) -> Constraint | None:
        if node.op in _REDUCED or node.op == g.PARAMETER:
            return None
        if node.op == g.RESCALE:
            return self._rescale(node, None)
        if node.op == g.LOOKUP:
            before = node.operands[0] - len(self.graph.inputs)
            if before >= 0 and self.plan.taken[before]:
                return self._rescale(self.graph.nodes[before], node)
            return self._lookup(node)
        if node.op == g.MAX:
            return self._max(node)
        if node.op == g.PICK:
            return self._pick(node)
        if node.op == g.ARGMAX:
            return self._arg_max(node)
        if node.op == g.DIVIDE:
            return self._divide(node)
        if node.op == g.SQUARE_ROOT:
            return self._root(node)
        raise self._refuse(node, "it is not covered")

    def _rescale(self, node: Node, then: Node | None) -> Rescale:
        multipliers = self.graph.constants[node.multipliers].values
        if len(multipliers) == 1 and multipliers[0] % P == 0:
            raise self._refuse(node, "its multiplier is zero")
        clamp, shape = self._clamp(node), node.out.shape
        shared = None
        if then is None and self._shared and clamp.uses(self._shared[0]) and self._shares(clamp):
            shared = self._shared
        raised = shared[1] - node.shift if shared else 0
        remainder = self._limbs(shape, node.shift + raised, 0)
        form: Direct | Clamped | Wide | Saturated
        if shared:
            form = self._clamped(clamp, shape, shared[0])
        elif then is not None or (
            clamp.table is not None
            and apart(clamp.low, clamp.high, node.shift)
            and (clamp.table <= clamp.alone or not apart(*_reach(clamp), node.shift))
        ):
            form = self._direct(node, clamp, then)
        else:
            form = self._wide(node, clamp)
        return Rescale(
            node.operands[0],
            multipliers,
            node.axis,
            node.shift,
            raised,
            clamp.lo,
            clamp.hi,
            remainder,
            form,
        )

    def _clamped(self, clamp: Clamp, shape: Shape, half: int) -> Clamped:
        table = function(-half, [max(k, 0) for k in range(-half, half)])
        lower = self._look(table, shape) if clamp.lower else None
        upper = self._look(table, shape) if clamp.upper else None
        between = None
        if clamp.lower and clamp.upper:
            between = self._column(shape, max(-clamp.lo, 0))
        column = self._column(shape, min(max(0, clamp.lo), clamp.hi))
        return Clamped(column, lower, upper, between)

    def _direct(self, node: Node, clamp: Clamp, then: Node | None) -> Direct:
        if not apart(clamp.low, clamp.high, node.shift):
            raise self._refuse(node, "its products are not apart")
        keys = range(clamp.low, clamp.high + 1)
        values = [min(max(q, clamp.lo), clamp.hi) for q in keys]
        if then is not None:
            table = self.graph.constants[then.table].values
            places = [value - then.first for value in values]
            if not all(0 <= place < len(table) for place in places):
                raise self._refuse(node, "its results can be outside of the table")
            values = [table[place] for place in places]
        column = self._column(node.out.shape, values[-clamp.low])
        return Direct(column, self._look(function(clamp.low, values), node.out.shape))

    def _wide(self, node: Node, clamp: Clamp) -> Wide | Saturated:
        shape, lo, hi = node.out.shape, clamp.lo, clamp.hi
        pad = min(max(0, lo), hi)
        holds = not apart(*_reach(clamp), node.shift) or (self._exactly and _stores_more(clamp))
        if holds and not _can_be_held(clamp):
            raise self._refuse(node, "its products are not apart")
        own, below, above = clamp.bits
        if not clamp.bites:
            return Wide(self._limbs(shape, own, pad - lo), pad, self._held(shape, clamp, holds))
        column = self._column(shape, pad)
        lower = self._limbs(shape, below, pad - lo + max(lo, 0))
        upper = self._limbs(shape, above, hi - pad + max(-hi, 0))
        return Saturated(column, lower, upper, self._held(shape, clamp, holds))

    def _held(self, shape: Shape, clamp: Clamp, holds: bool) -> Held | None:
        if not holds:
            return None
        bits = (clamp.high - clamp.low).bit_length()
        over = self._limbs(shape, bits, -clamp.low)
        under = self._limbs(shape, bits, clamp.high)
        return Held(clamp.low, clamp.high, over, under)

    def _lookup(self, node: Node) -> Looked:
        table, first = self.graph.constants[node.table].values, node.first
        if len(table) > MAX_TABLE:
            raise self._refuse(node, "its table has more than 2^16 entries")
        if first < -_VALUES or first + len(table) > _VALUES:
            raise self._refuse(node, "the keys of its table reach 2^29")
        outside = 0 if first <= 0 < first + len(table) else first
        column = self._column(node.out.shape, table[outside - first])
        lookup = self._look(function(first, table), node.out.shape)
        return Looked(node.operands[0], column, lookup, outside)

    def _max(self, node: Node) -> Max:
        operand = self.graph.tensor(node.operands[0])
        width = max(operand.hi - operand.lo, 1)
        if width >= _MAX_DIFFERENCE:
            raise self._refuse(node, "its operands differ by 2^29 or more")
        column = self._column(node.out.shape, 0)
        zeros = self._column(operand.shape, 0)
        limbs: list[Limb] = []
        if width < MAX_TABLE:
            difference = self._look(function(0, [1] + [0] * width), operand.shape)
        else:
            limbs = self._limbs(operand.shape, width.bit_length(), 0)
            difference = self._look(range_of(1), operand.shape)
        size = operand.size // node.out.size
        count = self._look(range_of(max(log(size), 1)), node.out.shape)
        return Max(node.operands[0], column, zeros, difference, limbs, count)

    def _arg_max(self, node: Node) -> ArgMax:
        operand = self.graph.tensor(node.operands[0])
        width = max(operand.hi - operand.lo, 1)
        if width >= _MAX_DIFFERENCE:
            raise self._refuse(node, "its operands differ by 2^29 or more")
        column = self._column(node.out.shape, operand.shape[-1] - 1 if node.last else 0)
        maxima = self._column(node.out.shape, 0)
        chosen = self._column(operand.shape, 0)
        limbs: list[Limb] = []
        if width + 2 <= MAX_TABLE:
            looked = self._look(function(-1, [1] + [0] * (width + 1)), operand.shape)
        else:
            limbs = self._limbs(operand.shape, width.bit_length(), 0)
            looked = self._look(range_of(1), operand.shape)
        return ArgMax(node.operands[0], column, maxima, chosen, looked, limbs, bool(node.last))

    def _pick(self, node: Node) -> Pick:
        rows, index = node.operands
        shape = (*self.graph.tensor(index).shape, self.graph.tensor(rows).shape[0])
        return Pick(rows, index, self._column(shape, 0), self._look(range_of(1), shape))

    def _divide(self, node: Node) -> Division:
        divisor = node.operands[1]
        most_b = self.graph.tensor(divisor).hi
        if most_b < 1:
            raise self._refuse(node, "its divisor is never positive")
        span = integers.span(0, most_b)
        result = integers.span(node.out.lo, node.out.hi)
        doubled = added(scaled(result.ranges, 2), fixed([-1]))
        product = multiplied(added(span.ranges, [(0, 1)]), doubled)
        exact = self._exact(node, 2 * node.k, result, product, 2 * most_b - 1, 1)
        found = origin(self.graph, divisor)
        pieces = self._pieces(self.graph.tensor(found.tensor).shape, span, 0)
        return Division(exact, divisor, found, pieces)

    def _root(self, node: Node) -> Root:
        most_y = max(node.out.hi, 0)
        result = integers.span(0, most_y)
        product = multiplied(result.ranges, result.ranges)
        return Root(self._exact(node, node.k, result, product, 2 * most_y, 0))

    def _pieces(self, shape: Shape, span: Span, pad: int) -> Number:
        """Columns for a number that is `pad` in the padding."""
        return Number(span.base, self._cut_up(shape, span.pieces, pad - span.base))

    def _exact(
        self, node: Node, factor: int, result: Span, product: Ranges, most_g: int, pad: int
    ) -> Exact:
        """`pad` is what g is in the padding."""
        shape, operand = node.out.shape, node.operands[0]
        rest = integers.span(0, most_g)
        if 2 << rest.bits >= P:
            raise self._refuse(node, "its rests can wrap around")

        def carried(a: Ranges) -> list[Span] | None:
            right = multiplied(fixed(digits(factor)), a)
            return integers.carries(added(added(product, rest.ranges), scaled(right, -1)))

        own = self._ranges[operand]
        spans = None if own is None else carried([own])
        span = None
        if spans is None:
            declared = self.graph.tensor(operand)
            span = integers.span(declared.lo, declared.hi)
            spans = carried(span.ranges)
        if spans is None:
            raise self._refuse(node, "its coefficients can wrap around")
        return Exact(
            operand,
            factor,
            self._pieces(shape, result, 0),
            self._pieces(shape, rest, pad),
            self._limbs(shape, rest.bits, 0),
            None if span is None else self._pieces(shape, span, 0),
            [Number(own.base, self._limbs(shape, own.bits, -own.base)) for own in spans],
        )
