"""Changes of a contract: which there are, how they are woven into one, and what is answered."""

import sys
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"
sys.path.insert(0, str(CONTRACTS))

from mutant_build import woven  # noqa: E402
from mutant_places import Mutant, mutants  # noqa: E402
from mutate import ANSWERS, ROOMS, answers, problems  # noqa: E402

SOURCE = """pragma solidity 0.8.37;

contract Till is ReentrancyGuardTransient {
    /// @notice Nothing here is changed: a < b, 7.
    uint256 private constant MOST = 9;

    constructor() {
        owner = msg.sender;
    }

    function pay(Order calldata order, uint256 amount) external nonReentrant {
        require(
            amount <= order.price, Errors.TooMuch(amount)
        );
        (uint256 rest, bool all) = _rest(MOST, amount + 1); // not > here
        bool done;
        if (all) _credit(order.buyer, rest);
        string memory said = "a - b";
        assembly {
            done := call(given, to, 0)
        }
    }
}
"""
FILE = "src/escrow/Till.sol"
MADE = [
    (5, "constant", "9 to 10"),
    (5, "constant", "9 to 0"),
    (11, "guard", "left out"),
    (12, "statement", "left out"),
    (13, "statement", "<= to <"),
    (13, "statement", "<= to >"),
    (13, "statement", "order.price to order.bond"),
    (15, "declaration", "+ to -"),
    (15, "declaration", "1 to 2"),
    (15, "declaration", "1 to 0"),
    (17, "guarded", "left out"),
    (17, "condition", "always"),
    (17, "only", "order.buyer to msg.sender"),
    (20, "yul", "0 to 1"),
]


def test_each_place_is_changed_once_in_each_way() -> None:
    found = mutants(FILE, SOURCE)
    assert [(each.line, each.place.kind, each.what) for each in found] == MADE
    assert {each.place.within for each in found} == {"Till.MOST", "Till.pay"}


def test_a_change_leaves_all_else_as_it_is() -> None:
    lines = SOURCE.splitlines()
    for each in mutants(FILE, SOURCE):
        changed = each.applied(SOURCE).splitlines()
        assert changed != lines
        assert changed[: each.line - 1] == lines[: each.line - 1]
        assert changed[-3:] == lines[-3:]
    found = {each.what: each.applied(SOURCE) for each in mutants(FILE, SOURCE)}
    assert "            amount < order.price, Errors.TooMuch(amount)\n" in found["<= to <"]


def test_the_same_change_twice_in_a_line_has_two_names() -> None:
    source = SOURCE.replace("amount + 1", "1 + 1")
    names = [each.name for each in mutants(FILE, source) if each.what.startswith("1 to 2")]
    assert [name[2] for name in names] == ["1 to 2", "1 to 2, 2"]
    assert len(set(names)) == 2


def test_what_is_woven_has_the_code_and_each_change() -> None:
    found = dict(enumerate(mutants(FILE, SOURCE), start=1))
    text = " ".join(woven(SOURCE, found, "../").split())
    for wanted in (
        'import {Door, mutant, mutated} from "../Mutant.sol";',
        "contract Till is Door {",
        "function MOST() internal pure returns (uint256) "
        "{ return (!mutated(1, 2) ? (9) : mutant() == 1 ? (/*m1*/10/*e1*/) : (/*m2*/0/*e2*/)); }",
        "external nonReentrantBut(3) {",
        "{ if (!mutated(4, 7)) { require( amount <= order.price, Errors.TooMuch(amount) ); } "
        "else if (mutant() == 4) { /*m4*//*e4*/ } else if (mutant() == 5) "
        "{ /*m5*/require( amount < order.price, Errors.TooMuch(amount) );/*e5*/ }",
        "uint256 rest; bool all; { if (!mutated(8, 10)) "
        "{ (rest, all) = _rest(MOST(), amount + 1); } else",
        "{ if (mutant() != 11) { if ((!mutated(12, 12) ? (all) : (/*m12*/true/*e12*/))) "
        "{ if (!mutated(13, 13)) { _credit(order.buyer, rest); } else "
        "{ /*m13*/_credit(msg.sender, rest);/*e13*/ } } } }",
        "switch theMutant() case 14 { /*m14*/done := call(given, to, 1)/*e14*/ } "
        "default { done := call(given, to, 0) }",
    ):
        assert wanted in text


def test_survivors_and_answers_are_the_same() -> None:
    first, second, third, fourth = mutants(FILE, SOURCE)[:4]
    known = {first.name, second.name}
    assert problems([first, second], [third], [], known) == []
    assert problems([first], [third], [second.name], known) == []
    (told,) = problems([first, second, fourth], [third], [], known)
    assert told == "not answered: | `Till.pay` | `require(` | `left out` |"
    (told,) = problems([first], [second, third], [], known)
    assert told == "answered, and killed: | `Till.MOST` | " + (
        "`uint256 private constant MOST = 9;` | `9 to 0` |"
    )
    (told,) = problems([first], [third], [], known)
    assert told.startswith("answered, and no mutant: ")


def test_answers_are_rows_and_none_stands_there_twice() -> None:
    row = "| `A.b` | `if (c \\|\\| d) {` | `\\|\\| to &&` | Both are false. |"
    assert answers(f"# Head\n\n{row}\n") == {
        ("A.b", "if (c || d) {", "|| to &&"): "Both are false."
    }
    with pytest.raises(ValueError, match=r"^\|\| to && in A.b is answered twice$"):
        answers(f"{row}\n{row}\n")


def _all() -> list[Mutant]:
    paths = [path for room in ROOMS for path in (CONTRACTS / "src" / room).glob("*.sol")]
    return [
        each
        for path in paths
        for each in mutants(str(path.relative_to(CONTRACTS)), path.read_text(encoding="utf-8"))
    ]


def test_every_answer_is_to_a_mutant() -> None:
    names = [each.name for each in _all()]
    assert len(set(names)) == len(names)
    assert set(answers(ANSWERS.read_text(encoding="utf-8"))) <= set(names)
