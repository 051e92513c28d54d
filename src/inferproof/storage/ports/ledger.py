"""What the rows add up to: what waits, what is owed, and all entries for a reconciliation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.types.digest import Address
from inferproof.types.job import JobState
from inferproof.types.money import Asset
from inferproof.types.reconciliation import Entry, Scope


@dataclass(frozen=True, slots=True)
class Owed:
    """Refunds that are due or under way. `failing` of them failed on chain before."""

    count: int
    failing: int


PayerKey = tuple[str, Address, Address]
"""Network (CAIP-2), token, payer: what a balance belongs to."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was accepted and is not over: `waiting` jobs are reserved, settling, queued or running.

    `unsettled` has the amounts, by the bytes of the nonce, of each payer's payments whose jobs are
    reserved, settling or withdrawn: they may still settle.
    """

    waiting: int
    unsettled: Mapping[PayerKey, Mapping[bytes, int]]


@dataclass(frozen=True, slots=True)
class Figures:
    """What an operator watches. Units: Unix seconds.

    `oldest` says when the oldest job of a state was ordered, where the state has one and
    something still leaves it; `open_since` is the time of the oldest open transaction.
    """

    jobs: Mapping[JobState, int]
    oldest: Mapping[JobState, int]
    open_transactions: int
    open_since: int | None


class Ledger(Protocol):
    """Jobs and money in sums and in pages. It changes nothing.

    Raises: Unavailable STORAGE_UNAVAILABLE.
    """

    async def depth(self) -> Mapping[JobState, int]:
        """How many jobs are in each state."""
        ...

    async def backlog(self) -> Backlog:
        """What was accepted and is not over. Payments that it told of before are not read again."""
        ...

    async def figures(self) -> Figures:
        """The numbers of /metrics. Counts of jobs that have ended may be a minute old."""
        ...

    async def settled_amounts(self, payer: PayerKey, *, limit: int) -> Sequence[int]:
        """The amounts of up to `limit` payments of this payer that are settled."""
        ...

    async def owed(self) -> Owed:
        """What is to be refunded and was not yet."""
        ...

    async def scope(self, asset: Asset) -> Scope:
        """Where money in this asset can have moved."""
        ...

    async def page(self, asset: Asset, *, after: int, limit: int) -> Sequence[Entry]:
        """The next entries of jobs paid in this asset, in the order of their numbers."""
        ...

    async def orphans(self, asset: Asset, *, limit: int) -> Sequence[Entry]:
        """Entries of reservations whose job is not there."""
        ...
