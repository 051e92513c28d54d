"""How the bits that the bound of a layer's results leaves are shared by operand and weights."""

from typing import Any

import numpy as np
import pytest
from lowering import errors, lowered, model_of
from networks import lenet
from onnx import helper

from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.lower import contraction
from inferproof.proving.sumcheck.lower.compile import Lowering
from inferproof.proving.sumcheck.lower.context import Options

FINE = Options(weight_bits=16)


def convolution(seed: int) -> tuple[Any, dict[str, Any]]:
    """One layer whose operand and weights of 16 bits would be beyond the bound of its results."""
    rng = np.random.default_rng(seed)
    size, channels = 2.0 ** rng.uniform(0, 1), 1 + seed % 5
    x = {"x": rng.normal(0, size, (20, 1, channels, 8, 8)).astype(np.float32)}
    weights = {"w": rng.uniform(-0.2, 0.2, (8, channels, 3, 3)).astype(np.float32)}
    return model_of([helper.make_node("Conv", ["x", "w"], ["y"])], x, ["y"], weights), x


def operand_of(made: Lowering) -> int:
    """The largest integer that the layer takes."""
    (node,) = (node for node in made.graph.nodes if isinstance(node.op, g.Conv))
    taken = [*made.graph.inputs, *made.graph.nodes][node.operands[0]]
    return max(-taken.lo, taken.hi)


def test_the_operand_gets_more_of_the_bits_and_the_error_falls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ratios, operands = [], []
    for seed in range(10):
        model, x = convolution(seed)
        finer, measured = lowered(model, x, FINE)
        with monkeypatch.context() as alike:
            alike.setattr(contraction, "_OPERAND", 1.0)
            even, _ = lowered(model, x, FINE)
        ratios.append(errors(finer, measured, x)["y"] / errors(even, measured, x)["y"])
        operands.append(operand_of(finer) / operand_of(even))
    assert min(operands) >= 1.0
    assert max(ratios) <= 1.0
    assert np.exp(np.mean(np.log(ratios))) < 0.85


def test_eight_bit_weights_have_no_bits_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    model, samples = lenet()
    made, _ = lowered(model, samples, Options())
    monkeypatch.setattr(contraction, "_OPERAND", 1.0)
    even, _ = lowered(model, samples, Options())
    assert (encode_graph(made.graph), made.weights) == (encode_graph(even.graph), even.weights)


def test_an_operand_that_fits_as_it_is_leaves_weights_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a layer with few columns nothing has to be shared."""
    x = {"x": np.linspace(-1, 1, 40, dtype=np.float32).reshape(20, 1, 2)}
    weights = {"w": np.float32([[0.3], [-0.7]])}
    model = model_of([helper.make_node("MatMul", ["x", "w"], ["y"])], x, ["y"], weights)
    options = Options(weight_bits=16, input_bits=12)
    made, _ = lowered(model, x, options)
    monkeypatch.setattr(contraction, "_OPERAND", 1.0)
    even, _ = lowered(model, x, options)
    assert made.weights == even.weights
