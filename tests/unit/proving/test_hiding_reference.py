"""The second verifier of hiding openings against the vectors that the native prover made."""

import random
from pathlib import Path

import pytest

from inferproof.second_verifier.reader import Rejected
from reference.hiding_vectors import check
from reference.vectors import PLACE

FILES = sorted(PLACE.joinpath("hiding").glob("*.json"))


def test_there_are_vectors() -> None:
    assert len(FILES) == 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_openings_of_the_native_prover_are_accepted(path: Path) -> None:
    check(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_changed_openings_are_rejected(path: Path) -> None:
    draw = random.Random(path.stem)  # noqa: S311
    for _ in range(12):
        place, bit = draw.random(), 1 << draw.randrange(8)

        def flip(opening: bytes, place: float = place, bit: int = bit) -> bytes:
            changed = bytearray(opening)
            changed[int(place * len(changed))] ^= bit
            return bytes(changed)

        with pytest.raises(Rejected):
            check(path, flip)
    for change in (lambda opening: opening[:-1], lambda opening: opening + b"\0"):
        with pytest.raises(Rejected):
            check(path, change)
