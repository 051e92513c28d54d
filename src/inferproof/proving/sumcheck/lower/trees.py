"""Ensembles of decision trees: every comparison once, then level by level what is reached."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inferproof.models.classical.scores import ERF_FACTOR, TRANSFORMS
from inferproof.proving.sumcheck.float_order import MOST
from inferproof.proving.sumcheck.lower.arithmetic import (
    absolute,
    add_constant,
    negated,
    scaled_by,
)
from inferproof.proving.sumcheck.lower.attention import exponentials, shares
from inferproof.proving.sumcheck.lower.context import Context, lowers
from inferproof.proving.sumcheck.lower.dense import linear
from inferproof.proving.sumcheck.lower.forest import (
    EQ,
    GT,
    GTE,
    LT,
    NEQ,
    Forest,
    Level,
    malformed,
    read_forest,
    reals,
    wholes,
)
from inferproof.proving.sumcheck.lower.movement import concat, reshape, sliced
from inferproof.proving.sumcheck.lower.program import Step, unsupported
from inferproof.proving.sumcheck.lower.reduce import spread
from inferproof.proving.sumcheck.lower.scaling import SUM_LIMIT, clamped, fit
from inferproof.proving.sumcheck.lower.sources import SOURCES, Features
from inferproof.proving.sumcheck.lower.tables import table
from inferproof.proving.sumcheck.lower.thresholds import last_place
from inferproof.proving.sumcheck.lower.value import Value

Points = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_NEARLY_ONE = 1e-6
"""How far sums of leaves may be apart for equal ones: they are of numbers of 24 bits."""
_MOST_APART = 2**24
"""Weights of a matrix with a row for each tree."""


@dataclass(frozen=True, slots=True)
class _Comparisons:
    """Whether features are at most, or below, thresholds: each pair once, in the order in which
    branches ask, which says nothing of the order of the thresholds.

    Shapes: all [comparisons], but `upper` and `lower` [branches], which name the comparison of each
    branch and, for one by equality, that which is taken from it.
    """

    features: Ints
    thresholds: Points
    strict: npt.NDArray[np.bool_]
    upper: Ints
    lower: Ints


def _comparisons(forest: Forest) -> _Comparisons:
    equal = np.isin(forest.modes, (EQ, NEQ))
    strict = np.isin(forest.modes, (LT, GTE))
    listed = [
        np.concatenate([array, array[equal]]) for array in (forest.features, forest.thresholds)
    ]
    below = np.concatenate([strict, np.ones(int(equal.sum()), bool)])
    order = np.lexsort((below, listed[1], listed[0]))
    rows = [array[order] for array in (*listed, below)]
    new = np.ones(len(order), bool)
    new[1:] = np.logical_or.reduce([array[1:] != array[:-1] for array in rows])
    first = order[new]
    asked = np.argsort(first)
    place = np.empty(len(first), np.int64)
    place[asked] = np.arange(len(first))
    number = np.empty(len(order), np.int64)
    number[order] = place[np.cumsum(new) - 1]
    lower = np.full(len(forest.modes), -1)
    lower[equal] = number[len(forest.modes) :]
    features, thresholds, told = (array[new][asked] for array in rows)
    return _Comparisons(features, thresholds, told, number[: len(forest.modes)], lower)


def _compared(
    c: Context, step: Step, rows: int, asked: _Comparisons
) -> tuple[Value, npt.NDArray[np.bool_]]:
    """1 where a comparison holds, else 0: [rows, comparisons]; and which say the contrary."""
    b = c.builder
    sources: Features = step.attributes[SOURCES]
    came = sources.inputs[0, asked.features]
    contrary = (came >= 0) & sources.falling[0, asked.features]
    addresses = np.zeros((rows, len(came)), np.int64)
    last = np.zeros((rows, len(came)), np.int64)
    parts: list[Value] = []
    start = 0
    for number in np.unique(came):
        where = np.flatnonzero(came == number)
        wide = np.arange(rows)[:, None] * sources.inputs.shape[1] + asked.features[where]
        if number < 0:
            value = fit(b, c.value(step, 0), MOST)
            addresses[:, where] = wide + start
            last[:, where] = _last_units(value, asked.thresholds[where], asked.strict[where])
        else:
            name = c.program.inputs[number].name
            value = c.ordered.get(name) or c.values[name]
            chosen = sources.at(wide)
            addresses[:, where] = chosen.elements + start
            last[:, where] = last_place(
                c, name, chosen, asked.thresholds[where], asked.strict[where]
            )
        size = math.prod(value.shape)
        parts.append(b.view(value, (size,), 0, (1,)))
        start += size
    joined = b.concat(parts, 0) if len(parts) > 1 else parts[0]
    distance = b.add([b.take(joined, addresses)], [-1], last + 1)
    return b.rescale(distance, clamp=(0, 1)), contrary


def _last_units(x: Value, thresholds: Points, strict: npt.NDArray[np.bool_]) -> Ints:
    """The last integer of a computed value that is at most the threshold, or below it."""
    units = thresholds / x.scale
    if x.scale == 1.0:
        # Whole numbers as they are: x <= t is x <= floor(t), and x < t is x < ceil(t).
        last = np.where(strict, np.ceil(units) - 1, np.floor(units))
    else:
        # Thresholds are rounded as values are: libraries take them from the data, and what equals
        # one must stay on its side.
        last = np.floor(units + 0.5) - strict
    return np.clip(last, x.lo - 1, x.hi).astype(np.int64)


def _answers(c: Context, step: Step, rows: int, forest: Forest) -> tuple[Value, Ints]:
    """For each branch 1 for one of its sides, else 0: [rows, branches]; and 0 where that side is
    its true one, 1 where its false one."""
    b = c.builder
    asked = _comparisons(forest)
    compared, contrary = _compared(c, step, rows, asked)
    count = len(asked.features)
    equal = asked.lower >= 0
    flipped = np.isin(forest.modes, (GT, GTE, NEQ)) ^ (contrary[asked.upper] & ~equal)
    upper, lower = asked.upper, asked.lower
    if equal.any():
        # x = t is x <= t without x < t, or the other way round where both say the contrary.
        swapped = equal & contrary[upper]
        upper, lower = np.where(swapped, lower, upper), np.where(swapped, upper, lower)
    places = np.arange(rows)[:, None] * count
    answers = b.take(compared, places + upper)
    if equal.any():
        taken = np.where(equal, places + lower, -1)
        # What holds below the threshold holds at it, so that the product is the second: written so,
        # a verifier sees that 0 or 1 is left.
        both = b.mul(answers, b.take(compared, taken), within=(0, 1))
        answers = b.add([answers, both], [1, -1], within=(0, 1))
    return answers, flipped.astype(np.int64)


def _reached(c: Context, step: Step, rows: int, forest: Forest) -> Value:
    """1 for the leaf that each tree reaches, else 0: [rows, leaves]."""
    b = c.builder
    if not forest.levels:  # All trees are one leaf: nothing is compared.
        made = b.const(np.ones((rows, forest.alone), np.int64), fixed=True)
        return made.with_(most=forest.trees)
    answers, flipped = _answers(c, step, rows, forest)
    count = len(forest.modes)
    here: Value | None = None
    ends: list[Value] = []
    for level in forest.levels:
        width = len(level.branches)
        side = b.take(answers, np.arange(rows)[:, None] * count + level.branches)
        if here is None:
            first, second = side, b.add([side], [-1], 1, within=(0, 1), fixed=True)
        else:
            first = b.mul(here, side, within=(0, 1))
            second = b.add([here, first], [1, -1], within=(0, 1))
        children = b.concat([first, second], 1)
        starts = np.arange(rows)[:, None] * 2 * width

        def placed(numbers: Ints, level: Level = level, width: int = width) -> Ints:
            # A child by its side, where the branch has its answer the other way round.
            branch, side = numbers % width, numbers // width
            return branch + width * (side ^ flipped[level.branches[branch]])

        if len(level.ends):
            ends.append(b.take(children, starts + placed(level.ends)))
        if len(level.further):
            here = b.take(children, starts + placed(level.further))
    if forest.alone:
        ends.append(b.const(np.ones((rows, forest.alone), np.int64), fixed=True))
    made = b.concat(ends, 1) if len(ends) > 1 else ends[0]
    return made.with_(most=forest.trees)


def _sums(c: Context, step: Step, stem: str, columns: int) -> tuple[Value, Points]:
    """What the trees say together for each target or class, and all leaves' values."""
    shape: tuple[int, ...] = step.attributes[SOURCES].inputs.shape
    forest = read_forest(step, shape[1])
    weights, targets = reals(step, f"{stem}_weights"), wholes(step, f"{stem}_ids")
    trees, nodes = wholes(step, f"{stem}_treeids"), wholes(step, f"{stem}_nodeids")
    if len({len(item) for item in (weights, targets, trees, nodes)}) != 1:
        raise malformed(step, "its lists of leaves differ in length")
    number = np.full(forest.keys.count, -1)
    number[forest.leaves] = np.arange(len(forest.leaves))
    places = forest.keys.places(trees, nodes)
    leaves = np.where(places >= 0, number[places], -1)
    if (leaves < 0).any() or ((targets < 0) | (targets >= columns)).any():
        raise malformed(step, "a value belongs to no leaf or no target")
    values = np.zeros((columns, len(forest.leaves)))
    np.add.at(values, (targets, leaves), weights)
    reached = _reached(c, step, shape[0], forest)
    how = str(step.attributes.get("aggregate_function", "SUM"))
    if how in ("MIN", "MAX"):
        given = np.zeros(values.shape, bool)
        given[targets, leaves] = True
        return _extreme(c, step, reached, forest, values, given, how), weights
    made = _complements(c, step, reached, values, forest.trees)
    if how == "AVERAGE":
        made = scaled_by(c.builder, made, 1 / forest.trees)
    elif how != "SUM":
        raise unsupported(step, f"it takes the {how} over trees", "SUM, AVERAGE, MIN and MAX")
    return made, weights


