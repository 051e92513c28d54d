"""Keys of a stranger who wants a checker to work: small to send, and dear if they were believed.

Each graph is well formed but for what is counted. One contraction of one weight makes its first
tensor; what is made of that is read by sums, so that no result is unused.
"""

from dataclasses import replace

import numpy as np

from inferproof.protocol.verifier_bundle import (
    VerifierBundle,
    decode_bundle,
    encode_bundle,
    verifying_key_digest,
)
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph

WIDE = g.VALUE_LIMIT - 1
LINEAR = g.Node(g.Linear(0), (0,), (1,), 0, 127)
MODES = {"clear": 1, "private": 3}


def key_of(graph: g.Graph, mode: str) -> bytes:
    """A key for a graph, in a profile that pins the weights, with no pin; in mode private for two
    openings of each kind."""
    head = b"INFSUMVK" + (1).to_bytes(4, "little") + bytes([MODES[mode], 1])
    openings = 3 * (2).to_bytes(4, "little") if mode == "private" else b""
    return head + bytes(32) + openings + bytes(4) + encode_graph(graph)


def resealed(bundle: VerifierBundle, key: bytes) -> VerifierBundle:
    """The bundle with another key, as whoever made it would hand it out."""
    parts = replace(bundle.parts, verifying_key=verifying_key_digest(key))
    return decode_bundle(encode_bundle(replace(bundle, verifying_key=key, parts=parts)))


def _graph(nodes: list[g.Node], left: list[int], *constants: object) -> g.Graph:
    while len(left) > 1:
        sums = []
        for start in range(0, len(left), g.MAX_OPERANDS):
            part = tuple(left[start : start + g.MAX_OPERANDS])
            nodes.append(g.Node(g.Add((1,) * len(part)), part, (1,), -WIDE, WIDE))
            sums.append(len(nodes))
        left = sums
    return g.Graph(
        inputs=(g.Input((1,), 0, 1),),
        weights=(g.Weight(1, 1),),
        constants=tuple(g.Constant(np.asarray(values, dtype=np.int32)) for values in constants),
        nodes=tuple(nodes),
        outputs=tuple(left),
    )


def view_chains(views: int = 4_000, divisions: int = 4_000) -> g.Graph:
    """Divisions by the last of many views one after another."""
    nodes = [LINEAR]
    for _ in range(views):
        nodes.append(g.Node(g.View(0, (1,)), (len(nodes),), (1,), 0, 127))
    divisor, left = len(nodes), []
    for _ in range(divisions):
        nodes.append(g.Node(g.Divide(1), (1, divisor), (1,), 0, 127))
        left.append(len(nodes))
    return _graph(nodes, left)


def consumers(count: int = 33_000) -> g.Graph:
    """Rescalings one of another: who reads each was searched for among all nodes. Each takes
    two lookups."""
    nodes = [LINEAR]
    for _ in range(count):
        nodes.append(g.Node(g.Rescale(0, 0, 4), (len(nodes),), (1,), 0, 127))
    return _graph(nodes, [len(nodes)], [1])


def one_operand(count: int = 8_000) -> g.Graph:
    """Many nodes that read one tensor."""
    nodes, left = [LINEAR], []
    for _ in range(count):
        nodes.append(g.Node(g.Mul(), (1, 1), (1,), 0, 127**2))
        left.append(len(nodes))
    return _graph(nodes, left)


def tables(count: int = 1_000, entries: int = 2**16) -> g.Graph:
    """Lookups in tables of the same numbers, which are others because their keys are."""
    nodes, left = [LINEAR], []
    for number in range(count):
        nodes.append(g.Node(g.Lookup(0, -number), (1,), (1,), -WIDE, WIDE))
        left.append(len(nodes))
    return _graph(nodes, left, np.zeros(entries))


def maps(count: int = 4_000, size: int = 2**16) -> g.Graph:
    """Takes by one long map: each node's addresses are looked at."""
    nodes = [LINEAR, *(g.Node(g.Take(0), (1,), (size,), 0, 127) for _ in range(count))]
    return _graph(nodes, [1], np.zeros(size))


def shapes(count: int = 40, size: int = 2**22) -> g.Graph:
    """Tensors that are only declared to be large."""
    nodes = [LINEAR]
    nodes += [g.Node(g.View(0, (0,)), (1,), (size,), 0, 127) for _ in range(count)]
    return _graph(nodes, [1])


def values(count: int = 20, size: int = 2**22) -> g.Graph:
    """As many as a graph may have, and more than a checker keeps."""
    return shapes(count, size)


def many_nodes(count: int = 20_000) -> g.Graph:
    """Nodes one after another, all of one number."""
    nodes = [LINEAR]
    for _ in range(count):
        nodes.append(g.Node(g.Add((1,)), (len(nodes),), (1,), 0, 127))
    return _graph(nodes, [len(nodes)])


def weights(count: int = 16, side: int = 2**12) -> g.Graph:
    """Matrices of which a key holds nothing but the sizes."""
    made = [g.Node(g.Linear(n), (0,), (side,), -WIDE, WIDE) for n in range(count)]
    return g.Graph(
        inputs=(g.Input((side,), 0, 1),),
        weights=(g.Weight(side, side),) * count,
        constants=(),
        nodes=tuple(made),
        outputs=tuple(range(1, count + 1)),
    )


def long_constant(side: int = 3_500_000) -> g.Graph:
    """14 MB of one constant, which a hundred nodes name."""
    nodes = [LINEAR]
    nodes += [g.Node(g.Take(0), (1,), (side,), 0, 127) for _ in range(100)]
    return _graph(nodes, [1], np.zeros(side))
