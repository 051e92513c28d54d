"""`rejects` is strict: it fails where reason, message or kind differ, or nothing is raised."""

import pickle

import pytest

from inferproof.errors import InputRejected, NotFound, Reason, Rejection
from inferproof.testing.rejections import rejects

MESSAGE = "input x holds a NaN or an infinity"


def _raise() -> None:
    raise InputRejected(Reason.INPUT_NOT_FINITE, name="x")


def test_it_passes_on_reason_message_and_kind() -> None:
    with rejects(Reason.INPUT_NOT_FINITE, MESSAGE, kind=Rejection):
        _raise()


def test_another_reason() -> None:
    with (
        pytest.raises(AssertionError, match="expected KEY_MALFORMED, got INPUT_NOT_FINITE"),
        rejects(Reason.KEY_MALFORMED, MESSAGE),
    ):
        _raise()


def test_another_message() -> None:
    with (
        pytest.raises(AssertionError, match="INPUT_NOT_FINITE says"),
        rejects(Reason.INPUT_NOT_FINITE, "input"),
    ):
        _raise()


def test_another_kind() -> None:
    with (
        pytest.raises(AssertionError, match="expected NotFound, got InputRejected"),
        rejects(Reason.INPUT_NOT_FINITE, MESSAGE, kind=NotFound),
    ):
        _raise()


def test_nothing_raised() -> None:
    with (
        pytest.raises(AssertionError, match="nothing was raised; expected INPUT_NOT_FINITE"),
        rejects(Reason.INPUT_NOT_FINITE, MESSAGE),
    ):
        pass


def test_another_exception_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), rejects(Reason.INPUT_NOT_FINITE, MESSAGE):
        _ = 1 // 0


def test_a_rejection_crosses_processes_whole() -> None:
    error = InputRejected(Reason.INPUT_NOT_FINITE, name="x")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is InputRejected
    assert (again.reason, again.facts, again.message) == (error.reason, error.facts, MESSAGE)
    assert again.code == "INPUT_NOT_FINITE"
