"""Pre-processing is a pure function that gives bounded finite float32, or a typed rejection."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inferproof.errors import InputRejected
from inferproof.inference.preprocess import (
    Preprocessing,
    check_raw,
    load_preprocessing,
    preprocess,
)
from inferproof.inference.preprocess.text import tokens
from inferproof.models.card import load_card

ZOO = Path(__file__).parents[2] / "zoo"


def zoo(model: str) -> Preprocessing:
    card = load_card(ZOO / model)
    return load_preprocessing(card.preprocessing, card.folder)


SENTIMENT, FRAUD = zoo("sentiment"), zoo("fraud")
FRAUD_FIELDS = {field.name: field for field in FRAUD.spec.fields}  # type: ignore[union-attr]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def attempt(step: Preprocessing, raw: object) -> np.ndarray | str:
    """The array, or the code of the rejection; any other exception fails the test."""
    try:
        (array,) = preprocess(step, raw).values()
    except InputRejected as rejection:
        return rejection.code
    return array


@given(st.text(max_size=400))
def test_any_text_gives_a_unit_vector_or_a_rejection(text: str) -> None:
    first, again = attempt(SENTIMENT, text), attempt(SENTIMENT, text)
    if isinstance(first, str):
        assert first == again
        return
    assert isinstance(again, np.ndarray)
    assert first.tobytes() == again.tobytes()
    assert first.shape == (1, 128)
    assert abs(float(np.linalg.norm(first.astype(np.float64))) - 1.0) < 1e-6


@given(
    st.lists(st.sampled_from(["bitcoin", "falls", "rally", "not", "the"]), min_size=1, max_size=9)
)
def test_case_and_punctuation_do_not_matter(words: list[str]) -> None:
    plain = attempt(SENTIMENT, " ".join(words))
    dressed = attempt(SENTIMENT, "  ".join(word.upper() + "," for word in words) + "!")
    assert np.array_equal(plain, dressed)


@given(st.text())
def test_tokens_of_tokens_are_the_same(text: str) -> None:
    found = tokens(text)
    assert tokens(" ".join(found)) == found


@given(st.data())
def test_any_values_in_range_give_a_clipped_vector(data: st.DataObject) -> None:
    raw: dict[str, Any] = {}
    for name, field in FRAUD_FIELDS.items():
        if field.type == "flag":
            raw[name] = data.draw(st.booleans())
        elif field.type == "integer":
            raw[name] = data.draw(st.integers(int(field.min), int(field.max)))
        else:
            raw[name] = data.draw(st.floats(field.min, field.max))
    array = attempt(FRAUD, raw)
    assert isinstance(array, np.ndarray)
    assert array.dtype == np.float32
    assert array.shape == (1, len(FRAUD_FIELDS))
    assert np.abs(array).max() <= 8.0
    shuffled = dict(reversed(raw.items()))
    assert np.array_equal(array, attempt(FRAUD, shuffled))


@settings(max_examples=200)
@given(JSON, st.sampled_from(sorted(FRAUD_FIELDS)))
def test_any_json_is_an_array_or_a_rejection(value: object, name: str) -> None:
    attempt(SENTIMENT, value)
    attempt(FRAUD, value)
    attempt(FRAUD, dict.fromkeys(FRAUD_FIELDS, 1) | {name: value})
    tensor = load_preprocessing({"kind": "tensor", "inputs": [{"name": "x", "shape": [1, 2]}]}, ZOO)
    attempt(tensor, value)
    attempt(tensor, {"x": [value, value]})
    attempt(tensor, [[value, value]])


def test_canonical_forms_of_the_zoo_come_back() -> None:
    for step in (SENTIMENT, FRAUD, zoo("token_risk")):
        assert Preprocessing.from_canonical(step.canonical()) == step


def verdict(step: Preprocessing, raw: object) -> str | None:
    """The code of the rejection by the check alone; None where it takes the input."""
    try:
        check_raw(step, raw)
    except InputRejected as rejection:
        return rejection.code
    return None


def agrees(step: Preprocessing, raw: object) -> bool:
    made = attempt(step, raw)
    return verdict(step, raw) == (made if isinstance(made, str) else None)


@given(st.text(max_size=60) | JSON)
def test_a_check_refuses_what_pre_processing_refuses(raw: object) -> None:
    assert agrees(SENTIMENT, raw)
    assert agrees(FRAUD, raw)


@given(
    st.fixed_dictionaries(
        {name: st.floats(field.min, field.max) | JSON for name, field in FRAUD_FIELDS.items()}
    )
)
def test_a_check_of_numbers_agrees_too(raw: dict[str, object]) -> None:
    assert agrees(FRAUD, raw)
