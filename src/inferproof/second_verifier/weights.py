"""How weight matrices are cut. Source: specs/sumcheck-proof.md, section 6."""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.second_verifier.field import ONE, ZERO, Element, equality_at, mul

Part = tuple[int, int]
"""Offset, and logarithm of the length."""
Point = Sequence[Element]

_MIN_BLOCK = 9


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
