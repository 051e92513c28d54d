"""The ledger of revenue: entries that follow from settled orders, and the payouts of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.storage.ports.outbox import BlockRef, NewTransaction, OutboxItem
from inferproof.types.digest import Address, Digest
from inferproof.types.money import Asset
from inferproof.types.revenue import Balance, Entry, OrderFacts, Payout


@dataclass(frozen=True, slots=True)
class Settled:
    """An order that was answered and paid for, so deep that the chain does not take it back.
    Units: `price` in atomic units, less what the market took of it where an escrow paid."""

    job_id: Digest
    model_id: str
    model_version: str
    price: int


@dataclass(frozen=True, slots=True)
class Period:
    """Orders made in a time. Units: Unix seconds; `until` is not in it. None is without end."""

    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class PayoutTerms:
    """By whom and through which contract payouts are made, and what is too little for one.

    Units: `least` in atomic units. `size` bounds the items of one payout; `first_block` is a block
    that was there before them.
    """

    payer: Address
    contract: Address
    least: int
    size: int
    first_block: int


class Revenue(Protocol):
    """The ledger. An entry is made once for each order, whoever makes it how often.

    Raises: Unavailable STORAGE_UNAVAILABLE.
    """

    async def to_enter(self, asset: Asset, *, limit: int) -> Sequence[Settled]:
        """Orders that earned something and have no entry, the oldest first."""
        ...

    async def enter(self, entries: Sequence[Entry], *, now: int) -> int:
        """How many of the entries are new. One that is there stays as it is."""
        ...

    async def balances(self, asset: Asset) -> Sequence[Balance]:
        """What is in no payout, by developer; developers to whom nothing is due are left out."""
        ...

    async def facts(
        self, asset: Asset, period: Period, *, after: int, limit: int
    ) -> Sequence[OrderFacts]:
        """The next orders after this number, in the order of their numbers."""
        ...

    async def next_number(self) -> int:
        """The number that the next payout will have."""
        ...

    async def plan(
        self, asset: Asset, terms: PayoutTerms, *, first: int, now: int, dry: bool = False
    ) -> Sequence[Payout]:
        """New payouts of all that is in none, from the number `first` on, in one change; none for
        developers to whom less is due than the least, and none for the payer itself. Those that
        would be, where it is `dry`.

        Raises: Conflict PAYOUT_NUMBER_TAKEN where `first` is not the next number any more.
        """
        ...

    async def payouts(self, asset: Asset, *, after: int, limit: int) -> Sequence[Payout]:
        """The next payouts after this number."""
        ...


class Payouts(Protocol):
    """Payouts as the settler needs them. Raises: NotFound PAYOUT_UNKNOWN."""

    async def due(self, asset: Asset, payer: Address, *, now: int, limit: int) -> Sequence[Payout]:
        """The oldest DUE payouts of the payer that may be tried now."""
        ...

    async def carried(self, asset: Asset, item: OutboxItem) -> Payout:
        """The payout in this transaction."""
        ...

    async def send(self, number: int, tx: NewTransaction, *, now: int) -> OutboxItem:
        """DUE → SENT: the transaction in the outbox.

        Raises: Conflict PAYOUT_NOT_DUE; nothing is stored then.
        """
        ...

    async def paid(
        self, number: int, item: OutboxItem, tx: Digest, block: BlockRef, credited: frozenset[int]
    ) -> None:
        """SENT → PAID by this transaction; its block is watched, and the payout SENT again where
        the chain takes that back. `credited` are the positions that wait in the contract."""
        ...

    async def found(
        self, number: int, tx: Digest, block: BlockRef, credited: frozenset[int]
    ) -> None:
        """DUE → PAID by a transaction that is not in this outbox; DUE again where the chain takes
        its block back."""
        ...

    async def failed(self, number: int, item: OutboxItem | None, *, retry_at: int) -> None:
        """DUE again, from `retry_at` on: its transaction failed on the chain, or none is made."""
        ...
