"""The one error envelope, and the one table from a failure to its HTTP status.

    {"error": {"code": "QUOTE_EXPIRED", "message": "the quote does not hold at ...",
               "facts": {"now": 1767225600, "expires_at": 1767225300}}}

| status | when |
|---|---|
| 401 | the admin token is missing or wrong; the API key is not known |
| 402 | payment is needed, or failed for good |
| 404, 405 | no such thing, no such method |
| 409 | a replay, or a conflict with what is recorded |
| 408, 431 | the head or the body comes too slowly; the head is too large |
| 413, 415 | the body is too large, or of another type |
| 422 | the request, input, proof or model is refused |
| 429 | this caller asks too often or has too much waiting; Retry-After says when |
| 503 | not now; Retry-After says when |
| 500 | a bug or a wrong set-up; logged, and nothing of it is told |
"""

import logging
from collections.abc import Mapping

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from inferproof.api.wire import json_response
from inferproof.errors import (
    Conflict,
    InferproofError,
    Misconfigured,
    MissingPart,
    NotFound,
    PaymentRejected,
    Reason,
    Rejection,
    RequestRejected,
    TooMany,
    Unavailable,
)
from inferproof.telemetry.faults import told

log = logging.getLogger("inferproof.api")

RETRY_AFTER_S = 5
"""Longer than one settlement on any chain with blocks of two seconds, short for a person."""

STATUS: Mapping[type[InferproofError], int] = {
    PaymentRejected: 402,
    Rejection: 422,
    NotFound: 404,
    Conflict: 409,
    TooMany: 429,
    Unavailable: 503,
    MissingPart: 503,
    Misconfigured: 500,
}
"""The nearest class in an exception's own order of inheritance decides."""

STATUS_BY_REASON: Mapping[Reason, int] = {
    Reason.PAYMENT_REQUIRED: 402,
    Reason.ADMIN_ONLY: 401,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.API_KEY_UNKNOWN: 401,
    Reason.BODY_TOO_SLOW: 408,
    Reason.HEAD_TOO_SLOW: 408,
    Reason.BODY_TOO_LARGE: 413,
    Reason.HEAD_TOO_LARGE: 431,
    Reason.CONTENT_TYPE: 415,
    Reason.INTERNAL_ERROR: 500,
}
"""What HTTP has a status of its own for."""


class BodyRefused(HTTPException):
    """Crosses FastAPI's own reading of bodies, which lets only HTTP exceptions through."""

    def __init__(self, failure: RequestRejected) -> None:
        super().__init__(status_of(failure))
        self.failure = failure


class BodyTooLarge(BodyRefused):
    """The body is beyond the limit of its route."""

    def __init__(self, limit: int) -> None:
        super().__init__(RequestRejected(Reason.BODY_TOO_LARGE, limit=limit))


class BodyTooSlow(BodyRefused):
    """The body trickles."""

    def __init__(self, seconds: float, rate: int) -> None:
        super().__init__(RequestRejected(Reason.BODY_TOO_SLOW, seconds=f"{seconds:g}", rate=rate))


def status_of(error: InferproofError) -> int:
    """The HTTP status of a failure."""
    special = STATUS_BY_REASON.get(error.reason)
    if special is not None:
        return special
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def error_response(
    error: InferproofError,
    *,
    request_id: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
    logged: bool = False,
) -> Response:
    """The response to a failure. Every 5xx is logged; a 500 tells nothing of itself."""
    status = status_of(error)
    if status == 503 and not logged:
        # No fault of ours, and callers can have it as often as they like: no trace of calls.
        log.warning("answered 503: %s", told(error))
    elif status >= 500 and not logged:
        log.error("answered %d: %s", status, told(error), exc_info=error)
    if status == 500:
        error = InferproofError(Reason.INTERNAL_ERROR, request_id=request_id)
    return envelope(status, error.code, error.message, error.facts, headers, more)


def envelope(
    status: int,
    code: str,
    message: str,
    facts: Mapping[str, object],
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> Response:
    """The envelope as a response; facts that are not JSON go as text. `more` stands beside it."""
    body: dict[str, object] = {"code": code, "message": message}
    if facts:
        body["facts"] = _plain(facts)
    sent = dict(headers or {})
    if status in (429, 503):
        sent["Retry-After"] = str(facts.get("retry_after", RETRY_AFTER_S))
    if status == 401:
        sent["WWW-Authenticate"] = "Bearer"
    return json_response({"error": body, **(more or {})}, status=status, headers=sent)


def request_id(request: Request) -> str:
    """The id that the edge gave this request."""
    return str(request.scope.get("inferproof.request_id", "-"))


def install_error_handlers(app: FastAPI) -> None:
    """Makes every failure inside the app leave as the envelope."""
    app.add_exception_handler(InferproofError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_bug)


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, InferproofError)  # noqa: S101 - what it is registered for
    return error_response(error, request_id=request_id(request))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        problem = str(first.get("ctx", {}).get("error", first["msg"]))[:200]
        refused = RequestRejected(Reason.BODY_NOT_JSON, problem=problem)
    else:
        where = ".".join(str(part) for part in first["loc"])[:200] or "body"
        refused = RequestRejected(
            Reason.REQUEST_INVALID, where=where, problem=str(first["msg"])[:500]
        )
    return error_response(refused, request_id=request_id(request))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    failure: InferproofError
    if isinstance(error, BodyRefused):
        failure = error.failure
    elif error.status_code == 404:
        failure = NotFound(Reason.ROUTE_UNKNOWN)
    elif error.status_code == 405:
        allowed = headers.get("Allow", "another one")
        failure = RequestRejected(
            Reason.METHOD_NOT_ALLOWED, method=request.method[:20], allowed=allowed
        )
    else:
        failure = RequestRejected(Reason.HTTP_REFUSED, problem=str(error.detail)[:200])
    return error_response(failure, request_id=request_id(request), headers=headers)


async def _on_bug(request: Request, _error: Exception) -> Response:
    # Starlette raises it again once this is sent, and the edge logs it.
    number = request_id(request)
    bug = InferproofError(Reason.INTERNAL_ERROR, request_id=number)
    return error_response(bug, request_id=number, logged=True)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and abs(value) < 2**53:  # the whole numbers that JavaScript has
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)
