"""A quote that was signed here is known again, and none that differs from it in anything."""

from dataclasses import fields, replace

import pytest

from inferproof.protocol.signature import SigningKey
from inferproof.services.gateway.base import SignedQuote
from inferproof.services.gateway.issued import IssuedQuotes
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset, Money, Network
from inferproof.types.payment import Quote

KEY = SigningKey(bytes(31) + b"\7")
ASSET = Asset(Network.evm(31337), Address(bytes(19) + b"\1"), "devUSDC", 6, "USDC", "2")
FIRST = Quote(
    model_id="risk",
    model_commitment=Digest(bytes(31) + b"\1"),
    proof_system="sumcheck",
    provider=Address(bytes(19) + b"\2"),
    price=Money(250_000, ASSET),
    payee=Address(bytes(19) + b"\3"),
    request_digest=Digest(bytes(31) + b"\2"),
    prove_ms=10,
    peak_bytes=1000,
    proof_bytes=100,
    verify_gas=0,
    issued_at=1_000,
    expires_at=1_300,
)


def other(quote: Quote, name: str) -> Quote:
    """The quote with another value of this member."""
    value = getattr(quote, name)
    match value:
        case str():
            changed: object = value + "x"
        case int():
            changed = value + 1
        case Money():
            changed = Money(value.amount + 1, value.asset)
        case _:
            changed = type(value)(value.raw[:-1] + b"\x63")
    return replace(quote, **{name: changed})


def of_request(number: int, quote: Quote = FIRST) -> SignedQuote:
    asked = replace(quote, request_digest=Digest(number.to_bytes(32, "big")))
    return SignedQuote.by(KEY, asked)


def test_a_quote_that_was_signed_here_is_known_again() -> None:
    issued, signed = IssuedQuotes(), SignedQuote.by(KEY, FIRST)
    assert not issued.holds(signed)
    issued.add(signed)
    assert issued.holds(SignedQuote(replace(FIRST), bytes(signed.signature)))


@pytest.mark.parametrize("name", [each.name for each in fields(Quote)])
def test_a_signature_is_believed_for_no_other_quote(name: str) -> None:
    issued, signed = IssuedQuotes(), SignedQuote.by(KEY, FIRST)
    issued.add(signed)
    assert not issued.holds(SignedQuote(other(FIRST, name), signed.signature))


def test_the_asset_of_the_price_is_a_part_of_the_terms() -> None:
    issued, signed = IssuedQuotes(), SignedQuote.by(KEY, FIRST)
    issued.add(signed)
    elsewhere = replace(ASSET, network=Network.evm(8453))
    priced = replace(FIRST, price=Money(FIRST.price.amount, elsewhere))
    assert not issued.holds(SignedQuote(priced, signed.signature))


def test_another_signature_of_the_same_quote_is_not_believed() -> None:
    issued, signed = IssuedQuotes(), SignedQuote.by(KEY, FIRST)
    issued.add(signed)
    for at in range(len(signed.signature)):
        changed = bytearray(signed.signature)
        changed[at] ^= 1
        assert not issued.holds(SignedQuote(FIRST, bytes(changed)))
    assert not issued.holds(SignedQuote(FIRST, b""))


def test_models_and_offers_that_change_are_kept_apart() -> None:
    issued = IssuedQuotes()
    dearer = replace(FIRST, price=Money(300_000, ASSET))
    elsewhere = replace(FIRST, model_id="fraud", model_commitment=Digest(bytes(31) + b"\4"))
    made = [of_request(n, quote) for n, quote in enumerate((FIRST, elsewhere, dearer, FIRST))]
    for signed in made:
        issued.add(signed)
    assert all(issued.holds(signed) for signed in made)
    crossed = replace(made[0].quote, price=dearer.price)
    assert not issued.holds(SignedQuote(crossed, made[0].signature))


def test_the_newest_of_a_request_is_remembered() -> None:
    issued, first = IssuedQuotes(), of_request(1)
    later = of_request(1, replace(FIRST, issued_at=1_100, expires_at=1_400))
    issued.add(first)
    issued.add(later)
    assert issued.holds(later)
    assert not issued.holds(first)


def test_the_oldest_are_forgotten() -> None:
    issued = IssuedQuotes(10)
    made = [of_request(n) for n in range(23)]
    for signed in made:
        issued.add(signed)
        assert len(issued) <= 10
    assert [issued.holds(signed) for signed in made] == [False] * 15 + [True] * 8
