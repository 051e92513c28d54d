"""The paid call.

    no payment      input is checked, unless it is empty → 402 with the offers
    payment         accept (reserved, durable) → wait → 200 with the answer and the receipt
    still running   202 with Location, at once with `Prefer: respond-async`
    it failed       the failure's status, with job id and refund in `facts`

The body is kept byte for byte: the payment is bound to it.

A plain Starlette route: a call comes twice and costs its caller latency, and FastAPI's own way of
one, which finds out what to call with what, would take a sixth of the gateway's processor time for
it. `OPERATION` describes it in OpenAPI, from the structures that read and write it.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from inferproof.api import schemas as s
from inferproof.api import views
from inferproof.api.admission import api_key
from inferproof.api.body import body_limit
from inferproof.api.context import Services, origin, sent_path, services
from inferproof.api.errors import envelope, error_response, request_id
from inferproof.api.failures import job_failure
from inferproof.api.resources import model_resource
from inferproof.api.routes.describe import Responses, encoded, errors, header, operation, ref
from inferproof.api.routes.parameters import MODEL_NAME, check_model_name
from inferproof.api.wire import JSON, json_response
from inferproof.errors import Conflict, NotFound, PaymentRejected, Reason, RequestRejected
from inferproof.payments.method import Presented
from inferproof.payments.passes import PASS_HEADER
from inferproof.payments.passes.wire import SignedPass
from inferproof.payments.transfer import TRANSFER_HEADER
from inferproof.payments.transfer.wire import SignedClaim
from inferproof.payments.x402 import (
    PAYMENT_REQUIRED,
    PAYMENT_RESPONSE,
    challenge,
    encode_header,
    header_part,
    settle_response,
)
from inferproof.payments.x402.wire import PaymentPayload, PaymentRequired
from inferproof.protocol.commitments import request_digest
from inferproof.services.orders.base import JobView, PaidRequest, SignedQuote
from inferproof.types.job import JobState
from inferproof.types.payment import SettlementState
from inferproof.types.receipt import Request

log = logging.getLogger("inferproof.api")

IDEMPOTENCY_KEY = "Idempotency-Key"
WEBHOOK = "Inferproof-Webhook"
PRIVATE_INPUT = "Inferproof-Private-Input"
_KEY = re.compile(r"[A-Za-z0-9_-]{16,128}")
_SALT = re.compile(r"0x[0-9a-f]{64}")
_WAIT = re.compile(r"wait=([0-9]{1,4})")
BLANKS = b" \t\r\n"
"""What may stand around a value of JSON."""


class _Offer(TypedDict):
    """An offer as two parts of a response: its headers, and members of its body."""

    headers: dict[str, str]
    more: dict[str, object]


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of the route: its body byte for byte, its headers by names in lower case."""

    served: Services
    http: HttpRequest
    model: str
    sent: Request
    headers: Mapping[str, str]


@body_limit(lambda settings: settings.body_limit)
async def infer(request: HttpRequest) -> Response:
    """Answers with the model's proven output once the call is paid for."""
    request.scope["route"] = ROUTE  # metrics count by it; early Starlettes leave it out
    served, model = services(request), request.path_params["model"]
    check_model_name(model)
    path, headers = sent_path(request), _plain_headers(request)
    if "%2f" in path.lower():  # decoded it would be another path than the one that is paid for
        raise NotFound(Reason.ROUTE_UNKNOWN)
    _check_type(headers)
    sent = Request("POST", path, await request.body(), _salt(headers))
    call = _Call(served, request, model, sent, headers)
    try:
        job = await _paid(call)
    except PaymentRejected as error:
        offer = await _offer_again(call, error.message)
        return error_response(error, request_id=request_id(request), **offer)
    if job is None:
        return await _ask(call)
    patience = _patience(headers, served.settings.sync_wait_s)
    if patience and not job.over:
        job = await served.gateway.wait(job.id, patience)
    return await _respond(call, job)


