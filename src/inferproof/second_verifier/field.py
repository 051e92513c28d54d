"""Arithmetic: the base field as plain integers, its extension as tuples of five of them.

Source: specs/transcript.md, section 1.
"""

from collections.abc import Iterable, Sequence

P = 2**31 - 2**24 + 1
DEGREE = 5
_MONTGOMERY = 2**32 % P
_ROOT_24 = 0x6AC49F88
"""Of order 2^24; its squares are the generators of the smaller subgroups."""

Element = tuple[int, int, int, int, int]
ZERO: Element = (0, 0, 0, 0, 0)
ONE: Element = (1, 0, 0, 0, 0)


def lift(value: int) -> Element:
    """An integer of any sign as an element of the extension."""
    return (value % P, 0, 0, 0, 0)


def add(a: Element, b: Element) -> Element:
    a0, a1, a2, a3, a4 = a
    b0, b1, b2, b3, b4 = b
    return ((a0 + b0) % P, (a1 + b1) % P, (a2 + b2) % P, (a3 + b3) % P, (a4 + b4) % P)


def sub(a: Element, b: Element) -> Element:
    a0, a1, a2, a3, a4 = a
    b0, b1, b2, b3, b4 = b
    return ((a0 - b0) % P, (a1 - b1) % P, (a2 - b2) % P, (a3 - b3) % P, (a4 - b4) % P)


def scale(a: Element, factor: int) -> Element:
    """The product with an integer."""
    return tuple(x * factor % P for x in a)  # type: ignore[return-value]


def mul(a: Element, b: Element) -> Element:
    """The product modulo X^5 + X^2 - 1. Written out: most of a verdict's time is spent here."""
    a0, a1, a2, a3, a4 = a
    b0, b1, b2, b3, b4 = b
    # What stands before X^5 = 1 - X^2, X^6 = X - X^3, X^7 = X^2 - X^4, X^8 = X^3 + X^2 - 1.
    c5 = a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1
    c6 = a2 * b4 + a3 * b3 + a4 * b2
    c7 = a3 * b4 + a4 * b3
    c8 = a4 * b4
    return (
        (a0 * b0 + c5 - c8) % P,
        (a0 * b1 + a1 * b0 + c6) % P,
        (a0 * b2 + a1 * b1 + a2 * b0 - c5 + c7 + c8) % P,
        (a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 - c6 + c8) % P,
        (a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0 - c7) % P,
    )


def total(values: Iterable[Element]) -> Element:
    result = ZERO
    for value in values:
        result = add(result, value)
    return result


def product(values: Iterable[Element]) -> Element:
    result = ONE
    for value in values:
        result = mul(result, value)
    return result


def powers(base: Element, count: int) -> list[Element]:
    """1, base, base^2, …"""
    found = [ONE]
    while len(found) < count:
        found.append(mul(found[-1], base))
    return found[:count]


def dot(weights: Sequence[Element], values: Sequence[Element]) -> Element:
    """Σ weights[i] · values[i] over as many as both have."""
    return total(mul(w, v) for w, v in zip(weights, values, strict=False))


def dot_integers(weights: Sequence[Element], values: Sequence[int]) -> Element:
    """Σ weights[i] · values[i] over integers, over as many as both have."""
    sums = [0] * DEGREE
    for weight, value in zip(weights, values, strict=False):
        if value:
            for place, coefficient in enumerate(weight):
                sums[place] += coefficient * value
    return tuple(x % P for x in sums)  # type: ignore[return-value]


def equality(point: Sequence[Element], count: int | None = None) -> list[Element]:
    """eq(point, i) for i in 0 … count - 1; coordinate 0 is the highest bit of i."""
    table = [ONE]
    for x in point:
        table = [y for w in table for high in [mul(w, x)] for y in (sub(w, high), high)]
    return table[:count]


def equality_at(a: Sequence[Element], b: Sequence[Element]) -> Element:
    """eq(a, b) = Π (a·b + (1 - a)·(1 - b))."""
    terms = []
    for x, y in zip(a, b, strict=True):
        both = mul(x, y)
        terms.append(add(sub(sub(ONE, x), y), add(both, both)))
    return product(terms)


def spread(y: Element, variables: int) -> list[Element]:
    """The spread point (y^(2^(m-1)), …, y^2, y)."""
    point = []
    for _ in range(variables):
        point.append(y)
        y = mul(y, y)
    return point[::-1]


def root_of_unity(log_order: int) -> int:
    """The generator of the subgroup of order 2^log_order."""
    return pow(_ROOT_24, 2 ** (24 - log_order), P)


def internal(value: int) -> bytes:
    """The internal encoding of a base element."""
    return (value * _MONTGOMERY % P).to_bytes(4, "little")


def canonical(value: int) -> bytes:
    """The canonical encoding of a base element."""
    return value.to_bytes(4, "little")


def internal_elements(values: Iterable[Element]) -> bytes:
    return b"".join(internal(x) for value in values for x in value)


def canonical_elements(values: Iterable[Element]) -> bytes:
    return b"".join(canonical(x) for value in values for x in value)
