"""The Inferproof-Order header: what it holds, and what is refused."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from order_parts import ESCROW, INPUT_SALT, signed_order

from inferproof.errors import PaymentRejected, Reason
from inferproof.payments.escrow import (
    IncomingOrder,
    order_header,
    order_offer,
    parse_order,
)
from inferproof.payments.escrow.buyer import read_sent_order
from inferproof.payments.header import MAX_HEADER_BYTES, encode_header
from inferproof.payments.parts import read_signed
from inferproof.protocol.quote import quote_digest
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET, GATEWAY, PAYER, Sample
from inferproof.types.digest import Address
from inferproof.types.escrow import ContractAssurance

SIGNED = signed_order()
QUOTE = Sample().quote()
SIGNATURE = GATEWAY.sign(quote_digest(QUOTE))


def value(**changes: Any) -> dict[str, Any]:
    """The JSON of the sample's header; None takes a member away."""
    made = json.loads(base64.b64decode(order_header(SIGNED, INPUT_SALT, (QUOTE, SIGNATURE))))
    return {k: v for k, v in (made | changes).items() if v is not None}


def parse(made: dict[str, Any]) -> IncomingOrder:
    return parse_order(encode_header(made), [ASSET])


def test_what_is_written_is_read() -> None:
    for quote in (None, (QUOTE, SIGNATURE)):
        incoming = parse_order(order_header(SIGNED, INPUT_SALT, quote), [ASSET])
        assert incoming == IncomingOrder(SIGNED, INPUT_SALT, quote)


def test_the_quote_may_be_left_out_and_other_members_are_let_alone() -> None:
    assert parse(value(quote=None, quoteSignature=None, note="mine")) == IncomingOrder(
        SIGNED, INPUT_SALT
    )


def test_the_escrow_may_carry_its_checksum() -> None:
    assert parse(value(escrow="0x" + ESCROW.hex[2:].upper())).signed.escrow == ESCROW


def test_an_order_that_was_sent_is_the_same_payment_again() -> None:
    header = order_header(SIGNED, INPUT_SALT)
    sent = read_signed("escrow", header, ASSET)
    assert sent == read_sent_order(header, ASSET)
    assert (sent.method, sent.header_name, sent.header) == ("escrow", "Inferproof-Order", header)
    assert (sent.payer, sent.salt) == (PAYER.address, None)
    assert sent.ends == SIGNED.order.rescue_by + 1
    assert sent.job_id(QUOTE.request_digest) == SIGNED.id


def test_an_offer_names_header_and_escrow() -> None:
    assert order_offer(ESCROW) == {"header": "Inferproof-Order", "address": ESCROW.hex}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"escrow": "0x12"}, "field escrow of the header is malformed"),
        ({"order": []}, "field order of the header is malformed"),
        ({"salt": "0x12"}, "field salt of the header is malformed"),
        ({"salt": "0x" + "00" * 32}, "its salt is zero; draw 32 random bytes"),
        ({"signature": "0x" + "00" * 64}, "field signature of the header is malformed"),
        ({"quoteSignature": None}, "field quoteSignature of the header is malformed"),
    ],
)
def test_what_is_malformed_is_named(changes: dict[str, Any], problem: str) -> None:
    message = f"the Inferproof-Order header is not a signed order: {problem}"
    with rejects(Reason.ORDER_HEADER_MALFORMED, message, kind=PaymentRejected):
        parse(value(**changes))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"price": 1}, "price"),
        ({"price": str(2**128)}, "price"),
        ({"assurance": 5}, "assurance"),
        ({"accept_by": 2**40}, "accept_by"),
        ({"buyer": "0x" + "AB" * 20}, "buyer"),
        ({"note": "mine"}, "note"),
    ],
)
def test_an_order_has_one_form(changes: dict[str, Any], field: str) -> None:
    message = (
        "the Inferproof-Order header is not a signed order: "
        f"field {field} of the order is malformed"
    )
    with rejects(Reason.ORDER_HEADER_MALFORMED, message, kind=PaymentRejected):
        parse(value(order=value()["order"] | changes))


def test_an_order_in_another_token() -> None:
    stray = Address(b"\x77" * 20)
    other = replace(SIGNED, order=replace(SIGNED.order, token=stray))
    message = f"the payment is in {stray}, the price is in {ASSET.network} {ASSET.address}"
    with rejects(Reason.PAYMENT_ASSET, message, kind=PaymentRejected):
        parse_order(order_header(other, INPUT_SALT), [ASSET])


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("not base64", "it is not Base64"),
        ("AAAA", "it is not JSON"),
        ("e30=", "field escrow of the header is malformed"),
        ("W10=", "field (whole) of the header is malformed"),
        ("A" * (MAX_HEADER_BYTES + 1), "it is 16385 bytes, the limit is 16384"),
    ],
)
def test_a_header_that_is_none(header: str, problem: str) -> None:
    message = f"the Inferproof-Order header is not a signed order: {problem}"
    with rejects(Reason.ORDER_HEADER_MALFORMED, message, kind=PaymentRejected):
        parse_order(header, [ASSET])


def test_the_longest_order_fits_into_a_header_with_its_quote() -> None:
    order = replace(
        SIGNED.order, price=2**128 - 1, bond=2**128 - 1, assurance=ContractAssurance.ZK_PRIVATE
    )
    header = order_header(replace(SIGNED, order=order), INPUT_SALT, (QUOTE, SIGNATURE))
    assert len(header) < 4096
