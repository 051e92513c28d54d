"""Ensembles of decision trees: every comparison at once, then the leaf that each tree reaches."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.errors import ModelRejected
from inferproof.proving.sumcheck.lower.arithmetic import add_constant, negated, scaled_by
from inferproof.proving.sumcheck.lower.attention import shares
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.dense import linear
from inferproof.proving.sumcheck.lower.movement import addresses_of, concat, reshape, sliced
from inferproof.proving.sumcheck.lower.program import Step, unsupported
from inferproof.proving.sumcheck.lower.tables import table
from inferproof.proving.sumcheck.lower.value import Value

Points = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LEAF = "LEAF"
_BELOW = {"BRANCH_LEQ": True, "BRANCH_GT": True, "BRANCH_LT": False, "BRANCH_GTE": False}
"""Whether a number equal to the threshold counts as below it."""
_TRUE_BELOW = {"BRANCH_LEQ": True, "BRANCH_LT": True, "BRANCH_GT": False, "BRANCH_GTE": False}
"""Whether the branch is taken as true below the threshold."""
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class _Forest:
    """All trees. Shapes: features, thresholds and ties [branches]; paths [leaves, depth].

    A path names comparisons: number b for below at branch b, branches + b for not below, and
    twice the branches for none. `lengths` count those of each leaf.
    """

    features: Ints
    thresholds: Points
    ties: npt.NDArray[np.bool_]
    paths: Ints
    lengths: Ints
    leaves: dict[tuple[int, int], int]
    trees: int


def _list(step: Step, name: str) -> list[float]:
    told = step.attributes.get(f"{name}_as_tensor")
    found = np.asarray(step.attributes.get(name, []) if told is None else told, np.float64)
    if not np.isfinite(found).all():
        raise _malformed(step, f"its {name} are not finite")
    return [float(value) for value in found.reshape(-1)]


def _ints(step: Step, name: str) -> list[int]:
    return [int(value) for value in step.attributes.get(name, [])]


def _malformed(step: Step, why: str) -> ModelRejected:
    return unsupported(step, why, "an ensemble of whole trees")


def read_forest(step: Step, features: int) -> _Forest:
    """The trees of the step's attributes. Raises: ModelRejected LOWERING_UNSUPPORTED."""
    keys = list(zip(_ints(step, "nodes_treeids"), _ints(step, "nodes_nodeids"), strict=False))
    modes = [str(mode) for mode in step.attributes.get("nodes_modes", [])]
    columns = [
        _ints(step, f"nodes_{name}") for name in ("featureids", "truenodeids", "falsenodeids")
    ]
    values = _list(step, "nodes_values")
    sizes = {len(modes), len(values), *(len(item) for item in columns)}
    if len(set(keys)) != len(keys) or sizes != {len(keys)}:
        raise _malformed(step, "its lists of nodes differ in length or name a node twice")
    for mode in set(modes) - {_LEAF}:
        if mode not in _BELOW:
            raise unsupported(step, f"it branches by {mode}", "BRANCH_LEQ, LT, GT and GTE")
    place = {key: number for number, key in enumerate(keys)}
    branches = [number for number, mode in enumerate(modes) if mode != _LEAF]
    order = {number: rank for rank, number in enumerate(branches)}
    wanted, yes, no = columns
    if any(not 0 <= wanted[number] < features for number in branches):
        raise _malformed(step, "a branch names a feature that the input does not have")
    targets = {(keys[n][0], child) for n in branches for child in (yes[n], no[n])}
    roots = [key for key in keys if key not in targets]
    found: list[tuple[tuple[int, int], list[int]]] = []
    stack: list[tuple[tuple[int, int], list[int]]] = [(root, []) for root in reversed(roots)]
    while stack:
        key, path = stack.pop()
        number = place.get(key)
        if number is None or len(path) > _DEEPEST or len(found) > len(keys):
            raise _malformed(step, "a branch leads nowhere, in a circle, or too deep")
        if modes[number] == _LEAF:
            found.append((key, path))
            continue
        rank, below = order[number], _TRUE_BELOW[modes[number]]
        down, up = rank, len(branches) + rank
        stack.append(((key[0], no[number]), [*path, up if below else down]))
        stack.append(((key[0], yes[number]), [*path, down if below else up]))
    depth = max((len(path) for _, path in found), default=0)
    none = 2 * len(branches)
    paths = np.array([[*path, *[none] * (depth - len(path))] for _, path in found], np.int64)
    return _Forest(
        features=np.array([wanted[n] for n in branches], np.int64),
        thresholds=np.array([values[n] for n in branches]),
        ties=np.array([_BELOW[modes[n]] for n in branches], bool),
        paths=paths.reshape(len(found), depth),
        lengths=np.array([len(path) for _, path in found], np.int64),
        leaves={key: number for number, (key, _) in enumerate(found)},
        trees=len(roots),
    )


