"""Public x402 clients, as they are published, against the real gateway on a real chain."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from live_parts import MODEL
from x402 import x402Client
from x402.http.clients.httpx import x402_httpx_transport
from x402.http.utils import decode_payment_response_header
from x402.mechanisms.evm.exact import ExactEvmClientScheme

from inferproof.chain.rpc import Rpc
from inferproof.chain.token import TokenChain
from inferproof.client import AsyncClient, Client
from inferproof.errors import Conflict, NotFound, PaymentRejected, PolicyRejected, Reason
from inferproof.payments.header import decode_header, encode_header
from inferproof.payments.parts import payment_parts
from inferproof.protocol.commitments import request_digest
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.live import LiveGateway
from inferproof.testing.toy_proofs import ToySystem
from inferproof.types.proof import Assurance
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import Tools

JS = Path(__file__).parent / "js"
FIRST_CALL = Path(__file__).parents[2] / "docs" / "guide" / "first-call.md"
INFER = f"/v1/models/{MODEL}/infer"
PRICE = 250_000
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Paid:
    """What a public client got, and every payment header that it sent."""

    status: int
    body: dict[str, Any]
    settlement: dict[str, Any] | None
    headers: list[str]


Pay = Callable[[bytes], Paid]


def run_node(script: str, gateway: LiveGateway, devnet: DevnetInfo, body: bytes) -> Paid:
    """Runs a Node.js client. Fails the test with what is missing when it cannot."""
    node = shutil.which("node")
    if node is None or not (JS / "node_modules").is_dir():
        pytest.fail("the public clients are not installed; run: scripts/bootstrap.sh js")
    environment = {
        "PATH": os.environ["PATH"],
        "URL": gateway.url + INFER,
        "BODY": body.decode(),
        "PAYER_KEY": "0x" + devnet.accounts.buyer.secret().hex(),
        "NETWORK": devnet.network.caip2,
        "ASSET": devnet.token.address.hex,
        "CAP": str(PRICE),
    }
    done = subprocess.run(
        [node, str(JS / script)], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    sent = [header for header in told["sent"] if header]
    return Paid(told["status"], told["body"], told["settlement"], sent)


def run_python(gateway: LiveGateway, devnet: DevnetInfo, body: bytes) -> Paid:
    """Runs the Python SDK's httpx client."""
    sent: list[str] = []

    class Watched(httpx.AsyncHTTPTransport):
        """Below the SDK's own transport: it sees what really leaves."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if "PAYMENT-SIGNATURE" in request.headers:
                sent.append(request.headers["PAYMENT-SIGNATURE"])
            return await super().handle_async_request(request)

    async def pay() -> Paid:
        key = Account.from_key(devnet.accounts.buyer.secret())
        client = x402Client()
        client.register("eip155:*", ExactEvmClientScheme(key))
        asset = {"network": devnet.network.caip2, "asset": devnet.token.address.hex}
        client.set_spend_controls(
            {"allowed_assets": [{**asset, "max_amount_per_payment": str(PRICE)}]}
        )
        transport = x402_httpx_transport(client, Watched())
        async with httpx.AsyncClient(transport=transport, timeout=60) as http:
            response = await http.post(gateway.url + INFER, content=body, headers=JSON)
        header = response.headers.get("PAYMENT-RESPONSE")
        settled = None if header is None else decode_payment_response_header(header)
        told = None if settled is None else settled.model_dump(by_alias=True)
        return Paid(response.status_code, response.json(), told, sent)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, pay()).result()


CLIENTS: dict[str, Callable[[LiveGateway, DevnetInfo, bytes], Paid]] = {
    "@x402/fetch": lambda g, d, body: run_node("pay_fetch.mjs", g, d, body),
    "@x402/axios": lambda g, d, body: run_node("pay_axios.mjs", g, d, body),
    "x402 for Python": run_python,
}


@pytest.fixture(params=CLIENTS)
def pay(request: pytest.FixtureRequest, gateway: LiveGateway, devnet: DevnetInfo) -> Pay:
    """A public client that pays for a body."""
    return lambda body: CLIENTS[request.param](gateway, devnet, body)


@pytest.fixture
def http(gateway: LiveGateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=60) as client:
        yield client


async def balance(devnet: DevnetInfo) -> int:
    """The buyer's dollars on chain, in atomic units."""
    async with Rpc(devnet.rpc_url) as rpc:
        return await TokenChain(rpc, devnet.token).balance(devnet.accounts.buyer.address)


