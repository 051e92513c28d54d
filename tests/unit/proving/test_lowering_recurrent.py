"""Recurrent layers, unrolled: both directions, given states, and what is refused."""

from typing import Any

import numpy as np
import pytest
from lowering import assert_close, model_of
from onnx import helper

from inferproof.errors import Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.context import Options
from inferproof.testing.rejections import rejects

FINE = Options(weight_bits=16, activation_bits=14, table_bits=14)
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STEPS, BATCH, INPUTS, SIZE = 6, 2, 3, 5


def layer(operator: str, *, states: bool = False, within: float = 0.005, **attributes: Any) -> Any:
    """Asserts that a layer comes near ONNX Runtime, all of its outputs; the lowering."""
    ways = 2 if attributes.get("direction") == "bidirectional" else 1
    rows = GATES[operator] * SIZE

    # The same numbers in whatever order the tests run.
    rng = np.random.default_rng(8)

    def normal(*shape: int) -> Any:
        return (rng.standard_normal(shape) * 0.7).astype(np.float32)

    constants = {
        "w": normal(ways, rows, INPUTS),
        "r": normal(ways, rows, SIZE),
        "b": normal(ways, 2 * rows),
    }
    names = ["x", "w", "r", "b"]
    samples = {"x": rng.standard_normal((4, STEPS, BATCH, INPUTS)).astype(np.float32)}
    if states:
        samples["h0"] = normal(4, ways, BATCH, SIZE)
        names += ["", "h0"]
        if operator == "LSTM":
            constants["c0"] = normal(ways, BATCH, SIZE)
            names += ["c0"]
    outputs = ["y", "h", "c"][: 3 if operator == "LSTM" else 2]
    node = helper.make_node(operator, names, outputs, hidden_size=SIZE, **attributes)
    model = model_of([node], samples, outputs, constants)
    return assert_close(model, samples, within, FINE)


@pytest.mark.parametrize("operator", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_every_direction(operator: str, direction: str) -> None:
    made = layer(operator, direction=direction)
    ways = 2 if direction == "bidirectional" else 1
    contractions = sum(isinstance(node.op, g.Linear) for node in made.graph.nodes)
    # One for all inputs, and for each step one or two of the state.
    assert contractions >= ways * (1 + STEPS - 1)


@pytest.mark.parametrize("operator", ["RNN", "GRU", "LSTM"])
def test_states_to_begin_with(operator: str) -> None:
    layer(operator, states=True)


def test_reset_after_the_product() -> None:
    layer("GRU", states=True, linear_before_reset=1)


def test_other_activations_and_clips_are_refused() -> None:
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (RNN) has no form in whole numbers: its activations are Relu; supported is "
        "the default ones",
    ):
        layer("RNN", activations=["Relu"])
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (LSTM) has no form in whole numbers: it has clip, input_forget or layout; "
        "supported is none of them",
    ):
        layer("LSTM", clip=3.0)