async def _paid(call: _Call) -> JobView | None:
    """The job that the call's payment buys; None for a call without a payment."""
    presented = _presented(call)
    if presented is None:
        return None
    key = _idempotency_key(call, presented)
    paid = PaidRequest(
        call.model,
        call.sent,
        presented,
        quote=None if presented.quote is None else SignedQuote(*presented.quote),
        payment_id=presented.payment_id if key is None else key,
        webhook=call.headers.get(WEBHOOK.lower()),
        holder=api_key(call.http.scope),
    )
    try:
        return await call.served.gateway.accept(paid)
    except Conflict as error:
        if key is None or error.reason is not Reason.PAYMENT_ID_REUSED:
            raise
        raise Conflict(Reason.IDEMPOTENCY_KEY_REUSED, key=key) from None


def _presented(call: _Call) -> Presented[Any] | None:
    """The payment in the call's headers, as the one method reads it whose header came."""
    methods = call.served.gateway.methods.values()
    if sum(method.header.lower() in call.headers for method in methods) > 1:
        raise RequestRejected(Reason.PAYMENT_TWICE)
    try:
        found = [presented for m in methods if (presented := m.read(call.headers)) is not None]
    except PaymentRejected as error:
        call.served.metrics.payment(error.code)  # what the gateway refuses, it counts itself
        raise
    return found[0] if found else None


def _plain_headers(request: HttpRequest) -> dict[str, str]:
    """The headers by their names in lower case; of several with one name the first."""
    # Starlette goes through all of them for each that is asked for.
    pairs = reversed(request.scope["headers"])
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


def _idempotency_key(call: _Call, presented: Presented[Any]) -> str | None:
    """The key in the header, as the draft of the HTTP working group writes it or bare.

    It is the payment's identifier by another door: one payer's keys and identifiers are one set.
    Raises: RequestRejected IDEMPOTENCY_KEY_MALFORMED, IDEMPOTENCY_KEYS_DIFFER.
    """
    given = call.headers.get(IDEMPOTENCY_KEY.lower())
    if given is None or not call.served.gateway.methods[presented.method].takes_key:
        return None
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if not _KEY.fullmatch(key):
        raise RequestRejected(Reason.IDEMPOTENCY_KEY_MALFORMED)
    if presented.payment_id not in (None, key):
        raise RequestRejected(
            Reason.IDEMPOTENCY_KEYS_DIFFER, key=key, payment_id=presented.payment_id
        )
    return key


async def _respond(call: _Call, job: JobView) -> Response:
    headers = _payment_response(job)
    if job.state is JobState.DONE:
        return json_response(await job_json(call.served, job), headers=headers)
    if not job.over:
        headers |= {"Location": f"/v1/jobs/{job.id.hex}", "Retry-After": "1"}
        return json_response(await job_json(call.served, job), status=202, headers=headers)
    failed = job_failure(job)
    more: Mapping[str, object] = {}
    if failed.status == 402:
        offer = await _offer_again(call, failed.message)
        headers, more = headers | offer["headers"], offer["more"]
    elif failed.status == 500:
        log.error("a job failed by our fault: %s", failed.code, extra={"job": job.id})
    return envelope(failed.status, failed.code, failed.message, failed.facts, headers, more)


async def job_json(served: Services, job: JobView) -> dict[str, object]:
    """The job as JSON, with receipt and proof where it is done."""
    receipt = None if job.answer is None else await served.gateway.receipt(job.id)
    return views.job_info(job, served.gateway.address, receipt=receipt)


async def _ask(call: _Call) -> Response:
    """402 with the offer, and nothing gone wrong.

    A body that is empty is no bad input but the question what a good one is: who asks, a crawler
    or an agent, finds an example beside the offer. Any other has to be one that could be paid for.
    """
    if call.sent.body.translate(None, BLANKS) not in (b"", b"{}"):
        await call.served.gateway.check_input(call.model, call.sent)
    signed, offer = await _quoted(call, None)
    due = PaymentRejected(Reason.PAYMENT_REQUIRED, price=signed.quote.price)
    return error_response(due, request_id=request_id(call.http), **offer)


