"""The real gateway over HTTP on a real chain."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import hostile_keys as hostile
import httpx
import pytest
from live_parts import ADMIN_TOKEN, MODEL, Installed, settings_for

from inferproof.app.gateway import build
from inferproof.app.publishing import install_model
from inferproof.errors import Conflict, Misconfigured, Reason
from inferproof.payments.x402 import Challenge, encode_header, payment_payload, read_challenge
from inferproof.protocol.authorization import authorization_digest
from inferproof.protocol.commitments import bound_nonce
from inferproof.protocol.encoding import canonical_json
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.protocol.signature import SigningKey
from inferproof.proving.sumcheck.graph import Graph
from inferproof.proving.sumcheck.quantisation import QuantisedInput, QuantisedOutput, Settings
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.live import LiveGateway
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import Sample, sample_bundle, sample_receipt
from inferproof.testing.toy_proofs import ToySystem
from inferproof.types.digest import Digest
from inferproof.types.payment import Authorization

INFER = f"/v1/models/{MODEL}/infer"
BODY = b'{"input": [[1.0, 2.0, 3.0]]}'
JSON = {"content-type": "application/json"}


@pytest.fixture
def http(gateway: LiveGateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=120) as client:
        yield client


def signed(
    challenge: Challenge, payer: SigningKey, *, salt: bytes | None = None
) -> tuple[Authorization, bytes]:
    salt = salt or os.urandom(32)
    unsigned = Authorization(
        asset=challenge.quote.price.asset,
        payer=payer.address,
        payee=challenge.quote.payee,
        amount=challenge.quote.price.amount,
        valid_after=0,
        valid_before=int(time.time()) + challenge.max_timeout_s,
        nonce=bound_nonce(challenge.request, salt),
        signature=b"",
    )
    return replace(unsigned, signature=payer.sign(authorization_digest(unsigned))), salt


def payment_for(http: httpx.Client, payer: SigningKey, body: bytes = BODY) -> str:
    response = http.post(INFER, content=body, headers=JSON)
    assert response.status_code == 402, response.text
    challenge = read_challenge(response.headers["PAYMENT-REQUIRED"])
    authorization, salt = signed(challenge, payer)
    return encode_header(payment_payload(challenge, authorization, salt))


def test_it_is_ready_and_says_what_it_checked(http: httpx.Client) -> None:
    response = http.get("/ready")
    assert response.status_code == 200, response.text
    checks = response.json()["checks"]
    parts = {"database", "disk", "chain", "token", "gas", "models"}
    assert set(checks) == parts | {"settler", "worker", "notifier", "gauges", "sweeper", "books"}
    assert checks["models"]["detail"] == "tiny@1.0.0"


def test_a_call_is_paid_answered_and_verified(http: httpx.Client, devnet: DevnetInfo) -> None:
    header = payment_for(http, devnet.accounts.buyer)
    response = http.post(INFER, content=BODY, headers={**JSON, "PAYMENT-SIGNATURE": header})
    assert response.status_code == 200, response.text
    job = response.json()
    assert job["output"]["label"] == "yes"
    assert job["output"]["tensors"][0]["values"] == [0.0, 5.5]
    assert job["settlement"]["state"] == "settled"
    proof = http.get(job["proof"]["url"])
    assert len(proof.content) == job["proof"]["bytes"]
    receipt = http.get(job["links"]["receipt"])
    assert canonical_json(job["receipt"]) == receipt.content
    whole = http.get(job["links"]["receipt"], params={"attach": "true"})
    record = http.post("/v1/verify", content=whole.content).json()
    assert record["verified"], record
    assert len(record["steps"]) == 12
    public = http.get(record["links"]["self"])
    assert job["job_id"] not in public.text
    assert public.json()["verified"]
    assert [step["name"] for step in public.json()["steps"]] == [s["name"] for s in record["steps"]]
    listed = http.get(f"/v1/jobs/{job['job_id']}/verifications").json()
    assert listed == {"verifications": [record]}
    damaged = whole.content.replace(b'"verified"', b'"falsified"').replace(b"0x", b"0X", 1)
    assert not http.post("/v1/verify", content=damaged).json()["verified"]


def test_a_proof_file_is_verified_too(http: httpx.Client, devnet: DevnetInfo) -> None:
    header = payment_for(http, devnet.accounts.buyer)
    paid = {**JSON, "PAYMENT-SIGNATURE": header}
    job = http.post(INFER, content=BODY, headers=paid).json()
    proof = http.get(job["proof"]["url"]).content
    record = http.post("/v1/verify", content=proof).json()
    assert (record["kind"], record["verified"]) == ("proof", True), record
    assert record["job_id"] == job["job_id"]
    damaged = proof.replace(b'"disclosed"', b'"disclosef"')
    assert http.post("/v1/verify", content=damaged).json()["verified"] is False
    file = decode_proof_file(proof)
    tampered = encode_proof_file(replace(file, proof=bytes(32)))
    refused = http.post("/v1/verify", content=tampered).json()
    assert (refused["verified"], refused["reason"]) == (False, "PROOF_INVALID")
    stranger = replace(file.statement, job_id=Digest(bytes(32)))
    unknown = http.post("/v1/verify", content=encode_proof_file(replace(file, statement=stranger)))
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "JOB_UNKNOWN")


@pytest.mark.native
@pytest.mark.parametrize(
    ("make", "reason", "why"),
    [
        (hostile.values, "KEY_TOO_COSTLY", "makes its checker keep 83886082 values"),
        (hostile.view_chains, "ARTIFACT_SETTINGS", "takes its verifier too much"),
        (hostile.tables, "ARTIFACT_SETTINGS", "takes its verifier too much"),
    ],
)
def test_a_strangers_receipt_with_a_hostile_key_is_a_record_like_any_other(
    http: httpx.Client, make: Callable[[], Graph], reason: str, why: str
) -> None:
    """Whoever signs as gateway, payer and provider passes all steps up to the proof."""
    settings = Settings(
        (QuantisedInput("x", (3,), 1.0, -127, 127, False),), (QuantisedOutput("y", (1, 2), 1.0),)
    )
    bundle = sample_bundle(
        system="sumcheck",
        version="1",
        settings=settings.encode(),
        verifying_key=hostile.key_of(make()),
    )
    data = sample_receipt(Sample(bundle=bundle, gateway=SigningKey(bytes([7] * 32))))
    record = http.post("/v1/verify", content=data).json()
    assert (record["verified"], record["reason"], len(record["steps"])) == (False, reason, 9)
    assert why in record["message"]


def test_five_sends_of_one_payment_are_one_job(http: httpx.Client, devnet: DevnetInfo) -> None:
    body = b'{"input": [[5.0, 5.0, 5.0]]}'
    header = payment_for(http, devnet.accounts.buyer, body)
    with ThreadPoolExecutor(5) as pool:
        answers = list(
            pool.map(
                lambda _: http.post(
                    INFER, content=body, headers={**JSON, "PAYMENT-SIGNATURE": header}
                ),
                range(5),
            )
        )
    assert {a.status_code for a in answers} == {200}
    assert len({a.json()["job_id"] for a in answers}) == 1
    assert len({a.json()["settlement"]["transaction"] for a in answers}) == 1


def test_a_replay_on_another_request_is_a_conflict(http: httpx.Client, devnet: DevnetInfo) -> None:
    header = payment_for(http, devnet.accounts.buyer)
    paid = {**JSON, "PAYMENT-SIGNATURE": header}
    assert http.post(INFER, content=BODY, headers=paid).status_code == 200
    other = http.post(INFER, content=b'{"input": [[0, 0, 0]]}', headers=paid)
    assert other.status_code == 409
    assert other.json()["error"]["code"] == "PAYMENT_REPLAYED"


def test_a_payer_without_money_is_told_so(http: httpx.Client) -> None:
    header = payment_for(http, SigningKey(b"\x77" * 32))
    response = http.post(INFER, content=BODY, headers={**JSON, "PAYMENT-SIGNATURE": header})
    assert response.status_code == 402
    assert response.json()["error"]["code"] == "PAYMENT_BALANCE"
    assert "PAYMENT-REQUIRED" in response.headers


def test_an_asynchronous_call_is_polled(http: httpx.Client, devnet: DevnetInfo) -> None:
    header = payment_for(http, devnet.accounts.buyer)
    response = http.post(
        INFER,
        content=BODY,
        headers={**JSON, "PAYMENT-SIGNATURE": header, "Prefer": "respond-async"},
    )
    assert response.status_code == 202
    done = http.get(response.headers["location"], params={"wait": 20})
    assert done.json()["state"] == "done"


def test_metrics_count_what_happened(http: httpx.Client, devnet: DevnetInfo) -> None:
    header = payment_for(http, devnet.accounts.buyer)
    http.post(INFER, content=BODY, headers={**JSON, "PAYMENT-SIGNATURE": header})
    text = http.get("/metrics").text
    for line in (
        'inferproof_proofs_total{model="tiny",system="toy"}',
        'inferproof_payments_total{outcome="settled"}',
        'inferproof_stage_seconds_count{stage="prove"}',
        'inferproof_http_seconds_count{method="POST",route="/v1/models/{model}/infer",status="200"}',
    ):
        assert line in text


def test_the_operator_suspends_and_approves(http: httpx.Client) -> None:
    admin = {"authorization": f"Bearer {ADMIN_TOKEN}"}
    name = f"/v1/models/{MODEL}@1.0.0"
    assert http.post(f"{name}/suspend", headers=admin).json()["status"] == "suspended"
    refused = http.post(INFER, content=BODY, headers=JSON)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "MODEL_NOT_ACTIVE")
    assert http.post(f"{name}/approve", headers=admin).json()["status"] == "active"
    assert http.post(INFER, content=BODY, headers=JSON).status_code == 402


def test_a_facilitator_serves_others(http: httpx.Client, devnet: DevnetInfo) -> None:
    response = http.post(INFER, content=BODY, headers=JSON)
    challenge = read_challenge(response.headers["PAYMENT-REQUIRED"])
    to_owner = replace(
        challenge,
        quote=replace(challenge.quote, payee=devnet.accounts.owner.address),
        accepted={**challenge.accepted, "payTo": devnet.accounts.owner.address.hex},
    )
    authorization, salt = signed(to_owner, devnet.accounts.buyer)
    request = {
        "x402Version": 2,
        "paymentPayload": payment_payload(to_owner, authorization, salt),
        "paymentRequirements": to_owner.accepted,
    }
    assert http.get("/facilitator/supported").json()["kinds"][0]["network"] == "eip155:31337"
    assert http.post("/facilitator/verify", json=request).json()["isValid"]
    settled = http.post("/facilitator/settle", json=request).json()
    assert settled["success"], settled
    again = http.post("/facilitator/settle", json=request).json()
    assert again["transaction"] == settled["transaction"]


def test_publishing_twice_changes_nothing_and_other_content_is_refused(
    gateway: LiveGateway, devnet: DevnetInfo, tiny: Installed, toy: dict[str, ToySystem]
) -> None:
    key = devnet.accounts.provider
    (again,) = asyncio.run(
        install_model(gateway.settings, tiny.card, tiny.compiled, key=key, more_systems=toy)
    )
    assert again.commitment == tiny.commitment
    changed = tiny.card.with_name("changed.toml")
    changed.write_text(tiny.card.read_text().replace('"0.25"', '"0.5"'))
    with rejects(
        Reason.MODEL_VERSION_TAKEN,
        "tiny@1.0.0 is there already with other content; give it a new version",
        kind=Conflict,
    ):
        asyncio.run(
            install_model(gateway.settings, changed, tiny.compiled, key=key, more_systems=toy)
        )


async def test_it_refuses_to_start_on_another_chain(devnet: DevnetInfo, tmp_path: Path) -> None:
    settings = settings_for(devnet, tmp_path, chain_id=8453)
    with rejects(
        Reason.CHAIN_ID_MISMATCH,
        f"the chain at {devnet.rpc_url} has the id 31337, the settings say 8453; point to the "
        "right node",
        kind=Misconfigured,
    ):
        async with build(settings):
            pass


async def test_it_refuses_to_start_with_another_token_domain(
    devnet: DevnetInfo, tmp_path: Path
) -> None:
    settings = settings_for(devnet, tmp_path, token_version="2")
    with pytest.raises(Misconfigured) as caught:
        async with build(settings):
            pass
    assert caught.value.reason is Reason.TOKEN_DOMAIN_MISMATCH


async def test_the_facilitator_must_have_a_key_of_its_own(
    devnet: DevnetInfo, tmp_path: Path
) -> None:
    key = devnet.accounts.gateway.secret().hex()
    with rejects(
        Reason.SETTING_WRONG,
        "the setting INFERPROOF_FACILITATOR_KEY is wrong: it is the gateway's key; use another "
        "account",
    ):
        async with build(settings_for(devnet, tmp_path, facilitator_key=key)):
            pass


def environment(devnet: DevnetInfo, data_dir: Path, **changes: str) -> dict[str, str]:
    key = data_dir / "gateway.key"
    key.touch(mode=0o600)
    key.write_text("0x" + devnet.accounts.gateway.secret().hex())
    values = {
        "INFERPROOF_DATA_DIR": str(data_dir),
        "INFERPROOF_RPC_URL": devnet.rpc_url,
        "INFERPROOF_CHAIN_ID": str(devnet.chain_id),
        "INFERPROOF_TOKEN_ADDRESS": devnet.token.address.hex,
        "INFERPROOF_TOKEN_NAME": devnet.token.domain_name,
        "INFERPROOF_TOKEN_VERSION": devnet.token.domain_version,
    }
    return {**os.environ, **values, **changes}


SERVE = [
    sys.executable,
    "-c",
    "import typer; from inferproof.cli import serve; app = typer.Typer(); serve.register(app); "
    "app.callback()(lambda: None); app()",
    "serve",
    "--port",
    "0",
    "--json",
]


def test_the_serve_command_serves_until_it_is_told_to_stop(
    devnet: DevnetInfo, tmp_path: Path
) -> None:
    with subprocess.Popen(
        SERVE, env=environment(devnet, tmp_path), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            assert told["gateway"] == devnet.accounts.gateway.address.hex
            assert httpx.get(f"{told['url']}/health").json()["status"] == "ok"
            assert httpx.get(f"{told['url']}/ready").status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0


@pytest.mark.slow
def test_the_serve_command_refuses_a_mismatch_with_exit_code_1(
    devnet: DevnetInfo, tmp_path: Path
) -> None:
    wrong = environment(devnet, tmp_path, INFERPROOF_TOKEN_NAME="Other")
    done = subprocess.run(
        SERVE, env=wrong, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["reason"] == "TOKEN_DOMAIN_MISMATCH"
    assert "Traceback" not in done.stderr
