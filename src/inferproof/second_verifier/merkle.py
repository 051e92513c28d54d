"""Rows at several positions of one Merkle tree, with the siblings that cannot be computed."""

from collections.abc import Callable, Sequence

from inferproof.second_verifier.blake3 import blake3


def root_of(
    positions: Sequence[int],
    rows: Sequence[bytes],
    siblings: Sequence[bytes],
    depth: int,
    digest: Callable[[bytes], bytes] = blake3,
) -> bytes | None:
    """The root that follows; None where rows contradict each other or siblings are not as many."""
    level: dict[int, bytes] = {}
    known: dict[int, bytes] = {}
    for position, row in zip(positions, rows, strict=True):
        if known.setdefault(position, row) != row:
            return None
        if position not in level:
            level[position] = digest(row)
    left = list(siblings)
    for _ in range(depth):
        above: dict[int, bytes] = {}
        for position in sorted(level):
            if position >> 1 in above:
                continue
            other = level.get(position ^ 1)
            if other is None:
                if not left:
                    return None
                other = left.pop(0)
            own = level[position]
            pair = other + own if position & 1 else own + other
            above[position >> 1] = digest(pair)
        level = above
    return None if left or list(level) != [0] else level[0]
