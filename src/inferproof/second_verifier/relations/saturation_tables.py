"""Which rescalings share a table. Source: specs/relations.md, section 2."""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.second_verifier.layers import log

DOMAINS = [*(1 << bits for bits in range(6, 15)), 32512]
"""Half of each domain that the shared table may have."""
MAX_SHIFT = 15
MAX_TABLE = 2**16


@dataclass(frozen=True)
class Clamp:
    """A rescaling to lo … hi whose quotients are low … high, in columns of 2^variables."""

    low: int
    high: int
    lo: int
    hi: int
    shift: int
    variables: int

    @property
    def lower(self) -> bool:
        """Whether the lower bound bites."""
        return self.low < self.lo

    @property
    def upper(self) -> bool:
        """Whether the upper bound bites."""
        return self.high > self.hi

    @property
    def bites(self) -> int:
        """How many bounds bite."""
        return self.lower + self.upper

    @property
    def bits(self) -> tuple[int, int, int]:
        """The bits of a result that no bound clamps, of the number from the lower bound, and of
        that from the upper one."""
        if not self.bites:
            return max((self.high - self.lo).bit_length(), 1), 0, 0
        below = above = 0
        if self.lower:
            below = max(min(self.hi, self.high) - self.lo, self.lo - self.low).bit_length()
        if self.upper:
            above = max(self.hi - max(self.lo, self.low), self.high - self.hi).bit_length()
        return 0, below, above

    @property
    def table(self) -> int | None:
        """What a table of its own takes, where it can have one."""
        if self.high - self.low >= MAX_TABLE:
            return None
        return (2 << self.variables) + (3 << log(self.high - self.low + 1))

    @property
    def alone(self) -> int:
        """What it takes without the shared table."""
        count = sum(-(-bits // 16) for bits in self.bits)
        result = 1 << self.variables if self.bites else 0
        columns = (2 << self.variables) * count + result + 12288 * self.bites
        return columns if self.table is None else min(columns, self.table)

    @property
    def shared(self) -> int:
        """What it takes with the shared table."""
        return (2 << self.variables) * self.bites

    def fits(self, half: int) -> bool:
        """Whether the shared table of this size serves it."""
        keys = []
        if self.lower:
            keys += [self.low - self.lo, self.high - self.lo]
        if self.upper:
            keys += [self.hi - self.high, self.hi - (self.lo if self.lower else self.low)]
        return bool(keys) and self.shift <= MAX_SHIFT and min(keys) >= -half and max(keys) < half

    def uses(self, half: int) -> bool:
        return self.fits(half) and self.shared <= self.alone


def shared_table(clamps: Sequence[Clamp]) -> tuple[int, int] | None:
    """Half of the shared table's domain and the greatest shift of its users, where there is one."""
    best, found = sum(clamp.alone for clamp in clamps), None
    for half in DOMAINS:
        entries = 2**15 if half == DOMAINS[-1] else half
        cost = 6 * entries
        for clamp in clamps:
            cost += min(clamp.alone, clamp.shared) if clamp.fits(half) else clamp.alone
        if cost < best:
            best, found = cost, half
    if found is None:
        return None
    return found, max((clamp.shift for clamp in clamps if clamp.uses(found)), default=0)
