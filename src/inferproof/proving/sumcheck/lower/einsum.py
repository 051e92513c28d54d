"""Einsum of one or two operands as transpositions, sums and one product of matrices."""

import math

from inferproof.proving.sumcheck.lower.context import Context
from inferproof.proving.sumcheck.lower.dense import linear, product
from inferproof.proving.sumcheck.lower.movement import reshape, transpose
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.reduce import axes_last, total
from inferproof.proving.sumcheck.lower.value import Value


def einsum(c: Context, step: Step) -> Value:
    """The operator's result.

    Raises: ModelRejected LOWERING_UNSUPPORTED for diagonals, ellipses and more than two operands.
    """
    equation = step.attributes["equation"].replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if not arrow:
        letters = left.replace(",", "")
        right = "".join(sorted(x for x in set(letters) if letters.count(x) == 1))
    if "." in equation or any(len(set(term)) != len(term) for term in terms) or len(terms) > 2:
        raise unsupported(
            step,
            f"its equation {equation} has an ellipsis, a repeated letter or many operands",
            "one or two operands without a diagonal",
        )
    if len(terms) == 1:
        return _arranged(c, *_summed(c, c.value(step, 0), terms[0], right), right)
    return _pair(c, step, terms, right)


def _summed(c: Context, x: Value, term: str, kept: str) -> tuple[Value, str]:
    """x summed over the letters that are not kept."""
    gone = [place for place, letter in enumerate(term) if letter not in kept]
    if not gone:
        return x, term
    made = total(c, axes_last(c, x, gone), len(gone))
    return made, "".join(letter for letter in term if letter in kept)


def _arranged(c: Context, x: Value, term: str, wanted: str) -> Value:
    return transpose(c.builder, x, [term.index(letter) for letter in wanted])


def _pair(c: Context, step: Step, terms: list[str], right: str) -> Value:
    first, second = terms
    arrays = [c.constant(step.input(place)) for place in (0, 1)]
    sizes = {
        letter: size
        for place, term in enumerate(terms)
        for letter, size in zip(term, c.shape(step.input(place)), strict=True)
    }
    batch = "".join(x for x in first if x in second and x in right)
    inner = "".join(x for x in first if x in second and x not in right)
    if not batch and inner and (arrays[0] is None) != (arrays[1] is None):
        return _with_weights(c, step, terms, right, inner, sizes)
    values, outer = [], []
    for place, term in enumerate(terms):
        other = terms[1 - place]
        value, left = _summed(c, c.value(step, place), term, other + right)
        alone = "".join(x for x in left if x not in other)
        order = batch + (alone + inner if place == 0 else inner + alone)
        rows, depth = (math.prod(sizes[x] for x in part) for part in (alone, inner))
        shape = (*(sizes[x] for x in batch), *((rows, depth) if place == 0 else (depth, rows)))
        values.append(reshape(c.builder, _arranged(c, value, left, order), shape))
        outer.append(alone)
    made = product(c, *values)
    letters = batch + outer[0] + outer[1]
    return _arranged(c, reshape(c.builder, made, tuple(sizes[x] for x in letters)), letters, right)


def _with_weights(
    c: Context, step: Step, terms: list[str], right: str, inner: str, sizes: dict[str, int]
) -> Value:
    """One operand is constant and nothing is repeated: the constant becomes committed weights."""
    held = 1 if c.constant(step.input(1)) is not None else 0
    array = numbers(c.needed(step, held, "constant"))
    term, other = terms[held], terms[1 - held]
    gone = [place for place, x in enumerate(term) if x not in other + right]
    array = array.sum(axis=tuple(gone))
    term = "".join(x for x in term if x in other + right)
    outer = "".join(x for x in term if x not in inner)
    array = array.transpose([term.index(x) for x in outer + inner])
    matrix = array.reshape(-1, math.prod(sizes[x] for x in inner))
    value, left = _summed(c, c.value(step, 1 - held), other, term + right)
    rows = "".join(x for x in left if x not in inner)
    flat = _arranged(c, value, left, rows + inner)
    flat = reshape(c.builder, flat, (*(sizes[x] for x in rows), matrix.shape[1]))
    made = linear(c, step, flat, matrix, None)
    letters = rows + outer
    return _arranged(c, reshape(c.builder, made, tuple(sizes[x] for x in letters)), letters, right)
