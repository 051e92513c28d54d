"""The proof of a key's ranges by a simulator, which knows no weights: the second verifier accepts
it under the random oracle that was programmed for it.
"""

from pathlib import Path

import pytest

from inferproof.second_verifier.private.ranges import RangePart
from inferproof.second_verifier.private.shown_ranges import verify_ranges
from inferproof.second_verifier.reader import Reader, Rejected
from inferproof.second_verifier.transcript import Transcript
from reference.programmed import Programmed, answers_of
from reference.vectors import files, load

VECTORS = files("private/simulated/ranges")
each_vector = pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)


class ProgrammedPart(RangePart):
    """A part whose link and proof are checked under such oracles."""

    of_link: Programmed | None = None
    oracle: Programmed

    def transcript(self) -> Transcript:
        """That of links; before there are oracles, that of the key's pin."""
        return super().transcript() if self.of_link is None else self.of_link

    def begin_ranges(self, opened: bytes) -> Transcript:
        return self.oracle


def check(path: Path, program: list[object]) -> int:
    """Answers that are left when link and proof have been accepted. Raises: Rejected."""
    vector = load(path)
    part = ProgrammedPart(vector.key, 0)
    part.of_link = of_link = Programmed(answers_of(path)["link"])
    part.oracle = Programmed(program)
    source = Reader(vector.proof, "PROOF_MALFORMED")
    proof = part.read_next(source)
    source.end()
    part.check(proof)
    return of_link.left + part.oracle.left


@each_vector
def test_accepts_a_simulated_proof_of_ranges_under_its_oracle(path: Path) -> None:
    assert check(path, answers_of(path)["program"]) == 0


@each_vector
def test_rejects_a_simulated_proof_of_ranges_under_any_other(path: Path) -> None:
    vector = load(path)
    with pytest.raises(Rejected, match="LINK_INVALID"):
        verify_ranges(vector.key, vector.proof)
    program = answers_of(path)["program"]
    place = next(place for place, own in enumerate(program) if isinstance(own, int))
    program[place] ^= 1
    with pytest.raises(Rejected, match="OPENING_INVALID"):
        check(path, program)


def test_there_is_a_simulated_proof_of_ranges() -> None:
    assert VECTORS
