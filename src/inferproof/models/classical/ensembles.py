"""Ensembles of trees of operator set 5, written as those of operator set 3."""

from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, numpy_helper

from inferproof.models.classical.expansion import Attributes, expands, ints
from inferproof.models.expansion import Expansion
from inferproof.models.tensors import Array

ML_DOMAIN = "ai.onnx.ml"
MOST_NODES = 2**20
"""Nodes that an ensemble may have once sets are written out: a branch by membership becomes one for
each member, each with its own copy of what is below."""
_MODES = (*("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE"), *("BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"))
_MEMBER = len(_MODES)
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")

_DISPUTED = ("SOFTMAX", "LOGISTIC")


@expands("TreeEnsemble")
def _tree_ensemble(made: Expansion, node: NodeProto, given: Attributes) -> None:
    trees = _Trees(made, given)
    told = {
        "n_targets": _number(made, given, "n_targets", 1),
        "aggregate_function": _named(made, given, "aggregate_function", 1, _AGGREGATES),
        "post_transform": _named(made, given, "post_transform", 0, _TRANSFORMS),
    }
    if told["post_transform"] in _DISPUTED:
        raise made.refused(
            "its post_transform is 1 or 2, which are softmax and sigmoid in the standard and the "
            "other way round in ONNX Runtime; export it without and add Softmax or Sigmoid"
        )
    made.node(
        "TreeEnsembleRegressor",
        [made.floats(node.input[0])],
        node.output[0],
        domain=ML_DOMAIN,
        **told,
        **trees.written(),
    )


def _number(made: Expansion, given: Attributes, name: str, default: int) -> int:
    value = given.get(name, default)
    if not isinstance(value, int):
        raise made.invalid(f"its {name} is no whole number")
    return value


def _named(
    made: Expansion, given: Attributes, name: str, default: int, names: tuple[str, ...]
) -> str:
    value = _number(made, given, name, default)
    if not 0 <= value < len(names):
        raise made.invalid(f"its {name} is not from 0 to {len(names) - 1}")
    return names[value]


def _tensor(made: Expansion, given: Attributes, name: str) -> Array:
    value = given.get(name)
    if value is None:
        return np.zeros(0)
    if not isinstance(value, TensorProto):
        raise made.invalid(f"its {name} are no tensor")
    return numpy_helper.to_array(value).reshape(-1)


class _Trees:
    """The trees of the attributes, and the lists that they are written to."""

    def __init__(self, made: Expansion, given: Attributes) -> None:
        self._made = made
        self._modes = _tensor(made, given, "nodes_modes").astype(np.int64)
        self._splits = _tensor(made, given, "nodes_splits").astype(np.float64)
        self._features = ints(made, given, "nodes_featureids")
        self._children = [ints(made, given, f"nodes_{side}nodeids") for side in ("true", "false")]
        self._ends = [ints(made, given, f"nodes_{side}leafs") for side in ("true", "false")]
        self._roots = ints(made, given, "tree_roots")
        self._targets = ints(made, given, "leaf_targetids")
        self._weights = _tensor(made, given, "leaf_weights").astype(np.float64)
        lists = (self._splits, self._features, *self._children, *self._ends)
        if any(len(item) != len(self._modes) for item in lists) or not self._roots.size:
            raise made.invalid("its lists of nodes differ in length, or it has no root")
        if len(self._targets) != len(self._weights):
            raise made.invalid("its lists of leaves differ in length")
        if ((self._modes < 0) | (self._modes > _MEMBER)).any():
            raise made.invalid("a mode of its nodes is not from 0 to 6")
        self._sets = self._members(given)
        self._nodes: dict[str, list[Any]] = {
            f"nodes_{name}": []
            for name in (
                *("treeids", "nodeids", "featureids", "values", "modes"),
                *("truenodeids", "falsenodeids"),
            )
        }
        self._leaves: dict[str, list[Any]] = {
            f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")
        }

    def _members(self, given: Attributes) -> dict[int, list[float]]:
        """The set of each branch by membership: in their order, a NaN ends each."""
        values = _tensor(self._made, given, "membership_values").astype(np.float64)
        branches = np.flatnonzero(self._modes == _MEMBER)
        if np.isinf(values).any():
            raise self._made.invalid("a set of its branches holds an infinity")
        ends = np.flatnonzero(np.isnan(values))
        starts = np.concatenate([[0], ends + 1])[: len(ends)]
        if len(values) and not np.isnan(values[-1]):
            starts, ends = (
                np.append(starts, ends[-1] + 1 if len(ends) else 0),
                np.append(ends, len(values)),
            )
        if len(ends) != len(branches):
            raise self._made.invalid("it has another number of sets than of branches by membership")
        return {
            int(branch): sorted(set(values[start:end].tolist()))
            for branch, start, end in zip(branches, starts, ends, strict=True)
        }

    def written(self) -> dict[str, list[Any]]:
        """The lists of nodes and leaves. Raises: ModelRejected MODEL_INVALID,
        MODEL_OPERATOR_REFUSED."""
        for tree, root in enumerate(self._roots.tolist()):
            self._write(tree, root)
        return {**self._nodes, **self._leaves}

    def _write(self, tree: int, root: int) -> None:
        # What is written at each place: a node or a leaf, and the place that points to it. A
        # branch of a deep tree lies below others only: more levels than nodes are a circle.
        count = 0
        waiting: list[tuple[int, bool, int, str, int, int]] = [(root, False, -1, "", 0, 0)]
        while waiting:
            at, leaf, parent, side, depth, member = waiting.pop()
            place = count
            count += 1
            if parent >= 0:
                self._nodes[side][parent] = place
            if len(self._nodes["nodes_nodeids"]) >= MOST_NODES:
                raise self._made.refused(
                    f"it has more than {MOST_NODES} nodes once its sets are written out; "
                    "export it with fewer trees or smaller sets"
                )
            if not 0 <= at < len(self._targets if leaf else self._modes):
                raise self._made.invalid("a branch leads nowhere")
            if depth > len(self._modes):
                raise self._made.invalid("its branches lead in a circle")
            mine = len(self._nodes["nodes_nodeids"])
            if leaf:
                self._add(tree, place, 0, 0.0, "LEAF")
                row = (tree, place, int(self._targets[at]), float(self._weights[at]))
                for name, value in zip(self._leaves.values(), row, strict=True):
                    name.append(value)
                continue
            mode, feature = int(self._modes[at]), int(self._features[at])
            value = float(self._splits[at])
            yes, no = (
                (int(self._children[n][at]), bool(self._ends[n][at]), mine, name, depth + 1, 0)
                for n, name in enumerate(("nodes_truenodeids", "nodes_falsenodeids"))
            )
            if mode == _MEMBER:
                members = self._sets[at]
                if not members:
                    raise self._made.invalid("a set of its branches is empty")
                value, mode = members[member], _MODES.index("BRANCH_EQ")
                if member + 1 < len(members):
                    no = (at, False, mine, "nodes_falsenodeids", depth, member + 1)
            self._add(tree, place, feature, value, _MODES[mode])
            waiting += [no, yes]

    def _add(self, tree: int, place: int, feature: int, value: float, mode: str) -> None:
        row = (tree, place, feature, value, mode, 0, 0)
        for name, item in zip(self._nodes.values(), row, strict=True):
            name.append(item)
