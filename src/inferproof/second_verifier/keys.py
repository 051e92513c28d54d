"""What keys and proofs begin with. Source: specs/sumcheck-proof.md, section 2."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from inferproof.second_verifier import graph as g
from inferproof.second_verifier.blake3 import blake3
from inferproof.second_verifier.field import Element
from inferproof.second_verifier.reader import Reader, Rejected
from inferproof.second_verifier.transcript import Transcript

Tensors = Sequence[Sequence[int]]
Proof = TypeVar("Proof")
PROFILES = {1: "default", 2: "conservative", 4: "evm"}
_KIND = 3
_ENDED = (1, 2)
"""The bytes of modes that have ended."""


class Key(ABC, Generic[Proof]):
    """Root, pin and graph of a verifying key. Raises: Rejected KEY_…"""

    protocol: ClassVar[bytes]

    def __init__(self, data: bytes) -> None:
        self._source = source = Reader(data, "KEY_MALFORMED")
        magic, version = source.take(8), source.unsigned(4)
        kind, self.profile = source.unsigned(1), source.unsigned(1)
        if magic != b"INFSUMVK":
            raise source.reject("other first bytes")
        if version == 1 and kind in _ENDED:
            raise Rejected("KEY_MODE_ENDED", "its weights follow from its proofs")
        if version != 1 or kind != _KIND or self.profile not in PROFILES:
            raise Rejected("KEY_VERSION", "version or profile")
        self.root = source.take(32)
        self._read_own(source)
        head = source.since(0)
        self.pin = source.elements(source.unsigned(4))
        graph = source.rest()
        self.graph = g.decode(graph)
        self.digest = blake3(data)
        self._bare = blake3(head + graph)

    def _read_own(self, source: Reader) -> None:
        """Reads what stands between root and pin."""

    def transcript(self) -> Transcript:
        """An empty transcript, as proofs under the key have it."""
        return Transcript()

    def _draw_pin(self, values: int, variables: int) -> list[Element]:
        """The point of a pin of so many values. Raises: Rejected KEY_MALFORMED."""
        if len(self.pin) != values:
            raise self._source.reject("not as many values of the pin")
        transcript = self.transcript()
        transcript.absorb("protocol", self.protocol)
        transcript.absorb("commitment", self._bare)
        return transcript.point(variables if values else 0)

    def read(self, data: bytes) -> Proof:
        """The proof of these bytes. Raises: Rejected PROOF_…"""
        return self._read(Reader(data, "PROOF_MALFORMED"))

    def fields(self, data: bytes) -> list[tuple[str, range]]:
        """The fields of a well-formed proof and the bytes of each. Raises: as `read`."""
        source = Reader(data, "PROOF_MALFORMED")
        self._read(source)
        ends = [start for _, start in source.fields[1:]] + [len(data)]
        named = zip(source.fields, ends, strict=True)
        return [(name, range(start, end)) for (name, start), end in named]

    @abstractmethod
    def _read(self, source: Reader) -> Proof: ...

    @abstractmethod
    def verify(self, inputs: Tensors, outputs: Tensors, statement: bytes, data: bytes) -> None:
        """Checks that the proof shows the outputs of these inputs. Raises: Rejected."""

    def begin(
        self,
        inputs: Tensors | bytes,
        outputs: Tensors,
        statement: bytes,
        opened: bytes | None = None,
    ) -> Transcript:
        """A transcript that has absorbed what is public, `opened` in place of the key's digest, and
        the root of inputs in their place."""
        transcript = self.transcript()
        transcript.absorb("protocol", self.protocol)
        transcript.absorb("key", self.digest if opened is None else opened)
        transcript.absorb("statement", statement)
        if isinstance(inputs, bytes):
            transcript.absorb("input/root", inputs)
        else:
            transcript.absorb("inputs", words(inputs))
        transcript.absorb("outputs", words(outputs))
        return transcript


def words(tensors: Tensors) -> bytes:
    return b"".join(
        value.to_bytes(4, "little", signed=True) for tensor in tensors for value in tensor
    )