def _complements(c: Context, step: Step, reached: Value, values: Points, trees: int) -> Value:
    """The sum of the reached leaves' values in each row: [rows, columns].

    Of two columns whose values have one sum in every leaf, as the shares of two classes have, only
    the second is computed: half of the weights, and both stay within their bounds.
    """
    totals = values.sum(axis=0)
    total = float(totals.mean())
    apart = len(values) != 2 or (values < 0).any() or np.ptp(totals) > _NEARLY_ONE * total
    if apart or total == 0.0:
        return linear(c, step, reached, values, None, final=False, alike=True)
    b = c.builder
    second = linear(c, step, reached, values[1:], None, final=False, alike=True)
    whole = trees * round(total / second.scale)
    second = clamped(b, second, 0, whole)
    first = b.add([second], [-1], whole, within=(0, whole)).with_(scale=second.scale)
    return concat(b, [first, second], 1)


def _extreme(
    c: Context,
    step: Step,
    reached: Value,
    forest: Forest,
    values: Points,
    given: npt.NDArray[np.bool_],
    how: str,
) -> Value:
    """The least or the greatest of the trees' values for each target."""
    if not given.all():
        raise unsupported(
            step, f"it takes the {how} of leaves that lack a target", "a value for every target"
        )
    columns, leaves = values.shape
    if forest.trees * columns * leaves > _MOST_APART:
        raise unsupported(
            step,
            f"it takes the {how} over {forest.trees} trees with {leaves} leaves",
            f"at most {_MOST_APART} trees times leaves times targets, or SUM",
        )
    sign = -1 if how == "MIN" else 1
    apart = np.zeros((columns, forest.trees, leaves))
    apart[:, forest.tree_of, np.arange(leaves)] = sign * values
    matrix = apart.reshape(columns * forest.trees, leaves)
    made = linear(c, step, reached, matrix, None, final=False, alike=True)
    each = reshape(c.builder, made, (*reached.shape[:-1], columns, forest.trees))
    most = c.builder.max(each, 1).with_(scale=each.scale)
    return negated(c.builder, most) if sign < 0 else most


