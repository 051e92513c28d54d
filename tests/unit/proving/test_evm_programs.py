"""Programs for contracts are made of keys alone, and are those that the contracts' tests run.

`contracts/test/sumcheck/PrivateProofs.t.sol` runs them on proofs that
`native/prover/tests/proofs/private_evm.rs` makes.
"""

from dataclasses import replace

import pytest

from inferproof.second_verifier.field import ONE, ZERO, add, dot_integers, equality, mul
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.program import dense, nodes
from inferproof.second_verifier.program.assembly import assemble
from inferproof.second_verifier.program.calls import programs_of
from inferproof.second_verifier.program.nodes import Hidden, Known, known, leaf
from inferproof.second_verifier.program.trace import adjoint, proof
from inferproof.second_verifier.program.tracing import tracing
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.relations import tensors
from inferproof.second_verifier.relations.values import Form
from inferproof.second_verifier.transcript import KeccakTranscript
from reference.changes import flipped, verdict
from reference.programs import FOLDER, files, rendered
from reference.vectors import PLACE, load

VECTORS = {path.stem: path for path in files()}


def test_there_are_vectors_of_one_profile() -> None:
    assert len(VECTORS) == 8
    assert {load(path).key[13] for path in VECTORS.values()} == {4}


@pytest.mark.parametrize("name", ["linear", "fraud", "fraud-lie"])
def test_the_second_verifier_has_the_verdict_of_the_first(name: str) -> None:
    vector = load(VECTORS[name])
    assert verdict(vector) == ("OPENING_INVALID" if name == "fraud-lie" else None)
    if name == "linear":
        for place in (len(vector.proof) - 1, len(vector.proof) // 2):
            assert verdict(replace(vector, proof=flipped(vector.proof, place, 0))) is not None
        assert verdict(replace(vector, statement=bytes(32))) == "OPENING_INVALID"


@pytest.mark.parametrize("path", VECTORS.values(), ids=VECTORS.keys())
def test_programs_are_those_that_contracts_run(path) -> None:  # type: ignore[no-untyped-def]
    stored = FOLDER / "programs" / path.name
    assert stored.read_text() == rendered(path)


def test_a_program_follows_from_the_key_alone() -> None:
    key = load(VECTORS["fraud"]).key
    first, second = (assemble(proof(PrivateKey(key))) for _ in range(2))
    assert first == second
    assert first != assemble(proof(PrivateKey(load(VECTORS["linear"]).key)))
    links = programs_of(key).links
    assert list(links) == [
        *[(linked, 1, child) for linked in (False, True) for child in (1, 2, 3)],
        (True, 2, 3),
    ]
    assert len(set(links.values())) == 7


def test_a_key_of_another_profile_has_no_program() -> None:
    key = load(PLACE / "private/linear-default.json").key
    with pytest.raises(Rejected, match="its profile is another than evm"):
        programs_of(key)


def test_a_key_whose_known_values_follow_from_inputs_has_no_program() -> None:
    key = PrivateKey(load(PLACE / "private/everything-default.json").key)
    with pytest.raises(Rejected, match="a contract does not execute what follows from inputs"):
        proof(key)


def test_within_tracing_alone_arithmetic_makes_nodes() -> None:
    point = [known("drawn", data=(1_000_000,))]
    with tracing():
        assert isinstance(tensors.mul(point[0], point[0]), Known)
    assert tensors.mul is mul
    assert tensors.equality is equality


def _value(node: object, given: dict[Known, object]) -> object:
    """A node's value where those of its leaves are given."""
    if not isinstance(node, Known):
        return node
    if node in given:
        return given[node]
    if node.op == "data":
        point = [_value(arg, given) for arg in node.args]
        return dot_integers(equality(point), node.data)  # type: ignore[arg-type]
    a, b = (_value(arg, given) for arg in node.args)
    both = mul(a, b)  # type: ignore[arg-type]
    if node.op == "add":
        return add(a, b)  # type: ignore[arg-type]
    if node.op == "sub":
        return add(a, mul(b, MINUS))  # type: ignore[arg-type]
    if node.op == "eq":
        rest = mul(add(ONE, mul(a, MINUS)), add(ONE, mul(b, MINUS)))  # type: ignore[arg-type]
        return add(both, rest)
    return both


MINUS = nodes.sub(ZERO, ONE)


@pytest.mark.parametrize(
    "values",
    [
        [7],
        [3, -1, 4],
        list(range(-40, 60)),
        [max(0, j - 700) for j in range(1500)],
        [(j * j * 31 + 7 * j) % 601 - 300 for j in range(300)],
        [j % 2 * 70000 - 5 for j in range(130)],
    ],
    ids=["one", "few", "line", "clamp", "dense", "wide"],
)
def test_integers_at_a_point_have_one_value(values: list[int]) -> None:
    """Closed forms, sums and instructions give what a table gives."""
    transcript = KeccakTranscript()
    transcript.absorb("inputs", len(values).to_bytes(4, "little"))
    variables = (len(values) - 1).bit_length() + 1
    point = transcript.point(variables)
    names = [known("drawn", data=(2_000_000 + place,)) for place in range(variables)]
    given = dict(zip(names, point, strict=True))
    found = _value(dense.evaluate(values, names), given)
    assert found == dot_integers(equality(point), values)
    most = _value(dense.below(names, len(values)), given)
    assert most == dot_integers(equality(point), [1] * len(values))


def test_what_is_hidden_is_weighed_backwards() -> None:
    """The weights are those of the form itself."""
    a, b = KeccakTranscript().point(2)
    first, second = leaf(0), leaf(1)
    inner = nodes.add(nodes.mul(a, first), nodes.sub(second, b))
    root = nodes.sub(nodes.mul(b, inner), nodes.add(first, Form(a, {2: b})))
    sent, pads, rest = adjoint(root, 3)
    assert sent == [add(mul(a, b), MINUS), b, ZERO]
    assert pads == [ZERO, ZERO, mul(b, MINUS)]
    assert rest == add(mul(mul(b, b), MINUS), mul(a, MINUS))
    with pytest.raises(TypeError, match="two hidden values are multiplied"):
        nodes.mul(first, second)
    assert isinstance(root, Hidden)
