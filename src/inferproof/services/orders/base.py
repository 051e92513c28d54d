"""What the gateway offers, and the values it answers with. Entry points depend on this file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

from inferproof.payments.method import PaymentMethods, Presented
from inferproof.protocol.commitments import request_digest
from inferproof.protocol.encoding import Json
from inferproof.protocol.quote import quote_digest
from inferproof.protocol.signature import SigningKey
from inferproof.storage.ports.jobs import Failure, JobEvent, QueueLimits, Refund
from inferproof.storage.ports.models import ModelEstimate, ModelFilter, ModelStatus, Statistics
from inferproof.storage.ports.rate_limits import ApiKey
from inferproof.storage.ports.verifications import VerificationRecord
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.money import Asset, Money
from inferproof.types.payment import Payment, Quote, Settlement
from inferproof.types.proof import Assurance, Setup, ToldProof, Visibility
from inferproof.types.receipt import Request, StageTime
from inferproof.types.tensor import FixedTensor


class CancelPolicy(StrEnum):
    """Which jobs their payers may cancel."""

    NEVER = "never"
    WAITING = "waiting"
    """Those that no worker has taken up."""
    RUNNING = "running"
    """Those that are being computed too: the work is lost, and the money goes back."""


@dataclass(frozen=True, slots=True)
class ExposureTerms:
    """What a payer without history may have unsettled at a time: `orders` payments of together
    `amount` atomic units. What it has settled comes on top of both.

    A balance pays for one of many authorizations, and a payer that spends it elsewhere before they
    settle has the gateway pay for the gas of all others.
    """

    orders: int = 16
    amount: int = 10_000_000


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Terms of this gateway. Units: seconds.

    `queue_limit` bounds the jobs that are reserved, settling, queued or running, and
    `queue_share` those of them that one payer, or one API key, may have;
    `deadline_s` is how long after acceptance a job may wait for a worker before it is refunded;
    `cancel` says which jobs their payers may cancel; with `private_webhooks` a webhook may be
    plain http, and anywhere; `model_registry` is the contract by whose prices models are sold.
    """

    asset: Asset
    payee: Address
    quote_ttl_s: int = 300
    queue_limit: int = 1000
    deadline_s: int = 3600
    cancel: CancelPolicy = CancelPolicy.WAITING
    private_webhooks: bool = False
    queue_share: int | None = None
    exposure: ExposureTerms = ExposureTerms()
    model_registry: Address | None = None

    @property
    def quota(self) -> QueueLimits:
        """How many jobs may wait; without a share, one payer may fill the queue."""
        return QueueLimits(self.queue_limit, self.queue_share or self.queue_limit)


@dataclass(frozen=True, slots=True)
class Example:
    """One natural input of a model, and the label it is expected to get."""

    title: str
    value: Any
    label: str | None


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model as buyers see it.

    `proven` is the plain sentence of what its proofs prove. `private_inputs` says whether they can
    be about a private input, where that is known, and `private_assurance` what they give then.
    `input_shapes` are those of the graph, after pre-processing. `file_size` is that of the ONNX
    file. `estimate` is present once the model was approved.
    """

    id: str
    version: str
    status: ModelStatus
    title: str
    description: str
    category: str
    developer: str
    license: str
    provider: Address
    commitment: Digest
    proof_system: str
    proof_system_version: str
    setup: Setup
    visibility: Visibility
    assurance: Assurance
    private_assurance: Assurance
    private_inputs: bool | None
    proven: str
    input_type: str
    max_input_bytes: int
    input_shapes: dict[str, tuple[int, ...]]
    examples: tuple[Example, ...]
    output_type: str
    labels: tuple[str, ...]
    unit: str
    price: Money
    payee: Address
    developer_bps: int
    platform_bps: int
    file_size: int
    estimate: ModelEstimate | None
    statistics: Statistics
    created_at: int
    updated_at: int

    @property
    def name(self) -> str:
        """Id and version in one word: crypto-news-sentiment@1.0.0."""
        return f"{self.id}@{self.version}"

    def told(self, *, private_input: bool) -> ToldProof:
        """What a buyer is told of the proof that is offered, about a private input or not."""
        assurance = self.private_assurance if private_input else self.assurance
        return ToldProof(assurance, self.private_inputs)


@dataclass(frozen=True)
class SignedQuote:
    """A quote with the gateway's signature. Its id is its EIP-712 digest."""

    quote: Quote
    signature: bytes = field(repr=False)

    @classmethod
    def by(cls, key: SigningKey, quote: Quote) -> "SignedQuote":
        """The quote, signed."""
        identity = quote_digest(quote)
        signed = cls(quote, key.sign(identity))
        signed.__dict__["id"] = identity
        return signed

    @cached_property
    def id(self) -> Digest:
        return quote_digest(self.quote)


