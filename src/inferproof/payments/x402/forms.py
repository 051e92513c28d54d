"""Payments that look like one that was read before: read and checked in one native call.

    the first of its kind   read by the short way; its text with blanks where values stood is a form
    any other               the form's text compared, its blanks read; digests, signature, binding

A form takes a header whose text differs from that of its first payment in the blanks alone. It
answers with what `parse_payment` answers and the request's digest, where the payer's own key signed
the payment and its salt binds the nonce to the request; or with None, and then the short way is to
be asked. It never refuses.

Soundness: a blank is hex digits inside one string, or one whole number, and was followed and
preceded by what the first payment had there. So all texts of a form are JSON of one structure, and
the general way reads from each the values in its blanks: that it does is tried once, with other
values, before a form is used. What stands beside the blanks was found right in that payment.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from inferproof.errors import PaymentRejected
from inferproof.payments.x402.payment import IncomingPayment, parse_payment
from inferproof.payments.x402.wire import MAX_HEADER_BYTES
from inferproof.protocol.authorization import asset_domain
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset
from inferproof.types.payment import Authorization, Quote

METHOD = b"POST"
MOST = 4
"""Forms of one path: the SDK's, and those of public clients."""
MOST_PATHS = 256
EACH = 64
"""The first payment that no form of its path takes becomes one, and then each so-many-th: a buyer
that writes every payment in another way must not keep the gateway making forms."""

_InQuote = tuple[bytes, int, int, bytes]
Found = tuple[bytes, int, int, bytes, bytes, bytes | None, _InQuote, bytes]
"""Payer, valid after, valid before, nonce, signature, salt; of the quote the request's digest, the
times and the signature; the digest of the request that was sent."""


_TIMES = {"valid_after": 1, "valid_before": 20, "issued_at": 300, "expires_at": 4000}
_BYTES = {
    "payer": b"\x01" * 20,
    "signature": b"\x02" * 65,
    "nonce": b"\x03" * 32,
    "quoted_request": b"\x04" * 32,
    "quote_signature": b"\x05" * 65,
    "ignored": b"\x06" * 32,
    "salt": b"\x07" * 32,
}
"""What a form is tried with: no two are the same."""

_TEXT = rb'"\s*:\s*"'
_HEX = _TEXT + b"0x"
_SECONDS = rb"(0|[1-9][0-9]{0,18})"
_PLACES = {
    name: re.compile(pattern)
    for name, pattern in {
        "payer": rb'"from%b([0-9a-fA-F]{40})"' % _HEX,
        "signature": rb'"signature%b([0-9a-f]{130})"' % _HEX,
        "valid_after": rb'"validAfter%b%b"' % (_TEXT, _SECONDS),
        "valid_before": rb'"validBefore%b%b"' % (_TEXT, _SECONDS),
        "nonce": rb'"nonce%b([0-9a-f]{64})"' % _HEX,
        "issued_at": rb'"issuedAt"\s*:\s*%b(?=[\s,}])' % _SECONDS,
        "expires_at": rb'"expiresAt"\s*:\s*%b(?=[\s,}])' % _SECONDS,
        "quote_signature": rb'"quoteSignature%b([0-9a-f]{130})"' % _HEX,
        "salt": rb'"salt%b([0-9a-f]{64})"' % _HEX,
    }.items()
}
_REQUEST = re.compile(rb'"requestDigest%b([0-9a-f]{64})"' % _HEX)
"""Twice in a payment: in the quote, and beside it where it decides nothing."""


class NativeForm(Protocol):
    """A form in the native module."""

    def read(self, header: bytes, method: bytes, path: bytes, body: bytes) -> Found | None:
        """What stands in the blanks, where signature and binding hold."""
        ...


class MakeForm(Protocol):
    """Makes a form of pieces, and the names of the blanks between them; of the domain in which the
    payments are signed, whom they pay, and how much, as a word. Raises: an exception of its own."""

    def __call__(
        self,
        pieces: Sequence[bytes],
        blanks: Sequence[str],
        domain: bytes,
        payee: bytes,
        amount: bytes,
    ) -> NativeForm: ...


@dataclass(frozen=True, slots=True)
class CheckedPayment:
    """A payment that its payer signed, and the request that its nonce is bound to where it has a
    salt."""

    payment: IncomingPayment
    request: Digest


@dataclass(frozen=True, slots=True)
class Form:
    """A form, and what is the same in all its payments."""

    native: NativeForm
    asset: Asset
    payee: Address
    amount: int
    quote: Quote

    def read(self, header: bytes, path: bytes, body: bytes) -> CheckedPayment | None:
        """The payment in the header, for a request with this path and body."""
        found = self.native.read(header, METHOD, path, body)
        if found is None:
            return None
        payer, after, before, nonce, signature, salt, in_quote, request = found
        quoted, issued_at, expires_at, quote_signature = in_quote
        signed = Authorization(
            self.asset,
            Address(payer),
            self.payee,
            self.amount,
            after,
            before,
            Digest(nonce),
            signature,
        )
        quote = _with(self.quote, quoted, issued_at, expires_at)
        incoming = IncomingPayment(signed, salt, None, (quote, quote_signature))
        return CheckedPayment(incoming, Digest(request))


