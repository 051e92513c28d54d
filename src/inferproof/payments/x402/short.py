"""The PAYMENT-SIGNATURE header read by a shorter way, where it looks like most do.

    decode by type      msgspec, in one pass, into the members that are known
    what repeats        accepted terms, schemas, the resource: checked once, then known by its bytes
    a signed quote      what the quotes of one model share is read once; three members differ
    every key once      by counting: a key that stands twice leaves quotation marks over

It answers with what `parse_payment` answers, or with None, and then `parse_payment` is to be asked.
It never refuses. Members in another order or unknown ones are nothing wrong, and take the long way.
"""

import binascii
import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec import DecodeError, Raw, Struct, field
from msgspec.json import Decoder

from inferproof.errors import InferproofError
from inferproof.payments.x402.payment import IncomingPayment, read_identifier, read_terms
from inferproof.payments.x402.wire import (
    MAX_DEPTH,
    MAX_HEADER_BYTES,
    NONCE_BINDING,
    VERSION,
    decode_json,
)
from inferproof.protocol.encoding import is_json_shallow
from inferproof.protocol.fields import Fields
from inferproof.protocol.quote import read_quote
from inferproof.types.digest import Address, Digest
from inferproof.types.money import MAX_AMOUNT, Asset
from inferproof.types.payment import Authorization, Quote

NOTHING = Raw()
_LEVELS = 4
"""How deep in the header a part lies at most."""
_KEPT = 256
"""Parts that are known, each of 16 KiB at most."""


class _Authorization(Struct, forbid_unknown_fields=True):
    to: str
    value: str
    validAfter: str  # noqa: N815 - the wire's names
    validBefore: str  # noqa: N815
    nonce: str
    payer: str = field(name="from")


class _Payload(Struct, forbid_unknown_fields=True):
    signature: str
    authorization: _Authorization


class _Info(Struct, forbid_unknown_fields=True):
    quote: Raw
    quoteSignature: str  # noqa: N815
    requestDigest: str  # noqa: N815
    nonceBinding: str  # noqa: N815
    salt: str = ""
    transfer: Raw = NOTHING


class _Ours(Struct, forbid_unknown_fields=True):
    info: _Info
    schema: Raw = NOTHING


class _Extensions(Struct, forbid_unknown_fields=True):
    inferproof: _Ours
    identifier: Raw = field(name="payment-identifier", default=NOTHING)
    bazaar: Raw = NOTHING


class _Payment(Struct, forbid_unknown_fields=True):
    x402Version: Raw  # noqa: N815
    payload: _Payload
    accepted: Raw
    extensions: _Extensions
    resource: Raw = NOTHING


_decode = Decoder(_Payment).decode
_STRINGS = 28
"""Keys and texts that stand in every header of these types, outside of its Raw parts."""
_VERSION = str(VERSION).encode()

_AMOUNT = "(0|[1-9][0-9]{0,77})"
_VALUES = re.compile(
    f"0x([0-9a-fA-F]{{40}}) 0x([0-9a-fA-F]{{40}}) {_AMOUNT} {_AMOUNT} {_AMOUNT} "
    "0x([0-9a-f]{64}) 0x([0-9a-f]{130}) 0x([0-9a-f]{130}) (?:0x([0-9a-f]{64}))? 0x[0-9a-f]{64}"
)
_TIME = rb"(0|[1-9][0-9]{0,18})"
_QUOTE = re.compile(
    rb'(\{.*"requestDigest":")0x([0-9a-f]{64})(",.*"issuedAt":)%b,"expiresAt":%b\}' % (_TIME, _TIME)
)
_ANY_DIGEST = b"0x" + b"00" * 32


