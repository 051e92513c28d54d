"""The Inferproof-Transfer header: Base64 of JSON, as the headers of x402 are."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from inferproof.errors import InferproofError, PaymentRejected, Reason
from inferproof.payments.x402.wire import (
    MAX_HEADER_BYTES,
    decode_header,
    encode_header,
    read_signed_quote,
    signed_quote_json,
    wallet_address,
)
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields
from inferproof.protocol.transfer import ANY_LOG
from inferproof.types.digest import ZERO_DIGEST
from inferproof.types.money import Asset, Network
from inferproof.types.payment import Quote, TransferClaim

TRANSFER_HEADER = "Inferproof-Transfer"
VERSION = 1


@dataclass(frozen=True, slots=True)
class IncomingTransfer:
    """A claim as it came in. Nothing of it is verified but its form and its asset.

    `quote` and its signature are present when the buyer sent the ones it was offered.
    """

    claim: TransferClaim
    quote: tuple[Quote, bytes] | None = field(default=None, repr=False)


def transfer_offer(confirmations: int, max_age_s: int) -> dict[str, Json]:
    """How a challenge says that earlier transfers pay: the header, and what is asked of one."""
    return {
        "header": TRANSFER_HEADER,
        "version": VERSION,
        "confirmations": confirmations,
        "maxAgeSeconds": max_age_s,
    }


def transfer_header(claim: TransferClaim, quote: Quote, quote_signature: bytes) -> str:
    """The header value that sends a claim, with the quote that it answers."""
    value: dict[str, Json] = {
        "version": VERSION,
        "network": claim.asset.network.caip2,
        "token": claim.asset.address.hex,
        "payer": claim.payer.hex,
        "payee": claim.payee.hex,
        "transaction": claim.transaction.hex,
        "logIndex": claim.log_index,
        "requestDigest": claim.request.hex,
        "salt": claim.salt.hex,
        "signature": "0x" + claim.signature.hex(),
        **signed_quote_json(quote, quote_signature),
    }
    return encode_header(value)


def parse_transfer(header: str, assets: Iterable[Asset]) -> IncomingTransfer:
    """The claim that an Inferproof-Transfer header holds, to a transfer of one of these assets.

    `logIndex`, and quote with signature, may be left out. Members that are not known are left
    alone. Raises: PaymentRejected TRANSFER_HEADER_MALFORMED, PAYMENT_NETWORK, PAYMENT_ASSET.
    """
    if len(header) > MAX_HEADER_BYTES:
        raise _malformed(f"it is {len(header)} bytes, the limit is {MAX_HEADER_BYTES}")
    try:
        fields = Fields(decode_header(header), "claim")
        version = fields.integer("version")
        if version != VERSION:
            raise _malformed(f"it is of version {version}, this gateway takes version {VERSION}")
        return _read(fields, tuple(assets))
    except PaymentRejected:
        raise
    except InferproofError as error:
        raise _malformed(error.message) from None
    except ValueError as error:
        raise _malformed(str(error)) from None


def _read(fields: Fields, assets: tuple[Asset, ...]) -> IncomingTransfer:
    claim = TransferClaim(
        asset=_asset(fields, assets),
        payer=wallet_address(fields, "payer"),
        payee=wallet_address(fields, "payee"),
        transaction=fields.digest("transaction"),
        log_index=fields.integer("logIndex", most=ANY_LOG - 1) if fields.has("logIndex") else None,
        request=fields.digest("requestDigest"),
        salt=fields.digest("salt"),
        signature=fields.hex_bytes("signature", length=65),
    )
    if claim.salt == ZERO_DIGEST:  # in a receipt zero stands for no salt
        raise _malformed("its salt is zero; draw 32 random bytes")
    return IncomingTransfer(claim, read_signed_quote(fields) if fields.has("quote") else None)


def _asset(fields: Fields, assets: tuple[Asset, ...]) -> Asset:
    network, token = Network(fields.text("network", most=64)), wallet_address(fields, "token")
    on_network = [asset for asset in assets if asset.network == network]
    if not on_network:
        known = ", ".join(sorted({str(asset.network) for asset in assets}))
        raise PaymentRejected(Reason.PAYMENT_NETWORK, got=network, accepted=known)
    for asset in on_network:
        if asset.address == token:
            return asset
    expected = " or ".join(f"{asset.network} {asset.address}" for asset in on_network)
    raise PaymentRejected(Reason.PAYMENT_ASSET, got=f"{network} {token}", expected=expected)


def _malformed(problem: str) -> PaymentRejected:
    return PaymentRejected(Reason.TRANSFER_HEADER_MALFORMED, problem=problem)
