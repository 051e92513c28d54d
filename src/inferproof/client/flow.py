"""The flow of a paid call, without I/O: a generator that yields steps and is sent events.

    1  send the request unpaid; 402 carries the gateway's signed offer
    2  check the offer: the gateway saw this very request, its quote is signed and holds
    3  check the buyer's policy, and its limits: asset, payee, price, budget
    4  sign an authorization whose nonce binds the request, or a claim that gives an earlier
       transfer or a call that was bought before for it, and record it
    5  send the same request with the payment, again and again where no answer comes
    6  poll the job while it runs
    7  fetch the receipt with its attachments, and verify it
    8  of a private input: ask for its opening, and compare the own input

Up to 4 nothing can be lost by stopping. From 5 on only the same header is ever sent, so the
gateway sees one payment and one job.
"""

import json
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote as percent

from inferproof.client.answer import Answer, Offer
from inferproof.client.checks import check_answer, check_offer
from inferproof.client.ledger import PRIVATE_INPUT, Ledger, PaidCall
from inferproof.client.limits import Limits
from inferproof.client.steps import (
    Call,
    Event,
    Lost,
    Pause,
    Reply,
    Step,
    json_body,
    refusal,
    unreadable,
)
from inferproof.errors import (
    InferproofError,
    InputRejected,
    PaymentRejected,
    PolicyRejected,
    Reason,
    RequestRejected,
    Unavailable,
)
from inferproof.payments.buyer import BuyerMethod
from inferproof.payments.escrow.receipt import ESCROW_METHOD
from inferproof.payments.x402 import PAYMENT_REQUIRED, Challenge, read_challenge
from inferproof.payments.x402.buyer import ExactBuyer
from inferproof.protocol.commitments import request_digest
from inferproof.protocol.input_opening import InputOpening, decode_input_opening
from inferproof.protocol.opening_request import opening_request_digest
from inferproof.protocol.quote import quote_digest
from inferproof.protocol.signature import Signer, recover
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.money import Money
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import Tools

Flow = Generator[Step, Event, Any]

JSON_HEADERS = {"content-type": "application/json", "accept": "application/json"}
AGAIN = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may well succeed."""
AGAIN_WHEN_PAID = AGAIN | {500}
"""A paid request is safe to repeat after anything that is not the gateway's last word."""
LOST_UNPAID = 3
"""How often nothing at all may come back before anything is paid: who typed an address that nobody
answers at is told soon."""
_KEY = re.compile(r"[A-Za-z0-9_-]{16,128}")
OPENING_S = 300
"""How long the signature that asks for an opening holds."""
POLL_S = 25
"""How long the gateway is asked to hold a poll."""
OVER = frozenset(
    {
        JobState.FAILED,
        JobState.REFUNDING,
        JobState.REFUNDED,
        JobState.WITHDRAWN,
        JobState.VOID,
    }
)


@dataclass(frozen=True)
class Buyer:
    """Everything that a flow decides by. Units: seconds.

    `clock` gives Unix time, `salts` fresh 32 random bytes. `tools` None stands for a client
    that does not verify. `prefix` is the path of the base URL.
    """

    signer: Signer
    limits: Limits
    policy: Policy
    tools: Tools | None
    ledger: Ledger
    clock: Callable[[], float]
    salts: Callable[[], bytes]
    prefix: str = ""
    dry_run: bool = False
    attempts: int = 6
    patience_s: float = 900.0
    backoff_s: float = field(default=0.5)


@dataclass(frozen=True, slots=True)
class Extras:
    """What goes with a paid request besides its payment, see `Client.infer`."""

    payment_id: str | None = None
    webhook: str | None = None
    idempotency_key: str | None = None
    private_input: bool = False


def infer_path(prefix: str, model: str) -> str:
    """The path of a model's paid call, percent-encoded as it is sent."""
    return f"{prefix}/v1/models/{percent(model, safe='@')}/infer"


def offer_flow(
    buyer: Buyer, model: str, body: bytes, *, private_input: bool = False
) -> Generator[Step, Event, Offer]:
    """Steps 1 and 2: the gateway's offer."""
    salt = buyer.salts() if private_input else None
    _, offer = yield from challenge_flow(buyer, unpaid_call(buyer, model, body, salt), salt)
    return offer


