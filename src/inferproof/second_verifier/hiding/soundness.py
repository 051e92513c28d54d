"""Provable bits of an opening, added up from specs/hiding-opening.md, section 9.

Probabilities are kept as log2; there are more than 2^154 challenges.
"""

from math import log2

from inferproof.second_verifier.hiding.shape import MASK_CLAIMS, Queries, Shape

FIELD = 154


class _Code:
    """A Reed-Solomon code of a dimension and a length."""

    def __init__(self, shape: Shape, dimension: int, length: int) -> None:
        self._johnson, self._length = shape.johnson, length
        self._rate = dimension / length

    @property
    def candidates(self) -> float:
        """log2 of Λ."""
        return log2(10 / self._rate) if self._johnson else 0.0

    @property
    def line(self) -> float:
        """Challenges for which a line between far words meets the code: L."""
        if not self._johnson:
            return log2(self._length) - FIELD
        rate = self._rate
        near = 3 * 10.5 * (1 - 1.05 * rate**0.5) * rate
        count = (2 * 10.5**5 + near) / (3 * rate**1.5) * self._length + 10.5 / rate**0.5
        return log2(count) - FIELD

    def chance(self, count: int) -> float:
        """So many chances for each candidate."""
        return log2(count) + self.candidates - FIELD

    def pair(self, degree: float) -> float:
        """That two candidates agree at a point; log2 of the degree is given."""
        return 2 * self.candidates - 1 + degree - FIELD

    def missed(self, queries: Queries) -> float:
        """That no query meets a place where a far word differs."""
        bits = 1.05 * self._rate**0.5 if self._johnson else (1 + self._rate) / 2
        return queries.count * log2(bits) - queries.work


def first_code(shape: Shape) -> _Code:
    """That of the commitments."""
    return _Code(shape, (1 << shape.rows) + shape.tails, 1 << (shape.rows + shape.rate))


def opening(shape: Shape) -> dict[str, float]:
    """log2 of each term."""
    code, samples = first_code(shape), int(shape.johnson)
    found = {}
    if samples:
        found["vectors: out-of-domain answer"] = code.pair(log2(shape.fold + shape.rows))
    values = MASK_CLAIMS * len(shape.vectors) + samples
    found["vectors: batching of claims"] = code.chance(values)
    found["vectors: proximity of folds"] = log2(shape.fold) + code.line
    found["vectors: sumcheck of folds"] = code.chance(2 * shape.fold)
    found["pad: proximity of R + γ·f"] = code.line
    found["pad: claim of R + γ·f"] = code.chance(1)
    left = shape.rows
    for number, later in enumerate(shape.codes, 1):
        name, start = f"round {number}", left
        found[f"{name}: queries"] = code.missed(later.queries)
        left -= later.fold
        code = _Code(shape, 1 << left, 1 << (left + later.rate))
        if samples:
            found[f"{name}: out-of-domain answer"] = code.pair(start)
        found[f"{name}: batching"] = code.chance(later.queries.count + samples)
        found[f"{name}: proximity of folds"] = log2(later.fold) + code.line
        found[f"{name}: sumcheck of folds"] = code.chance(2 * later.fold)
    found["end: queries"] = code.missed(shape.end)
    if left:
        found["end: sumcheck"] = code.chance(2 * left)
    return found
