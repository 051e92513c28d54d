"""The second verifier of proofs of private inputs, against vectors of the native prover."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from inferproof.second_verifier.private.links import PRIVATE_INPUTS
from inferproof.second_verifier.private.soundness import bits, terms
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.reader import Rejected
from reference.changes import MALFORMED, decoded_private, fields, flipped, verdict
from reference.vectors import PLACE, Vector, files, load

FOLDER = "private/inputs"
VECTORS = {path.stem: load(path) for path in files(FOLDER)}
SMALL = VECTORS["linear-default"]
SECURITY = PLACE / FOLDER / "security.json"
BATCHING = ("batching of equations and claims", "ranges: batching of equations and claims")
"""The terms of which the native report counts more than must be."""
each_vector = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS.keys())
HIDDEN = {"OPENING_INVALID", MALFORMED}
LINK = {"LINK_INVALID", "LINK_KIND", "LINK_END", "LINK_COUNT", MALFORMED}


def root(vector: Vector) -> bytes:
    assert vector.input_root is not None
    return vector.input_root


def test_there_are_vectors_of_both_profiles_and_none_shows_an_input() -> None:
    assert {vector.key[13] for vector in VECTORS.values()} == {1, 2}
    assert all(not vector.inputs for vector in VECTORS.values())


@each_vector
def test_accepts_what_the_native_prover_made(vector: Vector) -> None:
    assert verdict(vector) is None
    links = decoded_private(vector.key).read(vector.proof).links
    assert links[-1].kind == PRIVATE_INPUTS


@each_vector
def test_the_native_report_of_errors_says_the_same(vector: Vector) -> None:
    report = json.loads(SECURITY.read_text())[vector.name]
    key = decoded_private(vector.key)
    own, told = terms(key), dict(report["terms"])
    assert own.keys() == told.keys()
    for name in BATCHING:
        assert 0 <= -own.pop(name) - told.pop(name) < 3
    for name, error in own.items():
        assert -error == pytest.approx(told[name], abs=1e-4), name
    assert 100 < report["bits"] == pytest.approx(bits(key), abs=1e-3)


@pytest.mark.parametrize("path", files(f"{FOLDER}/lies"), ids=lambda path: path.stem)
def test_a_prover_that_lies_is_found_at_the_end_of_the_opening(path: Path) -> None:
    lie = load(path)
    with pytest.raises(Rejected, match="the claim that is left does not hold"):
        decoded_private(lie.key).verify_root(root(lie), lie.outputs, lie.statement, lie.proof)


def test_there_are_lies_about_all_that_is_hidden_of_an_input() -> None:
    assert {path.stem for path in files(f"{FOLDER}/lies")} == {"input", "limb", "message"}


def test_rejects_any_other_public_value() -> None:
    assert verdict(replace(SMALL, input_root=flipped(root(SMALL), 3, 1))) == "OPENING_INVALID"
    assert verdict(replace(SMALL, statement=flipped(SMALL.statement, 3, 1))) == "OPENING_INVALID"
    first, *others = SMALL.outputs
    wrong = [[first[0] + (1 if first[0] < 0 else -1), *first[1:]], *others]
    assert verdict(replace(SMALL, outputs=wrong)) == "OPENING_INVALID"
    assert verdict(replace(SMALL, outputs=SMALL.outputs[1:])) == "OUTPUT_MISMATCH"


def test_a_verifier_of_public_inputs_takes_no_proof_of_private_ones() -> None:
    key = PrivateKey(SMALL.key)
    zeros = [[max(tensor.lo, 0)] * tensor.size for tensor in key.graph.inputs]
    with pytest.raises(Rejected, match="LINK_END"):
        key.verify(zeros, SMALL.outputs, SMALL.statement, SMALL.proof)
    shown = load(PLACE / "private" / "linear-default.json")
    assert verdict(shown) is None
    other = replace(shown, input_root=root(SMALL), inputs=[])
    assert verdict(other) == "LINK_END"


def test_rejects_each_field_changed() -> None:
    for name, places in fields(SMALL).items():
        for place in {places[0], places[-1]}:
            code = verdict(replace(SMALL, proof=flipped(SMALL.proof, place, 0)))
            if name == "version":
                assert code == "PROOF_VERSION"
            elif "link" in name:
                assert code in LINK, name
            else:
                assert code in HIDDEN, name


def test_rejects_other_lengths() -> None:
    for proof in (b"", SMALL.proof[:-1], SMALL.proof + b"\0", SMALL.proof[:1000]):
        assert verdict(replace(SMALL, proof=proof)) == MALFORMED
