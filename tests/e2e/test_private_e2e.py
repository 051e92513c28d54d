"""A model in the market: its openings move to the order book with it, each start
begins an epoch, and a copy elsewhere proves nothing."""

import asyncio
import base64
import json
import os
import shutil
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from live_parts import settings_for
from typer.testing import CliRunner

from inferproof.app import key_budgets
from inferproof.app.key_budgets import KeyBudget
from inferproof.app.openings import local_openings, local_system
from inferproof.app.publishing import install_model
from inferproof.app.stores import open_stores
from inferproof.cli.main import app
from inferproof.client import Answer, Client
from inferproof.client.tools import installed_tools
from inferproof.errors import Conflict, InferproofError, Reason
from inferproof.protocol.input_opening import encode_input_opening
from inferproof.protocol.opening_budget import figures
from inferproof.protocol.opening_request import opening_request_digest
from inferproof.protocol.proof_file import decode_proof_file, encode_proof_file
from inferproof.protocol.receipt import encode_receipt_file
from inferproof.protocol.signature import SigningKey
from inferproof.proving.execution import ProveRequest, prove
from inferproof.proving.sumcheck.evidence import evidence_holds
from inferproof.proving.sumcheck.private_key import PRIVATE_KEY, read_key
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.settings import Settings
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.live import LiveGateway
from inferproof.testing.rejections import rejects
from inferproof.testing.tiny import compile_tiny
from inferproof.types.digest import ZERO_ADDRESS, Digest
from inferproof.types.proof import Assurance
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import StepStatus, verify_receipt

pytestmark = pytest.mark.native
NAME = "tiny-private"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model that was compiled on this machine, with its records in `home`."""
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "home"))
    with closing(SumcheckSystem(openings=local_openings)) as system:
        compile_tiny(tmp_path / NAME, NAME, system)
    return tmp_path / NAME


@pytest.fixture
def settings(devnet: DevnetInfo, tmp_path: Path) -> Settings:
    secret = devnet.accounts.provider.secret().hex()
    return settings_for(devnet, tmp_path / "data", facilitator_key=secret)


def publish(devnet: DevnetInfo, settings: Settings, model: Path) -> None:
    work = install_model(
        settings, model / "card.toml", model / "compiled", key=devnet.accounts.provider
    )
    asyncio.run(work)


def counted(settings: Settings, model: Path) -> KeyBudget:
    """What the order book counts of the key that the gateway opens."""

    async def ask() -> KeyBudget:
        async with open_stores(settings) as stores:
            return await key_budgets.show(stores.openings, served(settings))

    return asyncio.run(ask())


def served(settings: Settings) -> Path:
    """The model's folder at the gateway."""
    (folder,) = (path.parent for path in (settings.data_dir / "models").glob(f"*/{PRIVATE_KEY}"))
    return folder


def bought(devnet: DevnetInfo, settings: Settings) -> Answer:
    """One call to a gateway that was started for it, verified from its receipt alone."""
    with (
        LiveGateway(settings) as gateway,
        Client(gateway.url, key=devnet.accounts.buyer) as client,
    ):
        answer = client.infer(NAME, [[1.0, 2.0, 3.0]], max_price="0.25")
    assert answer.verified
    assert answer.label == "yes"
    return answer


def proven_here(compiled: Path) -> None:
    """One proof by whoever has the folder."""
    request = ProveRequest(
        artifact=compiled,
        inputs={"x": np.ones((1, 3), dtype=np.float32)},
        job_id=Digest(os.urandom(32)),
        provider=ZERO_ADDRESS,
        salt=os.urandom(32),
    )
    with local_system("sumcheck") as system:
        prove(system, request)


def test_calls_are_paid_and_verified_and_each_start_begins_an_epoch(
    devnet: DevnetInfo, settings: Settings, model: Path
) -> None:
    before = asyncio.run(key_budgets.show(LocalOpeningBudgets(), model / "compiled"))
    publish(devnet, settings, model)
    at_gateway = counted(settings, model)
    assert at_gateway.key == before.key
    assert at_gateway.budget.left == before.budget.left
    assert figures(at_gateway.budget)["reserved"] == 1
    # What was handed over is gone here.
    with pytest.raises(Conflict) as caught:
        proven_here(model / "compiled")
    assert caught.value.reason is Reason.OPENINGS_GIVEN
    publish(devnet, settings, model)
    assert counted(settings, model).budget.left == before.budget.left

    first = bought(devnet, settings)
    assert counted(settings, model).budget.left == before.budget.left - 1
    second = bought(devnet, settings)
    assert counted(settings, model).budget.left == before.budget.left - 2
    for answer in (first, second):
        data = encode_receipt_file(answer.receipt_file)
        verified = verify_receipt(data, Policy(), installed_tools())
        assert len(verified.steps) == 12
        # As much as there is evidence for this build.
        level = Assurance.ZK_PRIVATE if evidence_holds() else Assurance.ZK_INTEGRITY
        assert answer.receipt_file.receipt.assurance is level
        assert read_key(model / "compiled").secret not in data
    data = second.receipt_file.proof
    assert data is not None
    file = decode_proof_file(data)
    changed = replace(file, proof=file.proof[:-1] + bytes([file.proof[-1] ^ 1]))
    forged = replace(second.receipt_file, proof=encode_proof_file(changed))
    with pytest.raises(InferproofError) as refused:
        verify_receipt(encode_receipt_file(forged), Policy(), installed_tools())
    assert refused.value.reason in (Reason.PROOF_INVALID, Reason.RECEIPT_PROOF_DIGEST)


