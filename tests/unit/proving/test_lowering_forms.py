"""The words about operators are about the operators that there are, and about all of them."""

import re
from pathlib import Path

from onnx import defs

from inferproof.models.classical import EXPANDED
from inferproof.models.contrib import QUANTISED
from inferproof.models.definitions import DEFINED
from inferproof.models.operators import ACCEPTED, ML_DOMAIN, REFUSED, REFUSED_ML, TREES
from inferproof.proving.sumcheck.lower.forms import FORMS, UNPROVEN
from inferproof.proving.sumcheck.lower.operators import SUPPORTED

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "operators.md"


def test_every_operator_is_described_and_no_other() -> None:
    assert set(FORMS) == SUPPORTED


def test_no_operator_is_lowered_that_no_model_may_hold() -> None:
    assert SUPPORTED <= ACCEPTED | TREES


def test_what_a_model_may_hold_is_proven_or_has_a_way_out() -> None:
    assert set(UNPROVEN) == ACCEPTED - SUPPORTED - QUANTISED


def test_no_operator_is_both_taken_and_refused() -> None:
    assert not ACCEPTED & DEFINED
    assert not (ACCEPTED | DEFINED) & set(REFUSED)


def test_the_reference_lists_every_operator_of_the_standard_once() -> None:
    every = {s.name for s in defs.get_all_schemas_with_history() if s.domain in ("", ML_DOMAIN)}
    rows = re.findall(r"^\| ([A-Z]\w+) \|", REFERENCE.read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(every)


def test_operators_of_classical_machine_learning_are_taken_or_refused_with_a_reason() -> None:
    every = {s.name for s in defs.get_all_schemas_with_history() if s.domain == ML_DOMAIN}
    assert every <= EXPANDED | TREES | set(REFUSED_ML)
