"""Networks by both exporters of PyTorch: random weights from a fixed seed, small enough."""

import functools
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torchvision
from entry import Entry, Family, Made
from torch import Tensor, nn

CONVOLUTIONS = Family("torch-cnn")
TRANSFORMERS = Family("torch-transformer")
RECURRENT = Family("torch-recurrent")
PERCEPTRONS = Family("torch-mlp")

OPSETS = (9, 11, 13, 15, 17)
SAMPLES = 12
"""Rows of each model: half to calibrate on, half to be judged by."""


def exported(
    build: Callable[[], nn.Module],
    draw: Callable[[], tuple[Tensor, ...]],
    *,
    newer: bool = False,
    opset: int | None = None,
    axes: dict[str, dict[int, str]] | None = None,
) -> Made:
    """The network by one exporter. `draw` makes the inputs of one run."""
    torch.manual_seed(0)
    # Its one fused operator of a whole encoder layer has no form in ONNX.
    torch.backends.mha.set_fastpath_enabled(False)
    module = build().eval()
    samples = [draw() for _ in range(SAMPLES)]
    with torch.no_grad(), io.BytesIO() as file:
        if newer:
            program = torch.onnx.export(
                module, samples[0], dynamo=True, opset_version=opset, verbose=False
            )
            program.save(file)
            names = [item.name for item in program.model.graph.inputs]
        else:
            names = [f"x{place}" for place in range(len(samples[0]))]
            torch.onnx.export(
                module,
                samples[0],
                file,
                dynamo=False,
                input_names=names,
                dynamic_axes=axes,
                opset_version=opset or 17,
            )
        data = file.getvalue()
    rows = {
        name: np.stack([np.asarray(sample[place]) for sample in samples])
        for place, name in enumerate(names)
    }
    return Made(data, rows)


def _image(channels: int, side: int) -> Callable[[], tuple[Tensor]]:
    return lambda: (torch.randn(1, channels, side, side),)


def _tokens(count: int, words: int = 100) -> Callable[[], tuple[Tensor]]:
    return lambda: (torch.randint(0, words, (1, count)),)


def _series(steps: int, width: int) -> Callable[[], tuple[Tensor]]:
    return lambda: (torch.randn(1, steps, width),)


def _both(family: Family, name: str, build: Callable[[], nn.Module], draw: Any) -> None:
    """An entry for each exporter."""
    family.add(name, functools.partial(exported, build, draw))
    family.add(f"{name}-newer", functools.partial(exported, build, draw, newer=True))


class Residual(nn.Module):
    """A block whose input is added to what it makes."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class SqueezeExcite(nn.Module):
    """Channels weighed by a small network of their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, 4, 1),
            nn.SiLU(),
            nn.Conv2d(4, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weigh(x)


class UNet(nn.Module):
    """Down, up again, and what was seen on the way beside it."""

    def __init__(self, upsample: nn.Module) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.down = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU())
        self.up = upsample
        self.last = nn.Conv2d(24, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.first(x)
        return self.last(torch.cat([seen, self.up(self.down(seen))], dim=1))


class Vision(nn.Module):
    """A vision transformer of two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, 8)
        self.first = nn.Parameter(torch.randn(1, 1, 32))
        self.places = nn.Parameter(torch.randn(1, 17, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        rows = torch.cat([self.first.expand(x.shape[0], -1, -1), patches], dim=1) + self.places
        return self.head(self.layers(rows)[:, 0])


class Decoder(nn.Module):
    """One step of a decoder that is given the keys and values of the steps before it."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(100, 32)
        self.project = nn.Linear(32, 96)
        self.head = nn.Linear(32, 100)

    def forward(self, token: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, ...]:
        query, key, value = self.project(self.words(token)).chunk(3, dim=-1)
        keys, values = torch.cat([keys, key], dim=1), torch.cat([values, value], dim=1)
        weights = torch.softmax(query @ keys.transpose(1, 2) / 32**0.5, dim=-1)
        return self.head(weights @ values), keys, values


class LastStep(nn.Module):
    """A recurrent network and what its last step says."""

    def __init__(self, inner: nn.Module, width: int) -> None:
        super().__init__()
        self.inner, self.head = inner, nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        rows, _ = self.inner(x)
        return self.head(rows[:, -1])


def _transformers_model(name: str) -> tuple[nn.Module, Any]:
    import transformers

    class First(nn.Module):
        """The first of what the model returns."""

        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: Tensor) -> Tensor:
            return (
                self.model(tokens, use_cache=False)[0] if name == "gpt2" else self.model(tokens)[0]
            )

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100}
    if name == "bert":
        config = transformers.BertConfig(**sizes, intermediate_size=64, attn_implementation="eager")
        return First(transformers.BertForSequenceClassification(config))
    if name == "distilbert":
        config = transformers.DistilBertConfig(
            dim=32,
            n_layers=2,
            n_heads=4,
            hidden_dim=64,
            vocab_size=100,
            attn_implementation="eager",
        )
        return First(transformers.DistilBertForSequenceClassification(config))
    if name == "gpt2":
        config = transformers.GPT2Config(
            n_embd=32,
            n_layer=2,
            n_head=4,
            vocab_size=100,
            n_positions=32,
            attn_implementation="eager",
        )
        return First(transformers.GPT2LMHeadModel(config))
    raise ValueError(name)


