"""Verifies that a key's weights and parameters are in their ranges.

Source: specs/private-mode.md, section 11.
"""

from inferproof.second_verifier.private.ranges import range_parts
from inferproof.second_verifier.private.soundness import bits
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.reader import Reader, Rejected

_LEAST_BITS = 100


def verify_ranges(data: bytes, shown: bytes) -> None:
    """Checks that a key's weights are int8 and its parameters in their ranges. Raises: Rejected."""
    parts = range_parts(data)
    if bits(PrivateKey(data)) < _LEAST_BITS:
        raise Rejected("KEY_RANGES", "proofs under the key would have too few bits")
    if not shown:
        raise Rejected("RANGES_MISSING", "the key comes without the proof of its ranges")
    source = Reader(shown, "PROOF_MALFORMED")
    proofs = [part.read_next(source) for part in parts]
    source.end()
    for part, proof in zip(parts, proofs, strict=True):
        part.check(proof)
