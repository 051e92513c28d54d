"""Every reason is shown by a test that states its exact message.

A test shows a reason with `with rejects(Reason.X, "the message"):`, where the message is a string
literal or an f-string, given there or set in the same function. This file reads the syntax trees
of all tests and suites and looks for them.
"""

import ast
from pathlib import Path

import pytest

from inferproof.errors import Reason

TESTS = Path(__file__).resolve().parents[1]


def _shown(source: str, name: str = "<test>") -> set[str]:
    """The reasons for which the source calls `rejects` with a literal message."""
    tree = ast.parse(source, name)
    found = _shown_in(tree, set())
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            found |= _shown_in(function, _literal_names(function))
    return found


def _shown_in(tree: ast.AST, literals: set[str]) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else None
        if isinstance(node.func, ast.Name):
            called = node.func.id
        reason, message = node.args[:2]
        stated = _is_literal(message) or (isinstance(message, ast.Name) and message.id in literals)
        if called == "rejects" and _is_reason(reason) and stated:
            found.add(reason.attr)  # type: ignore[attr-defined]
    return found


def _literal_names(function: ast.AST) -> set[str]:
    """Names that the function itself sets, to nothing but literal messages."""
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    values.setdefault(target.id, []).append(node.value)
    return {name for name, given in values.items() if all(map(_is_literal, given))}


def _is_reason(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Reason"
    )


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.JoinedStr):
        # An f-string that is one bare variable states nothing.
        return any(isinstance(part, ast.Constant) for part in node.values)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != ""


def test_every_reason_has_a_test_with_its_exact_message() -> None:
    shown: set[str] = set()
    for path in sorted(TESTS.rglob("*.py")):
        shown |= _shown(path.read_text(encoding="utf-8"), str(path))
    missing = [code for code in Reason.__members__ if code not in shown]
    assert not missing, (
        f"{len(missing)} reasons have no test of the form "
        f'`with rejects(Reason.X, "exact message"):`\n  ' + "\n  ".join(missing)
    )


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ('with rejects(Reason.A, "x"): pass', {"A"}),
        ('with rejects(Reason.A, f"x {y}"): pass', {"A"}),
        ('with rejects(Reason.A, "x" "y", kind=K): pass', {"A"}),
        ('with testing.rejects(Reason.A, "x"): pass', {"A"}),
        ("with rejects(Reason.A, message): pass", set()),
        ('def f():\n m = "x"\n with rejects(Reason.A, m): pass', {"A"}),
        ("def f():\n m = g()\n with rejects(Reason.A, m): pass", set()),
        ('def f():\n m = "x"\n m = g()\n with rejects(Reason.A, m): pass', set()),
        ('def f(m):\n with rejects(Reason.A, m): pass\ndef g():\n m = "x"', set()),
        ('with rejects(Reason.A, f"{message}"): pass', set()),
        ('with rejects(Reason.A, ""): pass', set()),
        ('with rejects(reason, "x"): pass', set()),
        ("with rejects(Reason.A): pass", set()),
        ('# with rejects(Reason.A, "x"): pass', set()),
    ],
)
def test_what_counts_as_shown(source: str, shown: set[str]) -> None:
    assert _shown(source) == shown


def test_every_message_is_a_sentence_without_a_period_that_its_facts_fill() -> None:
    for reason in Reason:
        assert reason.value, reason
        assert not reason.value.endswith("."), reason
        assert reason.value == reason.value.strip(), reason
        assert reason.code == reason.name


def test_no_two_reasons_say_the_same() -> None:
    assert len({r.value for r in Reason}) == len(Reason.__members__) == len(list(Reason))
