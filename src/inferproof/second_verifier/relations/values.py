"""How values are held: in the clear, or as forms in one-time pads.

Source: specs/relation-proof.md, section 2. The text of checks is the same for both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

from inferproof.second_verifier import field
from inferproof.second_verifier.field import ZERO, Element


@dataclass(frozen=True)
class Form:
    """known + Σ pads[i] · pad_i. A pad that is named hides, be its coefficient 0."""

    known: Element
    pads: dict[int, Element]


Value = Element | Form


def _parts(a: Value) -> tuple[Element, dict[int, Element]]:
    return (a.known, a.pads) if isinstance(a, Form) else (a, {})


@overload
def add(a: Element, b: Element) -> Element: ...
@overload
def add(a: Value, b: Value) -> Value: ...
def add(a: Value, b: Value) -> Value:
    if not isinstance(a, Form) and not isinstance(b, Form):
        return field.add(a, b)
    (known, pads), (other, others) = _parts(a), _parts(b)
    joined = dict(pads)
    for pad, coefficient in others.items():
        joined[pad] = field.add(joined[pad], coefficient) if pad in joined else coefficient
    return Form(field.add(known, other), joined)


@overload
def sub(a: Element, b: Element) -> Element: ...
@overload
def sub(a: Value, b: Value) -> Value: ...
def sub(a: Value, b: Value) -> Value:
    if not isinstance(a, Form) and not isinstance(b, Form):
        return field.sub(a, b)
    return add(a, scale(b, -1))


@overload
def scale(a: Element, factor: int) -> Element: ...
@overload
def scale(a: Value, factor: int) -> Value: ...
def scale(a: Value, factor: int) -> Value:
    if not isinstance(a, Form):
        return field.scale(a, factor)
    scaled = {pad: field.scale(x, factor) for pad, x in a.pads.items()}
    return Form(field.scale(a.known, factor), scaled)


@overload
def mul(a: Element, b: Element) -> Element: ...
@overload
def mul(a: Value, b: Value) -> Value: ...
def mul(a: Value, b: Value) -> Value:
    """A product of which at least one factor is known."""
    if isinstance(b, Form):
        a, b = b, a
    if isinstance(b, Form):
        raise TypeError("two hidden values are multiplied in an equation only")
    if not isinstance(a, Form):
        return field.mul(a, b)
    return Form(field.mul(a.known, b), {pad: field.mul(x, b) for pad, x in a.pads.items()})


@overload
def total(values: Iterable[Element]) -> Element: ...
@overload
def total(values: Iterable[Value]) -> Value: ...
def total(values: Iterable[Value]) -> Value:
    result: Value = ZERO
    for value in values:
        result = add(result, value)
    return result


@overload
def dot(weights: Sequence[Element], values: Sequence[Element]) -> Element: ...
@overload
def dot(weights: Sequence[Element], values: Sequence[Value]) -> Value: ...
def dot(weights: Sequence[Element], values: Sequence[Value]) -> Value:
    """Σ weights[i] · values[i] over as many as both have."""
    return total(mul(w, v) for w, v in zip(weights, values, strict=False))