def _reached(c: Context, step: Step, x: Value, forest: _Forest) -> Value:
    """1 for the leaf that each tree reaches, else 0: [rows, leaves]."""
    b = c.builder
    rows = x.shape[0]
    if forest.features.size == 0 or forest.paths.shape[1] == 0:
        raise _malformed(step, "a tree has no branch")
    if (forest.lengths == 0).any():
        raise _malformed(step, "a tree has no branch")
    addresses = addresses_of(x.shape)[:, forest.features]
    chosen = b.take(x, addresses)
    units = forest.thresholds / x.scale
    if x.scale == 1.0:
        # Whole numbers as they are: x <= t is x <= floor(t), and x < t is x < ceil(t).
        last = np.where(forest.ties, np.floor(units), np.ceil(units) - 1)
    else:
        # Thresholds are rounded as inputs are: libraries take them from the data, and what equals
        # one must stay on its side.
        last = np.floor(units + 0.5) - np.where(forest.ties, 0, 1)
    last = np.clip(last, x.lo - 1, x.hi).astype(np.int64)
    distance = b.add([chosen], [-1], np.broadcast_to(last + 1, addresses.shape))
    below = b.rescale(distance, clamp=(0, 1))
    above = b.add([below], [-1], 1, within=(0, 1))
    nothing = b.const(np.zeros((rows, 1), np.int64))
    sides = concat(b, [below, above, nothing], 1)
    places = addresses_of(sides.shape)[:, forest.paths]
    steps = b.sum(b.take(sides, places), 1)
    short = np.broadcast_to(1 - forest.lengths, steps.shape)
    made = b.rescale(b.add([steps], [1], short), clamp=(0, 1))
    return made.with_(most=forest.trees)


def _sums(c: Context, step: Step, stem: str, columns: int) -> tuple[Value, Points]:
    """The sum of the reached leaves' values for each target or class, and all leaves' values."""
    x = c.value(step, 0)
    forest = read_forest(step, x.shape[1])
    values = np.zeros((columns, len(forest.leaves)))
    keys = zip(_ints(step, f"{stem}_treeids"), _ints(step, f"{stem}_nodeids"), strict=False)
    weights, ids = _list(step, f"{stem}_weights"), _ints(step, f"{stem}_ids")
    for key, target, weight in zip(keys, ids, weights, strict=False):
        if key not in forest.leaves or not 0 <= target < columns:
            raise _malformed(step, "a value belongs to no leaf or no target")
        values[target, forest.leaves[key]] += weight
    made = linear(c, step, _reached(c, step, x, forest), values, None, final=False)
    how = step.attributes.get("aggregate_function", "SUM")
    if how == "AVERAGE":
        made = scaled_by(c.builder, made, 1 / forest.trees)
    elif how != "SUM":
        raise unsupported(step, f"it takes the {how} over trees", "SUM and AVERAGE")
    return made, np.array(weights)


def _with_base(c: Context, step: Step, made: Value) -> Value:
    base = np.array(_list(step, "base_values"))
    return made if base.size == 0 else add_constant(c.builder, made, base)


def _transformed(c: Context, step: Step, made: Value) -> Value:
    how = step.attributes.get("post_transform", "NONE")
    if how == "NONE":
        return made
    if how == "LOGISTIC":
        return table(c, step, made, lambda points: 1 / (1 + np.exp(-points)))
    if how == "SOFTMAX":
        return shares(c, step, made)
    raise unsupported(step, f"it ends in {how}", "NONE, LOGISTIC and SOFTMAX")


@lowers("TreeEnsembleRegressor")
def _regressor(c: Context, step: Step) -> Value:
    targets = max(1, int(step.attributes.get("n_targets", 1)))
    made, _ = _sums(c, step, "target", targets)
    return _transformed(c, step, _with_base(c, step, made))


@lowers("TreeEnsembleClassifier")
def _classifier(c: Context, step: Step) -> tuple[Value, Value]:
    b = c.builder
    labels = _ints(step, "classlabels_int64s")
    told = set(_ints(step, "class_ids"))
    if len(labels) == 2 and told == {0}:
        return _binary(c, step, labels)
    made, weights = _sums(c, step, "class", len(labels))
    made = _with_base(c, step, made)
    if len(labels) == 2 and told == {1}:
        score = sliced(b, made, 1, 1, 1)
        return _labelled(c, _above(c, score, weights), labels), _transformed(c, step, made)
    return _labelled(c, b.argmax(made, False), labels), _transformed(c, step, made)


def _binary(c: Context, step: Step, labels: list[int]) -> tuple[Value, Value]:
    """Two classes of which only the first has values: a probability, or a score against 0."""
    b = c.builder
    score, weights = _sums(c, step, "class", 1)
    base = _list(step, "base_values")
    if len(base) > 1:
        raise unsupported(step, "it has several base values for one score", "one of them")
    score = _with_base(c, step, score)
    how = step.attributes.get("post_transform", "NONE")
    probability = how == "NONE" and bool((weights >= 0).all())
    best = _above(c, score, weights)
    other = negated(b, score)
    if probability:
        other = add_constant(b, other, np.array(1.0))
    both = concat(b, [other, score], 1)
    if how not in ("NONE", "LOGISTIC"):
        raise unsupported(step, f"it ends in {how} with one score", "NONE and LOGISTIC")
    return _labelled(c, best, labels), _transformed(c, step, both)


def _above(c: Context, score: Value, weights: Points) -> Value:
    """1 where the score [rows, 1] names the second class: above 0, or a probability above 1/2."""
    b = c.builder
    if (weights >= 0).all():
        score = add_constant(b, score, np.array(-0.5))
    return reshape(b, b.rescale(score, clamp=(0, 1)), score.shape[:1])


def _labelled(c: Context, number: Value, labels: list[int]) -> Value:
    """The label of each number of a class."""
    if labels == list(range(len(labels))):
        return number
    return c.builder.pick(c.builder.const(np.array(labels)), number)
