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


Answers = dict[str, list[Any]]
"""What the oracle answers: of the link that the proof carries, and of the proof."""


def answers_of(path: Path) -> Answers:
    text = json.loads(path.read_text())
    return {name: text[name] for name in ("link", "program")}


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
