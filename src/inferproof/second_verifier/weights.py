"""How weight matrices lie in one stacked polynomial.

Source: specs/sumcheck-proof.md, section 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.second_verifier.field import ONE, ZERO, Element, add, equality_at, mul
from inferproof.second_verifier.layers import log
from inferproof.second_verifier.reader import Rejected

Part = tuple[int, int]
"""Offset, and logarithm of the length."""
Point = Sequence[Element]

_MIN_BLOCK = 9
_MIN_STACK = 13
_MAX_STACK = 28
_MANY_BLOCKS = 512
_MAX_BLOCKS = 2048


def parts(length: int, most: int) -> list[Part]:
    """At most `most` parts of a side; the last one may reach beyond."""
    covered = length
    while covered.bit_count() > most:
        covered += covered & -covered
    found, offset = [], 0
    for bit in reversed(range(covered.bit_length())):
        if covered >> bit & 1:
            found.append((offset, bit))
            offset += 1 << bit
    return found


def bits(value: int, count: int) -> list[Element]:
    """The bits of a number as a point, the most significant first."""
    return [ONE if value >> place & 1 else ZERO for place in reversed(range(count))]


@dataclass(frozen=True)
class Block:
    matrix: int
    rows: Part
    columns: Part

    @property
    def variables(self) -> int:
        return max(self.rows[1] + self.columns[1], _MIN_BLOCK)

    def at(self, rows: Point, columns: Point) -> tuple[list[Element], Element]:
        """The block's own point, and its weight in the matrix, at a point of the matrix."""
        row_weight, row_point = _within(rows, self.rows)
        column_weight, column_point = _within(columns, self.columns)
        padding = self.variables - len(row_point) - len(column_point)
        return [ZERO] * padding + row_point + column_point, mul(row_weight, column_weight)


def _within(point: Point, part: Part) -> tuple[Element, list[Element]]:
    offset, size = part
    high, low = list(point[: len(point) - size]), list(point[len(point) - size :])
    return equality_at(high, bits(offset >> size, len(high))), low


class Stack:
    """All blocks in order, and the slot of each."""

    def __init__(self, sizes: Sequence[tuple[int, int]]) -> None:
        for most in (3, 2, 1):
            self.blocks = [
                Block(matrix, rows, columns)
                for matrix, (height, width) in enumerate(sizes)
                for rows in parts(height, most)
                for columns in parts(width, most)
            ]
            if len(self.blocks) <= _MANY_BLOCKS:
                break
        if len(self.blocks) > _MAX_BLOCKS:
            raise Rejected("KEY_COMMITMENT", "too many blocks")
        self.tables = [block.variables for block in self.blocks]
        cells = sum(1 << table for table in self.tables)
        if cells <= 1 << (_MIN_STACK - 1):
            self.tables.append(_MIN_STACK - 1)
            cells += 1 << (_MIN_STACK - 1)
        if cells > 1 << _MAX_STACK:
            raise Rejected("KEY_COMMITMENT", "too many weights")
        self.variables = log(cells)
        # Falling variables, and falling index among equals.
        order = sorted(range(len(self.tables)), key=lambda table: (self.tables[table], table))
        self.placed = order[::-1]
        self._cells: dict[int, int] = {}
        free = 0
        for table in self.placed:
            self._cells[table] = free
            free += 1 << self.tables[table]

    def lifted(self, table: int, point: Point) -> list[Element]:
        """A point of one table as one of the whole stack."""
        slot = self._cells[table] >> self.tables[table]
        selector = bits(slot, self.variables - self.tables[table])
        return [*point, *reversed(selector)]

    def matrices(self, weights: Sequence[Element], values: Sequence[Element]) -> list[Element]:
        """The values of the matrices, from weights and values of their blocks."""
        found = [ZERO] * (1 + max(block.matrix for block in self.blocks))
        for block, weight, value in zip(self.blocks, weights, values, strict=True):
            found[block.matrix] = add(found[block.matrix], mul(weight, value))
        return found
