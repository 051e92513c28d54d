"""The registry's routes, quotes, results."""

import httpx
import pytest
from api_fakes import (
    BODY,
    INFER,
    MODEL,
    FakeGateway,
    challenged,
    error_of,
    model_view,
    sign_payment,
)

from inferproof.payments.x402 import read_challenge
from inferproof.services.orders.base import ModelView
from inferproof.storage.ports.models import ModelFilter, ModelOrder, ModelStatus
from inferproof.types.digest import Address
from inferproof.types.proof import Assurance

JSON = {"content-type": "application/json"}
PRIVATE_INPUT = {"inferproof-private-input": "0x" + "ab" * 32}


async def test_a_model_is_shown_whole(http: httpx.AsyncClient) -> None:
    model = (await http.get(f"/v1/models/{MODEL}")).json()
    assert model["name"] == "toy-sentiment@1.0.0"
    assert model["status"] == "active"
    assert model["price"]["amount"] == "250000"
    assert model["price"]["text"] == "0.25 USDC"
    assert model["price"]["asset"]["network"] == "eip155:31337"
    assert model["input"]["tensors"] == {"text": [1, 4]}
    assert model["output"]["labels"] == ["negative", "neutral", "positive"]
    assert model["file"] == {"bytes": 1234}
    assert model["revenue"] == {"developer_bps": 7000, "platform_bps": 3000}
    assert model["statistics"] == {"calls": 3, "done": 2, "failed": 1, "prove_ms": 12}
    assert model["proof"]["assurance"] == "commitment"
    assert model["proof"]["private_inputs"] is False
    assert "mode" not in model["proof"]
    assert model["links"]["infer"] == "/v1/models/toy-sentiment@1.0.0/infer"


