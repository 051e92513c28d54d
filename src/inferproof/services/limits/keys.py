"""API keys: made, shown once, recognised.

A key is written inf_ID_SECRET. The id is public and finds the row; the secret is 32 random bytes,
of which the SHA-256 is kept. Nobody can search for a secret of 256 random bits, so a slow hash
would only slow the gateway down.
"""

import hashlib
import hmac
import re
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable

from inferproof.errors import Reason, RequestRejected
from inferproof.services.base import Entropy
from inferproof.storage.ports.rate_limits import ApiKey, ApiKeyStore
from inferproof.types.digest import Digest

PREFIX = "inf_"
LABEL_SIZE = 100
REMEMBERED_S = 5.0
"""How long a key is believed before it is read again: a revoked one ends within so long."""
MOST_REMEMBERED = 4096

_KEY = re.compile(r"inf_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


def new_key(label: str, factor: int, *, entropy: Entropy, now: int) -> tuple[ApiKey, str]:
    """A key to be stored, and its text, which is shown once and never kept.

    Raises: RequestRejected API_KEY_LABEL.
    """
    if not 0 < len(label) <= LABEL_SIZE:
        raise RequestRejected(Reason.API_KEY_LABEL, size=len(label))
    key_id = entropy(8).hex()
    secret = urlsafe_b64encode(entropy(32)).rstrip(b"=").decode()
    return ApiKey(key_id, _digest(secret), label, factor, now), f"{PREFIX}{key_id}_{secret}"


class ApiKeys:
    """Recognises keys, and remembers for a moment which there are."""

    def __init__(self, store: ApiKeyStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._read: OrderedDict[str, tuple[float, ApiKey | None]] = OrderedDict()

    async def holder(self, text: str) -> ApiKey:
        """The key that the text is. Soundness: the secret is compared in constant time.

        Raises: RequestRejected API_KEY_UNKNOWN, whatever is wrong with it.
        """
        found = _KEY.fullmatch(text)
        if found is None:
            raise RequestRejected(Reason.API_KEY_UNKNOWN)
        key = await self._find(found[1])
        given = _digest(found[2])
        expected = given if key is None else key.digest
        same = hmac.compare_digest(given.raw, expected.raw)
        if key is None or not same or key.revoked_at is not None:
            raise RequestRejected(Reason.API_KEY_UNKNOWN)
        return key

    def remembers(self, text: str) -> bool:
        """Whether looking this key up costs no question to the database."""
        found = _KEY.fullmatch(text)
        if found is None:
            return True
        known = self._read.get(found[1])
        return known is not None and self._clock() - known[0] < REMEMBERED_S

    async def _find(self, key_id: str) -> ApiKey | None:
        known = self._read.get(key_id)
        if known is not None and self._clock() - known[0] < REMEMBERED_S:
            return known[1]
        key = await self._store.find(key_id)
        self._read[key_id] = (self._clock(), key)
        self._read.move_to_end(key_id)
        if len(self._read) > MOST_REMEMBERED:
            self._read.popitem(last=False)
        return key


def _digest(secret: str) -> Digest:
    return Digest(hashlib.sha256(secret.encode()).digest())
