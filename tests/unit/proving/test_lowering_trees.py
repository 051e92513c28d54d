"""Ensembles of decision trees: the leaves, labels and scores of ONNX Runtime."""

from typing import Any

import numpy as np
import pytest
from forests import FEATURES, forest, rows
from lowering import lowered
from onnx import TensorProto, helper

from inferproof.errors import Reason
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.compile import run
from inferproof.proving.sumcheck.lower.context import Options
from inferproof.proving.sumcheck.lower.program import Step
from inferproof.proving.sumcheck.lower.trees import read_forest
from inferproof.testing.rejections import rejects

FINE = Options(weight_bits=16)


def close(model: Any, within: float = 0.002) -> Any:
    """Asserts scores near ONNX Runtime's and the same labels; the lowering."""
    samples = rows()
    made, measured = lowered(model, samples, FINE)
    for place in range(measured.samples):
        got = run(made, {"x": samples["x"][place]})
        exact = measured.outputs["y"][place]
        assert np.abs(got["y"] - exact).max() <= within * max(1.0, np.abs(exact).max())
        if "label" in got:
            assert got["label"].tolist() == measured.outputs["label"][place].tolist()
    return made


@pytest.mark.parametrize("mode", ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE"])
def test_a_regressor_of_every_kind_of_branch(mode: str) -> None:
    close(forest("TreeEnsembleRegressor", mode=mode))


def test_exporters_that_name_the_operators_of_trees_alone() -> None:
    model = forest("TreeEnsembleRegressor")
    (unnamed,) = [item for item in model.opset_import if not item.domain]
    model.opset_import.remove(unnamed)
    close(model)


def test_averages_base_values_and_logistic_scores() -> None:
    close(forest("TreeEnsembleRegressor", aggregate_function="AVERAGE", columns=1))
    close(forest("TreeEnsembleRegressor", base_values=[1.0, -2.0, 0.5]))
    close(forest("TreeEnsembleClassifier", post_transform="LOGISTIC"))


def test_a_classifier_with_labels_of_its_own() -> None:
    close(forest("TreeEnsembleClassifier", positive=True))
    close(forest("TreeEnsembleClassifier", labels=[7, -2, 30], post_transform="SOFTMAX"))


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("post", ["NONE", "LOGISTIC"])
@pytest.mark.parametrize("column", [0, 1])
def test_two_classes_with_one_score(positive: bool, post: str, column: int) -> None:
    model = forest(
        "TreeEnsembleClassifier",
        columns=2,
        ids=[column],
        positive=positive,
        post_transform=post,
    )
    close(model)


def test_leaf_values_are_committed() -> None:
    made = close(forest("TreeEnsembleRegressor", trees=2, depth=3, columns=2))
    (weight,) = made.graph.weights
    leaves = weight.cols
    assert weight.rows in (2, 4)
    assert 4 <= leaves <= 16
    assert sum(isinstance(node.op, g.Linear) for node in made.graph.nodes) == 1


def test_a_number_at_a_threshold_goes_where_it_belongs() -> None:
    threshold = 0.75
    for mode, expected in (("BRANCH_LEQ", 1.0), ("BRANCH_LT", -1.0), ("BRANCH_GTE", 1.0)):
        model = forest(
            "TreeEnsembleRegressor",
            trees=1,
            columns=1,
            nodes_treeids=[0, 0, 0],
            nodes_nodeids=[0, 1, 2],
            nodes_featureids=[3, 0, 0],
            nodes_values=[threshold, 0.0, 0.0],
            nodes_modes=[mode, "LEAF", "LEAF"],
            nodes_truenodeids=[1, 0, 0],
            nodes_falsenodeids=[2, 0, 0],
            target_treeids=[0, 0],
            target_nodeids=[1, 2],
            target_ids=[0, 0],
            target_weights=[1.0, -1.0],
        )
        made, _ = lowered(model, rows(), FINE)
        row = np.zeros((2, FEATURES), np.float32)
        row[0, 3] = threshold
        row[1, 3] = threshold - 1e-4 if mode == "BRANCH_GTE" else threshold + 1e-4
        assert run(made, {"x": row})["y"].round(3).tolist() == [
            [expected],
            [-1.0],
        ]


def test_what_is_not_supported_is_refused() -> None:
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (TreeEnsembleRegressor) has no form in whole numbers: it branches by BRANCH_EQ; "
        "supported is BRANCH_LEQ, LT, GT and GTE",
    ):
        close(forest("TreeEnsembleRegressor", mode="BRANCH_EQ"))
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (TreeEnsembleRegressor) has no form in whole numbers: it takes the MAX over "
        "trees; supported is SUM and AVERAGE",
    ):
        close(forest("TreeEnsembleRegressor", aggregate_function="MAX"))


