"""Einsum as diagonals, transpositions, sums, and one product of matrices after another."""

import math
from dataclasses import dataclass

import numpy as np

from inferproof.proving.sumcheck.lower.builder import row_major
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.dense import linear, product
from inferproof.proving.sumcheck.lower.movement import reshape, transpose
from inferproof.proving.sumcheck.lower.program import Step, numbers, unsupported
from inferproof.proving.sumcheck.lower.reduce import axes_last, total
from inferproof.proving.sumcheck.lower.value import Points, Value

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class _Operand:
    """A computed value or a constant, and a letter for each of its axes; no letter twice."""

    held: Value | Points
    term: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.held.shape

    def sizes(self) -> dict[str, int]:
        return dict(zip(self.term, self.shape, strict=True))


@lowers("Einsum")
def _einsum(c: Context, step: Step) -> Value:
    """The operands are multiplied from the left, two at a time."""
    shapes = [c.shape(name) for name in step.inputs]
    terms, right = _terms(step, shapes)
    operands = [_operand(c, step, place, term) for place, term in enumerate(terms)]
    operands = _without_ones(c, operands)
    made = operands[0]
    for place, other in enumerate(operands[1:], 2):
        later = "".join(item.term for item in operands[place:]) + right
        kept = "".join(x for x in dict.fromkeys(made.term + other.term) if x in later)
        made = _pair(c, step, made, other, kept)
    value = made.held if isinstance(made.held, Value) else c.embed(made.held)
    return _arranged(c, *_summed(c, value, made.term, right), right)


def _terms(step: Step, shapes: list[tuple[int, ...]]) -> tuple[list[str], str]:
    """The letters of each operand's axes and of the result's, ellipses written out."""
    equation = str(step.attributes["equation"]).replace(" ", "")
    left, arrow, right = equation.partition("->")
    parts = left.split(",")
    spare = [letter for letter in _LETTERS if letter not in equation]
    lengths = [
        len(shape) - len(part.replace("...", ""))
        for part, shape in zip(parts, shapes, strict=False)
        if "..." in part
    ]
    most = max(lengths, default=0)
    if len(parts) != len(shapes) or most > len(spare) or min(lengths, default=0) < 0:
        raise unsupported(step, f"its equation {equation} is not understood", "a plain equation")
    hidden = "".join(spare[:most])
    terms = []
    for part, shape in zip(parts, shapes, strict=True):
        count = len(shape) - len(part.replace("...", ""))
        terms.append(part.replace("...", hidden[most - count :] if count else ""))
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        right = "..." + "".join(sorted(x for x in set(letters) if letters.count(x) == 1))
    return terms, right.replace("...", hidden)


def _operand(c: Context, step: Step, place: int, term: str) -> _Operand:
    """The operand with the diagonal over each letter that is there twice."""
    array = c.constant(step.input(place))
    letters = "".join(dict.fromkeys(term))
    if array is not None:
        return _Operand(np.asarray(np.einsum(f"{term}->{letters}", numbers(array))), letters)
    x = c.value(step, place)
    if letters == term:
        return _Operand(x, term)
    strides = row_major(x.shape)
    sizes = dict(zip(term, x.shape, strict=True))
    steps = [sum(s for s, own in zip(strides, term, strict=True) if own == x) for x in letters]
    made = c.builder.view(x, tuple(sizes[letter] for letter in letters), 0, steps)
    return _Operand(made.with_(scale=x.scale, span=x.span), letters)


def _without_ones(c: Context, operands: list[_Operand]) -> list[_Operand]:
    """The operands without axes of size 1 that are longer in another: they are repeated."""
    sizes: dict[str, int] = {}
    for item in operands:
        for letter, size in item.sizes().items():
            sizes[letter] = max(size, sizes.get(letter, 1))
    found = []
    for item in operands:
        term = "".join(x for x, size in item.sizes().items() if size == sizes[x])
        shape = tuple(sizes[x] for x in term)
        if isinstance(item.held, Value):
            found.append(_Operand(reshape(c.builder, item.held, shape), term))
        else:
            found.append(_Operand(item.held.reshape(shape), term))
    return found


def _summed(c: Context, x: Value, term: str, kept: str) -> tuple[Value, str]:
    """x summed over the letters that are not kept."""
    gone = [place for place, letter in enumerate(term) if letter not in kept]
    if not gone:
        return x, term
    made = total(c, axes_last(c, x, gone), len(gone))
    return made, "".join(letter for letter in term if letter in kept)


def _arranged(c: Context, x: Value, term: str, wanted: str) -> Value:
    return transpose(c.builder, x, [term.index(letter) for letter in wanted])


def _pair(c: Context, step: Step, first: _Operand, second: _Operand, right: str) -> _Operand:
    """The product of two operands, summed over the letters that are not in the result."""
    sizes = first.sizes() | second.sizes()
    a, b = first.held, second.held
    if not isinstance(a, Value) and not isinstance(b, Value):
        equation = f"{first.term},{second.term}->{right}"
        return _Operand(np.asarray(np.einsum(equation, a, b)), right)
    batch = "".join(x for x in first.term if x in second.term and x in right)
    inner = "".join(x for x in first.term if x in second.term and x not in right)
    if not batch and inner:
        if isinstance(a, Value) and not isinstance(b, Value):
            return _with_weights(c, step, a, first.term, b, second.term, right, inner, sizes)
        if isinstance(b, Value) and not isinstance(a, Value):
            return _with_weights(c, step, b, second.term, a, first.term, right, inner, sizes)
    values, outer = [], []
    for place, (item, other) in enumerate(((first, second), (second, first))):
        held = item.held if isinstance(item.held, Value) else c.embed(item.held)
        value, left = _summed(c, held, item.term, other.term + right)
        alone = "".join(x for x in left if x not in other.term)
        order = batch + (alone + inner if place == 0 else inner + alone)
        rows, depth = (math.prod(sizes[x] for x in part) for part in (alone, inner))
        shape = (*(sizes[x] for x in batch), *((rows, depth) if place == 0 else (depth, rows)))
        values.append(reshape(c.builder, _arranged(c, value, left, order), shape))
        outer.append(alone)
    made = product(c, *values)
    letters = batch + outer[0] + outer[1]
    return _Operand(reshape(c.builder, made, tuple(sizes[x] for x in letters)), letters)


def _with_weights(
    c: Context,
    step: Step,
    x: Value,
    other: str,
    array: Points,
    term: str,
    right: str,
    inner: str,
    sizes: dict[str, int],
) -> _Operand:
    """One operand is constant and nothing is repeated: the constant becomes committed weights."""
    gone = [place for place, letter in enumerate(term) if letter not in other + right]
    array = array.sum(axis=tuple(gone))
    term = "".join(letter for letter in term if letter in other + right)
    outer = "".join(letter for letter in term if letter not in inner)
    array = array.transpose([term.index(letter) for letter in outer + inner])
    matrix = array.reshape(-1, math.prod(sizes[letter] for letter in inner))
    value, left = _summed(c, x, other, term + right)
    rows = "".join(letter for letter in left if letter not in inner)
    flat = _arranged(c, value, left, rows + inner)
    flat = reshape(c.builder, flat, (*(sizes[letter] for letter in rows), matrix.shape[1]))
    made = linear(c, step, flat, matrix, None, final=False)
    letters = rows + outer
    return _Operand(reshape(c.builder, made, tuple(sizes[x] for x in letters)), letters)
