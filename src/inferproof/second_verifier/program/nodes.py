"""What a verifier computes, as a graph: nodes in place of field elements.

A node of one meaning exists once, so that what is computed twice is one node. `Known` is what
whoever checks a proof knows, `Hidden` what was sent under a pad: a sum of hidden values times known
ones.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from inferproof.second_verifier.field import ONE, ZERO, Element, P
from inferproof.second_verifier.field import add as field_add
from inferproof.second_verifier.field import mul as field_mul
from inferproof.second_verifier.field import sub as field_sub
from inferproof.second_verifier.relations.values import Form

_numbers = count()
_known: dict[tuple[object, ...], "Known"] = {}


def begin() -> None:
    """Forgets all nodes: those of one program do not depend on what was made before."""
    global _numbers
    _numbers = count()
    _known.clear()


class Known:
    """A known element: an operation on others, or one that an instruction provides."""

    __slots__ = ("args", "data", "number", "op")

    def __init__(self, op: str, args: tuple["Known | Element", ...], data: tuple[int, ...]) -> None:
        self.op, self.args, self.data = op, args, data
        self.number = next(_numbers)

    @property
    def operands(self) -> Iterator["Known"]:
        return (arg for arg in self.args if isinstance(arg, Known))


def known(op: str, *args: "Known | Element", data: tuple[int, ...] = ()) -> Known:
    """The one node of this meaning."""
    key = (op, args, data)
    if key not in _known:
        _known[key] = Known(op, args, data)
    return _known[key]


class Hidden(Form):
    """A hidden value: one that was sent, a pad, or a linear operation on others."""

    op: str
    args: tuple[Any, ...]
    number: int
    __hash__ = object.__hash__

    def __init__(self, op: str, *args: object) -> None:
        object.__setattr__(self, "op", op)
        object.__setattr__(self, "args", args)
        object.__setattr__(self, "number", next(_numbers))

    def __eq__(self, other: object) -> bool:
        return self is other


def leaf(number: int) -> Hidden:
    """The element that was sent under this pad."""
    return Hidden("sent", number)


def hidden(form: Form) -> Hidden:
    """A form of known coefficients as a node."""
    if isinstance(form, Hidden):
        return form
    result: object = form.known
    for pad, coefficient in form.pads.items():
        result = add(result, mul(coefficient, Hidden("pad", pad)))
    if not isinstance(result, Hidden):
        raise TypeError("a form without pads hides nothing")
    return result


def _base(a: object) -> bool:
    """Whether a constant is an element of the base field."""
    return isinstance(a, tuple) and not any(a[1:])


def _negated(a: object) -> Any:
    """What a known element is the negative of, or nothing."""
    if isinstance(a, Known) and a.op == "sub" and a.args[0] == ZERO:
        return a.args[1]
    return None


def add(a: Any, b: Any) -> Any:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return field_add(a, b)
    if a == ZERO:
        return b
    if b == ZERO:
        return a
    if isinstance(a, Form) or isinstance(b, Form):
        return Hidden("add", _coerced(a), _coerced(b))
    for one, other in ((a, b), (b, a)):
        if (negated := _negated(other)) is not None:
            return sub(one, negated)
    return known("add", a, b)


def sub(a: Any, b: Any) -> Any:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return field_sub(a, b)
    if b == ZERO:
        return a
    if isinstance(a, Form) or isinstance(b, Form):
        return Hidden("sub", _coerced(a), _coerced(b))
    if (negated := _negated(b)) is not None:
        return add(a, negated)
    if a == ZERO and isinstance(b, Known) and b.op == "sub":
        return sub(b.args[1], b.args[0])
    return ZERO if a is b else known("sub", a, b)


def mul(a: Any, b: Any) -> Any:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return field_mul(a, b)
    if isinstance(b, Form) or (isinstance(b, tuple) and not isinstance(a, Form)):
        a, b = b, a
    # `a` is hidden or constant, or both are known.
    if isinstance(b, Form):
        raise TypeError("two hidden values are multiplied")
    if ZERO in (a, b) and not isinstance(a, Form):
        return ZERO
    if a == ONE:
        return b
    if b == ONE:
        return a
    if isinstance(a, Form):
        return Hidden("mul", b, hidden(a))
    if isinstance(a, tuple):
        if (negated := _negated(b)) is not None:
            return mul(field_sub(ZERO, a), negated)
        if a == field_sub(ZERO, ONE):
            return sub(ZERO, b)
        return known("mulb" if _base(a) else "mul", b, a)
    first, second = sorted((a, b), key=lambda node: node.number)
    return known("mul", first, second)


def scale(a: Any, factor: int) -> Any:
    return mul(a, (factor % P, 0, 0, 0, 0))


def _coerced(a: object) -> object:
    return hidden(a) if isinstance(a, Form) else a


def _agreement(x: Any, y: Any) -> Any:
    """x·y + (1 - x)·(1 - y)."""
    if isinstance(x, tuple):
        x, y = y, x
    if isinstance(y, tuple):
        if y == ONE:
            return x
        if y == ZERO:
            return sub(ONE, x)
        both = mul(x, y)
        return add(sub(sub(ONE, x), y), add(both, both))
    first, second = sorted((x, y), key=lambda node: node.number)
    return known("eq", first, second)


def equality_at(a: Sequence[object], b: Sequence[object]) -> Any:
    """eq of two points. Points that begin alike share their first factors."""
    result: object = ONE
    for x, y in zip(a, b, strict=True):
        result = mul(result, _agreement(x, y))
    return result


class Equality(Sequence[Any]):
    """eq of a point and each index, made when it is asked for."""

    def __init__(self, point: Sequence[object], number: int | None = None) -> None:
        self.point = list(point)
        most = 1 << len(self.point)
        self._count = most if number is None else min(number, most)
        self._table: list[object] | None = None

    def __len__(self) -> int:
        return self._count

    def _made(self) -> list[object]:
        if self._table is None:
            table: list[object] = [ONE]
            for x in self.point:
                doubled: list[object] = []
                for w in table:
                    high = mul(w, x)
                    doubled += [sub(w, high), high]
                table = doubled
            self._table = table[: self._count]
        return self._table

    def __getitem__(self, index: Any) -> Any:
        return self._made()[index]


class Given(Sequence[Any]):
    """Integers that the caller of the contract gives, four bytes each, from an offset on."""

    def __init__(self, offset: int, size: int) -> None:
        self.offset, self._size = offset, size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            return known("given", data=(self.offset + 4 * range(self._size)[index], 1))
        start, stop, _ = index.indices(self._size)
        return Given(self.offset + 4 * start, stop - start)