def _with_base(c: Context, step: Step, made: Value) -> Value:
    base = reals(step, "base_values")
    if base.size not in (0, 1, made.shape[-1]):
        raise malformed(step, "its base values are not as many as its targets")
    return made if base.size == 0 else _plus(c, made, base)


def _plus(c: Context, x: Value, numbers: Points) -> Value:
    """The value plus a number for each column, rounded to its unit: x keeps that, as its whole
    numbers stand for weights exactly."""
    offsets = np.floor(numbers / x.scale + 0.5)
    if float(np.abs(offsets).max()) + x.bound >= SUM_LIMIT:
        return add_constant(c.builder, x, numbers)
    wide = np.broadcast_to(offsets.astype(np.int64), x.shape)
    return c.builder.add([x], [1], wide).with_(scale=x.scale)


def _transformed(c: Context, step: Step, made: Value) -> Value:
    """The scores after the post-transform; a single one is only ever given PROBIT."""
    how = step.attributes.get("post_transform", "NONE")
    if how == "PROBIT":
        return table(c, step, made, _probit)
    if how == "NONE" or made.shape[-1] == 1:
        return made
    if how == "LOGISTIC":
        return table(c, step, made, lambda points: 1 / (1 + np.exp(-points)))
    if how == "SOFTMAX":
        return shares(c, step, made)
    if how == "SOFTMAX_ZERO":
        return _shares_of_given(c, step, made)
    raise unsupported(step, f"it ends in {how}", ", ".join(TRANSFORMS))


