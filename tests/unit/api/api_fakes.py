"""A gateway in memory with one model, as the API sees it.

It keeps the promises of services.gateway.base that the API rests on; the services' own tests
hold the real one to them.
"""

import asyncio
import json
from dataclasses import replace

import httpx

from inferproof.errors import Conflict, InputRejected, NotFound, Reason
from inferproof.payments.header import encode_header
from inferproof.payments.method import PaymentMethods
from inferproof.payments.transfer import transfer_header
from inferproof.payments.transfer.method import TransferMethod, TransferTerms
from inferproof.payments.transfer.receipt import transfer_payment
from inferproof.payments.x402 import Challenge, payment_payload, read_challenge
from inferproof.payments.x402.method import ExactMethod, ExactTerms
from inferproof.protocol.authorization import authorization_digest, check_terms
from inferproof.protocol.cancellation import check_cancellation
from inferproof.protocol.commitments import bound_nonce
from inferproof.protocol.opening_request import check_opening_request
from inferproof.protocol.quote import quote_digest
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.transfer import (
    Transfer,
    claim_digest,
    spent,
)
from inferproof.services.orders.base import (
    AnswerView,
    Example,
    GatewaySettings,
    JobView,
    ModelView,
    PaidRequest,
    SignedQuote,
)
from inferproof.storage.ports.jobs import Failure, JobEvent, Refund, RefundState
from inferproof.storage.ports.models import ModelEstimate, ModelFilter, ModelStatus, Statistics
from inferproof.storage.ports.verifications import VerificationRecord, VerificationStep
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.event import MinedTransaction
from inferproof.types.job import JobState
from inferproof.types.money import Asset, Money, Network
from inferproof.types.payment import (
    Authorization,
    PayerState,
    Quote,
    Settlement,
    SettlementState,
    TransferClaim,
)
from inferproof.types.proof import Assurance, Setup, Visibility
from inferproof.types.receipt import Request, StageTime
from inferproof.types.tensor import FixedTensor, Tensors

NOW = 1_767_225_600
GATEWAY = SigningKey(b"\x01" * 32)
PAYER = SigningKey(b"\x02" * 32)
ADMIN_TOKEN = "correct horse battery staple"
USDC = Asset(Network.evm(31337), Address(b"\x05" * 20), "USDC", 6, "USD Coin", "2")
MODEL = "toy-sentiment"
INFER = f"/v1/models/{MODEL}/infer"
BODY = b'{"input": "Ether rallies"}'
PROOF = b'{"body":{},"format":"inferproof/proof/1"}'


