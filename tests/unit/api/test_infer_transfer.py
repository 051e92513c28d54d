"""The paid call with an earlier transfer instead of an authorization."""

import base64
import json

import httpx
import pytest
from api_fakes import (
    BODY,
    INFER,
    PAYER,
    FakeGateway,
    challenged,
    error_of,
    methods,
    sign_claim,
    sign_payment,
)
from x402.http.utils import decode_payment_required_header

from inferproof.errors import Conflict, PaymentRejected, Reason, RequestRejected, Unavailable
from inferproof.payments.x402 import read_challenge
from inferproof.testing.rejections import rejects

JSON = {"content-type": "application/json"}
TX = "0x" + "0e" * 32


async def redeem(http: httpx.AsyncClient, **headers: str) -> httpx.Response:
    claim = sign_claim(await challenged(http))
    sent = {**JSON, "Inferproof-Transfer": claim, **headers}
    return await http.post(INFER, content=BODY, headers=sent)


async def test_a_transfer_pays_for_a_call(http: httpx.AsyncClient) -> None:
    response = await redeem(http)
    assert response.status_code == 200, response.text
    job = response.json()
    assert job["state"] == "done"
    payment = job["payment"]
    assert (payment["kind"], payment["transaction"], payment["log_index"]) == ("transfer", TX, 2)
    assert payment["payer"] == PAYER.address.hex
    assert payment["amount"]["text"] == "0.3 USDC"
    assert job["settlement"] == {
        "state": "settled",
        "network": "eip155:31337",
        "transaction": TX,
        "block": 17,
    }


async def test_an_authorization_is_called_one(http: httpx.AsyncClient) -> None:
    header = sign_payment(await challenged(http))
    sent = {**JSON, "PAYMENT-SIGNATURE": header}
    payment = (await http.post(INFER, content=BODY, headers=sent)).json()["payment"]
    assert payment["kind"] == "authorization"
    assert not {"transaction", "log_index"} & set(payment)


async def test_the_challenge_says_how(http: httpx.AsyncClient) -> None:
    response = await http.post(INFER, content=BODY, headers=JSON)
    header = response.headers["PAYMENT-REQUIRED"]
    assert read_challenge(header).takes_transfers
    value = json.loads(base64.b64decode(header))
    assert value["extensions"]["inferproof"]["info"]["transfer"] == {
        "header": "Inferproof-Transfer",
        "version": 1,
        "confirmations": 3,
        "maxAgeSeconds": 86_400,
    }
    # What public clients choose from is what it was.
    assert [a.scheme for a in decode_payment_required_header(header).accepts] == ["exact"]
    described = (await http.get("/.well-known/ai-service.json")).json()
    assert described["payment"]["transfer"]["confirmations"] == 3


async def test_a_gateway_that_takes_none_does_not_offer_it(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.methods = methods(None)
    assert not (await challenged(http)).takes_transfers
    response = await redeem(http)
    assert response.status_code == 402
    assert error_of(response)["code"] == "TRANSFERS_CLOSED"
    assert "PAYMENT-REQUIRED" in response.headers
    described = (await http.get("/.well-known/ai-service.json")).json()
    assert "transfer" not in described["payment"]


async def test_two_payments_for_one_call(http: httpx.AsyncClient) -> None:
    response = await redeem(http, **{"PAYMENT-SIGNATURE": sign_payment(await challenged(http))})
    assert response.status_code == 422
    refused = error_of(response)
    assert refused["code"] == "PAYMENT_TWICE"
    with rejects(
        Reason.PAYMENT_TWICE,
        "the request carries several payments; send one of PAYMENT-SIGNATURE, Inferproof-Transfer, "
        "Inferproof-Order and Inferproof-Pass",
    ):
        raise RequestRejected(Reason[str(refused["code"])])


async def test_a_claim_for_another_request(http: httpx.AsyncClient) -> None:
    claim = sign_claim(await challenged(http, b'{"input": "Ether falls"}'))
    sent = {**JSON, "Inferproof-Transfer": claim}
    response = await http.post(INFER, content=BODY, headers=sent)
    assert response.status_code == 402
    assert error_of(response)["code"] == "CLAIM_OTHER_REQUEST"
    asked = decode_payment_required_header(response.headers["PAYMENT-REQUIRED"])
    assert asked.error is not None
    assert asked.error.startswith("the transfer claim is for request")


async def test_a_header_that_is_no_claim(http: httpx.AsyncClient) -> None:
    sent = {**JSON, "Inferproof-Transfer": "nonsense"}
    response = await http.post(INFER, content=BODY, headers=sent)
    assert response.status_code == 402
    assert error_of(response)["code"] == "TRANSFER_HEADER_MALFORMED"


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (PaymentRejected(Reason.TX_NOT_FOUND, network="eip155:1", tx=TX), 402),
        (PaymentRejected(Reason.TX_FAILED, tx=TX, block=9), 402),
        (Unavailable(Reason.INSUFFICIENT_CONFIRMATIONS, tx=TX, got=1, needed=3), 503),
        (PaymentRejected(Reason.WRONG_RECIPIENT, tx=TX, got="a", expected="b"), 402),
        (Conflict(Reason.PAYMENT_ALREADY_USED, where="log 1", tx=TX), 409),
        (Unavailable(Reason.VERIFICATION_ERROR, tx=TX, why="it is silent"), 503),
    ],
)
async def test_the_status_of_a_refusal(
    http: httpx.AsyncClient, gateway: FakeGateway, failure: Exception, status: int
) -> None:
    claim = sign_claim(await challenged(http))

    async def refuse(*_: object, **__: object) -> None:
        raise failure

    gateway.accept = refuse  # type: ignore[method-assign, assignment]
    sent = {**JSON, "Inferproof-Transfer": claim}
    response = await http.post(INFER, content=BODY, headers=sent)
    assert response.status_code == status
    assert error_of(response)["code"] == failure.code  # type: ignore[attr-defined]
    assert ("PAYMENT-REQUIRED" in response.headers) == (status == 402)
    assert ("Retry-After" in response.headers) == (status == 503)
