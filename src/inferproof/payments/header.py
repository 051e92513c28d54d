"""What all payment headers share: Base64 of JSON in a header, read into typed structures.

    text ──► Base64 ──► read_json: UTF-8, each key once, bounded depth ──► read: msgspec, strict

One reader, for the gateway and for the client. Members that a structure does not name are left
alone: they belong to the sender's other extensions.
"""

import base64
import binascii
import json
from typing import Annotated, Any, TypeVar

import msgspec

from inferproof.errors import InferproofError, PaymentRejected, Reason, RequestRejected
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields
from inferproof.protocol.json_text import NotStrict, read_json
from inferproof.protocol.quote import quote_json, read_quote
from inferproof.types.digest import Address
from inferproof.types.money import MAX_AMOUNT, Asset, Network
from inferproof.types.payment import Quote

S = TypeVar("S", bound=msgspec.Struct)

MAX_HEADER_BYTES = 16 * 1024
"""What Node.js and nginx take as a header at most; ours stay far below."""
MAX_DEPTH = 16

_END = r"$(?!\n)"
"""The end of a text in Python as in JSON Schema: `$` alone would let a line feed follow."""
WalletAddress = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{40}" + _END)]
"""An address in any case: wallets write the checksum of EIP-55 into it."""
Hash = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-f]{64}" + _END)]
Signature = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-f]{130}" + _END)]
Amount = Annotated[str, msgspec.Meta(pattern=r"^(0|[1-9][0-9]{0,77})" + _END)]
"""A uint256 as a decimal string without leading zeros; `uint256` checks its bound."""
_VISIBLE = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*" + _END
"""No control characters, as protocol.fields has it: the text may be shown to a person."""
Text = Annotated[str, msgspec.Meta(max_length=1024, pattern=_VISIBLE)]
Word = Annotated[str, msgspec.Meta(max_length=64, pattern=_VISIBLE)]


Natural = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


def encode_header(value: dict[str, Json]) -> str:
    """The header value of a JSON object: Base64 of its compact UTF-8 text."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return base64.b64encode(text.encode()).decode()


def decode_header(header: str) -> Any:
    """The JSON value that a header holds.

    Raises: ValueError whose text says what is wrong, for other than padded Base64 of JSON as
    protocol.json_text has it.
    """
    try:
        raw = base64.b64decode(header.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("it is not Base64") from None
    try:
        return read_json(raw, depth=MAX_DEPTH)
    except NotStrict:
        raise
    except ValueError:
        raise ValueError("it is not JSON") from None


def read(kind: type[S], value: object, document: str) -> S:
    """The decoded JSON value as a structure.

    Raises: RequestRejected FIELD_MALFORMED, which names the first member that is missing or wrong
    and, below `document`, the object that it belongs to.
    """
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        field, of = _first_wrong(kind, value, document)
        raise malformed(field, of) from None


def malformed(field: str, document: str) -> InferproofError:
    """The rejection that names a member of a document."""
    return RequestRejected(Reason.FIELD_MALFORMED, field=field, document=document)


def uint256(text: Amount, field: str, document: str) -> int:
    """The amount. Raises: RequestRejected FIELD_MALFORMED from 2^256 on."""
    value = int(text)
    if value > MAX_AMOUNT:
        raise malformed(field, document)
    return value


def wallet_address(text: str, field: str, document: str) -> Address:
    """The address, in any case. Raises: RequestRejected FIELD_MALFORMED."""
    try:
        return Address.from_hex(text)
    except InferproofError:
        raise malformed(field, document) from None


def find_asset(
    network: str, token: str, assets: tuple[Asset, ...], *, field: str, document: str
) -> Asset:
    """The one of our assets that a payment is in; `field` names the member that holds the token.

    Raises: PaymentRejected PAYMENT_NETWORK, PAYMENT_ASSET; RequestRejected NETWORK_MALFORMED,
    FIELD_MALFORMED.
    """
    wanted = Network(network)
    on_network = [asset for asset in assets if asset.network == wanted]
    if not on_network:
        known = ", ".join(sorted({str(asset.network) for asset in assets}))
        raise PaymentRejected(Reason.PAYMENT_NETWORK, got=wanted, accepted=known)
    address = wallet_address(token, field, document)
    for asset in on_network:
        if asset.address == address:
            return asset
    expected = " or ".join(f"{asset.network} {asset.address}" for asset in on_network)
    raise PaymentRejected(Reason.PAYMENT_ASSET, got=f"{wanted} {address}", expected=expected)


def signed_quote_json(quote: Quote, signature: bytes) -> dict[str, Json]:
    """A quote and its signature under the names of our headers."""
    return {"quote": quote_json(quote), "quoteSignature": "0x" + signature.hex()}


def read_signed_quote(
    quote: dict[str, Any], signature: Signature | None, document: str
) -> tuple[Quote, bytes]:
    """A quote and its signature, both of which a document carries or neither.

    Raises: RequestRejected FIELD_MALFORMED.
    """
    value = read_quote(Fields(quote, f"{document}.quote"))
    if signature is None:
        raise malformed("quoteSignature", document)
    return value, bytes.fromhex(signature[2:])


def _first_wrong(kind: type[msgspec.Struct], value: object, document: str) -> tuple[str, str]:
    """Member and document that `kind` does not take. msgspec says so too, in a text that is
    written for people and may change."""
    if not isinstance(value, dict):
        return "(whole)", document
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name not in value:
            if field.required:
                return name, document
            continue
        try:
            msgspec.convert(value[name], field.type, strict=True)
        except msgspec.ValidationError:
            is_struct = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
            if is_struct and isinstance(value[name], dict):
                return _first_wrong(field.type, value[name], f"{document}.{name}")
            return name, document
    raise AssertionError(f"{document} fits {kind.__name__} member by member, but not as a whole")
