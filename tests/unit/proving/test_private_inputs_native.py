"""Private inputs at the door to the native module: roots, attempts, what verifiers are given."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inferproof.proving.sumcheck.library import Int8s, Int32s, library
from reference.vectors import files, load

if TYPE_CHECKING:
    from inferproof.proving.sumcheck import _native

pytestmark = pytest.mark.native

STATEMENT = bytes(range(32))
SECRET, OTHER = bytes([7] * 32), bytes([8] * 32)
NOTHING = np.zeros(0, np.int32)
Made = tuple["_native.PrivateKey", "_native.VerifyingKey", list[Int32s]]


def weights_of(graph: bytes) -> Int8s:
    count, _, _ = library().graph_size(graph)
    return (np.arange(count) * 37 % 251 - 125).astype(np.int8)


@pytest.fixture(scope="module")
def made() -> Made:
    (path,) = [path for path in files("private") if path.stem == "linear-default"]
    vector = load(path)
    graph = vector.key[vector.key.index(b"INFGRAPH") :]
    weights = weights_of(graph)
    key, secret, _ = library().commit_private(graph, weights, NOTHING, "default")
    owner = library().PrivateKey(key, weights, NOTHING, secret)
    inputs = [np.array(values, np.int32) for values in vector.inputs]
    return owner, library().VerifyingKey(key, owner.prove_ranges(0, 100)), inputs


def code(call: Callable[[], object]) -> str:
    with pytest.raises(library().NativeError) as caught:
        call()
    return str(caught.value.args[0])


def test_a_proof_of_private_inputs_verifies_for_the_root_that_the_payer_computes(
    made: Made,
) -> None:
    key, verifier, inputs = made
    epoch = key.begin(0).begin(0, private_inputs=True)
    assert epoch.proves()
    assert epoch.private_inputs()
    root = verifier.input_root(inputs, SECRET)
    assert root == key.input_root(inputs, SECRET) != verifier.input_root(inputs, OTHER)
    proofs = []
    for attempt in (0, 1):
        execution = key.execute(inputs, SECRET)
        assert execution.input_root() == root
        outputs = execution.outputs()
        proofs.append(epoch.prove(execution, STATEMENT, attempt, attempt=attempt))
        verifier.verify(None, outputs, STATEMENT, proofs[-1], root)
    assert proofs[0] != proofs[1]
    proof = proofs[0]
    other = verifier.input_root(inputs, OTHER)
    verify = verifier.verify
    assert code(lambda: verify(None, outputs, STATEMENT, proof, other)) == "OPENING_INVALID"
    assert code(lambda: verify(inputs, outputs, STATEMENT, proof)) == "LINK_END"
    # Either inputs or a root.
    assert code(lambda: verify(inputs, outputs, STATEMENT, proof, root)) == "INPUT_MISMATCH"
    assert code(lambda: verify(None, outputs, STATEMENT, proof)) == "INPUT_MISMATCH"


def test_epochs_runs_and_attempts_are_told_apart(made: Made) -> None:
    key, verifier, inputs = made
    links = key.begin(1)
    public, private = links.begin(0), links.begin(1, private_inputs=True)
    assert not public.private_inputs()
    assert not links.private_inputs()
    run = key.execute(inputs)
    assert run.input_root() is None
    assert code(lambda: private.prove(run, STATEMENT, 0)) == "EPOCH_KIND"
    assert code(lambda: public.prove(key.execute(inputs, SECRET), STATEMENT, 0)) == "EPOCH_KIND"
    ninth = key.execute(inputs, SECRET)
    assert code(lambda: private.prove(ninth, STATEMENT, 0, attempt=8)) == "SLOT_RANGE"
    beyond = [np.full_like(values, 1 << 28) for values in inputs]
    assert code(lambda: verifier.input_root(beyond, SECRET)) == "EXECUTION"
    assert code(lambda: key.execute(beyond, SECRET)) == "EXECUTION"


def test_the_account_is_one_of_private_inputs(made: Made) -> None:
    _, verifier, _ = made
    shown, private = (json.loads(verifier.security(own)) for own in (False, True))
    assert 100 <= private["provable_bits"] != shown["provable_bits"] >= 100
