"""Numbers as ezkl's circuit sees them: fixed-point integers as elements of the BN254 field.

Nothing here needs ezkl, so that a verifier derives every public value by itself.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""The order of BN254's scalar field."""
LIMB_BITS = 16
"""ezkl checks that inputs and outputs fit its digit decomposition; every decomposition that
`tune` tries holds signed 16-bit-and-more values, so limbs of 16 bits always pass."""
LIMBS = 256 // LIMB_BITS
LARGEST = 2**62
"""Beyond it a quantised value would not survive ezkl's own integer type with room to spare."""


def quantise(values: npt.NDArray[np.float32], scale: int) -> list[int]:
    """The values × 2^scale, rounded to the nearest integer, halves away from zero.

    The product is exact in float64, and so is the comparison with one half; this is what
    ezkl computes, and a test compares the two.
    Raises: OverflowError beyond 2^62.
    """
    scaled = np.asarray(values, dtype=np.float64).reshape(-1) * 2.0**scale
    size = np.abs(scaled)
    if not (size < LARGEST).all():
        raise OverflowError("a quantised value is too large")
    whole = np.floor(size)
    whole += size - whole >= 0.5
    return [int(v) for v in np.copysign(whole, scaled)]


def to_felt(value: int) -> str:
    """A signed integer as ezkl writes field elements: 64 hex digits, little-endian."""
    return (value % MODULUS).to_bytes(32, "little").hex()


def from_felt(text: str) -> int:
    """The signed integer, smallest in size, that a field element stands for."""
    value = int.from_bytes(bytes.fromhex(text), "little")
    return value - MODULUS if value > MODULUS // 2 else value


def felt_to_bytes(text: str) -> bytes:
    """A field element as 32 big-endian bytes."""
    return bytes.fromhex(text)[::-1]


def bytes_to_felt(data: bytes) -> str | None:
    """The field element that 32 big-endian bytes write; None where they are not reduced."""
    return data[::-1].hex() if int.from_bytes(data, "big") < MODULUS else None


def limbs(data: bytes) -> list[int]:
    """32 bytes as 16 limbs of 16 bits, most significant first."""
    if len(data) != 32:
        raise ValueError("only 32 bytes are cut into limbs")
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, 32, 2)]


def felts(values: Sequence[int]) -> list[str]:
    """Signed integers as ezkl's field elements."""
    return [to_felt(value) for value in values]
