"""Integers beyond the field, as polynomials.

Source: specs/relations.md, section 3, "Integers".

A polynomial is the list of its coefficients, the lowest first; of what is committed to, each
coefficient has a range: its least and its greatest value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from inferproof.second_verifier.field import P

PIECE = 13
B = 1 << PIECE

Range = tuple[int, int]
Ranges = list[Range]


def bits_of(most: int) -> int:
    """Bits that 0 … most take, at least one."""
    return max(most.bit_length(), 1)


def digits(number: int) -> list[int]:
    """Coefficients whose value at B is the number, all of its sign."""
    sign, left = (-1 if number < 0 else 1), abs(number)
    found = []
    while True:
        found.append(sign * (left % B))
        left //= B
        if not left:
            return found


@dataclass(frozen=True)
class Span:
    """base … base + 2^bits - 1: what can be stored of a number."""

    base: int
    bits: int

    @property
    def range(self) -> Range:
        return self.base, self.base + (1 << self.bits) - 1

    @property
    def pieces(self) -> list[int]:
        """The bits of each piece."""
        return [min(PIECE, self.bits - start) for start in range(0, self.bits, PIECE)]

    @property
    def ranges(self) -> Ranges:
        """Those of its coefficients."""
        return added(fixed(digits(self.base)), [(0, (1 << bits) - 1) for bits in self.pieces])


def span(lo: int, hi: int) -> Span:
    """Where the integers lo … hi, and 0, are stored."""
    lo, hi = min(lo, 0), max(hi, 0)
    round_ = lo // B * B
    base = round_ if bits_of(hi - round_) == bits_of(hi - lo) else lo
    return Span(base, bits_of(hi - base))


def fixed(coefficients: Sequence[int]) -> Ranges:
    return [(c, c) for c in coefficients]


def added(a: Ranges, b: Ranges) -> Ranges:
    pairs = zip_longest(a, b, fillvalue=(0, 0))
    return [(x[0] + y[0], x[1] + y[1]) for x, y in pairs]


def scaled(a: Ranges, factor: int) -> Ranges:
    return [product_range(own, (factor, factor)) for own in a]


def product_range(a: Range, b: Range) -> Range:
    ends = [x * y for x in a for y in b]
    return min(ends), max(ends)


def multiplied(a: Ranges, b: Ranges) -> Ranges:
    """The coefficients of a product."""
    sums: Ranges = [(0, 0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            sums = added(sums, [(0, 0)] * (i + j) + [product_range(x, y)])
    return sums


def carries(n: Ranges) -> list[Span] | None:
    """Where the carries of N are stored, None where a coefficient can wrap around."""
    *lower, _ = n
    found: Ranges = []
    low = high = 0
    for least, most in lower:
        low, high = -(-(least + low) // B), (most + high) // B
        found.append((low, high))
    after = (0, 0)
    for m in reversed(range(len(lower))):
        least, most = n[m + 1]
        after = (
            max(found[m][0], B * after[0] - most),
            min(found[m][1], B * after[1] - least),
        )
        found[m] = after
    stored = [Span(low, bits_of(max(high - low, 0))) for low, high in found]
    own = [*(span_.range for span_ in stored), (0, 0)]
    before = [(0, 0), *own]
    for (least, most), c, c_before in zip(n, own, before, strict=False):
        if least - B * c[1] + c_before[0] <= -P or most - B * c[0] + c_before[1] >= P:
            return None
    return stored
