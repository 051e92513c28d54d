"""Changes of a contract's source, place by place: which there are, and what each does."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"
SOURCE = """contract Till {
    /// @notice Nothing here is changed: a < b, 7.
    event Paid(address to);

    function pay(Order calldata order, uint256 amount) external {
        require(
            amount <= order.price, Errors.TooMuch(amount)
        );
        uint256 rest = order.price - amount; // not > here
        _credit(order.buyer, rest);
        string memory said = "a - b";
    }
}
"""


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """The program, which is no part of the package."""
    name = "script_mutate"
    spec = importlib.util.spec_from_file_location(name, CONTRACTS / "mutate.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


def test_each_place_is_changed_once_in_each_way(script: ModuleType) -> None:
    found = script.mutants("src/escrow/Till.sol", SOURCE)
    assert [(each.first, each.count, each.what) for each in found] == [
        (6, 3, "require left out"),
        (7, 1, "<= to <"),
        (7, 1, "<= to >"),
        (7, 1, "order.price to order.bond"),
        (9, 1, "- to +"),
        (9, 1, "order.price to order.bond"),
        (9, 1, "statement left out"),
        (10, 1, "statement left out"),
        (11, 1, "statement left out"),
    ]


def test_a_change_leaves_all_else_as_it_is(script: ModuleType) -> None:
    found = script.mutants("src/escrow/Till.sol", SOURCE)
    lines = SOURCE.splitlines()
    for each in found:
        changed = each.applied(SOURCE).splitlines()
        assert changed[: each.first - 1] == lines[: each.first - 1]
        assert changed[each.first :] == lines[each.first + each.count - 1 :]
    whole, less = found[0].applied(SOURCE), found[1].applied(SOURCE)
    assert "require" not in whole
    assert "TooMuch" not in whole
    assert "            amount < order.price, Errors.TooMuch(amount)" in less.splitlines()


def test_the_contracts_of_money_have_mutants(script: ModuleType) -> None:
    found = script.all_mutants(script.ROOMS)
    assert len(set(found)) == len(found)
    changed = {(each.file, each.what) for each in found}
    for wanted in (
        ("src/escrow/Shares.sol", "- to +"),
        ("src/escrow/Escrow.sol", "require left out"),
        ("src/escrow/Escrow.sol", "order.deliverBy to order.rescueBy"),
        ("src/revenue/Payouts.sol", "== to !="),
    ):
        assert wanted in changed
