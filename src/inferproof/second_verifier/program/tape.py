"""The transcript of a program: what it absorbs, in steps of the contract, and what it draws."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from inferproof.second_verifier.field import DEGREE
from inferproof.second_verifier.program.nodes import Known, known
from inferproof.second_verifier.transcript import Transcript

ELEMENT = 4 * DEGREE
_NO_BYTES = b""


@dataclass(frozen=True)
class Piece:
    """Bytes that are absorbed: constants, a part of what the caller gives, or a slot's word."""

    kind: str
    data: bytes = _NO_BYTES
    offset: int = 0
    length: int = 0


def constant(data: bytes) -> Piece:
    return Piece("data", data)


def given(offset: int, length: int) -> Piece:
    return Piece("given", offset=offset, length=length)


def slot(number: int) -> Piece:
    return Piece("slot", offset=number)


@dataclass
class Tape(Transcript):
    """Notes what a transcript does. A proof's elements are taken in their order from `at` on."""

    steps: list[tuple[object, ...]] = field(default_factory=list)
    at: int = 0
    """The next byte of the proof."""
    drawn: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def restart(self) -> None:
        """Begins an empty transcript."""
        self.steps.append(("restart",))

    def pieces(self, site: str, *pieces: Piece) -> None:
        """Absorbs pieces as one message."""
        self.steps.append(("absorb", site, pieces))

    def hashed(self, number: int, *pieces: Piece) -> None:
        """Makes a slot's word of pieces."""
        self.steps.append(("hash", number, pieces))

    def word_of_proof(self, number: int) -> None:
        """Makes a slot's word of the proof's next 32 bytes, which are not read by that."""
        self.steps.append(("word", number))

    def take(self, site: str, length: int) -> int:
        """Absorbs bytes of the proof, and tells where they began."""
        self.steps.append(("take", site, length))
        self.at += length
        return self.at - length

    def elements(self, count: int) -> list[Known]:
        """The proof's next elements, which nothing has absorbed yet."""
        first = self.at
        return [known("element", data=(first + ELEMENT * place,)) for place in range(count)]

    def absorb(self, site: str, data: bytes) -> None:
        self.pieces(site, constant(data))

    def absorb_elements(self, site: str, elements: Iterable[object]) -> None:
        """Absorbs elements that the proof has next."""
        own = list(elements)
        first = self.take(site, ELEMENT * len(own))
        for place, element in enumerate(own):
            if not isinstance(element, Known) or element.data != (first + ELEMENT * place,):
                raise TypeError("not the next elements of the proof")

    def challenge(self) -> Known:  # type: ignore[override]
        self.steps.append(("draw",))
        self.drawn += 1
        return known("drawn", data=(self.drawn - 1,))

    def point(self, variables: int) -> Sequence[Known]:  # type: ignore[override]
        return [self.challenge() for _ in range(variables)]
