"""Vectors of integer graphs: their encoding, and what they compute."""

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.library import library
from inferproof.testing.graphs import EVERY_OP, everything, small

# The readable executor stands with the tests: whoever made these vectors checks the product.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from reference.numpy_executor import execute, split_weights

JsonObject = dict[str, Any]


def integer_graphs() -> JsonObject:
    """Graphs as bytes, and bytes that are no graph with the reason."""
    valid = []
    for graph in EVERY_OP:
        names = ", ".join(g.op_name(node.op) for node in graph.nodes)
        if graph == everything():
            names = "every operation"
        valid.append(
            {
                "description": f"a graph of {names}",
                "graph": "0x" + encode_graph(graph).hex(),
                "inputs": [list(item.shape) for item in graph.inputs],
                "shapes": [list(node.shape) for node in graph.nodes],
                "outputs": list(graph.outputs),
                **_run(graph),
            }
        )
    return {"valid": valid, "invalid": [_refused(*case) for case in _broken()]}


def _run(graph: g.Graph) -> JsonObject:
    """Weights, parameters, an input, and every output integer, row-major."""
    size = sum(weight.rows * weight.cols for weight in graph.weights)
    weights = (np.arange(size) * 37 % 251 - 125).astype(np.int8)
    positive = (g.Lookup, g.Pick, g.Divide, g.SquareRoot)
    inputs = []
    for item in graph.inputs:
        count = int(np.prod(item.shape, dtype=np.int64))
        values = (np.arange(count) * 31 + 7) % 99 - 49
        if isinstance(graph.nodes[0].op, positive):
            values = np.arange(count) % 2 + (isinstance(graph.nodes[0].op, g.Divide))
        inputs.append(values.reshape(item.shape))
    count = sum(int(np.prod(node.shape, dtype=np.int64)) for node in graph.parameters)
    parameters = (np.arange(count) * 53 + 11) % 199 - 99
    outputs = execute(graph, split_weights(graph, weights.tobytes()), inputs, parameters)
    return {
        "weights": "0x" + weights.tobytes().hex(),
        **({"parameters": parameters.tolist()} if count else {}),
        "input_values": [[int(v) for v in values.reshape(-1)] for values in inputs],
        "output_values": [[int(v) for v in np.asarray(o).reshape(-1)] for o in outputs],
    }


def _broken() -> list[tuple[str, bytes]]:
    data = encode_graph(small())
    hidden = next(encode_graph(graph) for graph in EVERY_OP if graph.parameters)
    # Offsets in the bytes of small(): magic 0, version 8, inputs 12, dims 16, range 25.
    return [
        ("no bytes", b""),
        ("another beginning", b"infgraph" + data[8:]),
        ("another version", data[:8] + struct.pack("<I", 3) + data[12:]),
        ("cut by one byte", data[:-1]),
        ("one byte too many", data + b"\x00"),
        ("more inputs than bytes", data[:12] + struct.pack("<I", 64) + data[16:]),
        ("too many inputs", data[:12] + struct.pack("<I", 65) + data[16:]),
        ("no input", data[:12] + struct.pack("<I", 0) + data[33:]),
        ("nine dimensions", data[:16] + b"\x09" + data[17:]),
        ("a dimension of 0", data[:17] + struct.pack("<I", 0) + data[21:]),
        ("2^32 - 1 elements", data[:17] + b"\xff\xff\xff\xff" + data[21:]),
        ("a range that reaches 2^29", data[:29] + struct.pack("<i", 2**29) + data[33:]),
        ("an output that is not there", data[:-4] + struct.pack("<I", 4)),
        ("an operation that is not there", _with_op_code(data, 20)),
        ("operation 0", _with_op_code(data, 0)),
        ("an Add in a Linear's place", _with_op_code(data, 4)),
        *((f"a coefficient of {c}", encode_graph(_weighing(c))) for c in _COEFFICIENTS),
        ("the version of a graph with parameters", data[:8] + struct.pack("<I", 2) + data[12:]),
        ("the version of a graph without", hidden[:8] + data[8:12] + hidden[12:]),
    ]


_COEFFICIENTS = (0, 2**29, -(2**29), 2130706433, -2130706433)
"""No coefficients: 0, the least that are too large, and multiples of the field's modulus."""


def _weighing(coefficient: int) -> g.Graph:
    """A graph that adds an operand with this coefficient, which is always 0."""
    node = g.Node(g.Add((1, coefficient)), (0, 1), (2,), -5, 5)
    return g.Graph((g.Input((2,), -5, 5), g.Input((2,), 0, 0)), (), (), (node,), (2,))


def _with_op_code(data: bytes, code: int) -> bytes:
    place = data.index(struct.pack("<Bii", 1, -100000, 100000))
    return data[:place] + bytes([code]) + data[place + 1 :]


def _refused(description: str, data: bytes) -> JsonObject:
    native = library()
    try:
        native.check_graph(data)
    except native.NativeError as error:
        reason, message = error.args[:2]
        return {
            "description": description,
            "graph": "0x" + data.hex(),
            "reason": reason,
            "message": message,
        }
    raise AssertionError(description)
