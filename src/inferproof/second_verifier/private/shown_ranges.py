"""Verifies that a key's weights and parameters are in their ranges.

Source: specs/private-mode.md, section 11.
"""

from collections.abc import Iterator
from contextlib import suppress

from inferproof.second_verifier.private.ranges import range_parts
from inferproof.second_verifier.private.soundness import bits
from inferproof.second_verifier.private.verifier import PrivateInputKey, PrivateKey
from inferproof.second_verifier.reader import Reader, Rejected

_LEAST_BITS = 100


def _keys(data: bytes) -> Iterator[PrivateKey]:
    """The key, and as it is for private inputs where it has proofs about any."""
    yield PrivateKey(data)
    with suppress(Rejected):
        yield PrivateInputKey(data)


def verify_ranges(data: bytes, shown: bytes) -> None:
    """Checks that a key's weights are int8 and its parameters in their ranges. Raises: Rejected."""
    parts = range_parts(data)
    if any(bits(key) < _LEAST_BITS for key in _keys(data)):
        raise Rejected("KEY_RANGES", "proofs under the key would have too few bits")
    if not shown:
        raise Rejected("RANGES_MISSING", "the key comes without the proof of its ranges")
    source = Reader(shown, "PROOF_MALFORMED")
    proofs = [part.read_next(source) for part in parts]
    source.end()
    for part, proof in zip(parts, proofs, strict=True):
        part.check(proof)
