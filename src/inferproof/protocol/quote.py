"""The quote as an EIP-712 struct, its JSON, and its signature. Source: specs/receipt.md."""

from functools import lru_cache

from inferproof.errors import InferproofError, Reason, RequestRejected
from inferproof.protocol.eip712 import (
    INFERPROOF_DOMAIN,
    Struct,
    address_word,
    digest,
    hash_struct,
    hash_words,
    text_word,
)
from inferproof.protocol.encoding import Json
from inferproof.protocol.fields import Fields
from inferproof.protocol.signature import recover
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.money import Asset, Money, Network
from inferproof.types.payment import Quote

ASSET = Struct(
    "Asset",
    {
        "network": "string",
        "token": "address",
        "symbol": "string",
        "decimals": "uint8",
        "domainName": "string",
        "domainVersion": "string",
    },
)
QUOTE = Struct(
    "Quote",
    {
        "modelId": "string",
        "modelCommitment": "bytes32",
        "proofSystem": "string",
        "provider": "address",
        "asset": ASSET,
        "amount": "uint256",
        "payee": "address",
        "requestDigest": "bytes32",
        "proveMs": "uint64",
        "peakBytes": "uint64",
        "proofBytes": "uint64",
        "verifyGas": "uint64",
        "issuedAt": "uint64",
        "expiresAt": "uint64",
    },
)


def asset_value(asset: Asset) -> dict[str, object]:
    """The asset's fields under the names of its struct."""
    return {
        "network": asset.network.caip2,
        "token": asset.address,
        "symbol": asset.symbol,
        "decimals": asset.decimals,
        "domainName": asset.domain_name,
        "domainVersion": asset.domain_version,
    }


def quote_value(quote: Quote) -> dict[str, object]:
    """The quote's fields under the names of its struct."""
    return {
        "modelId": quote.model_id,
        "modelCommitment": quote.model_commitment,
        "proofSystem": quote.proof_system,
        "provider": quote.provider,
        "asset": asset_value(quote.price.asset),
        "amount": quote.price.amount,
        "payee": quote.payee,
        "requestDigest": quote.request_digest,
        "proveMs": quote.prove_ms,
        "peakBytes": quote.peak_bytes,
        "proofBytes": quote.proof_bytes,
        "verifyGas": quote.verify_gas,
        "issuedAt": quote.issued_at,
        "expiresAt": quote.expires_at,
    }


@lru_cache(maxsize=256)
def _asset_hash(asset: Asset) -> bytes:
    return hash_struct(ASSET, asset_value(asset))


def quote_digest(quote: Quote) -> Digest:
    """The digest that the gateway signs; it is the quote's id.

    Raises: ValueError for a number that does not fit its type.
    """
    numbers = (
        quote.prove_ms,
        quote.peak_bytes,
        quote.proof_bytes,
        quote.verify_gas,
        quote.issued_at,
        quote.expires_at,
    )
    if max(numbers) >= 2**64:
        raise ValueError("a number does not fit uint64")
    hashed = hash_words(
        QUOTE,
        text_word(quote.model_id),
        quote.model_commitment.raw,
        text_word(quote.proof_system),
        address_word(quote.provider),
        _asset_hash(quote.price.asset),
        quote.price.amount,
        address_word(quote.payee),
        quote.request_digest.raw,
        *numbers,
    )
    return digest(INFERPROOF_DOMAIN, hashed)


def check_quote_signature(quote: Quote, signature: bytes, gateway: Address) -> None:
    """Returns when the gateway signed the quote. Raises: RequestRejected QUOTE_SIGNATURE."""
    if recover(quote_digest(quote), signature) != gateway:
        raise RequestRejected(Reason.QUOTE_SIGNATURE, gateway=gateway)


def check_quote_covers(quote: Quote, model: Digest, request: Digest, now: int) -> None:
    """Returns when the quote holds for this model and request at this time.

    Raises: RequestRejected QUOTE_OTHER_MODEL, QUOTE_OTHER_REQUEST, QUOTE_EXPIRED.
    """
    if quote.model_commitment != model:
        raise RequestRejected(Reason.QUOTE_OTHER_MODEL, got=quote.model_commitment, expected=model)
    if quote.request_digest not in (ZERO_DIGEST, request):
        raise RequestRejected(Reason.QUOTE_OTHER_REQUEST)
    if not quote.issued_at <= now < quote.expires_at:
        raise RequestRejected(Reason.QUOTE_EXPIRED, expires_at=quote.expires_at, now=now)


