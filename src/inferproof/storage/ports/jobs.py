"""Orders, the jobs made of them, and what a job holds and goes through."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.payment import Payment, Quote, Settlement
from inferproof.types.receipt import Request, StageTime
from inferproof.types.tensor import FixedTensor


@dataclass(frozen=True, slots=True)
class Order:
    """A paid request, as it is reserved. Units: times in Unix seconds.

    `salt` is drawn by the gateway for the input commitment; `nonce_salt` is the buyer's, where
    it bound the payment to the request. `first_block` is the newest block at the pre-check that
    found the payment unused: no settlement of it is older; of one that was settled before it is the
    block that holds its transaction. `api_key` is the id of the key that the order came with.
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
