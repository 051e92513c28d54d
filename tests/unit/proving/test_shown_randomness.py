"""Proofs that share randomness are told from those that do not, by what they show."""

import numpy as np
import pytest

from inferproof.proving.sumcheck.library import library
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.reader import Reader
from reference.shown import SIZES, examine
from reference.vectors import files, load

pytestmark = pytest.mark.native

NOTHING = np.zeros(0, np.int32)
Proofs = tuple[bytes, list[bytes]]


@pytest.fixture(scope="module")
def made() -> Proofs:
    """A key, and proofs of one statement and input by two epochs of it, two of each."""
    (path,) = [path for path in files("private") if path.stem == "linear-default"]
    vector, native = load(path), library()
    graph = vector.key[vector.key.index(b"INFGRAPH") :]
    count, _, _ = native.graph_size(graph)
    weights = (np.arange(count) * 37 % 251 - 125).astype(np.int8)
    key, _, owner = native.commit_private(graph, weights, NOTHING, "default")
    inputs = [np.array(values, np.int32) for values in vector.inputs]
    links = [owner.begin(slot) for slot in range(2)]
    epochs = [each if each.proves() else each.begin(0) for each in links]
    return key, [
        epoch.prove(owner.execute(inputs), bytes(32), slot) for epoch in epochs for slot in range(2)
    ]


def named(proofs: list[bytes]) -> list[tuple[str, bytes]]:
    return [(f"proof {number}", proof) for number, proof in enumerate(proofs)]


def test_proofs_of_one_statement_have_nothing_in_common_but_their_links(made: Proofs) -> None:
    key, proofs = made
    found = examine(key, named(proofs))
    assert found.shared == ()
    ends = [times for times in found.openings.values() if times == 2]
    assert len(ends) == 3  # the key and both epochs for proofs
    assert set(found.openings) <= found.commitments


def test_one_proof_that_came_out_twice_is_found(made: Proofs) -> None:
    key, proofs = made
    found = examine(key, named([proofs[0], proofs[0]]))
    assert "proof 0 (witness) and proof 1 (witness)" in found.shared


@pytest.mark.parametrize("field", sorted(SIZES))
def test_each_field_that_two_proofs_share_is_found(made: Proofs, field: str) -> None:
    key, (first, second, *_) = made
    places = [place(key, proof, field) for proof in (first, second)]
    size = SIZES[field]
    changed = bytearray(second)
    changed[places[1] : places[1] + size] = first[places[0] : places[0] + size]
    found = examine(key, named([first, bytes(changed)]))
    assert found.shared == (f"proof 0 ({field}) and proof 1 ({field})",)


def test_links_to_one_root_that_are_not_one_link_are_found(made: Proofs) -> None:
    key, (first, _, other, _) = made
    start = place(key, first, "link: root")
    changed = bytearray(other)
    changed[start : start + 32] = first[start : start + 32]
    found = examine(key, named([first, bytes(changed)]))
    assert found.shared == ("link 0 of proof 0 (root) and link 0 of proof 1 (root)",)


def place(key: bytes, proof: bytes, field: str) -> int:
    """The first byte of a field in a proof."""
    source = Reader(proof, "PROOF_MALFORMED")
    PrivateKey(key).read_next(source)
    return next(at for name, at in source.fields if name == field)
