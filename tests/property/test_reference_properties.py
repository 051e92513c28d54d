"""The verifier of tests/reference against the package: graphs, executions, whole proofs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_module import natively_proven

from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.second_verifier import graph as reference
from inferproof.second_verifier.executor import execute_some
from inferproof.second_verifier.private.shown_ranges import verify_ranges
from inferproof.second_verifier.private.verifier import PrivateKey
from inferproof.second_verifier.reader import Rejected
from inferproof.testing.graphs import EVERY_OP
from inferproof.testing.random_graphs import random_graph
from reference.numpy_executor import execute_all, split_weights

ENCODED = [encode_graph(graph) for graph in EVERY_OP]
WEIGHTED = [seed for seed in range(24) if random_graph(seed, nodes=20).graph.weights]
"""Seeds of graphs that have something to prove."""
TOO_LARGE = (2, 12)
"""Those of them with products that would wrap around in the field."""
seeds = st.integers(0, 2**32)


@settings(max_examples=120, deadline=None)
@given(seeds)
def test_both_executors_give_every_tensor_alike(seed: int) -> None:
    """Of nodes that follow from the inputs: the second verifier runs no others."""
    made = random_graph(seed)
    expected = execute_all(made.graph, split_weights(made.graph, made.weights), made.inputs)
    tensors = [tensor.reshape(-1).tolist() for tensor in expected]
    graph = reference.decode(encode_graph(made.graph))
    count = len(graph.inputs)
    known = [True] * count
    for node in graph.nodes:
        weighted = node.op in (reference.LINEAR, reference.CONV)
        known.append(not weighted and all(known[operand] for operand in node.operands))
    inputs = [tensor.reshape(-1).tolist() for tensor in made.inputs]
    found = execute_some(graph, known[count:], inputs)
    assert found == [own if is_known else [] for own, is_known in zip(tensors, known, strict=True)]


@pytest.mark.native
@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ENCODED), st.data())
def test_both_readers_take_the_same_bytes_for_graphs(data: bytes, draw: st.DataObject) -> None:
    place = draw.draw(st.integers(0, len(data) - 1))
    changed = bytearray(data)
    changed[place] = draw.draw(st.sampled_from((0, 1, 2, 127, 255, changed[place] ^ 1)))
    try:
        reference.decode(bytes(changed))
        taken = True
    except Rejected:
        taken = False
    native = library()
    try:
        native.check_graph(bytes(changed))
        refused = None
    except native.NativeError as error:
        refused = error.args[0]
    assert taken == (refused is None)
    assert taken or refused.startswith("GRAPH_")


@pytest.mark.native
@pytest.mark.slow
@pytest.mark.parametrize("seed", [seed for seed in WEIGHTED if seed not in TOO_LARGE])
def test_the_reference_accepts_proofs_of_random_graphs(seed: int) -> None:
    made = random_graph(seed, nodes=20)
    weights = np.frombuffer(made.weights, np.int8)
    profile = ("default", "conservative")[seed % 2]
    inputs = [tensor.reshape(-1).astype(np.int32) for tensor in made.inputs]
    statement = bytes([seed] * 32)
    key, ranges, outputs, proof = natively_proven(
        encode_graph(made.graph), weights, inputs, statement, profile
    )
    given_inputs = [tensor.tolist() for tensor in inputs]
    found = [tensor.tolist() for tensor in outputs]
    verify_ranges(key, ranges)
    verifying = PrivateKey(key)
    verifying.verify(given_inputs, found, statement, proof)
    found[0][0] ^= 1
    with pytest.raises(Rejected):
        verifying.verify(given_inputs, found, statement, proof)


@pytest.mark.native
@pytest.mark.parametrize("seed", TOO_LARGE)
def test_no_key_is_made_of_a_graph_with_products_that_are_too_large(seed: int) -> None:
    made = random_graph(seed, nodes=20)
    inputs = [tensor.reshape(-1).astype(np.int32) for tensor in made.inputs]
    with pytest.raises(library().NativeError, match="too large to be apart in the field"):
        natively_proven(
            encode_graph(made.graph),
            np.frombuffer(made.weights, np.int8),
            inputs,
            bytes(32),
            "default",
        )
