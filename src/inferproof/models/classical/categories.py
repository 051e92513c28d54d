"""Categories that are numbers: the place of each in a table, and what stands there."""

from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto

from inferproof.models.classical.expansion import Attributes, expands, floats, ints
from inferproof.models.expansion import Expansion
from inferproof.models.tensors import Array

MOST_COMPARED = 256
"""Keys that are compared one by one, two nodes for each."""
MOST_BETWEEN = 2**16
"""Whole numbers from the least key to the greatest, a table of which finds any key at once."""


@expands("LabelEncoder")
def _label_encoder(made: Expansion, node: NodeProto, given: Attributes) -> None:
    keys, values, default = _table(made, given)
    if keys.size != values.size or not keys.size:
        raise made.invalid("it has another number of keys than of values")
    index, places = _found(made, node.input[0], keys)
    table = made.constant(np.append(values, default)[places], values.dtype.str)
    made.node("Gather", [table, index], node.output[0], axis=0)


@expands("OneHotEncoder")
def _one_hot_encoder(made: Expansion, node: NodeProto, given: Attributes) -> None:
    keys = ints(made, given, "cats_int64s")
    if not keys.size:
        raise made.refused("its categories are texts that no input holds, or none")
    whole = made.node("Cast", [node.input[0]], to=TensorProto.INT64)
    place, places = _found(made, whole, keys)
    if not np.array_equal(places, np.arange(places.size)):
        place = made.node("Gather", [made.constant(places, "<i8"), place], axis=0)
    depth, ends = made.constant(keys.size, "<i8"), made.constant([0.0, 1.0])
    made.node("OneHot", [place, depth, ends], node.output[0], axis=-1)


def _table(made: Expansion, given: Attributes) -> tuple[Array, Array, Any]:
    """Keys, values, and the value of all other keys."""
    whole, real = (_one(made, given, which) for which in ("int64", "float"))
    keys = whole[0] if whole[0].size else real[0]
    if whole[1].size:
        return keys, whole[1], whole[2]
    if not real[1].size:
        raise made.refused("it makes or takes texts that are neither an input's nor a label's")
    return keys, real[1], real[2]


def _one(made: Expansion, given: Attributes, which: str) -> tuple[Array, Array, Any]:
    read, default = (ints, -1) if which == "int64" else (floats, 0.0)
    keys, values = (read(made, given, f"{part}_{which}s") for part in ("keys", "values"))
    unknown = given.get(f"default_{which}", default)
    if not isinstance(unknown, int | float):
        raise made.invalid(f"its default_{which} is no number")
    return keys, values, unknown


def _found(made: Expansion, x: str, keys: Array) -> tuple[str, Array]:
    """An index for each number, and the place among the keys that each index stands for.

    Any other number has the last index, whose place is how many keys there are.
    """
    if len(np.unique(keys)) != keys.size:
        raise made.invalid("its keys name something twice")
    if keys.dtype.kind == "i" and int(keys.max()) - int(keys.min()) < MOST_BETWEEN:
        return _from_the_least(made, x, keys)
    if keys.size > MOST_COMPARED:
        raise made.refused(
            f"it has {keys.size} keys that are not close to one another, of which {MOST_COMPARED} "
            "can be compared; number the categories from 0"
        )
    found = made.constant(keys.size, "<i8")
    for place, key in enumerate(keys):
        equal = made.node("Equal", [x, made.constant(key, keys.dtype.str)])
        found = made.node("Where", [equal, made.constant(place, "<i8"), found])
    return found, np.arange(keys.size + 1)


def _from_the_least(made: Expansion, x: str, keys: Array) -> tuple[str, Array]:
    """As `_found`: how far each number is from the least key, for whole numbers."""
    least, greatest = int(keys.min()), int(keys.max())
    below, above = (
        made.node(op, [x, made.constant(end, "<i8")])
        for op, end in (("Less", least), ("Greater", greatest))
    )
    outside = made.node("Or", [below, above])
    away = made.node("Sub", [x, made.constant(least, "<i8")])
    last = greatest - least + 1
    places = np.full(last + 1, keys.size)
    places[keys - least] = np.arange(keys.size)
    return made.node("Where", [outside, made.constant(last, "<i8"), away]), places
