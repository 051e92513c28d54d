"""What keeping the books asks of the chain."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from inferproof.types.digest import Address
from inferproof.types.money import Asset
from inferproof.types.reconciliation import CallTaken, Transfer


class BookChain(Protocol):
    """One token on its chain, read only. Raises: Unavailable when it cannot be asked."""

    @property
    def asset(self) -> Asset: ...

    async def last_block(self) -> int:
        """The newest block that is deep enough to count."""
        ...

    async def balance(self, holder: Address, block: int) -> int:
        """The holder's balance after the block, in atomic units.

        Raises: Unavailable BOOKS_NO_STATE where the node keeps no state of that block.
        """
        ...

    async def transfers(
        self, accounts: Iterable[Address], first: int, last: int
    ) -> Sequence[Transfer]:
        """All transfers to or from the accounts in these blocks, both ends included, in order."""
        ...

    async def calls(
        self, consumers: Iterable[Address], first: int, last: int
    ) -> Sequence[CallTaken] | None:
        """All calls of what was bought before that these took in these blocks, in order; None
        where it is told no contract of those."""
        ...