def infer(http: httpx.Client, header: str, body: bytes, path: str = INFER) -> httpx.Response:
    return http.post(path, content=body, headers={**JSON, "PAYMENT-SIGNATURE": header})


def refused(response: httpx.Response, status: int, *codes: str) -> None:
    assert response.status_code == status, response.text
    assert response.json()["error"]["code"] in codes


async def test_a_public_client_pays_once_and_gets_its_answer(pay: Pay, devnet: DevnetInfo) -> None:
    before = await balance(devnet)
    paid = pay(b'{"input":[[1.0,2.0,3.0]]}')
    assert paid.status == 200, paid.body
    assert paid.body["state"] == "done"
    assert paid.body["output"]["label"] == "yes"
    assert paid.settlement is not None
    assert paid.settlement["success"] is True
    assert paid.settlement["transaction"] == paid.body["settlement"]["transaction"]
    assert paid.settlement["network"] == devnet.network.caip2
    assert len(paid.headers) == 1
    assert before - await balance(devnet) == PRICE


async def test_the_first_call_of_the_guide(
    gateway: LiveGateway, devnet: DevnetInfo, tmp_path: Path
) -> None:
    """The script in docs/guide/first-call.md is run as it is printed."""
    (script,) = re.findall(r"```js\n(.*?)```", FIRST_CALL.read_text("utf-8"), re.DOTALL)
    (tmp_path / "node_modules").symlink_to(JS / "node_modules")
    (tmp_path / "first-call.mjs").write_text(script, "utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "NETWORK": devnet.network.caip2,
        "TOKEN": devnet.token.address.hex,
        "PAYER_KEY": "0x" + devnet.accounts.buyer.secret().hex(),
    }
    before = await balance(devnet)
    command = [shutil.which("node") or "node", "first-call.mjs", gateway.url + INFER]
    done = await asyncio.to_thread(
        partial(subprocess.run, command, cwd=tmp_path, env=environment, text=True, timeout=60),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    answer, settled = done.stdout.splitlines()
    assert answer.startswith("200 0x")
    assert '"label"' in answer
    assert re.fullmatch("0x[0-9a-f]{64}", settled)
    assert before - await balance(devnet) == PRICE


async def test_its_payment_buys_one_job_however_often_it_is_sent(
    pay: Pay, http: httpx.Client, devnet: DevnetInfo
) -> None:
    body = b'{"input":[[2.0,2.0,2.0]]}'
    paid = pay(body)
    (header,) = paid.headers
    before = await balance(devnet)
    with ThreadPoolExecutor(5) as pool:
        again = list(pool.map(lambda _: infer(http, header, body), range(5)))
    assert {a.status_code for a in again} == {200}
    assert {a.json()["job_id"] for a in again} == {paid.body["job_id"]}
    assert await balance(devnet) == before


async def test_its_payment_buys_no_other_request(
    pay: Pay, http: httpx.Client, devnet: DevnetInfo
) -> None:
    body = b'{"input":[[3.0,3.0,3.0]]}'
    (header,) = pay(body).headers
    before = await balance(devnet)
    # The echoed quote is for the first request alone; without it the reservation refuses.
    bare = decode_header(header)
    del bare["extensions"]
    for value in (header, encode_header(bare)):
        refused(infer(http, value, b'{"input":[[0.0,0.0,0.0]]}'), 409, "PAYMENT_REPLAYED")
        refused(
            infer(http, value, body, f"/v1/models/{MODEL}@1.0.0/infer"), 409, "PAYMENT_REPLAYED"
        )
    assert await balance(devnet) == before


def unsent(gateway: LiveGateway, devnet: DevnetInfo, body: bytes) -> dict[str, Any]:
    """A payment that the Python SDK signed, which never reached the gateway."""
    import asyncio

    from x402.http.utils import decode_payment_required_header, encode_payment_signature_header

    asked = httpx.post(gateway.url + INFER, content=body, headers=JSON)
    required = decode_payment_required_header(asked.headers["PAYMENT-REQUIRED"])
    client = x402Client()
    key = Account.from_key(devnet.accounts.buyer.secret())
    client.register("eip155:*", ExactEvmClientScheme(key)).set_spend_controls(False)
    with ThreadPoolExecutor(1) as pool:
        payload = pool.submit(asyncio.run, client.create_payment_payload(required)).result()
    value = decode_header(encode_payment_signature_header(payload))
    assert isinstance(value, dict)
    return value


async def test_five_first_sends_at_once_are_one_job_and_one_settlement(
    gateway: LiveGateway, http: httpx.Client, devnet: DevnetInfo
) -> None:
    body = b'{"input":[[4.0,4.0,4.0]]}'
    header = encode_header(unsent(gateway, devnet, body))
    before = await balance(devnet)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: infer(http, header, body), range(5)))
    assert {a.status_code for a in answers} == {200}
    assert len({a.json()["job_id"] for a in answers}) == 1
    assert len({a.json()["settlement"]["transaction"] for a in answers}) == 1
    assert before - await balance(devnet) == PRICE