async def test_who_has_not_paid_is_told_what_a_proof_will_show(
    http: httpx.AsyncClient, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = model_view(
        private_inputs=True,
        assurance=Assurance.ZK_PRIVATE,
        private_assurance=Assurance.ZK_INTEGRITY,
    )

    async def model(_name: str) -> ModelView:
        return view

    monkeypatch.setattr(gateway, "model", model)
    shown = (await http.get(f"/v1/models/{MODEL}")).json()["proof"]
    assert shown["private_inputs"] is True
    assert shown["assurance"] == "zk-private"
    quoted = (await http.post("/v1/quotes", json={"model": MODEL})).json()
    assert quoted["proof"] == shown
    for more, level in (({}, "zk-private"), (PRIVATE_INPUT, "zk-integrity")):
        due = await http.post(INFER, content=BODY, headers=JSON | more)
        told = due.json()["payment_required"]["extensions"]["inferproof"]["info"]["proof"]
        assert told == {"assurance": level, "privateInputs": True}
        assert read_challenge(due.headers["payment-required"]).proof == view.told(
            private_input=bool(more)
        )


async def test_filters_reach_the_registry(http: httpx.AsyncClient, gateway: FakeGateway) -> None:
    query = {
        "status": "any",
        "category": "fraud",
        "max_price": "0.5",
        "input_type": "vector",
        "output_type": "regression",
        "proof_system": "ezkl",
        "order": "name",
        "limit": "7",
        "offset": "3",
    }
    assert (await http.get("/v1/models", params=query)).status_code == 200
    assert gateway.wanted == ModelFilter(
        status=None,
        category="fraud",
        max_price=500_000,
        input_type="vector",
        output_type="regression",
        proof_system="ezkl",
        order=ModelOrder.TITLE,
        limit=8,
        offset=3,
    )


async def test_without_filters_only_active_models_are_listed(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    page = (await http.get("/v1/models")).json()
    assert gateway.wanted is not None
    assert gateway.wanted.status is ModelStatus.ACTIVE
    assert gateway.wanted.order is ModelOrder.USE
    assert [m["id"] for m in page["models"]] == [MODEL]
    assert page["next_offset"] is None


async def test_a_page_says_where_the_next_one_begins(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    view = gateway.models[MODEL]
    gateway.models = {str(i): view for i in range(5)}
    page = (await http.get("/v1/models?limit=2&offset=2")).json()
    assert (len(page["models"]), page["next_offset"]) == (2, 4)
    last = (await http.get("/v1/models?limit=2&offset=4")).json()
    assert (len(last["models"]), last["next_offset"]) == (1, None)


async def test_a_submission_is_kept_byte_for_byte(
    http: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    document = b'{ "format":  "x" }'
    response = await http.post(
        "/v1/models",
        content=document,
        headers={"content-type": "application/json", "Inferproof-Signature": "0x" + "ab" * 65},
    )
    assert response.status_code == 201
    assert response.json()["status"] == "pending"
    assert response.json()["estimate"] is None
    assert gateway.submitted == [(document, b"\xab" * 65)]


@pytest.mark.parametrize("signature", [None, "0x12", "ab" * 65, "0x" + "zz" * 65])
async def test_a_submission_without_a_signature_is_refused(
    http: httpx.AsyncClient, gateway: FakeGateway, signature: str | None
) -> None:
    headers = {} if signature is None else {"Inferproof-Signature": signature}
    response = await http.post("/v1/models", content=b"{}", headers=headers)
    assert response.status_code == 422
    assert error_of(response)["code"] == "REQUEST_INVALID"
    assert gateway.submitted == []


async def test_the_verifier_bundle_is_served_as_it_is(http: httpx.AsyncClient) -> None:
    response = await http.get(f"/v1/models/{MODEL}/verifier")
    assert response.content == b'{"format":"inferproof/verifier/1"}'


async def test_a_quote_is_signed_and_bound_where_asked(http: httpx.AsyncClient) -> None:
    free = await http.post("/v1/quotes", json={"model": MODEL})
    assert free.status_code == 201
    assert free.json()["quote"]["requestDigest"] == "0x" + "00" * 32
    assert free.json()["text"] == "0.25 USDC for toy-sentiment"
    Address.from_hex(free.json()["gateway"])
    digest = "0x" + "ab" * 32
    bound = await http.post("/v1/quotes", json={"model": MODEL, "request_digest": digest})
    assert bound.json()["quote"]["requestDigest"] == digest
    assert bound.json()["id"] != free.json()["id"]


async def test_results_of_a_job_can_be_fetched(http: httpx.AsyncClient) -> None:
    header = sign_payment(await challenged(http))
    paid = {"content-type": "application/json", "PAYMENT-SIGNATURE": header}
    job = (await http.post(INFER, content=BODY, headers=paid)).json()
    again = await http.get(f"/v1/jobs/{job['job_id']}")
    assert again.json() == job
    bare = await http.get(job["links"]["receipt"])
    assert bare.json() == job["receipt"]
    whole = await http.get(job["links"]["receipt"], params={"attach": "true"})
    assert whole.json() == {"body": {"proof": "AA=="}}
    proof = await http.get(job["proof"]["url"])
    assert len(proof.content) == job["proof"]["bytes"]
    assert "immutable" in proof.headers["cache-control"]


async def test_a_verification_is_a_record_whether_it_holds_or_not(http: httpx.AsyncClient) -> None:
    held = await http.post("/v1/verify", content=b'{"body":{}}')
    assert held.status_code == 200
    assert held.json()["verified"] is True
    assert held.json()["steps"][0]["number"] == 1
    refused = await http.post("/v1/verify", content=b"nonsense")
    assert refused.status_code == 200
    assert refused.json()["verified"] is False
    assert refused.json()["reason"] == "JSON_NOT_CANONICAL"
    stored = await http.get(held.json()["links"]["self"])
    assert stored.json()["verified"] is True
    listed = await http.get(f"/v1/jobs/{held.json()['job_id']}/verifications")
    assert listed.json() == {"verifications": [held.json()]}
    assert "job_id" not in stored.json()
    assert held.json()["job_id"] not in stored.text
    none = await http.get(f"/v1/jobs/0x{'00' * 32}/verifications")
    assert none.json() == {"verifications": []}
    counted = (await http.get("/metrics")).text
    assert 'inferproof_verifications_total{kind="receipt",outcome="verified"} 1.0' in counted
    assert 'outcome="JSON_NOT_CANONICAL"} 1.0' in counted
