"""The paid call.

    no payment      input is checked → 402 with the offers
    payment         accept (reserved, durable) → wait → 200 with the answer and the receipt
    transfer        redeem (spent, durable) → the same
    still running   202 with Location, at once with `Prefer: respond-async`
    it failed       the failure's status, with job id and refund in `facts`

The body is kept byte for byte: the payment is bound to it.
"""

import logging
import re
from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from inferproof.api import schemas as s
from inferproof.api import views
from inferproof.api.context import Served, Services, origin, sent_path
from inferproof.api.errand import ERRAND
from inferproof.api.errors import envelope, error_response, request_id
from inferproof.api.failures import job_failure
from inferproof.api.gate import api_key
from inferproof.api.resources import model_resource
from inferproof.api.routes.describe import errors, header
from inferproof.api.routes.parameters import ModelName
from inferproof.api.wire import JSON, json_response
from inferproof.errors import Conflict, PaymentRejected, Reason, RequestRejected
from inferproof.payments.transfer import TRANSFER_HEADER, parse_transfer, transfer_offer
from inferproof.payments.x402 import (
    PAYMENT_REQUIRED,
    PAYMENT_RESPONSE,
    IncomingPayment,
    challenge,
    encode_header,
    parse_payment,
    settle_response,
)
from inferproof.payments.x402.payment import payment_header
from inferproof.protocol.commitments import request_digest
from inferproof.services.gateway.base import JobView, SignedQuote
from inferproof.storage.ports.rate_limits import ApiKey
from inferproof.types.job import JobState
from inferproof.types.payment import SettlementState
from inferproof.types.receipt import Request

router = APIRouter(prefix="/v1", tags=["inference"])
log = logging.getLogger("inferproof.api")

IDEMPOTENCY_KEY = "Idempotency-Key"
WEBHOOK = "Inferproof-Webhook"
_KEY = re.compile(r"[A-Za-z0-9_-]{16,128}")
_WAIT = re.compile(r"wait=([0-9]{1,4})")

_RESPONSES = {
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
    **_RESPONSES[402],
    "headers": {PAYMENT_REQUIRED: header("The x402 PaymentRequired, Base64 of JSON.")},
}

