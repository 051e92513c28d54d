"""The parts of a key's ranges, each of which one proof is about.

Source: specs/private-mode.md, section 11.
"""

from functools import lru_cache
from typing import ClassVar

from inferproof.second_verifier.graph import Graph
from inferproof.second_verifier.hiding.shape import Shape
from inferproof.second_verifier.keys import words
from inferproof.second_verifier.private.layout import shape_of_ranges
from inferproof.second_verifier.private.links import RANGES, follow
from inferproof.second_verifier.private.range_graph import parts_of, range_graph
from inferproof.second_verifier.private.verifier import PrivateKey, Proof
from inferproof.second_verifier.reader import Rejected, named
from inferproof.second_verifier.transcript import Transcript

_PROTOCOL = b"inferproof sumcheck 1 private ranges"
_NOTHING = [[0]]
"""The one input, and the one output."""


class RangePart(PrivateKey):
    """A key with a part of its ranges, which a proof is about. Raises: Rejected KEY_…"""

    most_links: ClassVar[int] = 1

    def __init__(self, data: bytes, part: int) -> None:
        self._part = part
        self.own_kind = RANGES[part]
        super().__init__(data)

    def _proven(self) -> tuple[Graph, int]:
        own = parts_of(self.ranged)[self._part]
        return range_graph([self.ranged[number] for number in own]), own.start

    def _shape_of_proofs(self, fresh: list[int], profile: str) -> Shape:
        self.openings[self.own_kind] = 1
        return shape_of_ranges(fresh, self.columns, profile)

    def check(self, proof: Proof) -> None:
        """Raises: Rejected."""
        epoch = follow(self, self.commitment, proof.links)
        transcript = self.begin_ranges(epoch.digest)
        self._check(_NOTHING, _NOTHING, (proof, epoch), transcript, [])

    def begin_ranges(self, opened: bytes) -> Transcript:
        """A transcript that has absorbed what a proof of ranges is about."""
        transcript = self.transcript()
        transcript.absorb("protocol", _PROTOCOL)
        transcript.absorb("key", opened)
        transcript.absorb("statement", bytes(32))
        transcript.absorb("inputs", words(_NOTHING))
        transcript.absorb("outputs", words(_NOTHING))
        return transcript


@lru_cache(maxsize=8)  # of each key many proofs are judged
def range_parts(data: bytes) -> tuple[RangePart, ...]:
    """All parts of the key of these bytes. Raises: Rejected KEY_…"""
    parts = PrivateKey(data).parts
    if parts > len(RANGES):
        raise Rejected("KEY_RANGES", "more parts than a key has")
    with named("KEY_RANGES"):
        return tuple(RangePart(data, part) for part in range(parts))