def model_view(**changes: object) -> ModelView:
    view = ModelView(
        id=MODEL,
        version="1.0.0",
        status=ModelStatus.ACTIVE,
        title="Toy sentiment",
        description="Reads a headline.",
        category="sentiment",
        developer="The authors",
        license="MIT",
        provider=GATEWAY.address,
        commitment=Digest(b"\x07" * 32),
        proof_system="toy",
        proof_system_version="1",
        setup=Setup.NONE,
        visibility=Visibility.PUBLIC,
        assurance=Assurance.COMMITMENT,
        private_assurance=Assurance.COMMITMENT,
        private_inputs=False,
        proven="Digests are bound together.",
        input_type="text",
        max_input_bytes=2000,
        input_shapes={"text": (1, 4)},
        examples=(Example("A rise", "Ether rallies", "positive"),),
        output_type="classification",
        labels=("negative", "neutral", "positive"),
        unit="logit",
        price=Money(250_000, USDC),
        payee=GATEWAY.address,
        developer_bps=7000,
        platform_bps=3000,
        file_size=1234,
        estimate=ModelEstimate(10, 1, 1000, 1000, 100, 0),
        statistics=Statistics(3, 2, 1, 12),
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(view, **changes)  # type: ignore[arg-type]


OPENING = b'{"format":"inferproof/input-opening/1"}'
"""What the fake gateway gives for one."""


class NoChain:
    """A chain that nothing is asked of here."""

    async def payer_state(self, payer: Address, nonce: Digest) -> PayerState:
        raise AssertionError("not asked")

    async def check_settles(self, authorization: Authorization) -> None:
        raise AssertionError("not asked")

    async def earlier_settlement(self, authorization: Authorization) -> int | None:
        raise AssertionError("not asked")

    async def transaction(self, tx: Digest) -> MinedTransaction | None:
        raise AssertionError("not asked")


def methods(transfers: TransferTerms | None) -> PaymentMethods:
    """The payment methods of the fake gateway."""
    known = (
        ExactMethod(USDC, NoChain(), ExactTerms()),
        TransferMethod(USDC, NoChain(), transfers),
    )
    return {method.method: method for method in known}


class FakeGateway:
    """Settles every payment at once; `ending` is how jobs end, None leaves them running."""

    def __init__(self) -> None:
        self.models = {MODEL: model_view()}
        self.jobs: dict[Digest, tuple[JobView, Request]] = {}
        self.webhook: str | None = None
        self.payment_ids: dict[str, Digest] = {}
        self.ending: JobState | None = JobState.DONE
        self.failure = Failure("JOB_ATTEMPTS", "the job was given up", {"attempts": "3"})
        self.raises: BaseException | None = None
        self.waited: list[float] = []
        self.submitted: list[tuple[bytes, bytes]] = []
        self.settings = GatewaySettings(asset=USDC, payee=GATEWAY.address)
        self.methods = methods(TransferTerms())
        self.address = GATEWAY.address
        self.history: list[JobEvent] = []
        self.looks = 0
        """How often there was nothing to tell of a job."""
        self.wanted: ModelFilter | None = None

    def _fail(self) -> None:
        if self.raises is not None:
            raise self.raises

    async def list_models(self, wanted: ModelFilter) -> list[ModelView]:
        self._fail()
        self.wanted = wanted
        return list(self.models.values())[wanted.offset : wanted.offset + wanted.limit]

    async def model(self, model: str) -> ModelView:
        self._fail()
        found = self.models.get(model.partition("@")[0])
        if found is None:
            raise NotFound(Reason.MODEL_UNKNOWN, model=model)
        return found

    async def bundle(self, model: str) -> bytes:
        await self.model(model)
        return b'{"format":"inferproof/verifier/1"}'

    async def submit_model(self, document: bytes, signature: bytes) -> ModelView:
        self._fail()
        self.submitted.append((document, signature))
        return model_view(status=ModelStatus.PENDING, estimate=None)

    async def approve(self, model: str) -> ModelView:
        return replace(await self.model(model), status=ModelStatus.ACTIVE)

    async def suspend(self, model: str) -> ModelView:
        return replace(await self.model(model), status=ModelStatus.SUSPENDED)

    async def quote(self, model: str, request: Digest | None = None) -> SignedQuote:
        view = await self.model(model)
        quote = Quote(
            model_id=view.id,
            model_commitment=view.commitment,
            proof_system=view.proof_system,
            provider=view.provider,
            price=view.price,
            payee=view.payee,
            request_digest=request or ZERO_DIGEST,
            prove_ms=10,
            peak_bytes=1000,
            proof_bytes=100,
            verify_gas=0,
            issued_at=NOW,
            expires_at=NOW + 300,
        )
        return SignedQuote(quote, GATEWAY.sign(quote_digest(quote)))

    async def check_input(self, model: str, request: Request) -> Tensors:
        await self.model(model)
        try:
            value = json.loads(request.body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict) or not isinstance(value.get("input"), str):
            raise InputRejected(
                Reason.INPUT_TYPE_MISMATCH, name="text", expected="a text", got="something else"
            )
        return {}

    async def accept(self, paid: PaidRequest) -> JobView:
        presented, request, payment_id = paid.payment, paid.request, paid.payment_id
        self._fail()
        self.webhook = paid.webhook
        method = self.methods[presented.method]
        view = await self.model(paid.model)
        signed = paid.quote or await self.quote(paid.model)
        # Times and chain are not looked at here; a transfer is found where it was claimed.
        settled_in, payment = Digest(b"\x09" * 32), presented.payment
        if payment is None:
            claim = presented.signed
            moved = spent(claim, Transfer(2, claim.payer, claim.payee, 300_000))
            settled_in, payment = claim.transaction, transfer_payment(moved)
        else:
            check_terms(presented.signed, signed.quote)
        method.check_signed(presented, paid.digest)
        for job, before in self.jobs.values():
            if payment_id is not None and self.payment_ids.get(payment_id) == job.id:
                if before != request:
                    raise Conflict(Reason.PAYMENT_ID_REUSED, payment_id=payment_id)
                return job
            if (job.payment.payer, job.payment.nonce) == (payment.payer, payment.nonce):
                if before != request:
                    raise Conflict(Reason.PAYMENT_REPLAYED)
                return job
        number = method.job_id(payment, paid.digest, presented.salt)
        job = JobView(
            id=number,
            state=JobState.RUNNING if presented.draws else JobState.QUEUED,
            model_id=view.id,
            model_version=view.version,
            model_commitment=view.commitment,
            request_digest=paid.digest,
            payment=payment,
            payment_shown=method.view(payment),
            quote=signed,
            settlement=Settlement(SettlementState.SETTLED, settled_in, 17),
            created_at=NOW,
            updated_at=NOW,
            deadline=NOW + 3600,
        )
        self.jobs[number] = (job, request)
        if payment_id is not None:
            self.payment_ids[payment_id] = number
        return job

    async def wait(self, number: Digest, timeout_s: float) -> JobView:
        self.waited.append(timeout_s)
        await asyncio.sleep(0)
        job, request = self.jobs[number]
        if timeout_s and self.ending is not None:
            self.jobs[number] = (self._ended(job), request)
        return self.jobs[number][0]

    def _ended(self, job: JobView) -> JobView:
        match self.ending:
            case JobState.DONE:
                answer = AnswerView(
                    outputs=(FixedTensor("logits", (1, 3), (-6, 1, 8), 0.25),),
                    label="positive",
                    scores={"negative": -1.5, "neutral": 0.25, "positive": 2.0},
                    unit="logit",
                    proof_digest=Digest(b"\x0a" * 32),
                    assurance=Assurance.COMMITMENT,
                    proven="Digests are bound together.",
                    timings=(StageTime("prove", 510_000),),
                    proof_size=len(PROOF),
                    out_of_range=2,
                )
                return replace(job, state=JobState.DONE, answer=answer)
            case JobState.VOID:
                settlement = Settlement(SettlementState.FAILED)
                return replace(
                    job, state=JobState.VOID, failure=self.failure, settlement=settlement
                )
            case state:
                assert state is not None
                return replace(
                    job, state=state, failure=self.failure, refund=Refund(RefundState.DUE)
                )

    async def job(self, number: Digest) -> JobView:
        self._fail()
        if number not in self.jobs:
            raise NotFound(Reason.JOB_UNKNOWN, job=number)
        return self.jobs[number][0]

    async def events(self, number: Digest, *, after: int = 0, wait_s: float = 0) -> list[JobEvent]:
        await self.job(number)
        if not self.history[after:]:
            self.looks += 1
            await asyncio.sleep(min(wait_s, 0.01))
        return self.history[after:]

    async def cancel(self, number: Digest, before: int, signature: bytes) -> JobView:
        job = await self.job(number)
        check_cancellation(number, before, signature, payer=job.payment.payer, now=NOW)
        failure = Failure("JOB_CANCELLED", "the payer cancelled the job", {})
        job = replace(job, state=JobState.FAILED, failure=failure, refund=Refund(RefundState.DUE))
        self.jobs[number] = (job, self.jobs[number][1])
        return job

    async def input_opening(self, number: Digest, before: int, signature: bytes) -> bytes:
        job = await self.job(number)
        check_opening_request(number, before, signature, payer=job.payment.payer, now=NOW)
        if self.jobs[number][1].salt is None:
            raise NotFound(Reason.OPENING_NONE, job=number)
        return OPENING

    async def receipt(self, number: Digest, *, attach: bool = False) -> bytes:
        await self.job(number)
        return json.dumps({"body": {"proof": "AA==" if attach else None}}).encode()

    async def proof(self, digest: Digest) -> bytes:
        if digest.raw != b"\x0a" * 32:
            raise NotFound(Reason.PROOF_UNKNOWN, digest=digest)
        return PROOF

    async def verify(self, data: bytes) -> VerificationRecord:
        self._fail()
        good = data.startswith(b'{"body"')
        step = VerificationStep(1, "receipt decodes", "passed", "small")
        return VerificationRecord(
            id=1,
            subject=Digest(b"\x0b" * 32),
            kind="receipt",
            verified=good,
            at=NOW,
            steps=(step,) if good else (),
            job_id=Digest(b"\x0c" * 32) if good else None,
            reason=None if good else "JSON_NOT_CANONICAL",
            message=None if good else "the document is not canonical JSON",
        )

    async def verification(self, number: int) -> VerificationRecord:
        if number != 1:
            raise NotFound(Reason.VERIFICATION_UNKNOWN, number=number)
        return await self.verify(b'{"body"')

    async def verifications_of(self, number: Digest) -> list[VerificationRecord]:
        record = await self.verification(1)
        return [record] if number == record.job_id else []


def sign_payment(
    challenge: Challenge, *, salt: bytes = b"\x03" * 32, amount: int | None = None
) -> str:
    """The PAYMENT-SIGNATURE header that answers a challenge."""
    quote = challenge.quote
    unsigned = Authorization(
        asset=quote.price.asset,
        payer=PAYER.address,
        payee=quote.payee,
        amount=quote.price.amount if amount is None else amount,
        valid_after=0,
        valid_before=NOW + 600,
        nonce=bound_nonce(challenge.request, salt),
        signature=b"",
    )
    signed = replace(unsigned, signature=PAYER.sign(authorization_digest(unsigned)))
    payload = payment_payload(challenge, signed, salt)
    payload["accepted"] = {**challenge.accepted, "amount": str(signed.amount)}
    return encode_header(payload)


def sign_claim(challenge: Challenge, **changes: object) -> str:
    """The Inferproof-Transfer header that answers a challenge."""
    quote = challenge.quote
    unsigned = TransferClaim(
        asset=quote.price.asset,
        payer=PAYER.address,
        payee=quote.payee,
        transaction=Digest(b"\x0e" * 32),
        log_index=None,
        request=challenge.request,
        salt=Digest(b"\x03" * 32),
        signature=b"",
    )
    unsigned = replace(unsigned, **changes)  # type: ignore[arg-type]
    claim = replace(unsigned, signature=PAYER.sign(claim_digest(unsigned)))
    return transfer_header(claim, quote, challenge.quote_signature)


async def challenged(http: httpx.AsyncClient, body: bytes = BODY) -> Challenge:
    """The challenge of an unpaid call."""
    response = await http.post(INFER, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 402, response.text
    return read_challenge(response.headers["PAYMENT-REQUIRED"])


def error_of(response: httpx.Response) -> dict[str, object]:
    """The body of the envelope, once its form was checked."""
    assert response.headers["content-type"] == "application/json"
    value = response.json()
    offers = response.status_code == 402 and "PAYMENT-REQUIRED" in response.headers
    assert set(value) == ({"error", "payment_required"} if offers else {"error"})
    assert set(value["error"]) <= {"code", "message", "facts"}
    assert isinstance(value["error"]["message"], str)
    return value["error"]
