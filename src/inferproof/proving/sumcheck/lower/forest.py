"""The trees of an ensemble as arrays, level by level, read from an untrusted step."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.errors import ModelRejected
from inferproof.models.classical.trees import DEEPEST, Keys
from inferproof.proving.sumcheck.lower.program import Step, unsupported

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

_MODES = ("LEAF", "BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
LEAF, LEQ, LT, GTE, GT, EQ, NEQ = range(7)


@dataclass(frozen=True, slots=True)
class Level:
    """What is below the branches of one depth: those of their children that are branches too, and
    those that are leaves. Children are numbered: where each branch's answer is yes, then where no.
    """

    branches: Ints
    """The level's branches, by their numbers in the forest."""
    further: Ints
    """Which of the children are the branches of the next level."""
    ends: Ints
    """Which of the children are leaves."""


@dataclass(frozen=True, slots=True)
class Forest:
    """All trees. Shapes: modes, features and thresholds [branches]; leaves hold their keys' places
    in the lists of the step, in the order in which the levels end in them, and at last the `alone`
    ones, which are whole trees."""

    modes: Ints
    features: Ints
    thresholds: Reals
    levels: tuple[Level, ...]
    keys: Keys
    leaves: Ints
    alone: int
    trees: int
    tree_of: Ints
    """Which tree each leaf belongs to, counted from 0."""


def reals(step: Step, name: str) -> Reals:
    """A list of numbers, or the tensor of them. Raises: ModelRejected LOWERING_UNSUPPORTED."""
    told = step.attributes.get(f"{name}_as_tensor")
    found = np.asarray(step.attributes.get(name, []) if told is None else told, np.float64)
    if not np.isfinite(found).all():
        raise malformed(step, f"its {name} are not finite")
    return found.reshape(-1)


def wholes(step: Step, name: str) -> Ints:
    """A list of whole numbers."""
    return np.asarray(step.attributes.get(name, []), np.int64).reshape(-1)


def malformed(step: Step, why: str) -> ModelRejected:
    return unsupported(step, why, "an ensemble of whole trees")


def read_forest(step: Step, features: int) -> Forest:
    """The trees of the step's attributes. Raises: ModelRejected LOWERING_UNSUPPORTED."""
    trees, nodes = wholes(step, "nodes_treeids"), wholes(step, "nodes_nodeids")
    named = {name: number for number, name in enumerate(_MODES)}
    told = [str(mode) for mode in step.attributes.get("nodes_modes", [])]
    unknown = next((mode for mode in told if mode not in named), None)
    if unknown is not None:
        raise unsupported(step, f"it branches by {unknown}", ", ".join(_MODES[1:]))
    modes = np.array([named[mode] for mode in told], np.int64)
    columns = [wholes(step, f"nodes_{n}") for n in ("featureids", "truenodeids", "falsenodeids")]
    values = reals(step, "nodes_values")
    sizes = {len(item) for item in (trees, nodes, modes, values, *columns)}
    if len(sizes) != 1:
        raise malformed(step, "its lists of nodes differ in length or name a node twice")
    keys = Keys(trees, nodes)
    if keys.twice:
        raise malformed(step, "its lists of nodes differ in length or name a node twice")
    inner = np.flatnonzero(modes != LEAF)
    wanted, yes, no = columns
    if ((wanted[inner] < 0) | (wanted[inner] >= features)).any():
        raise malformed(step, "a branch names a feature that the input does not have")
    children = np.stack([keys.places(trees[inner], side[inner]) for side in (yes, no)])
    found = _levels(step, modes, trees, inner, children)
    return Forest(
        modes=modes[inner],
        features=wanted[inner],
        thresholds=values[inner],
        levels=found[0],
        keys=keys,
        leaves=found[1],
        alone=found[2],
        trees=found[3],
        tree_of=np.unique(trees[found[1]], return_inverse=True)[1].reshape(-1),
    )


def _levels(
    step: Step, modes: Ints, trees: Ints, inner: Ints, children: Ints
) -> tuple[tuple[Level, ...], Ints, int, int]:
    """The levels from the roots on, the leaves, how many of them are whole trees, and the number
    of trees."""
    below = np.bincount(children[children >= 0], minlength=len(modes))
    roots = np.flatnonzero(below == 0)
    lost = "a branch leads nowhere, in a circle, or too deep"
    if (children < 0).any() or (below > 1).any():
        raise malformed(step, lost)
    if len(np.unique(trees[roots])) != len(roots):
        raise malformed(step, "a tree has two roots")
    if not len(roots):
        raise malformed(step, "it has no tree" if not len(modes) else lost)
    alone = roots[modes[roots] == LEAF]
    number = np.full(len(modes), -1)
    number[inner] = np.arange(len(inner))
    levels: list[Level] = []
    leaves: list[Ints] = []
    at, seen = roots[modes[roots] != LEAF], len(roots)
    while len(at):
        if len(levels) == DEEPEST:
            raise malformed(step, lost)
        branches = number[at]
        found = children[:, branches].reshape(-1)
        ends = modes[found] == LEAF
        levels.append(Level(branches, np.flatnonzero(~ends), np.flatnonzero(ends)))
        leaves.append(found[ends])
        at, seen = found[~ends], seen + len(found)
    if seen != len(modes):  # the others lead only to each other
        raise malformed(step, lost)
    return tuple(levels), np.concatenate([*leaves, alone]), len(alone), len(roots)
