"""The right to do something for all processes on one database."""

from typing import Protocol


class Turn(Protocol):
    """What one process at a time does for all that share a database, such as settling with a key.

    A turn ends with the process that holds it, or with its connection. Soundness: it may have
    ended just after `mine` said True, so nothing that must happen once may rest on it alone.
    """

    async def mine(self) -> bool:
        """True while this process has the turn; takes it when nobody else does.

        Raises: Unavailable STORAGE_UNAVAILABLE.
        """
        ...

    async def give_back(self) -> None: ...
