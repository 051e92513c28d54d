"""What a buyer does with a job after it was paid for."""

import httpx
from api_fakes import (
    BODY,
    INFER,
    NOW,
    OPENING,
    PAYER,
    FakeGateway,
    challenged,
    error_of,
    sign_payment,
)

from inferproof.errors import Conflict, Reason, RequestRejected
from inferproof.payments.header import decode_header, encode_header
from inferproof.payments.x402 import read_challenge
from inferproof.protocol.cancellation import cancellation_digest
from inferproof.protocol.commitments import request_digest
from inferproof.protocol.opening_request import opening_request_digest
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest

JSON = {"content-type": "application/json"}


async def running(http: httpx.AsyncClient, gateway: FakeGateway) -> str:
    """The id of a paid job that runs."""
    gateway.ending = None
    header = sign_payment(await challenged(http))
    response = await http.post(INFER, content=BODY, headers={**JSON, "PAYMENT-SIGNATURE": header})
    assert response.status_code == 202, response.text
    job = response.json()["job_id"]
    assert isinstance(job, str)
    return job


def cancellation(job: str, before: int = NOW + 60) -> dict[str, object]:
    signature = PAYER.sign(cancellation_digest(Digest.from_hex(job), before))
    return {"before": before, "signature": "0x" + signature.hex()}


async def test_its_payer_cancels_it(http: httpx.AsyncClient, gateway: FakeGateway) -> None:
    job = await running(http, gateway)
    response = await http.post(f"/v1/jobs/{job}/cancel", json=cancellation(job))
    assert response.status_code == 200, response.text
    assert response.json()["state"] == "failed"
    assert response.json()["failure"]["code"] == "JOB_CANCELLED"
    assert response.json()["refund"] == {"state": "due"}


