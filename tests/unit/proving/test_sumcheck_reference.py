"""The second verifier of tests/reference against the vectors that the native prover made.

What the vectors leave open is changed here: every public value, every field of the proof. Both
verifiers must give the same answer to each.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from native_module import natively_proven

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.second_verifier.field import P
from inferproof.second_verifier.reader import Rejected
from reference.changes import (
    MALFORMED,
    Changed,
    beyond_modulus,
    changed_publics,
    decoded,
    fields,
    flipped,
    opening_fields,
    verdict,
)
from reference.vectors import Vector, files, load
from reference.verifier import VerifyingKey

VECTORS = [load(path) for path in files()]
SMALLEST = min(VECTORS, key=lambda vector: len(vector.proof))
SMALLEST_PINNED = next(vector for vector in VECTORS if vector.name == "everything-default")
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)

Judged = list[tuple[str, Vector, str | None]]

OPENING = {"OPENING_INVALID"}
MANIFEST = {
    "version": {"PROOF_VERSION"},
    "accumulators": {
        "ACCUMULATOR_RANGE",
        "EXECUTION",
        "OUTPUT_MISMATCH",
        "CONTRACTION_MISMATCH",
    },
    "packed accumulators": {
        "ACCUMULATOR_RANGE",
        "EXECUTION",
        "OUTPUT_MISMATCH",
        "CONTRACTION_MISMATCH",
        MALFORMED,
    },
    "rounds": {"CONTRACTION_MISMATCH", MALFORMED},
    "values of the blocks": {"CONTRACTION_MISMATCH", MALFORMED},
} | opening_fields(OPENING)
"""Fields of a proof, and how a change in them may be rejected."""


def changed_proofs(vector: Vector, names: Iterable[str], sample: int) -> Iterator[Changed]:
    """The proof with one bit flipped, at `sample` places of each of these fields."""
    chance = random.Random(vector.name)  # noqa: S311
    for name in names:
        own = fields(vector)[name]
        for place in chance.sample(own, min(sample, len(own))):
            proof = flipped(vector.proof, place, chance.randrange(8))
            yield name, replace(vector, proof=proof)


def each_field_changed() -> Iterator[Changed]:
    """Every field once, in the smallest vector that has it."""
    left = set(MANIFEST)
    for vector in sorted(VECTORS, key=lambda vector: len(vector.proof)):
        own = sorted(left & fields(vector).keys())
        left -= set(own)
        yield from changed_proofs(vector, own, 1)
    assert not left, "no vector has these fields"


def reshaped() -> Iterator[Changed]:
    """Proofs whose parts are moved, doubled or left out, with counts that fit."""
    vector = SMALLEST
    whole = decoded(vector.key).fields(vector.proof)
    counts = [(bytes_, after) for (name, bytes_), (_, after) in pairwise(whole) if "count" in name]
    for count, siblings in counts:
        before, own = vector.proof[: count.start], siblings_of(vector, siblings)
        after = vector.proof[siblings.stop :]
        for name, other in {
            "one more": [*own, bytes(32)],
            "one less": own[:-1],
            "the last twice": [*own, own[-1]],
            "two in each other's place": [own[1], own[0], *own[2:]],
            "none": [],
        }.items():
            proof = before + len(other).to_bytes(4, "little") + b"".join(other) + after
            yield f"siblings: {name}", replace(vector, proof=proof)
    rows = next(bytes_ for name, bytes_ in whole if name == "rows of the weights")
    size = 4 << decoded(vector.key).schedule.folds[0]
    data = vector.proof[rows.start : rows.stop]
    turned = data[size : 2 * size] + data[:size] + data[2 * size :]
    proof = vector.proof[: rows.start] + turned + vector.proof[rows.stop :]
    yield "two rows in each other's place", replace(vector, proof=proof)


def siblings_of(vector: Vector, bytes_: range) -> list[bytes]:
    starts = range(bytes_.start, bytes_.stop, 32)
    return [vector.proof[start : start + 32] for start in starts]


@each_vector
def test_accepts_what_the_native_prover_made(vector: Vector) -> None:
    assert verdict(vector) is None


@each_vector
def test_rejects_any_other_public_value(vector: Vector) -> None:
    for name, other in changed_publics(vector):
        assert verdict(other) is not None, name


def test_the_values_of_the_pin_are_claimed_in_the_opening() -> None:
    """Beside being absorbed: here the challenges stay those of the honest key."""
    vector = SMALLEST_PINNED
    for place in (0, len(decoded(vector.key).pin) - 1):
        key = VerifyingKey(vector.key)
        key.pin[place] = (*key.pin[place][:4], (key.pin[place][4] + 1) % P)
        with pytest.raises(Rejected, match="OPENING_INVALID"):
            key.verify(vector.inputs, vector.outputs, vector.statement, vector.proof)


def test_every_row_of_the_manifest_is_a_field() -> None:
    named = {name for vector in VECTORS for name in fields(vector)}
    assert named == MANIFEST.keys()


@pytest.fixture(scope="module")
def judged() -> Judged:
    """Changed proofs with the reference's verdicts, which take most of these tests' time."""
    changed = [*each_field_changed(), *reshaped()]
    return [(name, other, verdict(other)) for name, other in changed]


def test_rejects_each_field_changed_and_parts_that_are_moved(judged: Judged) -> None:
    for name, _, code in judged:
        assert code in MANIFEST.get(name, OPENING | {MALFORMED}), name


@pytest.mark.slow
@each_vector
def test_rejects_many_changes_of_each_field(vector: Vector) -> None:
    for name, other in changed_proofs(vector, sorted(fields(vector)), 12):
        assert verdict(other) in MANIFEST[name], name


def test_rejects_other_lengths() -> None:
    for proof in (b"", SMALLEST.proof[:-1], SMALLEST.proof + b"\0", SMALLEST.proof[:1000]):
        assert verdict(replace(SMALLEST, proof=proof)) == MALFORMED


def test_an_element_has_one_encoding() -> None:
    """x + p is not read as x."""
    for name in ("rounds", "answers", "last polynomial", "rows of the weights"):
        vector = next(vector for vector in VECTORS if name in fields(vector))
        assert verdict(beyond_modulus(vector, name)) == MALFORMED, name


def native_verdict(vector: Vector) -> str | None:
    """The same from the native verifier."""
    native = library()

    def arrays(tensors: list[list[int]]) -> list[Any]:
        return [np.array(tensor, np.int32) for tensor in tensors]

    try:
        key = native.VerifyingKey(vector.key)
        inputs, outputs = arrays(vector.inputs), arrays(vector.outputs)
        key.verify(inputs, outputs, vector.statement, vector.proof)
    except native.NativeError as error:
        code: str = error.args[0]
        return code
    return None


def many(count: int) -> g.Graph:
    """As many matrices of 7 × 7, whose operand is the input."""
    nodes = [
        g.Node(g.Linear(place, g.NONE), (0,), (1, 7), -(2**20), 2**20) for place in range(count)
    ]
    return g.Graph(
        inputs=(g.Input((1, 7), -1, 1),),
        weights=(g.Weight(7, 7),) * count,
        constants=(),
        nodes=tuple(nodes),
        outputs=(count,),
    )


def key_of(graph: g.Graph) -> bytes:
    """A key of this graph with a root of zeros; the profile is the one without a pin."""
    head = b"INFSUMVK" + (1).to_bytes(4, "little") + bytes([1, 2]) + bytes(32) + bytes(4)
    return head + encode_graph(graph)


def test_many_matrices_are_cut_into_fewer_blocks() -> None:
    assert len(decoded(key_of(many(56))).stack.blocks) == 56 * 9
    assert len(decoded(key_of(many(57))).stack.blocks) == 57
    with pytest.raises(Rejected, match="KEY_COMMITMENT"):
        decoded(key_of(many(2049)))


@pytest.mark.native
@pytest.mark.parametrize("count", [pytest.param(56, marks=pytest.mark.slow), 57])
def test_both_verifiers_cut_many_matrices_alike(count: int) -> None:
    native, graph = library(), many(count)
    weights = np.arange(49 * count, dtype=np.int64).astype(np.int8)
    key = native.commit(encode_graph(graph), weights, "default")
    inputs = [np.array([1, 0, -1, 1, 1, 0, -1], np.int32)]
    outputs, proof = natively_proven(native.ProvingKey(key, weights), inputs, bytes(32))
    found = [output.tolist() for output in outputs]
    VerifyingKey(key).verify([inputs[0].tolist()], found, bytes(32), proof)
    with pytest.raises(native.NativeError, match="KEY_COMMITMENT"):
        native.VerifyingKey(key_of(many(2049)))


def window(lines: int, kernel: int) -> bytes:
    """A key whose convolution reads lines of one element through a window over padding."""
    conv = g.Conv(0, g.NONE, 1, (1, kernel), (lines, 1), (1, 1), (0, kernel), (0, 0))
    return key_of(
        g.Graph(
            inputs=(g.Input((1, 1, lines, 1), -1, 1),),
            weights=(g.Weight(1, kernel),),
            constants=(),
            nodes=(g.Node(conv, (0,), (1, 1, 1, 2), -kernel, kernel),),
            outputs=(1,),
        )
    )


def test_refuses_keys_that_take_all_memory_to_check() -> None:
    assert decoded(window(2**20, 2**4))
    with pytest.raises(Rejected, match="KEY_WORK"):
        decoded(window(2**20, 2**4 + 1))


def results(rows: int) -> bytes:
    """A key whose one contraction has 2^10 results for each of these rows."""
    node = g.Node(g.Linear(0, g.NONE), (0,), (rows, 2**10), -(2**10), 2**10)
    inputs = (g.Input((rows, 1), -1, 1),)
    return key_of(g.Graph(inputs, (g.Weight(2**10, 1),), (), (node,), (1,)))


@pytest.mark.native
def test_both_verifiers_take_keys_with_as_many_results_as_a_proof_carries() -> None:
    native = library()
    assert decoded(results(2**13))
    assert native.VerifyingKey(results(2**13))
    with pytest.raises(Rejected, match="KEY_ACCUMULATORS"):
        decoded(results(2**13 + 1))
    with pytest.raises(native.NativeError, match="KEY_ACCUMULATORS"):
        native.VerifyingKey(results(2**13 + 1))


@pytest.mark.native
def test_the_native_verifier_refuses_keys_that_take_all_memory_to_check() -> None:
    native = library()
    assert native.VerifyingKey(window(2**20, 2**4))
    with pytest.raises(native.NativeError, match="KEY_WORK"):
        native.VerifyingKey(window(2**20, 2**4 + 1))


@pytest.mark.native
@each_vector
def test_the_native_verifier_agrees_on_public_values(vector: Vector) -> None:
    assert native_verdict(vector) is None
    for name, other in changed_publics(vector):
        assert native_verdict(other) == verdict(other), name


@pytest.mark.native
def test_the_native_verifier_agrees_on_changed_proofs(judged: Judged) -> None:
    for name, other, code in judged:
        assert native_verdict(other) == code, name


@pytest.mark.slow
@pytest.mark.native
@each_vector
def test_the_native_verifier_agrees_on_many_changes(vector: Vector) -> None:
    for name, other in changed_proofs(vector, sorted(fields(vector)), 12):
        assert native_verdict(other) == verdict(other), name
