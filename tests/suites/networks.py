"""Networks of a few layers, made without a framework: convolutional, transformer, embedding."""

import numpy as np
from lowering import Array, model_of
from onnx import ModelProto, NodeProto, helper

_Parts = tuple[list[NodeProto], dict[str, Array]]


def lenet(samples: int = 6) -> tuple[ModelProto, dict[str, Array]]:
    """Two convolutions with batch normalisation and pooling, two dense layers; 28 × 28."""
    rng = np.random.default_rng(1)
    make = helper.make_node
    nodes = [
        make("Conv", ["x", "k1", "c1"], ["a1"], pads=[2, 2, 2, 2]),
        make("BatchNormalization", ["a1", "g", "h", "m", "v"], ["n1"]),
        make("Relu", ["n1"], ["r1"]),
        make("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        make("Conv", ["p1", "k2", "c2"], ["a2"]),
        make("Relu", ["a2"], ["r2"]),
        make("AveragePool", ["r2"], ["p2"], kernel_shape=[2, 2], strides=[2, 2]),
        make("Flatten", ["p2"], ["f"]),
        make("Gemm", ["f", "w1", "b1"], ["d1"], transB=1),
        make("Tanh", ["d1"], ["t1"]),
        make("Gemm", ["t1", "w2", "b2"], ["y"]),
    ]

    def normal(*shape: int) -> Array:
        fan = np.prod(shape[1:]) if len(shape) > 1 else 16
        return (rng.standard_normal(shape) / np.sqrt(fan)).astype(np.float32)

    constants = {
        "k1": normal(6, 1, 5, 5),
        "c1": normal(6),
        "g": 1 + normal(6),
        "h": normal(6),
        "m": normal(6),
        "v": (1 + rng.random(6)).astype(np.float32),
        "k2": normal(16, 6, 5, 5),
        "c2": normal(16),
        "w1": normal(84, 400),
        "b1": normal(84),
        "w2": normal(84, 10) * 3,
        "b2": normal(10),
    }
    x = {"x": rng.random((samples, 1, 1, 28, 28)).astype(np.float32)}
    return model_of(nodes, x, ["y"], constants), x


def depthwise(samples: int = 4) -> tuple[ModelProto, dict[str, Array]]:
    """A depthwise separable block with a residual, clipped activations and global pooling."""
    rng = np.random.default_rng(2)
    make = helper.make_node

    def normal(*shape: int) -> Array:
        return (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    nodes = [
        make("Conv", ["x", "k0"], ["a0"], auto_pad="SAME_UPPER", strides=[2, 2]),
        make("Clip", ["a0", "zero", "six"], ["r0"]),
        make("Conv", ["r0", "k1"], ["a1"], group=8, pads=[1, 1, 1, 1]),
        make("HardSwish", ["a1"], ["r1"]),
        make("Conv", ["r1", "k2", "c2"], ["a2"]),
        make("Add", ["a2", "r0"], ["s"]),
        make("GlobalAveragePool", ["s"], ["g"]),
        make("Reshape", ["g", "shape"], ["f"]),
        make("MatMul", ["f", "w"], ["l"]),
        make("Add", ["l", "b"], ["z"]),
        make("Softmax", ["z"], ["y"]),
    ]
    constants = {
        "k0": normal(8, 3, 3, 3),
        "k1": normal(8, 1, 3, 3),
        "k2": normal(8, 8, 1, 1),
        "c2": normal(1, 8)[0],
        "w": normal(8, 5) * 4,
        "b": normal(1, 5)[0],
        "shape": np.array([1, 8]),
        "zero": np.array(0, np.float32),
        "six": np.array(6, np.float32),
    }
    x = {"x": rng.standard_normal((samples, 1, 3, 13, 11)).astype(np.float32)}
    return model_of(nodes, x, ["y", "z"], constants), x


def transformer(samples: int = 4) -> tuple[ModelProto, dict[str, Array]]:
    """Token and position embedding, masked attention of two heads, GELU, as exporters write it."""
    rng = np.random.default_rng(3)
    make = helper.make_node
    tokens, width, heads, vocabulary = 7, 16, 2, 23
    depth = width // heads

    def normal(*shape: int) -> Array:
        return (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)

    mask = np.triu(np.full((tokens, tokens), -3.4e38, np.float32), 1)
    nodes = [
        make("Gather", ["table", "ids"], ["e"]),
        make("Add", ["e", "positions"], ["x0"]),
        # Layer normalisation, decomposed.
        make("ReduceMean", ["x0"], ["mean"], axes=[-1]),
        make("Sub", ["x0", "mean"], ["d"]),
        make("Pow", ["d", "two"], ["sq"]),
        make("ReduceMean", ["sq"], ["var"], axes=[-1]),
        make("Add", ["var", "eps"], ["vareps"]),
        make("Sqrt", ["vareps"], ["std"]),
        make("Div", ["d", "std"], ["norm"]),
        make("Mul", ["norm", "gamma"], ["scaled"]),
        make("Add", ["scaled", "beta"], ["h"]),
    ]
    for name in "qkv":
        order = [0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]
        nodes += [
            make("MatMul", ["h", f"w{name}"], [f"{name}0"]),
            make("Add", [f"{name}0", f"b{name}"], [f"{name}1"]),
            make("Reshape", [f"{name}1", "split"], [f"{name}2"]),
            make("Transpose", [f"{name}2"], [f"{name}3"], perm=order),
        ]
    nodes += [
        make("MatMul", ["q3", "k3"], ["scores0"]),
        make("Div", ["scores0", "root"], ["scores1"]),
        make("Add", ["scores1", "mask"], ["scores2"]),
        make("Softmax", ["scores2"], ["shares"]),
        make("MatMul", ["shares", "v3"], ["mixed"]),
        make("Transpose", ["mixed"], ["mixed1"], perm=[0, 2, 1, 3]),
        make("Reshape", ["mixed1", "join"], ["mixed2"]),
        make("MatMul", ["mixed2", "wo"], ["attended"]),
        make("Add", ["attended", "x0"], ["x1"]),
        make("LayerNormalization", ["x1", "gamma", "beta"], ["h1"]),
        make("MatMul", ["h1", "wf"], ["f0"]),
        make("Add", ["f0", "bf"], ["f1"]),
        # GELU, decomposed.
        make("Div", ["f1", "root2"], ["g0"]),
        make("Erf", ["g0"], ["g1"]),
        make("Add", ["g1", "one"], ["g2"]),
        make("Mul", ["f1", "g2"], ["g3"]),
        make("Mul", ["g3", "half"], ["g4"]),
        make("MatMul", ["g4", "wg"], ["f2"]),
        make("Add", ["x1", "f2"], ["x2"]),
        make("MatMul", ["x2", "head"], ["y"]),
    ]
    constants = {
        "table": rng.standard_normal((vocabulary, width)).astype(np.float32),
        "positions": (rng.standard_normal((tokens, width)) * 0.3).astype(np.float32),
        "two": np.array(2, np.float32),
        "eps": np.array(1e-5, np.float32),
        "gamma": (1 + normal(width) * 0.3).astype(np.float32),
        "beta": normal(width),
        "split": np.array([1, tokens, heads, depth]),
        "join": np.array([1, tokens, width]),
        "root": np.array(np.sqrt(depth), np.float32),
        "mask": mask,
        "root2": np.array(np.sqrt(2), np.float32),
        "one": np.array(1, np.float32),
        "half": np.array(0.5, np.float32),
        "wo": normal(width, width),
        "wf": normal(width, 4 * width),
        "bf": normal(4 * width),
        "wg": normal(4 * width, width),
        "head": normal(width, vocabulary),
        **{f"w{name}": normal(width, width) for name in "qkv"},
        **{f"b{name}": normal(width) for name in "qkv"},
    }
    ids = {"ids": rng.integers(0, vocabulary, (samples, 1, tokens))}
    return model_of(nodes, ids, ["y"], constants), ids
