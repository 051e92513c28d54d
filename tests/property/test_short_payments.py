"""Where the shorter way reads a payment, it reads what the general way reads."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from payment_edits import edits

from inferproof.errors import PaymentRejected
from inferproof.payments.x402 import IncomingPayment, parse_payment
from inferproof.payments.x402.challenge import Resource, challenge, read_challenge
from inferproof.payments.x402.payment import payment_payload
from inferproof.payments.x402.short import ShortReader
from inferproof.payments.x402.wire import encode_header
from inferproof.testing.samples import PAYER, Sample
from inferproof.types.digest import Digest
from inferproof.types.payment import Authorization

SAMPLE = Sample()
ASSET = SAMPLE.authorization().asset
READER = ShortReader([ASSET])
QUOTE = SAMPLE.quote()
TRANSFER: dict[str, Any] = {"header": "Inferproof-Transfer", "version": 1}


def payload(payment_id: str | None = None, *, transfer: bool = True) -> dict[str, Any]:
    """What our own client sends."""
    asked = challenge(
        QUOTE,
        b"\x07" * 65,
        Resource("http://gateway/v1/models/m/infer", 'A "model" – and more', tags=("a", "b")),
        request=Digest(b"\x05" * 32),
        max_timeout_s=300,
        transfer=TRANSFER if transfer else None,
    )
    signed = Authorization(
        asset=QUOTE.price.asset,
        payer=PAYER.address,
        payee=QUOTE.payee,
        amount=QUOTE.price.amount,
        valid_after=0,
        valid_before=1_767_225_900,
        nonce=Digest(b"\x09" * 32),
        signature=b"\x0b" * 65,
    )
    read = read_challenge(encode_header(asked))
    return dict(payment_payload(read, signed, b"\x0c" * 32, payment_id))


def general(header: str) -> IncomingPayment | None:
    try:
        return parse_payment(header, [ASSET])
    except PaymentRejected:
        return None


def header_of(text: bytes) -> str:
    return base64.b64encode(text).decode()


def agree(text: bytes) -> None:
    found = READER.read(header_of(text))
    if found is not None:
        assert found == general(header_of(text))


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@pytest.mark.parametrize("transfer", [True, False])
@pytest.mark.parametrize("payment_id", [None, "pay_0123456789abcdef"])
def test_what_our_client_sends_is_read_by_the_shorter_way(
    payment_id: str | None, transfer: bool
) -> None:
    header = encode_header(payload(payment_id, transfer=transfer))
    found = READER.read(header)
    assert found is not None
    assert found == general(header)


def test_what_a_javascript_client_sends_is_read_by_the_shorter_way() -> None:
    text = json.dumps(payload(), separators=(",", ":"), ensure_ascii=False).encode()
    assert READER.read(header_of(text)) == general(header_of(text)) != None  # noqa: E711


def test_what_a_public_client_sends_is_read_by_the_shorter_way() -> None:
    value = payload()
    del value["extensions"]["inferproof"]["info"]["salt"]  # it does not know of ours
    value["extensions"]["bazaar"] = {"info": {"input": {"type": "http"}}, "schema": {}}
    header = header_of(compact(dict(sorted(value.items()))))
    found = READER.read(header)
    assert found is not None
    assert found.binding_salt is None
    assert found == general(header)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in ((*at, k), *places(v, (*at, k)))]
    return []


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, 1, 2, -1, 2**64, 10**19, 1.0, 2.0, 1e300, "", "0", "00", "1", "0x"),
        *([], {}, "\u202e", "\\", '"', '","a":"', "é", "2", 10**400, [[[[[[[[[[[[[[1]]]]]]]]]]]]]]),
        *("0x" + "0" * 64, "0x" + "A" * 40, "0x" + "0" * 130, "9" * 78, str(2**256), "exact"),
    ]
)
PLACES = st.sampled_from(places(payload("pay_0123456789abcdef")))


@given(st.lists(st.tuples(PLACES, ODD | st.just("absent")), min_size=1, max_size=3), st.booleans())
def test_a_changed_member(changes: list[tuple[tuple[Any, ...], Any]], ascii_only: bool) -> None:
    value = payload("pay_0123456789abcdef")
    for place, odd in changes:
        at: Any = value
        for step in place[:-1]:
            at = at.get(step) if isinstance(at, dict) else None
        if not isinstance(at, dict):
            continue
        if odd == "absent":
            at.pop(place[-1], None)
        else:
            at[place[-1]] = odd
    agree(json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only).encode())


GOOD = compact(payload("pay_0123456789abcdef"))
READER.read(header_of(GOOD))


MEMBER = b'"salt":"0x' + b"0c" * 32 + b'"'


@given(edits(GOOD))
@example(GOOD.replace(MEMBER, MEMBER + b"," + MEMBER))
@example(GOOD.replace(MEMBER, b'"salt" :1,' + MEMBER))
@example(GOOD.replace(MEMBER, b'"salt":""'))
@example(GOOD.replace(MEMBER, b'"salt":null'))
@example(GOOD.replace(b"," + MEMBER, b""))
@example(GOOD.replace(b'"amount":"', b'"amount":"1","amount":"', 1))
@example(GOOD.replace(b'"schema":{', b'"schema":{"a":NaN,'))
@example(GOOD.replace(b'"x402Version":2', b'"x402Version":2.0'))
@example(GOOD.replace(b'"x402Version":2', b'"x402Version": 2 '))
@example(GOOD.replace(b'"issuedAt":', b'"issuedAt":0'))
@example(GOOD.replace(b'"issuedAt":', b'"issuedAt":1,"issuedAt":'))
@example(GOOD + b" ")
@example(GOOD.replace(b'"resource":', b'"resource":{"\\"":1},"resource":'))
def test_an_edited_text(text: bytes) -> None:
    agree(text)


def cut(change: Callable[[str], str]) -> str:
    return change(header_of(GOOD))


@given(st.text(max_size=200) | st.binary(max_size=200).map(header_of))
@example(cut(lambda text: text + "\n"))
@example(cut(lambda text: text[:-1]))
@example(cut(lambda text: text + "===="))
@example(cut(lambda text: "=" + text))
@example(cut(lambda text: text.replace("e", "é", 1)))
@example(cut(lambda text: text[:40] + "=" + text[40:]))
def test_any_header(header: str) -> None:
    found = READER.read(header)
    assert found is None or found == general(header)


def test_another_asset_is_left_to_the_general_way() -> None:
    other = ShortReader([])
    assert other.read(header_of(GOOD)) is None
