"""Divisions and roots of any shape: what the native prover proves the second verifier accepts, and
one element off it does not."""

from dataclasses import replace
from math import isqrt, prod

import numpy as np
import pytest
from native_module import natively_proven

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from reference.changes import verdict
from reference.vectors import Vector

pytestmark = pytest.mark.native

SHAPES = [(1,), (3,), (2, 5), (1, 3, 7), (9, 1), (17, 17)]
MOST = 128 * 4 * 100
SCALE = 10_000


def divided(shape: g.Shape, held: bool) -> g.Graph:
    """Quotients of what a contraction yields by another input, and roots of it, which is clamped to
    a range or not, with a constant that makes it positive."""
    linear = g.Node(g.Linear(0), (0,), shape, -MOST, MOST)
    clamp = g.Node(g.Rescale(0, 0, 0), (2,), shape, -MOST, MOST)
    nodes, x = ([linear, clamp], 3) if held else ([linear], 2)
    most = isqrt(3 * 2 * MOST)
    nodes += [
        g.Node(g.Divide(SCALE), (x, 1), shape, -(2**29) + 1, 2**29 - 1),
        g.Node(g.Divide(1), (x, 1), shape, -MOST, MOST),
        g.Node(g.Add((1,), 1), (x,), shape, 0, 2 * MOST),
        g.Node(g.SquareRoot(3), (x + 3,), shape, 0, most),
    ]
    return g.Graph(
        inputs=(g.Input((*shape[:-1], 4), -100, 100), g.Input(shape, 1, 2**28)),
        weights=(g.Weight(shape[-1], 4),),
        constants=(
            g.Constant(np.array([1], np.int32)),
            g.Constant(np.array([MOST], np.int32)),
        ),
        nodes=tuple(nodes),
        outputs=(x + 1, x + 2, x + 4),
    )


@pytest.mark.parametrize("held", [False, True], ids=["any", "held"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_second_verifier_takes_the_quotients_and_roots_and_no_others(
    shape: g.Shape, held: bool
) -> None:
    graph = divided(shape, held)
    chance = np.random.default_rng(prod(shape))
    weights = chance.integers(-128, 128, 4 * shape[-1]).astype(np.int8)
    # By 1, 2 and 4 there are ties, by the others any rest.
    divisors = np.array([2, 1, 4, 3, 4096, 104_729, 2**28], np.int32)
    inputs = [
        chance.integers(-100, 101, 4 * prod(shape[:-1])).astype(np.int32),
        np.resize(divisors, prod(shape)),
    ]
    key, _, outputs, proof = natively_proven(encode_graph(graph), weights, inputs, bytes(32))
    vector = Vector(
        str(shape),
        key,
        bytes(32),
        [values.ravel().tolist() for values in inputs],
        [values.ravel().tolist() for values in outputs],
        proof,
    )
    matrix = weights.reshape(shape[-1], 4).astype(np.int64)
    x = (inputs[0].astype(np.int64).reshape(-1, 4) @ matrix.T).ravel().tolist()
    b = vector.inputs[1]
    assert vector.outputs == [
        [(2 * SCALE * a + d) // (2 * d) for a, d in zip(x, b, strict=True)],
        [(2 * a + d) // (2 * d) for a, d in zip(x, b, strict=True)],
        [isqrt(3 * (a + MOST)) for a in x],
    ]
    assert verdict(vector) is None
    for number, place in ((0, 0), (1, -1), (2, len(x) // 2)):
        wrong = [list(values) for values in vector.outputs]
        wrong[number][place] += 1 if wrong[number][place] <= 0 else -1
        assert verdict(replace(vector, outputs=wrong)) == "OPENING_INVALID"
