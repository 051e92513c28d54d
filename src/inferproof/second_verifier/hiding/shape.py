"""Shape and schedule of an opening. Source: specs/hiding-opening.md, sections 2 and 3."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

from inferproof.second_verifier.blake3 import blake3
from inferproof.second_verifier.field import Element, canonical, equality_at, internal, lift
from inferproof.second_verifier.keccak import keccak256

MASK_CLAIMS, PLANES = 3, 5


@dataclass(frozen=True)
class Place:
    variables: int
    slot: int


def _log(number: int) -> int:
    return (number - 1).bit_length()


def bits_of(number: int, width: int) -> list[Element]:
    return [lift(number >> bit & 1) for bit in reversed(range(width))]


def _placed(variables: Sequence[int], least: int) -> tuple[list[Place], int]:
    """Section 2, "Placing": the places, and the variables of the stack."""
    order = sorted(range(len(variables)), key=lambda index: -variables[index])
    cells, free = [0] * len(variables), 0
    for index in order:
        cells[index] = free
        free += 1 << variables[index]
    whole = max(_log(free), least)
    places = []
    for own, cell in zip(variables, cells, strict=True):
        width = whole - own
        slot = f"{cell >> own:0{width}b}"[::-1] if width else "0"
        places.append(Place(own, int(slot, 2)))
    return places, whole


def first_fold(size: int) -> int:
    """The variables that are folded first, of a largest vector of so many."""
    return 6 if size <= 21 else 7 if size <= 23 else 8


@dataclass(frozen=True)
class Other:
    columns: list[int]
    openings: int
    sampled: bool


@dataclass
class Vector:
    columns: list[Place]
    variables: int
    fold: int
    mask: str
    own: int
    sampled: bool
    slot: int = 0

    @property
    def width(self) -> int:
        """Elements of a leaf: section 4."""
        columns = 1 << self.fold
        return columns + (PLANES if self.mask == "block" else 0) + max(0, 9 - columns)


@dataclass(frozen=True)
class Queries:
    count: int
    work: int


@dataclass(frozen=True)
class Code:
    fold: int
    rate: int
    queries: Queries


@dataclass(frozen=True)
class Aim:
    """What is chosen by: bits of a term and of work, the first rate, the longest later code."""

    term_bits: int
    work_bits: int
    rate: int
    later: int | None


def _lines(rows: int) -> int:
    return max(28 - rows, 0) * 2 // 5


class Shape:
    """Sections 2 and 3."""

    def __init__(self, fresh: Sequence[int], others: Sequence[Other], profile: str) -> None:
        self._begin(profile, others)
        columns = [list(fresh), *(other.columns for other in others)]
        size = max(13, *(_placed(own, 0)[1] for own in columns))
        while True:
            self.rows = size - first_fold(size)
            self._lay(fresh, others)
            needed = max(vector.variables for vector in self.vectors)
            if needed <= size:
                break
            size = needed
        least = 4 if self.rows <= 8 else 2 if self.rows <= 16 else 1
        if self.evm:
            least = 6 if self.rows <= 12 else 4 if self.rows <= 16 else 1
        self._schedule(Aim(104, 18 if self.evm else 13, least, None))

    @classmethod
    def of_rows(
        cls, fresh: Sequence[int], others: Sequence[Other], rows: int, profile: str
    ) -> "Shape":
        """That of openings which are made seldom, with 2^rows rows."""
        shape = cls.__new__(cls)
        shape._begin(profile, others)
        shape.rows = rows
        shape._lay(fresh, others)
        columns = [list(fresh), *(other.columns for other in others)]
        size = max(rows + 2, *(_placed(own, 0)[1] for own in columns))
        bits = 107 + max(0, size - 24)
        shape._schedule(Aim(bits, 18, max(2, min(8, 21 - rows, 24 - size, _lines(rows))), 18))
        return shape

    def _begin(self, profile: str, others: Sequence[Other]) -> None:
        self.johnson = profile != "conservative"
        self.evm = profile == "evm"
        self.digest: Callable[[bytes], bytes] = keccak256 if self.evm else blake3
        self.encoded: Callable[[int], bytes] = canonical if self.evm else internal
        self.openings = max([1, *(other.openings for other in others)])

    def _lay(self, fresh: Sequence[int], others: Sequence[Other]) -> None:
        self.fold = 0
        while True:
            block = [*fresh, *[self.fold + 2] * PLANES]
            pad = next(p for p in count(3) if self._stack([*block, p])[1] - self.rows <= p)
            self.vectors = [self._vector([*block, pad], "block", len(fresh), sampled=True)]
            for other in others:
                own, kind = list(other.columns), "half"
                if other.openings:
                    cells = 2 * PLANES * (2 * self.fold + MASK_CLAIMS) * other.openings
                    kind = "column"
                    for mask in count(max(_log(cells), 3)):
                        if self._stack([*own, mask])[1] - self.rows <= mask:
                            own.append(mask)
                            break
                self.vectors.append(
                    self._vector(own, kind, len(other.columns), sampled=other.sampled)
                )
            places, whole = _placed([vector.fold for vector in self.vectors], self.fold)
            for vector, place in zip(self.vectors, places, strict=True):
                vector.slot = place.slot
            if whole == self.fold:
                return
            self.fold = whole

    def _stack(self, columns: Sequence[int]) -> tuple[list[Place], int]:
        return _placed(columns, self.rows + 2)

    def _vector(self, columns: Sequence[int], mask: str, own: int, *, sampled: bool) -> Vector:
        places, whole = self._stack(columns)
        return Vector(places, whole, whole - self.rows, mask, own, sampled)

    def _queries(self, dimension: int, length: int) -> Queries | None:
        rate = dimension / length
        bits = -math.log2(1.05 * math.sqrt(rate)) if self.johnson else -math.log2((1 + rate) / 2)
        most = self.aim.term_bits - self.aim.work_bits
        return Queries(math.ceil(most / bits), 0) if bits > 0 else None

    def _with_work(self, queries: int, dimension: int, length: int) -> Queries:
        rate = dimension / length
        bits = -math.log2(1.05 * math.sqrt(rate)) if self.johnson else -math.log2((1 + rate) / 2)
        return Queries(queries, max(0, math.ceil(self.aim.term_bits - queries * bits)))

    def _first(self, rate: int) -> Queries | None:
        length, queries = 1 << (self.rows + rate), 0
        while True:
            dimension = (1 << self.rows) + self.openings * queries + 1
            if 8 * dimension > 3 * length:
                return None
            needed = self._queries(dimension, length)
            if needed is None:
                return None
            if needed.count <= queries:
                return self._with_work(queries, dimension, length)
            queries = needed.count

    def _schedule(self, aim: Aim) -> None:
        self.aim = aim
        found = ((rate, self._first(rate)) for rate in range(aim.rate, 9))
        self.rate, queries = next((rate, first) for rate, first in found if first)
        self.first = queries
        fold = 3 if 9 <= self.rows <= 12 and not self.evm else 4
        left, self.codes = self.rows, list[Code]()
        while left > 6:
            rate = self.rate + 2 + (fold - 1) * len(self.codes)
            left -= fold
            if aim.later is not None:
                rate = min(rate, max(3, min(aim.later - left, _lines(left))))
            elif self.rows > 16:
                rate = min(rate, 10)
            self.codes.append(Code(fold, rate, queries))
            needed = self._queries(1 << left, 1 << (left + rate))
            if needed is None:
                raise ValueError("no number of queries has the bits")
            queries = self._with_work(needed.count, 1 << left, 1 << (left + rate))
        self.end, self.last = queries, left
        self.tails = self.openings * self.first.count + 1

    def part(self, vector: Vector, point: Sequence[Element]) -> tuple[list[Element], Element]:
        """A vector's part of a joint point, and its weight there."""
        slot = point[vector.fold : self.fold]
        own = [*point[: vector.fold], *point[self.fold :]]
        return own, equality_at(slot, bits_of(vector.slot, len(slot)))
