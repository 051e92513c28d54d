"""The models that are measured: the zoo's, and networks of fixed shape and random weights.

Weights are drawn with a fixed seed and scaled as for training, so that activations keep their
size from layer to layer; proving time does not depend on what a network has learned.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ZOO = Path(__file__).resolve().parent.parent / "zoo"
SEED = 20_261_121
SAMPLES = 32


@dataclass(frozen=True, slots=True)
class BenchModel:
    """A model file, its calibration samples and one input, as the command line takes them."""

    name: str
    model: Path
    calibration: Path
    sample: Path


def zoo_model(folder: str, work: Path) -> BenchModel:
    """A model of the zoo; the sample is the first of its calibration data."""
    calibration = ZOO / folder / "calibration.npz"
    return BenchModel(
        folder, ZOO / folder / "model.onnx", calibration, _first_sample(calibration, work, folder)
    )


def dense_model(sizes: tuple[int, ...], work: Path) -> BenchModel:
    """A network of dense layers with ReLU between them, such as 784-128-10."""
    name = "mlp-" + "-".join(map(str, sizes))
    random = np.random.default_rng(SEED)
    nodes, weights, value = [], [], "x"
    for layer, (before, after) in enumerate(itertools.pairwise(sizes)):
        last = layer == len(sizes) - 2
        matrix = random.normal(0, np.sqrt(2 / before), (before, after)).astype(np.float32)
        bias = random.normal(0, 0.05, after).astype(np.float32)
        weights += [
            numpy_helper.from_array(matrix, f"w{layer}"),
            numpy_helper.from_array(bias, f"b{layer}"),
        ]
        out = "y" if last else f"h{layer}"
        nodes.append(helper.make_node("Gemm", [value, f"w{layer}", f"b{layer}"], [out]))
        value = out
        if not last:
            nodes.append(helper.make_node("Relu", [out], [f"a{layer}"]))
            value = f"a{layer}"
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, sizes[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, sizes[-1]])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = work / f"{name}.onnx"
    onnx.save(model, path)
    calibration = work / f"{name}-calibration.npz"
    samples = random.uniform(0, 1, (SAMPLES, 1, sizes[0])).astype(np.float32)
    np.savez(calibration, x=samples)
    return BenchModel(name, path, calibration, _first_sample(calibration, work, name))


def _first_sample(calibration: Path, work: Path, name: str) -> Path:
    path = work / f"{name}-sample.npz"
    with np.load(calibration) as arrays:
        np.savez(path, **{key: arrays[key][0] for key in arrays.files})
    return path