def _mlp(activation: nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Linear(16, 32), activation, nn.Linear(32, 4))


for activation in (
    *("ReLU", "LeakyReLU", "PReLU", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish", "ReLU6"),
    *("Hardswish", "Hardsigmoid", "Sigmoid", "Tanh", "Softplus", "Softsign", "LogSigmoid"),
    *("Tanhshrink", "Softshrink", "Hardshrink"),
):
    PERCEPTRONS.add(
        f"{activation}",
        functools.partial(exported, _mlp(getattr(nn, activation)()), lambda: (torch.randn(1, 16),)),
    )
for name, build in {
    "BatchNorm1d": lambda: nn.Sequential(
        nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4), nn.Softmax(-1)
    ),
    "LayerNorm": lambda: nn.Sequential(
        nn.Linear(16, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 4), nn.LogSoftmax(-1)
    ),
    "RMSNorm": lambda: nn.Sequential(nn.Linear(16, 32), nn.RMSNorm(32), nn.Linear(32, 4)),
    "residual": lambda: nn.Sequential(
        Residual(nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Dropout())), nn.Linear(16, 4)
    ),
    "large": lambda: nn.Sequential(
        nn.Linear(16, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    ),
}.items():
    _both(PERCEPTRONS, name, build, lambda: (torch.randn(1, 16),))
for opset in OPSETS:
    PERCEPTRONS.add(
        f"opset-{opset}",
        functools.partial(exported, _mlp(nn.ReLU()), lambda: (torch.randn(1, 16),), opset=opset),
    )
PERCEPTRONS.add(
    "open-batch",
    functools.partial(
        exported, _mlp(nn.ReLU()), lambda: (torch.randn(1, 16),), axes={"x0": {0: "batch"}}
    ),
)

_LENET = lambda: nn.Sequential(  # noqa: E731
    nn.Conv2d(1, 6, 5),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(256, 120),
    nn.ReLU(),
    nn.Linear(120, 10),
)
_both(CONVOLUTIONS, "lenet", _LENET, _image(1, 28))
for opset in OPSETS:
    CONVOLUTIONS.add(
        f"lenet-opset-{opset}", functools.partial(exported, _LENET, _image(1, 28), opset=opset)
    )
for name, layer in {
    "strided": nn.Conv2d(3, 8, 3, stride=2, padding=1),
    "dilated": nn.Conv2d(3, 8, 3, dilation=2),
    "grouped": nn.Conv2d(3, 9, 3, groups=3),
    "transposed": nn.ConvTranspose2d(3, 8, 3, stride=2, padding=1, output_padding=1),
    "reflecting": nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(3, 8, 3)),
    "replicating": nn.Conv2d(3, 8, 3, padding=1, padding_mode="replicate"),
    "average": nn.Sequential(nn.Conv2d(3, 8, 3), nn.AvgPool2d(2)),
    "adaptive": nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(2)),
    "adaptive-largest": nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveMaxPool2d(1)),
    "power-pool": nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.LPPool2d(2, 2)),
    "group-norm": nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8)),
    "instance-norm": nn.Sequential(nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8, affine=True)),
    "local-norm": nn.Sequential(nn.Conv2d(3, 8, 3), nn.LocalResponseNorm(3)),
    "nearest": nn.Sequential(nn.Conv2d(3, 8, 3), nn.Upsample(scale_factor=2)),
    "bilinear": nn.Sequential(nn.Conv2d(3, 8, 3), nn.Upsample(scale_factor=2, mode="bilinear")),
    "bicubic": nn.Sequential(nn.Conv2d(3, 4, 3), nn.Upsample(scale_factor=2, mode="bicubic")),
    "shuffle": nn.Sequential(nn.Conv2d(3, 8, 3), nn.PixelShuffle(2)),
    "channel-shuffle": nn.Sequential(nn.Conv2d(3, 8, 3), nn.ChannelShuffle(2)),
}.items():
    network = lambda layer=layer: nn.Sequential(layer, nn.ReLU(), nn.Flatten())  # noqa: E731
    _both(CONVOLUTIONS, name, network, _image(3, 12))
