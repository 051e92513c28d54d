"""A linear model of six weights with its card, for markets of tests and measurements."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from inferproof.inference.preprocess import load_preprocessing
from inferproof.models.card import load_card
from inferproof.models.labels import labelled
from inferproof.models.load import load_model
from inferproof.proving.base import CompileReport, CompileRequest, ProofSystem

WEIGHTS = ((-1.0, 2.0), (0.5, 0.25), (0.0, 1.0))
LARGEST = 100.0
"""Inputs go from -100 to 100."""
PRICE = 250_000
"""Atomic units of a token with six decimals."""
_CARD = """\
schema = "inferproof/model-card/1"
id = "{name}"
version = "1.0.0"
title = "Tiny"
description = "Three numbers in, two logits out."
category = "testing"
developer = "The inferproof authors"
license = "MIT"
preprocessing = {{ kind = "tensor", inputs = [
  {{ name = "x", shape = [1, 3], min = -100.0, max = 100.0 }},
] }}

[files]
model = "model.onnx"

[input]
type = "tensor"
max_bytes = 1000

[[input.examples]]
title = "Ones"
value = [[1.0, 1.0, 1.0]]
label = "yes"

[output]
type = "classification"
labels = ["no", "yes"]
unit = "logit"

[price]
amount = "0.25"
currency = "USDC"

[proof]
system = "{system}"
input_visibility = "public"

[revenue]
developer_bps = 7000
platform_bps = 3000
"""


def compile_tiny(
    folder: Path,
    name: str,
    system: ProofSystem,
    samples: NDArray[np.float32] | None = None,
    profile: str = "default",
) -> CompileReport:
    """Writes the card and the model into the folder, and compiles it into `folder/compiled`.

    `samples` are those it is calibrated on, of shape (n, 1, 3); without them sixty-four, up to
    the largest inputs that the card takes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["logits"])],
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(np.array(WEIGHTS, dtype=np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "card.toml").write_text(_CARD.format(name=name, system=system.name))
    card = load_card(folder)
    if samples is None:
        drawn = np.random.default_rng(1).uniform(-LARGEST, LARGEST, (64, 1, 3))
        samples = drawn.astype(np.float32)
    loaded = load_model(card.model_path)
    return system.compile(
        CompileRequest(
            model=replace(loaded, outputs=labelled(loaded.outputs, card.output)),
            calibration={"x": samples},
            out=folder / "compiled",
            preprocessing=load_preprocessing(card.preprocessing, card.folder).canonical(),
            profile=profile,
        )
    )