@pytest.mark.slow
def test_a_rotated_key_is_opened_by_the_next_start_and_the_identity_stays(
    devnet: DevnetInfo, settings: Settings, model: Path
) -> None:
    publish(devnet, settings, model)
    earlier = bought(devnet, settings)

    async def rotate() -> key_budgets.Rotated:
        async with open_stores(settings) as stores:
            return await key_budgets.rotate(stores.openings, served(settings))

    done = asyncio.run(rotate())
    assert done.old != done.new.key == read_key(served(settings)).name
    answer = bought(devnet, settings)
    assert counted(settings, model).budget.left == done.new.budget.left - 1
    assert answer.receipt_file.receipt.quote.model_commitment == (
        earlier.receipt_file.receipt.quote.model_commitment
    )
    for each in (earlier, answer):
        verify_receipt(encode_receipt_file(each.receipt_file), Policy(), installed_tools())


@pytest.mark.slow
def test_a_copy_on_another_machine_proves_nothing_until_it_is_given_openings(
    devnet: DevnetInfo,
    settings: Settings,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = shutil.copytree(model, tmp_path / "copy")
    home = tmp_path / "home"
    monkeypatch.setenv("INFERPROOF_HOME", str(tmp_path / "elsewhere"))
    key = read_key(copy / "compiled").name
    with rejects(
        Reason.OPENINGS_UNKNOWN,
        f"nothing here counts the openings of key {key}, so they count as spent; prove where the "
        "key was made, or bring openings from there: inferproof provider openings show DIR here "
        "tells the store, give DIR --to STORE there writes them, accept FILE here counts them",
        kind=Conflict,
    ):
        proven_here(copy / "compiled")

    async def store() -> Digest:
        async with open_stores(settings) as stores:
            return await stores.openings.store(key)

    with rejects(
        Reason.OPENINGS_ELSEWHERE,
        f"the openings of key {key} are counted neither in this user's records nor in the "
        "gateway's order book; where they are counted, write them to a file: inferproof provider "
        f"openings give DIR --to {asyncio.run(store())} --out FILE; and count it here: inferproof "
        "provider openings accept FILE --gateway",
        kind=Conflict,
    ):
        publish(devnet, settings, copy)
    # The way out: some of them for this machine.
    here = asyncio.run(key_budgets.show(LocalOpeningBudgets(), copy / "compiled")).store
    made = LocalOpeningBudgets(home / "openings")
    slots = asyncio.run(key_budgets.give(made, model / "compiled", here, 3))
    asyncio.run(key_budgets.accept(LocalOpeningBudgets(), slots))
    proven_here(copy / "compiled")
    publish(devnet, settings, copy)
    assert counted(settings, copy).budget.left == 2
    bought(devnet, settings)


def opening_asked(job: Digest, key: SigningKey) -> dict[str, object]:
    """What asks for the opening of a job's input, signed by this key."""
    before = int(time.time()) + 60
    signature = key.sign(opening_request_digest(job, before))
    return {"before": before, "signature": "0x" + signature.hex()}


def test_a_private_input_is_bought_opened_and_compared(
    devnet: DevnetInfo, settings: Settings, model: Path, tmp_path: Path
) -> None:
    publish(devnet, settings, model)
    value = [[1.0, 2.0, 3.0]]
    with (
        LiveGateway(settings) as gateway,
        Client(gateway.url, key=devnet.accounts.buyer, state=tmp_path / "state") as client,
    ):
        answer = client.infer(NAME, value, max_price="0.25", private_input=True)
        public = client.infer(NAME, value, max_price="0.25")
        asked = httpx.post(
            f"{gateway.url}/v1/jobs/{answer.job_id}/opening",
            json=opening_asked(answer.job_id, devnet.accounts.provider),
        )
    assert asked.status_code == 422
    assert asked.json()["error"]["code"] == "OPENING_REQUEST_SIGNATURE"
    assert answer.verified
    assert answer.label == public.label == "yes"
    assert answer.opening is not None
    receipt = tmp_path / "receipt.json"
    data = encode_receipt_file(answer.receipt_file)
    receipt.write_bytes(data)
    verified = verify_receipt(data, Policy(), installed_tools())
    assert verified.proof.statement.private_input
    assert verified.steps[10].status is StepStatus.NOT_APPLICABLE
    # Nothing of the input is in it, where a public one's receipt has it all.
    body = json.dumps({"input": value}, separators=(",", ":")).encode()
    values = np.array(value, dtype=np.float32).tobytes()
    for hidden in (body, values, answer.opening.secret):
        for form in (hidden, hidden.hex().encode(), base64.b64encode(hidden)):
            assert form not in data + (answer.receipt_file.proof or b"")
    assert base64.b64encode(body) in encode_receipt_file(public.receipt_file)
    assert base64.b64encode(values) in (public.receipt_file.proof or b"")

    opening = tmp_path / "opening"
    opening.write_bytes(encode_input_opening(answer.opening))
    compare = ("verify", str(receipt), "--opening", str(opening), "--input")
    found = CliRunner().invoke(app, [*compare, json.dumps(value), "--json"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["steps"][-1]["name"] == "input is yours"
    other = CliRunner().invoke(app, [*compare, "[[1.0, 2.0, 4.0]]"])
    assert other.exit_code == 1
    assert "PROOF_OTHER_INPUT" in other.stderr
