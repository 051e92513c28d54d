"""The storage protocols and the rows that pass through them.

    OrderBook      payment reservations, jobs, the outbox, answers; every change of a job's state
    ModelStore     the registry of models and their versions
    Verifications  what was verified here, and how it ended
    Deliveries     webhooks that are to be sent, in the transaction of what they tell
    Turn           the right to do something for all processes on one database
    BlobStore      immutable bytes under their SHA-256
    ArtifactStore  compiled models under their commitment

A method that changes something returns after the change is durable. Every method raises
Unavailable STORAGE_UNAVAILABLE or STORAGE_FULL when the medium fails; nothing is half done then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.money import Asset, Network
from inferproof.types.payment import Authorization, Payment, Quote, Settlement
from inferproof.types.receipt import Request, StageTime
from inferproof.types.tensor import FixedTensor

# -- orders ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """A paid request, as it is reserved. Units: times in Unix seconds.

    `salt` is drawn by the gateway for the input commitment; `nonce_salt` is the buyer's, where
    it bound the payment's nonce to the request, or a transfer claim's. `first_block` is the newest
    block at the pre-check that found the authorization unused: no settlement of it is older; of a
    transfer it is the block that holds it. `api_key` is the id of the key that the order came with.
    `webhook` is where its ends are told; a repeated request cannot change it.
    """

    job_id: Digest
    model_id: str
    model_version: str
    model_commitment: Digest
    request: Request
    request_digest: Digest
    payment: Payment
    quote: Quote
    quote_signature: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    nonce_salt: Digest | None
    payment_id: str | None
    first_block: int
    created_at: int
    deadline: int
    api_key: str | None = None
    webhook: str | None = None

    @property
    def authorization(self) -> Authorization:
        """The payment of an order that is reserved and settled; a transfer needs neither."""
        assert isinstance(self.payment, Authorization)  # noqa: S101 - `redeem` takes the others
        return self.payment


@dataclass(frozen=True, slots=True)
class QueueRoom:
    """How many jobs may wait (reserved, settling, queued or running): in all, and of one payer or
    one API key."""

    total: int
    each: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job did not end well: a reason's code, its message, its facts as text."""

    code: str
    message: str
    facts: Mapping[str, str]


class RefundState(StrEnum):
    """Where a refund stands."""

    DUE = "due"
    PENDING = "pending"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Refund:
    """What is owed back to the payer, or was given back. Units: `retry_at` in Unix seconds.

    `attempts` counts the refunds that failed on chain; none is tried before `retry_at`.
    """

    state: RefundState
    transaction: Digest | None = None
    block: int | None = None
    attempts: int = 0
    retry_at: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a finished job gave. `receipt` is a receipt file without attachments; `proof_blob` and
    `verifier_blob` name the proof file and the verifier bundle in the blob store."""

    outputs: tuple[FixedTensor, ...]
    proof_digest: Digest
    proof_blob: Digest
    verifier_blob: Digest
    receipt: bytes = field(repr=False)
    timings: tuple[StageTime, ...]


@dataclass(frozen=True, slots=True)
class KeptProof:
    """A proof file that was made for a job and not published yet. `blob` names it in the blob
    store; `timings` are of the attempt that made it."""

    blob: Digest
    timings: tuple[StageTime, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """The steps of a job that need not be done again: what its claims got done so far.

    `proof` was made and may not have been verified; `answer` was verified, stored and signed.
    """

    proof: KeptProof | None = None
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """An order and all that has happened to it.

    `fence` counts the claims; only the holder of the newest may publish. `lease_until` is
    present while a worker holds the job, also one that computes ahead of the settlement.
    """

    order: Order
    state: JobState
    attempts: int
    fence: int
    lease_until: int | None
    updated_at: int
    settlement: Settlement
    failure: Failure | None = None
    refund: Refund | None = None
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One step in the history of a job. `seq` counts from 1; `transition` is one of
    protocol.lifecycle, RESERVE for the first. Units: `at` in Unix seconds."""

    seq: int
    transition: str
    state: JobState
    at: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come: the steps that it has made, and the state that it is in."""

    steps: int
    state: JobState


class Outcome(StrEnum):
    """Whether a reservation made a job or found one."""

    NEW = "new"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Reservation:
    """The job that a payment bought, now or before."""

    outcome: Outcome
    job: Job


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

    `unsettled` has the amounts, by nonce, of each payer's payments whose jobs are reserved,
    settling or withdrawn: they may still settle.
    """

    waiting: int
    unsettled: Mapping[PurseKey, Mapping[Digest, int]]


