"""Private proofs by a simulator, which knows neither weights nor witness, under a
random oracle that it has programmed: the second verifier accepts them, as the native one does.

`native/prover/tests/private_evidence` makes them; the vectors hold what the oracle answers.
"""

from pathlib import Path

import pytest

from inferproof.second_verifier.keys import Tensors
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.transcript import Transcript
from reference.changes import verdict
from reference.programmed import Answers, Programmed, answers_of
from reference.vectors import Vector, files, load

VECTORS = files("private/simulated")
each_vector = pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)


class ProgrammedKey(PrivateKey):
    """A key whose link and proofs are checked under such oracles."""

    of_link: Programmed | None = None
    oracle: Programmed

    def transcript(self) -> Transcript:
        """That of links; before there are oracles, that of the key's pin."""
        return super().transcript() if self.of_link is None else self.of_link

    def begin(
        self, inputs: Tensors, outputs: Tensors, statement: bytes, opened: bytes | None = None
    ) -> Transcript:
        return self.oracle


def check(vector: Vector, proof: bytes, answers: Answers) -> int:
    """Answers that are left when link and proof have been accepted. Raises: Rejected."""
    key = ProgrammedKey(vector.key)
    key.of_link = of_link = Programmed(answers["link"])
    key.oracle = Programmed(answers["program"])
    key.verify(vector.inputs, vector.outputs, vector.statement, proof)
    return of_link.left + key.oracle.left


@each_vector
def test_accepts_a_simulated_proof_under_its_oracle(path: Path) -> None:
    vector = load(path)
    assert check(vector, vector.proof, answers_of(path)) == 0


@each_vector
def test_rejects_a_simulated_proof_under_the_true_oracle(path: Path) -> None:
    assert verdict(load(path)) == "LINK_INVALID"


@pytest.mark.parametrize(
    ("part", "code"), [("link", "LINK_INVALID"), ("program", "OPENING_INVALID")]
)
def test_rejects_a_simulated_proof_under_an_oracle_of_another_program(part: str, code: str) -> None:
    vector = load(VECTORS[0])
    other = answers_of(VECTORS[0])
    place = next(place for place, own in enumerate(other[part]) if isinstance(own, int))
    other[part][place] ^= 1
    with pytest.raises(Rejected, match=code):
        check(vector, vector.proof, other)


def test_rejects_a_simulated_proof_that_is_changed() -> None:
    """What the oracle answers does not depend on it, so that only the checks themselves see it."""
    path = VECTORS[0]
    vector = load(path)
    fields = PrivateKey(vector.key).fields(vector.proof)
    for name in {name for name, _ in fields}:
        place = next(own for own in fields if own[0] == name)[1].start
        changed = bytearray(vector.proof)
        changed[place] ^= 1
        with pytest.raises(Rejected):
            check(vector, bytes(changed), answers_of(path))


def test_there_are_simulated_proofs_of_both_profiles() -> None:
    assert {load(path).key[13] for path in VECTORS} == {1, 2}
