"""Evaluates the small whole-number arithmetic by which exporters compute shapes.

With fixed input shapes, chains such as Shape → Gather → Concat → Reshape are constants. They
are evaluated here, so that every shape is known before anything runs, and so that a proof
system never meets them. Only exact arithmetic is done: the results are those of any runtime.
"""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from onnx import NodeProto, numpy_helper

from inferproof.models.tensors import DTYPES, Array

LARGEST = 1024
"""Elements of a value that is folded. Shapes have a handful; weights are left as they are."""

Attributes = dict[str, Any]
_Fold = Callable[[list[Array], Attributes], Array]


def fold(node: NodeProto, opset: int, inputs: list[Array | None]) -> Array | None:
    """The node's one output, or None when it is not exact shape arithmetic on small values.

    The caller compares its type with the inferred one: operands of unlike types are not
    refused here.
    `inputs` holds the value of each input, None where it is absent. All must be constants.
    """
    rule = _RULES.get(node.op_type)
    if rule is None or len(node.output) != 1:
        return None
    given = [value for value in inputs if value is not None]
    if len(given) != len(inputs) or any(value.size > LARGEST for value in given):
        return None
    if any(value.dtype.kind == "f" for value in given) and node.op_type not in _EXACT_ON_FLOATS:
        return None
    attributes: Attributes = {item.name: _plain(item) for item in node.attribute}
    attributes["opset"] = opset
    with np.errstate(all="ignore"):
        try:
            result = rule(given, attributes)
        except (ValueError, IndexError, TypeError, KeyError, OverflowError, ZeroDivisionError):
            # Left to shape inference, which refuses it with a reason if it is wrong.
            return None
    if result.size > LARGEST or (result.dtype.kind == "f" and not np.isfinite(result).all()):
        return None
    return np.ascontiguousarray(result).reshape(result.shape)


def _plain(attribute: Any) -> Any:
    if attribute.HasField("t"):
        return numpy_helper.to_array(attribute.t)
    if attribute.ints:
        return list(attribute.ints)
    if attribute.HasField("s"):
        return attribute.s
    return attribute.i if attribute.HasField("i") else None


def _constant_of_shape(inputs: list[Array], attributes: Attributes) -> Array:
    value = attributes.get("value", np.zeros(1, np.float32))
    shape = [int(size) for size in inputs[0]]
    if math.prod(shape) > LARGEST or min(shape, default=0) < 0:
        raise ValueError("too large to fold")
    return np.full(shape, value.reshape(()), dtype=value.dtype)


def _expand(inputs: list[Array], _attributes: Attributes) -> Array:
    shape = np.broadcast_shapes(inputs[0].shape, tuple(int(size) for size in inputs[1]))
    if math.prod(shape) > LARGEST:
        raise ValueError("too large to fold")
    return np.broadcast_to(inputs[0], shape)


def _range(inputs: list[Array], _attributes: Attributes) -> Array:
    start, limit, step = (int(value.reshape(())) for value in inputs)
    if len(range(start, limit, step)) > LARGEST:
        raise ValueError("too large to fold")
    return np.arange(start, limit, step, dtype=inputs[0].dtype)


def _gather(inputs: list[Array], attributes: Attributes) -> Array:
    return np.take(inputs[0], inputs[1].astype(np.int64), axis=attributes.get("axis") or 0)


def _slice(inputs: list[Array], attributes: Attributes) -> Array:
    if attributes["opset"] < 10:
        starts, ends = attributes["starts"], attributes["ends"]
        axes, steps = attributes.get("axes"), None
    else:
        starts, ends = inputs[1].tolist(), inputs[2].tolist()
        axes = inputs[3].tolist() if len(inputs) > 3 else None
        steps = inputs[4].tolist() if len(inputs) > 4 else None
    index = [slice(None)] * inputs[0].ndim
    for place, axis in enumerate(axes if axes is not None else range(len(starts))):
        index[axis] = slice(starts[place], ends[place], steps[place] if steps else 1)
    return inputs[0][tuple(index)]


def _axes(inputs: list[Array], attributes: Attributes) -> list[int] | None:
    if len(inputs) > 1:
        return [int(axis) for axis in inputs[1]]
    return attributes.get("axes")


def _squeeze(inputs: list[Array], attributes: Attributes) -> Array:
    axes = _axes(inputs, attributes)
    return np.squeeze(inputs[0], None if axes is None else tuple(axes))


def _unsqueeze(inputs: list[Array], attributes: Attributes) -> Array:
    axes = _axes(inputs, attributes)
    if axes is None:
        raise ValueError("no axes")
    return np.expand_dims(inputs[0], tuple(axes))


def _cast(inputs: list[Array], attributes: Attributes) -> Array:
    dtype = DTYPES[attributes["to"]]
    result = inputs[0].astype(dtype)
    if not np.array_equal(result.astype(inputs[0].dtype), inputs[0]):
        # Runtimes differ on values that the new type cannot hold.
        raise ValueError("the cast is not exact")
    return result


def _reshape(inputs: list[Array], attributes: Attributes) -> Array:
    if attributes.get("allowzero"):
        raise ValueError("left to inference")
    old = inputs[0].shape
    shape = [old[i] if size == 0 else int(size) for i, size in enumerate(inputs[1].tolist())]
    return inputs[0].reshape(shape)


