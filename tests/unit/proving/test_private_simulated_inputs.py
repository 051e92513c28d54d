"""Proofs about private inputs by a simulator, which knows neither weights nor inputs: the second
verifier accepts both attempts that open one commitment to inputs, each under its own oracle.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from inferproof.second_verifier.keys import Tensors
from inferproof.second_verifier.private.verifier import PrivateInputKey
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.transcript import Transcript
from reference.changes import flipped, verdict
from reference.programmed import Answers, Programmed, answers_of
from reference.vectors import Vector, files, load

VECTORS = files("private/simulated/inputs")
each_vector = pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)


class ProgrammedKey(PrivateInputKey):
    """A key whose link and proofs are checked under such oracles."""

    of_link: Programmed | None = None
    oracle: Programmed

    def transcript(self) -> Transcript:
        """That of links; before there are oracles, that of the key's pin."""
        return super().transcript() if self.of_link is None else self.of_link

    def begin(
        self,
        inputs: Tensors | bytes,
        outputs: Tensors,
        statement: bytes,
        opened: bytes | None = None,
    ) -> Transcript:
        return self.oracle


def check(vector: Vector, answers: Answers) -> int:
    """Answers that are left when link and proof have been accepted. Raises: Rejected."""
    key = ProgrammedKey(vector.key)
    key.of_link = of_link = Programmed(answers["link"])
    key.oracle = Programmed(answers["program"])
    assert vector.input_root is not None
    key.verify_root(vector.input_root, vector.outputs, vector.statement, vector.proof)
    return of_link.left + key.oracle.left


@each_vector
def test_accepts_a_simulated_attempt_under_its_oracle(path: Path) -> None:
    vector = load(path)
    assert not vector.inputs
    assert check(vector, answers_of(path)) == 0


@each_vector
def test_rejects_a_simulated_attempt_under_the_true_oracle(path: Path) -> None:
    assert verdict(load(path)) == "LINK_INVALID"


def test_attempts_open_one_commitment_to_inputs_and_one_epoch_and_share_nothing_else() -> None:
    attempts = [load(path) for path in VECTORS if path.stem.startswith("small-conservative")]
    first, second = attempts
    assert (first.key, first.input_root) == (second.key, second.input_root)
    proofs = [PrivateInputKey(own.key).read(own.proof) for own in attempts]
    assert proofs[0].links == proofs[1].links
    assert proofs[0].witness != proofs[1].witness
    assert not set(proofs[0].sent) & set(proofs[1].sent)


def test_rejects_a_simulated_attempt_for_another_root_or_under_the_oracle_of_the_other() -> None:
    first, second = VECTORS[:2]
    vector = load(first)
    assert vector.input_root is not None
    other = replace(vector, input_root=flipped(vector.input_root, 3, 1))
    for changed, answers in ((other, answers_of(first)), (vector, answers_of(second))):
        with pytest.raises(Rejected, match="OPENING_INVALID"):
            check(changed, answers)


def test_there_are_simulated_attempts_of_both_profiles() -> None:
    assert {load(path).key[13] for path in VECTORS} == {1, 2}
