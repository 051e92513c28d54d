"""What is looked at in an ensemble's trees before a runtime follows them.

ONNX Runtime reads a tree by calling itself for each level: a deep one ends its process. A feature
that is not there fails only with the rows that lead to its branch.
"""

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from inferproof.errors import ModelRejected, Reason
from inferproof.models.naming import located
from inferproof.models.show import shown

Ints = npt.NDArray[np.int64]

DEEPEST = 256
"""Levels of a tree, each some nodes of the graph that is proven; a default forest of 20,000 rows
has 40."""


class Keys:
    """Nodes by the numbers of tree and node."""

    def __init__(self, trees: Ints, nodes: Ints) -> None:
        self._joint = _joint(trees, nodes)
        self._order = np.argsort(self._joint, kind="stable")
        self._sorted = self._joint[self._order]

    @property
    def count(self) -> int:
        return len(self._joint)

    @property
    def twice(self) -> bool:
        """Whether a node is there twice."""
        return bool((np.diff(self._sorted) == 0).any())

    def places(self, trees: Ints, nodes: Ints) -> Ints:
        """The place of each node in the lists, -1 for one that is not there."""
        wanted = _joint(trees, nodes)
        if not len(self._sorted):
            return np.full(len(wanted), -1)
        found = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
        return np.where(self._sorted[found] == wanted, self._order[found], -1)


def _joint(trees: Ints, nodes: Ints) -> Ints:
    # Intake keeps whole numbers of attributes below 2^31 in size.
    return trees * 2**32 + nodes


def check_trees(node: NodeProto, features: int) -> None:
    """Returns when an ensemble's branches ask for features that its input has, and no way down its
    trees passes more than DEEPEST of them.

    What else may be wrong with its lists is left to whoever reads them.
    Raises: ModelRejected MODEL_SHAPES_DISAGREE, MODEL_TREE_TOO_DEEP.
    """
    given = {item.name: item for item in node.attribute}

    def numbers(name: str) -> Ints:
        return np.array(given[name].ints if name in given else [], np.int64)

    trees, nodes = numbers("nodes_treeids"), numbers("nodes_nodeids")
    modes = given["nodes_modes"].strings if "nodes_modes" in given else []
    sides = [numbers(f"nodes_{side}nodeids") for side in ("true", "false")]
    if len({len(trees), len(nodes), len(modes), *map(len, sides)}) != 1:
        return
    branch = np.array([mode != b"LEAF" for mode in modes], bool)
    asked = numbers("nodes_featureids")
    if len(asked) == len(branch):
        beyond = asked[branch & ((asked < 0) | (asked >= features))]
        if beyond.size:
            raise ModelRejected(
                Reason.MODEL_SHAPES_DISAGREE,
                op=located(node),
                why=f"a branch asks for feature {beyond[0]} (from 0) of {features}",
            )
    keys = Keys(trees, nodes)
    children = np.stack([keys.places(trees, side) for side in sides])
    # From every branch at a time, so that a circle that no root leads to is found too.
    below = branch
    for _ in range(DEEPEST):
        found = children[:, below].reshape(-1)
        below = np.zeros(len(branch), bool)
        below[found[found >= 0]] = True
        below &= branch
        if not below.any():
            return
    raise ModelRejected(Reason.MODEL_TREE_TOO_DEEP, op=shown(node.op_type), limit=DEEPEST)
