"""Limits for tests of what is not about limits."""

from inferproof.storage.limits.base import ApiKey
from inferproof.types.digest import Address


class Unlimited:
    """OrderLimits that count nothing."""

    async def order(self, payer: Address, holder: ApiKey | None) -> None:  # noqa: ARG002
        return None
