"""What the numbers of an answer are called."""

import pytest

from inferproof.protocol.labels import fits, label_of, names_of, scores_of
from inferproof.types.tensor import FixedTensor, TensorSpec

SCORES = TensorSpec("p", "float32", (1, 3), ("a", "b", "c"))
NUMBER = TensorSpec("c", "int64", (1,), ("x", "y", "z"))
P = FixedTensor("p", (1, 3), (2, 8, 8), 0.125)


def number(value: int, scale: float = 1.0) -> FixedTensor:
    return FixedTensor("c", (1,), (value,), scale)


def test_the_label_of_an_answer() -> None:
    assert label_of((SCORES,), (P,)) == "b"
    assert label_of((SCORES, NUMBER), (P, number(2))) == "z"
    assert label_of((NUMBER,), (number(4, 0.5),)) == "z"
    assert label_of((TensorSpec("p", "float32", (1, 3)),), (P,)) is None
    lone = TensorSpec("p", "float32", (1, 1), ("risk",))
    assert label_of((lone,), (FixedTensor("p", (1, 1), (3,), 1.0),)) is None


@pytest.mark.parametrize("value", [number(-1), number(3), number(1, 0.5)])
def test_a_number_without_a_name(value: FixedTensor) -> None:
    assert label_of((NUMBER,), (value,)) is None
    assert names_of(NUMBER, value) == [None]


def test_scores_by_name() -> None:
    assert scores_of((NUMBER, SCORES), (number(1), P)) == {"a": 0.25, "b": 1.0, "c": 1.0}
    assert scores_of((NUMBER,), (number(1),)) is None


def test_which_labels_fit() -> None:
    plain, count = TensorSpec("p", "float32", (1, 2)), TensorSpec("c", "int64", ())
    assert fits(plain, ("a", "b"))
    assert fits(count, ("a", "a", "b"))
    assert not any(fits(plain, labels) for labels in ((), ("a",), ("a", "a"), ("a", "b" * 101)))
    assert not fits(TensorSpec("p", "float32", ()), ("a",))
    assert not fits(count, ["a"] * 10_001)