_both(
    CONVOLUTIONS,
    "one-dimension",
    lambda: nn.Sequential(
        nn.Conv1d(4, 8, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(64, 3)
    ),
    lambda: (torch.randn(1, 4, 16),),
)
_both(
    CONVOLUTIONS,
    "three-dimensions",
    lambda: nn.Sequential(
        nn.Conv3d(1, 4, 3), nn.ReLU(), nn.MaxPool3d(2), nn.Flatten(), nn.Linear(108, 3)
    ),
    lambda: (torch.randn(1, 1, 8, 8, 8),),
)
_both(
    CONVOLUTIONS,
    "squeeze-excite",
    lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3), SqueezeExcite(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    ),
    _image(3, 16),
)
_both(CONVOLUTIONS, "unet", lambda: UNet(nn.Upsample(scale_factor=2)), _image(3, 16))
_both(
    CONVOLUTIONS, "unet-transposed", lambda: UNet(nn.ConvTranspose2d(16, 16, 2, 2)), _image(3, 16)
)
_both(CONVOLUTIONS, "resnet18", torchvision.models.resnet18, _image(3, 32))
_both(CONVOLUTIONS, "mobilenet2", torchvision.models.mobilenet_v2, _image(3, 32))
CONVOLUTIONS.add(
    "mobilenet3", functools.partial(exported, torchvision.models.mobilenet_v3_small, _image(3, 32))
)
CONVOLUTIONS.add(
    "efficientnet", functools.partial(exported, torchvision.models.efficientnet_b0, _image(3, 32))
)
CONVOLUTIONS.add(
    "squeezenet", functools.partial(exported, torchvision.models.squeezenet1_1, _image(3, 48))
)
CONVOLUTIONS.add(
    "shufflenet", functools.partial(exported, torchvision.models.shufflenet_v2_x0_5, _image(3, 32))
)
CONVOLUTIONS.add(
    "densenet", functools.partial(exported, torchvision.models.densenet121, _image(3, 32))
)

for kind in ("RNN", "LSTM", "GRU"):
    maker = getattr(nn, kind)
    _both(RECURRENT, kind, lambda m=maker: LastStep(m(8, 16, batch_first=True), 16), _series(6, 8))
    RECURRENT.add(
        f"{kind}-two-ways",
        functools.partial(
            exported,
            lambda m=maker: LastStep(m(8, 16, batch_first=True, bidirectional=True), 32),
            _series(6, 8),
        ),
    )
    RECURRENT.add(
        f"{kind}-layers",
        functools.partial(
            exported, lambda m=maker: LastStep(m(8, 16, 2, batch_first=True), 16), _series(6, 8)
        ),
    )

_LAYER = lambda **more: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, **more)  # noqa: E731
_both(
    TRANSFORMERS,
    "encoder",
    lambda: nn.TransformerEncoder(_LAYER(), 2, enable_nested_tensor=False),
    _series(8, 32),
)
_both(
    TRANSFORMERS,
    "encoder-gelu",
    lambda: nn.TransformerEncoder(
        _LAYER(activation="gelu", norm_first=True), 2, enable_nested_tensor=False
    ),
    _series(8, 32),
)
_both(TRANSFORMERS, "vision", Vision, _image(3, 32))
_both(
    TRANSFORMERS,
    "embedding",
    lambda: nn.Sequential(nn.Embedding(100, 32), _LAYER(), nn.Linear(32, 100)),
    _tokens(8),
)
_both(
    TRANSFORMERS,
    "decoder-step",
    Decoder,
    lambda: (torch.randint(0, 100, (1, 1)), torch.randn(1, 7, 32), torch.randn(1, 7, 32)),
)
for name in ("bert", "distilbert", "gpt2"):
    _both(TRANSFORMERS, name, functools.partial(_transformers_model, name), _tokens(8))

ENTRIES: list[Entry] = [*PERCEPTRONS, *CONVOLUTIONS, *RECURRENT, *TRANSFORMERS]