class OutboxKind(StrEnum):
    """What a transaction in the outbox is for."""

    SETTLEMENT = "settlement"
    REFUND = "refund"
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
    """A job as the settler needs it. `doubted_at` is when its authorization was first seen to be
    used although no transfer was found."""

    job_id: Digest
    state: JobState
    payment: Authorization
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

    async def redeem(self, order: Order, *, room: QueueRoom | None = None) -> Reservation:
        """The job of an order that an earlier transfer pays for: a new one, QUEUED, its settlement
        recorded in the same transaction; or the one that this claim, by its job id, bought before.

        Raises: Conflict PAYMENT_ALREADY_USED when another claim has spent the transfer;
        Unavailable QUEUE_FULL, TooMany QUEUE_SHARE_FULL as `reserve`.
        """
        ...

    async def find(self, job_id: Digest) -> Job | None: ...

    async def job(self, job_id: Digest) -> Job:
        """Raises: NotFound JOB_UNKNOWN."""
        ...

    async def job_of_proof(self, proof_digest: Digest) -> Job | None: ...

    async def find_payment(self, payment: Payment) -> Job | None:
        """The job that reserved this authorization or spent this transfer: the one with its
        network, token, payer and nonce, whatever its other terms."""
        ...

    async def find_payment_id(self, payer: Address, payment_id: str) -> Job | None: ...

    async def in_state(self, state: JobState, *, limit: int) -> Sequence[Job]:
        """The first jobs in this state, in the order of `claim`."""
        ...

    async def depth(self) -> Mapping[JobState, int]:
        """How many jobs are in each state."""
        ...

    async def backlog(self) -> Backlog:
        """What was accepted and is not over. It takes as long as there is of it."""
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
        """The oldest payments in this asset that wait for a place in a transaction: those of
        jobs that are RESERVED, and those whose step is AGAIN or ALONE."""
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


class DeliveryState(StrEnum):
    """Where a webhook stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up after the last attempt; kept for the operator."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook: that a job came to `job_state` by its event `seq`.

    `problem` says why the last attempt failed. It is for the operator: a buyer who read it
    could look around in the operator's network.
    """

    number: int
    job_id: Digest
    seq: int
    job_state: JobState
    at: int
    url: str = field(repr=False)
    state: DeliveryState
    attempts: int
    next_at: int
    tried_at: int | None
    problem: str | None


class Deliveries(Protocol):
    """Webhooks to send. One is added by each transition to a state of protocol.webhook.TOLD of a
    job that has a webhook, in the transaction of that transition."""

    async def due(self, *, now: int, limit: int) -> Sequence[Delivery]:
        """The PENDING ones whose time has come, those that wait longest first."""
        ...

    async def delivered(self, number: int, *, now: int) -> None:
        """PENDING → DELIVERED, and an attempt counted; otherwise nothing."""
        ...

    async def failed(self, number: int, problem: str, *, now: int, next_at: int | None) -> None:
        """An attempt counted; to be tried again at `next_at`, or DEAD without it."""
        ...

    async def in_state(self, state: DeliveryState, *, limit: int) -> Sequence[Delivery]:
        """The newest of them."""
        ...

    async def retry(self, number: int, *, now: int) -> Delivery:
        """DEAD → PENDING, due now, with all attempts before it.

        Raises: NotFound DELIVERY_UNKNOWN; Conflict DELIVERY_NOT_DEAD.
        """
        ...


class Turn(Protocol):
    """What one process at a time does for all that share a database, such as settling with a key.

    A turn ends with the process that holds it, or with its connection. Soundness: it may have
    ended just after `mine` said True, so nothing that must happen once may rest on it alone.
    """

    async def mine(self) -> bool:
        """True while this process has the turn; takes it when nobody else does.

        Raises: Unavailable STORAGE_UNAVAILABLE.
        """
        ...

    async def give_back(self) -> None: ...


# -- models ---------------------------------------------------------------------------------


