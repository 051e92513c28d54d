"""What a key shows of a model: everything in its integer graph, said by kind.

A verifier reads the graph, so that all of it is public. Elements of matrices and parameters are not
in it. Every attribute of every operation has its place in SHOWN, which a test holds to the
operations that there are.
"""

import math
from collections import Counter

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
    TOPOLOGY: "operations, what each of them reads, and which matrix, parameter or constant",
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


def public_facts(graph: g.Graph) -> dict[str, Json]:
    """What a key of this graph shows and what it hides, as JSON.

    `public` has for each kind what it is and how many numbers of it the graph holds; `hidden` how
    many elements of matrices and parameters it does not. `multipliers by row` are tensors that have
    more than one multiplier, and `operations` the numbers of nodes by name.
    """
    counts: Counter[str] = Counter(dict.fromkeys(SAYS, 0))
    by_row = 0
    for number in range(graph.tensors):
        counts[SHAPES] += len(graph.shape(number))
        counts[RANGES] += 2
    counts[SHAPES] += 2 * len(graph.weights)
    for node in graph.nodes:
        counts[TOPOLOGY] += 1 + len(node.operands)
        for name, kind in SHOWN[type(node.op)].items():
            counts[kind] += _size(graph, node.op, name)
        by_row += isinstance(node.op, g.Rescale) and _size(graph, node.op, "multipliers") > 1
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


def _size(graph: g.Graph, op: g.Op, name: str) -> int:
    """How many numbers an attribute shows: those of its constant, of its list, or one."""
    value = getattr(op, name)
    if g.CONSTANT_OF.get(type(op)) == name:
        return 0 if value == g.NONE else graph.constants[value].values.size
    return len(value) if isinstance(value, tuple) else 1
