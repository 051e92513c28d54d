"""The books as values: entries of the order book, transfers on the chain, and what disagrees."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique

from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.payment import Settlement

PENDING = (
    JobState.RESERVED,
    JobState.SETTLING,
    JobState.WITHDRAWN,
    JobState.FAILED,
    JobState.REFUNDING,
)
"""States in which money may be about to move."""


@unique
class Fault(Enum):
    """How the books can disagree. The name is the code, the value the sentence."""

    # the order book by itself
    RESERVATION_WITHOUT_JOB = "{payer} paid {amount} units for a job that is not in the order book"
    JOB_WITHOUT_RESERVATION = "the job is {state}, and no payment is reserved for it"
    JOB_WITHOUT_SETTLEMENT = "the job is {state}, and there is no row of its settlement"
    PAID_UNSETTLED = "the job is {state}, but its settlement is {settlement}"
    SETTLED_UNPAID = "the job is {state}, but its settlement is settled"
    ANSWER_MISSING = "the job is done, and there is no answer"
    ANSWER_UNDUE = "there is an answer, but the job is {state}"
    REFUND_MISSING = "the job is {state}, and there is no row of its refund"
    REFUND_UNDUE = "the job is {state}, but a refund is {refund}"
    REFUND_STATE = "the job is {state}, but its refund is {refund}"

    # the order book against the chain
    SETTLEMENT_NOT_FOUND = (
        "the job is {state}, but {amount} units from {payer} did not arrive with its authorization "
        "in block {block}"
    )
    SETTLEMENT_ELSEWHERE = (
        "the order book has the settlement in {tx} of block {block}, the chain in {found} of "
        "block {found_block}"
    )
    SETTLEMENT_OTHER_FUNDS = (
        "the authorization over {amount} units moved {got} units to {to} in {found}"
    )
    SETTLEMENT_TWICE = "the authorization moved its funds in {found}, and again in {again}"
    SETTLEMENT_OF_VOID = "the job is void, but {amount} units of {payer} arrived in {found}"
    SETTLEMENT_SHARED = "the settlement {found} pays for another job as well"
    REFUND_NOT_FOUND = (
        "the job is refunded, but {amount} units did not go to {payer} in {tx} of block {block}"
    )
    REFUND_ELSEWHERE = (
        "the order book has the refund in {tx} of block {block}, the chain in {found} of block "
        "{found_block}"
    )
    REFUND_OTHER_FUNDS = (
        "the refund of {amount} units to {payer} moved {got} units to {to} in {found}"
    )
    REFUND_TWICE = "the job was refunded in {found}, and again in {again}"
    REFUND_UNRECORDED = "the job is {state}, but {amount} units went back to {payer} in {found}"

    # calls that were bought before
    CALL_NOT_FOUND = "the job is {state}, but no call of {payer} was taken in {tx} of block {block}"
    CALL_SHARED = "the call that was taken in {found} is that of another job as well"

    # the accounts
    BALANCE = (
        "{account} held {opening} units before block {first} and holds {closing} after block "
        "{last}; its transfers explain {explained}"
    )


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One disagreement, about a job or, in BALANCE, about an account."""

    fault: Fault
    sentence: str
    job_id: Digest | None = None
    account: Address | None = None

    @property
    def code(self) -> str:
        return self.fault.name

    @property
    def key(self) -> tuple[object, ...]:
        """What it is about. Equal when the same was found again, in other words maybe."""
        return self.fault, self.job_id, self.account


@dataclass(frozen=True, slots=True)
class Reserved:
    """The terms of a reserved payment. Units: `amount` in atomic units. `transaction` is the one
    that holds the transfer, of a payment that was made before it was claimed."""

    payer: Address
    payee: Address
    amount: int
    nonce: Digest
    transaction: Digest | None = None


@dataclass(frozen=True, slots=True)
class RefundEntry:
    """The refund as the order book has it. `transactions` are all that were ever signed to
    refund the job, replaced and dropped ones too: any of them may have moved money."""

    state: str
    transaction: Digest | None
    block: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A job as the order book has it. `state` is None for a reservation without a job, the
    others are None where their row is not there. `number` is the entry's place in the book."""

    number: int
    job_id: Digest
    state: JobState | None
    reserved: Reserved | None
    settlement: Settlement | None
    refund: RefundEntry | None = None
    refund_transactions: tuple[Digest, ...] = ()
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Where the order book says that money in one asset can have moved.

    `accounts` received payments or sent refunds. `first_block` is the earliest that an entry
    names, None while there is none. `left_out` counts payments in other assets.
    """

    accounts: frozenset[Address]
    first_block: int | None
    left_out: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """A Transfer event of the token. Units: `amount` in atomic units; `index` is the event's
    place in its block.

    `nonce` is that of the payer's authorization where the event right before it in the same
    transaction says that it was used up; else the transfer is of another kind.
    """

    tx: Digest
    block: int
    index: int
    sender: Address
    recipient: Address
    amount: int
    nonce: Digest | None = None


@dataclass(frozen=True, slots=True)
class CallTaken:
    """A CallConsumed event of a contract of access. `index` is its place in its block."""

    tx: Digest
    block: int
    index: int
    buyer: Address
    consumer: Address


@dataclass(frozen=True, slots=True)
class Account:
    """An address of ours, with its balance before the first block and after the last."""

    address: Address
    opening: int
    closing: int


@dataclass(frozen=True, slots=True)
class ChainBooks:
    """What the chain says: all transfers to and from the accounts in these blocks, both ends
    included, each once, and all calls that they took of what was bought before; None where no
    contract of those was asked."""

    first_block: int
    last_block: int
    accounts: tuple[Account, ...]
    transfers: tuple[Transfer, ...]
    calls: tuple[CallTaken, ...] | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many, and how much. Units: `amount` in atomic units."""

    count: int = 0
    amount: int = 0

    def plus(self, amount: int) -> "Tally":
        return Tally(self.count + 1, self.amount + amount)


@dataclass(frozen=True, slots=True)
class BooksReport:
    """What was compared, and what disagreed.

    `jobs` are those of the order book by state. `settled` and `refunded` are on the chain in
    these blocks and in the order book; `arriving` and `returning` are on the chain, and the
    order book is about to say so; `earlier` and `later` are settlements and refunds that the
    order book has outside of these blocks. `other_income` and `other_outgo` are transfers that
    belong to no job, `internal` those between two of the accounts. `left_out` counts jobs that
    are paid in another token. `calls` were taken of what was bought before, for jobs of the order
    book, and `other_calls` for none that it has settled.
    """

    first_block: int
    last_block: int
    accounts: tuple[Account, ...]
    jobs: Mapping[JobState, Tally]
    settled: Tally
    refunded: Tally
    arriving: Tally
    returning: Tally
    earlier: Tally
    later: Tally
    other_income: Tally
    other_outgo: Tally
    internal: Tally
    listed: tuple[Transfer, ...]
    discrepancies: tuple[Discrepancy, ...]
    left_out: int = 0
    calls: int = 0
    other_calls: int = 0

    @property
    def balanced(self) -> bool:
        return not self.discrepancies

    @property
    def pending(self) -> Mapping[JobState, Tally]:
        """Amounts that are about to move, by the state of their jobs."""
        return {state: self.jobs.get(state, Tally()) for state in PENDING}

    @property
    def earned(self) -> int:
        """What settlements brought in these blocks less what refunds took, in atomic units."""
        come = self.settled.amount + self.arriving.amount
        return come - self.refunded.amount - self.returning.amount