async def test_a_repeated_call_for_a_cancelled_job_is_a_conflict_and_asks_for_no_money(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.ending = None
    header = sign_payment(await challenged(http))
    paid = {**JSON, "PAYMENT-SIGNATURE": header}
    job = (await http.post(INFER, content=BODY, headers=paid)).json()["job_id"]
    await http.post(f"/v1/jobs/{job}/cancel", json=cancellation(job))
    response = await http.post(INFER, content=BODY, headers=paid)
    assert response.status_code == 409
    assert error_of(response)["code"] == "JOB_CANCELLED"
    assert "PAYMENT-REQUIRED" not in response.headers


async def test_who_is_not_its_payer_does_not(http: httpx.AsyncClient, gateway: FakeGateway) -> None:
    job = await running(http, gateway)
    asked = cancellation(job) | {"before": NOW + 61}
    response = await http.post(f"/v1/jobs/{job}/cancel", json=asked)
    assert response.status_code == 422
    assert error_of(response)["code"] == "CANCEL_SIGNATURE"
    late = await http.post(f"/v1/jobs/{job}/cancel", json=cancellation(job, NOW))
    assert error_of(late)["code"] == "CANCEL_EXPIRED"


async def test_what_is_no_cancellation_is_refused(http: httpx.AsyncClient) -> None:
    job = "0x" + "01" * 32
    for body in (b"", b"{}", b'{"before":1,"signature":"0x"}', b"[" * 99):
        response = await http.post(f"/v1/jobs/{job}/cancel", content=body)
        assert response.status_code == 422, body
    unknown = await http.post(f"/v1/jobs/{job}/cancel", json=cancellation(job))
    assert unknown.status_code == 404


SALT = "0x" + "5a" * 32


async def private(http: httpx.AsyncClient) -> str:
    """The id of a job with a private input, which was quoted and paid as such."""
    asked = {"Inferproof-Private-Input": SALT}
    offer = await http.post(INFER, content=BODY, headers={**JSON, **asked})
    assert offer.status_code == 402
    found = read_challenge(offer.headers["PAYMENT-REQUIRED"])
    assert found.request == request_digest("POST", INFER, BODY, bytes.fromhex(SALT[2:]))
    assert found.request != request_digest("POST", INFER, BODY)
    header = sign_payment(found)
    sent = {**JSON, **asked, "PAYMENT-SIGNATURE": header}
    response = await http.post(INFER, content=BODY, headers=sent)
    assert response.status_code == 200, response.text
    assert response.json()["request_digest"] == found.request.hex
    return str(response.json()["job_id"])


def opening_request(job: str, before: int = NOW + 60) -> dict[str, object]:
    signature = PAYER.sign(opening_request_digest(Digest.from_hex(job), before))
    return {"before": before, "signature": "0x" + signature.hex()}


async def test_the_payer_of_a_private_input_is_given_its_opening(
    http: httpx.AsyncClient,
) -> None:
    job = await private(http)
    path = f"/v1/jobs/{job}/opening"
    response = await http.post(path, json=opening_request(job))
    assert response.status_code == 200, response.text
    assert response.content == OPENING
    assert response.headers["Cache-Control"] == "no-store"
    other = opening_request(job) | {"before": NOW + 61}
    refused = await http.post(path, json=other)
    assert refused.status_code == 422
    assert error_of(refused)["code"] == "OPENING_REQUEST_SIGNATURE"
    for before in (NOW, NOW + 901):
        late = await http.post(path, json=opening_request(job, before))
        assert error_of(late)["code"] == "OPENING_REQUEST_TIME"
    assert (await http.get(path)).status_code == 405
    for body in (b"", b"{}", b'{"before":1,"signature":"0x"}', b"[" * 99):
        assert (await http.post(path, content=body)).status_code == 422, body


async def test_a_public_input_has_none(http: httpx.AsyncClient, gateway: FakeGateway) -> None:
    job = await running(http, gateway)
    response = await http.post(f"/v1/jobs/{job}/opening", json=opening_request(job))
    assert response.status_code == 404
    assert error_of(response)["code"] == "OPENING_NONE"


async def test_a_salt_has_one_form(http: httpx.AsyncClient) -> None:
    message = (
        "the header Inferproof-Private-Input does not hold the request's salt, 0x and 64 "
        "lower-case hex digits"
    )
    for salt in ("", "0x", "5a" * 32, "0x" + "5A" * 32, SALT + "00", "private"):
        sent = {**JSON, "Inferproof-Private-Input": salt}
        response = await http.post(INFER, content=BODY, headers=sent)
        assert response.status_code == 422
        with rejects(Reason.PRIVATE_INPUT_SALT, message):
            raise RequestRejected(Reason.PRIVATE_INPUT_SALT, header="Inferproof-Private-Input")
        assert error_of(response)["message"] == message


KEY = "0123456789abcdef-key"


async def paid_call(
    http: httpx.AsyncClient, key: str | None, *, body: bytes = BODY, salt: bytes = b"\x03" * 32
) -> httpx.Response:
    header = sign_payment(await challenged(http, body), salt=salt)
    sent = {**JSON, "PAYMENT-SIGNATURE": header}
    return await http.post(
        INFER, content=body, headers=sent if key is None else sent | {"Idempotency-Key": key}
    )


async def test_one_key_is_one_job_whatever_payment_it_comes_with(http: httpx.AsyncClient) -> None:
    first = await paid_call(http, KEY)
    again = await paid_call(http, f'"{KEY}"', salt=b"\x04" * 32)
    other = await paid_call(http, None, salt=b"\x05" * 32)
    assert first.json()["job_id"] == again.json()["job_id"] != other.json()["job_id"]


async def test_one_key_for_two_requests_is_a_conflict(http: httpx.AsyncClient) -> None:
    await paid_call(http, KEY)
    other = await paid_call(http, KEY, body=b'{"input": "Ether falls"}', salt=b"\x04" * 32)
    assert other.status_code == 409
    with rejects(
        Reason.IDEMPOTENCY_KEY_REUSED,
        "the Idempotency-Key 0123456789abcdef-key was used for another request; choose a new one",
    ):
        raise Conflict(Reason.IDEMPOTENCY_KEY_REUSED, key=KEY)
    assert error_of(other)["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_a_key_that_is_none(http: httpx.AsyncClient) -> None:
    with rejects(
        Reason.IDEMPOTENCY_KEY_MALFORMED,
        "an Idempotency-Key is 16 to 128 letters, digits, - and _",
    ):
        raise RequestRejected(Reason.IDEMPOTENCY_KEY_MALFORMED)
    for key in ("short", '""', "a" * 129, "with spaces in it, yes"):
        refused = await paid_call(http, key)
        assert refused.status_code == 422
        assert error_of(refused)["code"] == "IDEMPOTENCY_KEY_MALFORMED"


async def test_a_key_beside_another_payment_identifier(http: httpx.AsyncClient) -> None:
    payload = decode_header(sign_payment(await challenged(http)))
    payload["extensions"]["payment-identifier"] = {"info": {"id": "another-identifier"}}
    sent = {**JSON, "PAYMENT-SIGNATURE": encode_header(payload), "Idempotency-Key": KEY}
    refused = await http.post(INFER, content=BODY, headers=sent)
    assert refused.status_code == 422
    with rejects(
        Reason.IDEMPOTENCY_KEYS_DIFFER,
        "the Idempotency-Key 0123456789abcdef-key is not the payment's own identifier "
        "another-identifier; send the same one twice, or one of them",
    ):
        raise RequestRejected(
            Reason.IDEMPOTENCY_KEYS_DIFFER, key=KEY, payment_id="another-identifier"
        )
    assert error_of(refused)["code"] == "IDEMPOTENCY_KEYS_DIFFER"


async def test_the_webhook_goes_with_the_order(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    header = sign_payment(await challenged(http))
    sent = {**JSON, "PAYMENT-SIGNATURE": header, "Inferproof-Webhook": "https://buyer.example/x"}
    assert (await http.post(INFER, content=BODY, headers=sent)).status_code == 200
    assert gateway.webhook == "https://buyer.example/x"
