"""The quotes that this process signed lately: whoever sends one back need not have it signed
again to be believed.

Each is kept under its request digest, the newest of a digest alone. They are forgotten in
generations: when the younger one is full it becomes the older one, whose quotes go. What is
forgotten, or was signed by another process, is checked by its signature.
"""

import hmac

from inferproof.services.gateway.base import SignedQuote

KEPT = 20_000
"""About 12 MB; ten seconds of the challenges that one process answers at most."""


class IssuedQuotes:
    """Remembers up to `most` quotes."""

    def __init__(self, most: int = KEPT) -> None:
        self._half = max(1, most // 2)
        self._young: dict[bytes, SignedQuote] = {}
        self._old: dict[bytes, SignedQuote] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def add(self, signed: SignedQuote) -> None:
        """Remembers a quote that was signed here."""
        self._young[signed.quote.request_digest.raw] = signed
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}

    def find(self, given: SignedQuote) -> SignedQuote | None:
        """The remembered quote that is the given one, signature and all; None where none is.

        Soundness: it answers only with what `add` was given, so what it finds was signed here.
        """
        key = given.quote.request_digest.raw
        known = self._young.get(key) or self._old.get(key)
        if known is None or not hmac.compare_digest(known.signature, given.signature):
            return None
        return known if known.quote == given.quote else None