def _divide(inputs: list[Array], _attributes: Attributes) -> Array:
    above, below = np.broadcast_arrays(inputs[0], inputs[1])
    if (below == 0).any():
        raise ValueError("division by zero")
    # ONNX cuts towards zero where numpy rounds down.
    whole = np.abs(above) // np.abs(below)
    return np.asarray(np.sign(above) * np.sign(below) * whole)


def _product(inputs: list[Array], attributes: Attributes) -> Array:
    axes = _axes(inputs, attributes)
    keep = attributes.get("keepdims", 1) != 0
    if len(inputs) > 1 and attributes.get("noop_with_empty_axes"):
        raise ValueError("left to inference")
    axis = tuple(axes) if axes else None
    return np.asarray(np.prod(inputs[0], axis=axis, keepdims=keep, dtype=inputs[0].dtype))


def _elementwise(function: Callable[..., Any]) -> _Fold:
    def rule(inputs: list[Array], _attributes: Attributes) -> Array:
        return np.asarray(function(*inputs))

    return rule


def _where(inputs: list[Array], _attributes: Attributes) -> Array:
    return np.where(inputs[0], inputs[1], inputs[2])


def _remainder(inputs: list[Array], attributes: Attributes) -> Array:
    if (inputs[1] == 0).any():
        raise ValueError("division by zero")
    return np.asarray((np.fmod if attributes.get("fmod") else np.mod)(*inputs))


def _many(function: Callable[..., Any]) -> _Fold:
    def rule(inputs: list[Array], _attributes: Attributes) -> Array:
        return np.asarray(reduce(function, inputs))

    return rule


def _reduced(function: Callable[..., Any]) -> _Fold:
    def rule(inputs: list[Array], attributes: Attributes) -> Array:
        axes = _axes(inputs, attributes)
        if not axes and attributes.get("noop_with_empty_axes"):
            raise ValueError("left to inference")
        keep = attributes.get("keepdims", 1) != 0
        found = function(inputs[0], axis=tuple(axes) if axes else None, keepdims=keep)
        return np.asarray(found, inputs[0].dtype)

    return rule


def _transpose(inputs: list[Array], attributes: Attributes) -> Array:
    return np.transpose(inputs[0], attributes.get("perm"))


def _tile(inputs: list[Array], _attributes: Attributes) -> Array:
    repeats = [int(n) for n in inputs[1]]
    if inputs[0].size * math.prod(repeats) > LARGEST or min(repeats, default=1) < 1:
        raise ValueError("too large to fold")
    return np.tile(inputs[0], repeats)


def _non_zero(inputs: list[Array], _attributes: Attributes) -> Array:
    return np.asarray(np.nonzero(np.atleast_1d(inputs[0])), np.int64)


def _gather_elements(inputs: list[Array], attributes: Attributes) -> Array:
    axis = attributes.get("axis") or 0
    where = np.where(inputs[1] < 0, inputs[1] + inputs[0].shape[axis], inputs[1])
    return np.take_along_axis(inputs[0], where, axis)


def _scatter_nd(inputs: list[Array], attributes: Attributes) -> Array:
    if attributes.get("reduction", b"none") != b"none":
        raise ValueError("left to inference")
    made = inputs[0].copy()
    made[tuple(np.moveaxis(inputs[1], -1, 0))] = inputs[2]
    return made


_RULES: dict[str, _Fold] = {
    "Abs": _elementwise(np.abs),
    "Add": _elementwise(np.add),
    "And": _elementwise(np.logical_and),
    "Cast": _cast,
    "Concat": lambda inputs, a: np.concatenate(inputs, axis=a.get("axis") or 0),
    "ConstantOfShape": _constant_of_shape,
    "Div": _divide,
    "Equal": _elementwise(np.equal),
    "Expand": _expand,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Greater": _elementwise(np.greater),
    "GreaterOrEqual": _elementwise(np.greater_equal),
    "Identity": _elementwise(np.copy),
    "Less": _elementwise(np.less),
    "LessOrEqual": _elementwise(np.less_equal),
    "Max": _many(np.maximum),
    "Min": _many(np.minimum),
    "Mod": _remainder,
    "Mul": _elementwise(np.multiply),
    "Neg": _elementwise(np.negative),
    "NonZero": _non_zero,
    "Not": _elementwise(np.logical_not),
    "Or": _elementwise(np.logical_or),
    "Range": _range,
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceProd": _product,
    "ReduceSum": _reduced(np.sum),
    "Reshape": _reshape,
    "ScatterND": _scatter_nd,
    "Sign": _elementwise(np.sign),
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": _elementwise(np.subtract),
    "Sum": _many(np.add),
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
    "Xor": _elementwise(np.logical_xor),
}
_EXACT_NAMES = (
    "Cast Concat ConstantOfShape Equal Expand Gather Greater GreaterOrEqual Identity Less "
    "LessOrEqual Reshape Slice Squeeze Unsqueeze"
)
_EXACT_ON_FLOATS = frozenset(_EXACT_NAMES.split())
"""Moving and comparing floats rounds nothing. tf2onnx counts the steps of a Loop in floats."""
