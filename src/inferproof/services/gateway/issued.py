"""The quotes that this process signed lately: whoever sends one back need not have it signed
again to be believed.

Each is kept under its request digest, the newest of a digest alone. They are forgotten in
generations: when the younger one is full it becomes the older one, whose quotes go. What is
forgotten, or was signed by another process, is checked by its signature.
"""

import hmac
from dataclasses import fields
from operator import attrgetter
from typing import Any

from inferproof.services.gateway.base import SignedQuote
from inferproof.types.payment import Quote

KEPT = 50_000
"""Some 18 MB; a dozen seconds of the challenges that one process answers at most."""

_OWN = ("request_digest", "issued_at", "expires_at")
_terms_of = attrgetter(*(each.name for each in fields(Quote) if each.name not in _OWN))
"""What the quotes of one model share, as long as its offer stays as it is."""

_Kept = tuple[bytes, int, int, tuple[Any, ...]]
"""Signature, times, terms: one object for each quote that the garbage collector has to look at."""


class IssuedQuotes:
    """Remembers up to `most` quotes."""

    def __init__(self, most: int = KEPT) -> None:
        self._half = max(1, most // 2)
        self._young: dict[bytes, _Kept] = {}
        self._old: dict[bytes, _Kept] = {}
        self._terms: dict[str, tuple[Any, ...]] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def add(self, signed: SignedQuote) -> None:
        """Remembers a quote that was signed here."""
        quote, terms = signed.quote, _terms_of(signed.quote)
        shared = self._terms.get(quote.model_id)
        if shared != terms:
            self._terms[quote.model_id] = shared = terms
        kept = (signed.signature, quote.issued_at, quote.expires_at, shared)
        self._young[quote.request_digest.raw] = kept
        if len(self._young) >= self._half:
            self._old, self._young, self._terms = self._young, {}, {}

    def holds(self, given: SignedQuote) -> bool:
        """Whether the given quote is remembered, signature and all.

        Soundness: every member of it was in a quote that `add` was given, under this signature.
        """
        quote = given.quote
        key = quote.request_digest.raw
        kept = self._young.get(key) or self._old.get(key)
        if kept is None:
            return False
        signature, issued_at, expires_at, terms = kept
        return (
            hmac.compare_digest(signature, given.signature)
            and (issued_at, expires_at) == (quote.issued_at, quote.expires_at)
            and terms == _terms_of(quote)
        )
