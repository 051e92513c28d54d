"""No header, however hostile, is anything but a payment or a typed rejection."""

import base64
import copy
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from payment_edits import edits

from inferproof.errors import PaymentRejected, RequestRejected
from inferproof.payments.x402 import IncomingPayment, parse_payment, read_challenge
from inferproof.types.digest import Address
from inferproof.types.money import Asset, Network

ASSET = Asset(Network.evm(31337), Address(b"\x44" * 20), "USDC", 6, "Devnet USD", "1")

GOOD: dict[str, Any] = {
    "x402Version": 2,
    "accepted": {
        "scheme": "exact",
        "network": "eip155:31337",
        "asset": "0x" + "44" * 20,
        "amount": "250000",
        "payTo": "0x" + "33" * 20,
        "maxTimeoutSeconds": 300,
        "extra": {"name": "Devnet USD", "version": "1"},
    },
    "payload": {
        "signature": "0x" + "11" * 65,
        "authorization": {
            "from": "0x" + "22" * 20,
            "to": "0x" + "33" * 20,
            "value": "250000",
            "validAfter": "0",
            "validBefore": "1767225900",
            "nonce": "0x" + "55" * 32,
        },
    },
    "extensions": {
        "inferproof": {"info": {"salt": "0x" + "66" * 32}},
        "payment-identifier": {"info": {"required": False, "id": "pay_0123456789abcdef"}},
    },
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)


def paths(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every member of nested objects."""
    if not isinstance(value, dict):
        return []
    return [p for k, v in value.items() for p in ((*at, k), *paths(v, (*at, k)))]


def parse(header: str) -> IncomingPayment | None:
    """The payment, or None for a typed rejection; anything else escapes and fails the test."""
    try:
        return parse_payment(header, [ASSET])
    except PaymentRejected:
        return None


def encoded(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def test_the_unchanged_payment_parses() -> None:
    assert parse(encoded(GOOD)) is not None


@given(st.text(max_size=400))
@example("\x00")
@example("=" * 4)
def test_any_text(header: str) -> None:
    assert parse(header) is None


@given(st.binary(max_size=400))
@example(b"\xef\xbb\xbf{}")
@example(b'{"x402Version":2e0}')
@example(b'{"x402Version":' + b"9" * 5000 + b"}")
def test_any_bytes_in_base64(raw: bytes) -> None:
    assert parse(base64.b64encode(raw).decode()) is None


@given(JSON)
def test_any_json(value: Any) -> None:
    assert parse(encoded(value)) is None


@given(st.sampled_from(paths(GOOD)), JSON)
def test_any_value_in_any_place(path: tuple[str, ...], wrong: Any) -> None:
    value = copy.deepcopy(GOOD)
    at = value
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = wrong
    parse(encoded(value))


@given(st.sampled_from(paths(GOOD)))
def test_a_lost_member_loses_the_payment_or_an_option(path: tuple[str, ...]) -> None:
    value = copy.deepcopy(GOOD)
    at = value
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    optional = path[0] == "extensions" or path[1:2] in (("extra",), ("maxTimeoutSeconds",))
    assert (parse(encoded(value)) is not None) == (optional and path[-1] != "info")


TEXT = json.dumps(GOOD, separators=(",", ":")).encode()
SALT = b'"salt":"0x' + b"66" * 32 + b'"'


@given(edits(TEXT))
@example(TEXT.replace(b'"amount":"', b'"amount":"1","amount":"'))
@example(TEXT.replace(SALT, SALT + b"," + SALT))
def test_what_is_read_of_an_edited_text_is_what_it_says_once(text: bytes) -> None:
    got = parse(base64.b64encode(text).decode())
    if got is None:
        return

    def keep(members: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in members]
        assert len(names) == len(set(names)), "a key stands twice"
        return dict(members)

    value = json.loads(text.decode("utf-8"), object_pairs_hook=keep)
    signed = value["payload"]["authorization"]
    assert got.authorization.amount == int(signed["value"])
    assert got.authorization.nonce.hex == signed["nonce"]
    assert got.authorization.payer.hex == signed["from"].lower()


@given(
    st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"]),
    st.sampled_from([TEXT.decode(), '["\u0122",' + "[" * 2500 + "]" * 2500 + "]"]),
)
def test_json_is_utf8_without_a_mark(encoding: str, text: str) -> None:
    """In UTF-16 the low byte of U+0122 is a quotation mark, behind which no bracket was counted."""
    raw = text.encode(encoding)
    assert parse(base64.b64encode(raw).decode()) is None


@given(JSON | st.just(GOOD))
def test_a_challenge_is_read_or_refused(value: Any) -> None:
    try:
        read_challenge(encoded(value))
    except RequestRejected:
        return
    raise AssertionError("nothing here is a challenge")
