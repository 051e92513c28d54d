"""Categories that are numbers: the place of each in a table, and what stands there."""

from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto

from inferproof.models.classical.expansion import Attributes, expands, floats, ints
from inferproof.models.expansion import Expansion
from inferproof.models.tensors import Array

MOST_COMPARED = 256
"""Keys that are compared one by one; such as follow one another are found at once."""


@expands("LabelEncoder")
def _label_encoder(made: Expansion, node: NodeProto, given: Attributes) -> None:
    keys, values, default = _table(made, given)
    if keys.size != values.size or not keys.size:
        raise made.invalid("it has another number of keys than of values")
    place = _place(made, node.input[0], keys)
    table = made.constant(np.append(values, default), values.dtype.str)
    made.node("Gather", [table, place], node.output[0], axis=0)


@expands("OneHotEncoder")
def _one_hot_encoder(made: Expansion, node: NodeProto, given: Attributes) -> None:
    keys = ints(made, given, "cats_int64s")
    if not keys.size:
        raise made.refused("its categories are texts that no input holds, or none")
    whole = made.node("Cast", [node.input[0]], to=TensorProto.INT64)
    place = _place(made, whole, keys)
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


def _place(made: Expansion, x: str, keys: Array) -> str:
    """The place of each number among the keys, or how many those are for any other."""
    if len(np.unique(keys)) != keys.size:
        raise made.invalid("its keys name something twice")
    count = made.constant(keys.size, "<i8")
    if keys.dtype.kind == "i" and (np.diff(keys) == 1).all():
        ends = (made.constant(end, "<i8") for end in (keys[0], keys[-1]))
        below, above = (
            made.node(op, [x, end]) for op, end in zip(("Less", "Greater"), ends, strict=True)
        )
        outside = made.node("Or", [below, above])
        from_first = made.node("Sub", [x, made.constant(keys[0], "<i8")])
        return made.node("Where", [outside, count, from_first])
    if keys.size > MOST_COMPARED:
        raise made.refused(
            f"it has {keys.size} keys that do not follow one another, of which {MOST_COMPARED} "
            "can be compared; number the categories from 0"
        )
    found = count
    for place, key in enumerate(keys):
        equal = made.node("Equal", [x, made.constant(key, keys.dtype.str)])
        found = made.node("Where", [equal, made.constant(place, "<i8"), found])
    return found
