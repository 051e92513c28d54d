"""Ensembles of decision trees: the leaves, labels and scores of ONNX Runtime."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from forests import FEATURES, forest, rows
from lowering import loaded, lowered, measured_of
from onnx import TensorProto, helper

from inferproof.errors import Reason
from inferproof.models.classical.trees import DEEPEST
from inferproof.proving.sumcheck import graph as g
from inferproof.proving.sumcheck.lower.compile import lower_once, run
from inferproof.proving.sumcheck.lower.context import Options
from inferproof.proving.sumcheck.lower.forest import read_forest
from inferproof.proving.sumcheck.lower.program import Step
from inferproof.testing.rejections import rejects

FINE = Options(weight_bits=16)
COLUMNS = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")


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


def test_trees_that_are_one_leaf_add_what_it_holds() -> None:
    """As XGBoost writes a round that found nothing to split."""
    model = forest("TreeEnsembleRegressor", trees=3)
    before = close(model)
    (node,) = model.graph.node
    alone = {
        "nodes_treeids": 7,
        "nodes_nodeids": 0,
        "nodes_featureids": 0,
        "nodes_values": 0.0,
        "nodes_modes": b"LEAF",
        "nodes_truenodeids": 0,
        "nodes_falsenodeids": 0,
        "target_treeids": 7,
        "target_nodeids": 0,
        "target_ids": 0,
        "target_weights": 0.75,
    }
    for item in node.attribute:
        if item.name in alone:
            value = alone[item.name]
            held = {int: item.ints, float: item.floats, bytes: item.strings}[type(value)]
            held.append(value)  # type: ignore[arg-type]
    after = close(model)
    sample = {"x": rows()["x"][0]}
    moved = run(after, sample)["y"] - run(before, sample)["y"]
    assert np.abs(moved[..., 0] - 0.75).max() < 0.01


@pytest.mark.parametrize(
    "model",
    [
        forest("TreeEnsembleRegressor", depth=0, base_values=[0.5, -2.0, 7.0]),
        forest("TreeEnsembleRegressor", depth=0, aggregate_function="MIN"),
        forest("TreeEnsembleClassifier", depth=0, labels=[7, -2, 30], post_transform="SOFTMAX"),
        forest("TreeEnsembleClassifier", depth=0, columns=2, ids=[0], post_transform="LOGISTIC"),
    ],
    ids=["sum", "least", "shares", "score"],
)
def test_an_ensemble_of_leaves_alone_is_a_constant(model: Any) -> None:
    """As XGBoost writes an objective under which nothing is worth a split."""
    made = close(model)
    found = [run(made, {"x": rows()["x"][place]}) for place in (0, 1)]
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])
    changing = close(forest("TreeEnsembleRegressor", depth=1))
    first, second = (run(changing, {"x": rows()["x"][place]})["y"] for place in (0, 1))
    assert not np.array_equal(first, second)


def test_exporters_that_name_the_operators_of_trees_alone() -> None:
    model = forest("TreeEnsembleRegressor")
    (unnamed,) = [item for item in model.opset_import if not item.domain]
    model.opset_import.remove(unnamed)
    close(model)


def test_a_tree_may_be_as_deep_as_it_says_and_no_deeper() -> None:
    def chain(levels: int) -> Any:
        return single(
            nodes_treeids=[0] * (2 * levels + 1),
            nodes_nodeids=[*range(2 * levels + 1)],
            nodes_featureids=[0] * (2 * levels + 1),
            nodes_values=[0.5] * (2 * levels + 1),
            nodes_modes=["BRANCH_LEQ", "LEAF"] * levels + ["LEAF"],
            nodes_truenodeids=[n + 1 for n in range(2 * levels + 1)],
            nodes_falsenodeids=[n + 2 for n in range(2 * levels + 1)],
        )

    assert len(chain(DEEPEST).levels) == DEEPEST
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (TreeEnsembleRegressor) has no form in whole numbers: a branch leads nowhere, "
        "in a circle, or too deep; supported is an ensemble of whole trees",
    ):
        chain(DEEPEST + 1)


ALL_MODES = tuple(f"BRANCH_{name}" for name in ("LEQ", "LT", "GT", "GTE", "EQ", "NEQ"))


@pytest.mark.parametrize("changed", ["no", "scaled", "falling"])
def test_branches_of_all_kinds_in_one_ensemble(changed: str) -> None:
    """Also of features that are scaled before, some with the other sign."""
    model = forest("TreeEnsembleRegressor", trees=12, mode=ALL_MODES)
    found = thresholds_of(model)
    found[:] = [round(2 * value) / 2 for value in found]
    if changed != "no":
        (node,) = model.graph.node
        node.input[0] = "scaled"
        signs = [1, 1, 1, 1, 1] if changed == "scaled" else [-1, 2, -0.5, 1, -1]
        scaler = helper.make_node(
            "Scaler",
            ["x"],
            ["scaled"],
            domain="ai.onnx.ml",
            offset=[0.5, 0.0, -1.0, 0.5, 0.5],
            scale=[float(sign) for sign in signs],
        )
        model.graph.node.insert(0, scaler)
    values = np.arange(-8, 9, dtype=np.float32) / 4
    samples = {"x": np.random.default_rng(3).choice(values, size=(60, 2, FEATURES))}
    made, measured = lowered(model, samples, FINE)
    for place in range(measured.samples):
        got = run(made, {"x": samples["x"][place]})
        assert np.abs(got["y"] - measured.outputs["y"][place]).max() <= 0.002
    assert [item.ordered for item in made.settings.inputs] == [True]


@pytest.mark.parametrize("mode", ALL_MODES)
def test_features_that_are_computed_are_compared_too(mode: str) -> None:
    """Beside those that are the input's: columns of a Concat."""
    model = forest("TreeEnsembleRegressor", mode=mode)
    (node,) = model.graph.node
    node.input[0] = "both"
    found = thresholds_of(model)
    found[:] = [round(2 * value) / 2 for value in found]
    columns = [
        helper.make_tensor("near", TensorProto.INT64, [3], [0, 1, 2]),
        helper.make_tensor("far", TensorProto.INT64, [2], [3, 4]),
    ]
    model.graph.initializer.extend(columns)
    before = [
        helper.make_node("Gather", ["x", "near"], ["kept"], axis=1),
        helper.make_node("Gather", ["x", "far"], ["rest"], axis=1),
        helper.make_node("Abs", ["rest"], ["sizes"]),
        helper.make_node("Concat", ["kept", "sizes"], ["both"], axis=1),
    ]
    for place, item in enumerate(before):
        model.graph.node.insert(place, item)
    values = np.arange(-8, 9, dtype=np.float32) / 4
    samples = {"x": np.random.default_rng(3).choice(values, size=(60, 2, FEATURES))}
    made, measured = lowered(model, samples, FINE)
    for place in range(measured.samples):
        got = run(made, {"x": samples["x"][place]})
        assert np.abs(got["y"] - measured.outputs["y"][place]).max() <= 0.002
    assert [item.ordered for item in made.settings.inputs] == [False, True]


