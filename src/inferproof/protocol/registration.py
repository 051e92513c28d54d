"""Registrations of models on a chain: the digest that an owner signs, their bounds, content ids.

Source: specs/registry.md.
"""

import base64
import binascii
import hashlib
import re

from inferproof.errors import Reason, RequestRejected
from inferproof.protocol.eip712 import Struct, digest, domain_separator, hash_struct
from inferproof.protocol.encoding import tagged_digest
from inferproof.types.digest import Address, Digest
from inferproof.types.registry import Registration, TokenPrice

MAX_URI = 256
"""Bytes. As in the contract, like the two below."""
MAX_CONTENT_ID = 64
MAX_PRICES = 8
MAX_AMOUNT = 2**128 - 1
NO_VERIFIER = bytes(4)
SEAL_AGE_S = 60
"""How old a seal is when its registration is taken. As in the contract."""

_PRICE = Struct("TokenPrice", {"token": "address", "amount": "uint128", "accepted": "bool"})
_TERMS = Struct(
    "Terms",
    {
        "verifier": "bytes4",
        "verifyingKey": "bytes32",
        "inputKinds": "uint8",
        "outputKinds": "uint8",
        "metadataDigest": "bytes32",
        "metadataUri": "string",
        "contentId": "bytes",
    },
)
REGISTRATION = Struct(
    "Registration",
    {
        "commitment": "bytes32",
        "model": "bytes32",
        "owner": "address",
        "deadline": "uint64",
        "terms": _TERMS,
        "prices": (_PRICE,),
    },
)
_CID_HEAD = {0x55: b"\x01\x55\x12\x20", 0x70: b"\x01\x70\x12\x20"}
"""CIDv1, its codec (raw, dag-pb), SHA-256, 32 bytes. Source: github.com/multiformats/cid."""
_CID = re.compile(r"b[a-z2-7]{58}")
_PRICE_TEXT = re.compile(r"(0x[0-9a-fA-F]{40})=(none|0|[1-9][0-9]{0,38})")


def registration_digest(registration: Registration, chain_id: int, registry: Address) -> Digest:
    """The digest that the owner signs and seals: for one chain and one contract.

    Raises: ValueError for a number that does not fit its type.
    """
    terms = registration.terms
    value = {
        "commitment": registration.commitment,
        "model": registration.model,
        "owner": registration.owner,
        "deadline": registration.deadline,
        "terms": {
            "verifier": terms.key.verifier,
            "verifyingKey": terms.key.digest,
            "inputKinds": int(terms.inputs),
            "outputKinds": int(terms.outputs),
            "metadataDigest": terms.metadata,
            "metadataUri": terms.metadata_uri,
            "contentId": terms.content_id,
        },
        "prices": [
            {"token": p.token, "amount": p.amount or 0, "accepted": p.amount is not None}
            for p in registration.prices
        ],
    }
    domain = domain_separator("inferproof registry", "1", chain_id, registry)
    return digest(domain, hash_struct(REGISTRATION, value))


def check_registration(registration: Registration) -> Registration:
    """The same registration, when its texts and lists are within the contract's bounds.

    Raises: RequestRejected REGISTRATION_TOO_LONG, REGISTRATION_METADATA.
    """
    terms = registration.terms
    uri = len(terms.metadata_uri.encode())
    check_bound("URI of the metadata", uri, MAX_URI, "bytes")
    check_bound("content id", len(terms.content_id), MAX_CONTENT_ID, "bytes")
    check_bound("list of prices", len(registration.prices), MAX_PRICES, "tokens")
    if bool(uri) != any(terms.metadata.raw):
        raise RequestRejected(Reason.REGISTRATION_METADATA)
    return registration


def check_bound(what: str, got: int, limit: int, unit: str) -> None:
    """Returns when it is short enough. Raises: RequestRejected REGISTRATION_TOO_LONG."""
    if got > limit:
        raise RequestRejected(
            Reason.REGISTRATION_TOO_LONG, what=what, got=got, limit=limit, unit=unit
        )


def verifier_selector(proof_system: str, version: str) -> bytes:
    """The 4 bytes that name the contract verifier of a proof system, for a router of such."""
    tag = "inferproof/contract-verifier/1"
    return tagged_digest(tag, proof_system.encode(), version.encode()).raw[:4]


def raw_content_id(data: bytes) -> bytes:
    """The binary CID of the bytes as one raw block."""
    return _CID_HEAD[0x55] + hashlib.sha256(data).digest()


def content_id_text(content_id: bytes) -> str:
    """A binary CIDv1 in base32, as it is written."""
    return "b" + base64.b32encode(content_id).decode().rstrip("=").lower()


def parse_content_id(text: str) -> bytes:
    """The binary form of a CIDv1 in base32, of a raw block or a DAG, by SHA-256.

    Raises: RequestRejected CONTENT_ID_MALFORMED.
    """
    if _CID.fullmatch(text):
        try:
            raw = base64.b32decode(text[1:].upper() + "======")
        except binascii.Error:
            raw = b""
        if raw[:4] in _CID_HEAD.values() and content_id_text(raw) == text:
            return raw
    raise RequestRejected(Reason.CONTENT_ID_MALFORMED, got=repr(text)[:80])


def parse_price(text: str) -> TokenPrice:
    """A price as TOKEN=AMOUNT, in atomic units, or TOKEN=none.

    Raises: RequestRejected TOKEN_PRICE_MALFORMED.
    """
    match = _PRICE_TEXT.fullmatch(text)
    if match is not None:
        amount = None if match[2] == "none" else int(match[2])
        if amount is None or amount <= MAX_AMOUNT:
            return TokenPrice(Address.from_hex(match[1]), amount)
    raise RequestRejected(Reason.TOKEN_PRICE_MALFORMED, got=repr(text)[:160])
