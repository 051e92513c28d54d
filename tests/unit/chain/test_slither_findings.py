"""What slither finds beside the answers: what stands on one side alone fails, with its text."""

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """The program, which is no part of the package."""
    name = "script_slither_findings"
    spec = importlib.util.spec_from_file_location(name, CONTRACTS / "slither_findings.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


def element(*names: str) -> dict[str, Any]:
    """A contract, a function of it or a variable of that, as slither names them."""
    kinds = ("contract", "function", "variable")
    place: dict[str, Any] = {"type": "file", "name": "Escrow.sol"}
    for kind, name in zip(kinds, names, strict=False):
        place = {"type": kind, "name": name, "type_specific_fields": {"parent": place}}
    return place


def report(*found: tuple[str, Sequence[str]]) -> dict[str, Any]:
    detectors = [
        {"check": check, "elements": [element(*names)], "description": f"{check} is bad"}
        for check, names in found
    ]
    return {"success": True, "error": None, "results": {"detectors": detectors}}


def table(*rows: tuple[str, str]) -> str:
    lines = [f"| `{check}` | `{where}` | It is meant. |" for check, where in rows]
    return "\n".join(["# Answers", "", "| check | place | why |", "|---|---|---|", *lines, ""])


def differences(script: ModuleType, found: dict[str, Any], answered: str) -> list[str]:
    told: list[str] = script.differences(script.findings(found), script.answers(answered))
    return told


FOUND = report(
    ("timestamp", ("Escrow", "refund")),
    ("timestamp", ("Escrow", "refund")),
    ("uninitialized-local", ("Escrow", "_open", "slot")),
)
ROWS = [
    ("timestamp", "Escrow.refund"),
    ("timestamp", "Escrow.refund"),
    ("uninitialized-local", "Escrow._open.slot"),
]


def test_findings_that_are_all_answered_differ_in_nothing(script: ModuleType) -> None:
    assert differences(script, FOUND, table(*ROWS)) == []
    assert differences(script, {"success": True, "error": None, "results": {}}, table()) == []


def test_a_finding_without_an_answer_is_told_with_its_text(script: ModuleType) -> None:
    assert differences(script, FOUND, table(*ROWS[:2])) == [
        "not answered: uninitialized-local in Escrow._open.slot\nuninitialized-local is bad"
    ]


def test_a_second_finding_in_a_place_needs_a_second_answer(script: ModuleType) -> None:
    assert differences(script, FOUND, table(*ROWS[1:])) == [
        "not answered: timestamp in Escrow.refund\ntimestamp is bad"
    ]


def test_an_answer_without_a_finding_is_told(script: ModuleType) -> None:
    rows = [*ROWS, ("timestamp", "Escrow.accept"), ("timestamp", "Escrow.refund")]
    assert differences(script, FOUND, table(*rows)) == [
        "answered, and not found: timestamp in Escrow.accept",
        "answered, and not found: timestamp in Escrow.refund",
    ]


def test_an_answer_for_another_check_in_a_place_is_none(script: ModuleType) -> None:
    rows = [*ROWS[:2], ("unused-return", "Escrow._open.slot")]
    assert differences(script, FOUND, table(*rows)) == [
        "not answered: uninitialized-local in Escrow._open.slot\nuninitialized-local is bad",
        "answered, and not found: unused-return in Escrow._open.slot",
    ]


def test_a_row_without_a_reason_is_no_answer(script: ModuleType) -> None:
    row = "| `timestamp` | `Escrow.refund` | |"
    with pytest.raises(SystemExit) as caught:
        script.answers(f"{table(*ROWS)}{row}\n")
    assert str(caught.value) == f"SLITHER.md has a row that is no answer: {row}"


def test_a_run_that_failed_finds_nothing_out(script: ModuleType) -> None:
    with pytest.raises(SystemExit) as caught:
        script.findings({"success": False, "error": "no compiler", "results": {}})
    assert str(caught.value) == "slither failed: no compiler"


def test_the_answers_are_about_functions_that_are_there(script: ModuleType) -> None:
    """What the run itself says better, which needs slither."""
    sources = {path.stem: path.read_text() for path in CONTRACTS.glob("src/**/*.sol")}
    text = "\n".join(sources.values())
    answered = script.answers((CONTRACTS / "SLITHER.md").read_text())
    assert answered
    for place in answered:
        contract, name, *_ = place.where.split(".")
        assert any(f"{kind} {contract} " in text for kind in ("contract", "library"))
        assert f"function {name}(" in text or f"private {name};" in text or f" {name};" in text
