"""One envelope for every error, and one table from failure to status."""

import inspect
import logging

import httpx
import pytest
from api_fakes import ADMIN_TOKEN, BODY, INFER, MODEL, FakeGateway, error_of
from log_lines import log_lines

from inferproof import errors
from inferproof.api.context import Services
from inferproof.api.create import create_app
from inferproof.api.errors import STATUS_BY_REASON, BodyTooLarge, error_response, status_of
from inferproof.api.wire import parse_json
from inferproof.errors import (
    ArtifactRejected,
    Conflict,
    InferproofError,
    InputRejected,
    Misconfigured,
    MissingPart,
    ModelRejected,
    NotFound,
    PaymentRejected,
    PolicyRejected,
    ProofRejected,
    Reason,
    ReceiptRejected,
    Rejection,
    RequestRejected,
    TooMany,
    Unavailable,
)
from inferproof.testing.rejections import rejects

JSON = {"content-type": "application/json"}
TABLE = {
    InferproofError: 500,
    Rejection: 422,
    ModelRejected: 422,
    InputRejected: 422,
    ArtifactRejected: 422,
    ProofRejected: 422,
    ReceiptRejected: 422,
    RequestRejected: 422,
    PolicyRejected: 422,
    PaymentRejected: 402,
    NotFound: 404,
    Conflict: 409,
    Unavailable: 503,
    TooMany: 429,
    MissingPart: 503,
    Misconfigured: 500,
}


@pytest.mark.parametrize(("kind", "status"), TABLE.items())
async def test_every_kind_of_failure_has_its_status(
    http: httpx.AsyncClient,
    gateway: FakeGateway,
    kind: type[InferproofError],
    status: int,
) -> None:
    gateway.raises = kind(Reason.PROOF_INVALID)
    response = await http.get(f"/v1/models/{MODEL}")
    assert response.status_code == status
    code = "INTERNAL_ERROR" if status == 500 else "PROOF_INVALID"
    assert error_of(response)["code"] == code


def test_the_table_is_whole() -> None:
    kinds = {
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, InferproofError)
    }
    assert kinds == set(TABLE)


@pytest.mark.parametrize(("reason", "status"), STATUS_BY_REASON.items())
def test_a_reason_of_http_keeps_its_status(reason: Reason, status: int) -> None:
    error = InferproofError.__new__(RequestRejected)
    error.reason = reason
    assert status_of(error) == status


