"""Money is whole atomic units; its text is exact."""

import pytest

from inferproof.errors import Reason
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address
from inferproof.types.money import MAX_AMOUNT, Asset, Money, Network, format_units, parse_units

USDC = Asset(Network.evm(31337), Address(bytes(20)), "USDC", 6, "USD Coin", "2")


@pytest.mark.parametrize(
    ("text", "decimals", "units"),
    [
        ("0.25", 6, 250_000),
        ("0", 6, 0),
        ("1", 0, 1),
        ("0.000001", 6, 1),
        ("1.10", 2, 110),
        ("115792089237316195423570985008687907853", 0, 115792089237316195423570985008687907853),
    ],
)
def test_units_of_a_text(text: str, decimals: int, units: int) -> None:
    assert parse_units(text, decimals) == units


@pytest.mark.parametrize(
    "text",
    ["-1", "+1", "1e3", " 1", "1 ", "1\n", ".5", "1.", "01", "1_000", "1,5", "", "NaN", "٣", "0x1"],
)
def test_a_text_that_is_no_amount_is_refused(text: str) -> None:
    with rejects(
        Reason.AMOUNT_MALFORMED, f"{text!r} is not an amount; write digits with at most 6 decimals"
    ):
        parse_units(text, 6)


def test_more_decimals_than_the_asset_has_are_refused() -> None:
    with rejects(
        Reason.AMOUNT_MALFORMED, "'0.10' is not an amount; write digits with at most 1 decimals"
    ):
        parse_units("0.10", 1)


def test_a_number_is_not_a_text() -> None:
    with rejects(
        Reason.AMOUNT_MALFORMED, "0.25 is not an amount; write digits with at most 6 decimals"
    ):
        parse_units(0.25, 6)  # type: ignore[arg-type]


def test_money_prints_its_symbol() -> None:
    assert str(Money(250_000, USDC)) == "0.25 USDC"
    assert format_units(5, 0) == "5"
    assert format_units(1_000_000, 6) == "1"


@pytest.mark.parametrize("amount", [-1, MAX_AMOUNT + 1, True, 1.0])
def test_money_beyond_uint256_or_not_whole_is_refused(amount: object) -> None:
    shown = repr(amount)[:80]
    with rejects(
        Reason.AMOUNT_OUT_OF_RANGE,
        f"{shown} is not an amount of atomic units between 0 and 2^256 - 1",
    ):
        Money(amount, USDC)  # type: ignore[arg-type]


def test_money_at_both_ends() -> None:
    assert Money(0, USDC).amount == 0
    assert Money(MAX_AMOUNT, USDC).amount == MAX_AMOUNT


def test_network_and_its_chain_id() -> None:
    assert Network.evm(8453) == Network("eip155:8453")
    assert Network("eip155:8453").chain_id == 8453


@pytest.mark.parametrize(
    "text", ["eip155:0", "eip155:01", "eip155:", "eip155:1\n", "EIP155:1", "solana:1", "eip155:-1"]
)
def test_another_network_is_refused(text: str) -> None:
    with rejects(
        Reason.NETWORK_MALFORMED,
        f"{text!r} is not an EVM network in CAIP-2 form, such as eip155:8453",
    ):
        Network(text)
