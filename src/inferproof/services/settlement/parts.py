"""What the parts of the settler share."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from inferproof.errors import Unavailable
from inferproof.services.base import Clock
from inferproof.services.event_bus import EventBus
from inferproof.services.metrics import Metrics
from inferproof.services.settlement.base import SettlementChain, Settles, SignedTransaction
from inferproof.storage.ports.jobs import Jobs
from inferproof.storage.ports.outbox import NewTransaction, Outbox
from inferproof.storage.ports.settlements import Settlements
from inferproof.types.access import Consumption
from inferproof.types.chain import Fees
from inferproof.types.digest import Digest
from inferproof.types.escrow import Settleable
from inferproof.types.payment import Payment

T = TypeVar("T")
R = TypeVar("R")

log = logging.getLogger("inferproof.settler")


@dataclass(frozen=True, slots=True)
class SettlerSettings:
    """Units: seconds, wei for each gas, blocks.

    `max_open` bounds the transactions that may still enter the chain, `max_new` those of one
    round where each carries many payments; `group_s` is how long payments that come while others
    are under way are gathered. `resend_s` is how long after sending it, a transaction that is in
    no block is sent again, and `dropped_s` the same where the node awaits its number: it may take
    a moment to say that it has it. `raise_s` is how long nothing of ours enters the chain,
    `raise_blocks` blocks passing, before the fees of the next one are raised, up to `max_fee`;
    `gap_s` is how long a number that nothing waits for holds up later ones before it is filled.

    `lost_after_s` is how long the chain must keep saying, on its own clock too, that a number is
    spent, or that a used nonce moved no funds, before it is believed: a node may lag behind.
    `uncertain_after_s` is when a settlement is called uncertain; `reverted_s` is how often one
    that was refused is looked at while somebody else may still settle it. A refund that failed
    on chain is tried again after `refund_pause_s`, then after twice that, and so on up to
    `refund_longest_s`. Blocks less than `reorg_depth` deep may be taken back.
    """

    max_open: int = 64
    max_new: int = 16
    poll_s: float = 0.25
    group_s: float = 0.1
    idle_s: float = 1.0
    resend_s: int = 15
    dropped_s: int = 2
    raise_s: int = 30
    raise_blocks: int = 2
    max_fee: int = 500 * 10**9
    gap_s: int = 15
    lost_after_s: int = 60
    uncertain_after_s: int = 60
    reverted_s: int = 10
    refund_pause_s: int = 15
    refund_longest_s: int = 6 * 3600
    reorg_depth: int = 12
    max_backoff_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything outside of the settler."""

    jobs: Jobs
    settlements: Settlements
    outbox: Outbox
    chain: SettlementChain
    settings: SettlerSettings
    clock: Clock
    metrics: Metrics
    event_bus: EventBus
    methods: Mapping[str, Settles]

    def order(self, payment: Payment) -> Settleable:
        """What the chain is given to take the money, or the order up, as the payment's method
        says."""
        order = self.methods[payment.method].settle(payment)
        assert order is not None  # noqa: S101 - only payments that are still to be settled wait
        return order

    def taken(self, payment: Payment) -> Consumption | None:
        """The call that settled the payment, and that a refund gives back; None for one of money,
        which a refund gives back itself."""
        order = self.methods[payment.method].settle(payment)
        return order if isinstance(order, Consumption) else None

    def fees(self, suggested: Fees) -> Fees:
        """The fees to offer: those suggested, within the operator's limit."""
        cap = min(suggested.cap, self.settings.max_fee)
        return Fees(cap, min(suggested.tip, cap))

    def stored(self, signed: SignedTransaction, fees: Fees) -> NewTransaction:
        """The transaction as the outbox keeps it."""
        return NewTransaction(
            self.chain.asset.network,
            signed.sender,
            signed.nonce,
            signed.tx,
            signed.raw,
            fees.cap,
            fees.tip,
        )


class Faults:
    """What failed in one round, so that one failure holds up nothing else."""

    def __init__(self) -> None:
        self._first: Exception | None = None

    def note(self, error: Exception) -> None:
        self._first = self._first or error

    def tell(self) -> None:
        """Raises: the first failure."""
        if self._first is not None:
            raise self._first


AT_ONCE = 100
"""How many payments one write changes: orders are taken between two writes, and wait for one."""
PAUSE = 2
LONGEST_PAUSE_S = 0.25
"""A write is followed by so many times its length without one, up to this: on SQLite a thousand
payments, stored one write after the other, would leave orders every other turn only."""


async def in_portions(
    items: Sequence[T], size: Callable[[T], int], write: Callable[[list[T]], Awaitable[Sequence[R]]]
) -> list[R]:
    """What the writes returned, each for as many items as AT_ONCE allows, with pauses between."""
    written: list[R] = []
    pause_s = 0.0
    for part in portions(items, size):
        await asyncio.sleep(pause_s)
        begun = time.monotonic()
        written += await write(part)
        pause_s = min(PAUSE * (time.monotonic() - begun), LONGEST_PAUSE_S)
    return written


def portions(items: Sequence[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """The items in their order, as many together as AT_ONCE allows, and at least one."""
    part: list[T] = []
    held = 0
    for item in items:
        if part and held + size(item) > AT_ONCE:
            yield part
            part, held = [], 0
        part.append(item)
        held += size(item)
    if part:
        yield part


async def together(work: Sequence[Coroutine[Any, Any, Any]], faults: Faults) -> list[Any]:
    """The results of all of it, so that writes share commits; without those that failed, which
    are noted. Anything but Unavailable is raised at once."""
    done = []
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, Unavailable):
            faults.note(outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            done.append(outcome)
    return done


def about(job_id: Digest) -> dict[str, Digest]:
    """The job of a line of the log."""
    return {"job": job_id}
