"""The verifier of tests/reference against the package: graphs, executions, whole proofs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_module import natively_proven

from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.second_verifier import graph as reference
from inferproof.second_verifier.executor import replay
from inferproof.second_verifier.reader import Rejected
from inferproof.testing.graphs import EVERY_OP
from inferproof.testing.random_graphs import random_graph
from reference.numpy_executor import execute_all, split_weights
from reference.verifier import VerifyingKey

ENCODED = [encode_graph(graph) for graph in EVERY_OP]
WEIGHTED = [seed for seed in range(24) if random_graph(seed, nodes=20).graph.weights]
"""Seeds of graphs that have something to prove."""
seeds = st.integers(0, 2**32)


@settings(max_examples=120, deadline=None)
@given(seeds)
def test_both_executors_give_every_tensor_alike(seed: int) -> None:
    made = random_graph(seed)
    expected = execute_all(made.graph, split_weights(made.graph, made.weights), made.inputs)
    tensors = [tensor.reshape(-1).tolist() for tensor in expected]
    graph = reference.decode(encode_graph(made.graph))
    count = len(graph.inputs)
    given_results = [
        tensors[count + place]
        for place, node in enumerate(graph.nodes)
        if node.op in (reference.LINEAR, reference.CONV)
    ]
    inputs = [tensor.reshape(-1).tolist() for tensor in made.inputs]
    assert replay(graph, inputs, given_results) == tensors


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
@pytest.mark.parametrize("seed", WEIGHTED)
def test_the_reference_accepts_proofs_of_random_graphs(seed: int) -> None:
    native = library()
    made = random_graph(seed, nodes=20)
    encoded, weights = encode_graph(made.graph), np.frombuffer(made.weights, np.int8)
    profile = ("default", "conservative", "small")[seed % 3]
    key = native.commit(encoded, weights, profile)
    inputs = [tensor.reshape(-1).astype(np.int32) for tensor in made.inputs]
    statement = bytes([seed] * 32)
    outputs, proof = natively_proven(native.ProvingKey(key, weights), inputs, statement)
    given_inputs = [tensor.tolist() for tensor in inputs]
    found = [tensor.tolist() for tensor in outputs]
    verifying = VerifyingKey(key)
    verifying.verify(given_inputs, found, statement, proof)
    found[0][0] ^= 1
    with pytest.raises(Rejected):
        verifying.verify(given_inputs, found, statement, proof)
