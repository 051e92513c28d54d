"""Random graphs: the native executor gives the plain one's integers, and proves them."""

from typing import Any

import numpy as np
import pytest
from native_module import natively_proven

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.testing.random_graphs import RandomGraph, random_graph
from reference.numpy_executor import execute, split_weights

pytestmark = pytest.mark.native

STATEMENT = bytes(range(32))
ENOUGH = 15


def flat(arrays: Any) -> list[Any]:
    return [np.ascontiguousarray(array, dtype=np.int32).reshape(-1) for array in arrays]


def expected(made: RandomGraph) -> list[list[int]]:
    matrices = split_weights(made.graph, made.weights)
    return [out.reshape(-1).tolist() for out in execute(made.graph, matrices, made.inputs)]


def test_random_graphs_run_alike() -> None:
    native, kinds = library(), set()
    for seed in range(400):
        made = random_graph(seed, nodes=16)
        kinds |= {type(node.op) for node in made.graph.nodes}
        weights = np.frombuffer(made.weights, np.int8)
        got = native.run_graph(encode_graph(made.graph), weights, flat(made.inputs))
        assert [out.tolist() for out in got] == expected(made), f"seed {seed}"
    assert kinds == set(g.OPS) - {g.Parameter}


def test_random_graphs_are_proven() -> None:
    native, proven = library(), 0
    for seed in range(60):
        made = random_graph(seed, nodes=16)
        if not made.graph.weights:
            continue
        weights = np.frombuffer(made.weights, np.int8)
        inputs = flat(made.inputs)
        try:
            key, ranges, outputs, proof = natively_proven(
                encode_graph(made.graph), weights, inputs, STATEMENT
            )
        except native.NativeError as error:  # of products that cannot be hidden
            assert error.args[0] == "KEY_UNSUPPORTED", f"seed {seed}"  # noqa: PT017
            continue
        assert [out.tolist() for out in outputs] == expected(made), f"seed {seed}"
        verifier = native.VerifyingKey(key, ranges)
        verifier.verify(inputs, outputs, STATEMENT, proof)
        wrong = [out.copy() for out in outputs]
        wrong[0][0] += 1
        with pytest.raises(native.NativeError):
            verifier.verify(inputs, wrong, STATEMENT, proof)
        proven += 1
        if proven == ENOUGH:
            break
    assert proven == ENOUGH
