"""What is read from a chain, and offered to it."""

from dataclasses import dataclass
from enum import StrEnum

from inferproof.types.access import Consumption
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Settleable


@dataclass(frozen=True, slots=True)
class Fees:
    """What the sender offers. Units: wei for each gas; the cap includes the tip."""

    cap: int
    tip: int


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at a chain, for one sender.

    `head` and `digest` are the newest block's. Of the sender's numbers, those below `spent` are in
    a block, those below `spent_deep` in one that is deep enough to count, and those below
    `pending` are known to the node, which says of itself whether it is `syncing`. `time` is that
    of the newest block that is deep enough; no later block is from before it. `fees` are what the
    node suggests now.
    Units: `time` in Unix seconds, `base_fee` in wei for each gas.
    """

    head: int
    digest: Digest
    time: int
    spent: int
    spent_deep: int
    pending: int
    base_fee: int
    fees: Fees
    syncing: bool = False


@dataclass(frozen=True, slots=True)
class RefundTerms:
    """What a refund moves, and to whom. Units: `amount` in atomic units.

    With `taken` it gives back the call that this took, and moves nothing.
    """

    to: Address
    amount: int
    taken: Consumption | None = None


class ItemState(StrEnum):
    """What a transaction did with one of the authorizations in it."""

    SETTLED = "settled"
    REFUSED = "refused"
    NOT_TRIED = "not_tried"


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """One authorization, acceptance or consumption after its transaction. `why` is the token's
    reason, empty for the other states.

    `may_lack_gas` is true when the token gave no reason: the item may have used up its share,
    and can succeed in a transaction of its own.
    """

    authorization: Settleable
    state: ItemState
    why: str = ""
    may_lack_gas: bool = False
