"""The second verifier, against the vectors that the native prover made.

`native/prover/tests` gives the same vectors and changes to the native verifier; the codes with
which both reject are those of one manifest.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from inferproof.second_verifier.field import P
from inferproof.second_verifier.private.links import Link, follow
from inferproof.second_verifier.private.soundness import bits, terms
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.reader import Rejected
from reference.changes import (
    MALFORMED,
    beyond_modulus,
    changed_publics,
    fields,
    flipped,
    verdict,
)
from reference.vectors import PLACE, Vector, files, load
from reference.verdicts import KEPT, judged, of_proof, rendered

VECTORS = {path.stem: load(path) for path in files("private")}
SMALL = VECTORS["linear-default"]
SECURITY = PLACE / "private" / "security.json"
BATCHING = ("batching of equations and claims", "ranges: batching of equations and claims")
"""The terms of which the native report counts more than must be."""
each_vector = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS.keys())

MANY = (1 << 16) + 1
ELEMENTS = {"OPENING_INVALID", MALFORMED}
MANIFEST = {
    "version": {"PROOF_VERSION"},
    "count of links": {"LINK_COUNT", "LINK_KIND", "LINK_END", MALFORMED},
    "link: kind": {"LINK_KIND", "LINK_END", MALFORMED},
    "link: root": {"LINK_INVALID"},
    "link: fresh root": {"LINK_INVALID"},
    "link: value": {"LINK_INVALID", MALFORMED},
    "link: opening": {"LINK_INVALID", MALFORMED},
    "witness": {"OPENING_INVALID"},
    "padded elements": ELEMENTS,
    "relation: sum of the masks": ELEMENTS,
    "relation: rounds": ELEMENTS,
    "relation: factors": ELEMENTS,
    "opening: values of masks": ELEMENTS,
    "opening: padded answer": ELEMENTS,
    "opening: first fold": ELEMENTS,
    "opening: claim of the pad": ELEMENTS,
    "opening: tail": ELEMENTS,
    "opening: root": {"OPENING_INVALID"},
    "opening: answers": ELEMENTS,
    "opening: work": ELEMENTS,
    "opening: leaves": ELEMENTS,
    "opening: count of siblings": {MALFORMED},
    "opening: siblings": {"OPENING_INVALID"},
    "opening: fold": ELEMENTS,
    "opening: last polynomial": ELEMENTS,
    "opening: last fold": ELEMENTS,
}
"""Fields of a proof, and how a change in them may be rejected: nothing hidden is seen before."""


@cache
def key_of(name: str) -> PrivateKey:
    return PrivateKey(VECTORS[name].key)


def test_there_are_vectors_of_both_profiles() -> None:
    assert {vector.key[13] for vector in VECTORS.values()} == {1, 2}
    assert len(VECTORS) == 9


@each_vector
def test_accepts_what_the_native_prover_made(vector: Vector) -> None:
    assert verdict(vector) is None


@each_vector
def test_the_native_report_of_errors_says_the_same(vector: Vector) -> None:
    report = json.loads(SECURITY.read_text())[vector.name]
    key = key_of(vector.name)
    own, told = terms(key), dict(report["terms"])
    assert own.keys() == told.keys()
    for name in BATCHING:
        assert 0 <= -own.pop(name) - told.pop(name) < 3
    for name, error in own.items():
        assert -error == pytest.approx(told[name], abs=1e-4), name
    assert 100 < report["bits"] == pytest.approx(bits(key), abs=1e-3)


@pytest.mark.parametrize("path", files("private/lies"), ids=lambda path: path.stem)
def test_a_prover_that_lies_is_found_at_the_end_of_the_opening(path: Path) -> None:
    """What is sent is what the transcript has absorbed, so that only the claim itself is false."""
    lie = load(path)
    with pytest.raises(Rejected, match="the claim that is left does not hold"):
        key_of("choices-default").verify(lie.inputs, lie.outputs, lie.statement, lie.proof)


def test_there_are_lies_about_all_that_is_hidden() -> None:
    lies = {path.stem for path in files("private/lies")}
    assert lies == {"output", "column", "entry", "message", "epoch"}
    keys = {load(path).key for path in files("private/lies")}
    assert keys == {VECTORS["choices-default"].key}


def test_rejects_any_other_public_value() -> None:
    for name, other in changed_publics(SMALL):
        assert verdict(other) is not None, name


def test_the_code_tells_what_is_wrong_with_public_values() -> None:
    beyond = [[*SMALL.inputs[0][:-1], 1 << 20]]
    assert verdict(replace(SMALL, inputs=beyond)) == "INPUT_MISMATCH"
    assert verdict(replace(SMALL, outputs=SMALL.outputs[1:])) == "OUTPUT_MISMATCH"


@pytest.mark.parametrize(
    ("byte", "code"), [(1, "KEY_MODE_ENDED"), (2, "KEY_MODE_ENDED"), (4, "KEY_VERSION")]
)
def test_a_key_of_another_kind_is_none(byte: int, code: str) -> None:
    with pytest.raises(Rejected, match=code):
        PrivateKey(SMALL.key[:12] + bytes([byte]) + SMALL.key[13:])


@pytest.mark.parametrize(("kind", "openings"), [(1, 0), (3, 0), *((k, MANY) for k in (1, 2, 3))])
def test_a_key_has_numbers_of_openings(kind: int, openings: int) -> None:
    assert PrivateKey(SMALL.key).openings == {1: 2, 2: 2, 3: 2}
    start = 42 + 4 * kind
    with pytest.raises(Rejected, match="KEY_OPENINGS"):
        PrivateKey(SMALL.key[:start] + openings.to_bytes(4, "little") + SMALL.key[start + 4 :])


def test_rejects_each_field_changed() -> None:
    for name, place, bit in of_proof(SMALL):
        other = replace(SMALL, proof=flipped(SMALL.proof, place, bit))
        assert verdict(other) in MANIFEST[name], name


def test_every_row_of_the_manifest_is_a_field() -> None:
    named = {name for vector in VECTORS.values() for name in fields(vector)}
    assert named == MANIFEST.keys()


@pytest.mark.slow
def test_the_verdicts_are_those_that_are_kept() -> None:
    """The native verifier is held to the same file: `native/prover/tests/proofs/verdicts.rs`."""
    found = {name: judged(vector) for name, vector in VECTORS.items()}
    assert rendered(found) == KEPT.read_text()


def test_each_kept_verdict_is_one_of_the_manifest() -> None:
    stored = json.loads(KEPT.read_text())
    for name, vector in VECTORS.items():
        changes = list(of_proof(vector))
        assert [tuple(c[:2]) for c in stored[name]["proof"]] == [c[1:] for c in changes]
        for (field, _, _), (_, _, code) in zip(changes, stored[name]["proof"], strict=True):
            assert code in MANIFEST[field], field
        assert all(code for _, _, code in stored[name]["key"])


def test_rejects_other_lengths() -> None:
    for proof in (b"", SMALL.proof[:-1], SMALL.proof + b"\0", SMALL.proof[:1000]):
        assert verdict(replace(SMALL, proof=proof)) == MALFORMED


def test_an_element_has_one_encoding() -> None:
    """x + p is not read as x."""
    for name in ("padded elements", "relation: factors", "opening: last polynomial"):
        assert verdict(beyond_modulus(SMALL, name)) == MALFORMED, name


def test_the_pin_is_claimed_in_the_link() -> None:
    """Beside being absorbed: here the challenges stay those of the honest key."""
    key = PrivateKey(SMALL.key)
    key.verify(SMALL.inputs, SMALL.outputs, SMALL.statement, SMALL.proof)
    key.pin[0] = (*key.pin[0][:4], (key.pin[0][4] + 1) % P)
    with pytest.raises(Rejected, match="LINK_INVALID"):
        key.verify(SMALL.inputs, SMALL.outputs, SMALL.statement, SMALL.proof)


def test_a_chain_of_two_links_is_among_the_vectors() -> None:
    kinds = {name: [link.kind for link in _links(name)] for name in VECTORS}
    assert kinds["vision-conservative"] == [2, 3]
    assert kinds["wide-default"] == [1, 2, 3]
    assert all(own[-1] == 3 for own in kinds.values())


def _links(name: str) -> list[Link]:
    return key_of(name).read(VECTORS[name].proof).links


def test_what_a_link_says_is_claimed_of_its_child() -> None:
    """An epoch with another value than the one that its link shows has no opening."""
    key = key_of("linear-default")
    (link,) = _links("linear-default")
    with pytest.raises(Rejected, match="LINK_INVALID"):
        follow(key, key.commitment, [replace(link, value=(1, 2, 3, 4, 5))])
    for kind in (1, 2):
        with pytest.raises(Rejected, match="LINK_INVALID"):
            follow(key, key.commitment, [replace(link, kind=kind)])
    assert follow(key, key.commitment, [link]).digest != key.digest
