"""What a buyer does with a job after it was paid for."""

import httpx
from api_fakes import BODY, INFER, NOW, PAYER, FakeGateway, challenged, error_of, sign_payment

from inferproof.protocol.cancellation import cancellation_digest
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
