"""Tables that columns are looked up in. Source: specs/relations.md, section 4."""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.second_verifier.field import ZERO, Element, add, dot_integers, equality, lift
from inferproof.second_verifier.layers import log

MIN_VARIABLES = 7


@dataclass(frozen=True)
class Table:
    """The keys first, first + 1, …, each with its value; a range has no values."""

    first: int
    entries: int
    values: tuple[int, ...] | None

    @property
    def variables(self) -> int:
        return max(log(self.entries), MIN_VARIABLES)

    def at(self, point: Sequence[Element]) -> tuple[Element, Element]:
        """Key and value at a point; beyond its entries the last one is repeated."""
        weights = equality(point)
        indices = [min(index, self.entries - 1) for index in range(len(weights))]
        key = add(lift(self.first), dot_integers(weights, indices))
        if self.values is None:
            return key, ZERO
        return key, dot_integers(weights, [self.values[index] for index in indices])


def range_of(bits: int) -> Table:
    """0 to 2^bits - 1, without values."""
    return Table(0, 1 << bits, None)


def function(first: int, values: Sequence[int]) -> Table:
    """The key first + j has the value values[j]."""
    return Table(first, len(values), tuple(values))
