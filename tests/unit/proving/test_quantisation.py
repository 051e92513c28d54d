"""Inputs and outputs in whole numbers, and the settings that say how."""

import numpy as np
import pytest

from inferproof.errors import Reason
from inferproof.proving.sumcheck.quantisation import (
    QuantisedInput,
    QuantisedOutput,
    Settings,
    count_beyond,
    decode_settings,
    dequantise,
    quantise_inputs,
)
from inferproof.testing.rejections import rejects

SETTINGS = Settings(
    (
        QuantisedInput("x", (4,), 0.25, -7, 7, False),
        QuantisedInput("ids", (1,), 1.0, 0, 9, True),
    ),
    (QuantisedOutput("y", (2,), 0.1),),
)


def quantise(x: object, ids: object = (3,)) -> list[list[int]]:
    arrays = {"x": np.array(x, np.float64), "ids": np.array(ids)}
    return [array.tolist() for array in quantise_inputs(SETTINGS, arrays)]


def test_halves_go_up_and_what_is_beyond_is_cut() -> None:
    assert quantise([0.125, -0.125, 0.374, 5e300]) == [[1, 0, 1, 7], [3]]
    assert quantise([-9, -1.75, 1.75, 1.7]) == [[-7, -7, 7, 7], [3]]


def test_numbers_that_are_not_finite_are_refused() -> None:
    for value in (np.nan, np.inf, -np.inf):
        with rejects(Reason.INPUT_NOT_FINITE, "input x holds a NaN or an infinity"):
            quantise([0, 0, value, 0])


def test_whole_numbers_are_refused_outside_of_their_range_or_between() -> None:
    assert quantise([0] * 4, [9])[1] == [9]
    with rejects(
        Reason.INPUT_BEYOND_CIRCUIT,
        "the input drives the model out of the range it was calibrated for; "
        "calibrate with samples like it",
    ):
        quantise([0] * 4, [10])
    with rejects(Reason.INPUT_NOT_WHOLE, "input ids takes whole numbers; it holds a fraction"):
        quantise([0] * 4, [0.5])


def test_names_and_shapes_are_those_of_the_model() -> None:
    with rejects(Reason.INPUT_NAMES, "the input must hold one array for each of: x, ids"):
        quantise_inputs(SETTINGS, {"x": np.zeros(4)})
    with rejects(Reason.INPUT_SHAPE_MISMATCH, "input x has shape [3]; this model takes [4]"):
        quantise([0, 0, 0])


def test_outputs_are_integers_times_scale() -> None:
    assert dequantise(SETTINGS, [np.array([3, -10])])["y"].tolist() == [3 * 0.1, -1.0]


READ_TWICE = Settings(
    (
        QuantisedInput("x", (2, 2), 0.25, -7, 7, False, columns=(0, 3)),
        QuantisedInput("x", (2, 2), 0.25, -(3 << 23), 3 << 23, False, ordered=True),
    ),
    SETTINGS.outputs,
)


def test_columns_have_units_of_their_own_and_an_order_has_places() -> None:
    array = np.array([[0.25, 6.0], [-3.0, -0.5]], np.float32)
    plain, ordered = quantise_inputs(READ_TWICE, {"x": array})
    assert plain.tolist() == [[1, 3], [-7, 0]]
    # 6 is 24 units, 2^4 of them and a half: beyond three powers of two.
    assert ordered.tolist() == [[1 << 23, 3 << 23], [-(3 << 23), -(2 << 23)]]
    # One value is cut in both readings, another in one: two values.
    assert count_beyond(READ_TWICE, {"x": array}) == 2
    with rejects(Reason.INPUT_NAMES, "the input must hold one array for each of: x"):
        quantise_inputs(READ_TWICE, {})


def test_columns_and_order_are_written_where_they_are() -> None:
    data = READ_TWICE.encode()
    assert decode_settings(data) == READ_TWICE
    assert data.count(b'"columns":[0,3]') == data.count(b'"ordered":true') == 1
    assert b"columns" not in SETTINGS.encode()
    assert b"ordered" not in SETTINGS.encode()


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'"columns":[0,3]', b'"columns":[0]', "columns are as many as the last axis has places"),
        (b'"columns":[0,3]', b'"columns":[0,129]', "a column's power is from 0 to 128"),
        (b'"columns":[0,3]', b'"columns":[0,-1]', "a column's power is from 0 to 128"),
        (b'"columns":[0,3]', b'"columns":[0,3.0]', "a size or bound is a whole number"),
        (b'"columns":[0,3]', b'"columns":[]', "they are not in their canonical form"),
        (b'"ordered":true', b'"ordered":false', "they are not in their canonical form"),
        (b'"ordered":true', b'"ordered":1', "whole is true or false"),
        (
            b'"columns":[0,3],',
            b'"columns":[0,3],"ordered":true,',
            "an input is whole, has columns, or is in order",
        ),
        (
            b'"ordered":true,"scale":"0x1.0000000000000p-2"',
            b'"ordered":true,"scale":"0x1.8000000000000p-2"',
            "the scale of an input in order is a power of two",
        ),
    ],
)
def test_columns_and_order_that_do_not_fit_are_refused(old: bytes, new: bytes, what: str) -> None:
    data = READ_TWICE.encode()
    assert old in data
    message = f"the circuit's settings are not those of a sound circuit: {what}"
    with rejects(Reason.ARTIFACT_SETTINGS, message):
        decode_settings(data.replace(old, new, 1))


def test_settings_have_one_form() -> None:
    data = SETTINGS.encode()
    assert decode_settings(data) == SETTINGS
    assert b'"scale":"0x1.0000000000000p-2"' in data


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'"version":1', b'"version":2', "they are of version 2"),
        (b'"lo":-7', b'"lo":-7.0', "a size or bound is a whole number"),
        (b'"whole":true', b'"whole":1', "whole is true or false"),
        (b"0x1.0000000000000p-2", b"-0x1.0000000000000p-2", "a scale is above 0 and at most 2^900"),
        (b"0x1.0000000000000p-2", b"0x1p-2", "they are not in their canonical form"),
        (b'"name":"ids"', b'"name":7', "a name is text"),
    ],
)
def test_settings_that_are_wrong_are_refused(old: bytes, new: bytes, what: str) -> None:
    data = SETTINGS.encode().replace(old, new, 1)
    with rejects(
        Reason.ARTIFACT_SETTINGS,
        f"the circuit's settings are not those of a sound circuit: {what}",
    ):
        decode_settings(data)


def test_settings_too_long_to_be_settings_are_refused() -> None:
    with rejects(
        Reason.ARTIFACT_SETTINGS,
        "the circuit's settings are not those of a sound circuit: they are too long",
    ):
        decode_settings(b" " * 2**21)
