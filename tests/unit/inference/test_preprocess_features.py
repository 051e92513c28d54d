"""Named texts and numbers: what is read, what steps of strangers may not do, what calibrates."""

import copy
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inferproof.errors import InferproofError, InputRejected, ModelRejected, Reason
from inferproof.inference.preprocess import Preprocessing, load_preprocessing, preprocess
from inferproof.inference.preprocess.case import lowered, raised
from inferproof.inference.preprocess.features import (
    CATEGORIES,
    MAX_TEXT_BYTES,
    Features,
    sample_tensors,
)
from inferproof.inference.request import request_tensors
from inferproof.protocol.encoding import canonical_json
from inferproof.testing.rejections import rejects

STEPS: dict[str, Any] = {
    "kind": "features",
    "inputs": [
        {"name": "land", "type": "text", "shape": [1, 1]},
        {"name": "note", "type": "text", "shape": [1]},
        {"name": "amount", "type": "number", "shape": [1, 2]},
        {"name": "age", "type": "whole", "shape": [1]},
    ],
    "steps": [
        {
            "do": "one_hot", "made": "lands", "read": ["land"],
            "known": ["de", "fr"], "refuse_unknown": True,
        },
        {
            "do": "number", "made": "code", "read": ["land"],
            "known": ["de", "fr"], "numbers": [5, -3], "unknown": 0,
        },
        {"do": "normal", "made": "low", "read": ["note"], "case": "lower", "stop": ["A"],
         "stop_as_is": True},
        {"do": "words", "made": "words", "read": ["low"], "characters": [97, 122], "runs": True,
         "least": 2},
        {
            "do": "count", "made": "counts", "read": ["words"], "pool": ["big", "big", "scam"],
            "sizes": [0, 1], "columns": [2, 0], "shortest": 1, "longest": 2, "skip": 0,
            "once": False,
        },
    ],
    "outputs": [
        {"name": "amount", "shape": [1, 2]},
        {"name": "age", "shape": [1]},
        {"name": "lands", "shape": [1, 1, 2]},
        {"name": "code", "shape": [1, 1]},
        {"name": "counts", "shape": [1, 3]},
    ],
}  # fmt: skip
RAW = {"land": "fr", "note": "Big SCAM, big scam", "amount": [[1.5, 2.0]], "age": 7}


def steps(**changes: Any) -> Preprocessing:
    return Preprocessing.from_canonical({**copy.deepcopy(STEPS), **changes})


def test_texts_and_numbers_become_tensors() -> None:
    tensors = preprocess(steps(), RAW)
    assert {name: array.tolist() for name, array in tensors.items()} == {
        "amount": [[1.5, 2.0]],
        "age": [7.0],
        "lands": [[[0.0, 1.0]]],
        "code": [[-3.0]],
        "counts": [[2.0, 0.0, 2.0]],
    }
    assert all(array.dtype == np.float32 for array in tensors.values())
    assert {name: array.shape for name, array in tensors.items()} == steps().shapes


