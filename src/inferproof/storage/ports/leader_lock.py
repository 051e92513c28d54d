"""The right to do something for all processes on one database."""

from typing import Protocol


class LeaderLock(Protocol):
    """What one process at a time does for all that share a database, such as settling with a key.

    A lock is released when the process that holds it ends, or its connection. Soundness: it may
    have been released just after `held` said True, so nothing that must happen once may rest on it
    alone.
    """

    async def held(self) -> bool:
        """True while this process holds the lock; takes it when nobody else does.

        Raises: Unavailable STORAGE_UNAVAILABLE.
        """
        ...

    async def release(self) -> None: ...
