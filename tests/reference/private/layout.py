"""What the two vectors of a proof hold. Source: specs/private-mode.md, sections 2 and 5."""

from collections.abc import Sequence
from itertools import count

from reference.field import DEGREE, ZERO, Element, dot, equality, mul
from reference.hiding.shape import Other, Shape, Vector
from reference.hiding.terms import Term, basis, in_column
from reference.layers import log
from reference.reader import Rejected

_MIN_COLUMN = 8
_MAX_VECTOR = 28
_WEIGHTS = 1


def cut(cells: int) -> list[int]:
    """The variables of columns that hold so many cells."""
    found = []
    while cells > 0:
        variables = max(cells.bit_length() - 1, _MIN_COLUMN)
        found.append(variables)
        cells -= 1 << variables
    return found


def matrix_column(size: tuple[int, int]) -> int:
    """The variables of a matrix's column, that of the half included."""
    rows, columns = size
    return max(_MIN_COLUMN, log(rows) + log(columns)) + 1


def served(shape: Shape) -> int:
    """How many openings the half of the weights' vector serves."""
    joined = 1 << shape.vectors[_WEIGHTS].fold
    half = (1 << shape.rows) // 2
    each = shape.first.count + -(-DEGREE * (2 * shape.fold + 3) // joined)
    return (half - 1 - -(-DEGREE // joined)) // each


def shape_of(
    fresh: Sequence[int], matrices: Sequence[tuple[int, int]], profile: str, openings: int
) -> Shape:
    """The shape that serves so many openings. Raises: Rejected KEY_OPENINGS."""
    own = [matrix_column(size) for size in matrices]
    first = Shape(fresh, [Other(own, 0, sampled=False)], profile)
    for variables in count(first.vectors[_WEIGHTS].variables):
        if variables > _MAX_VECTOR:
            raise Rejected("KEY_OPENINGS", "no vector serves so many openings")
        filled = [*own, *cut((1 << variables) - sum(1 << column for column in own))]
        shape = Shape(fresh, [Other(filled, 0, sampled=False)], profile)
        vector = shape.vectors[_WEIGHTS]
        if vector.variables != variables or served(shape) < openings:
            continue
        if min(filled) <= vector.fold:
            raise Rejected("KEY_OPENINGS", "a column has no coordinate of the half")
        return shape
    raise AssertionError


def linear_in_pads(
    vector: Vector, first: int, weights: dict[int, Element], pads: int
) -> list[Term]:
    """Σ weights[i] · pad_i as terms of the fresh vector; pads begin at column `first`."""
    cells = [
        mul(weights.get(pad, ZERO), basis(limb)) for pad in range(pads) for limb in range(DEGREE)
    ]
    found, start = [], 0
    for number, variables in enumerate(cut(len(cells)), first):
        own = cells[start : start + (1 << variables)]
        start += 1 << variables
        found.append(in_column(vector, number, _listed(own)))
    return found


def _listed(weights: list[Element]) -> Term:
    return lambda point: dot(equality(point), weights)