def single(**changes: Any) -> Any:
    """A tree of one branch with some attributes replaced, read without running it."""
    attributes: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [3, 0, 0],
        "nodes_values": [0.5, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
    }
    step = Step("y", "TreeEnsembleRegressor", ("x",), ("y",), {**attributes, **changes})
    return read_forest(step, FEATURES)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"nodes_nodeids": [0, 1, 1]}, "its lists of nodes differ in length or name a node twice"),
        ({"nodes_modes": ["LEAF"]}, "its lists of nodes differ in length or name a node twice"),
        ({"nodes_featureids": [5, 0, 0]}, "a branch names a feature that the input does not have"),
        ({"nodes_truenodeids": [9, 0, 0]}, "a branch leads nowhere, in a circle, or too deep"),
        (
            {
                "nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"],
                "nodes_truenodeids": [1, 1, 0],
                "nodes_falsenodeids": [2, 2, 0],
            },
            "a branch leads nowhere, in a circle, or too deep",
        ),
        ({"nodes_values": [float("nan"), 0, 0]}, "its nodes_values are not finite"),
    ],
)
def test_malformed_trees_are_refused(changes: dict[str, Any], why: str) -> None:
    assert single().lengths.tolist() == [1, 1]
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        f"node 'y' (TreeEnsembleRegressor) has no form in whole numbers: {why}; supported is "
        "an ensemble of whole trees",
    ):
        single(**changes)


MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE"]


def thresholds_of(model: Any) -> Any:
    (node,) = [item for item in model.graph.node if item.domain]
    (values,) = [item for item in node.attribute if item.name == "nodes_values"]
    return values.floats


@pytest.mark.parametrize("mode", MODES)
def test_what_equals_a_threshold_stays_on_its_side(mode: str) -> None:
    """Libraries take thresholds from the data that they are fitted to."""
    model = forest("TreeEnsembleRegressor", mode=mode)
    known = np.array([value for value in thresholds_of(model) if value], np.float32)
    samples = {"x": np.random.default_rng(3).choice(known, size=(40, 2, FEATURES))}
    made, measured = lowered(model, samples, FINE)
    for place in range(measured.samples):
        got = run(made, {"x": samples["x"][place]})
        assert np.abs(got["y"] - measured.outputs["y"][place]).max() <= 0.002


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("part", [0.25, 0.5, 0.75])
def test_whole_numbers_are_compared_with_fractions(mode: str, part: float) -> None:
    model = forest("TreeEnsembleRegressor", mode=mode)
    found = thresholds_of(model)
    found[:] = [round(4 * value) + part if value else 0.0 for value in found]
    (node,) = model.graph.node
    node.input[0] = "real"
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    cast = helper.make_node("Cast", ["x"], ["real"], to=TensorProto.FLOAT)
    model.graph.node.insert(0, cast)
    samples = {"x": np.random.default_rng(4).integers(-9, 10, size=(40, 2, FEATURES))}
    made, measured = lowered(model, samples, FINE)
    for place in range(measured.samples):
        got = run(made, {"x": samples["x"][place]})
        assert np.abs(got["y"] - measured.outputs["y"][place]).max() <= 0.002