def asset_json(asset: Asset) -> dict[str, Json]:
    """An asset as JSON, with what is needed to compute its EIP-712 domain."""
    return {
        "network": asset.network.caip2,
        "token": asset.address.hex,
        "symbol": asset.symbol,
        "decimals": asset.decimals,
        "domainName": asset.domain_name,
        "domainVersion": asset.domain_version,
    }


def read_asset(fields: Fields) -> Asset:
    """The asset in decoded JSON."""
    asset = Asset(
        network=Network(fields.text("network", most=64)),
        address=fields.address("token"),
        symbol=fields.text("symbol", most=32),
        decimals=fields.integer("decimals", most=36),
        domain_name=fields.text("domainName", most=128),
        domain_version=fields.text("domainVersion", most=32),
    )
    fields.end()
    return asset


def quote_json(quote: Quote) -> dict[str, Json]:
    """The quote as JSON; amounts are decimal strings of atomic units."""
    return {
        "modelId": quote.model_id,
        "modelCommitment": quote.model_commitment.hex,
        "proofSystem": quote.proof_system,
        "provider": quote.provider.hex,
        "asset": asset_json(quote.price.asset),
        "amount": str(quote.price.amount),
        "payee": quote.payee.hex,
        "requestDigest": quote.request_digest.hex,
        "proveMs": quote.prove_ms,
        "peakBytes": quote.peak_bytes,
        "proofBytes": quote.proof_bytes,
        "verifyGas": quote.verify_gas,
        "issuedAt": quote.issued_at,
        "expiresAt": quote.expires_at,
    }


_SAME = (
    *("modelId", "modelCommitment", "proofSystem", "provider", "amount", "payee"),
    *("proveMs", "peakBytes", "proofBytes", "verifyGas"),
)
"""What the quotes of one model have in common; they differ in the request and in two times."""
_OF_ASSET = ("network", "token", "symbol", "decimals", "domainName", "domainVersion")


def read_quote(fields: Fields) -> Quote:
    """The quote in decoded JSON. Raises: RequestRejected FIELD_MALFORMED."""
    value = fields.rest()
    asset = value.get("asset")
    if len(value) == len(_SAME) + 4 and isinstance(asset, dict) and len(asset) == len(_OF_ASSET):
        try:
            # By type as well: to a cache, true is 1.
            like = _read_same(*[value[n] for n in _SAME], *[asset[n] for n in _OF_ASSET])
        except (KeyError, TypeError, InferproofError):  # told below, by the name it has there
            return _read_quote(fields)
        return Quote(
            like.model_id,
            like.model_commitment,
            like.proof_system,
            like.provider,
            like.price,
            like.payee,
            fields.digest("requestDigest"),
            like.prove_ms,
            like.peak_bytes,
            like.proof_bytes,
            like.verify_gas,
            fields.integer("issuedAt"),
            fields.integer("expiresAt"),
        )
    return _read_quote(fields)


@lru_cache(maxsize=64, typed=True)
def _read_same(*values: Json) -> Quote:
    """A quote with what the quotes of one model have in common, read once."""
    same, asset = values[: len(_SAME)], values[len(_SAME) :]
    value: dict[str, Json] = dict(zip(_SAME, same, strict=True))
    value["asset"] = dict(zip(_OF_ASSET, asset, strict=True))
    value |= {"requestDigest": ZERO_DIGEST.hex, "issuedAt": 0, "expiresAt": 0}
    return _read_quote(Fields(value, "quote"))


def _read_quote(fields: Fields) -> Quote:
    quote = Quote(
        model_id=fields.text("modelId", most=128),
        model_commitment=fields.digest("modelCommitment"),
        proof_system=fields.text("proofSystem", most=64),
        provider=fields.address("provider"),
        price=Money(fields.amount("amount"), fields.nested("asset", read_asset)),
        payee=fields.address("payee"),
        request_digest=fields.digest("requestDigest"),
        prove_ms=fields.integer("proveMs"),
        peak_bytes=fields.integer("peakBytes"),
        proof_bytes=fields.integer("proofBytes"),
        verify_gas=fields.integer("verifyGas"),
        issued_at=fields.integer("issuedAt"),
        expires_at=fields.integer("expiresAt"),
    )
    fields.end()
    return quote
