"""What following orders asks of a chain, and what is said of an order."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from inferproof.storage.ports.jobs import Failure
from inferproof.types.digest import Digest
from inferproof.types.escrow import OpenOrder, OrderSlot


class OrderFeed(Protocol):
    """The orders of an escrow.

    Raises: Unavailable when the chain cannot be asked.
    """

    async def head(self) -> int:
        """The number of the newest block."""
        ...

    async def requested(self, first: int, last: int) -> Sequence[OpenOrder]:
        """The orders that were made in these blocks, both ends included."""
        ...

    async def slot(self, order: Digest) -> OrderSlot:
        """What the escrow keeps of an order."""
        ...


class Standing(StrEnum):
    """What an order is to this server."""

    SERVABLE = "servable"
    """It is accepted once its input comes in with it."""
    OWN = "own"
    """It is accepted by this server, which owes its delivery or has made it."""
    TAKEN = "taken"
    """Another has accepted it, and its time is not over."""
    REFUSED = "refused"
    """It would not be taken, for the reason that is given."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one order that is not over.

    `model` is its name here. `earns` is what its server would have of price and bond when it is
    delivered now, in atomic units; `why` stands beside REFUSED.
    """

    order: OpenOrder
    standing: Standing
    model: str | None
    earns: int
    has_input: bool
    why: Failure | None = None
