"""The EIP-3009 authorization: its digest, its JSON, and whether it can pay for a quote."""

from functools import lru_cache

from inferproof.errors import PaymentRejected, Reason, RequestRejected
from inferproof.protocol.eip712 import (
    Struct,
    address_word,
    digest,
    domain_separator,
    hash_words,
)
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields
from inferproof.protocol.quote import asset_json, read_asset
from inferproof.protocol.signature import recover
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset, format_units
from inferproof.types.payment import Authorization, Quote

TRANSFER_WITH_AUTHORIZATION = Struct(
    "TransferWithAuthorization",
    {
        "from": "address",
        "to": "address",
        "value": "uint256",
        "validAfter": "uint256",
        "validBefore": "uint256",
        "nonce": "bytes32",
    },
)
"""Source: EIP-3009, as the one below."""
RECEIVE_WITH_AUTHORIZATION = Struct("ReceiveWithAuthorization", TRANSFER_WITH_AUTHORIZATION.fields)
"""What the payee alone may bring to the token."""


@lru_cache(maxsize=256)
def asset_domain(asset: Asset) -> Digest:
    """The EIP-712 domain separator of the token's authorizations."""
    return domain_separator(
        asset.domain_name, asset.domain_version, asset.network.chain_id, asset.address
    )


def authorization_digest(authorization: Authorization) -> Digest:
    """The digest that the payer signs."""
    return _signed(TRANSFER_WITH_AUTHORIZATION, authorization)


def receive_digest(authorization: Authorization) -> Digest:
    """The digest that the payer signs for a payee that is a contract, and brings it itself."""
    return _signed(RECEIVE_WITH_AUTHORIZATION, authorization)


def _signed(struct: Struct, authorization: Authorization) -> Digest:
    struct_hash = hash_words(
        struct,
        address_word(authorization.payer),
        address_word(authorization.payee),
        authorization.amount,
        authorization.valid_after,
        authorization.valid_before,
        authorization.nonce.raw,
    )
    return digest(asset_domain(authorization.asset), struct_hash)


def authorization_json(authorization: Authorization) -> dict[str, Json]:
    """An authorization as JSON; amount and times are decimal strings, as wallets write them."""
    return {
        "asset": asset_json(authorization.asset),
        "payer": authorization.payer.hex,
        "payee": authorization.payee.hex,
        "amount": str(authorization.amount),
        "validAfter": str(authorization.valid_after),
        "validBefore": str(authorization.valid_before),
        "nonce": authorization.nonce.hex,
        "signature": "0x" + authorization.signature.hex(),
    }


def read_authorization(fields: Fields) -> Authorization:
    """The authorization in decoded JSON. Raises: RequestRejected FIELD_MALFORMED."""
    authorization = Authorization(
        asset=fields.nested("asset", read_asset),
        payer=fields.address("payer"),
        payee=fields.address("payee"),
        amount=fields.amount("amount"),
        valid_after=fields.amount("validAfter"),
        valid_before=fields.amount("validBefore"),
        nonce=fields.digest("nonce"),
        signature=fields.hex_bytes("signature", length=65),
    )
    fields.end()
    return authorization


def check_signature(authorization: Authorization) -> None:
    """Returns when the payer's own key signed the authorization.

    Raises: PaymentRejected PAYMENT_SIGNATURE. Contract wallets (EIP-1271) are not supported.
    """
    try:
        signer = recover(authorization_digest(authorization), authorization.signature)
    except RequestRejected as error:
        raise PaymentRejected(error.reason) from None
    if signer != authorization.payer:
        raise PaymentRejected(Reason.PAYMENT_SIGNATURE, payer=authorization.payer)


def check_terms(authorization: Authorization, quote: Quote) -> None:
    """Returns when asset, payee and amount are the quoted ones.

    The amount must be exact: an overpayment is a mistake that would have to be given back.
    Raises: PaymentRejected PAYMENT_ASSET, PAYMENT_PAYEE, PAYMENT_AMOUNT.
    """
    check_asset_and_payee(authorization.asset, authorization.payee, quote)
    if authorization.amount != quote.price.amount:
        raise PaymentRejected(
            Reason.PAYMENT_AMOUNT,
            got=format_units(authorization.amount, authorization.asset.decimals),
            expected=format_units(quote.price.amount, quote.price.asset.decimals),
            symbol=quote.price.asset.symbol,
        )


def check_asset_and_payee(asset: Asset, payee: Address, quote: Quote) -> None:
    """Returns when a payment in this asset to this payee can be for the quote.

    Raises: PaymentRejected PAYMENT_ASSET, PAYMENT_PAYEE.
    """
    if asset != quote.price.asset:
        raise PaymentRejected(
            Reason.PAYMENT_ASSET,
            got=f"{asset.network} {asset.address}",
            expected=f"{quote.price.asset.network} {quote.price.asset.address}",
        )
    if payee != quote.payee:
        raise PaymentRejected(Reason.PAYMENT_PAYEE, got=payee, expected=quote.payee)


def check_time(authorization: Authorization, now: int, margin: int) -> None:
    """Returns when the authorization is valid now and stays so for `margin` seconds.

    The margin is the time that settling may take: an authorization that would expire on its
    way to the chain is refused before anything is reserved.
    Raises: PaymentRejected PAYMENT_NOT_YET_VALID, PAYMENT_EXPIRED.
    """
    if now <= authorization.valid_after:
        raise PaymentRejected(
            Reason.PAYMENT_NOT_YET_VALID, valid_after=authorization.valid_after, now=now
        )
    if now + margin >= authorization.valid_before:
        raise PaymentRejected(
            Reason.PAYMENT_EXPIRED,
            valid_before=authorization.valid_before,
            now=now,
            margin=margin,
        )


def check_end(authorization: Authorization, now: int, longest: int) -> None:
    """Returns when the authorization ends within `longest` seconds from now.

    Until it ends a settlement that failed may still be made by somebody else, so that its job
    cannot be closed: without a limit it would hold a place for ever.
    Raises: PaymentRejected PAYMENT_TOO_LONG.
    """
    if authorization.valid_before > now + longest:
        raise PaymentRejected(
            Reason.PAYMENT_TOO_LONG,
            valid_before=authorization.valid_before,
            now=now,
            longest=longest,
        )
