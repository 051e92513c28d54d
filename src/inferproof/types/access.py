"""Plans of access on a chain, and what was bought of them."""

from dataclasses import dataclass, field
from enum import IntEnum

from inferproof.types.digest import ZERO_ADDRESS, Address, Digest
from inferproof.types.money import Asset


class PlanKind(IntEnum):
    """What a plan sells. Source: contracts/src/access/Plans.sol."""

    FREE = 1
    """So many calls for each buyer and period, for nothing."""
    PASS = 2
    """Every call from purchase until its end."""
    PACK = 3
    """So many calls, until its end where it has one."""
    SUBSCRIPTION = 4
    """Calls of a period that was paid, and of those that are renewed."""
    LOAD = 5
    """Calls that are paid one by one, at a price that follows the load."""


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What of a plan never changes; with its model, what it is named by.

    Units: `span` and `refund_window` in seconds, `cap` atomic. `span` is a period (free,
    subscription), a window of load, or the time from a purchase to its end (pass, pack; 0 for a
    pack without an end). `calls` are those of a period, of a pack, or of a window in which the
    price reaches the cap; 0 for any number.
    """

    kind: PlanKind
    token: Address = ZERO_ADDRESS
    span: int = 0
    calls: int = 0
    refund_window: int = 0
    transferable: bool = False
    cap: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of a model. Units: `price` atomic, of a purchase, a period, or a call without load."""

    name: Digest
    model: Digest
    terms: PlanTerms
    price: int
    is_open: bool
    sold: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """A pass or a pack that was bought. `right` is its name: what the contract is asked by, and as
    a number the id of its ERC-1155 token.

    Units: times in Unix seconds, `until` None where it has no end; `paid` atomic. `calls` is None
    for any number.
    """

    right: Digest
    refund_until: int
    until: int | None
    calls: int | None
    used: int
    paid: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a subscriber has paid, and allows. Units: times in Unix seconds, `limit` atomic."""

    paid_until: int
    renew_by: int
    renewals: int
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Whether a buyer may call a version, and the least that has to be paid. Units: atomic."""

    entitled: bool
    price: int


@dataclass(frozen=True, slots=True)
class PassClaim:
    """A buyer's signed word that a call of what it bought pays for one request.

    `right` is a right of the contract `access` to calls of `model`, a version; `gateway` is who
    may take the call there. `request` is the digest of the request, `salt` 32 secret random bytes,
    not zero. Units: `valid_before` in Unix seconds; no call is taken by it from then on. `asset`
    is not signed but for its network. Source: specs/access.md.
    """

    asset: Asset
    access: Address
    buyer: Address
    gateway: Address
    model: Digest
    right: Digest
    request: Digest
    salt: Digest
    valid_before: int
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Consumption:
    """What settles a call that was bought before: that its consumer takes it of the right.

    `nonce` makes it single-use, and `mark` is what it carries on the chain. Units: `valid_before`
    in Unix seconds.
    """

    access: Address
    buyer: Address
    model: Digest
    token: Address
    right: Digest
    consumer: Address
    nonce: Digest
    mark: Digest
    valid_before: int

    @property
    def payer(self) -> Address:
        return self.buyer

    @property
    def payee(self) -> Address:
        return self.consumer

    @property
    def amount(self) -> int:
        """Nothing: it was paid when the right was bought."""
        return 0
