"""The zoo's models in whole numbers: near the float model, and the same answers."""

from pathlib import Path

import numpy as np
import pytest

from inferproof.models.load import load_model
from inferproof.models.measure import measure
from inferproof.proving.sumcheck.graph_bytes import encode_graph
from inferproof.proving.sumcheck.lower.compile import lower, run
from inferproof.second_verifier import graph as reference

ZOO = Path(__file__).parents[3] / "zoo"
ROWS = 60


@pytest.mark.parametrize("name", ["sentiment", "token_risk", "fraud"])
def test_a_zoo_model_keeps_its_answers(name: str) -> None:
    model = load_model(ZOO / name / "model.onnx")
    made = lower(model, dict(np.load(ZOO / name / "calibration.npz")))
    assert made.report.agreement == 1.0
    assert made.report.relative_error < 0.0006
    reference.decode(encode_graph(made.graph))
    (spec,) = model.inputs
    rows = np.load(ZOO / name / "test.npz")[spec.name][:ROWS]
    exact = measure(model, {spec.name: rows}).outputs
    for place, row in enumerate(rows):
        got = run(made, {spec.name: row})
        for output, values in got.items():
            expected = exact[output][place]
            # The float model may be undecided itself.
            assert expected.reshape(-1)[values.argmax()] > expected.max() - 0.0005
            assert np.abs(values - expected).max() < 0.006
