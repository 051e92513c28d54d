"""The Inferproof-Transfer header: what it holds, and what is refused."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from inferproof.errors import PaymentRejected, Reason
from inferproof.payments.header import MAX_HEADER_BYTES, encode_header
from inferproof.payments.transfer import (
    IncomingTransfer,
    parse_transfer,
    transfer_header,
    transfer_offer,
)
from inferproof.protocol.quote import quote_digest
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET, GATEWAY, TransferSample
from inferproof.types.digest import Address
from inferproof.types.money import Network

SAMPLE = TransferSample()
CLAIM, QUOTE = SAMPLE.claim(), SAMPLE.quote()
SIGNATURE = GATEWAY.sign(quote_digest(QUOTE))


def value(**changes: Any) -> dict[str, Any]:
    """The JSON of the sample's header; None takes a member away."""
    made = json.loads(base64.b64decode(transfer_header(CLAIM, QUOTE, SIGNATURE)))
    return {k: v for k, v in (made | changes).items() if v is not None}


def parse(made: dict[str, Any]) -> IncomingTransfer:
    return parse_transfer(encode_header(made), [ASSET])


def test_what_is_written_is_read() -> None:
    for claim in (CLAIM, TransferSample(named=True).claim()):
        incoming = parse_transfer(transfer_header(claim, QUOTE, SIGNATURE), [ASSET])
        assert incoming == IncomingTransfer(claim, (QUOTE, SIGNATURE))


def test_quote_and_log_may_be_left_out_and_other_members_are_let_alone() -> None:
    bare = value(quote=None, quoteSignature=None, logIndex=None, note="mine")
    assert parse(bare) == IncomingTransfer(CLAIM, None)


def test_addresses_may_carry_their_checksum() -> None:
    shouted = value(payer="0x" + CLAIM.payer.hex[2:].upper())
    assert parse(shouted).claim == CLAIM


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": 2}, "it is of version 2, this gateway takes version 1"),
        ({"version": "1"}, "field version of the claim is malformed"),
        ({"transaction": "0x12"}, "field transaction of the claim is malformed"),
        ({"logIndex": -1}, "field logIndex of the claim is malformed"),
        ({"logIndex": 2**64 - 1}, "field logIndex of the claim is malformed"),
        ({"logIndex": "3"}, "field logIndex of the claim is malformed"),
        ({"salt": "0x" + "00" * 32}, "its salt is zero; draw 32 random bytes"),
        ({"salt": None}, "field salt of the claim is malformed"),
        ({"signature": "0x00"}, "field signature of the claim is malformed"),
        ({"payer": "me"}, "field payer of the claim is malformed"),
        ({"quoteSignature": None}, "field quoteSignature of the claim is malformed"),
        ({"network": "base"}, "'base' is not an EVM network in CAIP-2 form, such as eip155:8453"),
    ],
)
def test_a_malformed_claim(changes: dict[str, Any], problem: str) -> None:
    with rejects(
        Reason.TRANSFER_HEADER_MALFORMED,
        f"the Inferproof-Transfer header is not a transfer claim: {problem}",
        kind=PaymentRejected,
    ):
        parse(value(**changes))


@pytest.mark.parametrize(
    "header", ["", "%", "AAAA", encode_header({}), base64.b64encode(b"[]").decode(), "\u00e9"]
)
def test_what_is_no_claim(header: str) -> None:
    with pytest.raises(PaymentRejected) as caught:
        parse_transfer(header, [ASSET])
    assert caught.value.reason is Reason.TRANSFER_HEADER_MALFORMED


def test_a_header_that_is_too_large() -> None:
    size = MAX_HEADER_BYTES + 1
    with rejects(
        Reason.TRANSFER_HEADER_MALFORMED,
        f"the Inferproof-Transfer header is not a transfer claim: it is {size} bytes, the limit "
        f"is {MAX_HEADER_BYTES}",
        kind=PaymentRejected,
    ):
        parse_transfer("A" * size, [ASSET])


def test_another_network_or_token() -> None:
    with pytest.raises(PaymentRejected) as caught:
        parse(value(network="eip155:1"))
    assert caught.value.reason is Reason.PAYMENT_NETWORK
    with pytest.raises(PaymentRejected) as caught:
        parse(value(token="0x" + "99" * 20))
    assert caught.value.reason is Reason.PAYMENT_ASSET
    elsewhere = [
        replace(ASSET, network=Network.evm(1)),
        replace(ASSET, address=Address(b"\x99" * 20)),
        ASSET,
    ]
    assert parse_transfer(encode_header(value()), elsewhere).claim.asset == ASSET


def test_the_offer() -> None:
    assert transfer_offer(3, 86_400) == {
        "header": "Inferproof-Transfer",
        "version": 1,
        "confirmations": 3,
        "maxAgeSeconds": 86_400,
    }