def test_a_request_is_read_by_the_committed_form() -> None:
    assert steps().canonical() == STEPS
    assert json.loads(canonical_json(steps().canonical())) == STEPS
    made = request_tensors(STEPS, json.dumps({"input": RAW}).encode())
    assert made["lands"].tolist() == [[[0.0, 1.0]]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"land": None}, Reason.INPUT_TYPE_MISMATCH),
        ({"land": 3}, Reason.INPUT_TYPE_MISMATCH),
        ({"land": [["de", "fr"]]}, Reason.INPUT_SHAPE_MISMATCH),
        ({"land": ["de"]}, Reason.INPUT_TYPE_MISMATCH),
        ({"note": "x" * (MAX_TEXT_BYTES + 1)}, Reason.INPUT_TOO_LARGE),
        ({"amount": [[1.0]]}, Reason.INPUT_SHAPE_MISMATCH),
        ({"amount": [["1.0", 2.0]]}, Reason.INPUT_TYPE_MISMATCH),
        ({"amount": [[float("nan"), 2.0]]}, Reason.INPUT_NOT_FINITE),
        ({"age": 7.5}, Reason.INPUT_NOT_WHOLE),
        ({"age": 2**24 + 1}, Reason.INPUT_OUT_OF_RANGE),
        ({"other": 1}, Reason.INPUT_UNKNOWN_FIELD),
    ],
)
def test_raw_inputs_that_are_refused(change: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(InputRejected) as told:
        preprocess(steps(), RAW | change)
    assert told.value.reason is reason


def test_a_category_that_nobody_knows() -> None:
    with rejects(
        Reason.INPUT_UNKNOWN_CATEGORY,
        "'us' is none of the categories that the model takes: de, fr",
    ):
        preprocess(steps(), RAW | {"land": "us"})
    with rejects(Reason.INPUT_MISSING_FIELD, "the input lacks the field land"):
        preprocess(steps(), {key: value for key, value in RAW.items() if key != "land"})


def changed(place: int, **changes: Any) -> list[dict[str, Any]]:
    made = copy.deepcopy(STEPS["steps"])
    made[place] |= changes
    return made


@pytest.mark.parametrize(
    "made",
    [
        changed(0, do="run"),
        changed(0, read=["amount"]),
        changed(0, read=["later"]),
        changed(0, read=["land", "note"]),
        changed(0, read=[]),
        changed(0, made="land"),
        changed(0, known=["de", "de"]),
        changed(0, known=[]),
        changed(0, known="de"),
        changed(0, known=["x" * 4097]),
        changed(0, refuse_unknown=1),
        changed(0, more=1),
        changed(1, numbers=[1]),
        changed(1, numbers=[1, 2.5]),
        changed(1, unknown=2**25),
        changed(2, case="title"),
        changed(3, characters=[97]),
        changed(3, characters=[122, 97]),
        changed(3, characters=[97, 122, 100, 200]),
        changed(3, characters=[97, 0x110000]),
        changed(3, least=0),
        changed(4, sizes=[0, 2]),
        changed(4, sizes=[1, 1]),
        changed(4, columns=[2]),
        changed(4, columns=[2, 65_536]),
        changed(4, shortest=3),
        changed(4, skip=17),
        [],
    ],
    ids=str,
)
def test_forms_that_are_none(made: list[dict[str, Any]]) -> None:
    with pytest.raises(ModelRejected) as told:
        steps(steps=made)
    assert told.value.reason.name.startswith("CARD_")


def shaped(*more: dict[str, Any]) -> Preprocessing:
    """Steps on one text of which no intake makes any, and a number at last."""
    last = {"do": "one_hot", "made": "y", "read": [more[-1]["made"]], "known": ["x", "y"],
            "refuse_unknown": False}  # fmt: skip
    return Preprocessing.from_canonical(
        {
            "kind": "features",
            "inputs": [{"name": "a", "type": "text", "shape": [1, 4]}],
            "steps": [*more, last],
            "outputs": [{"name": "y", "shape": [1, 4, 2]}],
        }
    )


def joined(count: int) -> list[dict[str, Any]]:
    names = ["a", *(f"t{n}" for n in range(count))]
    return [
        {"do": "join", "made": made, "read": [read] * 16, "axis": 1}
        for read, made in pairwise(names)
    ]


@pytest.mark.parametrize(
    "more",
    [
        [{"do": "shape", "made": "b", "read": ["a"], "shape": [3]}],
        [{"do": "shape", "made": "b", "read": ["a"], "shape": [-1, 3]}],
        [{"do": "take", "made": "b", "read": ["a"], "axis": 1, "places": [4]}],
        [{"do": "take", "made": "b", "read": ["a"], "axis": 5, "places": [0]}],
        [{"do": "join", "made": "b", "read": ["a", "a"], "axis": 3}],
        [{"do": "words", "made": "b", "read": ["a"], "characters": [0, 9], "runs": True,
          "least": 1}],
        joined(3),
        joined(40),
    ],
    ids=["size", "shape", "place", "axis", "join", "words", "many", "very many"],
)  # fmt: skip
def test_a_strangers_steps_fail_as_a_bad_pre_processing(more: list[dict[str, Any]]) -> None:
    began = time.process_time()
    with pytest.raises(ModelRejected, match="does not fit what it reads") as told:
        preprocess(shaped(*more), {"a": [["x", "y", "x", "z"]]})
    assert told.value.reason is Reason.CARD_BAD_VALUE
    assert time.process_time() - began < 20


def test_calibration_meets_every_category() -> None:
    spec = steps().spec
    assert isinstance(spec, Features)
    arrays = {
        "land": np.array(["de", "de"]),
        "note": np.array([["scam"], ["big"]]),
        "amount": np.array([[1.0, 2.0], [3.0, 4.0]], "f4"),
        "age": np.array([1, 2]),
    }
    made = sample_tensors(spec, arrays)
    assert len({len(array) for array in made.values()}) == 1
    assert set(made["code"].ravel().tolist()) == {5.0, -3.0, 0.0}
    assert made["lands"].min() == 0.0
    assert made["lands"].max() == 1.0
    many = {"known": [str(n) for n in range(1000)], "numbers": list(range(1000)), "unknown": 1000}
    wide = steps(steps=changed(1, **many)).spec
    assert isinstance(wide, Features)
    found = set(sample_tensors(wide, arrays)["code"].ravel().tolist())
    assert {0.0, 1000.0} <= found
    assert len(found) <= CATEGORIES + 2


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"land": np.array(["de"])}, Reason.CALIBRATION_INPUTS),
        ({"land": np.array([["de", "fr"]])}, Reason.CALIBRATION_SHAPE),
        ({"age": np.array([1, 2])}, Reason.CALIBRATION_EMPTY),
    ],
)
def test_calibration_that_does_not_fit(arrays: dict[str, Any], reason: Reason) -> None:
    given = {"land": np.array(["de"]), "note": np.array(["a"]), "age": np.array([1])}
    given["amount"] = np.array([[1.0, 2.0]], "f4")
    if reason is Reason.CALIBRATION_INPUTS:
        given = {}
    spec = steps().spec
    assert isinstance(spec, Features)
    with pytest.raises(InputRejected) as told:
        sample_tensors(spec, given | arrays)
    assert told.value.reason is reason


def test_case_is_that_of_unicode_3_2() -> None:
    assert lowered("ÀÉÎ ẞ ΑΣ") == "àéî ẞ ας".replace("ς", "σ")
    assert raised("straße éa") == "STRAßE ÉA"
    assert lowered("İ") == "İ"  # two code points in lower case
    assert lowered("Ა") == "Ა"  # of Unicode 11
    assert raised("ა") == "ა"  # whose other case came with Unicode 11


def test_a_card_names_the_models_own_steps(tmp_path: Path) -> None:
    with pytest.raises(InferproofError) as told:
        load_preprocessing({"kind": "features", "model": "none.onnx"}, tmp_path)
    assert told.value.reason is Reason.MODEL_NOT_FOUND
    with pytest.raises(ModelRejected) as told:
        load_preprocessing({"kind": "features", "model": "../none.onnx"}, tmp_path)
    assert told.value.reason is Reason.CARD_PATH_ESCAPES
