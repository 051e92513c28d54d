"""What is read and hashed by a shorter way is what the general way gives."""

from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferproof.errors import InferproofError
from inferproof.protocol.authorization import (
    TRANSFER_WITH_AUTHORIZATION,
    asset_domain,
    authorization_digest,
)
from inferproof.protocol.eip712 import INFERPROOF_DOMAIN, digest, hash_struct
from inferproof.protocol.fields import Fields
from inferproof.protocol.quote import (
    QUOTE,
    _read_quote,
    quote_digest,
    quote_json,
    quote_value,
    read_quote,
)
from inferproof.testing.samples import Sample
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Money
from inferproof.types.payment import Quote

UINT64 = st.integers(0, 2**64 - 1)
UINT256 = st.integers(0, 2**256 - 1)
DIGESTS = st.binary(min_size=32, max_size=32).map(Digest)
ADDRESSES = st.binary(min_size=20, max_size=20).map(Address)
NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N"]), max_size=128)
BASE = Sample().quote()


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    """Any quote."""
    asset = replace(
        BASE.price.asset,
        address=draw(ADDRESSES),
        symbol=draw(NAMES)[:32],
        decimals=draw(st.integers(0, 36)),
    )
    numbers = ("prove_ms", "peak_bytes", "proof_bytes", "verify_gas", "issued_at", "expires_at")
    return replace(
        BASE,
        model_id=draw(NAMES),
        model_commitment=draw(DIGESTS),
        provider=draw(ADDRESSES),
        price=Money(draw(UINT256), asset),
        payee=draw(ADDRESSES),
        request_digest=draw(DIGESTS),
        **{name: draw(UINT64) for name in numbers},
    )


@given(quotes())
def test_a_quotes_digest_is_that_of_its_struct(quote: Quote) -> None:
    assert quote_digest(quote) == digest(INFERPROOF_DOMAIN, hash_struct(QUOTE, quote_value(quote)))


@given(ADDRESSES, ADDRESSES, UINT256, UINT256, UINT256, DIGESTS)
def test_an_authorizations_digest_is_that_of_its_struct(
    payer: Address, payee: Address, amount: int, after: int, before: int, nonce: Digest
) -> None:
    payment = replace(
        Sample().authorization(),
        payer=payer,
        payee=payee,
        amount=amount,
        valid_after=after,
        valid_before=before,
        nonce=nonce,
    )
    value = {
        "from": payer,
        "to": payee,
        "value": amount,
        "validAfter": after,
        "validBefore": before,
        "nonce": nonce,
    }
    hashed = hash_struct(TRANSFER_WITH_AUTHORIZATION, value)
    assert authorization_digest(payment) == digest(asset_domain(payment.asset), hashed)


@pytest.mark.parametrize("name", ["prove_ms", "issued_at"])
@pytest.mark.parametrize("value", [2**64, -1])
def test_a_number_that_does_not_fit_has_no_digest(name: str, value: int) -> None:
    assert name in {field.name for field in fields_of(Quote)}
    quote = replace(BASE, **{name: value})
    with pytest.raises(ValueError, match="fit"):
        quote_digest(quote)
    with pytest.raises(ValueError, match="fit"):
        hash_struct(QUOTE, quote_value(quote))


def _outcome(read: Any, value: Any) -> Quote | tuple[str, str]:
    try:
        quote: Quote = read(Fields(value, "inferproof.quote"))
    except InferproofError as error:
        return (error.code, error.message)
    return quote


ODD = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        2**64,
        1.0,
        "",
        "0",
        "00",
        "1",
        "0x",
        [],
        {},
        "\u202e",
        "X" * 2000,
    ]
)
PLACES = st.sampled_from(
    [(name,) for name in quote_json(BASE)]
    + [("asset", name) for name in quote_json(BASE)["asset"]]  # type: ignore[union-attr]
    + [("more",), ("asset", "more")]
)


@given(st.lists(st.tuples(PLACES, st.one_of(ODD, st.just("absent"))), max_size=3), st.booleans())
def test_a_quote_is_read_alike_by_both_ways(
    changes: list[tuple[tuple[str, ...], Any]], upper: bool
) -> None:
    value: dict[str, Any] = quote_json(BASE)
    value["asset"] = dict(value["asset"])
    read_quote(Fields(quote_json(BASE), "warm"))  # the shorter way knows the unchanged one
    for place, odd in changes:
        table = value if len(place) == 1 else value.get("asset")
        if not isinstance(table, dict):
            continue
        if odd == "absent":
            table.pop(place[-1], None)
        else:
            table[place[-1]] = odd
    if upper and isinstance(value.get("payee"), str):
        value["payee"] = value["payee"].upper()
    again = {**value, "asset": value["asset"]} if "asset" in value else dict(value)
    assert _outcome(read_quote, value) == _outcome(_read_quote, again)
