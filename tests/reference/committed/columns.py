"""How columns lie in one committed polynomial.

Source: specs/committed-mode.md, sections 8 and 9.
"""

from collections.abc import Sequence

from reference.field import Element
from reference.layers import log
from reference.reader import Rejected
from reference.weights import bits

_MIN_STACK = 13
_MAX_STACK = 28
_MAX_COLUMNS = 2**14
_MAX_CLAIMS = 2**15


class ColumnStack:
    """One table for all columns; a claim about a column is one about the table."""

    def __init__(self, variables: Sequence[int]) -> None:
        self._columns = list(variables)
        self._cells = [0] * len(variables)
        free = 0
        for index in sorted(range(len(variables)), key=lambda index: -variables[index]):
            self._cells[index] = free
            free += 1 << variables[index]
        if len(variables) > _MAX_COLUMNS or free > 1 << _MAX_STACK:
            raise Rejected("KEY_COLUMNS", "too many columns")
        self.variables = max(log(free), _MIN_STACK)
        self.tables = [self.variables]
        self.placed = [0]

    def claim(self, column: int, point: Sequence[Element]) -> list[Element]:
        """The point of the stack that belongs to a point of a column."""
        own = self._columns[column]
        slot = bits(self._cells[column] >> own, self.variables - own)
        return [*point, *reversed(slot)]

    def lifted(self, _table: int, point: Sequence[Element]) -> list[Element]:
        """A claim's point is one of the whole stack already."""
        return list(point)


def check_claims(count: int) -> None:
    """Raises: Rejected KEY_COLUMNS where there are too many to be opened."""
    if count > _MAX_CLAIMS:
        raise Rejected("KEY_COLUMNS", "too many claims")
