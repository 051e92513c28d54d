"""The words about operators are about the operators that there are."""

from inferproof.models.operators import ACCEPTED, TREES
from inferproof.proving.sumcheck.lower.forms import FORMS
from inferproof.proving.sumcheck.lower.operators import SUPPORTED


def test_every_operator_is_described_and_no_other() -> None:
    assert set(FORMS) == SUPPORTED


def test_no_operator_is_lowered_that_no_model_may_hold() -> None:
    assert SUPPORTED <= ACCEPTED | TREES