def infer_flow(
    buyer: Buyer,
    model: str,
    body: bytes,
    max_price: str | Money,
    extras: Extras | None = None,
    method: BuyerMethod | None = None,
) -> Generator[Step, Event, Answer]:
    """Steps 1 to 8: the answer, paid by `method`, an authorization unless another is given."""
    extras = extras or Extras()
    method = method or ExactBuyer(extras.payment_id)
    _check_key(extras.idempotency_key, method)
    salt = buyer.salts() if extras.private_input else None
    call = unpaid_call(buyer, model, body, salt)
    challenge, offer = yield from challenge_flow(buyer, call, salt)
    method.require_offered(challenge)
    # 3
    price = method.costs(challenge.quote)
    check_offer(offer, buyer.policy, buyer.tools)
    buyer.limits.check(challenge.quote, max_price, price)
    buyer.limits.check_budget(price, buyer.ledger.spent(price.asset))
    if buyer.dry_run:
        raise PolicyRejected(Reason.DRY_RUN, price=price, payee=challenge.quote.payee)
    # 4
    paid = PaidCall(
        path=call.path,
        body=call.body,
        payment=method.sign(challenge, buyer.signer, Digest(buyer.salts()), int(buyer.clock())),
        quote=challenge.quote,
        quote_signature=challenge.quote_signature,
        webhook=extras.webhook,
        idempotency_key=extras.idempotency_key,
        request_salt=salt,
    )
    buyer.ledger.record(paid, lambda spent: buyer.limits.check_budget(price, spent))
    return (yield from paid_flow(buyer, paid, offer.gateway))


def resume_flow(buyer: Buyer, job: Digest) -> Generator[Step, Event, Answer]:
    """Steps 5 to 8 for a call that was signed before. Raises: NotFound CALL_UNKNOWN."""
    paid = buyer.ledger.call(job)
    gateway = recover(quote_digest(paid.quote), paid.quote_signature)
    return (yield from paid_flow(buyer, paid, gateway))


def paid_flow(buyer: Buyer, paid: PaidCall, gateway: Address) -> Generator[Step, Event, Answer]:
    """Steps 5 to 8: the answer to a signed call."""
    started = buyer.clock()
    paid, job = yield from _pay(buyer, paid)
    # 6
    while job.get("state") != JobState.DONE.value:
        _stop_when_over(buyer, paid, job)
        if buyer.clock() - started > buyer.patience_s:
            raise _pending(paid, f"it is {str(job.get('state'))[:20]}")
        asked = buyer.clock()
        job = yield from _job(buyer, paid)
        if buyer.clock() - asked < 1:
            yield Pause(1)  # a gateway that does not hold the poll is not hammered
    # 7
    call = Call("GET", f"{buyer.prefix}/v1/receipts/{paid.answering_job.hex}?attach=true")
    receipt = yield from _fetch(buyer, paid, call)
    if receipt.status >= 400:
        raise refusal(receipt, call).error()
    # 8
    opening = None if paid.request_salt is None else (yield from _opening(buyer, paid))
    answer = check_answer(receipt.body, paid, gateway, buyer.policy, buyer.tools, opening)
    buyer.ledger.finish(paid.job_id)
    return answer


def _opening(buyer: Buyer, paid: PaidCall) -> Generator[Step, Event, InputOpening]:
    """What the gateway gives to the payer's signature. Raises: ProofRejected for no opening."""
    job, before = paid.answering_job, int(buyer.clock()) + OPENING_S
    signature = buyer.signer.sign(opening_request_digest(job, before))
    asked = {"before": before, "signature": "0x" + signature.hex()}
    path = f"{buyer.prefix}/v1/jobs/{job.hex}/opening"
    call = Call("POST", path, json.dumps(asked).encode(), JSON_HEADERS)
    reply = yield from _fetch(buyer, paid, call)
    if reply.status >= 400:
        raise refusal(reply, call).error()
    return decode_input_opening(reply.body)


def unpaid_call(buyer: Buyer, model: str, body: bytes, salt: bytes | None) -> Call:
    """The request without a payment."""
    private = {} if salt is None else {PRIVATE_INPUT.lower(): "0x" + salt.hex()}
    return Call("POST", infer_path(buyer.prefix, model), body, {**JSON_HEADERS, **private})


