"""What a key is held to, with both verifiers: ranges that follow, tables with
their own keys, and axes whose padding no operation reads."""

from dataclasses import replace

import numpy as np
import pytest
from native_module import natively_proven

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.second_verifier.graph import decode
from inferproof.second_verifier.reader import Rejected
from inferproof.second_verifier.relations.plan import plan
from reference.changes import verdict
from reference.vectors import Vector

pytestmark = pytest.mark.native

P = 2130706433
LIMIT = 2**29 - 1


def key_graph(
    nodes: list[g.Node], *constants: list[int], bias: int = g.NONE, most: int = 400
) -> g.Graph:
    """Nodes behind a contraction of 3 numbers that is clamped to -3 to 3, tensor 2."""
    linear = g.Node(g.Linear(0, bias), (0,), (3,), -most, most)
    clamp = g.Node(g.Rescale(0, 0, 4), (1,), (3,), -3, 3)
    return g.Graph(
        inputs=(g.Input((1,), -3, 3),),
        weights=(g.Weight(3, 1),),
        constants=tuple(g.Constant(np.array(c, dtype=np.int32)) for c in ([1], *constants)),
        nodes=(linear, clamp, *nodes),
        outputs=(2 + len(nodes),),
    )


def moved(op: g.Op, shape: g.Shape, lo: int, hi: int, *constants: list[int]) -> g.Graph:
    return key_graph([g.Node(op, (2,), shape, lo, hi)], *constants)


def looked_up(first: int, values: list[int], lo: int = -9, hi: int = 9) -> g.Graph:
    """A Lookup that nothing is taken together with."""
    again = g.Node(g.Add((1,)), (2,), (3,), -3, 3)
    return key_graph([again, g.Node(g.Lookup(1, first), (3,), (3,), lo, hi)], values)


def added(coefficient: int) -> g.Graph:
    return moved(g.Add((coefficient,)), (3,), -LIMIT, LIMIT)


def biased(number: int) -> g.Graph:
    """Its three weights make at most 128 · 3 of an operand of at most 3."""
    return key_graph([], [0, number, 0], bias=1)


def thinned(
    coefficients: tuple[int, ...] = (1, -1), most: int = 1, copied: bool = False
) -> g.Graph:
    """A number from which, level by level, its product by one from 0 to `most` is taken."""
    nodes = [g.Node(g.Rescale(0, 0, 0), (2,), (3,), 0, most)]
    last = 2
    for _ in range(40):
        factor = last
        if copied:
            nodes.append(g.Node(g.Add((1,)), (last,), (3,), -LIMIT, LIMIT))
            factor = 2 + len(nodes)
        nodes.append(g.Node(g.Mul(), (factor, 3), (3,), -LIMIT, LIMIT))
        operands = (last, *[2 + len(nodes)] * (len(coefficients) - 1))
        nodes.append(g.Node(g.Add(coefficients), operands, (3,), -LIMIT, LIMIT))
        last = 2 + len(nodes)
    return key_graph([*nodes, g.Node(g.Rescale(0, 0, 1), (last,), (3,), -3, 3)])


TAKEN = {
    "a view": (moved(g.View(0, (1,)), (2,), -3, 3), moved(g.View(0, (1,)), (2,), -3, 2)),
    "a pad": (
        moved(g.Pad((0,), (1,), 5), (4,), -3, 5),
        moved(g.Pad((0,), (1,), 6), (4,), -3, 5),
    ),
    "a pad by the modulus": (
        moved(g.Pad((0,), (1,), 0), (4,), -3, 3),
        moved(g.Pad((0,), (1,), P), (4,), -3, 3),
    ),
    "a concatenation": (
        key_graph([g.Node(g.Concat(0), (2, 0), (4,), -3, 3)]),
        key_graph([g.Node(g.Concat(0), (2, 0), (4,), -2, 3)]),
    ),
    "a gathering": (
        moved(g.Take(1), (2,), -3, 3, [0, -1]),
        moved(g.Take(1), (2,), -2, 3, [0, -1]),
    ),
    "numbers of a table": (looked_up(-3, [9] * 7), looked_up(-3, [9] * 6 + [10])),
    "a number that is another modulo p": (
        looked_up(-3, [0] * 7),
        looked_up(-3, [0] * 6 + [P]),
    ),
    "keys of a table": (looked_up(2**29 - 7, [0] * 7), looked_up(2**29 - 6, [0] * 7)),
    "keys from the modulus on": (looked_up(0, [0] * 7), looked_up(P, [0] * 7)),
    "integers that wrap around": (added(2**28), added(2**28 + 2**27)),
    "what is left of a number": (thinned(), thinned(most=3)),
    "what is added to a number": (thinned((-1, 1)), thinned((1, 1))),
    "what is taken by another coefficient": (thinned((1, -1), 2), thinned((2, -1))),
    "what is taken twice": (thinned(), thinned((1, -1, -1))),
    "what is taken from another tensor": (thinned(), thinned(copied=True)),
    "a bias": (biased(400 + 128 * 3), biased(400 + 128 * 3 + 1)),
    "a bias that is another modulo p": (biased(0), biased(-P)),
}


