"""Integers in few bits, as the profile `small` has its results. Source: specs/sumcheck-proof.md,
section 8.
"""

from inferproof.second_verifier.reader import Reader


def read(source: Reader, count: int) -> list[int]:
    """Raises: Rejected with the reader's code."""
    k = source.unsigned(1)
    if k > 31:
        raise source.reject("more than 31 bits are written as they are")
    low = source.unsigned((count * k + 7) // 8)
    if low >> (count * k):
        raise source.reject("bits are left over")
    counted, value, bit = [0], source.unsigned(1), 0
    while True:
        if value >> bit & 1:
            if len(counted) == count:
                break
            counted.append(0)
        else:
            counted[-1] += 1
        bit += 1
        if bit == 8:
            value, bit = source.unsigned(1), 0
    if value >> (bit + 1):
        raise source.reject("bits are left over")
    folded = [high << k | low >> (index * k) & ((1 << k) - 1) for index, high in enumerate(counted)]
    if k != least(folded):
        raise source.reject("another number of bits would be less")
    return [z // 2 if z % 2 == 0 else -(z + 1) // 2 for z in folded]


def least(folded: list[int]) -> int:
    """Bits to be written as they are, so that all together take the fewest bits."""
    return next(k for k in range(32) if sum(((z >> k) + 1) // 2 for z in folded) <= len(folded))