@dataclass(frozen=True)
class PaidRequest:
    """An order as it comes in: a request, the payment that came with it as its method read it,
    and what goes with both. What is left of it once every check held is storage's Order.

    `quote` is the signed price that the buyer answers; without one the model's present price and
    terms hold.
    `payment_id` is the payer's own name for the order, by which it is found again (an idempotency
    key). `webhook` is told how the job ends. `holder` is the API key that the request came with,
    whose limits hold instead of the payer's.
    """

    model: str
    request: Request
    payment: Presented[Any]
    quote: SignedQuote | None = None
    payment_id: str | None = None
    webhook: str | None = None
    holder: ApiKey | None = None

    @cached_property
    def digest(self) -> Digest:
        """The request's digest."""
        request = self.request
        return request_digest(request.method, request.path, request.body, request.salt)


@dataclass(frozen=True, slots=True)
class AnswerView:
    """The proven answer. `label` is the class that a classifier answers, else None; `scores` are
    the numbers that have names. Both are called what the model's commitment says they are.
    `out_of_range` counts the values of the input that were cut to the model's range, where that
    is known. Units: `proof_size` bytes."""

    outputs: tuple[FixedTensor, ...]
    label: str | None
    scores: dict[str, float] | None
    unit: str
    proof_digest: Digest
    assurance: Assurance
    proven: str
    timings: tuple[StageTime, ...]
    proof_size: int
    out_of_range: int | None