@pytest.mark.parametrize("span", [1e-30, 1.0, 1e30])
def test_numbers_next_to_a_threshold_stay_on_their_side(span: float) -> None:
    """However far apart the sizes of the numbers are: those of binary32 that follow each other."""
    model = forest("TreeEnsembleRegressor", trees=8)
    found = thresholds_of(model)
    rng = np.random.default_rng(6)
    drawn = (rng.normal(size=len(found)) * span * 10.0 ** rng.uniform(-5, 0, len(found))).astype(
        "f4"
    )
    found[:] = drawn.tolist()
    near = np.concatenate([np.nextafter(drawn, np.float32(side)) for side in (-np.inf, np.inf)])
    samples = {"x": rng.choice(np.concatenate([drawn, near]), size=(60, 2, FEATURES))}
    made, measured = lowered(model, samples, FINE)
    for place in range(measured.samples):
        got = run(made, {"x": samples["x"][place]})
        assert np.abs(got["y"] - measured.outputs["y"][place]).max() <= 0.002


def test_equal_votes_are_a_tie() -> None:
    """Half of the trees say the one class and half the other: the first is the answer."""
    model = forest(
        "TreeEnsembleClassifier",
        trees=10,
        columns=2,
        nodes_treeids=[tree for tree in range(10) for _ in range(3)],
        nodes_nodeids=[0, 1, 2] * 10,
        nodes_featureids=[0] * 30,
        nodes_values=[float(tree) for tree in range(10) for _ in range(3)],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * 10,
        nodes_truenodeids=[1, 0, 0] * 10,
        nodes_falsenodeids=[2, 0, 0] * 10,
        class_treeids=[tree for tree in range(10) for _ in range(4)],
        class_nodeids=[1, 1, 2, 2] * 10,
        class_ids=[0, 1, 0, 1] * 10,
        class_weights=[0.1, 0.0, 0.0, 0.1] * 10,
    )
    rows = np.linspace(-1, 10, 24, dtype=np.float32).reshape(12, 2, 1).repeat(FEATURES, axis=2)
    made, _ = lowered(model, {"x": rows}, Options())
    for row in rows:
        got = run(made, {"x": row})
        second = np.ceil(row[:, 0]).clip(0, 10) / 10
        assert np.abs(got["y"][:, 1] - second).max() < 1e-6
        assert got["label"].tolist() == (second > 0.5001).astype(float).tolist()
    assert sum(weight.rows * weight.cols for weight in made.graph.weights) == 2 * 20


