"""The second verifier of the committed mode, against the vectors that the native prover made.

`native/prover/tests` gives the same vectors and changes to the native verifier; the codes with
which both reject are those of one manifest.
"""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from reference.changes import (
    MALFORMED,
    Changed,
    beyond_modulus,
    changed_publics,
    fields,
    flipped,
    opening_fields,
    verdict,
)
from reference.committed.verifier import CommittedKey
from reference.field import P
from reference.reader import Rejected
from reference.vectors import Vector, files, load
from reference.verdicts import judged, kept, of_proof, rendered
from reference.verifier import VerifyingKey

VECTORS = {path.stem: load(path) for path in files("committed")}
SMALL = VECTORS["wide-default"]
each_vector = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS.keys())

LOOKUPS = {"LOOKUP_MISMATCH", MALFORMED}
OPENINGS = {"WITNESS_OPENING_INVALID", "WEIGHT_OPENING_INVALID"}
MANIFEST = {
    "version": {"PROOF_VERSION"},
    "witness": {"LOOKUP_MISMATCH"},
    "lookups: rounds of a layer": LOOKUPS,
    "lookups: children of a layer": LOOKUPS,
    "lookups: values of the columns": LOOKUPS,
    "lookups: values of the multiplicities": LOOKUPS,
    "reduction length": {MALFORMED, "REDUCTION_MISMATCH"},
    "reduction": OPENINGS | {"REDUCTION_MISMATCH", MALFORMED},
    "values of the blocks": {"WEIGHT_OPENING_INVALID", MALFORMED},
} | opening_fields(OPENINGS)
"""Fields of a proof, and how a change in them may be rejected."""


def changed_fields(vector: Vector) -> Iterator[Changed]:
    """The proof with one bit flipped, at a place of each field."""
    for name, place, bit in of_proof(vector):
        yield name, replace(vector, proof=flipped(vector.proof, place, bit))


@each_vector
def test_accepts_what_the_native_prover_made(vector: Vector) -> None:
    assert verdict(vector) is None


@each_vector
def test_rejects_any_other_public_value(vector: Vector) -> None:
    for name, other in changed_publics(vector):
        assert verdict(other) is not None, name


def test_the_code_tells_what_is_wrong_with_public_values() -> None:
    beyond = [[*SMALL.inputs[0][:-1], 128]]
    assert verdict(replace(SMALL, inputs=beyond)) == "INPUT_MISMATCH"
    assert verdict(replace(SMALL, outputs=SMALL.outputs[1:])) == "OUTPUT_MISMATCH"


def test_neither_mode_takes_a_key_of_the_other() -> None:
    for other in (1, 3):
        with pytest.raises(Rejected, match="KEY_VERSION"):
            CommittedKey(SMALL.key[:12] + bytes([other]) + SMALL.key[13:])
    with pytest.raises(Rejected, match="KEY_VERSION"):
        VerifyingKey(SMALL.key)


def test_every_row_of_the_manifest_is_a_field() -> None:
    named = {name for vector in VECTORS.values() for name in fields(vector)}
    assert named == MANIFEST.keys()


def test_rejects_each_field_changed() -> None:
    for name, other in changed_fields(SMALL):
        assert verdict(other) in MANIFEST[name], name


@pytest.mark.slow
def test_the_verdicts_are_those_that_are_kept() -> None:
    """The native verifier is held to the same file: `native/prover/tests/verdicts.rs`."""
    found = {name: judged(vector) for name, vector in VECTORS.items()}
    assert rendered(found) == kept("committed").read_text()


def test_each_kept_verdict_is_one_of_the_manifest() -> None:
    stored = json.loads(kept("committed").read_text())
    for name, vector in VECTORS.items():
        changes = [(place, bit) for _, place, bit in of_proof(vector)]
        assert [tuple(change[:2]) for change in stored[name]["proof"]] == changes
        names = [field for field, _, _ in of_proof(vector)]
        for field, (_, _, code) in zip(names, stored[name]["proof"], strict=True):
            assert code in MANIFEST[field], field
        assert all(code for _, _, code in stored[name]["key"])


def test_rejects_other_lengths() -> None:
    for proof in (b"", SMALL.proof[:-1], SMALL.proof + b"\0", SMALL.proof[:1000]):
        assert verdict(replace(SMALL, proof=proof)) == MALFORMED


def test_an_element_has_one_encoding() -> None:
    """x + p is not read as x."""
    for name in ("lookups: values of the columns", "reduction", "last polynomial"):
        assert verdict(beyond_modulus(SMALL, name)) == MALFORMED, name


def test_the_values_of_the_pin_are_claimed_in_the_opening() -> None:
    """Beside being absorbed: here the challenges stay those of the honest key."""
    key = CommittedKey(SMALL.key)
    key.pin[0] = (*key.pin[0][:4], (key.pin[0][4] + 1) % P)
    with pytest.raises(Rejected, match="WEIGHT_OPENING_INVALID"):
        key.verify(SMALL.inputs, SMALL.outputs, SMALL.statement, SMALL.proof)