def _probit(points: Points) -> Points:
    """Source: models/classical/scores.py."""
    x = 2 * points - 1
    logarithm = np.log((1 - x) * (1 + x))
    v = 2 / (math.pi * ERF_FACTOR) + logarithm / 2
    size = np.sqrt(np.sqrt(v * v - logarithm / ERF_FACTOR) - v)
    return np.asarray(math.sqrt(2) * np.sign(x) * size)


def _shares_of_given(c: Context, step: Step, x: Value) -> Value:
    """exp(x) over the sum of it where x is not 0, and 0 where it is."""
    b = c.builder
    _peak, powers, _sums = exponentials(c, step, x)
    given = clamped(b, absolute(b, x).with_(source=None), 0, 1)
    kept = b.mul(powers, given, within=(0, powers.hi))
    sums = b.rescale(b.sum(kept, 1), clamp=(1, powers.hi * x.shape[-1]))
    k = 2**16
    made = b.divide(kept, spread(c, sums, x.shape), k, within=(0, k))
    return made.with_(scale=1 / k)


@lowers("TreeEnsembleRegressor")
def _regressor(c: Context, step: Step) -> Value:
    targets = max(1, int(step.attributes.get("n_targets", 1)))
    made, _ = _sums(c, step, "target", targets)
    return _transformed(c, step, _with_base(c, step, made))


@lowers("TreeEnsembleClassifier")
def _classifier(c: Context, step: Step) -> tuple[Value, Value]:
    b = c.builder
    labels = wholes(step, "classlabels_int64s").tolist()
    told = set(wholes(step, "class_ids").tolist())
    if len(labels) == 2 and told == {0}:
        return _binary(c, step, labels)
    made, weights = _sums(c, step, "class", len(labels))
    made = _with_base(c, step, made)
    if len(labels) == 2 and told == {1}:
        score = sliced(b, made, 1, 1, 1)
        return _labelled(c, _above(c, score, weights), labels), _transformed(c, step, made)
    seen, names = made, labels
    if len(told) < len(labels) and reals(step, "base_values").size == 0:
        # A class that no leaf has a value for is never the answer.
        places = np.arange(made.shape[0])[:, None] * len(labels) + np.array(sorted(told))
        seen, names = b.take(made, places), [labels[number] for number in sorted(told)]
    return _labelled(c, b.argmax(seen, False), names), _transformed(c, step, made)


def _binary(c: Context, step: Step, labels: list[int]) -> tuple[Value, Value]:
    """Two classes of which only the first has values: a probability, or a score against 0."""
    b = c.builder
    score, weights = _sums(c, step, "class", 1)
    base = reals(step, "base_values")
    if len(base) > 1:
        raise unsupported(step, "it has several base values for one score", "one of them")
    score = _with_base(c, step, score)
    how = step.attributes.get("post_transform", "NONE")
    if how == "PROBIT":
        raise unsupported(step, "it ends in PROBIT with one score", "NONE or LOGISTIC")
    probability = how != "LOGISTIC" and bool((weights >= 0).all())
    best = _above(c, score, weights)
    other = negated(b, score)
    if probability:
        other = _plus(c, other, np.ones(1))
    both = concat(b, [other, score], 1)
    # As in ONNX Runtime, one score is given no softmax.
    return _labelled(c, best, labels), _transformed(c, step, both) if how == "LOGISTIC" else both


def _above(c: Context, score: Value, weights: Points) -> Value:
    """1 where the score [rows, 1] names the second class: above 0, or a probability above 1/2."""
    b = c.builder
    if (weights >= 0).all():
        score = _plus(c, score, np.full(1, -0.5))
    return reshape(b, b.rescale(score, clamp=(0, 1)), score.shape[:1])


def _labelled(c: Context, number: Value, labels: list[int]) -> Value:
    """The label of each number of a class."""
    if labels == list(range(len(labels))):
        return number
    return c.builder.pick(c.builder.const(np.array(labels), fixed=True), number)
