"""Small models in ONNX, and the fixed values that tests of proof systems share."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from inferproof.protocol.opening import Salts
from inferproof.types.digest import Address, Digest

JOB = Digest(bytes(range(32)))
PROVIDER = Address(bytes(range(20)))
SALT = bytes(range(100, 132))
SALTS = Salts(bytes(range(32)), bytes(range(1, 33)))
"""With fixed salts compiling is deterministic in all but a key of sumcheck, whose secret is drawn
anew; without, graph and weights of the commitment are others too, which new salts hide."""


def save(path: Path, nodes, inputs, outputs, constants=()) -> Path:
    """An ONNX file of these nodes; inputs and outputs as (name, type, shape)."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(*i) for i in inputs],
        [helper.make_tensor_value_info(*o) for o in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def mlp(path: Path, *sizes: int) -> Path:
    """A multilayer perceptron with fixed random weights."""
    rng = np.random.default_rng(1)
    nodes, constants, at = [], [], "x"
    for i, (a, b) in enumerate(pairwise(sizes)):
        weights = (rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32)
        constants += [
            (f"w{i}", weights),
            (f"b{i}", (rng.standard_normal(b) * 0.1).astype(np.float32)),
        ]
        last = i == len(sizes) - 2
        nodes.append(helper.make_node("Gemm", [at, f"w{i}", f"b{i}"], ["y" if last else f"g{i}"]))
        if not last:
            nodes.append(helper.make_node("Relu", [f"g{i}"], [f"r{i}"]))
            at = f"r{i}"
    return save(
        path,
        nodes,
        [("x", TensorProto.FLOAT, [1, sizes[0]])],
        [("y", TensorProto.FLOAT, [1, sizes[-1]])],
        constants,
    )


def calibration(*shape: int, samples: int = 8) -> np.ndarray:
    return np.random.default_rng(2).standard_normal((samples, *shape)).astype(np.float32)
