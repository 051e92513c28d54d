"""Amounts and their text are each other's inverse."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from inferproof.errors import RequestRejected
from inferproof.types.money import format_units, parse_units

DECIMALS = st.integers(0, 36)


@given(st.integers(0, 10**38), DECIMALS)
def test_an_amount_reads_back(amount: int, decimals: int) -> None:
    assert parse_units(format_units(amount, decimals), decimals) == amount


@given(st.integers(0, 10**38), DECIMALS)
def test_the_text_is_the_exact_number(amount: int, decimals: int) -> None:
    text = format_units(amount, decimals)
    assert Fraction(text) * 10**decimals == amount
    assert not (("." in text) and text.endswith("0"))


@given(st.text("0123456789.-+e _٣", max_size=12) | st.text(max_size=8), DECIMALS)
def test_any_text_is_refused_or_means_its_number(text: str, decimals: int) -> None:
    try:
        amount = parse_units(text, decimals)
    except RequestRejected:
        return
    assert text.isascii()
    assert Fraction(text) * 10**decimals == amount >= 0
