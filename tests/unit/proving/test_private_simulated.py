"""Proofs of the private mode by a simulator, which knows neither weights nor witness, under a
random oracle that it has programmed: the second verifier accepts them, as the native one does.

`native/prover/tests/private_evidence` makes them; the vectors hold what the oracle answers.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from reference.changes import verdict
from reference.field import Element
from reference.keys import Tensors
from reference.private.verifier import PrivateKey
from reference.reader import Rejected
from reference.transcript import Transcript
from reference.vectors import Vector, files, load

VECTORS = files("private/simulated")
each_vector = pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)


class Programmed(Transcript):
    """An oracle that answers what it was programmed to, whatever it is asked."""

    def __init__(self, answers: Sequence[Any]) -> None:
        super().__init__()
        self._answers = list(answers)

    def observe(self, data: bytes) -> None:
        """What is absorbed changes nothing."""

    def _next(self) -> Any:
        return self._answers.pop(0)

    def challenge(self) -> Element:
        first, second, third, fourth, fifth = self._next()
        return first, second, third, fourth, fifth

    def indices(self, count: int, bits: int) -> list[int]:
        found = [int(self._next()) for _ in range(count)]
        assert all(index >> bits == 0 for index in found)
        return found

    def work_done(self, bits: int, witness: int) -> bool:
        return bool(self._next() == {"bits": bits, "witness": witness})

    @property
    def left(self) -> int:
        """Answers that nobody has asked for."""
        return len(self._answers)


class ProgrammedKey(PrivateKey):
    """A key whose proofs are checked under such an oracle."""

    oracle: Programmed

    def begin(self, inputs: Tensors, outputs: Tensors, statement: bytes) -> Transcript:
        return self.oracle


def check(path: Path, vector: Vector, proof: bytes, answers: Sequence[Any] | None = None) -> int:
    """Answers that are left when the proof has been accepted. Raises: Rejected."""
    key = ProgrammedKey(vector.key)
    key.oracle = Programmed(answers or json.loads(path.read_text())["program"])
    key.verify(vector.inputs, vector.outputs, vector.statement, proof)
    return key.oracle.left


@each_vector
def test_accepts_a_simulated_proof_under_its_oracle(path: Path) -> None:
    vector = load(path)
    assert check(path, vector, vector.proof) == 0


@each_vector
def test_rejects_a_simulated_proof_under_the_true_oracle(path: Path) -> None:
    assert verdict(load(path)) == "OPENING_INVALID"


def test_rejects_a_simulated_proof_under_an_oracle_of_another_program() -> None:
    path = VECTORS[0]
    vector = load(path)
    answers = json.loads(path.read_text())["program"]
    places = [place for place, answer in enumerate(answers) if isinstance(answer, int)]
    other = [*answers]
    other[places[0]] ^= 1
    with pytest.raises(Rejected, match="OPENING_INVALID"):
        check(path, vector, vector.proof, other)


def test_rejects_a_simulated_proof_that_is_changed() -> None:
    """What the oracle answers does not depend on it, so that only the checks themselves see it."""
    path = VECTORS[0]
    vector = load(path)
    fields = PrivateKey(vector.key).fields(vector.proof)
    unseen = {"version", "opening: work"}
    for name in {name for name, _ in fields} - unseen:
        place = next(own for own in fields if own[0] == name)[1].start
        changed = bytearray(vector.proof)
        changed[place] ^= 1
        with pytest.raises(Rejected):
            check(path, vector, bytes(changed))


def test_there_are_simulated_proofs_of_both_profiles() -> None:
    assert {load(path).key[13] for path in VECTORS} == {1, 2}
