"""Orders whose money waits in a contract for a proof. Source: specs/escrow.md."""

from dataclasses import dataclass, field
from enum import IntEnum

from inferproof.types.access import Consumption
from inferproof.types.digest import ZERO_ADDRESS, ZERO_DIGEST, Address, Digest
from inferproof.types.payment import Authorization
from inferproof.types.verifier import ContractAssurance


class OrderStatus(IntEnum):
    """The state of an order in its escrow. It ends in one of the last four."""

    NONE = 0
    """Never made."""
    OPEN = 1
    """Its price is locked, and it waits for a server."""
    ACCEPTED = 2
    """A server has staked its bond, and owes a delivery."""
    PAID = 3
    """Delivered by the server that accepted it, in time."""
    RESCUED = 4
    """Delivered after that time, by any server."""
    REFUNDED = 5
    """Not delivered; the buyer has its money back."""
    CANCELLED = 6
    """Taken back before anybody accepted it."""

    @property
    def is_over(self) -> bool:
        """Whether it stays for ever."""
        return self >= OrderStatus.PAID


@dataclass(frozen=True, slots=True)
class Order:
    """What a buyer locks money for. Its digest for one escrow is its id, and the job id of the
    statement that has to be proven.

    `inputs` is keccak256 of the numbers that the input is quantised to. `plan` is zero for a price
    per call, and `server` where any may accept. Units: `price` and `bond` in the token's atomic
    units; Unix seconds. Who accepts does so until `accept_by`, has the input until `input_by`, and
    delivers alone until `deliver_by`; any server may until `rescue_by`, and a refund is due then.
    """

    buyer: Address
    token: Address
    price: int
    bond: int
    model: Digest
    input_commitment: Digest
    inputs: Digest
    assurance: ContractAssurance
    accept_by: int
    input_by: int
    deliver_by: int
    rescue_by: int
    salt: Digest
    plan: Digest = ZERO_DIGEST
    server: Address = ZERO_ADDRESS


@dataclass(frozen=True, slots=True)
class OrderSlot:
    """What an escrow keeps of an order. `server` has accepted it, and is `given` its input."""

    status: OrderStatus
    server: Address
    given: bool
    own_model: bool
    fee_bps: int
    bond_factor: int


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What settles an order: that its server accepts it, and says that it has the input.

    `id` is the order's in this escrow.
    """

    escrow: Address
    order: Order
    id: Digest
    server: Address

    @property
    def payer(self) -> Address:
        return self.order.buyer

    @property
    def nonce(self) -> Digest:
        """What makes it single-use, as that of an authorization does."""
        return self.id

    @property
    def valid_before(self) -> int:
        """The second from which nobody accepts the order any more."""
        return self.order.accept_by + 1


Settleable = Authorization | Acceptance | Consumption
"""What a settler brings to a chain for a payment."""


@dataclass(frozen=True, slots=True)
class OrderTransaction:
    """A transaction in a block that moved an order on, and for which server."""

    tx: Digest
    block: int
    block_hash: Digest
    server: Address


@dataclass(frozen=True, slots=True)
class OrderedInput:
    """The input that an order is about: the commitment under this salt, and keccak256 of the
    numbers that it is quantised to."""

    commitment: Digest
    numbers: Digest
    salt: Digest = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order as a chain tells of it: its id, the market's fee on it, and the block it was made
    in."""

    id: Digest
    order: Order
    fee_bps: int
    block: int