class ShortReader:
    """Reads payments in these assets."""

    def __init__(self, assets: Sequence[Asset]) -> None:
        self._assets = tuple(assets)
        self._terms = lru_cache(_KEPT)(self._read_terms)

    def read(self, header: str) -> IncomingPayment | None:
        """The payment in the header; None says nothing about it."""
        if len(header) > MAX_HEADER_BYTES:
            return None
        try:
            text = binascii.a2b_base64(header, strict_mode=True)
            value = _decode(text)
        except (DecodeError, ValueError):
            return None
        accepted, extensions = value.accepted, value.extensions
        info, identifier = extensions.inferproof.info, extensions.identifier
        terms = self._terms(bytes(accepted))
        if terms is None or bytes(value.x402Version) != _VERSION:
            return None
        known = [terms[0], _quotes_and_escapes(bytes(info.quote))]
        strings = _STRINGS + (2 if info.salt else 0)
        ours = extensions.inferproof
        for part in (info.transfer, ours.schema, value.resource, identifier, extensions.bazaar):
            if part is not NOTHING:
                found = _known(bytes(part))
                if found is None:
                    return None
                known.append(found)
                strings += 1
        marks = sum([quotes for quotes, _ in known]) + 2 * strings
        escapes = sum([escapes for _, escapes in known])
        if text.count(b'"') != marks or text.count(b"\\") != escapes:
            return None  # a key stands twice, or a key or text is written with escapes
        payment_id = None
        if identifier is not NOTHING:
            payment_id, is_fine = _identifier(bytes(identifier))
            if not is_fine:
                return None
        return _payment(value, info, terms, payment_id)

    def _read_terms(self, part: bytes) -> "_Terms | None":
        counts = _known(part)
        if counts is None:
            return None
        try:
            value = Fields(decode_json(part.decode()), "accepted")
            return (counts, *read_terms(value, self._assets))
        except (InferproofError, ValueError):
            return None


_Counts = tuple[int, int]
_Terms = tuple[_Counts, Asset, Address, int]


def _payment(
    value: _Payment, info: _Info, terms: _Terms, payment_id: str | None
) -> IncomingPayment | None:
    signed = value.payload.authorization
    found = _VALUES.fullmatch(
        f"{signed.payer} {signed.to} {signed.value} {signed.validAfter} {signed.validBefore} "
        f"{signed.nonce} {value.payload.signature} {info.quoteSignature} {info.salt} "
        f"{info.requestDigest}"
    )
    quote = _quote(bytes(info.quote))
    if found is None or quote is None or info.nonceBinding != NONCE_BINDING:
        return None
    payer, to, amount, after, before, nonce, signature, quote_signature, salt = found.groups()
    _, asset, payee, price = terms
    numbers = (int(amount), int(after), int(before))
    if bytes.fromhex(to) != payee.raw or numbers[0] != price or max(numbers) > MAX_AMOUNT:
        return None
    return IncomingPayment(
        Authorization(
            asset,
            Address(bytes.fromhex(payer)),
            payee,
            *numbers,
            Digest(bytes.fromhex(nonce)),
            bytes.fromhex(signature),
        ),
        None if salt is None else bytes.fromhex(salt),
        payment_id,
        (quote, bytes.fromhex(quote_signature)),
    )


def _quote(text: bytes) -> Quote | None:
    """The quote, in the one text that a gateway writes."""
    found = _QUOTE.fullmatch(text)
    if found is None or b"\\" in text:
        return None
    head, digest, middle, issued_at, expires_at = found.groups()
    like = _like(head, middle)
    if like is None:
        return None
    return Quote(
        like.model_id,
        like.model_commitment,
        like.proof_system,
        like.provider,
        like.price,
        like.payee,
        Digest(bytes.fromhex(digest.decode())),
        like.prove_ms,
        like.peak_bytes,
        like.proof_bytes,
        like.verify_gas,
        int(issued_at),
        int(expires_at),
    )


@lru_cache(_KEPT)
def _like(head: bytes, middle: bytes) -> Quote | None:
    """A quote with what stands between the members that differ.

    Soundness: without escapes a quotation mark begins or ends a text, so that where the pattern
    found `"requestDigest":"` is a key; the general reader refuses it anywhere but in its place.
    """
    text = head + _ANY_DIGEST + middle + b'0,"expiresAt":0}'
    try:
        return read_quote(Fields(decode_json(text.decode()), "quote"))
    except (InferproofError, ValueError):
        return None


@lru_cache(_KEPT)
def _known(part: bytes) -> _Counts | None:
    """How many quotation marks and backslashes a part has, once it is JSON as we take it."""
    try:
        if not is_json_shallow(part, MAX_DEPTH - _LEVELS):
            return None
        decode_json(part.decode())
    except ValueError:
        return None
    return _quotes_and_escapes(part)


def _quotes_and_escapes(part: bytes) -> _Counts:
    return part.count(b'"'), part.count(b"\\")


@lru_cache(_KEPT)
def _identifier(part: bytes) -> tuple[str | None, bool]:
    """The payment id in the extension that carries one, and whether it can be read."""
    try:
        return read_identifier(decode_json(part.decode())), True
    except (InferproofError, ValueError):
        return None, False