_BODY = {
    "x-payment-info": {"protocols": ["x402"], "pricingMode": "quote"},
    "requestBody": {
        "required": True,
        "description": "The model's input; see `input` of the model.",
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
    "parameters": [
        {
            "name": "PAYMENT-SIGNATURE",
            "in": "header",
            "required": False,
            "description": "The x402 PaymentPayload, Base64 of JSON. The same header with the "
            "same body again gives the same job and is not paid twice.",
            "schema": {"type": "string"},
        },
        {
            "name": TRANSFER_HEADER,
            "in": "header",
            "required": False,
            "description": "Instead of PAYMENT-SIGNATURE: the payer's claim to a transfer that it "
            "made before, Base64 of JSON, as specs/transfer.md has it. The same claim with the "
            "same body again gives the same job; an Idempotency-Key is not needed, nor read.",
            "schema": {"type": "string"},
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
            "name": "Prefer",
            "in": "header",
            "required": False,
            "description": "`respond-async` answers at once with 202; `wait=N` waits at most N "
            "seconds.",
            "schema": {"type": "string"},
            "example": "respond-async",
        },
    ],
}


@router.post(
    "/models/{model}/infer",
    response_model=s.JobInfo,
    responses=_RESPONSES,
    operation_id="infer",
    summary="Infer, with a proof, for money",
    openapi_extra=_BODY,
)
async def infer(served: Served, request: HttpRequest, model: ModelName) -> Response:
    """Answers with the model's proven output once the call is paid for."""
    headers = _plain_headers(request)
    _check_type(headers)
    sent = Request("POST", sent_path(request), await request.body())
    try:
        payment = payment_header(headers)
        transfer = headers.get(TRANSFER_HEADER.lower())
        webhook, holder = headers.get(WEBHOOK.lower()), api_key(request.scope)
        errand = request.scope.get(ERRAND)
        if errand is not None and errand.outcome is not None:
            job = errand.result()
        elif transfer is not None:
            job = await _redeem(served, model, sent, transfer, payment, webhook, holder)
        elif payment is not None:
            incoming = _read_payment(served, payment)
            key = _idempotency_key(headers, incoming)
            job = await _accept(served, model, sent, incoming, key, webhook, holder)
        else:
            await served.gateway.check_input(model, sent.body)
            return await _ask(served, request, model, sent)
    except PaymentRejected as error:
        offer = await _offer(served, request, model, sent, error.message)
        return error_response(error, request_id=request_id(request), headers=offer)
    patience = _patience(headers, served.settings.sync_wait_s)
    if patience and not job.over:
        job = await served.gateway.wait(job.id, patience)
    return await _respond(served, request, model, sent, job)


def _read_payment(served: Services, header: str) -> IncomingPayment:
    try:
        return parse_payment(header, [served.gateway.settings.asset])
    except PaymentRejected as error:
        served.metrics.payment(error.code)  # what the gateway refuses, it counts itself
        raise


def _plain_headers(request: HttpRequest) -> dict[str, str]:
    """The headers by their names in lower case; of several with one name the first."""
    # Starlette goes through all of them for each that is asked for.
    pairs = reversed(request.scope["headers"])
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


def _idempotency_key(headers: Mapping[str, str], incoming: IncomingPayment) -> str | None:
    """The key in the header, as the draft of the HTTP working group writes it or bare.

    It is the payment's identifier by another door: one payer's keys and identifiers are one set.
    Raises: RequestRejected IDEMPOTENCY_KEY_MALFORMED, IDEMPOTENCY_KEYS_DIFFER.
    """
    given = headers.get(IDEMPOTENCY_KEY.lower())
    if given is None:
        return None
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if not _KEY.fullmatch(key):
        raise RequestRejected(Reason.IDEMPOTENCY_KEY_MALFORMED)
    if incoming.payment_id not in (None, key):
        raise RequestRejected(
            Reason.IDEMPOTENCY_KEYS_DIFFER, key=key, payment_id=incoming.payment_id
        )
    return key


async def _accept(
    served: Services,
    model: str,
    sent: Request,
    incoming: IncomingPayment,
    key: str | None,
    webhook: str | None,
    holder: ApiKey | None,
) -> JobView:
    quote = None if incoming.quote is None else SignedQuote(*incoming.quote)
    try:
        return await served.gateway.accept(
            model,
            sent,
            incoming.authorization,
            binding_salt=incoming.binding_salt,
            quote=quote,
            payment_id=incoming.payment_id if key is None else key,
            webhook=webhook,
            holder=holder,
        )
    except Conflict as error:
        if key is None or error.reason is not Reason.PAYMENT_ID_REUSED:
            raise
        raise Conflict(Reason.IDEMPOTENCY_KEY_REUSED, key=key) from None


async def _redeem(
    served: Services,
    model: str,
    sent: Request,
    header: str,
    payment: str | None,
    webhook: str | None,
    holder: ApiKey | None,
) -> JobView:
    if payment is not None:
        raise RequestRejected(Reason.PAYMENT_TWICE)
    try:
        incoming = parse_transfer(header, [served.gateway.settings.asset])
    except PaymentRejected as error:
        served.metrics.payment(error.code)
        raise
    quote = None if incoming.quote is None else SignedQuote(*incoming.quote)
    return await served.gateway.redeem(
        model, sent, incoming.claim, quote=quote, webhook=webhook, holder=holder
    )


async def _respond(
    served: Services, request: HttpRequest, model: str, sent: Request, job: JobView
) -> Response:
    headers = _payment_response(job)
    if job.state is JobState.DONE:
        return json_response(await job_json(served, job), headers=headers)
    if not job.over:
        headers |= {"Location": f"/v1/jobs/{job.id.hex}", "Retry-After": "1"}
        return json_response(await job_json(served, job), status=202, headers=headers)
    failed = job_failure(job)
    if failed.status == 402:
        headers |= await _offer(served, request, model, sent, failed.message)
    elif failed.status == 500:
        log.error("a job failed by our fault: %s", failed.code, extra={"job": job.id})
    return envelope(failed.status, failed.code, failed.message, failed.facts, headers)


async def job_json(served: Services, job: JobView) -> dict[str, object]:
    """The job as JSON, with receipt and proof where it is done."""
    receipt, size = None, None
    if job.answer is not None:
        receipt = await served.gateway.receipt(job.id)
        size = len(await served.gateway.proof(job.answer.proof_digest))
    return views.job_info(job, served.gateway.address, receipt=receipt, proof_size=size)


async def _ask(served: Services, request: HttpRequest, model: str, sent: Request) -> Response:
    """402 with the offer, and nothing gone wrong."""
    signed, offer = await _quoted(served, request, model, sent, None)
    due = PaymentRejected(Reason.PAYMENT_REQUIRED, price=signed.quote.price)
    return error_response(due, request_id=request_id(request), headers=offer)


async def _offer(
    served: Services, request: HttpRequest, model: str, sent: Request, error: str
) -> dict[str, str]:
    """The header that asks for another payment and says what was wrong with the last one."""
    _, offer = await _quoted(served, request, model, sent, error)
    return offer


async def _quoted(
    served: Services, request: HttpRequest, model: str, sent: Request, error: str | None
) -> tuple[SignedQuote, dict[str, str]]:
    """A fresh quote for this request, and the header that offers it."""
    digest = request_digest(sent.method, sent.path, sent.body)
    terms = served.gateway.settings.transfers
    signed = await served.gateway.quote(model, digest)
    view = await served.gateway.model(model)
    asked = challenge(
        signed.quote,
        signed.signature,
        model_resource(view, origin(request, served.settings) + sent.path),
        request=digest,
        max_timeout_s=served.settings.payment_timeout_s,
        error=error,
        transfer=None if terms is None else transfer_offer(terms.confirmations, terms.max_age_s),
    )
    return signed, {PAYMENT_REQUIRED: encode_header(asked)}


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


def _check_type(headers: Mapping[str, str]) -> None:
    kind = headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind != JSON:
        raise RequestRejected(Reason.CONTENT_TYPE, expected=JSON, got=kind[:80])