async def _offer_again(call: _Call, error: str) -> _Offer:
    """What asks for another payment and says what was wrong with the last one.

    It is charged as the quote that it is: what came instead of a payment may be anything.
    Raises: TooMany RATE_LIMITED; Unavailable LIMITER_UNAVAILABLE.
    """
    if call.served.admission is not None:
        await call.served.admission.charge_quote(call.http.scope)
    return (await _quoted(call, error))[1]


async def _quoted(call: _Call, error: str | None) -> tuple[SignedQuote, _Offer]:
    """A fresh quote for this request, and what offers it: the header, and the body's part with
    schemas and examples, for which a header has no room."""
    served, path = call.served, call.sent.path
    digest = request_digest(call.sent.method, path, call.sent.body, call.sent.salt)
    methods = served.gateway.methods.values()
    signed = await served.gateway.quote(call.model, digest)
    view = await served.gateway.model(call.model)
    asked = challenge(
        signed.quote,
        signed.signature,
        model_resource(view, origin(call.http, served.settings) + path),
        request=digest,
        accepts=[entry for m in methods if (entry := m.challenge(signed.quote)) is not None],
        offers={name: offer for m in methods for name, offer in m.offer().items()},
        proof=view.told(private_input=call.sent.salt is not None),
        error=error,
    )
    headers = {PAYMENT_REQUIRED: encode_header(header_part(asked))}
    return signed, {"headers": headers, "more": {"payment_required": asked}}


def _payment_response(job: JobView) -> dict[str, str]:
    """The receipt header; absent while it is not known whether the money moved."""
    if job.settlement.state is not SettlementState.SETTLED:
        return {}
    payment = job.payment
    value = settle_response(job.settlement, payment.payer, payment.asset.network, payment.amount)
    return {PAYMENT_RESPONSE: encode_header(value)}


def _patience(headers: Mapping[str, str], limit: float) -> float:
    """Seconds to wait: the limit, or less where the caller prefers so (RFC 7240)."""
    preferences = [p.strip().lower() for p in headers.get("prefer", "").split(",")]
    if "respond-async" in preferences:
        return 0.0
    waits = [int(m[1]) for p in preferences if (m := _WAIT.fullmatch(p)) is not None]
    return min([limit, *waits])


def _salt(headers: Mapping[str, str]) -> bytes | None:
    """The salt of a request that asks for a private input; None for any other.

    Raises: RequestRejected PRIVATE_INPUT_SALT.
    """
    given = headers.get(PRIVATE_INPUT.lower())
    if given is None:
        return None
    if not _SALT.fullmatch(given):
        raise RequestRejected(Reason.PRIVATE_INPUT_SALT, header=PRIVATE_INPUT)
    return bytes.fromhex(given[2:])


def _check_type(headers: Mapping[str, str]) -> None:
    kind = headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind != JSON:
        raise RequestRejected(Reason.CONTENT_TYPE, expected=JSON, got=kind[:80])


ROUTE = Route("/v1/models/{model}/infer", infer, methods=["POST"])

_RESPONSES: Responses = {
    200: {
        "model": s.JobInfo,
        "description": "The proven answer, its receipt, and where its proof is.",
        "headers": {PAYMENT_RESPONSE: header("The x402 SettleResponse, Base64 of JSON.")},
    },
    202: {
        "model": s.JobInfo,
        "description": "Paid or being paid, and not finished; poll Location, which is free.",
        "headers": {"Location": header("The job.")},
    },
    **errors(402, 404, 409, 413, 415),
}
_RESPONSES[402] = {
    "description": "Payment is needed, or failed for good. The header has all that a client needs "
    "to pay; the body has the same, with schemas and an example of a whole request body.",
    "headers": {
        PAYMENT_REQUIRED: {
            "description": "The x402 PaymentRequired.",
            "schema": encoded(PaymentRequired),
        }
    },
    "content": {
        JSON: {
            "schema": {
                "type": "object",
                "properties": {
                    "error": {"$ref": "#/components/schemas/ErrorBody"},
                    "payment_required": ref(PaymentRequired),
                },
                "required": ["error", "payment_required"],
            }
        }
    },
}

