"""Findings of slither are compared with SLITHER.md: none goes unanswered, and no answer is left."""

import sys
from pathlib import Path
from typing import Any

import pytest

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"
sys.path.insert(0, str(CONTRACTS))

from slither_findings import ANSWERS, VERSION, answers, findings, problems  # noqa: E402

ESCROW = {"type": "contract", "name": "Escrow", "type_specific_fields": {}}


def inside(parent: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    return {"type": kind, "name": name, "type_specific_fields": {"parent": parent}}


def told(*elements: dict[str, Any]) -> dict[str, Any]:
    detectors = [
        {"check": "timestamp", "elements": [each], "description": "uses timestamp\n"}
        for each in elements
    ]
    return {"success": True, "error": None, "results": {"detectors": detectors}}


def test_places_are_named_by_contract_function_and_variable() -> None:
    function = inside(ESCROW, "function", "accept")
    found = findings(told(function, inside(function, "variable", "slot")))
    assert list(found) == [("timestamp", "Escrow.accept"), ("timestamp", "Escrow.accept.slot")]
    state = findings(told(inside(ESCROW, "variable", "_slots")))
    assert list(state) == [("timestamp", "Escrow._slots")]


def test_what_is_answered_is_no_problem() -> None:
    table = "| `timestamp` | `Escrow.accept` | Seconds do not matter. |"
    found = findings(told(inside(ESCROW, "function", "accept")))
    assert problems(found, answers(table)) == []


def test_a_finding_without_an_answer_is_one() -> None:
    found = findings(told(inside(ESCROW, "function", "accept")))
    (problem,) = problems(found, {})
    assert problem == "not answered: timestamp in Escrow.accept\nuses timestamp\n"


def test_an_answer_to_nothing_is_one() -> None:
    (problem,) = problems({}, answers("| `timestamp` | `Escrow.accept` | Why not. |"))
    assert problem == "answered, and not found any more: timestamp in Escrow.accept"


def test_an_answer_stands_there_once() -> None:
    row = "| `timestamp` | `Escrow.accept` | Seconds do not matter. |\n"
    with pytest.raises(ValueError, match=r"^timestamp in Escrow\.accept is answered twice$"):
        answers(2 * row)


def test_a_run_that_failed_is_no_run_without_findings() -> None:
    with pytest.raises(ValueError, match=r"^slither failed: it does not compile$"):
        findings({"success": False, "error": "it does not compile", "results": {}})


def test_every_row_of_the_answers_is_read() -> None:
    text = ANSWERS.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(answers(text)) == len(rows) > 0
    assert f"slither {VERSION} " in text
