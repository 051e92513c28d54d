"""What the notifier asks of the world outside."""

from collections.abc import Mapping
from typing import Protocol


class Sender(Protocol):
    """Calls an address that a stranger named."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer; its body is not read.

        Raises: Unavailable WEBHOOK_UNREACHABLE; RequestRejected WEBHOOK_URL, WEBHOOK_ADDRESS.
        Soundness: when it raises, the call may have arrived all the same.
        """
        ...
