"""Revenue: how prices are shared, what an order brings its developer, and how that is paid.

Units: amounts in atomic units of one asset, shares in basis points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import OrderDeliveryState
from inferproof.types.job import JobState
from inferproof.types.payment import SettlementState


@dataclass(frozen=True, slots=True)
class Shares:
    """The parts of one price, which sum to it."""

    developer: int
    platform: int

    @property
    def price(self) -> int:
        return self.developer + self.platform


class Unpaid(StrEnum):
    """Why an order has paid its developer nothing, or nothing yet."""

    OPEN = "open"
    NOT_TAKEN = "not_taken"
    TO_GIVE_BACK = "to_give_back"
    GIVEN_BACK = "given_back"
    TO_DELIVER = "to_deliver"
    NOT_DELIVERED = "not_delivered"
    LOST = "lost"
    UNCERTAIN = "uncertain"
    NOT_DEEP = "not_deep"
    NOT_ENTERED = "not_entered"
    ZERO = "zero"
    OWN = "own"
    SMALL = "small"
    WAITS = "waits"
    UNDER_WAY = "under_way"
    CREDITED = "credited"


class Holder(StrEnum):
    """Where the money of an order came in."""

    ACCOUNT = "account"
    """The gateway's own account."""
    ESCROW = "escrow"
    """The gateway's balance in the escrow, until it is taken out."""


class PayoutState(StrEnum):
    """Where a payout stands."""

    DUE = "due"
    """It is in no transaction that could still enter the chain."""
    SENT = "sent"
    """Its transaction is stored, and may have been sent."""
    PAID = "paid"
    """Its transaction is in a block."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one settled order brings: one row of the ledger, which never changes."""

    job_id: Digest
    developer: Address
    shares: Shares


@dataclass(frozen=True, slots=True)
class Standing:
    """The payout that an entry is in. `credited`: the contract keeps the money for the payee."""

    number: int
    state: PayoutState
    credited: bool
    transaction: Digest | None = None
    block: int | None = None


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What the order book says of one order. `is_deep`: the blocks of its settlement and delivery
    are not watched any more, since the chain does not take back one so deep. `number` counts
    orders. Where an escrow pays it has a `delivery`, and `fee` is what the market took of the
    price."""

    number: int
    job_id: Digest
    created_at: int
    model: str
    method: str
    price: int
    state: JobState
    settlement: SettlementState | None
    is_deep: bool
    delivery: OrderDeliveryState | None = None
    fee: int = 0
    entry: Entry | None = None
    payout: Standing | None = None


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One order of a statement. `unpaid` is None where the developer has the money, and says why
    else; then `facts.payout` names the transaction."""

    facts: OrderFacts
    unpaid: Unpaid | None

    @property
    def shares(self) -> Shares:
        """What was entered; nothing where nothing was."""
        return Shares(0, 0) if self.facts.entry is None else self.facts.entry.shares

    @property
    def received_in(self) -> Holder | None:
        """Where the money of both shares came in; None where none was entered."""
        if self.facts.entry is None:
            return None
        return Holder.ACCOUNT if self.facts.delivery is None else Holder.ESCROW


@dataclass(frozen=True, slots=True)
class Balance:
    """What entries that are in no payout add up to for one developer."""

    developer: Address
    amount: int
    orders: int


@dataclass(frozen=True, slots=True)
class PayoutItem:
    """One payment of a payout. `position` is its place, from zero on."""

    position: int
    developer: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Payout:
    """Payments that are made together, wholly or not at all. What it pays never changes.

    `payer` is whose tokens it takes, `contract` the Payouts contract that makes it. Nothing of it
    is on the chain before `first_block`. `attempts` of it failed on the chain.
    """

    number: int
    payer: Address
    contract: Address
    items: Sequence[PayoutItem]
    first_block: int
    created_at: int
    attempts: int = 0
    state: PayoutState = PayoutState.DUE
    transaction: Digest | None = None
    block: int | None = None
    credited: frozenset[int] = frozenset()

    @property
    def total(self) -> int:
        return sum(item.amount for item in self.items)
