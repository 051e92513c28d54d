"""The money of jobs: what is to be settled or refunded, and what the chain did with it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from inferproof.storage.ports.jobs import Failure, Job
from inferproof.storage.ports.outbox import (
    Inclusion,
    NewTransaction,
    OutboxItem,
    Payable,
    TakenBack,
)
from inferproof.types.digest import Digest
from inferproof.types.money import Asset, Network


class Settlements(Protocol):
    """Settlements and refunds of jobs. Each change of state is one transition of
    protocol.lifecycle, made by a guarded update inside one transaction.

    Raises: Conflict JOB_TRANSITION_ILLEGAL where the state does not allow the transition, NotFound
    JOB_UNKNOWN.
    """

    async def to_settle(self, asset: Asset, *, limit: int) -> Sequence[Payable]:
        """The payments in this asset that wait for a place in a transaction: the oldest whose step
        is AGAIN or ALONE, and then those of jobs that are RESERVED, in their turn."""
        ...

    async def refused(self, asset: Asset, *, limit: int) -> Sequence[Payable]:
        """The oldest payments that are not sent any more and may be settled by somebody else: the
        step REFUSED, or a job that is WITHDRAWN and in no open transaction."""
        ...

    async def payables(
        self, asset: Asset, items: Sequence[OutboxItem]
    ) -> Mapping[int, tuple[Payable, ...]]:
        """The jobs that each of the transactions carries, by the item's id, in their order."""
        ...

    async def send_settlements(
        self, sendings: Sequence[tuple[Sequence[Digest], NewTransaction]], *, now: int
    ) -> Sequence[OutboxItem]:
        """Transactions in the outbox, each with the jobs that it settles, in one change: those
        that are RESERVED become SETTLING; others must wait for a place, see `to_settle`.

        Raises: Conflict JOB_TRANSITION_ILLEGAL where one does neither; nothing is stored then.
        """
        ...

    async def included(self, inclusions: Sequence[Inclusion], *, now: int) -> Sequence[Digest]:
        """The jobs that were settled: SETTLING → QUEUED for each whose money moved, in one change
        with all other outcomes; the outbox items are INCLUDED, their blocks watched.

        WITHDRAWN → FAILED, with a refund that is due: the money came after all. A job that is
        further on, since the chain took its settlement back, is settled again.
        """
        ...

    async def settled(
        self, job_id: Digest, tx: Digest, block: int, *, now: int, block_hash: Digest | None = None
    ) -> Job:
        """As `included` for one job, by a transaction that need not be ours. With its hash, the
        block is watched."""
        ...

    async def uncertain(self, job_ids: Sequence[Digest], *, now: int) -> None:
        """Notes that the outcome of these settlements is not known at present, where it is
        pending. No transition."""
        ...

    async def doubt(self, job_id: Digest, *, now: int) -> int:
        """When the authorization was first seen to be used though no transfer is found; `now`
        where this is the first time."""
        ...

    async def refuse(self, job_ids: Sequence[Digest], *, now: int) -> None:
        """The step REFUSED for payments that waited for a place in a transaction."""
        ...

    async def void(self, job_id: Digest, failure: Failure, *, now: int) -> Job:
        """RESERVED, SETTLING or WITHDRAWN → VOID."""
        ...

    async def lost(self, job_id: Digest, failure: Failure, *, now: int) -> Job:
        """Notes that a settlement which the chain took back can never be made again: FAILED →
        VOID, since nothing is owed; an answer or a refund that was given stays given."""
        ...

    async def take_back(self, network: Network, *, first: int, now: int) -> TakenBack:
        """Undoes what rests on the watched blocks from this number on, in one change: outbox
        items are OPEN, settlements UNCERTAIN, QUEUED and RUNNING jobs SETTLING (a worker's fence
        goes stale), REFUNDED jobs REFUNDING."""
        ...

    async def due_refunds(self, asset: Asset, *, now: int, limit: int) -> Sequence[Payable]:
        """The oldest FAILED jobs whose refund may be tried now, and whose money was taken. None of
        orders in an escrow, which refunds them itself."""
        ...

    async def send_refund(self, job_id: Digest, tx: NewTransaction, *, now: int) -> OutboxItem:
        """FAILED → REFUNDING, and the transaction in the outbox."""
        ...

    async def refunded(
        self,
        job_id: Digest,
        tx: Digest,
        block: int,
        *,
        now: int,
        block_hash: Digest | None = None,
        found: bool = False,
    ) -> Job:
        """REFUNDING → REFUNDED, and the outbox item INCLUDED. With its hash, the block is
        watched. Where it was `found`, FAILED → REFUNDED: the transaction was never in this
        outbox."""
        ...

    async def refund_lost(self, job_id: Digest, *, now: int, retry_at: int | None = None) -> Job:
        """REFUNDING → FAILED, the outbox item DROPPED; the refund is due again. With `retry_at`
        it failed on chain, and is due from then on."""
        ...
