"""Ensembles whose trees no runtime should follow: too deep, in a circle, or beside the input."""

from typing import Any

import hostile as h
import pytest
from onnx import ModelProto, helper

from inferproof.errors import Reason
from inferproof.models.classical.trees import DEEPEST
from inferproof.models.parse import parse_untrusted
from inferproof.testing.rejections import rejects


def ensemble(yes: list[int], no: list[int], modes: list[str]) -> ModelProto:
    """One tree whose node n leads to yes[n] and no[n], each leaf worth its number."""
    count = len(modes)
    leaves = [place for place, mode in enumerate(modes) if mode == "LEAF"]
    given: dict[str, Any] = {
        "nodes_treeids": [3] * count,
        "nodes_nodeids": list(range(count)),
        "nodes_featureids": [place % 4 for place in range(count)],
        "nodes_values": [0.5] * count,
        "nodes_modes": modes,
        "nodes_truenodeids": yes,
        "nodes_falsenodeids": no,
        "target_treeids": [3] * len(leaves),
        "target_nodeids": leaves,
        "target_ids": [0] * len(leaves),
        "target_weights": [float(place) for place in leaves],
        "n_targets": 1,
    }
    made = h.model([h.node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **given)])
    made.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    return made


def chain(levels: int) -> ModelProto:
    """A tree of so many branches, each below the one before."""
    places = range(2 * levels + 1)
    modes = ["BRANCH_LEQ" if n % 2 == 0 and n < 2 * levels else "LEAF" for n in places]
    yes = [n + 1 if modes[n] != "LEAF" else 0 for n in places]
    no = [n + 2 if modes[n] != "LEAF" else 0 for n in places]
    return ensemble(yes, no, modes)


def parse(made: ModelProto) -> Any:
    return parse_untrusted(made.SerializeToString())


@pytest.mark.parametrize("levels", [1, 40, DEEPEST])
def test_a_tree_that_can_be_proven_is_read(levels: int) -> None:
    assert dict(parse(chain(levels)).operators) == {"TreeEnsembleRegressor": 1}


@pytest.mark.parametrize(
    "made",
    [
        chain(DEEPEST + 1),
        chain(20_000),
        ensemble([0, 0, 0], [1, 0, 0], ["BRANCH_LEQ", "LEAF", "LEAF"]),
        # Beside a tree that is sound, where no root leads.
        ensemble(
            [1, 0, 0, 4, 3], [2, 0, 0, 4, 3], ["BRANCH_GT", "LEAF", "LEAF", *["BRANCH_GT"] * 2]
        ),
    ],
    ids=["one-too-many", "many", "itself", "apart"],
)
def test_a_deeper_tree_and_a_circle_are_refused(made: ModelProto) -> None:
    """ONNX Runtime calls itself for each level: 20,000 of them end its process."""
    with rejects(
        Reason.MODEL_TREE_TOO_DEEP,
        "a tree of operator 'TreeEnsembleRegressor' has more than 256 levels or leads in a circle; "
        "train it with a bound on its depth",
    ):
        parse(made)


@pytest.mark.parametrize("feature", [4, -1, 2**31 - 1])
def test_a_branch_on_a_feature_that_is_not_there_is_refused(feature: int) -> None:
    """ONNX Runtime fails with those rows alone that lead there."""
    made = chain(2)
    (asked,) = [item for item in made.graph.node[0].attribute if item.name == "nodes_featureids"]
    asked.ints[2] = feature
    with rejects(
        Reason.MODEL_SHAPES_DISAGREE,
        "the inputs of operator 'TreeEnsembleRegressor' of node 'y' do not fit together: a branch "
        f"asks for feature {feature} (from 0) of 4",
    ):
        parse(made)


def test_what_a_leaf_names_is_no_feature() -> None:
    made = chain(2)
    (asked,) = [item for item in made.graph.node[0].attribute if item.name == "nodes_featureids"]
    asked.ints[1] = 9
    assert parse(made).nodes == 1


def test_lists_that_do_not_fit_are_left_to_who_reads_them() -> None:
    made = chain(3)
    (values,) = [item for item in made.graph.node[0].attribute if item.name == "nodes_treeids"]
    del values.ints[-1]
    assert parse(made).nodes == 1