@pytest.mark.parametrize(("fine", "refused"), TAKEN.values(), ids=TAKEN.keys())
def test_what_does_not_follow_is_refused_by_both(fine: g.Graph, refused: g.Graph) -> None:
    native = library()
    native.security(encode_graph(fine), "default")
    plan(decode(encode_graph(fine)))
    with pytest.raises(native.NativeError) as caught:
        native.security(encode_graph(refused), "default")
    assert caught.value.args[0] == "KEY_UNSUPPORTED"
    with pytest.raises(Rejected, match="KEY_UNSUPPORTED"):
        plan(decode(encode_graph(refused)))


def test_the_padding_of_a_table_without_0_is_its_first_key() -> None:
    own = plan(decode(encode_graph(looked_up(2, [5, 6, 7]))))
    looked = own.constraints[-1]
    table = own.tables[own.lookups[looked.lookup].table]
    assert (looked.outside, own.columns[looked.column].pad) == (2, 5)
    assert (table.first, table.entries) == (2, 3)
    own = plan(decode(encode_graph(looked_up(-2, [5, 6, 7]))))
    looked = own.constraints[-1]
    assert (looked.outside, own.columns[looked.column].pad) == (0, 7)


def padded(size: int) -> g.Graph:
    """A layer of so many units; its sum, its products with itself, a layer behind it, and numbers
    of a table without 0."""
    shape, bound = (2, size), 9 * 128 * 3
    nodes = [
        g.Node(g.Linear(0), (0,), shape, -bound, bound),
        g.Node(g.Rescale(0, 0, 5), (1,), shape, -100, 100),
        g.Node(g.Sum(1), (2,), (2,), -100 * size, 100 * size),
        g.Node(g.View(0, (1, size)), (2,), (size, 2), -100, 100),
        g.Node(g.MatMul(), (2, 4), (2, 2), -(10**4) * size, 10**4 * size),
        g.Node(g.Linear(1), (2,), (2, 3), -12800 * size, 12800 * size),
        g.Node(g.Rescale(0, 0, 12), (1,), shape, 0, 1),
        g.Node(g.Add((1,), 1), (7,), shape, 2, 3),
        g.Node(g.Lookup(2, 2), (8,), shape, -7, 11),
    ]
    return g.Graph(
        inputs=(g.Input((2, 3), -9, 9),),
        weights=(g.Weight(size, 3), g.Weight(3, size)),
        constants=tuple(g.Constant(np.array(c, dtype=np.int32)) for c in ([1], [2], [11, -7])),
        nodes=tuple(nodes),
        outputs=(3, 5, 6, 9),
    )


@pytest.mark.parametrize("size", [3, 5, 8, 15])
def test_both_verifiers_take_what_is_computed_without_padding(size: int) -> None:
    graph = padded(size)
    chance = np.random.default_rng(size)
    weights = chance.integers(-128, 128, 6 * size).astype(np.int8)
    inputs = [chance.integers(-9, 10, 6).astype(np.int32)]
    key, _, outputs, proof = natively_proven(encode_graph(graph), weights, inputs, bytes(32))
    lists = [values.ravel().tolist() for values in outputs]
    vector = Vector(str(size), key, bytes(32), [inputs[0].tolist()], lists, proof)
    first, second = weights[: 3 * size].astype(np.int64), weights[3 * size :].astype(np.int64)
    y = inputs[0].astype(np.int64).reshape(2, 3) @ first.reshape(size, 3).T
    hidden = np.clip((y + 16) >> 5, -100, 100)
    above = np.clip((y + 2048) >> 12, 0, 1)
    assert lists == [
        hidden.sum(axis=1).tolist(),
        (hidden @ hidden.T).ravel().tolist(),
        (hidden @ second.reshape(3, size).T).ravel().tolist(),
        np.array([11, -7])[above].ravel().tolist(),
    ]
    assert verdict(vector) is None
    for number, values in enumerate(lists):
        wrong = [list(own) for own in lists]
        wrong[number][-1] += 1 if values[-1] < 11 else -1
        assert verdict(replace(vector, outputs=wrong)) == "OPENING_INVALID"
