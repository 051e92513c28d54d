"""What the intake of orders asks of rate limits."""

from typing import Protocol

from inferproof.storage.ports.rate_limits import ApiKey
from inferproof.types.digest import Address


class OrderLimits(Protocol):
    """Counts new orders. services.limits.service.Limits is one."""

    async def order(self, payer: Address, holder: ApiKey | None) -> None:
        """Counts a new order of a payer whose signature held, or of the API key it came with.

        Raises: TooMany RATE_LIMITED; Unavailable LIMITER_UNAVAILABLE.
        """
        ...
