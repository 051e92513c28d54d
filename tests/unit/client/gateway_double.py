"""A gateway in memory that answers the client's calls with sample receipts."""

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import httpx

from inferproof.client.flow import Buyer
from inferproof.client.ledger import Ledger
from inferproof.client.limits import Limits
from inferproof.client.steps import Call, Event, Lost, Pause, Reply, Step
from inferproof.payments.transfer import (
    TRANSFER_HEADER,
    IncomingTransfer,
    parse_transfer,
    transfer_offer,
)
from inferproof.payments.x402 import (
    IncomingPayment,
    Resource,
    challenge,
    encode_header,
    parse_payment,
)
from inferproof.payments.x402.wire import requirements
from inferproof.protocol.commitments import job_id, request_digest
from inferproof.protocol.input_opening import InputOpening, encode_input_opening
from inferproof.protocol.opening_request import check_opening_request
from inferproof.protocol.quote import quote_digest
from inferproof.protocol.receipt import encode_receipt_file
from inferproof.protocol.transfer import claim_job_id
from inferproof.testing.samples import (
    ASSET,
    GATEWAY,
    ORDERED_AT,
    PAYER,
    Sample,
    TransferSample,
    sample_bundle,
    sample_receipt_file,
    sample_tools,
)
from inferproof.types.digest import Digest
from inferproof.types.money import Money
from inferproof.types.payment import (
    Authorization,
    Quote,
    Settlement,
    SettlementState,
    TransferClaim,
)
from inferproof.types.proof import UNTOLD, ToldProof
from inferproof.types.receipt import ReceiptFile, Request
from inferproof.verify.policy import Policy

T = TypeVar("T")
TRANSFER = TRANSFER_HEADER.lower()

BODY = b'{"input":[1.5,-2,0.25]}'
PRICE = Money(250_000, ASSET)
SYSTEM = "ezkl"
"""Only a system that is known to prove reaches the assurance that buyers ask for."""
BUNDLE = sample_bundle(system=SYSTEM, labels=("up", "down"))


@dataclass(frozen=True, kw_only=True)
class Paid(Sample):
    """The sample receipt for a payment and a quote that are given."""

    paid: Authorization
    asked: Quote

    def authorization(self) -> Authorization:
        return self.paid

    def quote(self) -> Quote:
        return self.asked


@dataclass(frozen=True, kw_only=True)
class PaidBefore(TransferSample):
    """The sample receipt for a claim and a quote that are given."""

    claimed: TransferClaim
    asked: Quote

    def claim(self) -> TransferClaim:
        return self.claimed

    def quote(self) -> Quote:
        return self.asked


def request_of(call: Call) -> Request:
    """The request that a call is, with the salt that it comes with."""
    salt = call.headers.get("inferproof-private-input")
    given = None if salt is None else bytes.fromhex(salt[2:])
    return Request(call.method, call.path, call.body, given)


def digest_of(call: Call) -> Digest:
    """Its digest."""
    request = request_of(call)
    return request_digest(request.method, request.path, request.body, request.salt)


def reply(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, dict(headers or {}), json.dumps(value).encode())


def envelope(status: int, code: str, message: str, **facts: Any) -> Reply:
    return reply(status, {"error": {"code": code, "message": message, "facts": facts}})


