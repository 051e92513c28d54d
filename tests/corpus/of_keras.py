"""Networks by Keras, which exports with tf2onnx: random weights from a fixed seed."""

import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tensorflow
import tf2onnx
from entry import Entry, Family, Made, floats
from keras import layers

NETWORKS = Family("keras-networks")
SEED = 7
SAMPLES = 12
"""Rows of each model: half to calibrate on, half to be judged by."""
Layers = list[layers.Layer]
IMAGE = (16, 16, 3)
SERIES = (8, 6)


def exported(build: Callable[[], keras.Model], *, words: int = 0, opset: int | None = None) -> Made:
    """The network by Keras' own `export`, or by tf2onnx at an operator set. Its batch is open.

    Inputs are whole numbers below `words` where that is given, else normal ones.
    """
    keras.utils.set_random_seed(SEED)
    model = build()
    draw = np.random.default_rng(SEED)
    rows = []
    for item in model.inputs:
        shape = (SAMPLES, *item.shape[1:])
        rows.append(floats(draw.integers(0, words, shape) if words else draw.normal(size=shape)))
    model(rows if len(rows) > 1 else rows[0])  # what was never called is not exported
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        if opset is None:
            model.export(str(path), format="onnx", verbose=False)
        else:
            wanted = [
                tensorflow.TensorSpec((None, *item.shape[1:]), item.dtype, name=item.name)
                for item in model.inputs
            ]
            tf2onnx.convert.from_function(
                tensorflow.function(lambda *given: model(list(given))),
                input_signature=wanted,
                opset=opset,
                output_path=str(path),
            )
        file = path.read_bytes()
    return Made(file, dict(zip(_inputs(file), rows, strict=True)))


def _inputs(file: bytes) -> list[str]:
    import onnx

    return [item.name for item in onnx.load_from_string(file).graph.input]


def _stack(shape: tuple[int, ...], *found: Callable[[], layers.Layer]) -> keras.Model:
    return keras.Sequential([layers.Input(shape), *(make() for make in found)])


def _residual() -> keras.Model:
    x = given = layers.Input(IMAGE)
    for width in (8, 16):
        skip = layers.Conv2D(width, 1, strides=2)(x)
        x = layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.BatchNormalization()(layers.Conv2D(width, 3, padding="same")(x))
        x = layers.ReLU()(layers.Add()([x, skip]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(given, layers.Dense(10, "softmax")(x))


def _unet() -> keras.Model:
    given = layers.Input(IMAGE)
    top = layers.Conv2D(8, 3, padding="same", activation="relu")(given)
    low = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(top))
    up = layers.Conv2DTranspose(8, 2, strides=2)(low)
    x = layers.Concatenate()([top, up])
    return keras.Model(given, layers.Conv2D(2, 1, activation="sigmoid")(x))


def _gelu(x: tensorflow.Tensor) -> tensorflow.Tensor:
    """The form by tanh: of the exact one TensorFlow has an operator that tf2onnx lacks."""
    return keras.activations.gelu(x, approximate=True)


def _attention() -> keras.Model:
    given = layers.Input((8, 16))
    x = layers.LayerNormalization()(given)
    x = layers.Add()([given, layers.MultiHeadAttention(2, 8)(x, x)])
    y = layers.Dense(32, _gelu)(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.Dense(16)(y)])
    return keras.Model(given, layers.Dense(4)(layers.GlobalAveragePooling1D()(x)))


def _two_inputs() -> keras.Model:
    first, second = layers.Input((6,)), layers.Input((4,))
    x = layers.Concatenate()([layers.Dense(8, "relu")(first), layers.Dense(8, "tanh")(second)])
    return keras.Model([first, second], layers.Dense(3, "softmax")(x))


def _add(name: str, build: Callable[[], keras.Model], **more: int) -> None:
    NETWORKS.add(name, functools.partial(exported, build, **more))