OPERATION = operation(
    infer,
    _RESPONSES,
    operationId="infer",
    tags=["inference"],
    summary="Infer, with a proof, for money",
    **{"x-payment-info": {"protocols": ["x402"], "pricingMode": "quote"}},
    requestBody={
        "required": True,
        "description": "The model's input; see `input` of the model. Empty or `{}` without a "
        "payment asks for the price and an example.",
        "content": {
            JSON: {
                "schema": {"description": "As the model's pre-processing takes it."},
                "examples": {
                    "text": {"value": {"input": "Ether rallies to a record high"}},
                    "vector": {"value": {"input": {"amount": 12.5, "hour": 3}}},
                },
            }
        },
    },
    parameters=[
        {
            "name": "model",
            "in": "path",
            "required": True,
            "description": "`id` or `id@version`.",
            "schema": {
                "type": "string",
                "pattern": MODEL_NAME,
                "examples": ["crypto-news-sentiment"],
            },
        },
        {
            "name": "PAYMENT-SIGNATURE",
            "in": "header",
            "required": False,
            "description": "The x402 PaymentPayload, Base64 of JSON. The same header with the "
            "same body again gives the same job and is not paid twice.",
            "schema": encoded(PaymentPayload),
        },
        {
            "name": TRANSFER_HEADER,
            "in": "header",
            "required": False,
            "description": "Instead of PAYMENT-SIGNATURE: the payer's claim to a transfer that it "
            "made before, Base64 of JSON, as specs/transfer.md has it. The same claim with the "
            "same body again gives the same job; an Idempotency-Key is not needed, nor read.",
            "schema": encoded(SignedClaim),
        },
        {
            "name": PASS_HEADER,
            "in": "header",
            "required": False,
            "description": "Instead of PAYMENT-SIGNATURE: the buyer's claim to a call of a pass, a "
            "pack or a subscription that it bought on the chain before, Base64 of JSON, as "
            "specs/access.md has it. The same claim with the same body again gives the same job.",
            "schema": encoded(SignedPass),
        },
        {
            "name": IDEMPOTENCY_KEY,
            "in": "header",
            "required": False,
            "description": "16 to 128 letters, digits, - and _. The same key of the same payer "
            "with the same request is the same job, also with another payment, which is then "
            "not taken; with another request it is a conflict.",
            "schema": {"type": "string"},
            "example": "3f6c2a52-7c1e-4c0e-9d0b-5a3f2f1f7d11",
        },
        {
            "name": WEBHOOK,
            "in": "header",
            "required": False,
            "description": "An https URL that is told, signed, when the job is done, failed, "
            "refunded or void. The first request with a payment decides; another URL later is "
            "a conflict.",
            "schema": {"type": "string", "format": "uri", "maxLength": 2048},
            "example": "https://buyer.example/inferproof",
        },
        {
            "name": PRIVATE_INPUT,
            "in": "header",
            "required": False,
            "description": "Asks for a proof that shows nothing of the input. It holds 32 random "
            "bytes that salt the digest of the request, which is signed for; keep them, for they "
            "are part of the request. Models say whether they take private inputs.",
            "schema": {"type": "string", "pattern": _SALT.pattern},
            "example": s.HEX32,
        },
        {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "description": "`respond-async` answers at once with 202; `wait=N` waits at most N "
            "seconds.",
            "schema": {"type": "string"},
            "example": "respond-async",
        },
    ],
)
"""The route in OpenAPI."""
