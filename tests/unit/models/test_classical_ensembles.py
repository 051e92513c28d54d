"""Ensembles of trees of operator set 5: as ONNX Runtime has them, once written as those of 3."""

import math
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from inferproof.errors import ModelRejected, Reason
from inferproof.inference.session import Session
from inferproof.models.classical import ensembles
from inferproof.models.parse import parse_untrusted
from inferproof.testing.rejections import rejects

FEATURES, TARGETS, MEMBER = 4, 3, 6


class Trees:
    """Random trees as the attributes of a node."""

    def __init__(self, modes: tuple[int, ...], trees: int = 3, depth: int = 4) -> None:
        self.rng = np.random.default_rng(sum(modes) + trees)
        self.modes = modes
        self.nodes: list[list[Any]] = []
        self.leaves: list[tuple[int, float]] = []
        self.sets: list[float] = []
        self.roots = [self._branch(depth) for _ in range(trees)]

    def _branch(self, left: int) -> int:
        place = len(self.nodes)
        mode = int(self.rng.choice(self.modes))
        split = float(self.rng.integers(-4, 5)) / 2
        self.nodes.append([int(self.rng.integers(FEATURES)), split, mode, 0, 0, 0, 0])
        if mode == MEMBER:
            # Of others than whole numbers above 0 ONNX Runtime makes something else.
            members = self.rng.choice(np.arange(1, 9), int(self.rng.integers(1, 5)), False)
            self.sets += [*members.tolist(), math.nan]
        for side in (0, 1):
            leaf = left == 1 or self.rng.random() < 0.2
            at = self._leaf() if leaf else self._branch(left - 1)
            self.nodes[place][3 + 2 * side : 5 + 2 * side] = [at, int(leaf)]
        return place

    def _leaf(self) -> int:
        self.leaves.append((int(self.rng.integers(TARGETS)), float(self.rng.normal())))
        return len(self.leaves) - 1

    def model(self, **changes: Any) -> ModelProto:
        features, splits, modes, yes, yes_leaf, no, no_leaf = zip(*self.nodes, strict=True)
        given: dict[str, Any] = {
            "tree_roots": self.roots,
            "n_targets": TARGETS,
            "nodes_featureids": features,
            "nodes_splits": tensor(splits, np.float32),
            "nodes_modes": tensor(modes, np.uint8),
            "nodes_truenodeids": yes,
            "nodes_trueleafs": yes_leaf,
            "nodes_falsenodeids": no,
            "nodes_falseleafs": no_leaf,
            "leaf_targetids": [target for target, _ in self.leaves],
            "leaf_weights": tensor([weight for _, weight in self.leaves], np.float32),
        }
        if self.sets:
            given["membership_values"] = tensor(self.sets, np.float32)
        node = helper.make_node(
            "TreeEnsemble", ["x"], ["y"], domain="ai.onnx.ml", **{**given, **changes}
        )
        graph = helper.make_graph(
            [node],
            "trees",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, FEATURES])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, TARGETS])],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 5)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def tensor(values: Any, dtype: Any) -> TensorProto:
    return numpy_helper.from_array(np.array(values, dtype))


def same(made: ModelProto) -> None:
    theirs = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ours = Session(parse_untrusted(made.SerializeToString()))
    rows = np.random.default_rng(1).choice(np.arange(-9, 10) / 2, (40, 2, FEATURES)).astype("f4")
    for row in rows:
        (exact,) = theirs.run(None, {"x": row})
        np.testing.assert_allclose(ours.run({"x": row})["y"], exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("modes", [(mode,) for mode in range(7)] + [tuple(range(7))])
def test_every_kind_of_branch(modes: tuple[int, ...]) -> None:
    same(Trees(modes).model())


@pytest.mark.parametrize("how", range(4))
def test_sums_averages_least_and_greatest(how: int) -> None:
    same(Trees((0, 3, 6)).model(aggregate_function=how))


@pytest.mark.parametrize("transform", [1, 2])
def test_post_transforms_on_which_runtimes_and_standard_differ(transform: int) -> None:
    refused(
        "its post_transform is 1 or 2, which are softmax and sigmoid in the standard and the other "
        "way round in ONNX Runtime; export it without and add Softmax or Sigmoid",
        Trees((0,)).model(post_transform=transform),
        Reason.MODEL_OPERATOR_REFUSED,
    )


def test_a_softmax_of_what_was_given() -> None:
    same(Trees((0,)).model(post_transform=3))


def refused(why: str, model: ModelProto, reason: Reason = Reason.MODEL_INVALID) -> None:
    told = "the ONNX checker refuses operator" if reason is Reason.MODEL_INVALID else "operator"
    verb = ":" if reason is Reason.MODEL_INVALID else " is not accepted:"
    with rejects(reason, f"{told} 'TreeEnsemble'{verb} {why}", kind=ModelRejected):
        parse_untrusted(model.SerializeToString())


def test_what_is_refused() -> None:
    trees = Trees((0, 6))
    lists = "its lists of nodes differ in length, or it has no root"
    refused(lists, trees.model(tree_roots=[99], nodes_featureids=[0]))
    refused("a branch leads nowhere", trees.model(tree_roots=[999]))
    refused("a branch leads nowhere", trees.model(tree_roots=[-1]))
    refused("its aggregate_function is not from 0 to 3", trees.model(aggregate_function=4))
    refused("its post_transform is not from 0 to 4", trees.model(post_transform=-1))
    wrong = [7] * len(trees.nodes)
    refused("a mode of its nodes is not from 0 to 6", trees.model(nodes_modes=tensor(wrong, "u1")))
    refused("its lists of leaves differ in length", trees.model(leaf_targetids=[0]))
    other = "it has another number of sets than of branches by membership"
    refused(other, trees.model(membership_values=tensor([1.0, math.nan] * 99, np.float32)))
    refused(
        "its sets are no floats in the file",
        trees.model(membership_values=tensor([1, 2], np.int64)),
    )
    empty = [math.nan] * sum(math.isnan(value) for value in trees.sets)
    refused("a set of its branches is empty", trees.model(membership_values=tensor(empty, "f4")))


def test_circles_and_trees_that_grow_beyond_the_limit_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trees = Trees((0,), trees=1)
    zeros = [0] * len(trees.nodes)
    circle = trees.model(
        nodes_truenodeids=zeros, nodes_falsenodeids=zeros, nodes_trueleafs=zeros,
        nodes_falseleafs=[1, *zeros[1:]],
    )  # fmt: skip
    refused("its branches lead in a circle", circle)
    monkeypatch.setattr(ensembles, "MOST_NODES", 2 * len(trees.nodes) + 1)
    parse_untrusted(trees.model().SerializeToString())
    monkeypatch.setattr(ensembles, "MOST_NODES", 2 * len(trees.nodes))
    refused(
        f"it has more than {2 * len(trees.nodes)} nodes once its sets are written out; export it "
        "with fewer trees or smaller sets",
        trees.model(),
        Reason.MODEL_OPERATOR_REFUSED,
    )
