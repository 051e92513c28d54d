"""What the vectors of a proof hold.

Source: specs/private-mode.md, sections 2 and 5, and specs/private-input.md, section 4.
"""

from collections.abc import Callable, Sequence
from itertools import count, product

from inferproof.second_verifier.field import DEGREE, ZERO, Element, dot, equality, mul
from inferproof.second_verifier.hiding.shape import Other, Shape, Vector, first_fold
from inferproof.second_verifier.hiding.terms import Term, basis, in_column
from inferproof.second_verifier.layers import log
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.weights import Block, parts

_MIN_COLUMN = 8
_MAX_VECTOR = 28
_WEIGHTS = 1
_MOST_ROWS = 23
_LEAST_ROWS = 7
_MAX_PARTS = 4
_MAX_BLOCKS = 2048
_ATTEMPTS = 8


def cut(cells: int) -> list[int]:
    """The variables of columns that hold so many cells."""
    found = []
    while cells > 0:
        variables = max(cells.bit_length() - 1, _MIN_COLUMN)
        found.append(variables)
        cells -= 1 << variables
    return found


def blocks(matrices: Sequence[tuple[int, int]]) -> list[Block]:
    """The blocks of all matrices, of as few parts a side as take the fewest variables."""
    best: list[Block] = []
    for most in range(1, _MAX_PARTS + 1):
        found = [
            block for matrix, size in enumerate(matrices) for block in _smallest(matrix, size, most)
        ]
        fits = len(found) <= _MAX_BLOCKS
        if most == 1 or (fits and log(_cells(found)) < log(_cells(best))):
            best = found
    return best


def _smallest(matrix: int, size: tuple[int, int], most: int) -> list[Block]:
    """A matrix in the fewest cells, and of these the fewest blocks."""
    rows, columns = size
    numbers = range(1, most + 1)
    choices = [
        [Block(matrix, *own) for own in product(parts(rows, tall), parts(columns, wide))]
        for tall, wide in product(numbers, numbers)
    ]
    return min(choices, key=lambda own: (_cells(own), len(own)))


def _cells(own: Sequence[Block]) -> int:
    return sum(1 << block.variables for block in own)


def columns_of(matrices: Sequence[Block], parameters: Sequence[Sequence[int]]) -> list[int]:
    """The variables of the columns of blocks, and of parameters of these shapes; the half apart."""
    shapes = [max(sum(map(log, shape)), _MIN_COLUMN) for shape in parameters]
    return [block.variables for block in matrices] + shapes


def served(shape: Shape) -> int:
    """How many openings the half of the weights' vector serves."""
    joined = 1 << shape.vectors[_WEIGHTS].fold
    half = (1 << shape.rows) // 2
    each = shape.first.count + -(-DEGREE * (2 * shape.fold + 3) // joined)
    return (half - 1 - -(-DEGREE // joined)) // each


def shape_of_links(weights: Sequence[int], profile: str, openings: int) -> Shape:
    """The shape with the fewest rows that serve so many links. Raises: Rejected KEY_OPENINGS."""
    own = [column + 1 for column in weights]
    cells = sum(1 << column for column in own)
    least = log(cells) - first_fold(log(cells))
    for rows in range(max(_LEAST_ROWS, least), _MOST_ROWS + 1):
        variables = max(log(cells), rows + 2)
        if variables > _MAX_VECTOR:
            break
        filled = [*own, *cut((1 << variables) - cells)]
        other = Other(filled, 0, sampled=False)
        shape = Shape.of_rows([_MIN_COLUMN], [other], rows, profile)
        if served(shape) >= openings:
            return shape
    raise Rejected("KEY_OPENINGS", "no vector serves so many openings")


def inputs_beside(shapes: Sequence[Sequence[int]]) -> Other:
    """The vector of private inputs."""
    columns = [max(sum(map(log, shape)), _MIN_COLUMN) for shape in shapes]
    return Other(columns, _ATTEMPTS, sampled=True)


def shape_of_proofs(
    fresh: Sequence[int],
    weights: Sequence[int],
    profile: str,
    openings: int,
    inputs: Sequence[Other] = (),
) -> Shape:
    """The shape that serves so many proofs. Raises: Rejected KEY_OPENINGS."""

    def shape(columns: list[int]) -> Shape:
        return Shape(fresh, [Other(columns, 0, sampled=False), *inputs], profile)

    return _serving(weights, openings, shape)


def shape_of_ranges(fresh: Sequence[int], weights: Sequence[int], profile: str) -> Shape:
    """The shape of a proof of ranges. Raises: Rejected KEY_OPENINGS."""

    def shape(columns: list[int]) -> Shape:
        others = [Other(columns, 0, sampled=False)]
        return Shape.of_rows(fresh, others, Shape(fresh, others, profile).rows, profile)

    return _serving(weights, 1, shape)


def _serving(
    weights: Sequence[int], openings: int, shape_of: Callable[[list[int]], Shape]
) -> Shape:
    """The shape of the smallest vector of weights that serves so many openings."""
    own = [column + 1 for column in weights]
    first = shape_of(own)
    for variables in count(first.vectors[_WEIGHTS].variables):
        if variables > _MAX_VECTOR:
            raise Rejected("KEY_OPENINGS", "no vector serves so many openings")
        filled = [*own, *cut((1 << variables) - sum(1 << column for column in own))]
        shape = shape_of(filled)
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
