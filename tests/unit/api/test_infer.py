"""The paid call: challenge, payment, answer, waiting, failure."""

import asyncio

import httpx
import jsonschema_rs
import pytest
from api_fakes import (
    BODY,
    INFER,
    MODEL,
    PAYER,
    FakeGateway,
    challenged,
    error_of,
    model_view,
    sign_payment,
)
from x402.http.utils import (
    decode_payment_required_header,
    decode_payment_response_header,
)

from inferproof.errors import InputRejected, Reason, Unavailable
from inferproof.observability.metrics import Metrics
from inferproof.payments.header import decode_header, encode_header
from inferproof.payments.x402 import read_challenge
from inferproof.protocol.commitments import job_id, request_digest
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

JSON = {"content-type": "application/json"}


async def pay(http: httpx.AsyncClient, **headers: str) -> httpx.Response:
    header = sign_payment(await challenged(http))
    return await http.post(
        INFER, content=BODY, headers={**JSON, "PAYMENT-SIGNATURE": header, **headers}
    )


async def test_an_unpaid_call_is_asked_for_payment(http: httpx.AsyncClient) -> None:
    response = await http.post(INFER, content=BODY, headers=JSON)
    assert response.status_code == 402
    assert error_of(response) == {
        "code": "PAYMENT_REQUIRED",
        "message": "this call costs 0.25 USDC; sign one of the offers in the PAYMENT-REQUIRED "
        "header and send it as PAYMENT-SIGNATURE",
        "facts": {"price": "0.25 USDC"},
    }
    challenge = read_challenge(response.headers["PAYMENT-REQUIRED"])
    assert challenge.request == request_digest("POST", INFER, BODY)
    assert challenge.quote.request_digest == challenge.request


async def test_public_clients_can_read_the_challenge(http: httpx.AsyncClient) -> None:
    response = await http.post(INFER, content=BODY, headers=JSON)
    asked = decode_payment_required_header(response.headers["PAYMENT-REQUIRED"])
    assert asked.x402_version == 2
    assert asked.resource is not None
    assert asked.resource.url == f"http://gateway.test{INFER}"
    assert [a.amount for a in asked.accepts] == ["250000"]
    assert asked.error is None


async def test_a_wrong_input_is_refused_before_any_payment(http: httpx.AsyncClient) -> None:
    response = await http.post(INFER, content=b'{"input": 5}', headers=JSON)
    assert response.status_code == 422
    assert error_of(response)["code"] == "INPUT_TYPE_MISMATCH"
    assert "PAYMENT-REQUIRED" not in response.headers


