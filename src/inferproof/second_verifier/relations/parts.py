"""What a plan is made of: columns, lookups, and what each node does with them.

Source: specs/relations.md, sections 2 and 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from inferproof.second_verifier.graph import Shape
from inferproof.second_verifier.relations.origin import Origin
from inferproof.second_verifier.relations.tables import Table
from inferproof.second_verifier.relations.tensors import coordinates

MIN_COLUMN = 8


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
    """The result is lo + above, and the quotient too: no bound bites."""

    above: list[Limb]
    pad: int
    held: "Held | None"


@dataclass(frozen=True)
class Saturated:
    """The result is a column; of each bound that bites, the limbs of how far the result is from it
    and how far the quotient is beyond it."""

    column: int
    lower: list[Limb]
    upper: list[Limb]
    held: "Held | None"


@dataclass(frozen=True)
class Held:
    """A quotient or an input held to low … high: what it exceeds the one by, and what is left to
    the other, which an input lacks whose limbs fill its range."""

    low: int
    high: int
    over: list[Limb]
    under: list[Limb]


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
    form: Direct | Clamped | Wide | Saturated


@dataclass(frozen=True)
class Looked:
    """A Lookup node: its result is a column."""

    operand: int
    column: int
    lookup: int
    outside: int
    """What is looked up where there is no element."""


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


@dataclass(frozen=True)
class ArgMax:
    """An ArgMax node: its result, the maxima, what is chosen, and how the keys are looked up. Limbs
    are there where no table holds the keys."""

    operand: int
    column: int
    maxima: int
    chosen: int
    looked: int
    limbs: list[Limb]
    last: bool


@dataclass(frozen=True)
class Pick:
    """A Pick node: the tensor of rows, the index, and the flags of each of its elements."""

    rows: int
    index: int
    flags: int
    looked: int


@dataclass(frozen=True)
class Number:
    """An integer in pieces: what it exceeds a base by, in limbs."""

    base: int
    limbs: list[Limb]


@dataclass(frozen=True)
class Exact:
    """What Divide and SquareRoot have in common; see section 3, "Integers"."""

    operand: int
    factor: int
    result: Number
    rest: Number
    """g."""
    slack: list[Limb]
    """h."""
    pieces: Number | None
    """Those of the operand, where it is not one coefficient."""
    carries: list[Number]


@dataclass(frozen=True)
class Root:
    exact: Exact


@dataclass(frozen=True)
class Division:
    exact: Exact
    divisor: int
    origin: Origin
    origin_pieces: Number


Constraint = Rescale | Looked | Max | ArgMax | Pick | Root | Division


@dataclass
class Plan:
    """For each node its constraint, if any; then all tables, lookups and columns in order."""

    known: list[bool]
    taken: list[bool]
    """Nodes that the Lookup after them takes together with itself."""
    constraints: list[Constraint | None] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    private: bool = False
    """Whether the verifier does not have the inputs."""
    inputs: list[Held] = field(default_factory=list)
    """What holds each input to its range, where they are private."""
    idle: Limb | None = None
    """What is looked up where nothing else is."""


def column_variables(shape: Sequence[int]) -> int:
    return max(coordinates(shape), MIN_COLUMN)


def most(limbs: Sequence[Limb]) -> int:
    """The greatest number that limbs can make."""
    return sum(((1 << limb.bits) - 1) << limb.shift for limb in limbs)
