"""Reading of raw values as they come from JSON or from Python, without trusting them."""

import math
import sys

import numpy as np
import numpy.typing as npt

from inferproof.errors import InputRejected, Reason

FLOAT32_MAX = float(np.finfo(np.float32).max)


def type_name(value: object) -> str:
    """What a value is, in the words of JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool | np.bool_):
        return "true or false"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, int | float | np.number):
        return "a number"
    if isinstance(value, list | tuple | np.ndarray):
        return "a list"
    if isinstance(value, dict):
        return "a table"
    return type(value).__name__[:60]


def show(value: object) -> str:
    """A value short enough for a message."""
    if isinstance(value, int) and value.bit_length() > 128:
        # Python refuses to print integers beyond some thousands of digits.
        return f"an integer of {value.bit_length()} bits"
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def read_number(
    name: str, value: object, expected: str, minimum: float, maximum: float, unit: str
) -> float:
    """A number within [minimum, maximum] as float64.

    Raises: InputRejected INPUT_TYPE_MISMATCH, INPUT_NOT_FINITE, INPUT_OUT_OF_RANGE.
    """
    kind = type(value)
    if (kind is float or kind is int) and minimum <= value <= maximum and math.isfinite(value):  # type: ignore[operator,arg-type]
        return float(value)  # type: ignore[arg-type]
    if isinstance(value, np.integer | np.floating):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputRejected(
            Reason.INPUT_TYPE_MISMATCH, name=name, expected=expected, got=type_name(value)
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise InputRejected(Reason.INPUT_NOT_FINITE, name=name)
    # Python compares an int with a float exactly, so a huge integer never overflows here.
    if not minimum <= value <= maximum:
        raise InputRejected(
            Reason.INPUT_OUT_OF_RANGE,
            name=name,
            value=show(value),
            minimum=f"{minimum:.12g}",
            maximum=f"{maximum:.12g}",
            unit=unit,
        )
    return float(value)


def read_array(
    name: str,
    raw: object,
    shape: tuple[int, ...],
    minimum: float,
    maximum: float,
    unit: str,
) -> npt.NDArray[np.float64]:
    """Nested lists or an array of numbers in just this shape, each within the range; float64.

    Raises: InputRejected INPUT_TYPE_MISMATCH, INPUT_SHAPE_MISMATCH, INPUT_NOT_FINITE,
    INPUT_OUT_OF_RANGE.
    """
    if isinstance(raw, np.ndarray):
        return _checked_array(name, raw, shape, minimum, maximum, unit)
    level: list[object] = [raw]
    for depth, length in enumerate(shape):
        below: list[object] = []
        for item in level:
            if not isinstance(item, list | tuple):
                raise InputRejected(
                    Reason.INPUT_TYPE_MISMATCH,
                    name=name,
                    expected=f"lists nested {len(shape)} deep",
                    got=f"{type_name(item)} at depth {depth}",
                )
            if len(item) != length:
                raise InputRejected(
                    Reason.INPUT_SHAPE_MISMATCH,
                    name=name,
                    got=f"{len(item)} items at depth {depth}",
                    expected=show_shape(shape),
                )
            below.extend(item)
        level = below
    numbers = [read_number(name, item, "numbers", minimum, maximum, unit) for item in level]
    return np.array(numbers, dtype=np.float64).reshape(shape)


def show_shape(shape: tuple[int, ...]) -> str:
    """A shape as it is written in cards and messages: [1, 128]."""
    return "[" + ", ".join(str(length) for length in shape) + "]"


def _checked_array(
    name: str,
    raw: npt.NDArray[np.generic],
    shape: tuple[int, ...],
    minimum: float,
    maximum: float,
    unit: str,
) -> npt.NDArray[np.float64]:
    if raw.dtype.kind not in "iuf" or raw.dtype.itemsize > 8:
        raise InputRejected(
            Reason.INPUT_TYPE_MISMATCH,
            name=name,
            expected="numbers of at most 64 bits",
            got=str(raw.dtype)[:60],
        )
    if raw.shape != shape:
        raise InputRejected(
            Reason.INPUT_SHAPE_MISMATCH,
            name=name,
            got=show_shape(raw.shape),
            expected=show_shape(shape),
        )
    array = raw.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputRejected(Reason.INPUT_NOT_FINITE, name=name)
    outside = array[(array < minimum) | (array > maximum)]
    if outside.size:
        read_number(name, float(outside[0]), "numbers", minimum, maximum, unit)
    return array


assert sys.float_info.mant_dig == 53, "pre-processing is defined in IEEE float64"  # noqa: S101
