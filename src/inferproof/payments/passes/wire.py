"""The Inferproof-Pass header: Base64 of JSON, as the headers of x402 are."""

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
    WalletAddress,
    Word,
    decode_header,
    encode_header,
    malformed,
    read,
    read_signed_quote,
    signed_quote_json,
)
from inferproof.protocol.encoding import Json
from inferproof.protocol.passes import MAX_TIME
from inferproof.types.access import PassClaim
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.money import Asset, Network
from inferproof.types.payment import Quote

PASS_HEADER = "Inferproof-Pass"  # noqa: S105 - no password
VERSION = 1


class VersionedPass(Struct):
    """What a claim of any version says of itself."""

    version: Natural


class SignedPass(VersionedPass):
    """The Inferproof-Pass header, decoded. Source: specs/access.md."""

    network: Word
    access: WalletAddress
    buyer: WalletAddress
    gateway: WalletAddress
    model: Hash
    right: Hash
    requestDigest: Hash  # noqa: N815 - the names of the wire
    salt: Hash
    validBefore: Natural  # noqa: N815
    signature: Signature
    quote: dict[str, Any] | None = None
    quoteSignature: Signature | None = None  # noqa: N815


@dataclass(frozen=True, slots=True)
class IncomingPass:
    """A claim as it came in. Nothing of it is verified but its form and its network.

    `quote` and its signature are present when the buyer sent the ones it was offered.
    """

    claim: PassClaim
    quote: tuple[Quote, bytes] | None = field(default=None, repr=False)


def pass_offer(access: Address) -> dict[str, Json]:
    """How a challenge says that what was bought pays: the header, and of which contract."""
    return {"header": PASS_HEADER, "version": VERSION, "address": access.hex}


def pass_header(claim: PassClaim, quote: Quote, quote_signature: bytes) -> str:
    """The header value that sends a claim, with the quote that it answers."""
    value: dict[str, Json] = {
        "version": VERSION,
        "network": claim.asset.network.caip2,
        "access": claim.access.hex,
        "buyer": claim.buyer.hex,
        "gateway": claim.gateway.hex,
        "model": claim.model.hex,
        "right": claim.right.hex,
        "requestDigest": claim.request.hex,
        "salt": claim.salt.hex,
        "validBefore": claim.valid_before,
        "signature": "0x" + claim.signature.hex(),
        **signed_quote_json(quote, quote_signature),
    }
    return encode_header(value)


def parse_pass(header: str, assets: Iterable[Asset]) -> IncomingPass:
    """The claim that an Inferproof-Pass header holds, on the network of one of these assets.

    Quote and signature may be left out. Members that are not known are left alone.
    Raises: PaymentRejected PASS_HEADER_MALFORMED, PAYMENT_NETWORK.
    """
    if len(header) > MAX_HEADER_BYTES:
        raise _malformed(f"it is {len(header)} bytes, the limit is {MAX_HEADER_BYTES}")
    try:
        value = decode_header(header)
        version = read(VersionedPass, value, "claim").version
        if version != VERSION:
            raise _malformed(f"it is of version {version}, this gateway takes version {VERSION}")
        return _read(read(SignedPass, value, "claim"), tuple(assets))
    except PaymentRejected:
        raise
    except InferproofError as error:
        raise _malformed(error.message) from None
    except ValueError as error:
        raise _malformed(str(error)) from None


def _read(signed: SignedPass, assets: tuple[Asset, ...]) -> IncomingPass:
    if signed.validBefore > MAX_TIME:
        raise malformed("validBefore", "claim")
    claim = PassClaim(
        asset=_asset(signed.network, assets),
        access=Address.from_hex(signed.access),
        buyer=Address.from_hex(signed.buyer),
        gateway=Address.from_hex(signed.gateway),
        model=Digest.from_hex(signed.model),
        right=Digest.from_hex(signed.right),
        request=Digest.from_hex(signed.requestDigest),
        salt=Digest.from_hex(signed.salt),
        valid_before=signed.validBefore,
        signature=bytes.fromhex(signed.signature[2:]),
    )
    if claim.salt == ZERO_DIGEST:  # in a receipt zero stands for no salt
        raise _malformed("its salt is zero; draw 32 random bytes")
    if claim.right == ZERO_DIGEST:  # by which the contract knows the price per call
        raise _malformed("its right is zero, which nobody buys")
    if signed.quote is None:
        return IncomingPass(claim)
    return IncomingPass(claim, read_signed_quote(signed.quote, signed.quoteSignature, "claim"))


def _asset(network: str, assets: tuple[Asset, ...]) -> Asset:
    wanted = Network(network)
    for asset in assets:
        if asset.network == wanted:
            return asset
    known = ", ".join(sorted({str(asset.network) for asset in assets}))
    raise PaymentRejected(Reason.PAYMENT_NETWORK, got=wanted, accepted=known)


def _malformed(problem: str) -> PaymentRejected:
    return PaymentRejected(Reason.PASS_HEADER_MALFORMED, problem=problem)
