"""The sponge: what is observed, what is drawn. Source: specs/transcript.md."""

from collections.abc import Iterable, Sequence

from inferproof.second_verifier.blake3 import blake3
from inferproof.second_verifier.field import (
    DEGREE,
    Element,
    P,
    canonical,
    canonical_elements,
    internal,
    internal_elements,
    spread,
)
from inferproof.second_verifier.keccak import keccak256

LABEL = b"inferproof/sumcheck/1/"


def _type(degree: int, basis: bytes) -> str:
    return f"Algebra({P}^{degree};{keccak256(basis).hex()})"


ELEMENT = _type(5, b"p3-power-basis-v1:X^5+X^2-1")
BASE = _type(1, b"p3-scalar-basis-v1")


def message(label: str, count: str) -> str:
    return f"Atomic Message {len(label)} {label} {count} {ELEMENT}"


def challenge(label: str) -> str:
    return f"Atomic Challenge {len(label)} {label} Scalar {ELEMENT}"


def work(label: str, bits: int) -> str:
    return f"Atomic Pow {len(label)} {label} Fixed({bits}) {BASE}"


def indices(label: str, count: int, width: int) -> str:
    return f"Atomic Challenge {len(label)} {label} Fixed({count}) UniformBits({width})"


def bracket(label: str) -> list[str]:
    return [f"{word} Protocol {len(label)} {label} None Marker" for word in ("Begin", "End")]


def render(steps: Sequence[str]) -> bytes:
    """The text of a section's steps."""
    width = len(str(max(len(steps) - 1, 0)))
    lines = [f"Plonky3 Fiat-Shamir Transcript ({len(steps)} interactions)\n"]
    # No section of this protocol has a step between a Begin and its End: nothing is indented.
    lines.extend(f"{place:0{width}d} {step}\n" for place, step in enumerate(steps))
    return "".join(lines).encode()


def number(value: int) -> bytes:
    return value.to_bytes(8, "big")


class Transcript:
    """One sponge for a whole proof."""

    def __init__(self) -> None:
        self._input = bytearray()
        self._output = b""

    def observe(self, data: bytes) -> None:
        if data:
            self._input += data
            self._output = b""

    def _byte(self) -> int:
        if not self._output:
            self._output = blake3(bytes(self._input))
            self._input = bytearray(self._output)
        last = self._output[-1]
        self._output = self._output[:-1]
        return last

    def _word(self) -> int:
        return int.from_bytes(bytes(self._byte() for _ in range(4)), "little")

    def _base(self) -> int:
        while True:
            value = self._word() % 2**31
            if value < P:
                return value

    def challenge(self) -> Element:
        return tuple(self._base() for _ in range(DEGREE))  # type: ignore[return-value]

    def point(self, variables: int) -> list[Element]:
        return [self.challenge() for _ in range(variables)]

    def spread_point(self, variables: int) -> list[Element]:
        return spread(self.challenge(), variables)

    def indices(self, count: int, bits: int) -> list[int]:
        return [self._word() % (1 << bits) for _ in range(count)]

    def work_done(self, bits: int, witness: int) -> bool:
        """Whether `witness` shows the work; no bits need none."""
        if bits == 0:
            return True
        self._byte()
        self.observe(internal(witness))
        return self._word() % (1 << bits) == 0

    def absorb(self, site: str, data: bytes) -> None:
        """Absorbs at a site of section 5."""
        label = LABEL + site.encode()
        lengths = len(label).to_bytes(4, "little"), len(data).to_bytes(8, "little")
        self.observe(blake3(lengths[0] + label + lengths[1] + data))

    def absorb_elements(self, site: str, elements: Iterable[Element]) -> None:
        self.absorb(site, canonical_elements(elements))

    def observe_elements(self, elements: Iterable[Element]) -> None:
        self.observe(internal_elements(elements))

    def section(
        self, version: int, name: bytes, steps: Sequence[str], chunks: Sequence[bytes]
    ) -> None:
        """Observes the seed of a section of the opening."""
        label = b"".join(len(chunk).to_bytes(4, "big") + chunk for chunk in chunks)
        identity = bytes([version]) + name.ljust(62, b"\0") + bytes([len(name)])
        seed = identity + keccak256(render(steps)) + len(label).to_bytes(4, "big") + label + b"\x80"
        groups = [seed[start : start + 3] for start in range(0, len(seed), 3)]
        numbers = [len(seed), *(int.from_bytes(group, "little") for group in groups)]
        self.observe(b"".join(map(internal, numbers)))


class KeccakTranscript(Transcript):
    """The transcript by Keccak-256: section 9. It serves the private mode."""

    def __init__(self) -> None:
        super().__init__()
        self._state = bytes(32)

    def _squeeze(self) -> int:
        self._state = keccak256(self._state)
        return int.from_bytes(self._state, "big")

    def challenge(self) -> Element:
        word = self._squeeze()
        return tuple(word // P**i % P for i in range(DEGREE))

    def indices(self, count: int, bits: int) -> list[int]:
        return [self._squeeze() % (1 << bits) for _ in range(count)]

    def work_done(self, bits: int, witness: int) -> bool:
        if bits == 0:
            return True
        self._state = keccak256(self._state + canonical(witness))
        return int.from_bytes(self._state, "big") % (1 << bits) == 0

    def absorb(self, site: str, data: bytes) -> None:
        label = keccak256(LABEL + site.encode())
        self._state = keccak256(self._state + label + data)