class ModelStatus(StrEnum):
    """Where a version of a model stands."""

    PENDING = "pending"
    """Submitted; waits for the operator."""
    ACTIVE = "active"
    """Answers paid calls."""
    SUSPENDED = "suspended"
    """Answers no new call."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Running figures of one version. `prove_ms` is the mean over the answers, 0 for none."""

    calls: int
    done: int
    failed: int
    prove_ms: int


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """What one proof will cost, as measured when the model was compiled."""

    prove_ms: int
    verify_ms: int
    peak_bytes: int
    key_bytes: int
    proof_bytes: int
    verify_gas: int


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One version of a model. `document` is the submission as the provider signed it.

    Units: `price` in atomic units of the gateway's asset. `estimate` is present once approved.
    """

    id: str
    version: str
    commitment: Digest
    provider: Address
    proof_system: str
    title: str
    category: str
    input_type: str
    output_type: str
    price: int
    status: ModelStatus
    document: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    bundle_blob: Digest
    created_at: int
    updated_at: int
    estimate: ModelEstimate | None = None
    statistics: Statistics = Statistics(0, 0, 0, 0)

    @property
    def name(self) -> str:
        """Id and version in one word: crypto-news-sentiment@1.0.0."""
        return f"{self.id}@{self.version}"


class ModelOrder(StrEnum):
    """How a list of models is sorted."""

    USE = "use"
    PRICE = "price"
    TITLE = "title"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class ModelFilter:
    """Which models to list. None stands for any. Units: `max_price` in atomic units."""

    status: ModelStatus | None = ModelStatus.ACTIVE
    id: str | None = None
    category: str | None = None
    max_price: int | None = None
    input_type: str | None = None
    output_type: str | None = None
    proof_system: str | None = None
    order: ModelOrder = ModelOrder.USE
    limit: int = 100
    offset: int = 0


class ModelStore(Protocol):
    """The registry. A version never changes what it is; only status and figures move."""

    async def check_add(self, name: str, provider: Address, document: bytes) -> ModelRecord | None:
        """The record that this submission made before, None where `add` would make a new one.

        To be asked before anything is stored for it. Raises: what `add` raises.
        """
        ...

    async def of_commitment(self, commitment: Digest) -> Sequence[ModelRecord]:
        """The models, of whatever provider and status, with this commitment."""
        ...

    async def add(self, record: ModelRecord) -> ModelRecord:
        """The stored record; the same document again gives the record that is there.

        Raises: Conflict MODEL_VERSION_TAKEN when id and version name another document,
        Conflict MODEL_OWNED when the id belongs to another provider.
        """
        ...

    async def find(self, name: str) -> ModelRecord | None:
        """The version `id@version`, or for a bare id its newest active version, or else its
        newest version."""
        ...

    async def list(self, wanted: ModelFilter) -> Sequence[ModelRecord]: ...

    async def set_status(
        self, name: str, status: ModelStatus, *, estimate: ModelEstimate | None = None, now: int
    ) -> ModelRecord:
        """The record with another status, and an estimate where one is given.

        Raises: NotFound MODEL_UNKNOWN.
        """
        ...


# -- verifications, blobs, compiled models --------------------------------------------------


@dataclass(frozen=True, slots=True)
class VerificationStep:
    """One numbered step of a verification that was reached."""

    number: int
    name: str
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class VerificationRecord:
    """One verification and how it ended. `subject` is the SHA-256 of the bytes that were given;
    `reason` and `message` are present when it was rejected, `job_id` and `assurance` when it
    was verified."""

    id: int
    subject: Digest
    kind: str
    verified: bool
    at: int
    steps: tuple[VerificationStep, ...] = ()
    job_id: Digest | None = None
    assurance: str | None = None
    reason: str | None = None
    message: str | None = None


class Verifications(Protocol):
    """Every verification made here, stored and queryable."""

    async def record(self, record: VerificationRecord) -> VerificationRecord:
        """The stored record, with its number in `id`; the one given is ignored."""
        ...

    async def get(self, number: int) -> VerificationRecord:
        """Raises: NotFound VERIFICATION_UNKNOWN."""
        ...

    async def of_job(self, job_id: Digest) -> Sequence[VerificationRecord]:
        """The verifications of a job's receipts, newest first."""
        ...


class BlobStore(Protocol):
    """Immutable bytes under their SHA-256. Implementations block; services use a thread."""

    def put(self, data: bytes) -> Digest:
        """The name of the bytes, which are durable now."""
        ...

    def get(self, name: Digest) -> bytes:
        """The bytes that have this SHA-256.

        Raises: NotFound BLOB_UNKNOWN; Unavailable BLOB_DAMAGED when the stored bytes changed.
        """
        ...


class ArtifactStore(Protocol):
    """Compiled models, each in a folder under its commitment."""

    def path(self, commitment: Digest) -> Path:
        """The folder. Raises: NotFound ARTIFACT_NOT_HERE."""
        ...
