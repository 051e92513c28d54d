"""Random ensembles of decision trees as ONNX models."""

from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

FEATURES = 5


def forest(
    operator: str,
    *,
    trees: int = 4,
    depth: int = 4,
    columns: int = 3,
    mode: str | tuple[str, ...] = "BRANCH_LEQ",
    labels: list[int] | None = None,
    ids: list[int] | None = None,
    positive: bool = False,
    seed: int = 1,
    **attributes: Any,
) -> ModelProto:
    """Trees that split random features at random thresholds, with a value for some targets."""
    rng = np.random.default_rng(seed)
    nodes: dict[str, list[Any]] = {
        name: []
        for name in "treeids nodeids featureids values modes truenodeids falsenodeids".split()  # noqa: SIM905
    }
    leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}

    def grow(tree: int, left: int, counter: list[int]) -> int:
        number = counter[0]
        counter[0] += 1
        leaf = left == 0 or (left < depth and rng.random() < 0.2)
        at = len(nodes["nodeids"])
        row = (tree, number, int(rng.integers(FEATURES)), float(np.float32(rng.normal())))
        for name, value in zip(("treeids", "nodeids", "featureids", "values"), row, strict=True):
            nodes[name].append(0.0 if leaf and name == "values" else value)
        drawn = mode if isinstance(mode, str) else mode[int(rng.integers(len(mode)))]
        nodes["modes"].append("LEAF" if leaf else drawn)
        nodes["truenodeids"].append(0)
        nodes["falsenodeids"].append(0)
        if leaf:
            for column in ids if ids is not None else range(columns):
                weight = float(np.float32(rng.random() / trees if positive else rng.normal()))
                for name, value in zip(leaves, (tree, number, column, weight), strict=True):
                    leaves[name].append(value)
        else:
            nodes["truenodeids"][at] = grow(tree, left - 1, counter)
            nodes["falsenodeids"][at] = grow(tree, left - 1, counter)
        return number

    for tree in range(trees):
        grow(tree, depth, [0])
    stem = "target" if operator == "TreeEnsembleRegressor" else "class"
    given: dict[str, Any] = {f"nodes_{name}": values for name, values in nodes.items()}
    given |= {f"{stem}_{name}": values for name, values in leaves.items()}
    if stem == "target":
        given["n_targets"] = columns
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, columns])]
    else:
        given["classlabels_int64s"] = labels or list(range(columns))
        count = len(given["classlabels_int64s"])
        outputs = [
            helper.make_tensor_value_info("label", TensorProto.INT64, [2]),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, count]),
        ]
    node = helper.make_node(
        operator, ["x"], [item.name for item in outputs], domain="ai.onnx.ml",
        **{**given, **attributes},
    )  # fmt: skip
    graph = helper.make_graph(
        [node], "forest", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, FEATURES])],
        outputs,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    return model


def rows(samples: int = 40) -> dict[str, Any]:
    return {"x": np.random.default_rng(2).normal(size=(samples, 2, FEATURES)).astype(np.float32)}
