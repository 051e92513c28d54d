"""The paid retry: the PAYMENT-SIGNATURE header read and written, and PAYMENT-RESPONSE."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from inferproof.errors import InferproofError, PaymentRejected, Reason
from inferproof.payments.header import (
    MAX_HEADER_BYTES,
    decode_header,
    find_asset,
    read,
    read_signed_quote,
    uint256,
    wallet_address,
)
from inferproof.payments.x402.challenge import Challenge
from inferproof.payments.x402.wire import (
    EIP3009,
    EXACT,
    EXTENSION,
    IDENTIFIER,
    PAYMENT_SIGNATURE,
    PAYMENT_V1,
    VERSION,
    AcceptedTerms,
    ExactPayload,
    Extension,
    IdentifierInfo,
    PaymentInfo,
)
from inferproof.protocol.encoding import Json
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset, Network
from inferproof.types.payment import Authorization, Quote, Settlement, SettlementState

S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class IncomingPayment:
    """A payment as it came in. Nothing of it is verified but its form and its asset.

    `binding_salt` is present when the nonce is announced to bind the request; `quote` and its
    signature when the buyer echoed them; `payment_id` is the buyer's own idempotency key.
    """

    authorization: Authorization
    binding_salt: bytes | None = field(default=None, repr=False)
    payment_id: str | None = None
    quote: tuple[Quote, bytes] | None = field(default=None, repr=False)


def payment_header(headers: Mapping[str, str]) -> str | None:
    """The payment header of a request, or None where it carries no payment.

    `headers` is looked up by lower-case names. Raises: PaymentRejected PAYMENT_VERSION when
    only a payment of version 1 is there.
    """
    header = headers.get(PAYMENT_SIGNATURE.lower())
    if header is None and headers.get(PAYMENT_V1.lower()) is not None:
        raise PaymentRejected(Reason.PAYMENT_VERSION, got=1)
    return header


def parse_payment(header: str, assets: Iterable[Asset]) -> IncomingPayment:
    """The payment that a PAYMENT-SIGNATURE header holds, in one of these assets.

    Raises: PaymentRejected PAYMENT_HEADER_TOO_LARGE, PAYMENT_HEADER_MALFORMED,
    PAYMENT_VERSION, PAYMENT_SCHEME, PAYMENT_NETWORK, PAYMENT_ASSET, PAYMENT_TERMS_DIFFER.
    """
    if len(header) > MAX_HEADER_BYTES:
        raise PaymentRejected(
            Reason.PAYMENT_HEADER_TOO_LARGE, size=len(header), limit=MAX_HEADER_BYTES
        )
    try:
        value = decode_header(header)
    except ValueError as error:
        raise _malformed(str(error)) from None
    return read_payload(value, assets)


def read_payload(value: object, assets: Iterable[Asset]) -> IncomingPayment:
    """The payment of a decoded PaymentPayload object. Raises: as `parse_payment`."""
    if not isinstance(value, dict):
        raise _malformed("it is not a JSON object")
    version = value.get("x402Version")
    if type(version) is not int:
        raise _malformed("it does not say its x402Version")
    if version != VERSION:
        raise PaymentRejected(Reason.PAYMENT_VERSION, got=str(version)[:20])
    payload = value.get("payload")
    try:
        accepted = read(AcceptedTerms, value.get("accepted"), "accepted")
        asset = _asset(accepted, payload, tuple(assets))
        authorization = _authorization(read(ExactPayload, payload, "payload"), asset)
        _check_accepted(accepted, authorization)
        extensions = value.get("extensions")
        salt, quote = _ours(extensions)
        return IncomingPayment(authorization, salt, _identifier(extensions), quote)
    except PaymentRejected:
        raise
    except InferproofError as error:
        raise _malformed(error.message) from None


def _asset(accepted: AcceptedTerms, payload: object, assets: tuple[Asset, ...]) -> Asset:
    method = (accepted.extra or {}).get("assetTransferMethod", EIP3009)
    if accepted.scheme != EXACT:
        raise PaymentRejected(Reason.PAYMENT_SCHEME, got=f"the scheme {accepted.scheme!r}")
    if method != EIP3009 or (isinstance(payload, dict) and "permit2Authorization" in payload):
        raise PaymentRejected(Reason.PAYMENT_SCHEME, got="the scheme exact with Permit2")
    return find_asset(accepted.network, accepted.asset, assets, field="asset", document="accepted")


def _authorization(payload: ExactPayload, asset: Asset) -> Authorization:
    signed, document = payload.authorization, "payload.authorization"
    return Authorization(
        asset=asset,
        payer=Address.from_hex(signed.payer),
        payee=Address.from_hex(signed.to),
        amount=uint256(signed.value, "value", document),
        valid_after=uint256(signed.validAfter, "validAfter", document),
        valid_before=uint256(signed.validBefore, "validBefore", document),
        nonce=Digest.from_hex(signed.nonce),
        signature=bytes.fromhex(payload.signature[2:]),
    )


def _check_accepted(accepted: AcceptedTerms, authorization: Authorization) -> None:
    payee = wallet_address(accepted.payTo, "payTo", "accepted")
    amount = uint256(accepted.amount, "amount", "accepted")
    if payee != authorization.payee:
        raise PaymentRejected(
            Reason.PAYMENT_TERMS_DIFFER,
            field="payTo",
            accepted=payee,
            signed=authorization.payee,
        )
    if amount != authorization.amount:
        raise PaymentRejected(
            Reason.PAYMENT_TERMS_DIFFER,
            field="amount",
            accepted=amount,
            signed=authorization.amount,
        )


def _info(kind: type[S], extensions: object, key: str) -> S | None:
    if extensions is None:
        return None
    if not isinstance(extensions, dict):
        raise _malformed("its extensions are not an object")
    entry = extensions.get(key)
    return None if entry is None else read(kind, read(Extension, entry, key).info, key)


def _ours(extensions: object) -> tuple[bytes | None, tuple[Quote, bytes] | None]:
    info = _info(PaymentInfo, extensions, EXTENSION)
    if info is None:
        return None, None
    salt = None if info.salt is None else bytes.fromhex(info.salt[2:])
    if info.quote is None:
        return salt, None
    return salt, read_signed_quote(info.quote, info.quoteSignature, EXTENSION)


def _identifier(extensions: object) -> str | None:
    info = _info(IdentifierInfo, extensions, IDENTIFIER)
    return None if info is None else info.id


def payment_payload(
    challenge: Challenge, authorization: Authorization, salt: bytes, payment_id: str | None = None
) -> dict[str, Json]:
    """The PaymentPayload with which our client answers a challenge."""
    extensions = dict(challenge.extensions)
    extensions[EXTENSION] = _with_info(extensions[EXTENSION], "salt", "0x" + salt.hex())
    if payment_id is not None and IDENTIFIER in extensions:
        extensions[IDENTIFIER] = _with_info(extensions[IDENTIFIER], "id", payment_id)
    payload: dict[str, Json] = {
        "x402Version": VERSION,
        "payload": {
            "signature": "0x" + authorization.signature.hex(),
            "authorization": {
                "from": authorization.payer.hex,
                "to": authorization.payee.hex,
                "value": str(authorization.amount),
                "validAfter": str(authorization.valid_after),
                "validBefore": str(authorization.valid_before),
                "nonce": authorization.nonce.hex,
            },
        },
        "accepted": dict(challenge.accepted),
        "extensions": {
            key: extensions[key] for key in (EXTENSION, IDENTIFIER) if key in extensions
        },
    }
    if challenge.resource is not None:
        payload["resource"] = challenge.resource
    return payload


def _with_info(entry: Json, name: str, value: str) -> Json:
    base = entry if isinstance(entry, dict) else {}
    info = base.get("info")
    return {**base, "info": {**(info if isinstance(info, dict) else {}), name: value}}


def settle_response(
    settlement: Settlement, payer: Address, network: Network, amount: int
) -> dict[str, Json]:
    """The SettleResponse object of a settlement; `encode_header` makes the header value.

    Only a settled payment is a success. Units: `amount` in atomic units.
    """
    value: dict[str, Json] = {
        "success": settlement.state is SettlementState.SETTLED,
        "payer": payer.hex,
        "transaction": settlement.transaction.hex if settlement.transaction is not None else "",
        "network": network.caip2,
        "amount": str(amount),
    }
    if settlement.state is not SettlementState.SETTLED:
        value["errorReason"] = f"settlement_{settlement.state.value}"
    return value


def _malformed(problem: str) -> PaymentRejected:
    return PaymentRejected(Reason.PAYMENT_HEADER_MALFORMED, problem=problem)
