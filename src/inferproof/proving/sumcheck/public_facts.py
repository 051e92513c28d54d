"""What a key shows of a model: everything in its integer graph, said by kind.

A verifier reads the graph, so that all of it is public. Elements of matrices and parameters are not
in it. Every attribute of every operation has its place in SHOWN, which a test holds to the
operations that there are.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from inferproof.protocol.encoding import Json
from inferproof.proving.sumcheck import graph as g

TOPOLOGY = "topology"
SHAPES = "shapes"
RANGES = "ranges"
FUNCTIONS = "functions"
MULTIPLIERS = "multipliers"
MAPS = "maps"
NUMBERS = "numbers"
SIZES = "sizes"
WHOLES = "whole numbers"

SAYS = {
    TOPOLOGY: "operations, what each of them reads, and which matrix, parameter or constant; which "
    "results are the outputs",
    SHAPES: "the shape of each tensor, matrix and parameter",
    RANGES: "where inputs and rescalings are cut, by the calibration data, and of all else that "
    "depends on weights how many bits it has; whole ranges of divisors, of what is looked up, and "
    "of what more bits would make unprovable",
    SIZES: "kernels, strides, pads, groups and axes",
    FUNCTIONS: "tables of functions of one number, with the scales and single numbers in them; a "
    "tensor whose elements are all equal counts as a single number",
    MULTIPLIERS: "multipliers and shifts of rescalings: the scales between tensors",
    MAPS: "which elements are taken from where",
    NUMBERS: "constants that operators have whatever the weights are: positions, zeros, labels, "
    "whole divisors",
    WHOLES: "coefficients of sums, fills, and factors of quotients and roots",
}
"""What is public, by kind."""

SHOWN: dict[type[g.Op], dict[str, str]] = {
    g.Linear: {"weight": TOPOLOGY, "bias": NUMBERS},
    g.Conv: {
        "weight": TOPOLOGY,
        "bias": NUMBERS,
        **dict.fromkeys(("groups", "kernel", "stride", "dilation", "pad_begin", "pad_end"), SIZES),
    },
    g.MatMul: {},
    g.Add: {"coefficients": WHOLES, "constant": NUMBERS},
    g.Mul: {},
    g.Rescale: {"multipliers": MULTIPLIERS, "axis": SIZES, "shift": MULTIPLIERS},
    g.Lookup: {"table": FUNCTIONS, "first": FUNCTIONS},
    g.View: {"offset": MAPS, "strides": MAPS},
    g.Pad: {"begin": SIZES, "end": SIZES, "fill": WHOLES},
    g.Concat: {"axis": SIZES},
    g.Take: {"map": MAPS},
    g.Pick: {},
    g.Sum: {"axes": SIZES},
    g.Max: {"axes": SIZES},
    g.ArgMax: {"last": SIZES},
    g.Divide: {"k": WHOLES},
    g.SquareRoot: {"k": WHOLES},
    g.Const: {"constant": NUMBERS},
    g.Parameter: {},
}
"""Of each operation its attributes, and the kind of fact that each of them is."""

COMMITMENTS = {
    "graph": "hiding: a digest of the file's graph and a salt of 32 random bytes",
    "weights": "hiding: a digest of the file's weights and another such salt",
    "verifying_key": "digest of the key, in which weights and parameters are committed to under a "
    "secret of 32 random bytes, and the rest is public",
    "preprocessing": "digest of what the bundle shows",
    "quantisation": "digest of what the bundle shows",
    "proof_system": "public",
    "proof_system_version": "public",
    "visibility": "public",
    "srs": "public",
    "setup": "public",
}
"""The parts of a model commitment, and what each of them tells."""


def public_facts(graph: g.Graph) -> dict[str, Json]:
    """What a key of this graph shows and what it hides, as JSON.

    `public` has for each kind what it is and how many numbers of it the graph holds; `hidden` how
    many elements of matrices and parameters it does not. `multipliers by row` are tensors that have
    more than one multiplier, and `operations` the numbers of nodes by name.
    """
    counts: Counter[str] = Counter(dict.fromkeys(SAYS, 0))
    for kind, values in _numbers(graph):
        counts[kind] += values.size
    by_row = sum(
        graph.constants[node.op.multipliers].values.size > 1
        for node in graph.nodes
        if isinstance(node.op, g.Rescale)
    )
    names = Counter(g.op_name(node.op) for node in graph.nodes)
    return {
        "hidden": {
            "matrices": len(graph.weights),
            "weights": sum(matrix.rows * matrix.cols for matrix in graph.weights),
            "parameters": len(graph.parameters),
            "elements": sum(math.prod(node.shape) for node in graph.parameters),
        },
        "public": [
            {"kind": kind, "what": what, "numbers": counts[kind]} for kind, what in SAYS.items()
        ],
        "multipliers by row": by_row,
        "operations": {name: names[name] for name in sorted(names)},
    }


def other_facts(one: g.Graph, other: g.Graph) -> tuple[str, ...]:
    """The kinds of what is public in which two graphs differ, in the order of SAYS."""
    first, second = _digests(one), _digests(other)
    return tuple(kind for kind in SAYS if first[kind] != second[kind])


def _digests(graph: g.Graph) -> dict[str, bytes]:
    digests = {kind: hashlib.sha256() for kind in SAYS}
    for kind, values in _numbers(graph):
        digests[kind].update(repr(values.shape).encode())
        digests[kind].update(values.tobytes())
    return {kind: digest.digest() for kind, digest in digests.items()}


def _numbers(graph: g.Graph) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """All numbers of a graph, each once for what reads it, with their kinds."""
    for number in range(graph.tensors):
        tensor = graph.tensor(number)
        yield SHAPES, _array(tensor.shape)
        yield RANGES, _array((tensor.lo, tensor.hi))
    for matrix in graph.weights:
        yield SHAPES, _array((matrix.rows, matrix.cols))
    for node in graph.nodes:
        yield TOPOLOGY, _array((g.OPS.index(type(node.op)), *node.operands))
        for name, kind in SHOWN[type(node.op)].items():
            yield kind, _attribute(graph, node.op, name)
    yield TOPOLOGY, _array(graph.outputs)


def _attribute(graph: g.Graph, op: g.Op, name: str) -> npt.NDArray[np.int64]:
    """The numbers that an attribute shows: those of its constant, of its list, or one."""
    value = getattr(op, name)
    if g.CONSTANT_OF.get(type(op)) == name:
        return _array(()) if value == g.NONE else _array(graph.constants[value].values)
    return _array(value)


def _array(values: Any) -> npt.NDArray[np.int64]:
    return np.asarray(values, dtype=np.int64)
