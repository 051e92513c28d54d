"""Integers at a point: closed forms where they lie on few lines, else one instruction."""

from collections.abc import Sequence

from inferproof.second_verifier.field import ZERO, Element, lift
from inferproof.second_verifier.program import nodes
from inferproof.second_verifier.program.nodes import Equality, Given, add, known, mul, sub

_FEW = 4
"""Integers that are summed one by one."""
_LEVEL = 3000
"""Gas of a level of a closed form, and of an integer of a sum."""
_INTEGER = 70


def below(point: Sequence[object], number: int) -> object:
    """Σ eq(point, j) over j < number."""
    if number >= 1 << len(point):
        return (1, 0, 0, 0, 0)
    if number == 0:
        return ZERO
    first, rest = point[0], point[1:]
    half = 1 << len(rest)
    one: Element = (1, 0, 0, 0, 0)
    if number <= half:
        return mul(sub(one, first), below(rest, number))
    return add(sub(one, first), mul(first, below(rest, number - half)))


def indices(point: Sequence[object], number: int) -> object:
    """Σ eq(point, j)·j over j < number."""
    if number >= 1 << len(point):
        result: object = ZERO
        for place, x in enumerate(reversed(point)):
            result = add(result, nodes.scale(x, 1 << place))
        return result
    if number == 0:
        return ZERO
    first, rest = point[0], point[1:]
    half = 1 << len(rest)
    one: Element = (1, 0, 0, 0, 0)
    if number <= half:
        return mul(sub(one, first), indices(rest, number))
    above = add(indices(rest, number - half), nodes.scale(below(rest, number - half), half))
    return add(mul(sub(one, first), indices(rest, half)), mul(first, above))


def _lines(values: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """The pieces of a sequence that lie on lines: first and last index but one, value, step."""
    found, start = [], 0
    while start < len(values):
        end = start + 1
        step = values[end] - values[start] if end < len(values) else 0
        while end < len(values) and values[end] - values[end - 1] == step:
            end += 1
        found.append((start, end, values[start], step))
        start = end
    return found


def evaluate(values: Sequence[int] | Given, point: Sequence[object]) -> object:
    """Σ eq(point, j)·values[j]."""
    if isinstance(values, Given):
        return known("given", *point, data=(values.offset, len(values)))  # type: ignore[arg-type]
    values = list(values)
    lines = _lines(values)
    dense = len(values) * _INTEGER
    if len(values) <= _FEW:
        table = Equality(point)
        pairs = zip(table, values, strict=False)
        return _sum(nodes.scale(weight, value) for weight, value in pairs)
    if len(lines) * len(point) * _LEVEL < dense:
        return _sum(_line(point, *line) for line in lines)
    least = min(values)
    above = known("data", *point, data=tuple(value - least for value in values))  # type: ignore[arg-type]
    return add(above, nodes.scale(below(point, len(values)), least))


def _line(point: Sequence[object], start: int, end: int, first: int, step: int) -> object:
    among = sub(below(point, end), below(point, start))
    result = nodes.scale(among, first - step * start)
    if step:
        places = sub(indices(point, end), indices(point, start))
        result = add(result, nodes.scale(places, step))
    return result


def _sum(terms: object) -> object:
    result: object = ZERO
    for term in terms:  # type: ignore[attr-defined]
        result = add(result, term)
    return result


def dot_integers(weights: Sequence[object], values: Sequence[int]) -> object:
    """Σ weights[i]·values[i] over as many as both have."""
    if isinstance(weights, Equality):
        most = min(len(weights), len(values))
        return evaluate(values[:most], weights.point)
    pairs = zip(weights, values, strict=False)
    return _sum(nodes.scale(weight, value) for weight, value in pairs)


def table_at(table: object, point: Sequence[object]) -> tuple[object, object]:
    """Key and value of a table at a point; beyond its entries the last one is repeated."""
    first, entries, values = table.first, table.entries, table.values  # type: ignore[attr-defined]
    one: Element = (1, 0, 0, 0, 0)
    beyond = sub(one, below(point, entries))
    key = add(indices(point, entries), nodes.scale(beyond, entries - 1))
    key = add(lift(first), key)
    if values is None:
        return key, ZERO
    return key, add(evaluate(values, point), nodes.scale(beyond, values[-1]))
