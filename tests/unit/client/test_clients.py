"""Client and AsyncClient over httpx, against a gateway in memory."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_double import SYSTEM, Clock, GatewayDouble, reply
from x402.mechanisms.evm.default_assets import find_default_asset

from inferproof.client import DEVNET, USDC, AsyncClient, Client, Limits
from inferproof.client import client as module
from inferproof.client.client import body_of
from inferproof.client.steps import Lost, Reply
from inferproof.client.tools import installed_tools
from inferproof.errors import (
    InferproofError,
    InputRejected,
    MissingPart,
    NotFound,
    PolicyRejected,
    Reason,
    Unavailable,
)
from inferproof.proving.isolated import IsolatedChecker
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ANSWER, ASSET, PAYER, sample_tools
from inferproof.types.money import Network


def sync_client(gateway: GatewayDouble, base: str = "http://gateway", **options: Any) -> Client:
    client = Client(
        base,
        key=PAYER,
        tools=sample_tools(SYSTEM),
        transport=httpx.MockTransport(gateway.transport),
        **options,
    )
    client._buyer = replace(client._buyer, clock=Clock(), backoff_s=0)
    return client


def async_client(gateway: GatewayDouble, **options: Any) -> AsyncClient:
    client = AsyncClient(
        "http://gateway",
        key=PAYER,
        tools=sample_tools(SYSTEM),
        transport=httpx.MockTransport(gateway.transport),
        **options,
    )
    client._buyer = replace(client._buyer, clock=Clock(), backoff_s=0)
    return client


def test_the_sync_client_buys_an_answer() -> None:
    gateway = GatewayDouble()
    with sync_client(gateway) as client:
        assert client.offer("sample", [1.5, -2, 0.25]).quote.price.amount == 250_000
        answer = client.infer("sample", [1.5, -2, 0.25], max_price="0.25")
        assert (answer.outputs, answer.verified) == (ANSWER, True)
        again = client.infer("sample", [1.5, -2, 0.25], max_price="0.25")
        assert again.job_id != answer.job_id, "asked twice on purpose, it is paid twice"


async def test_the_async_client_buys_an_answer() -> None:
    async with async_client(GatewayDouble()) as client:
        assert (await client.offer("sample", [1.5, -2, 0.25])).quote.price.amount == 250_000
        answer = await client.infer("sample", [1.5, -2, 0.25], max_price="0.25")
        assert (answer.outputs, answer.verified) == (ANSWER, True)


def test_a_lost_connection_costs_nothing_twice() -> None:
    gateway = GatewayDouble(faults=[Lost("gone"), Lost("gone")])
    with sync_client(gateway) as client:
        assert client.infer("sample", [1.5, -2, 0.25], max_price="0.25").verified
    assert len(gateway.payments) == 3
    assert len(set(gateway.payments)) == 1


async def test_an_async_call_is_resumed_by_another_client(tmp_path: Path) -> None:
    gateway = GatewayDouble(faults=[Lost("gone")])
    async with async_client(gateway, state=tmp_path, attempts=1) as client:
        with pytest.raises(Unavailable):
            await client.infer("sample", [1.5, -2, 0.25], max_price="0.25")
        (job,) = client.open_jobs
    with sync_client(gateway, state=tmp_path) as other:
        assert other.open_jobs == (job,)
        assert other.resume(job).job_id == job
        assert other.open_jobs == ()
    limits = Limits(budget="0.49")
    async with async_client(gateway, state=tmp_path, limits=limits) as client:
        with pytest.raises(PolicyRejected):
            await client.infer("sample", [1.5, -2, 0.25], max_price="0.25")


def test_a_base_url_with_a_path_is_part_of_the_bound_request() -> None:
    gateway = GatewayDouble()
    with sync_client(gateway, "http://gateway/market/") as client:
        answer = client.infer("sample", [1.5, -2, 0.25], max_price="0.25")
    request = answer.receipt_file.request
    assert request is not None
    assert request.path == "/market/v1/models/sample/infer"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("fraud@1.0.0", "/v1/models/fraud@1.0.0/infer"),
        ("a b/../c?d#e", "/v1/models/a%20b%2F..%2Fc%3Fd%23e/infer"),
    ],
)
def test_the_path_is_bound_as_it_is_sent(name: str, path: str) -> None:
    gateway = GatewayDouble()
    with sync_client(gateway) as client:
        client.offer(name, [1.5])
    assert gateway.calls[0].path == path


def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REPLY_BYTES", 1000)
    gateway = GatewayDouble(faults=[Reply(200, {}, b"x" * 1001)] * 2)
    with sync_client(gateway, attempts=2) as client, pytest.raises(Unavailable) as caught:
        client.infer("sample", [1.5, -2, 0.25], max_price="0.25")
    assert "larger than 1000 bytes" in caught.value.message


def test_an_answer_that_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REPLY_S", 0.05)

    def drip() -> Iterator[bytes]:
        for _ in range(100):
            time.sleep(0.02)
            yield b"x"

    def transport(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=drip())

    began = time.monotonic()
    client = Client(
        "http://gateway", key=PAYER, transport=httpx.MockTransport(transport), attempts=1
    )
    with client, pytest.raises(Unavailable) as caught:
        client.infer("sample", 1, max_price="1")
    assert "takes longer than 0.05 seconds" in caught.value.message
    assert time.monotonic() - began < 1


def test_redirects_are_not_followed() -> None:
    moved = reply(307, {"error": {"code": "MOVED", "message": "elsewhere"}}, {"location": "/x"})
    asked: list[str] = []

    def transport(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(moved.status, headers=dict(moved.headers), content=moved.body)

    client = Client("http://gateway", key=PAYER, transport=httpx.MockTransport(transport))
    with client, pytest.raises(Unavailable):
        client.infer("sample", 1, max_price="1")
    assert asked == ["/v1/models/sample/infer"]


def test_bodies_are_compact_json_or_left_as_they_are() -> None:
    assert body_of({"a": [1, 2.5, "é"]}) == '{"input":{"a":[1,2.5,"é"]}}'.encode()
    assert body_of(b'{ "input" : 1 }') == b'{ "input" : 1 }'


def test_a_value_that_is_not_json_is_refused() -> None:
    with rejects(Reason.INPUT_NOT_FINITE, "input value holds a NaN or an infinity"):
        body_of({"a": [1.0, float("nan")]})
    with rejects(
        Reason.INPUT_NOT_JSON,
        "the input cannot be sent as JSON: Object of type set is not JSON serializable",
        kind=InputRejected,
    ):
        body_of({1, 2})
    with rejects(Reason.INPUT_NOT_TEXT, "the input is not UTF-8 text"):
        body_of("half \ud83d")


def test_the_known_assets_are_those_of_the_sdk() -> None:
    for asset in USDC:
        known = find_default_asset(asset.address.hex, asset.network.caip2)
        assert known is not None
        assert (asset.domain_name, asset.domain_version) == (known["name"], known["version"])
        assert asset.decimals == known["decimals"]
    assert Network.evm(31337) == DEVNET == ASSET.network


def test_a_missing_prover_is_told_before_anything_is_paid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    gateway = GatewayDouble()
    client = Client("http://gateway", key=PAYER, transport=httpx.MockTransport(gateway.transport))
    client._buyer = replace(client._buyer, clock=Clock())
    with (
        client,
        rejects(
            Reason.MISSING_LIBRARY,
            "verifying ezkl proofs needs the Python package ezkl; install it with: "
            "pip install 'inferproof[ezkl]'",
            kind=MissingPart,
        ),
    ):
        client.infer("sample", [1.5, -2, 0.25], max_price="0.25")
    assert gateway.payments == []


@pytest.mark.native
def test_the_installed_tools_know_the_systems_of_this_release() -> None:
    tools = installed_tools()
    assert isinstance(tools.checker("ezkl"), IsolatedChecker)  # its library takes any key
    assert isinstance(tools.checker("sumcheck"), SumcheckSystem)  # ours is bounded by itself
    for system in ("ezkl", "sumcheck"):  # but not where anyone brings the file
        assert isinstance(installed_tools(isolated=True).checker(system), IsolatedChecker)
    with pytest.raises(NotFound):
        tools.checker("no-such-system")
    canonical = {"kind": "tensor", "inputs": []}
    with pytest.raises(InferproofError):
        tools.preprocess(canonical, b"{}")


def test_the_client_needs_only_the_base_install() -> None:
    """Neither the x402 SDK nor web3 nor a prover is imported for buying."""
    program = (
        "import sys, inferproof.client\n"
        "heavy = {'x402', 'web3', 'eth_account', 'pydantic', 'fastapi', 'ezkl', 'onnx',"
        " 'onnxruntime', 'sqlalchemy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"
