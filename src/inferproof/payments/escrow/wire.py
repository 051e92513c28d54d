"""The Inferproof-Order header: Base64 of JSON, as the headers of x402 are.

    {"escrow": address, "order": the order's JSON, "salt": 32 bytes, "signature": 65 bytes}

`order` is what `protocol.escrow.order_json` writes. `salt` is the secret under which the order's
`input_commitment` was made of the pre-processed body; the proof is made under it. `signature` is
the buyer's over the order's id, and so the network is that of the asset whose token the order is
in. As in the other headers, `quote` and `quoteSignature` may stand beside them.

The request that carries it is the ordinary paid one, a model's `infer` with the body, and asks for
no private input. A body is the order's where it gives the order's input: its bytes may differ.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from inferproof.errors import InferproofError, PaymentRejected, Reason
from inferproof.payments.header import (
    MAX_HEADER_BYTES,
    Hash,
    Signature,
    WalletAddress,
    decode_header,
    encode_header,
    read,
    read_signed_quote,
    signed_quote_json,
)
from inferproof.protocol.encoding import Json
from inferproof.protocol.escrow import order_id, order_json, read_order
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.escrow import Order
from inferproof.types.money import Asset
from inferproof.types.payment import Quote

ORDER_HEADER = "Inferproof-Order"


class OrderMembers(Struct):
    """The Inferproof-Order header, decoded. Source: specs/escrow.md."""

    escrow: WalletAddress
    order: dict[str, Any]
    salt: Hash
    signature: Signature
    quote: dict[str, Any] | None = None
    quoteSignature: Signature | None = None  # noqa: N815 - the names of the wire


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order in an escrow and its buyer's signature over its id. `asset` is that of its token."""

    asset: Asset
    escrow: Address
    order: Order
    signature: bytes = field(repr=False)

    @property
    def id(self) -> Digest:
        return order_id(self.order, self.asset.network.chain_id, self.escrow)


@dataclass(frozen=True, slots=True)
class IncomingOrder:
    """An order as it came in. Nothing of it is verified but its form and its asset.

    `salt` is that of the order's input commitment. `quote` and its signature are present when the
    buyer sent the ones it was offered.
    """

    signed: SignedOrder
    salt: Digest = field(repr=False)
    quote: tuple[Quote, bytes] | None = field(default=None, repr=False)


def order_offer(escrow: Address) -> dict[str, Json]:
    """How a challenge says that orders pay: the header, and in which escrow they are."""
    return {"header": ORDER_HEADER, "address": escrow.hex}


def order_header(
    signed: SignedOrder, salt: Digest, quote: tuple[Quote, bytes] | None = None
) -> str:
    """The header value that sends an order, with the quote that it answers, where there is one."""
    value: dict[str, Json] = {
        "escrow": signed.escrow.hex,
        "order": order_json(signed.order),
        "salt": salt.hex,
        "signature": "0x" + signed.signature.hex(),
    }
    if quote is not None:
        value |= signed_quote_json(*quote)
    return encode_header(value)


def parse_order(header: str, assets: Iterable[Asset]) -> IncomingOrder:
    """The order that an Inferproof-Order header holds, in one of these assets.

    Members that are not known are left alone, but for those of the order itself, which has one
    form. Raises: PaymentRejected ORDER_HEADER_MALFORMED, PAYMENT_ASSET.
    """
    if len(header) > MAX_HEADER_BYTES:
        raise _malformed(f"it is {len(header)} bytes, the limit is {MAX_HEADER_BYTES}")
    try:
        return _read(read(OrderMembers, decode_header(header), "header"), tuple(assets))
    except PaymentRejected:
        raise
    except InferproofError as error:
        raise _malformed(error.message) from None
    except ValueError as error:
        raise _malformed(str(error)) from None


def _read(members: OrderMembers, assets: tuple[Asset, ...]) -> IncomingOrder:
    order = read_order(members.order)
    signed = SignedOrder(
        asset=_asset(order.token, assets),
        escrow=Address.from_hex(members.escrow),
        order=order,
        signature=bytes.fromhex(members.signature[2:]),
    )
    salt = Digest.from_hex(members.salt)
    if salt == ZERO_DIGEST:  # anybody could try inputs against the commitment
        raise _malformed("its salt is zero; draw 32 random bytes")
    if members.quote is None:
        return IncomingOrder(signed, salt)
    quote = read_signed_quote(members.quote, members.quoteSignature, "header")
    return IncomingOrder(signed, salt, quote)


def _asset(token: Address, assets: tuple[Asset, ...]) -> Asset:
    for asset in assets:
        if asset.address == token:
            return asset
    expected = " or ".join(f"{asset.network} {asset.address}" for asset in assets)
    raise PaymentRejected(Reason.PAYMENT_ASSET, got=token, expected=expected)


def _malformed(problem: str) -> PaymentRejected:
    return PaymentRejected(Reason.ORDER_HEADER_MALFORMED, problem=problem)
