"""What a rate limiter promises, and the API keys that raise limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.protocol.limits import Charge, Verdict
from inferproof.types.digest import Digest


class RateLimiter(Protocol):
    """Buckets by name; see protocol.limits for the rule."""

    async def take(self, charges: Sequence[Charge]) -> Sequence[Verdict]:
        """One verdict for each charge, in order, up to and including the first that is refused;
        those behind it are not made.

        Exact under concurrency: no two calls see the same bucket in the same state.
        Raises: Unavailable LIMITER_UNAVAILABLE when the buckets cannot be reached in time and the
        operator did not choose to allow calls then.
        """
        ...


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored. `digest` is the SHA-256 of its secret, which is not kept; `factor`
    is how many times a stranger's limits its holder has.

    Soundness: the secret has 256 random bits, so a fast hash of it cannot be searched.
    """

    id: str
    digest: Digest
    label: str
    factor: int
    created_at: int
    revoked_at: int | None = None


class ApiKeyStore(Protocol):
    """Raises, everywhere: Unavailable STORAGE_UNAVAILABLE, STORAGE_FULL."""

    async def add(self, key: ApiKey) -> None: ...

    async def find(self, key_id: str) -> ApiKey | None:
        """The key with this id, also when it is revoked."""
        ...

    async def list(self) -> Sequence[ApiKey]:
        """All keys, oldest first."""
        ...

    async def revoke(self, key_id: str, *, now: int) -> ApiKey:
        """The revoked key; again changes nothing. Raises: NotFound API_KEY_NOT_FOUND."""
        ...
