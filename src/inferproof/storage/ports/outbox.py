"""Transactions of the chain as they are stored, and what became of the payments in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.money import Network
from inferproof.types.payment import Payment, Settlement


class OutboxKind(StrEnum):
    """What a transaction in the outbox is for."""

    SETTLEMENT = "settlement"
    REFUND = "refund"
    PAYOUT = "payout"
    DELIVERY = "delivery"
    BOND = "bond"
    """A server's balance in an escrow is filled or emptied."""
    FILLER = "filler"
    """Nothing: it takes a number that those after it wait for."""


class OutboxState(StrEnum):
    """What is known of a number in the outbox."""

    OPEN = "open"
    """Its transaction is stored; it may have been sent, and may be sent again."""
    INCLUDED = "included"
    """One of its transactions is in a block."""
    DROPPED = "dropped"
    """Another transaction spent the number, so none of its own can ever be in a block."""


@dataclass(frozen=True, slots=True)
class NewTransaction:
    """A signed transaction, to be stored before it is sent. `nonce` is its sender's number.

    Units: what it offers for each gas at most, and of that to who makes the block, in wei.
    """

    network: Network
    sender: Address
    nonce: int
    tx: Digest
    raw: bytes = field(repr=False)
    fee_cap: int = 0
    fee_tip: int = 0


@dataclass(frozen=True, slots=True)
class StoredRaw:
    """One signed transaction of a number, without its bytes."""

    tx: Digest
    fee_cap: int
    fee_tip: int
    attempts: int
    sent_at: int | None


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """A number of a sender, and the transactions that were signed for it, oldest first. At most
    one of them enters the chain. `nonce_spent_at` is when the number was first seen to be spent
    although none of them was in a block."""

    id: int
    kind: OutboxKind
    network: Network
    sender: Address
    nonce: int
    state: OutboxState
    created_at: int
    nonce_spent_at: int | None
    raws: tuple[StoredRaw, ...]

    @property
    def newest(self) -> StoredRaw:
        """The one with the highest fees."""
        return self.raws[-1]


class SettlementStep(StrEnum):
    """What a payment waits for that is not settled, once a settlement of it was stored."""

    SENT = "sent"
    """A transaction in the outbox that carries it."""
    AGAIN = "again"
    """A place in another transaction: it was not tried, or its number was lost."""
    ALONE = "alone"
    """A transaction of its own: its share of a batch's gas may not have been enough."""
    REFUSED = "refused"
    """The token refused it. Until it is over, somebody else may still settle it."""


@dataclass(frozen=True, slots=True)
class Payable:
    """A job as the settler needs it. `doubted_at` is when its payment was first seen to be used
    although no transfer was found."""

    job_id: Digest
    state: JobState
    payment: Payment
    first_block: int
    created_at: int
    settlement: Settlement
    step: SettlementStep | None
    doubted_at: int | None


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block by its number, and by the hash that it had when it was looked at."""

    number: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A transaction of the outbox that is in a block, and what it did with each of its jobs:
    the step that a job waits for next, or None where its money moved."""

    item: OutboxItem
    tx: Digest
    block: BlockRef
    outcomes: Mapping[Digest, SettlementStep | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What was undone because the chain took back the blocks that it rested on: jobs whose
    settlement, and jobs whose refund, is to be included again."""

    settlements: tuple[Digest, ...]
    refunds: tuple[Digest, ...]


class Outbox(Protocol):
    """The numbers of a sender, the transactions signed for them, and the blocks that they came
    into, which may be taken back."""

    async def open_outbox(self, network: Network, sender: Address) -> Sequence[OutboxItem]:
        """The sender's OPEN transactions in the order of their numbers."""
        ...

    async def raw(self, tx: Digest) -> bytes:
        """The bytes of a stored transaction. Raises: NotFound TX_NOT_STORED."""
        ...

    async def free_nonces(
        self, network: Network, sender: Address, *, least: int, count: int
    ) -> Sequence[int]:
        """The lowest `count` numbers from `least` on that no transaction of the sender in the
        outbox ever had. A number that was left out is found again, since all above wait for it.
        """
        ...

    async def replace(self, item: OutboxItem, tx: NewTransaction, *, now: int) -> OutboxItem:
        """Another transaction with the same number and higher fees, beside the earlier ones."""
        ...

    async def fill(
        self, tx: NewTransaction, *, now: int, kind: OutboxKind = OutboxKind.FILLER
    ) -> OutboxItem:
        """A FILLER in the outbox, or a BOND: nothing follows from it but what the chain says."""
        ...

    async def note_sent(self, txs: Sequence[Digest], *, now: int) -> None: ...

    async def note_nonce_spent(self, item: OutboxItem, *, now: int) -> int:
        """When the number was first seen to be spent; `now` where this is the first time."""
        ...

    async def drop(self, item: OutboxItem, *, now: int) -> None:
        """OPEN → DROPPED; payments that it carried wait for another place. For a refund, see
        `refund_lost`."""
        ...

    async def watched(self, network: Network) -> Sequence[BlockRef]:
        """The blocks that money was believed to be in, newest first."""
        ...

    async def unwatch(self, network: Network, *, below: int) -> None:
        """Watches blocks below this number no more: they are too deep to be taken back."""
        ...
