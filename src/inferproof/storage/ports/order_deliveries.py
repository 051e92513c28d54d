"""Deliveries of orders in an escrow: one for each job whose money is earned by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.storage.ports.jobs import Failure
from inferproof.storage.ports.outbox import BlockRef, NewTransaction, OutboxItem
from inferproof.types.digest import Digest
from inferproof.types.escrow import OrderDeliveryState
from inferproof.types.job import JobState
from inferproof.types.money import Asset
from inferproof.types.payment import Payment


@dataclass(frozen=True, slots=True)
class OrderDelivery:
    """The delivery of a job's order.

    `transaction` and `block` are those that made it, and `fee` is what the market took of the price
    then, in atomic units; `failure` is why it ended without, where it
    did for another reason than that the job was not answered. `attempts` counts what was sent for
    nothing. Units: `deliver_by` and `updated_at` in Unix seconds.
    """

    job_id: Digest
    job_state: JobState
    payment: Payment
    first_block: int
    deliver_by: int
    state: OrderDeliveryState
    under_way: bool
    attempts: int
    updated_at: int
    transaction: Digest | None = None
    block: int | None = None
    fee: int | None = None
    failure: Failure | None = None


class OrderDeliveries(Protocol):
    """The deliveries of one database. Each is made when its order is taken, and follows its job:
    what is void or refunded is not delivered any more.

    Raises: NotFound ORDER_DELIVERY_UNKNOWN; Conflict ORDER_DELIVERY_NOT_DUE for what is not OPEN,
    or is under way already; Unavailable STORAGE_UNAVAILABLE.
    """

    async def due(self, asset: Asset, *, now: int, limit: int) -> Sequence[OrderDelivery]:
        """Those in this asset that are OPEN, in no open transaction, and may be tried now, of jobs
        that are DONE or FAILED: the earliest `deliver_by` first."""
        ...

    async def carried(self, asset: Asset, item: OutboxItem) -> OrderDelivery | None:
        """The one that the transaction makes; None where it was given up since."""
        ...

    async def of_jobs(self, asset: Asset, *, limit: int) -> Sequence[OrderDelivery]:
        """The newest in this asset, whatever their state."""
        ...

    async def send(self, job_id: Digest, tx: NewTransaction, *, now: int) -> OutboxItem:
        """Its transaction in the outbox, once: it is under way then."""
        ...

    async def delivered(
        self,
        job_id: Digest,
        item: OutboxItem | None,
        tx: Digest,
        block: BlockRef,
        *,
        fee: int,
        now: int,
    ) -> None:
        """OPEN → DELIVERED for the price less the market's fee, the outbox item INCLUDED and its
        block watched. Without an item, by a transaction that this outbox does not hold."""
        ...

    async def put_off(self, job_id: Digest, *, retry_at: int, now: int) -> None:
        """Nothing was sent, and nothing is tried before a time."""
        ...

    async def reverted(
        self, job_id: Digest | None, item: OutboxItem, tx: Digest, block: BlockRef, *, retry_at: int
    ) -> None:
        """Its transaction came into a block and did nothing: the outbox item is INCLUDED, and it is
        OPEN, to be tried again from a time on."""
        ...

    async def ended(self, job_id: Digest, failure: Failure, *, now: int) -> None:
        """OPEN → ENDED."""
        ...