async def test_a_bug_is_logged_and_tells_nothing(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.raises = ZeroDivisionError("the secret of the house")
    with log_lines() as logged:
        response = await http.get(f"/v1/models/{MODEL}", headers={"x-request-id": "abc-1"})
    assert response.status_code == 500
    assert error_of(response) == {
        "code": "INTERNAL_ERROR",
        "message": "the gateway failed on its own account; it is logged under abc-1",
        "facts": {"request_id": "abc-1"},
    }
    assert "secret" not in response.text
    assert "secret of the house" not in logged.text
    line = next(line for line in logged.lines if line["level"] == "error")
    assert line["request"] == "abc-1"
    assert line["fault"]["kind"] == "ZeroDivisionError"
    assert line["fault"]["places"][-1].endswith("FakeGateway._fail")


async def test_a_misconfiguration_tells_nothing_either(
    http: httpx.AsyncClient, gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.raises = Misconfigured(Reason.SETTING_MISSING, name="INFERPROOF_SECRET")
    response = await http.get(f"/v1/models/{MODEL}")
    assert response.status_code == 500
    assert "SECRET" not in response.text
    assert "INFERPROOF_SECRET" in caplog.text


ODD_REQUESTS = [
    ("GET", "/", {}, b"", 404, "ROUTE_UNKNOWN"),
    ("GET", "/v1/models/", {}, b"", 404, "ROUTE_UNKNOWN"),
    ("GET", "/v1/nothing", {}, b"", 404, "ROUTE_UNKNOWN"),
    ("GET", "/%ff%fe", {}, b"", 404, "ROUTE_UNKNOWN"),
    ("GET", "/%zz", {}, b"", 404, "ROUTE_UNKNOWN"),
    ("DELETE", "/v1/models", {}, b"", 405, "METHOD_NOT_ALLOWED"),
    ("GET", INFER, {}, b"", 405, "METHOD_NOT_ALLOWED"),
    ("POST", INFER + "/", {}, b"", 404, "ROUTE_UNKNOWN"),
    ("POST", "/v1/models/UPPER/infer", JSON, b"{}", 422, "REQUEST_INVALID"),
    ("POST", "/v1/models/a%0a/infer", JSON, b"{}", 422, "REQUEST_INVALID"),
    ("GET", "/v1/models/a%00b", {}, b"", 422, "REQUEST_INVALID"),
    ("GET", "/v1/models/%ff", {}, b"", 422, "REQUEST_INVALID"),
    ("GET", "/v1/models/..%2f..%2fetc", {}, b"", 404, "ROUTE_UNKNOWN"),
    ("GET", "/v1/models/absent", {}, b"", 404, "MODEL_UNKNOWN"),
    ("GET", "/v1/models?limit=0", {}, b"", 422, "REQUEST_INVALID"),
    ("GET", "/v1/models?limit=%00", {}, b"", 422, "REQUEST_INVALID"),
    ("GET", "/v1/models?offset=99999999999999999999", {}, b"", 422, "REQUEST_INVALID"),
    ("GET", "/v1/models?max_price=1e5", {}, b"", 422, "REQUEST_INVALID"),
    ("GET", "/v1/models?max_price=0.1234567", {}, b"", 422, "AMOUNT_MALFORMED"),
    ("GET", "/v1/models?colour=red", {}, b"", 422, "REQUEST_INVALID"),
    ("GET", "/v1/jobs/0x12", {}, b"", 422, "REQUEST_INVALID"),
    ("GET", "/v1/jobs/0x" + "ab" * 32, {}, b"", 404, "JOB_UNKNOWN"),
    ("GET", "/v1/jobs/0x" + "ab" * 32 + "?wait=nan", {}, b"", 422, "REQUEST_INVALID"),
    ("GET", "/v1/receipts/0x" + "ab" * 32, {}, b"", 404, "JOB_UNKNOWN"),
    ("GET", "/v1/proofs/0x" + "ab" * 32, {}, b"", 404, "PROOF_UNKNOWN"),
    ("GET", "/v1/proofs/0x" + "AB" * 32, {}, b"", 422, "REQUEST_INVALID"),
    ("GET", "/v1/verifications/9", {}, b"", 404, "VERIFICATION_UNKNOWN"),
    ("GET", "/v1/verifications/" + "9" * 30, {}, b"", 422, "REQUEST_INVALID"),
    ("POST", "/v1/quotes", JSON, b"{", 422, "BODY_NOT_JSON"),
    ("POST", "/v1/quotes", JSON, b"\xff", 422, "BODY_NOT_JSON"),
    ("POST", "/v1/quotes", JSON, b"[" * 4000, 422, "BODY_NOT_JSON"),
    ("POST", "/v1/quotes", JSON, b"[]", 422, "REQUEST_INVALID"),
    ("POST", "/v1/quotes", {}, b"{}", 422, "REQUEST_INVALID"),
    ("POST", "/v1/quotes", JSON, b'{"model": "x", "more": 1}', 422, "REQUEST_INVALID"),
    ("POST", "/v1/quotes", JSON, b'{"model": "absent"}', 404, "MODEL_UNKNOWN"),
    ("POST", "/v1/models", JSON, b"{}", 422, "REQUEST_INVALID"),
    ("POST", f"/v1/models/{MODEL}/approve", {}, b"", 401, "ADMIN_ONLY"),
    ("POST", "/facilitator/verify", JSON, b"{}", 404, "FACILITATOR_CLOSED"),
    ("POST", INFER, JSON, b"x" * 4097, 413, "BODY_TOO_LARGE"),
    ("POST", INFER, JSON, b"{}{}", 422, "INPUT_TYPE_MISMATCH"),
    ("POST", INFER, JSON, b"\x00", 422, "INPUT_TYPE_MISMATCH"),
    ("POST", "/v1/models/absent/infer", JSON, BODY, 404, "MODEL_UNKNOWN"),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "status", "code"), ODD_REQUESTS)
async def test_every_refusal_is_in_the_envelope(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
    code: str,
) -> None:
    response = await http.request(method, path, headers=headers, content=body)
    assert (response.status_code, error_of(response)["code"]) == (status, code), response.text


async def test_a_body_is_cut_off_while_it_streams(http: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> object:
        nonlocal sent
        while True:
            sent += 1024
            yield b" " * 1024

    for path in (INFER, "/v1/models/other/infer"):
        sent = 0
        response = await http.post(path, content=endless(), headers=JSON)  # type: ignore[arg-type]
        assert response.status_code == 413
        assert error_of(response) == {
            "code": "BODY_TOO_LARGE",
            "message": "the request body is larger than 4096 bytes",
            "facts": {"limit": 4096},
        }
        assert sent <= 8 * 1024
        assert response.headers["connection"] == "close"


async def test_a_body_at_the_limit_is_read(http: httpx.AsyncClient) -> None:
    body = b'{"input": "' + b"x" * (4096 - 13) + b'"}'
    assert len(body) == 4096
    assert (await http.post(INFER, content=body, headers=JSON)).status_code == 402


async def test_big_documents_have_limits_of_their_own(http: httpx.AsyncClient) -> None:
    body = b'{"body"' + b" " * 8000
    assert (await http.post("/v1/verify", content=body)).status_code == 200
    assert (await http.post("/v1/verify", content=body + b" " * 999)).status_code == 413


async def test_every_answer_carries_the_security_headers(http: httpx.AsyncClient) -> None:
    for path in ("/health", "/absent", "/v1/models"):
        response = await http.get(path)
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert response.headers["access-control-allow-origin"] == "*"
        assert len(response.headers["x-request-id"]) == 16


async def test_a_request_id_is_taken_over_only_in_its_plain_form(http: httpx.AsyncClient) -> None:
    given = await http.get("/health", headers={"x-request-id": "trace-7"})
    assert given.headers["x-request-id"] == "trace-7"
    odd = await http.get("/health", headers={"x-request-id": "a b\tc"})
    assert odd.headers["x-request-id"] != "a b\tc"


async def test_pages_of_other_origins_may_pay(http: httpx.AsyncClient) -> None:
    asked = {"origin": "https://shop.test", "access-control-request-method": "POST"}
    response = await http.options(INFER, headers=asked)
    assert response.status_code == 204
    assert "PAYMENT-SIGNATURE" in response.headers["access-control-allow-headers"]
    assert (await http.options(INFER)).status_code == 405


async def test_what_escapes_the_app_is_caught_at_the_edge(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(services)

    async def broken(*_: object) -> None:
        raise RuntimeError("deep down")

    app._app = broken  # type: ignore[attr-defined]
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        response = await client.get("/health")
    assert response.status_code == 500
    assert error_of(response)["code"] == "INTERNAL_ERROR"
    assert "deep down" in caplog.text


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        (f"Bearer {ADMIN_TOKEN}", True),
        (f"bearer {ADMIN_TOKEN}", True),
        (f"Basic {ADMIN_TOKEN}", False),
        (f"Bearer {ADMIN_TOKEN}x", False),
        ("Bearer ", False),
        ("Bearer tökén", False),
    ],
)
async def test_only_the_admin_token_opens_the_admin_routes(
    http: httpx.AsyncClient, given: str, allowed: bool
) -> None:
    for action in ("approve", "suspend"):
        response = await http.post(
            f"/v1/models/{MODEL}/{action}", headers={"authorization": given.encode()}
        )
        assert response.status_code == (200 if allowed else 401)
        assert allowed or response.headers["www-authenticate"] == "Bearer"


def test_json_bodies_are_read_strictly() -> None:
    assert parse_json(b'{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    with rejects(
        Reason.BODY_NOT_JSON, "the request body is not JSON: NaN and infinity are not JSON"
    ):
        parse_json(b"[NaN]")
    for other in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
        with pytest.raises(RequestRejected) as caught:
            parse_json('{"a": "\u0122"}'.encode(other))
        assert caught.value.reason is Reason.BODY_NOT_JSON
    with rejects(
        Reason.BODY_NOT_JSON, "the request body is not JSON: a key stands twice in one object"
    ):
        parse_json(b'{"a": 1, "a": 2}')
    with rejects(Reason.BODY_NOT_JSON, "the request body is not JSON: it is not UTF-8"):
        parse_json(b'"\xff"')
    with rejects(Reason.BODY_NOT_JSON, "the request body is not JSON: it is nested too deeply"):
        parse_json(b"[" * 100_000)


def test_the_reasons_of_http_say_what_to_do() -> None:
    with rejects(
        Reason.ROUTE_UNKNOWN,
        "there is nothing at this path; the routes are listed in /openapi.json",
    ):
        raise NotFound(Reason.ROUTE_UNKNOWN)
    with rejects(Reason.METHOD_NOT_ALLOWED, "this path does not take PUT; it takes GET"):
        raise RequestRejected(Reason.METHOD_NOT_ALLOWED, method="PUT", allowed="GET")
    with rejects(Reason.REQUEST_INVALID, "the request is wrong at query.limit: too small"):
        raise RequestRejected(Reason.REQUEST_INVALID, where="query.limit", problem="too small")
    with rejects(Reason.HTTP_REFUSED, "the request cannot be served: odd"):
        raise RequestRejected(Reason.HTTP_REFUSED, problem="odd")
    with rejects(Reason.BODY_TOO_LARGE, "the request body is larger than 5 bytes"):
        raise BodyTooLarge(5).failure
    with rejects(
        Reason.CONTENT_TYPE, "the request body must be application/json, it is text/plain"
    ):
        raise RequestRejected(Reason.CONTENT_TYPE, expected="application/json", got="text/plain")
    with rejects(
        Reason.PAYMENT_REQUIRED,
        "this call costs 1 USDC; sign one of the offers in the PAYMENT-REQUIRED header and send "
        "it as PAYMENT-SIGNATURE",
    ):
        raise PaymentRejected(Reason.PAYMENT_REQUIRED, price="1 USDC")
    with rejects(Reason.FACILITATOR_CLOSED, "this gateway settles no payments for other servers"):
        raise NotFound(Reason.FACILITATOR_CLOSED)
    with rejects(Reason.ADMIN_ONLY, "this takes the admin token as Authorization: Bearer"):
        raise RequestRejected(Reason.ADMIN_ONLY)
    with rejects(
        Reason.INTERNAL_ERROR, "the gateway failed on its own account; it is logged under r1"
    ):
        raise InferproofError(Reason.INTERNAL_ERROR, request_id="r1")


@pytest.mark.parametrize(
    ("error", "level", "traced"),
    [
        (Unavailable(Reason.STORAGE_FULL), logging.WARNING, False),
        (InferproofError(Reason.INTERNAL_ERROR, request_id="r"), logging.ERROR, True),
    ],
    ids=["503", "500"],
)
def test_only_a_fault_of_ours_is_an_error_in_the_log(
    error: InferproofError, level: int, traced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    error_response(error, request_id="r")
    (record,) = caplog.records
    assert (record.levelno, record.exc_info is not None) == (level, traced)


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({f"x-{n}": "1" for n in range(100)}, "", 200),
        ({f"x-{n}": "1" for n in range(10_000)}, "", 431),
        ({"x-large": "a" * 60_000}, "", 200),
        ({"x-large": "a" * 65_536}, "", 431),
        ({}, "a" * 60_000, 200),
        ({"x-large": "a" * 40_000}, "a" * 40_000, 431),
    ],
)
async def test_a_head_is_bounded(
    http: httpx.AsyncClient, headers: dict[str, str], query: str, status: int
) -> None:
    response = await http.get(f"/health?{query}", headers=headers)
    assert response.status_code == status
    if status == 431:
        assert error_of(response)["code"] == "HEAD_TOO_LARGE"
        assert response.headers["connection"] == "close"


def test_what_a_large_head_is_told() -> None:
    with rejects(
        Reason.HEAD_TOO_LARGE,
        "the head of the request is larger than 65536 bytes or has more than 128 fields",
    ):
        raise RequestRejected(Reason.HEAD_TOO_LARGE, limit=65536, fields=128)