def test_averages_base_values_and_logistic_scores() -> None:
    close(forest("TreeEnsembleRegressor", aggregate_function="AVERAGE", columns=1))
    close(forest("TreeEnsembleRegressor", base_values=[1.0, -2.0, 0.5]))
    close(forest("TreeEnsembleClassifier", post_transform="LOGISTIC"))


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("how", ["MIN", "MAX"])
def test_the_least_and_the_greatest_of_the_trees(how: str, columns: int) -> None:
    close(forest("TreeEnsembleRegressor", columns=columns, aggregate_function=how))


@pytest.mark.parametrize("post", ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"])
def test_post_transforms_of_a_regressor(post: str) -> None:
    """Of a single score they change nothing, as in ONNX Runtime."""
    close(forest("TreeEnsembleRegressor", columns=1, post_transform=post))
    close(forest("TreeEnsembleRegressor", columns=3, post_transform=post))


def test_a_class_without_a_vote_has_no_share() -> None:
    close(forest("TreeEnsembleClassifier", ids=[0, 2], post_transform="SOFTMAX_ZERO"))


def test_probabilities_become_quantiles() -> None:
    model = forest("TreeEnsembleRegressor", columns=1, positive=True, post_transform="PROBIT")
    close(model, within=0.01)


def test_a_classifier_with_labels_of_its_own() -> None:
    close(forest("TreeEnsembleClassifier", positive=True))
    close(forest("TreeEnsembleClassifier", labels=[7, -2, 30], post_transform="SOFTMAX"))


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("post", ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"])
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


@pytest.mark.parametrize("whole", [True, False])
def test_whole_values_of_leaves_stay_whole(whole: bool) -> None:
    """An isolation forest's trees answer with the number of a leaf, which a table is read at."""
    model = forest("TreeEnsembleRegressor", trees=1, depth=5, columns=1)
    (node,) = model.graph.node
    (weights,) = [item for item in node.attribute if item.name == "target_weights"]
    count = len(weights.floats)
    weights.floats[:] = [3 * place + (0 if whole else 0.3) for place in range(count)]
    made, measured = lowered(model, rows(), FINE)
    for place in range(measured.samples):
        got = run(made, {"x": rows()["x"][place]})["y"]
        assert np.abs(got - measured.outputs["y"][place]).max() <= (0 if whole else 0.01)
    assert (made.settings.outputs[0].scale == 1.0) == whole


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
        "node 'y' (TreeEnsembleRegressor) has no form in whole numbers: it branches by LESS; "
        "supported is BRANCH_LEQ, BRANCH_LT, BRANCH_GTE, BRANCH_GT, BRANCH_EQ, BRANCH_NEQ",
    ):
        single(nodes_modes=["LESS", "LEAF", "LEAF"])
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'y' (TreeEnsembleRegressor) has no form in whole numbers: it takes the MAX of leaves "
        "that lack a target; supported is a value for every target",
    ):
        close(forest("TreeEnsembleRegressor", ids=[0, 2], aggregate_function="MAX"))
    with rejects(
        Reason.LOWERING_UNSUPPORTED,
        "node 'label' (TreeEnsembleClassifier) has no form in whole numbers: it ends in PROBIT "
        "with "
        "one score; supported is NONE or LOGISTIC",
    ):
        lowered_here(forest("TreeEnsembleClassifier", columns=2, ids=[0], post_transform="PROBIT"))


def lowered_here(model: Any) -> None:
    """Lowers a model whose outputs are no numbers in ONNX Runtime, as if they were."""
    measured = measured_of(loaded(model), rows())
    finite = tuple(replace(found, finite=True) for found in measured.ranges)
    lower_once(loaded(model), replace(measured, ranges=finite), FINE)


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
        ({"nodes_falsenodeids": [1, 0, 0]}, "a branch leads nowhere, in a circle, or too deep"),
        (
            {
                "nodes_treeids": [0] * 5,
                "nodes_nodeids": [0, 1, 2, 3, 4],
                "nodes_featureids": [0] * 5,
                "nodes_values": [0.5] * 5,
                "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LEQ", "BRANCH_LEQ"],
                "nodes_truenodeids": [1, 0, 0, 4, 3],
                "nodes_falsenodeids": [2, 0, 0, 4, 3],
            },
            "a branch leads nowhere, in a circle, or too deep",
        ),
        ({"nodes_modes": ["LEAF"] * 3}, "a tree has two roots"),
        (
            {f"nodes_{name}": [] for name in COLUMNS},
            "it has no tree",
        ),
        (
            {"nodes_modes": ["BRANCH_LEQ"] * 3, "nodes_truenodeids": [1, 2, 0]},
            "a branch leads nowhere, in a circle, or too deep",
        ),
        ({"nodes_values": [float("nan"), 0, 0]}, "its nodes_values are not finite"),
    ],
)
def test_malformed_trees_are_refused(changes: dict[str, Any], why: str) -> None:
    assert single().leaves.tolist() == [1, 2]
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
