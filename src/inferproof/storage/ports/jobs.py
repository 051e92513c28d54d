"""Orders, the jobs made of them, and what a job holds and goes through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.payment import Payment, Quote, Settlement
from inferproof.types.receipt import Request, StageTime
from inferproof.types.tensor import FixedTensor


@dataclass(frozen=True, slots=True)
class ValidatedOrder:
    """A paid request, as it is reserved. Units: times in Unix seconds.

    `salt` is drawn by the gateway for the input commitment, and is the secret of a private input;
    `nonce_salt` is the buyer's, where it bound the payment to the request. `first_block` is the
    newest block at the pre-check that found the payment unused: no settlement of it is older; of
    one that was settled before it is the block that holds its transaction. `api_key` is the id of
    the key that the order came with. `webhook` is where its ends are told; a repeated request
    cannot change it. `deliver_by` is until when the answer is delivered to an escrow, which pays
    then; None where it is paid for already. Of such an order `salt` is the buyer's.
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
    deliver_by: int | None = None

    @property
    def private_input(self) -> bool:
        """Whether the buyer asked for a proof that shows nothing of the input."""
        return self.request.salt is not None


@dataclass(frozen=True, slots=True)
class QueueLimits:
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
    `verifier_blob` name the proof file and the verifier bundle in the blob store. `proof_size` is
    the proof file's, in bytes; `out_of_range` counts the values of the input that were cut to the
    model's range, where that is known. Both are None in what was kept before they were."""

    outputs: tuple[FixedTensor, ...]
    proof_digest: Digest
    proof_blob: Digest
    proof_size: int | None
    verifier_blob: Digest
    receipt: bytes = field(repr=False)
    timings: tuple[StageTime, ...]
    out_of_range: int | None = None


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

    order: ValidatedOrder
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


class Jobs(Protocol):
    """Payment reservations and the jobs that they bought.

    Raises: Conflict JOB_TRANSITION_ILLEGAL where the state does not allow the transition,
    NotFound JOB_UNKNOWN.
    """

    async def reserve(
        self, order: ValidatedOrder, *, quota: QueueLimits | None = None
    ) -> Reservation:
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
        self, order: ValidatedOrder, *, settled_in: Digest, quota: QueueLimits | None = None
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
        """The job that reserved this authorization or spent this transfer: the one with its
        network, token, payer and nonce, whatever its other terms."""
        ...

    async def find_payment_id(self, payer: Address, payment_id: str) -> Job | None: ...

    async def in_state(self, state: JobState, *, limit: int) -> Sequence[Job]:
        """The first jobs in this state, in the order of `claim`."""
        ...

    async def events(self, job_id: Digest) -> Sequence[JobEvent]:
        """The job's history from its reservation on, each step written with its transition;
        empty for an unknown job."""
        ...

    async def progress(self, ids: Sequence[Digest]) -> Mapping[Digest, Progress]:
        """How far each of these jobs has come; an unknown job is left out."""
        ...

    async def cancel(self, job_id: Digest, failure: Failure, *, running: bool, now: int) -> Job:
        """RESERVED or SETTLING → WITHDRAWN; QUEUED, and with `running` also RUNNING, → FAILED
        with a refund that is due. The fence rises, so that a worker that has the job cannot
        publish.

        Raises: Conflict CANCEL_RUNNING for a RUNNING job without `running`.
        """
        ...