@dataclass
class GatewayDouble:
    """Answers calls; `faults` are taken one by one for paid calls and stand in for an answer.

    `states` are what a job's polls say before it is done. `quote_changes` and `file_changes`
    make it dishonest.
    """

    faults: list[Event] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    quote_changes: dict[str, Any] = field(default_factory=dict)
    challenge_changes: dict[str, Any] = field(default_factory=dict)
    change_file: Callable[[ReceiptFile], ReceiptFile] = lambda file: file
    change_bytes: Callable[[bytes], bytes] = lambda data: data
    change_request: Callable[[Request], Request] = lambda request: request
    change_opening: Callable[[InputOpening], InputOpening] = lambda opening: opening
    lied: InputOpening | None = None
    takes_transfers: bool = True
    proof: ToldProof = UNTOLD
    keys_kept: bool = False
    """Whether its first job is the answer to every later payment, as for one idempotency key."""
    calls: list[Call] = field(default_factory=list)
    jobs: dict[str, tuple[Call, IncomingPayment]] = field(default_factory=dict)
    claims: dict[str, tuple[Call, IncomingTransfer]] = field(default_factory=dict)

    def __call__(self, call: Call) -> Event:
        self.calls.append(call)
        path = call.path.partition("?")[0]
        if path.endswith("/opening"):
            return self._open(call, path.split("/")[-2])
        if call.method == "POST" and not {"payment-signature", TRANSFER} & set(call.headers):
            return self._ask(call)
        job = self._accept(call) if call.method == "POST" else path.rpartition("/")[2]
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Reply) and 400 <= fault.status < 500:
                self.jobs.pop(job, None)  # what is refused was not taken
                self.claims.pop(job, None)
            return fault
        if "/receipts/" in path:
            data = encode_receipt_file(self.change_file(self.file(job)))
            return Reply(200, {}, self.change_bytes(data))
        if job not in self.jobs and job not in self.claims:
            return envelope(404, "JOB_UNKNOWN", f"there is no job {job}", job=job)
        state = self.states.pop(0) if self.states else "done"
        return reply(200 if state == "done" else 202, self._job(job, state))

    @property
    def payments(self) -> list[str]:
        """The payment headers that came, in order."""
        return [
            c.headers["payment-signature"] for c in self.calls if c.headers.get("payment-signature")
        ]

    def _open(self, call: Call, job: str) -> Reply:
        asked = json.loads(call.body)
        number, signature = Digest.from_hex(job), bytes.fromhex(asked["signature"][2:])
        now = int(asked["before"]) - 60
        check_opening_request(number, now + 60, signature, payer=PAYER.address, now=now)
        opening = self.change_opening(self.sample(job).opening())
        return Reply(200, {}, encode_input_opening(opening))

    def quote(self, call: Call) -> Quote:
        request = request_of(call)
        return replace(Sample(request=request, bundle=BUNDLE).quote(), **self.quote_changes)

    def _ask(self, call: Call) -> Reply:
        quote = self.quote(call)
        asked = challenge(
            quote,
            GATEWAY.sign(quote_digest(quote)),
            Resource("http://gateway" + call.path, "sample"),
            request=digest_of(call),
            accepts=[requirements(quote, 600)],
            offers={"transfer": transfer_offer(3, 86_400)} if self.takes_transfers else {},
            proof=self.proof,
        )
        header = {"payment-required": encode_header(asked | self.challenge_changes)}
        due = {"error": {"code": "PAYMENT_REQUIRED", "message": "pay"}}
        return reply(402, due, header)

    def _accept(self, call: Call) -> str:
        if TRANSFER in call.headers:
            claimed = parse_transfer(call.headers[TRANSFER], [ASSET])
            job = claim_job_id(claimed.claim).hex
            self.claims.setdefault(job, (call, claimed))
            return job
        payment = parse_payment(call.headers["payment-signature"], [ASSET])
        paid = payment.authorization
        request = digest_of(call)
        salt = Digest(payment.binding_salt) if payment.binding_salt is not None else None
        asset = (ASSET.network, ASSET.address)
        job = job_id(*asset, paid.payer, paid.nonce, request, salt).hex
        if self.keys_kept and self.jobs:
            return next(iter(self.jobs))
        self.jobs.setdefault(job, (call, payment))
        return job

    def _job(self, job: str, state: str) -> dict[str, Any]:
        output = {"scores": {"down": 7, "up": -3}} if state == "done" else None  # a lie
        call = (self.jobs.get(job) or self.claims[job])[0]
        request = digest_of(call).hex
        return {"job_id": job, "state": state, "output": output, "request_digest": request}

    def file(self, job: str) -> ReceiptFile:
        """The true receipt file of a job."""
        file = sample_receipt_file(self.sample(job))
        private = file.receipt.statement.private_input
        return replace(file, request=None) if private else file

    def sample(self, job: str) -> Sample:
        """What a job's true receipt follows from."""
        if job in self.claims:
            call, claimed = self.claims[job]
            return PaidBefore(
                bundle=BUNDLE,
                request=request_of(call),
                nonce_salt=claimed.claim.salt.raw,
                settlement=Settlement(SettlementState.SETTLED, claimed.claim.transaction, 42),
                claimed=claimed.claim,
                asked=self.quote(call),
            )
        call, payment = self.jobs[job]
        return Paid(
            bundle=BUNDLE,
            request=self.change_request(request_of(call)),
            nonce_salt=payment.binding_salt,
            paid=payment.authorization,
            asked=self.quote(call),
        )

    def transport(self, request: httpx.Request) -> httpx.Response:
        """The same as a handler for httpx.MockTransport."""
        path = request.url.raw_path.decode()
        headers = {name.lower(): value for name, value in request.headers.items()}
        event = self(Call(request.method, path, request.content, headers))
        if isinstance(event, Reply):
            return httpx.Response(event.status, headers=dict(event.headers), content=event.body)
        raise httpx.ReadError(event.why if isinstance(event, Lost) else "gone")


@dataclass
class Clock:
    """Unix seconds that pass only when told to."""

    now: float = float(ORDERED_AT)

    def __call__(self) -> float:
        return self.now


def buyer(clock: Clock | None = None, **changes: Any) -> Buyer:
    """A buyer with the sample payer's key."""
    made = Buyer(
        signer=PAYER,
        limits=Limits(),
        policy=Policy(),
        tools=sample_tools(SYSTEM),
        ledger=Ledger(),
        clock=clock or Clock(),
        salts=lambda: b"\x5a" * 32,
    )
    return replace(made, **changes)


def drive(
    flow: Generator[Step, Event, T],
    gateway: Callable[[Call], Event],
    pauses: list[float] | None = None,
    clock: Clock | None = None,
) -> T:
    """What the flow returns; pauses only move the clock."""
    event: Event = None
    while True:
        try:
            step = flow.send(event)
        except StopIteration as done:
            result: T = done.value
            return result
        if isinstance(step, Pause):
            if pauses is not None:
                pauses.append(step.seconds)
            if clock is not None:
                clock.now += step.seconds
            event = None
        else:
            event = gateway(step)
