"""The models that the native prover is measured on, from a few hundred parameters to 22 million.

Weights are drawn with a fixed seed and scaled as for training: proving does not depend on what a
network has learned. Samples are uniform or normal numbers, or tokens; those of the zoo are its own
test data.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.models import SEED, ZOO, BenchModel, dense_model, zoo_model

SAMPLES = 16
FEW_SAMPLES = 4
FRESH = 21
"""Inputs that are proven, other than those of the calibration."""
OPSET = 20

Array = npt.NDArray[Any]
Arrays = dict[str, Array]


@dataclass(frozen=True, slots=True)
class NativeModel:
    """A model with its calibration data, and inputs that are not among them."""

    files: BenchModel
    fresh: Path


def native_zoo(folder: str, work: Path) -> NativeModel:
    """A model of the zoo with inputs of its test data."""
    files = zoo_model(folder, work)
    with np.load(files.calibration) as known, np.load(ZOO / folder / "test.npz") as test:
        arrays = {name: test[name][:FRESH] for name in known.files}
    return _with_fresh(files, arrays, work)


def native_dense(sizes: tuple[int, ...], work: Path) -> NativeModel:
    """Dense layers with ReLU between them."""
    random = np.random.default_rng(SEED + 1)
    fresh = random.uniform(0, 1, (FRESH, 1, sizes[0])).astype(np.float32)
    return _with_fresh(dense_model(sizes, work), {"x": fresh}, work)


def lenet(work: Path) -> NativeModel:
    """LeNet-5 on 28×28: two convolutions of 5×5 with ReLU and max-pooling, three dense layers."""
    net = Net("lenet-5", "x", (1, 1, 28, 28))
    value = net.relu(net.conv("x", 1, 6, 5, pad=2))
    value = net.relu(net.conv(net.pool(value), 6, 16, 5))
    value = net.add("Flatten", [net.pool(value)])
    value = net.relu(net.dense(value, 400, 120))
    value = net.relu(net.dense(value, 120, 84))
    return save(net, net.dense(value, 84, 10), uniform(net.shape), work)


def depthwise_cnn(work: Path) -> NativeModel:
    """Depthwise-separable convolutions with batch normalisation and ReLU6 on 32×32×3."""
    net = Net("depthwise-cnn", "x", (1, 3, 32, 32))
    value = net.relu6(net.normalised(net.conv("x", 3, 32, 3, pad=1, stride=2), 32))
    for before, after, stride in (
        *((32, 64, 1), (64, 128, 2), (128, 128, 1)),
        *((128, 256, 2), (256, 256, 1), (256, 512, 2)),
    ):
        value = net.conv(value, before, before, 3, pad=1, stride=stride, groups=before)
        value = net.relu6(net.normalised(value, before))
        value = net.conv(value, before, after, 1)
        value = net.relu6(net.normalised(value, after))
    value = net.add("Flatten", [net.add("GlobalAveragePool", [value])])
    return save(net, net.dense(value, 512, 10), uniform(net.shape), work)


def transformer(work: Path) -> NativeModel:
    """One block of width 64 with 4 heads over 64 positions, and a head of width 64."""
    net = Net("transformer-64x64", "x", (1, 64, 64))
    value = net.block("x", 64, 64, heads=4)
    value = net.dense3(net.layer_norm(value, 64), 64, 64)
    return save(net, value, normal(net.shape), work)


def nanogpt(work: Path) -> NativeModel:
    """nanoGPT's shape: 65 characters, 64 positions, 4 causal layers of width 64 with 4 heads."""
    tokens, width, vocabulary = 64, 64, 65
    net = Net("nanogpt-4x64", "tokens", (1, tokens), TensorProto.INT64)
    value = net.embedding("tokens", vocabulary, tokens, width)
    for _ in range(4):
        value = net.block(value, tokens, width, heads=4, causal=True)
    value = net.dense3(net.layer_norm(value, width), width, vocabulary)
    return save(net, value, _tokens(net.shape, vocabulary), work)


