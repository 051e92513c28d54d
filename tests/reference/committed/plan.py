"""What is committed to and looked up for a graph.

Source: specs/committed-mode.md, sections 2 and 3.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from reference import graph as g
from reference.committed.clamps import MAX_TABLE, Clamp, shared_table
from reference.committed.tables import Table, function, range_of
from reference.committed.tensors import coordinates
from reference.field import P
from reference.graph import Graph, Node, Shape
from reference.layers import log
from reference.reader import Rejected

MIN_COLUMN = 8
_LIMB = 16
_MAX_TABLES = 2**10
_HALVED_FROM = 11
_MAX_DIFFERENCE = 2**29
_REDUCED = {g.LINEAR, g.CONV, g.MATMUL, g.ADD, g.MUL, g.VIEW, g.PAD, g.CONCAT, g.TAKE, g.SUM}


@dataclass(frozen=True)
class Column:
    """A committed column: a tensor, and what stands in its padding."""

    shape: Shape
    pad: int

    @property
    def variables(self) -> int:
        return column_variables(self.shape)


@dataclass(frozen=True)
class Lookup:
    table: int
    variables: int


@dataclass(frozen=True)
class Limb:
    """A column that is looked up in a range and counts 2^shift."""

    column: int
    lookup: int
    shift: int
    bits: int


@dataclass(frozen=True)
class Direct:
    """The result is a column, looked up at the quotient."""

    column: int
    lookup: int


@dataclass(frozen=True)
class Clamped:
    """The result is a column, made by the shared table; `between` is f where both bounds bite."""

    column: int
    lower: int | None
    upper: int | None
    between: int | None


@dataclass(frozen=True)
class Wide:
    """The result is lo + above; see section 2."""

    above: list[Limb]
    below: list[Limb]
    up: list[Limb]
    down: list[Limb]
    pad: int


@dataclass(frozen=True)
class Rescale:
    operand: int
    multipliers: Sequence[int]
    axis: int
    shift: int
    raised: int
    lo: int
    hi: int
    remainder: list[Limb]
    form: Direct | Clamped | Wide


@dataclass(frozen=True)
class Looked:
    """A Lookup node: its result is a column."""

    operand: int
    column: int
    lookup: int


@dataclass(frozen=True)
class Max:
    """A Max node: its result, which elements attain it, how differences are looked up, and how
    often it is attained less one. Limbs are there where no table holds the differences."""

    operand: int
    column: int
    zeros: int
    difference: int
    limbs: list[Limb]
    count: int


Unit = Rescale | Looked | Max


def column_variables(shape: Sequence[int]) -> int:
    return max(coordinates(shape), MIN_COLUMN)


def apart(low: int, high: int, shift: int) -> bool:
    """Whether the integers low … high, each counting 2^shift, are apart modulo p."""
    return (high - low + 1) << shift < P


def known_nodes(graph: Graph) -> list[bool]:
    """Of each node, whether its result depends on inputs and constants only."""
    known = [True] * len(graph.inputs)
    for node in graph.nodes:
        own = node.op not in (g.LINEAR, g.CONV)
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


@dataclass
class Plan:
    """For each node its unit, if it has one; then all tables, lookups and columns in order."""

    known: list[bool]
    taken: list[bool]
    """Nodes that the Lookup after them takes together with itself."""
    units: list[Unit | None] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)


def plan(graph: Graph) -> Plan:
    """The plan of a graph. Raises: Rejected KEY_UNSUPPORTED."""
    first = _Maker(graph, frozenset())
    return _Maker(graph, first.halved()).plan


class _Maker:
    def __init__(self, graph: Graph, halved: frozenset[int]) -> None:
        self.graph = graph
        self._cut = halved
        self._rows: Counter[int] = Counter()
        self._uses = Counter(graph.outputs)
        for node in graph.nodes:
            self._uses.update(node.operands)
        count = len(graph.nodes)
        known = known_nodes(graph)
        taken = [not known[number] and self._followed(number) for number in range(count)]
        self.plan = Plan(known, taken)
        clamps = [
            self._clamp(node)
            for number, node in enumerate(graph.nodes)
            if node.op == g.RESCALE and not known[number] and not taken[number]
        ]
        self._shared = shared_table(clamps)
        for number, node in enumerate(graph.nodes):
            if not self._uses[len(graph.inputs) + number]:
                raise self._refuse(node, "its result is not used")
            none = known[number] or taken[number]
            self.plan.units.append(None if none else self._unit(node))
            if len(self.plan.tables) > _MAX_TABLES:
                raise self._refuse(node, "the graph needs too many tables")

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
        found: list[Limb] = []
        shift = 0
        for left in range(-(-bits // _LIMB), 0, -1):
            whole = -(-(bits - shift) // left)
            self._rows[whole] += 1 << column_variables(shape)
            parts = [whole]
            if whole in self._cut:
                parts = [-(-whole // 2), whole // 2]
            for part in parts:
                column = self._column(shape, pad >> shift & ((1 << part) - 1))
                found.append(Limb(column, self._look(range_of(part), shape), shift, part))
                shift += part
        return found

    def _unit(self, node: Node) -> Unit | None:
        if node.op in _REDUCED:
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
        raise self._refuse(node, "it is not covered")

    def _rescale(self, node: Node, then: Node | None) -> Rescale:
        multipliers = self.graph.constants[node.multipliers].values
        if len(multipliers) == 1 and multipliers[0] % P == 0:
            raise self._refuse(node, "its multiplier is zero")
        clamp, shape = self._clamp(node), node.out.shape
        shared = None
        if then is None and self._shared and clamp.uses(self._shared[0]):
            shared = self._shared
        raised = shared[1] - node.shift if shared else 0
        remainder = self._limbs(shape, node.shift + raised, 0)
        form: Direct | Clamped | Wide
        if shared:
            form = self._clamped(clamp, shape, shared[0])
        elif then is not None or (
            clamp.table is not None
            and clamp.table <= clamp.alone
            and apart(clamp.low, clamp.high, node.shift)
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

    def _wide(self, node: Node, clamp: Clamp) -> Wide:
        shape, lo, hi = node.out.shape, clamp.lo, clamp.hi
        pad = min(max(0, lo), hi)
        most = max(min(hi, clamp.high) - lo, 0)
        above = self._limbs(shape, max(most.bit_length(), 1), pad - lo)
        below: list[Limb] = []
        up: list[Limb] = []
        down: list[Limb] = []
        if clamp.upper:
            below = self._limbs(shape, (hi - lo).bit_length(), hi - pad)
            up = self._limbs(shape, (clamp.high - hi).bit_length(), max(-hi, 0))
        if clamp.lower:
            down = self._limbs(shape, (lo - clamp.low).bit_length(), max(lo, 0))

        def reach(limbs: list[Limb]) -> int:
            return sum(((1 << limb.bits) - 1) << limb.shift for limb in limbs)

        if not apart(lo - reach(down), lo + reach(above) + reach(up), node.shift):
            raise self._refuse(node, "its products are not apart")
        return Wide(above, below, up, down, pad)

    def _lookup(self, node: Node) -> Looked:
        table, first = self.graph.constants[node.table].values, node.first
        low, high = min(first, 0), max(first + len(table), 1)
        if high - low > MAX_TABLE:
            raise self._refuse(node, "its table has more than 2^16 entries")
        known = dict(enumerate(table, first))
        values = [known.get(key, 0) for key in range(low, high)]
        column = self._column(node.out.shape, values[-low])
        lookup = self._look(function(low, values), node.out.shape)
        return Looked(node.operands[0], column, lookup)

    def _max(self, node: Node) -> Max:
        operand = self.graph.tensor(node.operands[0])
        most = max(operand.hi - operand.lo, 1)
        if most >= _MAX_DIFFERENCE:
            raise self._refuse(node, "its operands differ by 2^29 or more")
        column = self._column(node.out.shape, 0)
        zeros = self._column(operand.shape, 0)
        limbs: list[Limb] = []
        if most < MAX_TABLE:
            difference = self._look(function(0, [1] + [0] * most), operand.shape)
        else:
            limbs = self._limbs(operand.shape, most.bit_length(), 0)
            difference = self._look(range_of(1), operand.shape)
        size = operand.size // node.out.size
        count = self._look(range_of(max(log(size), 1)), node.out.shape)
        return Max(node.operands[0], column, zeros, difference, limbs, count)
