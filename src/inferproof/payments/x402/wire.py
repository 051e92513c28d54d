"""Header names, the Base64 JSON of x402 headers, and the parts that several of them share."""

import base64
import binascii
import json
from typing import Any

from inferproof.errors import InferproofError
from inferproof.protocol.encoding import Json, is_json_shallow
from inferproof.protocol.fields import Fields
from inferproof.protocol.quote import quote_json, read_quote
from inferproof.types.digest import Address
from inferproof.types.money import Asset
from inferproof.types.payment import Quote

PAYMENT_REQUIRED = "PAYMENT-REQUIRED"
PAYMENT_SIGNATURE = "PAYMENT-SIGNATURE"
PAYMENT_RESPONSE = "PAYMENT-RESPONSE"
PAYMENT_V1 = "X-PAYMENT"
"""The header of version 1, known only so that its senders can be told."""

VERSION = 2
EXACT = "exact"
EIP3009 = "eip3009"

IDENTIFIER = "payment-identifier"
BAZAAR = "bazaar"
EXTENSION = "inferproof"
"""Keys of the `extensions` object."""

NONCE_BINDING = "inferproof/nonce/1"
"""How the nonce is made of request digest and salt; see protocol.commitments.bound_nonce."""

MAX_HEADER_BYTES = 16 * 1024
"""What Node.js and nginx take as a header at most; a challenge stays far below."""
MAX_DEPTH = 16
JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"


def encode_header(value: dict[str, Json]) -> str:
    """The header value of a JSON object: Base64 of its compact UTF-8 text."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return base64.b64encode(text.encode()).decode()


def decode_header(header: str) -> Any:
    """The JSON value that a header holds.

    Raises: ValueError whose text says what is wrong, for other than padded Base64 of UTF-8
    JSON, a key that stands twice, NaN, deep nesting, or an integer beyond what Python reads.
    """
    try:
        raw = base64.b64decode(header.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("it is not Base64") from None
    if not is_json_shallow(raw, MAX_DEPTH):
        raise ValueError("it is nested too deeply")
    return decode_json(raw)


def decode_json(text: bytes | str) -> Any:
    """The JSON value of a text that is known to be shallow. Raises: as `decode_header`."""
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except _Refused:
        raise
    except ValueError:
        raise ValueError("it is not JSON") from None
    return value


class _Refused(ValueError):
    """JSON that a lenient reader would take."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Refused("a key stands twice in one object")
    return value


def _no_constant(_name: str) -> Any:
    raise _Refused("NaN and infinity are not JSON")


def requirements(quote: Quote, max_timeout_s: int) -> dict[str, Json]:
    """The quote's terms as one entry of `accepts`."""
    asset = quote.price.asset
    return {
        "scheme": EXACT,
        "network": asset.network.caip2,
        "asset": asset.address.hex,
        "amount": str(quote.price.amount),
        "payTo": quote.payee.hex,
        "maxTimeoutSeconds": max_timeout_s,
        "extra": {"name": asset.domain_name, "version": asset.domain_version},
    }


def matches(entry: object, quote: Quote) -> bool:
    """True when an entry of `accepts` has the quote's terms; addresses in any case."""
    expected = requirements(quote, 0)
    if not isinstance(entry, dict):
        return False
    return all(
        str(entry.get(name)).lower() == str(expected[name]).lower()
        for name in ("scheme", "network", "asset", "amount", "payTo")
    )


def signed_quote_json(quote: Quote, signature: bytes) -> dict[str, Json]:
    """A quote and its signature under the names of our extension."""
    return {"quote": quote_json(quote), "quoteSignature": "0x" + signature.hex()}


def read_signed_quote(fields: Fields) -> tuple[Quote, bytes]:
    """A quote and its signature. Raises: RequestRejected FIELD_MALFORMED."""
    return fields.nested("quote", read_quote), fields.hex_bytes("quoteSignature", length=65)


def wallet_address(fields: Fields, field: str) -> Address:
    """An address in any case: wallets write the checksum of EIP-55 into it.

    Raises: RequestRejected FIELD_MALFORMED.
    """
    try:
        return Address.from_hex(fields.take(field, str))
    except InferproofError:
        raise fields.malformed(field) from None


def describe_asset(asset: Asset) -> str:
    """An asset as it is named in messages."""
    return f"{asset.network} {asset.address}"
