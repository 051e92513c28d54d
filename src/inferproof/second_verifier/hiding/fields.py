"""The bytes of an opening, walked through by their lengths. Source: specs/hiding-opening.md, 7."""

from inferproof.second_verifier.hiding.shape import MASK_CLAIMS, PLANES, Queries, Shape
from inferproof.second_verifier.reader import Reader


def walk(shape: Shape, source: Reader) -> None:
    """Reads a whole opening and notes its fields. Raises: Rejected PROOF_MALFORMED."""
    source.field("opening: values of masks")
    source.elements(MASK_CLAIMS * len(shape.vectors))
    source.field("opening: padded answer")
    source.elements(int(shape.johnson))
    source.field("opening: first fold")
    source.elements(2 * shape.fold)
    source.field("opening: claim of the pad")
    source.element()
    source.field("opening: tail")
    source.elements(shape.tails)
    widths = [vector.width for vector in shape.vectors]
    depth, left = shape.rows + shape.rate, shape.rows
    for code in shape.codes:
        source.field("opening: root")
        source.take(32)
        source.field("opening: answers")
        source.elements(int(shape.johnson))
        _leaves(source, code.queries, widths, depth)
        source.field("opening: fold")
        source.elements(2 * code.fold)
        widths, left = [PLANES << code.fold], left - code.fold
        depth = left + code.rate
    source.field("opening: last polynomial")
    source.elements(1 << shape.last)
    _leaves(source, shape.end, widths, depth)
    source.field("opening: last fold")
    source.elements(2 * shape.last)


def _leaves(source: Reader, queries: Queries, widths: list[int], depth: int) -> None:
    source.field("opening: work")
    if queries.work:
        source.base()
    rows = min(queries.count, 1 << depth)
    for width in widths:
        source.field("opening: leaves")
        for _ in range(rows * width):
            source.base()
        source.field("opening: count of siblings")
        siblings = source.unsigned(4)
        if siblings > rows * depth:
            raise source.reject("too many siblings")
        source.field("opening: siblings")
        source.take(32 * siblings)