class Forms:
    """The forms of payments in these assets, by the path of the paid call."""

    def __init__(self, assets: Sequence[Asset], make: MakeForm) -> None:
        self._assets = tuple(assets)
        self._make = make
        self._of: dict[bytes, _OfPath] = {}

    def read(self, header: bytes, path: bytes, body: bytes) -> CheckedPayment | None:
        """The payment of this request, and that it holds; None says nothing about it."""
        known = self._of.get(path)
        if known is None or len(header) > MAX_HEADER_BYTES:
            return None
        for form in known.forms:
            checked = form.read(header, path, body)
            if checked is not None:
                return checked
        return None

    def learn(self, header: bytes, path: bytes, payment: IncomingPayment) -> None:
        """Makes a form of a header that none took, and that this payment was read from and found
        to hold; or leaves it."""
        known = self._of.get(path)
        if known is None:
            while len(self._of) >= MOST_PATHS:
                del self._of[next(iter(self._of))]
            known = self._of[path] = _OfPath([])
        if known.missed % EACH == 0:
            form = self._form(header, payment)
            if form is not None:
                known.forms = [form, *known.forms[: MOST - 1]]
        known.missed += 1

    def _form(self, header: bytes, payment: IncomingPayment) -> Form | None:
        if payment.quote is None or payment.payment_id is not None:
            return None
        try:
            text = binascii.a2b_base64(header, strict_mode=True)
        except ValueError:
            return None
        signed, quote = payment.authorization, payment.quote[0]
        for blanks in _blanks(text):
            ends = [0, *(blank.end for blank in blanks)]
            starts = [*(blank.start for blank in blanks), len(text)]
            pieces = [text[end:start] for end, start in zip(ends, starts, strict=True)]
            names = [blank.name for blank in blanks]
            if self._holds(pieces, names, payment):
                native = self._make(
                    pieces,
                    names,
                    asset_domain(signed.asset).raw,
                    signed.payee.raw,
                    signed.amount.to_bytes(32, "big"),
                )
                return Form(native, signed.asset, signed.payee, signed.amount, quote)
        return None

    def _holds(self, pieces: Sequence[bytes], names: Sequence[str], first: IncomingPayment) -> bool:
        """Whether the general way reads other values from the blanks, and all else as it was."""
        values = [b"%d" % _TIMES[n] if n in _TIMES else _BYTES[n].hex().encode() for n in names]
        text = pieces[0] + b"".join([v + p for v, p in zip(values, pieces[1:], strict=True)])
        assert first.quote is not None  # noqa: S101 - else no form is made
        expected = IncomingPayment(
            replace(
                first.authorization,
                payer=Address(_BYTES["payer"]),
                valid_after=_TIMES["valid_after"],
                valid_before=_TIMES["valid_before"],
                nonce=Digest(_BYTES["nonce"]),
                signature=_BYTES["signature"],
            ),
            None if first.binding_salt is None else _BYTES["salt"],
            None,
            (
                _with(
                    first.quote[0],
                    _BYTES["quoted_request"],
                    _TIMES["issued_at"],
                    _TIMES["expires_at"],
                ),
                _BYTES["quote_signature"],
            ),
        )
        try:
            return parse_payment(base64.b64encode(text).decode(), self._assets) == expected
        except PaymentRejected:
            return False


@dataclass(slots=True)
class _OfPath:
    forms: list[Form]
    missed: int = 0


class _Blank(NamedTuple):
    start: int
    end: int
    name: str


def _blanks(text: bytes) -> Iterator[list[_Blank]]:
    """Where the values of a payment may stand in its text."""
    blanks = []
    for name, place in _PLACES.items():
        found = list(place.finditer(text))
        if len(found) > 1 or (not found and name != "salt"):
            return
        blanks += [_Blank(*each.span(1), name) for each in found]
    requests = [each.span(1) for each in _REQUEST.finditer(text)]
    if len(requests) == 2:
        first, second = requests
        for quoted, ignored in ((first, second), (second, first)):
            names = [_Blank(*quoted, "quoted_request"), _Blank(*ignored, "ignored")]
            yield sorted([*blanks, *names])


def _with(quote: Quote, request: bytes, issued_at: int, expires_at: int) -> Quote:
    """The quote with the members that differ between those of one model."""
    return Quote(
        quote.model_id,
        quote.model_commitment,
        quote.proof_system,
        quote.provider,
        quote.price,
        quote.payee,
        Digest(request),
        quote.prove_ms,
        quote.peak_bytes,
        quote.proof_bytes,
        quote.verify_gas,
        issued_at,
        expires_at,
    )