def challenge_flow(
    buyer: Buyer, call: Call, salt: bytes | None
) -> Generator[Step, Event, tuple[Challenge, Offer]]:
    """Steps 1 and 2: the gateway's challenge, and the offer in it."""
    # 1
    reply = yield from unpaid(buyer, call)
    header = reply.headers.get(PAYMENT_REQUIRED.lower())
    if reply.status != 402 or header is None:
        if reply.status < 400:
            raise unreadable(call, f"status {reply.status} where payment was expected")
        raise refusal(reply, call).error()
    # 2
    challenge = read_challenge(header)
    sent = request_digest(call.method, call.path, call.body, salt)
    if challenge.request != sent or challenge.quote.request_digest != sent:
        raise RequestRejected(Reason.CHALLENGE_OTHER_REQUEST, got=challenge.request, expected=sent)
    gateway = recover(quote_digest(challenge.quote), challenge.quote_signature)
    now = int(buyer.clock())
    if now >= challenge.quote.expires_at:
        raise RequestRejected(Reason.QUOTE_EXPIRED, now=now, expires_at=challenge.quote.expires_at)
    return challenge, Offer(challenge.quote, gateway, sent, challenge.proof)


def _check_key(key: str | None, method: BuyerMethod) -> None:
    if key is None:
        return
    if not method.takes_key:
        raise RequestRejected(Reason.IDEMPOTENCY_WITH_TRANSFER)
    if not _KEY.fullmatch(key):
        raise RequestRejected(Reason.IDEMPOTENCY_KEY_MALFORMED)


def _pay(buyer: Buyer, paid: PaidCall) -> Generator[Step, Event, tuple[PaidCall, dict[str, Any]]]:
    """Step 5: the job, as the gateway answers the paid request, and the call that it answers.

    A refusal is believed only when the gateway does not know the job either: an earlier send,
    whose answer was lost, may have been accepted under other circumstances. The call is kept
    until its authorization is over, or while its transfer may be taken later: the gateway has
    what was signed, and could still make use of it.
    """
    call = Call("POST", paid.path, paid.body, {**JSON_HEADERS, **paid.headers})
    reply = yield from _fetch(buyer, paid, call)
    if reply.status < 400:
        paid = _answered_by(reply, call, paid)
        return paid, _job_json(reply, call, paid)
    known = yield from _fetch(buyer, paid, _job_call(buyer, paid, 0))
    if known.status < 400:
        job = _job_json(known, call, paid)
        if job.get("request_digest") == paid.request.hex:
            return paid, job
    if _is_over(buyer, paid, reply):
        _forget(buyer, paid)
    raise refusal(reply, call).error()


def _answered_by(reply: Reply, call: Call, paid: PaidCall) -> PaidCall:
    """The call, with the job of an earlier payment where the idempotency key led to that. Only
    its receipt tells whether it is what was asked for."""
    job = json_body(reply, call)
    told = job.get("job_id")
    if paid.idempotency_key is None or told == paid.job_id.hex:
        return paid
    if job.get("request_digest") != paid.request.hex:
        raise unreadable(call, "it is about another request")
    try:
        return replace(paid, earlier=Digest.from_hex(str(told)))
    except InferproofError:
        raise unreadable(call, "it names no job") from None


def _is_over(buyer: Buyer, paid: PaidCall, refused: Reply) -> bool:
    ends = paid.payment.ends
    return refused.status != 402 if ends is None else buyer.clock() >= ends


def _job(buyer: Buyer, paid: PaidCall) -> Generator[Step, Event, dict[str, Any]]:
    call = _job_call(buyer, paid, POLL_S)
    reply = yield from _fetch(buyer, paid, call)
    if reply.status >= 400:
        raise refusal(reply, call).error()
    return _job_json(reply, call, paid)


def _job_call(buyer: Buyer, paid: PaidCall, wait_s: int) -> Call:
    return Call("GET", f"{buyer.prefix}/v1/jobs/{paid.answering_job.hex}?wait={wait_s}")


def _job_json(reply: Reply, call: Call, paid: PaidCall) -> dict[str, Any]:
    job = json_body(reply, call)
    if job.get("job_id") != paid.answering_job.hex:
        raise unreadable(call, "it is about another job")
    return job