UNDER_WAY = frozenset({JobState.RESERVED, JobState.SETTLING, JobState.QUEUED, JobState.RUNNING})
"""States of a job whose answer may still come."""


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as its buyer sees it. `payment_shown` is what its method shows of the payment.

    `answer` is present in DONE; `failure` in FAILED, REFUNDING, REFUNDED, WITHDRAWN and VOID;
    `refund` in FAILED, REFUNDING and REFUNDED.
    """

    id: Digest
    state: JobState
    model_id: str
    model_version: str
    model_commitment: Digest
    request_digest: Digest
    payment: Payment
    payment_shown: Mapping[str, Json]
    quote: SignedQuote
    settlement: Settlement
    created_at: int
    updated_at: int
    deadline: int
    failure: Failure | None = None
    refund: Refund | None = None
    answer: AnswerView | None = None

    @property
    def over(self) -> bool:
        """True when waiting longer brings no answer: it is here, or will never come."""
        return self.state not in UNDER_WAY


class Gateway(Protocol):
    """The one service behind every entry point.

    `model` is an id or `id@version`; a bare id means its newest active version. Every method
    may raise Unavailable STORAGE_UNAVAILABLE or STORAGE_FULL.
    """

    @property
    def address(self) -> Address:
        """The address that quotes and receipts are signed by."""
        ...

    @property
    def settings(self) -> GatewaySettings: ...

    @property
    def methods(self) -> PaymentMethods:
        """The payment methods that it takes, by name."""
        ...

    # models

    async def list_models(self, wanted: ModelFilter) -> Sequence[ModelView]: ...

    async def model(self, model: str) -> ModelView:
        """Raises: NotFound MODEL_UNKNOWN."""
        ...

    async def bundle(self, model: str) -> bytes:
        """The verifier bundle of a model, as a file. Raises: NotFound MODEL_UNKNOWN."""
        ...

    async def submit_model(self, document: bytes, signature: bytes) -> ModelView:
        """The pending model of a submission (see services.models.submission) that its provider
        signed; the same submission again gives the same model.

        Raises: RequestRejected SUBMISSION_MALFORMED, SUBMISSION_SIGNATURE, SUBMISSION_MISMATCH;
        ModelRejected (card), ArtifactRejected (bundle); Conflict MODEL_VERSION_TAKEN, MODEL_OWNED.
        """
        ...

    async def approve(self, model: str) -> ModelView:
        """The model, active. `model` is `id@version`.

        Raises: NotFound MODEL_UNKNOWN, ARTIFACT_NOT_HERE; ArtifactRejected; as
        `FollowedRegistry.price_of`.
        """
        ...

    async def suspend(self, model: str) -> ModelView:
        """The model, suspended; jobs that were paid go on. Raises: NotFound MODEL_UNKNOWN."""
        ...

    # orders

    async def quote(self, model: str, request: Digest | None = None) -> SignedQuote:
        """A signed price for a call, bound to the request digest where one is given.

        Raises: NotFound MODEL_UNKNOWN; Conflict MODEL_NOT_ACTIVE; Unavailable QUEUE_FULL,
        REGISTRY_SILENT.
        """
        ...

    async def check_input(self, model: str, request: Request) -> None:
        """Returns when the model's pre-processing takes a request's body, and the model a private
        input where the request asks for it.

        Raises: InputRejected; RequestRejected PRIVATE_INPUT_UNSUPPORTED; NotFound MODEL_UNKNOWN;
        Conflict MODEL_NOT_ACTIVE; Unavailable REGISTRY_SILENT.
        """
        ...

    async def accept(self, paid: PaidRequest) -> JobView:
        """The job that this payment buys: durable, and settled or still to be, by its method.

        The same payment with the same request gives the same job, in whatever state it is. Nothing
        was reserved when it raises.
        Raises: PaymentRejected (402) and Conflict (409), Unavailable (503) with the reasons of the
        payment's method; Conflict (409) PAYMENT_REPLAYED, PAYMENT_ID_REUSED, WEBHOOK_OTHER,
        MODEL_NOT_ACTIVE; InputRejected, RequestRejected QUOTE_*, PAYMENT_ID_MALFORMED, WEBHOOK_URL,
        PRIVATE_INPUT_UNSUPPORTED (422); NotFound MODEL_UNKNOWN; Unavailable (503) QUEUE_FULL,
        CHAIN_*, LIMITER_UNAVAILABLE, REGISTRY_SILENT; TooMany (429) RATE_LIMITED,
        QUEUE_SHARE_FULL, PAYER_EXPOSURE.
        """
        ...

    async def wait(self, job_id: Digest, timeout_s: float) -> JobView:
        """The job, as soon as it is over, or as it stands after `timeout_s`.

        Raises: NotFound JOB_UNKNOWN.
        """
        ...

    async def job(self, job_id: Digest) -> JobView:
        """Raises: NotFound JOB_UNKNOWN."""
        ...

    async def events(
        self, job_id: Digest, *, after: int = 0, wait_s: float = 0
    ) -> Sequence[JobEvent]:
        """What happened to the job after its event number `after`; where there is nothing yet,
        what comes within `wait_s`, or nothing.

        Raises: NotFound JOB_UNKNOWN.
        """
        ...

    async def cancel(self, job_id: Digest, before: int, signature: bytes) -> JobView:
        """The job, which its payer cancelled by a signature that holds until `before` (see
        protocol.cancellation). Done again it changes nothing. What was paid goes back.

        Raises: NotFound JOB_UNKNOWN; RequestRejected CANCEL_EXPIRED, CANCEL_SIGNATURE,
        SIGNATURE_MALFORMED; Conflict CANCEL_CLOSED, CANCEL_RUNNING, and JOB_TRANSITION_ILLEGAL
        for a job that is over.
        """
        ...

    # what was proven

    async def receipt(self, job_id: Digest, *, attach: bool = False) -> bytes:
        """The receipt file of a finished job; with `attach` it carries request, proof and
        verifier bundle and can be verified by itself. The request of a private input is its
        payer's alone, and is left out.

        Raises: NotFound JOB_UNKNOWN, RECEIPT_NOT_READY.
        """
        ...

    async def input_opening(self, job_id: Digest, before: int, signature: bytes) -> bytes:
        """The opening of a finished job's private input, for its payer, who signed for it until
        `before` (see protocol.opening_request).

        Raises: NotFound JOB_UNKNOWN, OPENING_NONE, RECEIPT_NOT_READY; RequestRejected
        OPENING_REQUEST_TIME, OPENING_REQUEST_SIGNATURE, SIGNATURE_MALFORMED.
        """
        ...

    async def proof(self, digest: Digest) -> bytes:
        """The proof file with this proof digest. Raises: NotFound PROOF_UNKNOWN."""
        ...

    async def verify(self, data: bytes) -> VerificationRecord:
        """The stored record of verifying a receipt file, or a proof file of a job of this gateway;
        a rejection is a record too.

        Raises: NotFound JOB_UNKNOWN, PROOF_UNKNOWN for a proof file of no job here; MissingPart
        where the proof system's library is not installed here.
        """
        ...

    async def verification(self, number: int) -> VerificationRecord:
        """Raises: NotFound VERIFICATION_UNKNOWN."""
        ...

    async def verifications_of(self, job_id: Digest) -> Sequence[VerificationRecord]:
        """The verifications of a job's receipt and proof that held, newest first."""
        ...
