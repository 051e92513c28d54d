"""Limits for tests and measurements of what is not about limits."""

from inferproof.storage.ports.rate_limits import ApiKey
from inferproof.types.digest import Address

_FAST = "1000000/minute"
WIDE: dict[str, object] = {
    "rate_requests": _FAST,
    "rate_quotes": _FAST,
    "rate_verifications": _FAST,
    "rate_submissions": _FAST,
    "rate_orders": _FAST,
    "queue_share_percent": 100,
    "unsettled_orders": 1_000_000,
    "unsettled_amount": "1000000000",
    "requests_limit": 100_000,
    "connections_limit": 100_000,
    "connections_per_address": 100_000,
}
"""Settings under which everything is counted and nothing is refused: load from one address."""


class Unlimited:
    """OrderLimits that count nothing."""

    async def order(self, payer: Address, holder: ApiKey | None) -> None:  # noqa: ARG002
        return None
