"""The x402 headers: written and read by us, and by the public SDK on the other side."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from eth_account import Account
from x402 import x402ClientSync
from x402.http.utils import (
    decode_payment_required_header,
    decode_payment_response_header,
    encode_payment_signature_header,
)
from x402.mechanisms.evm.exact import ExactEvmClientScheme
from x402.schemas import PaymentPayload, PaymentRequired
from x402_parts import (
    ASSET,
    GATEWAY,
    PAYEE,
    PAYER,
    PROOF,
    QUOTE,
    QUOTE_SIGNATURE,
    REQUEST,
    RESOURCE,
    SALT,
    read,
    signed,
    the_challenge,
)

from inferproof.errors import PaymentRejected, Reason
from inferproof.payments.x402 import (
    Discovery,
    IncomingPayment,
    challenge,
    encode_header,
    parse_payment,
    payment_header,
    payment_payload,
    read_challenge,
    settle_response,
)
from inferproof.payments.x402.wire import requirements
from inferproof.protocol.authorization import check_signature, check_terms
from inferproof.protocol.quote import check_quote_signature
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import Settlement, SettlementState
from inferproof.types.proof import ToldProof

DISCOVERY = Discovery({"input": [1, 2]}, {"type": "object"}, {"label": "fraud"})


def payload(**changes: Any) -> dict[str, Any]:
    """A whole payment, some of its members replaced."""
    value: Any = payment_payload(read(the_challenge()), signed(), SALT, "pay_0123456789abcdef")
    return json.loads(json.dumps(value)) | changes


def parse(value: Any) -> IncomingPayment:
    return parse_payment(encode_header(value), [ASSET])


def sdk_pays(value: dict[str, Any]) -> str:
    """The header with which the unmodified Python client answers a challenge."""
    required = decode_payment_required_header(encode_header(value))
    assert isinstance(required, PaymentRequired)
    client = x402ClientSync()
    client.register("eip155:*", ExactEvmClientScheme(Account.from_key(PAYER.secret())))
    client.set_spend_controls(False)
    return encode_payment_signature_header(client.create_payment_payload(required))


# the challenge


def test_the_sdk_reads_our_challenge() -> None:
    required = decode_payment_required_header(encode_header(the_challenge()))
    assert isinstance(required, PaymentRequired)
    (entry,) = required.accepts
    assert (entry.scheme, entry.network, entry.amount) == ("exact", "eip155:31337", "250000")
    assert (entry.asset, entry.pay_to) == (ASSET.address.hex, PAYEE.hex)
    assert entry.extra == {"name": "Devnet USD", "version": "1"}
    assert required.resource is not None
    assert required.resource.url == RESOURCE.url


@pytest.mark.parametrize("key", ["bazaar", "payment-identifier"])
def test_what_extensions_say_fits_their_schema(key: str) -> None:
    with_discovery = replace(RESOURCE, discovery=DISCOVERY, service_name="inferproof", tags=("ml",))
    value = challenge(
        QUOTE,
        QUOTE_SIGNATURE,
        with_discovery,
        request=REQUEST,
        accepts=[requirements(QUOTE, 300)],
        offers={},
        proof=PROOF,
    )
    extension: Any = value["extensions"]
    assert jsonschema_rs.is_valid(extension[key]["schema"], extension[key]["info"])
    required = decode_payment_required_header(encode_header(value))
    assert isinstance(required, PaymentRequired)
    assert required.resource is not None
    assert required.resource.tags == ["ml"]


def test_without_discovery_nothing_is_listed() -> None:
    assert "bazaar" not in the_challenge()["extensions"]


def test_a_challenge_reads_back() -> None:
    got = read(the_challenge(error="PAYMENT_EXPIRED"))
    assert (got.quote, got.quote_signature, got.request) == (QUOTE, QUOTE_SIGNATURE, REQUEST)
    assert got.max_timeout_s == 300
    check_quote_signature(got.quote, got.quote_signature, GATEWAY.address)


def test_a_challenge_says_what_the_proof_will_be() -> None:
    assert read(the_challenge()).proof == PROOF
    for told, expected in (
        (None, ToldProof()),  # of a gateway of before it was told
        ({"mode": "private", "assurance": "of another release"}, ToldProof()),
        ({"privateInputs": False, "more": 1}, ToldProof(private_inputs=False)),
    ):
        value = the_challenge()
        value["extensions"]["inferproof"]["info"]["proof"] = told
        assert read(value).proof == expected
    value["extensions"]["inferproof"]["info"]["proof"] = {"assurance": 3}
    with rejects(
        Reason.CHALLENGE_MALFORMED,
        "the gateway's offer cannot be read: field proof of the challenge is malformed",
    ):
        read(value)


def test_a_challenge_stays_far_below_header_limits() -> None:
    assert len(encode_header(the_challenge())) < 4096


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda c: c.update(x402Version=1), "it is not of x402 version 2"),
        (lambda c: c.update(extensions=[]), "it has no extensions or no offers"),
        (
            lambda c: c["extensions"].pop("inferproof"),
            "field (whole) of the challenge is malformed",
        ),
        (
            lambda c: c["extensions"]["inferproof"]["info"].update(quoteSignature="0x00"),
            "field quoteSignature of the challenge is malformed",
        ),
        (
            lambda c: c["extensions"]["inferproof"]["info"].update(nonceBinding="other/1"),
            "it asks for the nonce binding 'other/1'",
        ),
        (
            lambda c: c["accepts"][0].update(maxTimeoutSeconds=True),
            "its maxTimeoutSeconds is not between 1 and 86400",
        ),
    ],
)
def test_a_malformed_challenge(change: Callable[[Any], object], problem: str) -> None:
    value = the_challenge()
    change(value)
    with rejects(Reason.CHALLENGE_MALFORMED, f"the gateway's offer cannot be read: {problem}"):
        read(value)


def test_a_challenge_that_is_no_header() -> None:
    with rejects(
        Reason.CHALLENGE_MALFORMED, "the gateway's offer cannot be read: it is not Base64"
    ):
        read_challenge("%%%")
    with rejects(
        Reason.CHALLENGE_MALFORMED,
        "the gateway's offer cannot be read: it is 20000 bytes, the limit is 16384",
    ):
        read_challenge("A" * 20_000)


@pytest.mark.parametrize("field", ["scheme", "network", "asset", "amount", "payTo"])
def test_an_offer_must_have_the_quoted_terms(field: str) -> None:
    value = the_challenge()
    value["accepts"][0][field] = "1"
    with rejects(
        Reason.CHALLENGE_NO_OFFER,
        "none of the gateway's offers has the terms of its signed quote",
    ):
        read(value)


# the payment


def test_our_payment_reads_back() -> None:
    got = parse(payload())
    assert got.authorization == signed()
    assert got.binding_salt == SALT
    assert got.quote == (QUOTE, QUOTE_SIGNATURE)
    assert got.payment_id == "pay_0123456789abcdef"


def test_the_sdk_reads_our_payment() -> None:
    got = PaymentPayload.model_validate(payload())
    assert got.get_scheme() == "exact"
    assert got.extensions is not None
    assert set(got.extensions) == {"inferproof", "payment-identifier"}


def test_we_read_the_sdks_payment() -> None:
    got = parse_payment(sdk_pays(the_challenge()), [ASSET])
    assert got.authorization.payer == PAYER.address
    check_signature(got.authorization)
    check_terms(got.authorization, QUOTE)
    assert got.quote == (QUOTE, QUOTE_SIGNATURE), "the SDK echoes our extension"
    assert (got.binding_salt, got.payment_id) == (None, None)


def test_a_payment_without_extensions_is_a_payment() -> None:
    got = parse(payload(extensions=None))
    assert (got.binding_salt, got.quote, got.payment_id) == (None, None, None)


def test_unknown_members_and_extensions_are_left_alone() -> None:
    value = payload(future=1)
    value["extensions"]["other"] = [1]
    assert parse(value).authorization == signed()


def rejected(value: Any, problem: str) -> None:
    """Asserts that a payment is refused as malformed, for this problem."""
    with rejects(
        Reason.PAYMENT_HEADER_MALFORMED,
        f"the payment header is not an x402 payment: {problem}",
        kind=PaymentRejected,
    ):
        parse(value)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"{", "it is not JSON"),
        (b"\xff", "it is not UTF-8"),
        (b'{"a":1,"a":2}', "a key stands twice in one object"),
        (b'{"a":NaN}', "NaN and infinity are not JSON"),
        (b"[" * 20 + b"]" * 20, "it is nested too deeply"),
        (b"[" * 8000, "it is not JSON"),
        (b"1" * 8000, "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b"{}", "it does not say its x402Version"),
        (b'{"x402Version":true}', "it does not say its x402Version"),
    ],
)
def test_a_header_that_is_not_such_json(raw: bytes, problem: str) -> None:
    with pytest.raises(PaymentRejected) as caught:
        parse_payment(base64.b64encode(raw).decode(), [ASSET])
    assert caught.value.reason is Reason.PAYMENT_HEADER_MALFORMED
    assert caught.value.facts["problem"] in (problem, "it is nested too deeply")


@pytest.mark.parametrize("header", ["é", "a b", "===", "ab\n", "-_-_"])
def test_a_header_that_is_not_base64(header: str) -> None:
    with rejects(
        Reason.PAYMENT_HEADER_MALFORMED,
        "the payment header is not an x402 payment: it is not Base64",
    ):
        parse_payment(header, [ASSET])


def test_a_header_that_is_too_large() -> None:
    with rejects(
        Reason.PAYMENT_HEADER_TOO_LARGE, "the payment header is 16385 bytes, the limit is 16384"
    ):
        parse_payment("A" * 16385, [ASSET])


def test_version_1_is_refused_by_name() -> None:
    message = (
        "the payment is of x402 version 1; send one of version 2 in the header PAYMENT-SIGNATURE"
    )
    with rejects(Reason.PAYMENT_VERSION, message, kind=PaymentRejected):
        parse({"x402Version": 1, "scheme": "exact", "network": "base", "payload": {}})
    with rejects(
        Reason.PAYMENT_VERSION,
        "the payment is of x402 version 1; send one of version 2 in the header PAYMENT-SIGNATURE",
    ):
        payment_header({"x-payment": "e30="})
    assert payment_header({"x-payment": "e30=", "payment-signature": "e30="}) == "e30="
    assert payment_header({}) is None


def test_other_schemes_are_refused() -> None:
    value = payload()
    value["accepted"]["scheme"] = "upto"
    with rejects(
        Reason.PAYMENT_SCHEME,
        "the payment uses the scheme 'upto'; accepted is the scheme exact with an EIP-3009 "
        "authorization",
    ):
        parse(value)


@pytest.mark.parametrize("where", ["extra", "payload"])
def test_permit2_is_refused(where: str) -> None:
    value = payload()
    if where == "extra":
        value["accepted"]["extra"]["assetTransferMethod"] = "permit2"
    else:
        value["payload"] = {"permit2Authorization": {}, "signature": "0x"}
    with rejects(
        Reason.PAYMENT_SCHEME,
        "the payment uses the scheme exact with Permit2; accepted is the scheme exact with an "
        "EIP-3009 authorization",
    ):
        parse(value)


def test_another_network_is_refused() -> None:
    value = payload()
    value["accepted"]["network"] = "eip155:8453"
    with rejects(
        Reason.PAYMENT_NETWORK,
        "the payment is on network eip155:8453; accepted: eip155:31337",
    ):
        parse(value)


def test_another_token_is_refused() -> None:
    value = payload()
    value["accepted"]["asset"] = "0x" + "99" * 20
    with rejects(
        Reason.PAYMENT_ASSET,
        f"the payment is in eip155:31337 0x{'99' * 20}, the price is in eip155:31337 0x{'44' * 20}",
    ):
        parse(value)


def test_what_is_accepted_must_be_what_is_signed() -> None:
    value = payload()
    value["accepted"]["amount"] = "1"
    with rejects(
        Reason.PAYMENT_TERMS_DIFFER,
        "the payment accepts amount 1, its authorization has 250000",
    ):
        parse(value)
    value = payload()
    value["accepted"]["payTo"] = Address(b"\x01" * 20).hex
    with rejects(
        Reason.PAYMENT_TERMS_DIFFER,
        f"the payment accepts payTo 0x{'01' * 20}, its authorization has {PAYEE}",
    ):
        parse(value)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("payload", "signature"), "0x1234"),
        (("payload", "signature"), None),
        (("payload", "authorization"), "text"),
        (("payload", "authorization", "from"), "0x12"),
        (("payload", "authorization", "value"), 250000),
        (("payload", "authorization", "value"), "-1"),
        (("payload", "authorization", "value"), str(2**256)),
        (("payload", "authorization", "validBefore"), "1e9"),
        (("payload", "authorization", "nonce"), "0x00"),
        (("accepted", "network"), "base"),
        (("accepted", "extra"), []),
        (("extensions",), [1]),
        (("extensions", "inferproof"), 1),
        (("extensions", "inferproof", "info"), None),
        (("extensions", "inferproof", "info", "salt"), "0x00"),
        (("extensions", "inferproof", "info", "quote"), {"modelId": 1}),
        (("extensions", "payment-identifier", "info", "id"), 7),
    ],
)
def test_every_member_has_one_type(path: tuple[str, ...], wrong: object) -> None:
    value = payload()
    at: Any = value
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = wrong
    with pytest.raises(PaymentRejected) as caught:
        parse(value)
    assert caught.value.reason is Reason.PAYMENT_HEADER_MALFORMED


def test_the_problem_names_the_field() -> None:
    value = payload()
    value["payload"]["authorization"]["nonce"] = "0x00"
    rejected(value, "field nonce of the payload.authorization is malformed")


# the settlement


def test_the_sdk_reads_our_settlement() -> None:
    settled = Settlement(SettlementState.SETTLED, Digest(b"\x08" * 32), 12)
    header = encode_header(settle_response(settled, PAYER.address, ASSET.network, 250_000))
    got = decode_payment_response_header(header)
    assert got.success
    assert got.transaction == "0x" + "08" * 32
    assert (got.network, got.amount, got.payer) == ("eip155:31337", "250000", PAYER.address.hex)


@pytest.mark.parametrize(
    "state", [SettlementState.PENDING, SettlementState.UNCERTAIN, SettlementState.FAILED]
)
def test_only_a_settled_payment_is_a_success(state: SettlementState) -> None:
    value = settle_response(Settlement(state), PAYER.address, ASSET.network, 250_000)
    got = decode_payment_response_header(encode_header(value))
    assert not got.success
    assert got.error_reason == f"settlement_{state.value}"