for kind in (
    *("relu", "sigmoid", "tanh", "silu", "elu", "selu", "mish", "softplus", "softsign"),
    *("hard_sigmoid", "leaky_relu", "relu6", "exponential"),
):
    _add(
        f"mlp-{kind.replace('_', '-')}",
        lambda kind=kind: _stack(
            (10,),
            lambda: layers.Dense(16, kind),
            lambda: layers.Dense(16, kind),
            lambda: layers.Dense(3, "softmax"),
        ),
    )
_add(
    "mlp-normalised",
    lambda: _stack(
        (10,),
        lambda: layers.Dense(16),
        layers.BatchNormalization,
        layers.ReLU,
        lambda: layers.Dropout(0.5),
        lambda: layers.Dense(1, "sigmoid"),
    ),
)
_add("two-inputs", _two_inputs)


def _lenet() -> keras.Model:
    return _stack(
        (28, 28, 1),
        lambda: layers.Rescaling(0.5, 0.5),
        lambda: layers.Conv2D(6, 5, activation="relu"),
        layers.MaxPooling2D,
        lambda: layers.Conv2D(16, 5, activation="relu"),
        lambda: layers.AveragePooling2D(2),
        layers.Flatten,
        lambda: layers.Dense(84, "relu"),
        lambda: layers.Dense(10, "softmax"),
    )


_add("lenet", _lenet)
for number in (9, 13, 18):
    _add(f"lenet-opset-{number}", _lenet, opset=number)
_add("residual", _residual)
_add("unet", _unet)
_add("attention", _attention)
_add(
    "separable",
    lambda: _stack(
        IMAGE,
        lambda: layers.SeparableConv2D(8, 3, padding="same", activation="relu"),
        lambda: layers.DepthwiseConv2D(3, strides=2, activation="relu6"),
        lambda: layers.Conv2D(8, 3, dilation_rate=2),
        layers.GlobalMaxPooling2D,
        lambda: layers.Dense(5),
    ),
)
_add(
    "upsampling",
    lambda: _stack(
        IMAGE,
        lambda: layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
        layers.UpSampling2D,
        lambda: layers.UpSampling2D(interpolation="bilinear"),
        lambda: layers.Cropping2D(2),
        lambda: layers.ZeroPadding2D(1),
        lambda: layers.Conv2D(1, 3),
    ),
)
_add(
    "group-normalised",
    lambda: _stack(
        IMAGE,
        lambda: layers.Conv2D(8, 3, padding="same"),
        lambda: layers.GroupNormalization(4),
        layers.PReLU,
        layers.Flatten,
        lambda: layers.Dense(3),
    ),
)
_add(
    "conv-1d",
    lambda: _stack(
        SERIES,
        lambda: layers.Conv1D(8, 3, padding="causal", activation="relu"),
        layers.MaxPooling1D,
        layers.Flatten,
        lambda: layers.Dense(2),
    ),
)
_add(
    "conv-3d",
    lambda: _stack(
        (8, 8, 8, 1),
        lambda: layers.Conv3D(4, 3, activation="relu"),
        layers.MaxPooling3D,
        layers.Flatten,
        lambda: layers.Dense(2),
    ),
)
for maker in (layers.SimpleRNN, layers.LSTM, layers.GRU):
    kind = maker.__name__.lower()
    _add(kind, lambda m=maker: _stack(SERIES, lambda: m(8), lambda: layers.Dense(2)))
    _add(
        f"{kind}-two-ways",
        lambda m=maker: _stack(
            SERIES,
            lambda: layers.Bidirectional(m(8, return_sequences=True)),
            lambda: layers.TimeDistributed(layers.Dense(2)),
        ),
    )
    _add(
        f"{kind}-unrolled",
        lambda m=maker: _stack(SERIES, lambda: m(8, unroll=True), lambda: layers.Dense(2)),
    )
_add(
    "embedding",
    lambda: _stack(
        (12,),
        lambda: layers.Embedding(50, 8),
        layers.GlobalAveragePooling1D,
        lambda: layers.Dense(2, "softmax"),
    ),
    words=50,
)
_add(
    "mobilenet",
    lambda: keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=10),
)

ENTRIES: list[Entry] = [*NETWORKS]