def unpaid(buyer: Buyer, call: Call) -> Generator[Step, Event, Reply]:
    """A reply to a request that nothing is paid for. Raises: Unavailable GATEWAY_LOST."""
    last, lost = "it was not asked", 0
    for attempt in range(buyer.attempts):
        event = yield call
        if isinstance(event, Reply):
            if event.status not in AGAIN or attempt == buyer.attempts - 1:
                return event
            yield Pause(_delay(buyer, attempt, event))
        else:
            last = event.why if isinstance(event, Lost) else last
            lost += 1
            if lost == LOST_UNPAID:
                break
            if attempt < buyer.attempts - 1:
                yield Pause(_delay(buyer, attempt, None))
    raise Unavailable(Reason.GATEWAY_LOST, why=last)


def _fetch(buyer: Buyer, paid: PaidCall, call: Call) -> Generator[Step, Event, Reply]:
    """A reply that more sends would not change: an answer, or the gateway's last word.

    Raises: JOB_NO_ANSWER when the reply says that the job ended; Unavailable ANSWER_PENDING
    when no such reply came.
    """
    last = "it was not asked"
    for attempt in range(buyer.attempts):
        event = yield call
        if isinstance(event, Reply):
            if event.status < 400:
                return event
            last = _refused(buyer, paid, call, event)
            if event.status not in AGAIN_WHEN_PAID:
                return event
        elif isinstance(event, Lost):
            last = event.why
        if attempt < buyer.attempts - 1:
            yield Pause(_delay(buyer, attempt, event if isinstance(event, Reply) else None))
    raise _pending(paid, last)


def _refused(buyer: Buyer, paid: PaidCall, call: Call, reply: Reply) -> str:
    """What a reply says against the call. Raises: JOB_NO_ANSWER where it ended the job."""
    try:
        told = refusal(reply, call)
    except Unavailable:
        return f"status {reply.status}"  # a proxy's page in place of the gateway's word
    failure = {"code": told.code, "message": told.message}
    _stop_when_over(buyer, paid, {**told.facts, "failure": failure})
    return told.message


def _stop_when_over(buyer: Buyer, paid: PaidCall, job: dict[str, Any]) -> None:
    """Raises: JOB_NO_ANSWER when the gateway says that this job ended without an answer."""
    state, told = job.get("state"), job.get("job_id")
    ours = told == paid.answering_job.hex or (paid.idempotency_key is not None and told is not None)
    if not ours or state not in {s.value for s in OVER}:
        return
    failure = job.get("failure")
    why = failure.get("message") if isinstance(failure, dict) else None
    code = failure.get("code") if isinstance(failure, dict) else None
    kind: type[InferproofError] = Unavailable
    if state == JobState.VOID.value:
        kind = PaymentRejected
    elif isinstance(code, str) and code.startswith("INPUT_"):
        kind = InputRejected
    _forget(buyer, paid)
    raise kind(
        Reason.JOB_NO_ANSWER,
        job=paid.answering_job if told == paid.answering_job.hex else str(told)[:66],
        state=state,
        why=str(why or "the gateway does not say why")[:2000],
    )


def _forget(buyer: Buyer, paid: PaidCall) -> None:
    """Forgets a call whose payment this gateway makes no use of. One that an order pays for stays:
    its money is in the escrow, from where another server may still earn it, or from where the buyer
    takes it back; both need the order, and the first the request."""
    if paid.payment.method != ESCROW_METHOD:
        buyer.ledger.finish(paid.job_id)


def _pending(paid: PaidCall, why: str) -> Unavailable:
    # The job that was signed for: `resume` knows it, and comes to the answer of an earlier one.
    return Unavailable(Reason.ANSWER_PENDING, job=paid.job_id, why=why)


def _delay(buyer: Buyer, attempt: int, reply: Reply | None) -> float:
    """Seconds to wait: what the gateway asks for within reason, else twice as long each time."""
    asked = "" if reply is None else reply.headers.get("retry-after", "")
    if asked.isascii() and asked.isdigit():
        return float(min(int(asked[:4]), 60))
    return min(buyer.backoff_s * (1 << attempt), 30.0)
