"""What a market on a chain says of those whose models are listed."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from inferproof.types.digest import Address


class ScoreStore(Protocol):
    """The part of the registry of models by which lists are ranked.

    Every method may raise Unavailable STORAGE_UNAVAILABLE or STORAGE_FULL.
    """

    async def providers(self) -> Sequence[Address]:
        """Whose models are active, in the order of addresses."""
        ...

    async def record(self, scores: Mapping[Address, int], *, now: int) -> None:
        """These are the scores, and there are no others: in one transaction."""
        ...

    async def forget(self) -> None:
        """There are no scores, as no market is asked: lists are as they were without."""
        ...
