"""Keccak-256 with the padding of the original submission. Source: FIPS 202, section 3."""

from functools import cache

_MASK = (1 << 64) - 1
_RATE = 136


def _constants() -> tuple[list[int], list[int]]:
    """Rotations by lane x + 5y, and round constants."""
    rotations, x, y = [0] * 25, 1, 0
    for step in range(24):
        rotations[x + 5 * y] = (step + 1) * (step + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    rounds, register = [], 1
    for _ in range(24):
        constant = 0
        for bit in range(7):
            if register & 1:
                constant |= 1 << (1 << bit) - 1
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        rounds.append(constant)
    return rotations, rounds


_ROTATIONS, _ROUNDS = _constants()


def _rotate(lane: int, count: int) -> int:
    return (lane << count | lane >> (64 - count)) & _MASK if count else lane


def _permute(a: list[int]) -> list[int]:
    for constant in _ROUNDS:
        column = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        change = [column[x - 1] ^ _rotate(column[(x + 1) % 5], 1) for x in range(5)]
        b = [0] * 25
        for x in range(5):
            for y in range(5):
                lane = a[x + 5 * y] ^ change[x]
                b[y + 5 * ((2 * x + 3 * y) % 5)] = _rotate(lane, _ROTATIONS[x + 5 * y])
        a = [
            b[x + y] ^ ~b[(x + 1) % 5 + y] & b[(x + 2) % 5 + y] & _MASK
            for y in range(0, 25, 5)
            for x in range(5)
        ]
        a[0] ^= constant
    return a


@cache
def keccak256(data: bytes) -> bytes:
    """The hash of `data`, 32 bytes."""
    padded = bytearray(data) + b"\x01"
    padded += bytes(-len(padded) % _RATE)
    padded[-1] |= 0x80
    state = [0] * 25
    for start in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            place = start + 8 * lane
            state[lane] ^= int.from_bytes(padded[place : place + 8], "little")
        state = _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])
