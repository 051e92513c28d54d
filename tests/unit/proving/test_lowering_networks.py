"""Whole networks in whole numbers: near the float model, and the same answers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lowering import errors, lowered
from networks import depthwise, lenet, transformer

from inferproof.errors import Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.compile import run
from inferproof.proving.sumcheck.lower.context import Options
from inferproof.testing.rejections import rejects

PLAIN = Options()
FINE = Options(weight_bits=16, activation_bits=14, table_bits=14)


@pytest.mark.parametrize(
    ("network", "options", "within"),
    [
        (lenet, PLAIN, 0.02),
        (lenet, FINE, 0.002),
        (depthwise, PLAIN, 0.03),
        (depthwise, FINE, 0.003),
        (transformer, PLAIN, 0.03),
        (transformer, FINE, 0.004),
    ],
)
def test_a_network_keeps_its_answers(
    network: Callable[[], Any], options: Options, within: float
) -> None:
    model, samples = network()
    made, measured = lowered(model, samples, options)
    for name, error in errors(made, measured, samples).items():
        assert error <= within, f"output {name} is off by {error:.5f}"
    for place in range(measured.samples):
        got = run(made, {name: array[place] for name, array in samples.items()})
        exact = measured.outputs["y"][place]
        assert (got["y"].argmax(axis=-1) == exact.argmax(axis=-1)).all()


def test_batch_normalisation_and_activations_become_part_of_their_layers() -> None:
    model, samples = lenet()
    made, _ = lowered(model, samples, PLAIN)
    kinds = [g.op_name(node.op) for node in made.graph.nodes]
    assert kinds[:6] == ["Conv", "Const", "View", "Mul", "Rescale", "View"]
    assert kinds.count("Rescale") <= 5


def test_token_numbers_beyond_the_table_are_refused() -> None:
    model, samples = transformer()
    made, _ = lowered(model, samples, PLAIN)
    (item,) = made.settings.inputs
    assert (item.lo, item.hi, item.scale, item.whole) == (0, 22, 1.0, True)
    with rejects(
        Reason.INPUT_BEYOND_CIRCUIT,
        "the input drives the model out of the range it was calibrated for; "
        "calibrate with samples like it",
    ):
        run(made, {"ids": np.full((1, 7), 23)})


def test_the_table_of_an_embedding_is_committed_and_not_public() -> None:
    model, samples = transformer()
    made, _ = lowered(model, samples, PLAIN)
    assert made.graph.weights[0] == g.Weight(16, 23)
    assert max(constant.values.size for constant in made.graph.constants) <= 2**16
