"""The Inferproof-Transfer header: Base64 of JSON, as the headers of x402 are."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from inferproof.errors import InferproofError, PaymentRejected, Reason
from inferproof.payments.header import (
    MAX_HEADER_BYTES,
    Hash,
    Natural,
    Signature,
    Text,
    WalletAddress,
    Word,
    decode_header,
    encode_header,
    find_asset,
    read,
    read_signed_quote,
    signed_quote_json,
)
from inferproof.protocol.encoding import Json
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.money import Asset
from inferproof.types.payment import Quote, TransferClaim

TRANSFER_HEADER = "Inferproof-Transfer"
VERSION = 1


class Versioned(Struct):
    """What a claim of any version says of itself."""

    version: Natural


class SignedClaim(Versioned):
    """The Inferproof-Transfer header, decoded. Source: specs/transfer.md."""

    network: Word
    token: Text
    payer: WalletAddress
    payee: WalletAddress
    transaction: Hash
    requestDigest: Hash  # noqa: N815 - the names of the wire
    salt: Hash
    signature: Signature
    logIndex: Natural | None = None  # noqa: N815
    quote: dict[str, Any] | None = None
    quoteSignature: Signature | None = None  # noqa: N815


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
        value = decode_header(header)
        version = read(Versioned, value, "claim").version
        if version != VERSION:
            raise _malformed(f"it is of version {version}, this gateway takes version {VERSION}")
        return _read(read(SignedClaim, value, "claim"), tuple(assets))
    except PaymentRejected:
        raise
    except InferproofError as error:
        raise _malformed(error.message) from None
    except ValueError as error:
        raise _malformed(str(error)) from None


def _read(signed: SignedClaim, assets: tuple[Asset, ...]) -> IncomingTransfer:
    claim = TransferClaim(
        asset=find_asset(signed.network, signed.token, assets, field="token", document="claim"),
        payer=Address.from_hex(signed.payer),
        payee=Address.from_hex(signed.payee),
        transaction=Digest.from_hex(signed.transaction),
        log_index=signed.logIndex,
        request=Digest.from_hex(signed.requestDigest),
        salt=Digest.from_hex(signed.salt),
        signature=bytes.fromhex(signed.signature[2:]),
    )
    if claim.salt == ZERO_DIGEST:  # in a receipt zero stands for no salt
        raise _malformed("its salt is zero; draw 32 random bytes")
    if signed.quote is None:
        return IncomingTransfer(claim)
    return IncomingTransfer(claim, read_signed_quote(signed.quote, signed.quoteSignature, "claim"))


def _malformed(problem: str) -> PaymentRejected:
    return PaymentRejected(Reason.TRANSFER_HEADER_MALFORMED, problem=problem)
