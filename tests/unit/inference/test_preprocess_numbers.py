"""Vectors, images and tensors: the values, and each way in which an input is refused."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inferproof.errors import InputRejected, Reason
from inferproof.inference.preprocess import Preprocessing, load_preprocessing, preprocess
from inferproof.inference.preprocess.vector import log1p
from inferproof.testing.rejections import rejects

HERE = Path()


def field(name: str, **change: Any) -> dict[str, Any]:
    plain = {"type": "number", "unit": "apples", "min": 0, "max": 10, "transform": "none"}
    return {"name": name, **plain, "mean": 2.0, "scale": 0.5} | change


VECTOR = {
    "kind": "vector",
    "input": "x",
    "clip": 8.0,
    "fields": [
        field("a"),
        field("b", type="integer", transform="log1p", mean=0, scale=1),
        field("c", type="flag", min=0, max=1, mean=0, scale=1),
    ],
}
IMAGE = {
    "kind": "image",
    "input": "image",
    "height": 2,
    "width": 3,
    "channels": 1,
    "layout": "nchw",
    "mean": [100.0],
    "scale": [50.0],
}
TENSOR = {"kind": "tensor", "inputs": [{"name": "x", "shape": [1, 2], "min": -4.0, "max": 4}]}
GOOD = {"a": 3, "b": 0, "c": True}


def vector(**change: Any) -> Preprocessing:
    return load_preprocessing(VECTOR | change, HERE)


@pytest.mark.parametrize("table", [VECTOR, IMAGE, TENSOR])
def test_canonical_form_has_no_float_and_comes_back(table: dict[str, Any]) -> None:
    step = load_preprocessing(table, HERE)
    form = step.canonical()
    assert "float" not in repr({type(leaf).__name__ for leaf in leaves(form)})
    assert Preprocessing.from_canonical(form) == step


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def test_fields_are_standardised_in_the_order_of_the_card() -> None:
    array = preprocess(vector(), {"c": 1, "b": 1, "a": 3.5})["x"]
    assert array.dtype == np.float32
    assert array.tolist() == [[3.0, float(np.float32(math.log(2))), 1.0]]


def test_values_are_clipped() -> None:
    assert preprocess(vector(), GOOD | {"a": 10})["x"][0, 0] == 8.0


def test_logarithm_has_the_bits_of_its_definition() -> None:
    assert log1p(0.0) == 0.0
    assert log1p(1.0).hex() == "0x1.62e42fefa39efp-1"
    assert log1p(1e9) == pytest.approx(math.log(1e9 + 1), rel=1e-15)
    assert log1p(1e-10) == pytest.approx(1e-10 - 5e-21, rel=1e-15)


def test_raw_vector_must_be_a_table() -> None:
    with rejects(
        Reason.INPUT_TYPE_MISMATCH,
        "input x must be a table of named numbers, got a list",
        kind=InputRejected,
    ):
        preprocess(vector(), [1, 2, 3])


def test_missing_field() -> None:
    with rejects(Reason.INPUT_MISSING_FIELD, "the input lacks the field b"):
        preprocess(vector(), {"a": 1, "c": True})


def test_unknown_field() -> None:
    with rejects(
        Reason.INPUT_UNKNOWN_FIELD, "the input has the unknown field d; the fields are: a, b, c"
    ):
        preprocess(vector(), GOOD | {"d": 1})


@pytest.mark.parametrize(
    ("name", "value", "expected", "got"),
    [
        ("a", "3", "a number", "a text"),
        ("a", True, "a number", "true or false"),
        ("a", None, "a number", "null"),
        ("b", 1.5, "a whole number", "1.5"),
        ("c", 0.5, "true or false", "0.5"),
    ],
)
def test_wrong_type_of_a_field(name: str, value: object, expected: str, got: str) -> None:
    with rejects(Reason.INPUT_TYPE_MISMATCH, f"input {name} must be {expected}, got {got}"):
        preprocess(vector(), GOOD | {name: value})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_field_that_is_not_finite(value: float) -> None:
    with rejects(Reason.INPUT_NOT_FINITE, "input a holds a NaN or an infinity"):
        preprocess(vector(), GOOD | {"a": value})


@pytest.mark.parametrize(
    ("value", "shown"),
    [(-0.001, "-0.001"), (11, "11"), pytest.param(10**5000, "an integer of 16610 bits", id="huge")],
)
def test_field_out_of_range(value: float, shown: str) -> None:
    with rejects(
        Reason.INPUT_OUT_OF_RANGE,
        f"input a is {shown}; this model accepts 0 to 10, apples",
    ):
        preprocess(vector(), GOOD | {"a": value})


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        ({"min": 10}, "min", "it must be less than max"),
        ({"scale": 0}, "scale", "it must be more than 0"),
        ({"scale": math.nan}, "scale", "it must be a finite number"),
        ({"mean": "1"}, "mean", "it must be a number"),
        ({"min": -1, "transform": "log1p"}, "min", "it must be 0 or more, because log1p is taken"),
        ({"type": "flag"}, "min", "a flag goes from 0 to 1"),
    ],
)
def test_wrong_field_table(change: dict[str, Any], key: str, problem: str) -> None:
    with rejects(
        Reason.CARD_BAD_VALUE, f"the model card's preprocessing.fields[0].{key} is wrong: {problem}"
    ):
        vector(fields=[field("a", **change)])


def test_field_named_twice_and_wrong_clip() -> None:
    with rejects(
        Reason.CARD_BAD_VALUE,
        "the model card's preprocessing.fields is wrong: it names something twice",
    ):
        vector(fields=[field("a"), field("a")])
    with rejects(
        Reason.CARD_BAD_VALUE,
        "the model card's preprocessing.clip is wrong: it must be above 0 and up to a million",
    ):
        vector(clip=0)


def test_image_in_both_layouts() -> None:
    table = IMAGE | {"channels": 2, "mean": [100.0, 0.0], "scale": [50.0, 1.0]}
    pixels = np.arange(12).reshape(2, 3, 2)
    first = preprocess(load_preprocessing(table, HERE), pixels.tolist())["image"]
    assert first.shape == (1, 2, 2, 3)
    assert first[0, 0, 0, 0] == -2.0
    assert first[0, 1, 1, 2] == 11.0
    last = preprocess(load_preprocessing(table | {"layout": "nhwc"}, HERE), pixels)["image"]
    assert np.array_equal(last.transpose(0, 3, 1, 2), first)


def test_image_of_another_size() -> None:
    step = load_preprocessing(IMAGE, HERE)
    with rejects(
        Reason.INPUT_SHAPE_MISMATCH,
        "input image has shape [2, 2, 1]; this model takes [2, 3, 1]",
    ):
        preprocess(step, np.zeros((2, 2, 1)))
    with rejects(
        Reason.INPUT_SHAPE_MISMATCH,
        "input image has shape 2 items at depth 1; this model takes [2, 3, 1]",
    ):
        preprocess(step, [[[1], [2]], [[1], [2]]])


def test_image_with_a_pixel_out_of_range() -> None:
    with rejects(
        Reason.INPUT_OUT_OF_RANGE,
        "input image is 256.0; this model accepts 0 to 255, brightness",
    ):
        preprocess(load_preprocessing(IMAGE, HERE), np.full((2, 3, 1), 256.0))


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        ({"mean": [1.0, 2.0]}, "mean", "it has 2 numbers for 1 channels"),
        ({"scale": [1.0, 2.0]}, "scale", "it has 2 numbers for 1 channels"),
        ({"scale": [0.0]}, "scale", "it must hold numbers from a millionth to a million"),
        ({"height": 4096}, "height", "it must be an integer from 1 to 2048"),
    ],
)
def test_wrong_image_table(change: dict[str, Any], key: str, problem: str) -> None:
    with rejects(
        Reason.CARD_BAD_VALUE, f"the model card's preprocessing.{key} is wrong: {problem}"
    ):
        load_preprocessing(IMAGE | change, HERE)


@pytest.mark.parametrize("raw", [{"x": [[1, 2.5]]}, [[1, 2.5]], np.array([[1, 2.5]])])
def test_tensor_by_name_and_bare(raw: object) -> None:
    array = preprocess(load_preprocessing(TENSOR, HERE), raw)["x"]
    assert array.dtype == np.float32
    assert array.tolist() == [[1.0, 2.5]]


def test_tensor_refusals() -> None:
    step = load_preprocessing(TENSOR, HERE)
    with rejects(Reason.INPUT_OUT_OF_RANGE, "input x is 5; this model accepts -4 to 4, a number"):
        preprocess(step, [[1, 5]])
    with rejects(Reason.INPUT_NOT_FINITE, "input x holds a NaN or an infinity"):
        preprocess(step, np.array([[1, math.nan]]))
    with rejects(Reason.INPUT_MISSING_FIELD, "the input lacks the field x"):
        preprocess(step, {})
    with rejects(
        Reason.INPUT_UNKNOWN_FIELD, "the input has the unknown field y; the fields are: x"
    ):
        preprocess(step, {"y": [[1, 2]]})
    with rejects(
        Reason.INPUT_TYPE_MISMATCH,
        "input x must be lists nested 2 deep, got a number at depth 1",
    ):
        preprocess(step, [1])
    with rejects(
        Reason.INPUT_TYPE_MISMATCH,
        "input x must be numbers of at most 64 bits, got complex128",
    ):
        preprocess(step, np.array([[1j, 2]]))


def test_several_tensors_need_names() -> None:
    inputs = [{"name": "x", "shape": [1]}, {"name": "y", "shape": [1]}]
    step = load_preprocessing({"kind": "tensor", "inputs": inputs}, HERE)
    assert list(preprocess(step, {"y": [1], "x": [2]})) == ["x", "y"]
    with rejects(
        Reason.INPUT_TYPE_MISMATCH, "input x, y must be a table of named tensors, got a list"
    ):
        preprocess(step, [[1], [2]])


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        ({"shape": [4096, 4096]}, "shape", "it has more than 4194304 elements"),
        ({"min": 4}, "min", "it must be less than max"),
        ({"max": 1e39}, "max", "it must fit into a float32"),
    ],
)
def test_wrong_tensor_table(change: dict[str, Any], key: str, problem: str) -> None:
    with rejects(
        Reason.CARD_BAD_VALUE, f"the model card's preprocessing.inputs[0].{key} is wrong: {problem}"
    ):
        item = {"name": "x", "shape": [1], "min": 0, "max": 4} | change
        load_preprocessing({"kind": "tensor", "inputs": [item]}, HERE)


@pytest.mark.parametrize("text", ["0x1p+1", "0x1.0p+0", "1.0", "0x1.0000000000000p+9999", "nan"])
def test_canonical_numbers_have_one_spelling(text: str) -> None:
    form = load_preprocessing(TENSOR, HERE).canonical()
    form["inputs"][0]["max"] = text
    with rejects(
        Reason.CARD_BAD_VALUE,
        "the model card's preprocessing.inputs[0].max is wrong: it must be a number in "
        "hexadecimal form",
    ):
        Preprocessing.from_canonical(form)
