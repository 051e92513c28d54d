"""The order book: payment reservations, jobs and the outbox; every change of a job's state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.storage.ports.jobs import (
    Answer,
    Failure,
    Job,
    JobEvent,
    Kept,
    KeptProof,
    Order,
    Progress,
    QueueRoom,
    Reservation,
)
from inferproof.storage.ports.outbox import (
    BlockRef,
    Inclusion,
    NewTransaction,
    OutboxItem,
    Payable,
    TakenBack,
)
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.money import Asset, Network
from inferproof.types.payment import Payment


@dataclass(frozen=True, slots=True)
class Owed:
    """Refunds that are due or under way. `failing` of them failed on chain before."""

    count: int
    failing: int


PurseKey = tuple[str, Address, Address]
"""Network (CAIP-2), token, payer: what a balance belongs to."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was accepted and is not over: `waiting` jobs are reserved, settling, queued or running.

    `unsettled` has the amounts, by the bytes of the nonce, of each payer's payments whose jobs are
    reserved, settling or withdrawn: they may still settle.
    """

    waiting: int
    unsettled: Mapping[PurseKey, Mapping[bytes, int]]


@dataclass(frozen=True, slots=True)
class Figures:
    """What an operator watches. Units: Unix seconds.

    `oldest` says when the oldest job of a state was ordered, where the state has one and
    something still leaves it; `open_since` is the time of the oldest open transaction.
    """

    jobs: Mapping[JobState, int]
    oldest: Mapping[JobState, int]
    open_transactions: int
    open_since: int | None


class OrderBook(Protocol):
    """Orders and money. Each change of state is one transition of protocol.lifecycle, made by a
    guarded update inside one transaction.

    Raises: Conflict JOB_TRANSITION_ILLEGAL where the state does not allow the transition,
    Conflict FENCE_STALE where another worker claimed the job since, NotFound JOB_UNKNOWN.
    """

    async def reserve(self, order: Order, *, room: QueueRoom | None = None) -> Reservation:
        """The job of this order: a new one, RESERVED, or the one this payment already bought,
        which may have another job id where request or salt were other ones.

        With `room` a new job is only made while it has room, which is decided as it is made: in
        one process the limits are exact. Several on one database may pass them by what the others
        made in the last second.
        Raises: Conflict PAYMENT_REPLAYED when the payment is reserved for another request or on
        other terms; Conflict PAYMENT_ID_REUSED when the payer's payment id is; Unavailable
        QUEUE_FULL; TooMany QUEUE_SHARE_FULL.
        """
        ...

    async def redeem(
        self, order: Order, *, settled_in: Digest, room: QueueRoom | None = None
    ) -> Reservation:
        """The job of an order whose money was moved before, by the transaction `settled_in` in the
        order's `first_block`: a new one, QUEUED, its settlement recorded in the same transaction;
        or the one that has the order's job id already, whichever payment it came to have.

        Raises: Conflict PAYMENT_REPLAYED when another order has the payment; Unavailable
        QUEUE_FULL, TooMany QUEUE_SHARE_FULL as `reserve`.
        """
        ...

    async def find(self, job_id: Digest) -> Job | None: ...

    async def job(self, job_id: Digest) -> Job:
        """Raises: NotFound JOB_UNKNOWN."""
        ...

    async def job_of_proof(self, proof_digest: Digest) -> Job | None: ...

    async def find_payment(self, payment: Payment) -> Job | None:
        """The job that has this payment: the one with its network, token, payer and nonce,
        whatever its other terms."""
        ...

    async def find_payment_id(self, payer: Address, payment_id: str) -> Job | None: ...

    async def in_state(self, state: JobState, *, limit: int) -> Sequence[Job]:
        """The first jobs in this state, in the order of `claim`."""
        ...

    async def depth(self) -> Mapping[JobState, int]:
        """How many jobs are in each state."""
        ...

    async def backlog(self) -> Backlog:
        """What was accepted and is not over. Payments that it told of before are not read again."""
        ...

    async def figures(self) -> Figures:
        """The numbers of /metrics. Counts of jobs that have ended may be a minute old."""
        ...

    async def events(self, job_id: Digest) -> Sequence[JobEvent]:
        """The job's history from its reservation on, each step written with its transition;
        empty for an unknown job."""
        ...

    async def progress(self, ids: Sequence[Digest]) -> Mapping[Digest, Progress]:
        """How far each of these jobs has come; an unknown job is left out."""
        ...

    # settlement, see protocol.lifecycle

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
        """The step REFUSED for payments that waited for a place in a transaction, also for those of
        RESERVED jobs, which were in none yet."""
        ...

    async def settled_amounts(self, payer: PurseKey, *, limit: int) -> Sequence[int]:
        """The amounts of up to `limit` payments of this payer that are settled."""
        ...

    async def void(self, job_id: Digest, failure: Failure, *, now: int) -> Job:
        """RESERVED, SETTLING or WITHDRAWN → VOID."""
        ...

    async def lost(self, job_id: Digest, failure: Failure, *, now: int) -> Job:
        """Notes that a settlement which the chain took back can never be made again: FAILED →
        VOID, since nothing is owed; an answer or a refund that was given stays given."""
        ...

    async def cancel(self, job_id: Digest, failure: Failure, *, running: bool, now: int) -> Job:
        """RESERVED or SETTLING → WITHDRAWN; QUEUED, and with `running` also RUNNING, → FAILED
        with a refund that is due. The fence rises, so that a worker that has the job cannot
        publish.

        Raises: Conflict CANCEL_RUNNING for a RUNNING job without `running`.
        """
        ...

    # the outbox

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

    async def fill(self, tx: NewTransaction, *, now: int) -> OutboxItem:
        """A FILLER in the outbox."""
        ...

    async def note_sent(self, txs: Sequence[Digest], *, now: int) -> None: ...

    async def note_nonce_spent(self, item: OutboxItem, *, now: int) -> int:
        """When the number was first seen to be spent; `now` where this is the first time."""
        ...

    async def drop(self, item: OutboxItem, *, now: int) -> None:
        """OPEN → DROPPED; payments that it carried wait for another place. For a refund, see
        `refund_lost`."""
        ...

    # blocks that may be taken back

    async def watched(self, network: Network) -> Sequence[BlockRef]:
        """The blocks that money was believed to be in, newest first."""
        ...

    async def unwatch(self, network: Network, *, below: int) -> None:
        """Watches blocks below this number no more: they are too deep to be taken back."""
        ...

    async def take_back(self, network: Network, *, first: int, now: int) -> TakenBack:
        """Undoes what rests on the watched blocks from this number on, in one change: outbox
        items are OPEN, settlements UNCERTAIN, QUEUED and RUNNING jobs SETTLING (a worker's fence
        goes stale), REFUNDED jobs REFUNDING."""
        ...

    # work

    async def runnable(self, *, now: int) -> bool:
        """Whether `claim` would find a job. Cheap, and it writes nothing."""
        ...

    async def claim(self, *, now: int, lease_until: int) -> Job | None:
        """QUEUED → RUNNING for the job whose turn it is, with the next fence; None when none waits.

        Payers take turns: the first waiting job of each comes before the second of any, as far
        as they waited at the same time. The jobs of one payer keep their order.
        A job that a worker computes ahead of its settlement is left to it while its lease lasts.
        """
        ...

    async def startable(self) -> bool:
        """Whether `claim_early` would find a job. Cheap, and it writes nothing."""
        ...

    async def claim_early(self, *, lease_until: int) -> Job | None:
        """A lease, with the next fence, on the oldest job that is reserved or settling and that
        nobody claimed before; None when there is none. No transition: such a job can be computed
        and cannot be finished."""
        ...

    async def leave_early(self, job_id: Digest, fence: int) -> None:
        """Ends the lease of `claim_early`. Raises: Conflict FENCE_STALE when it was lost."""
        ...

    async def heartbeat(self, job_id: Digest, fence: int, *, lease_until: int) -> None:
        """A longer lease. Raises: Conflict FENCE_STALE when the lease was lost."""
        ...

    async def checkpoint(
        self, job_id: Digest, fence: int, done: KeptProof | Answer, *, now: int
    ) -> None:
        """Keeps what a step gave, in place of what an earlier claim kept of it, until the job
        ends. Raises: Conflict FENCE_STALE when the lease was lost."""
        ...

    async def kept(self, job_id: Digest) -> Kept:
        """What the claims of this job kept; nothing for a job that ended."""
        ...

    async def release(self, job_id: Digest, fence: int, *, now: int, counts: bool = True) -> Job:
        """RUNNING → QUEUED. Where it does not count, the attempt is as if it had not been made:
        a worker that is told to stop is no fault of the job."""
        ...

    async def finish(self, job_id: Digest, fence: int, answer: Answer, *, now: int) -> Job:
        """RUNNING → DONE, with the answer."""
        ...

    async def give_up(self, job_id: Digest, fence: int, failure: Failure, *, now: int) -> Job:
        """QUEUED or RUNNING → FAILED, with a refund that is due."""
        ...

    async def expired_leases(self, *, now: int) -> Sequence[Job]:
        """RUNNING jobs whose lease has ended."""
        ...

    async def overdue(self, *, now: int) -> Sequence[Job]:
        """QUEUED jobs whose deadline has passed."""
        ...

    # refunds

    async def due_refunds(self, asset: Asset, *, now: int, limit: int) -> Sequence[Payable]:
        """The oldest FAILED jobs whose refund may be tried now, and whose money was taken."""
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

    async def owed(self) -> Owed:
        """What is to be refunded and was not yet."""
        ...
