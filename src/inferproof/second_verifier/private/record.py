"""What must hold of hidden values, as equations. Source: specs/relation-proof.md, 1 to 3."""

from collections.abc import Sequence
from dataclasses import dataclass

from inferproof.second_verifier.field import ONE, ZERO, Element, scale
from inferproof.second_verifier.relations.claims import Messages
from inferproof.second_verifier.relations.values import Form, Value, mul, sub
from inferproof.second_verifier.transcript import Transcript


@dataclass(frozen=True)
class Quadratic:
    """Σ a · b = result over pairs of forms."""

    pairs: list[tuple[Form, Form]]
    result: Value


class Record(Messages):
    """Element number i was sent under pad i; what must hold of hidden values is recorded."""

    hides = True

    def __init__(self, sent: Sequence[Element], transcript: Transcript) -> None:
        super().__init__(sent, transcript)
        self.linear: list[Form] = []
        """Forms that must be zero."""
        self.quadratic: list[Quadratic] = []

    def take(self, count: int, site: str) -> list[Value]:
        first = self._at
        taken = enumerate(self._next(count, site), first)
        return [Form(element, {pad: scale(ONE, -1)}) for pad, element in taken]

    def equal(self, left: Value, right: Value, why: str) -> None:
        difference = sub(left, right)
        if isinstance(difference, Form):
            self.linear.append(difference)
        else:
            super().equal(left, right, why)

    def products(self, pairs: Sequence[tuple[Value, Value]], result: Value, why: str) -> None:
        hidden = []
        for a, b in pairs:
            if isinstance(a, Form) and isinstance(b, Form):
                hidden.append((a, b))
            else:
                result = sub(result, mul(a, b))
        if hidden:
            self.quadratic.append(Quadratic(hidden, result))
        else:
            self.equal(result, ZERO, why)

    @property
    def count(self) -> int:
        """Elements that have been read."""
        return self._at

    @property
    def factors(self) -> int:
        """Products in all equations that have some."""
        return sum(len(equation.pairs) for equation in self.quadratic)


class Count(Record):
    """Records a proof that is not there, whose elements are all zero: how many it must have, and
    how many products its equations have, follows from the key."""

    def __init__(self) -> None:
        super().__init__([], Transcript())
        self.degrees = 0
        """Those of all rounds of the reduction together."""

    def _next(self, count: int, site: str) -> list[Element]:
        if site == "round":
            self.degrees += count
        self._values = [*self._values, *[ZERO] * count]
        return super()._next(count, site)

    def equal(self, left: Value, right: Value, why: str) -> None:  # noqa: ARG002
        """Of a proof that is not there only what is hidden is recorded; nothing else is known."""
        difference = sub(left, right)
        if isinstance(difference, Form):
            self.linear.append(difference)