def minilm(tokens: int, work: Path) -> NativeModel:
    """A sentence encoder of MiniLM's shape: 6 layers of width 384, 12 heads, 30,522 tokens."""
    width, vocabulary = 384, 30_522
    net = Net(f"minilm-{tokens}-tokens", "tokens", (1, tokens), TensorProto.INT64)
    value = net.layer_norm(net.embedding("tokens", vocabulary, tokens, width), width)
    for _ in range(6):
        value = net.block(value, tokens, width, heads=12, norm_first=False)
    axes = net.constant(np.array([1], dtype=np.int64))
    value = net.add("ReduceMean", [value, axes], keepdims=0)
    # Few samples: the plain executor, which compiling compares with, takes seconds for each.
    samples = _tokens(net.shape, vocabulary)[SAMPLES - FEW_SAMPLES :]
    return save(net, value, samples, work, FEW_SAMPLES)


class Net:
    """An ONNX graph in the making, with weights drawn as they are needed."""

    def __init__(
        self, name: str, given: str, shape: tuple[int, ...], kind: int = TensorProto.FLOAT
    ) -> None:
        self.name, self.given, self.shape, self.kind = name, given, shape, kind
        self._random = np.random.default_rng(SEED)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    @property
    def last(self) -> str:
        """The result of the newest node."""
        return f"v{len(self._nodes) - 1}"

    def add(self, operator: str, operands: list[str], **attributes: Any) -> str:
        """The result of one more node."""
        result = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, operands, [result], **attributes))
        return result

    def constant(self, values: Array) -> str:
        """The name of a stored tensor."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def weights(self, *shape: int, inputs: int, gain: float = 2.0) -> str:
        """Normal numbers such that a sum over `inputs` of them has the variance `gain`."""
        drawn = self._random.normal(0, np.sqrt(gain / inputs), shape)
        return self.constant(drawn.astype(np.float32))

    def bias(self, size: int) -> str:
        """Small numbers."""
        return self.constant(self._random.normal(0, 0.05, size).astype(np.float32))

    def dense(self, value: str, before: int, after: int) -> str:
        """A dense layer over a row."""
        matrix = self.weights(before, after, inputs=before)
        return self.add("Gemm", [value, matrix, self.bias(after)])

    def dense3(self, value: str, before: int, after: int) -> str:
        """A dense layer over the last of three axes."""
        product = self.add("MatMul", [value, self.weights(before, after, inputs=before, gain=1.0)])
        return self.add("Add", [product, self.bias(after)])

    def conv(
        self,
        value: str,
        before: int,
        after: int,
        size: int,
        *,
        pad: int = 0,
        stride: int = 1,
        groups: int = 1,
    ) -> str:
        """A convolution with a square kernel."""
        each = before // groups
        kernel = self.weights(after, each, size, size, inputs=each * size * size)
        return self.add(
            "Conv",
            [value, kernel, self.bias(after)],
            pads=[pad] * 4,
            strides=[stride] * 2,
            group=groups,
        )

    def normalised(self, value: str, channels: int) -> str:
        """Batch normalisation with statistics as of trained networks."""
        random = self._random
        scale, variance = (random.uniform(0.8, 1.2, channels).astype(np.float32) for _ in range(2))
        mean = self.bias(channels)
        operands = [self.constant(scale), self.bias(channels), mean, self.constant(variance)]
        return self.add("BatchNormalization", [value, *operands])

    def relu(self, value: str) -> str:
        """Max with 0."""
        return self.add("Relu", [value])

    def relu6(self, value: str) -> str:
        """Between 0 and 6."""
        low, high = (self.constant(np.array(bound, dtype=np.float32)) for bound in (0, 6))
        return self.add("Clip", [value, low, high])

    def pool(self, value: str) -> str:
        """The largest of each 2×2."""
        return self.add("MaxPool", [value], kernel_shape=[2, 2], strides=[2, 2])

    def embedding(self, tokens: str, vocabulary: int, positions: int, width: int) -> str:
        """Rows of a table by token, plus one of each position."""
        table = self.weights(vocabulary, width, inputs=1, gain=1.0)
        place = self.weights(1, positions, width, inputs=1, gain=0.1)
        return self.add("Add", [self.add("Gather", [table, tokens]), place])

    def layer_norm(self, value: str, width: int) -> str:
        """Normalisation over the last axis."""
        scale = self._random.uniform(0.8, 1.2, width).astype(np.float32)
        return self.add(
            "LayerNormalization", [value, self.constant(scale), self.bias(width)], axis=-1
        )

    def block(
        self,
        value: str,
        tokens: int,
        width: int,
        *,
        heads: int,
        causal: bool = False,
        norm_first: bool = True,
        hidden: int | None = None,
    ) -> str:
        """Attention and a feed-forward layer of four times the width, or of `hidden`, each with its
        residual."""
        inner = hidden or 4 * width
        first = self.layer_norm(value, width) if norm_first else value
        value = self.add("Add", [value, self._attention(first, tokens, width, heads, causal)])
        if not norm_first:
            value = self.layer_norm(value, width)
        second = self.layer_norm(value, width) if norm_first else value
        gelu = self.add("Gelu", [self.dense3(second, width, inner)])
        value = self.add("Add", [value, self.dense3(gelu, inner, width)])
        return value if norm_first else self.layer_norm(value, width)

    def _attention(self, value: str, tokens: int, width: int, heads: int, causal: bool) -> str:
        each = width // heads
        apart = self.constant(np.array([1, tokens, heads, each], dtype=np.int64))
        queries, keys, values = (
            self.add("Reshape", [self.dense3(value, width, width), apart]) for _ in range(3)
        )
        queries = self.add("Transpose", [queries], perm=[0, 2, 1, 3])
        keys = self.add("Transpose", [keys], perm=[0, 2, 3, 1])
        values = self.add("Transpose", [values], perm=[0, 2, 1, 3])
        root = self.constant(np.array(np.sqrt(each), dtype=np.float32))
        scores = self.add("Div", [self.add("MatMul", [queries, keys]), root])
        if causal:
            seen = np.tril(np.ones((tokens, tokens), dtype=bool))
            hidden = self.constant(np.array(-1e9, dtype=np.float32))
            scores = self.add("Where", [self.constant(seen), scores, hidden])
        mixed = self.add("MatMul", [self.add("Softmax", [scores], axis=-1), values])
        mixed = self.add("Transpose", [mixed], perm=[0, 2, 1, 3])
        together = self.constant(np.array([1, tokens, width], dtype=np.int64))
        return self.dense3(self.add("Reshape", [mixed, together]), width, width)

    def proto(self, result: str) -> onnx.ModelProto:
        """The model that ends in this value, with every shape inferred."""
        given = helper.make_tensor_value_info(self.given, self.kind, self.shape)
        # Without a shape: inference fills it in.
        told = helper.make_tensor_value_info(result, TensorProto.FLOAT, None)
        graph = helper.make_graph(self._nodes, self.name, [given], [told], self._constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9
        )
        return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)


def save(net: Net, result: str, samples: Array, work: Path, known: int = SAMPLES) -> NativeModel:
    """The net up to a result, with the first samples to calibrate it and the others to prove."""
    path, calibration = work / f"{net.name}.onnx", work / f"{net.name}-calibration.npz"
    onnx.save(net.proto(result), path)
    np.savez(calibration, **{net.given: samples[:known]})
    sample = work / f"{net.name}-sample.npz"
    np.savez(sample, **{net.given: samples[0]})
    files = BenchModel(net.name, path, calibration, sample)
    return _with_fresh(files, {net.given: samples[known:]}, work)


def _with_fresh(files: BenchModel, fresh: Arrays, work: Path) -> NativeModel:
    path = work / f"{files.name}-fresh.npz"
    np.savez(path, **fresh)  # type: ignore[arg-type]
    return NativeModel(files, path)


def uniform(shape: tuple[int, ...]) -> Array:
    """Samples of numbers from 0 to 1."""
    random = np.random.default_rng(SEED + 1)
    return random.uniform(0, 1, (SAMPLES + FRESH, *shape)).astype(np.float32)


def normal(shape: tuple[int, ...]) -> Array:
    """Samples of normal numbers."""
    random = np.random.default_rng(SEED + 1)
    return random.normal(0, 1, (SAMPLES + FRESH, *shape)).astype(np.float32)


def _tokens(shape: tuple[int, ...], vocabulary: int) -> Array:
    random = np.random.default_rng(SEED + 1)
    return random.integers(0, vocabulary, (SAMPLES + FRESH, *shape)).astype(np.float32)