async def test_the_header_is_small_and_the_body_has_the_whole_offer(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    """nginx takes 4 kB for all headers of an answer, unless it is told otherwise."""
    gateway.models[MODEL] = model_view(title="T" * 100, category="c" * 32)
    for sent in ({}, {"PAYMENT-SIGNATURE": "e30="}, {"Inferproof-Transfer": "e30="}):
        response = await http.post(INFER, content=BODY, headers={**JSON, **sent})
        header = response.headers["PAYMENT-REQUIRED"]
        assert len(header) < 2500 - 300, "a longer URL and error have room too"
        whole, brief = response.json()["payment_required"], decode_header(header)
        assert (whole["accepts"], whole.get("error")) == (brief["accepts"], brief.get("error"))
        assert whole["resource"]["serviceName"] == "inferproof"
        assert read_challenge(encode_header(whole)).quote == read_challenge(header).quote
        decode_payment_required_header(encode_header(whole))
        bazaar = whole["extensions"]["bazaar"]
        assert bazaar["info"]["input"]["body"] == {"input": "Ether rallies"}
        assert jsonschema_rs.is_valid(bazaar["schema"], bazaar["info"])
        assert set(brief["extensions"]) == {"inferproof", "payment-identifier"}


@pytest.mark.parametrize("body", [b"", b"{}", b" {\n} "])
async def test_who_asks_with_nothing_is_told_price_and_example(
    http: httpx.AsyncClient, body: bytes
) -> None:
    response = await http.post(INFER, content=body, headers=JSON)
    assert response.status_code == 402
    assert error_of(response)["facts"] == {"price": "0.25 USDC"}
    bazaar = response.json()["payment_required"]["extensions"]["bazaar"]
    example = bazaar["info"]["input"]["body"]
    again = await http.post(INFER, json=example)
    assert again.status_code == 402
    assert read_challenge(again.headers["PAYMENT-REQUIRED"]).quote.price.amount == 250_000
    described = (await http.get(f"/v1/models/{MODEL}")).json()["input"]["examples"]
    assert [each["body"] for each in described] == [example]


async def test_a_slash_in_the_paid_path_is_not_decoded(http: httpx.AsyncClient) -> None:
    for path in (INFER.replace("/infer", "%2Finfer"), INFER.replace("/v1/", "/v1%2f")):
        response = await http.post(path, content=BODY, headers=JSON)
        assert response.status_code == 404
        assert error_of(response)["code"] == "ROUTE_UNKNOWN"


async def test_a_name_that_no_model_has_is_refused_as_other_routes_refuse_it(
    http: httpx.AsyncClient,
) -> None:
    paid = await http.post("/v1/models/UPPER/infer", content=BODY, headers=JSON)
    read = await http.get("/v1/models/UPPER")
    assert paid.status_code == read.status_code == 422
    assert error_of(paid) == error_of(read)


async def test_browsers_may_send_what_the_public_clients_send(http: httpx.AsyncClient) -> None:
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
    allowed = (await http.options(INFER, headers=asked)).headers["Access-Control-Allow-Headers"]
    names = {name.strip() for name in allowed.split(",")}
    assert {"Access-Control-Expose-Headers", "Inferproof-Transfer", "PAYMENT-SIGNATURE"} <= names


async def test_the_description_has_the_headers_as_they_are_read(http: httpx.AsyncClient) -> None:
    described = (await http.get("/openapi.json")).json()
    route = described["paths"]["/v1/models/{model}/infer"]["post"]
    header = next(p for p in route["parameters"] if p["name"] == "PAYMENT-SIGNATURE")
    kind = {**header["schema"]["contentSchema"], "components": described["components"]}
    payment = decode_header(sign_payment(await challenged(http)))
    assert jsonschema_rs.is_valid(kind, payment)
    payment["payload"]["authorization"]["nonce"] = "0x00"
    assert not jsonschema_rs.is_valid(kind, payment)


async def test_a_paid_call_is_answered(http: httpx.AsyncClient) -> None:
    response = await pay(http)
    assert response.status_code == 200, response.text
    job = response.json()
    assert job["state"] == "done"
    assert job["model"] == "toy-sentiment@1.0.0"
    assert job["output"]["label"] == "positive"
    assert job["output"]["scores"] == {"negative": -1.5, "neutral": 0.25, "positive": 2.0}
    assert job["output"]["tensors"][0]["integers"] == [-6, 1, 8]
    assert job["proof"]["bytes"] == 41
    assert job["output"]["out_of_range"] == 2
    assert job["timings"] == {"prove": 0.51}
    assert job["receipt"] == {"body": {"proof": None}}
    assert job["settlement"]["state"] == "settled"
    settled = decode_payment_response_header(response.headers["PAYMENT-RESPONSE"])
    assert settled.success
    assert settled.payer == PAYER.address.hex
    assert settled.transaction == "0x" + "09" * 32


async def test_a_poll_loads_no_proof(
    http: httpx.AsyncClient, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def loaded(_digest: Digest) -> bytes:
        raise AssertionError("the proof was loaded")

    monkeypatch.setattr(gateway, "proof", loaded)
    paid = await pay(http)
    assert paid.status_code == 200
    polled = await http.get(f"/v1/jobs/{paid.json()['job_id']}")
    assert polled.json()["proof"]["bytes"] == 41


async def test_the_same_payment_again_is_the_same_job(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    header = sign_payment(await challenged(http))
    send = [
        http.post(INFER, content=BODY, headers={**JSON, "PAYMENT-SIGNATURE": header})
        for _ in range(5)
    ]
    answers = await asyncio.gather(*send)
    assert {a.status_code for a in answers} == {200}
    assert len({a.json()["job_id"] for a in answers}) == 1
    assert len(gateway.jobs) == 1


async def test_the_same_payment_for_another_request_is_a_conflict(http: httpx.AsyncClient) -> None:
    header = sign_payment(await challenged(http))
    paid = {**JSON, "PAYMENT-SIGNATURE": header}
    await http.post(INFER, content=BODY, headers=paid)
    response = await http.post(INFER, content=b'{"input": "other"}', headers=paid)
    assert response.status_code == 409
    assert error_of(response)["code"] == "PAYMENT_REPLAYED"


async def test_the_body_is_kept_byte_for_byte(http: httpx.AsyncClient) -> None:
    spaced = b'{ "input" :\n"Ether rallies"}'
    first, second = await challenged(http, BODY), await challenged(http, spaced)
    assert first.request != second.request
    assert second.request == request_digest("POST", INFER, spaced)


async def test_the_path_is_kept_as_it_was_sent(http: httpx.AsyncClient) -> None:
    path = "/v1/models/toy%2Dsentiment/infer"
    response = await http.post(f"{path}?a=1", content=BODY, headers=JSON)
    challenge = read_challenge(response.headers["PAYMENT-REQUIRED"])
    assert challenge.request == request_digest("POST", path, BODY)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("not base64 !", "PAYMENT_HEADER_MALFORMED"),
        ("e30=", "PAYMENT_HEADER_MALFORMED"),
        ("eyJ4NDAyVmVyc2lvbiI6MX0=", "PAYMENT_VERSION"),
    ],
)
async def test_a_payment_that_cannot_be_read_is_402_with_a_fresh_offer(
    http: httpx.AsyncClient, metrics: Metrics, header: str, code: str
) -> None:
    response = await http.post(INFER, content=BODY, headers={**JSON, "PAYMENT-SIGNATURE": header})
    assert response.status_code == 402
    error = error_of(response)
    assert error["code"] == code
    asked = decode_payment_required_header(response.headers["PAYMENT-REQUIRED"])
    assert asked.error == error["message"]
    assert f'inferproof_payments_total{{outcome="{code}"}} 1.0' in metrics.render().decode()


async def test_a_payment_of_another_amount_is_402_with_a_fresh_offer(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    header = sign_payment(await challenged(http), amount=250_001)
    response = await http.post(INFER, content=BODY, headers={**JSON, "PAYMENT-SIGNATURE": header})
    assert response.status_code == 402
    assert error_of(response)["code"] == "PAYMENT_AMOUNT"
    assert read_challenge(response.headers["PAYMENT-REQUIRED"]).quote.price.amount == 250_000
    assert gateway.jobs == {}


async def test_a_version_1_payment_is_told_apart(http: httpx.AsyncClient) -> None:
    response = await http.post(INFER, content=BODY, headers={**JSON, "X-PAYMENT": "e30="})
    assert response.status_code == 402
    assert error_of(response)["code"] == "PAYMENT_VERSION"


async def test_a_call_that_takes_too_long_is_202_with_a_place_to_look(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.ending = None
    response = await pay(http)
    assert response.status_code == 202
    job = response.json()
    assert job["state"] == "running"
    assert "output" not in job
    assert response.headers["location"] == f"/v1/jobs/{job['job_id']}"
    assert (await http.get(response.headers["location"])).json()["state"] == "running"


@pytest.mark.parametrize(
    ("prefer", "waited"),
    [("respond-async", 0.0), ("wait=2", 2.0), ("wait=99", 5.0), ("handling=strict", 5.0)],
)
async def test_the_caller_may_prefer_to_wait_less(
    http: httpx.AsyncClient, gateway: FakeGateway, prefer: str, waited: float
) -> None:
    response = await pay(http, Prefer=prefer)
    assert gateway.waited == ([waited] if waited else [])
    assert response.status_code == (200 if waited else 202)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("JOB_ATTEMPTS", 503),
        ("JOB_DEADLINE", 503),
        ("INPUT_RUN_FAILED", 422),
        ("OUTPUT_NOT_FINITE", 422),
        ("PROOF_INVALID", 500),
        ("JOB_STATEMENT", 500),
    ],
)
async def test_a_failed_job_says_where_the_money_is(
    http: httpx.AsyncClient, gateway: FakeGateway, code: str, status: int
) -> None:
    gateway.ending = JobState.FAILED
    gateway.failure = type(gateway.failure)(code, "what went wrong", {"attempts": "3"})
    response = await pay(http)
    assert response.status_code == status
    error = error_of(response)
    (number,) = gateway.jobs
    assert error["code"] == code
    assert error["facts"] == {
        "attempts": "3",
        "job_id": number.hex,
        "state": "failed",
        "refund": {"state": "due", "transaction": None},
    }
    assert ("retry-after" in response.headers) == (status == 503)
    view = await http.get(f"/v1/jobs/{number.hex}")
    assert view.status_code == 200
    assert view.json()["failure"]["code"] == code
    assert view.json()["refund"] == {"state": "due"}


async def test_a_settlement_that_failed_is_402_and_owes_nothing(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.ending = JobState.VOID
    gateway.failure = type(gateway.failure)("SETTLEMENT_REVERTED", "no money moved", {})
    response = await pay(http)
    assert response.status_code == 402
    error = error_of(response)
    assert error["code"] == "SETTLEMENT_REVERTED"
    assert "refund" not in error["facts"]  # type: ignore[operator]
    assert "PAYMENT-REQUIRED" in response.headers
    assert "PAYMENT-RESPONSE" not in response.headers


async def test_job_ids_follow_from_payment_request_and_salt(http: httpx.AsyncClient) -> None:
    challenge = await challenged(http)
    job = (await pay(http)).json()
    asset = challenge.quote.price.asset
    expected = job_id(
        asset.network,
        asset.address,
        PAYER.address,
        Digest.from_hex(job["payment"]["nonce"]),
        challenge.request,
        Digest(b"\x03" * 32),
    )
    assert job["job_id"] == expected.hex


async def test_a_full_queue_is_503_and_asks_for_no_money(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.raises = Unavailable(Reason.QUEUE_FULL, depth=9, limit=9)
    response = await http.post(INFER, content=BODY, headers=JSON)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert "PAYMENT-REQUIRED" not in response.headers


async def test_an_input_that_only_the_paid_check_finds_is_422(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    header = sign_payment(await challenged(http))
    gateway.raises = InputRejected(Reason.INPUT_NOT_FINITE, name="x")
    response = await http.post(INFER, content=BODY, headers={**JSON, "PAYMENT-SIGNATURE": header})
    assert response.status_code == 422
    assert "PAYMENT-REQUIRED" not in response.headers


async def test_another_content_type_is_415(http: httpx.AsyncClient) -> None:
    response = await http.post(INFER, content=BODY, headers={"content-type": "text/plain"})
    assert response.status_code == 415
    assert error_of(response)["code"] == "CONTENT_TYPE"