TAMPERED: dict[str, tuple[tuple[str, ...], str, set[str]]] = {
    "signature": (
        ("payload", "signature"),
        "0x" + "11" * 64 + "1b",
        {"PAYMENT_SIGNATURE", "SIGNATURE_MALFORMED"},
    ),
    "amount": (("payload", "authorization", "value"), "1", {"PAYMENT_TERMS_DIFFER"}),
    "payee": (
        ("payload", "authorization", "to"),
        "0x" + "01" * 20,
        {"PAYMENT_TERMS_DIFFER"},
    ),
    "end": (("payload", "authorization", "validBefore"), "1", {"PAYMENT_SIGNATURE"}),
    "nonce": (("payload", "authorization", "nonce"), "0x" + "01" * 32, {"PAYMENT_SIGNATURE"}),
    "network": (("accepted", "network"), "eip155:1", {"PAYMENT_NETWORK"}),
    "token": (("accepted", "asset"), "0x" + "01" * 20, {"PAYMENT_ASSET"}),
    "scheme": (("accepted", "scheme"), "upto", {"PAYMENT_SCHEME"}),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_a_changed_payment_is_refused_with_its_code_and_a_new_offer(
    what: str, gateway: LiveGateway, http: httpx.Client, devnet: DevnetInfo
) -> None:
    path, wrong, codes = TAMPERED[what]
    body = b'{"input":[[6.0,6.0,6.0]]}'
    value = unsent(gateway, devnet, body)
    at = value
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = wrong
    before = await balance(devnet)
    response = infer(http, encode_header(value), body)
    refused(response, 402, *codes)
    assert decode_header(response.headers["PAYMENT-REQUIRED"])["x402Version"] == 2
    assert await balance(devnet) == before


def test_a_payment_of_version_1_is_refused_by_name(http: httpx.Client) -> None:
    old = encode_header({"x402Version": 1, "scheme": "exact", "network": "base", "payload": {}})
    response = http.post(INFER, content=b'{"input":[[1,1,1]]}', headers={**JSON, "X-PAYMENT": old})
    refused(response, 402, "PAYMENT_VERSION")


@pytest.mark.parametrize("header", ["%%%", "e30=", "AAAA", "A" * 17_000])
def test_a_hostile_header_is_refused(header: str, http: httpx.Client) -> None:
    response = infer(http, header, b'{"input":[[1,1,1]]}')
    refused(response, 402, "PAYMENT_HEADER_MALFORMED", "PAYMENT_HEADER_TOO_LARGE")


# our own client


def sdk(gateway: LiveGateway, devnet: DevnetInfo, toy: dict[str, ToySystem]) -> dict[str, Any]:
    """What both of our clients need to buy from the test gateway and to verify its answers."""
    from inferproof.inference.request import request_tensors

    return {
        "key": devnet.accounts.buyer,
        "tools": Tools(toy.__getitem__, request_tensors, payment_parts()),
        "policy": Policy(minimum_assurance=Assurance.COMMITMENT),
    }


async def test_our_client_buys_a_verified_answer(
    gateway: LiveGateway, devnet: DevnetInfo, toy: dict[str, ToySystem]
) -> None:
    before = await balance(devnet)
    with Client(gateway.url, **sdk(gateway, devnet, toy)) as client:
        answer = client.infer(MODEL, [[1.0, 2.0, 3.0]], max_price="0.25")
    assert (answer.label, answer.verified) == ("yes", True)
    assert answer.outputs[0].to_array().tolist() == [[0.0, 5.5]]
    receipt = answer.receipt_file.receipt
    assert receipt.nonce_salt is not None, "the payment is bound to the request"
    assert receipt.request_digest == request_digest("POST", INFER, b'{"input":[[1.0,2.0,3.0]]}')
    assert before - await balance(devnet) == PRICE


async def test_our_async_clients_buy_side_by_side(
    gateway: LiveGateway, devnet: DevnetInfo, toy: dict[str, ToySystem]
) -> None:
    import asyncio

    before = await balance(devnet)
    async with AsyncClient(gateway.url, **sdk(gateway, devnet, toy)) as client:
        answers = await asyncio.gather(
            *(client.infer(MODEL, [[float(i), 1.0, 1.0]], max_price="0.25") for i in range(4))
        )
    assert len({answer.job_id for answer in answers}) == 4
    assert all(answer.verified for answer in answers)
    assert before - await balance(devnet) == 4 * PRICE


async def test_our_client_pays_nothing_for_what_it_does_not_want(
    gateway: LiveGateway, devnet: DevnetInfo, toy: dict[str, ToySystem]
) -> None:
    before = await balance(devnet)
    options = sdk(gateway, devnet, toy)
    with Client(gateway.url, **options) as client:
        with pytest.raises(PolicyRejected) as dear:
            client.infer(MODEL, [[1.0, 1.0, 1.0]], max_price="0.249999")
        assert dear.value.reason is Reason.PRICE_ABOVE_MAX
        with pytest.raises(NotFound) as unknown:
            client.infer("no-such-model", 1, max_price="1")
        assert unknown.value.reason is Reason.MODEL_UNKNOWN
    with Client(gateway.url, **{**options, "policy": Policy()}) as client:
        with pytest.raises(PolicyRejected) as weak:
            client.infer(MODEL, [[1.0, 1.0, 1.0]], max_price="1")
        assert weak.value.reason is Reason.POLICY_ASSURANCE
    assert await balance(devnet) == before


async def test_a_payer_without_money_learns_it_before_anything_is_reserved(
    gateway: LiveGateway, devnet: DevnetInfo, toy: dict[str, ToySystem]
) -> None:
    from inferproof.protocol.signature import SigningKey

    poor = {**sdk(gateway, devnet, toy), "key": SigningKey(b"\x07" * 32)}
    with Client(gateway.url, **poor) as client, pytest.raises(PaymentRejected) as caught:
        client.infer(MODEL, [[1.0, 1.0, 1.0]], max_price="1")
    assert caught.value.reason is Reason.PAYMENT_BALANCE


async def test_a_payment_id_stands_for_one_request(
    gateway: LiveGateway, devnet: DevnetInfo, toy: dict[str, ToySystem]
) -> None:
    before = await balance(devnet)
    with Client(gateway.url, **sdk(gateway, devnet, toy)) as client:
        name = "pay_one_request_only"
        client.infer(MODEL, [[9.0, 9.0, 9.0]], max_price="0.25", payment_id=name)
        with pytest.raises(Conflict) as caught:
            client.infer(MODEL, [[9.0, 9.0, 8.0]], max_price="0.25", payment_id=name)
        assert caught.value.reason is Reason.PAYMENT_ID_REUSED
        assert len(client.open_jobs) == 1, "what was signed could be settled until it is over"
    assert before - await balance(devnet) == PRICE


def test_a_lost_answer_is_resumed_without_paying_again(
    gateway: LiveGateway, devnet: DevnetInfo, toy: dict[str, ToySystem], tmp_path: Path
) -> None:
    import asyncio

    class Torn(httpx.HTTPTransport):
        """Delivers paid requests, and loses their answers."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = super().handle_request(request)
            if "payment-signature" in request.headers:
                response.read()
                response.close()
                raise httpx.ReadError("the connection was reset")
            return response

    def funds() -> int:
        return asyncio.run(balance(devnet))

    before = funds()
    options = {**sdk(gateway, devnet, toy), "state": tmp_path}
    with Client(gateway.url, transport=Torn(), attempts=1, **options) as client:
        with pytest.raises(Exception, match="resume it") as caught:
            client.infer(MODEL, [[8.0, 8.0, 8.0]], max_price="0.25")
        (job,) = client.open_jobs
    assert str(job) in str(caught.value)
    with Client(gateway.url, **options) as client:
        answer = client.resume(job)
    assert (answer.job_id, answer.verified) == (job, True)
    assert before - funds() == PRICE
    assert answer.receipt_file.receipt.payment.payer == devnet.accounts.buyer.address
