"""Models that PyTorch exported, as the onnx package carries them; and inputs at their extremes."""

from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.backend.test
import pytest
from forests import forest, rows
from lowering import errors, lowered
from networks import depthwise, lenet, transformer
from onnx import TensorProto, numpy_helper
from onnx_cases import cases_of

from inferproof.errors import InferproofError, Reason
from inferproof.proving.sumcheck.lower.context import Options
from reference.numpy_executor import execute, split_weights

FINE = Options(weight_bits=16, activation_bits=14, table_bits=14)
DATA = Path(onnx.backend.test.__file__).parent / "data"

REFUSED = {
    Reason.LOWERING_UNSUPPORTED: "Conv3d",
    # The last one has samples that only binary64 holds.
    Reason.LOWERING_NOT_FINITE: "operator_pow operator_sqrt operator_addconstant",
    Reason.MODEL_OPSET_NOT_CONVERTED: "multiparam broadcast",
}
"""What of the names of models tells that they are refused, and why."""


def samples_of(folder: Path, model: onnx.ModelProto) -> dict[str, Any]:
    stored = {tensor.name for tensor in model.graph.initializer}
    found = {}
    for place, item in enumerate(i for i in model.graph.input if i.name not in stored):
        raw = (folder / "test_data_set_0" / f"input_{place}.pb").read_bytes()
        found[item.name] = numpy_helper.to_array(TensorProto.FromString(raw))[None]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "least"), [("pytorch-converted", 72), ("pytorch-operator", 28)])
def test_exported_models(kind: str, least: int) -> None:
    done, failures = 0, []
    for folder in sorted((DATA / kind).iterdir()):
        model = onnx.load(folder / "model.onnx")
        samples = samples_of(folder, model)
        try:
            made, measured = lowered(model, samples, FINE)
        except InferproofError as refused:
            if not any(part in folder.name for part in REFUSED.get(refused.reason, "-").split()):
                failures.append(f"{folder.name}: {refused.message}")
            continue
        done += 1
        error = max(errors(made, measured, samples).values())
        if error > 0.005:
            failures.append(f"{folder.name}: off by {error:.5f}")
    assert not failures, "\n".join(failures)
    assert done >= least


def at_extremes(model: onnx.ModelProto, samples: dict[str, Any], options: Options) -> None:
    """Runs the lowered model on the ends of its inputs' ranges, where calibration never was."""
    made, _ = lowered(model, samples, options)
    matrices = split_weights(made.graph, made.weights)
    rng = np.random.default_rng(3)
    for attempt in range(8):
        inputs = []
        for item in made.graph.inputs:
            some = ([item.lo], [item.hi], [item.lo, item.hi], [item.lo, min(max(0, item.lo), 1)])
            choice = rng.choice(some[attempt % 4], size=item.shape)
            inside = rng.integers(item.lo, item.hi + 1, size=item.shape)
            inputs.append(np.asarray(choice if attempt < 6 else inside))
        # Every node's range is checked inside.
        execute(made.graph, matrices, inputs)


@pytest.mark.parametrize("network", [lenet, depthwise, transformer])
@pytest.mark.parametrize("options", [Options(), FINE])
def test_no_input_leaves_the_ranges_of_a_network(
    network: Callable[[], Any], options: Options
) -> None:
    at_extremes(*network(), options)


def test_no_input_leaves_the_ranges_of_a_forest() -> None:
    at_extremes(forest("TreeEnsembleClassifier", post_transform="LOGISTIC"), rows(), FINE)


OPERATORS = (
    "add div einsum gelu gru layernormalization logsoftmax lstm matmul mul reduce_log_sum_exp "
    "reducel2 rmsnormalization softmax where"
)


@pytest.mark.parametrize("module", OPERATORS.split())
def test_no_input_leaves_the_ranges_of_an_operator(module: str) -> None:
    for case in islice(cases_of(module), 4):
        with suppress(InferproofError):  # what is refused; a range that is left is a Fault
            at_extremes(case.model, case.samples, FINE)
