"""Payment by an earlier transfer: the real gateway, over HTTP, on a real chain."""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from live_parts import MODEL
from typer.testing import CliRunner

from inferproof.chain.abi import calldata
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import sign_tx, suggest_fees, transact, wait_receipt
from inferproof.cli.main import app
from inferproof.client import Client, MadeTransfer
from inferproof.payments.transfer import transfer_header
from inferproof.payments.transfer.receipt import claim_of
from inferproof.payments.x402 import read_challenge
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.transfer import claim_digest
from inferproof.testing.devnet import DevnetInfo, dev_key
from inferproof.testing.live import LiveGateway
from inferproof.types.digest import Address, Digest
from inferproof.types.payment import TransferClaim

T = TypeVar("T")
INFER = f"/v1/models/{MODEL}/infer"
BODY = b'{"input": [[1.0, 2.0, 3.0]]}'
JSON = {"content-type": "application/json"}
PRICE = 250_000


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture
def http(gateway: LiveGateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=120) as client:
        yield client


def send(
    devnet: DevnetInfo,
    *,
    amount: int = PRICE,
    to: Address | None = None,
    token: Address | None = None,
    blocks: int = 2,
) -> Digest:
    """A transfer of the buyer, and so many blocks on top."""

    async def sent() -> Digest:
        async with Rpc(devnet.rpc_url) as rpc:
            payee = to or devnet.accounts.gateway.address
            data = calldata("transfer(address,uint256)", payee, amount)
            receipt = await transact(
                rpc, devnet.accounts.buyer, to=token or devnet.token.address, data=data, what="it"
            )
            await rpc.request("anvil_mine", hex(blocks))
            return receipt.tx

    return run(sent())


def mine(devnet: DevnetInfo, blocks: int) -> None:
    async def mined() -> None:
        async with Rpc(devnet.rpc_url) as rpc:
            await rpc.request("anvil_mine", hex(blocks))

    run(mined())


def claim(
    http: httpx.Client, tx: Digest, key: SigningKey, *, salt: int = 1, **changes: Any
) -> dict[str, str]:
    """The headers of a call that this transaction pays for."""
    asked = http.post(INFER, content=BODY, headers=JSON)
    challenge = read_challenge(asked.headers["PAYMENT-REQUIRED"])
    unsigned = TransferClaim(
        asset=challenge.quote.price.asset,
        payer=key.address,
        payee=challenge.quote.payee,
        transaction=tx,
        log_index=None,
        request=challenge.request,
        salt=Digest(bytes([salt]) * 32),
        signature=b"",
    )
    unsigned = replace(unsigned, **changes)
    signed = replace(unsigned, signature=key.sign(claim_digest(unsigned)))
    header = transfer_header(signed, challenge.quote, challenge.quote_signature)
    return {**JSON, "Inferproof-Transfer": header}


def refused(http: httpx.Client, headers: dict[str, str], status: int, code: str) -> str:
    response = http.post(INFER, content=BODY, headers=headers)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code), response.text
    return str(error["message"])


def test_a_transfer_pays_once(http: httpx.Client, devnet: DevnetInfo) -> None:
    tx = send(devnet)
    headers = claim(http, tx, devnet.accounts.buyer)
    with ThreadPoolExecutor(4) as pool:
        same = list(pool.map(lambda _: http.post(INFER, content=BODY, headers=headers), range(4)))
    assert {r.status_code for r in same} == {200}, [r.text for r in same]
    assert len({r.json()["job_id"] for r in same}) == 1
    job = same[0].json()
    assert (job["payment"]["kind"], job["payment"]["transaction"]) == ("transfer", tx.hex)
    assert job["settlement"]["transaction"] == tx.hex
    other = claim(http, tx, devnet.accounts.buyer, salt=2)
    assert refused(http, other, 409, "PAYMENT_ALREADY_USED") == (
        f"the transfer in any log of transaction {tx} already pays for another call; pay for this "
        "one with another"
    )


def test_a_race_for_one_transfer_has_one_winner(http: httpx.Client, devnet: DevnetInfo) -> None:
    tx = send(devnet)
    calls = [claim(http, tx, devnet.accounts.buyer, salt=n) for n in range(1, 7)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda h: http.post(INFER, content=BODY, headers=h), calls))
    assert sorted(r.status_code for r in answers) == [200] + [409] * 5


def test_too_shallow_and_then_deep_enough(http: httpx.Client, devnet: DevnetInfo) -> None:
    tx = send(devnet, blocks=1)
    headers = claim(http, tx, devnet.accounts.buyer)
    assert refused(http, headers, 503, "INSUFFICIENT_CONFIRMATIONS") == (
        f"transaction {tx} is 2 blocks deep, 3 are required; send the same again later"
    )
    mine(devnet, 1)
    assert http.post(INFER, content=BODY, headers=headers).status_code == 200


def test_what_does_not_pay(http: httpx.Client, devnet: DevnetInfo) -> None:
    buyer, gateway = devnet.accounts.buyer, devnet.accounts.gateway.address
    nowhere, provider = Digest(b"\x0e" * 32), devnet.accounts.provider.address
    message = refused(http, claim(http, nowhere, buyer), 402, "TX_NOT_FOUND")
    assert message == (
        f"no block of eip155:31337 holds transaction {nowhere}; check its hash and its network, "
        "or send the same again once it is included"
    )
    tx = send(devnet, to=provider)
    assert refused(http, claim(http, tx, buyer), 402, "WRONG_RECIPIENT") == (
        f"the transfer in transaction {tx} went to {provider}, the payee is {gateway}"
    )
    tx = send(devnet, amount=PRICE - 1)
    assert refused(http, claim(http, tx, buyer), 402, "INSUFFICIENT_AMOUNT") == (
        "the transfer is of 0.249999 devUSDC, the price is 0.25 devUSDC; several transfers are "
        "not added up"
    )
    tx = send(devnet)
    stranger = dev_key(6)
    assert refused(http, claim(http, tx, stranger), 402, "NO_TRANSFER_EVENT") == (
        f"in any log of transaction {tx} there is no transfer of token {devnet.token.address} by "
        f"{stranger.address}; what an authorization moved does not count"
    )
    forged = claim(http, tx, stranger, payer=buyer.address)
    assert refused(http, forged, 402, "CLAIM_SIGNATURE") == (
        f"the transfer claim is not signed by its payer {buyer.address}"
    )
    assert http.post(INFER, content=BODY, headers=claim(http, tx, buyer)).status_code == 200


def test_a_transaction_that_failed(http: httpx.Client, devnet: DevnetInfo) -> None:
    poor = dev_key(7)

    async def fail() -> tuple[Digest, int]:
        async with Rpc(devnet.rpc_url) as rpc:
            data = calldata("transfer(address,uint256)", devnet.accounts.gateway.address, PRICE)
            sent = sign_tx(
                poor,
                chain_id=devnet.chain_id,
                nonce=await rpc.nonce(poor.address),
                fees=await suggest_fees(rpc),
                gas=100_000,
                to=devnet.token.address,
                data=data,
            )
            await rpc.send_raw(sent.raw)
            receipt = await wait_receipt(rpc, sent.tx)
            await rpc.request("anvil_mine", "0x3")
            return sent.tx, receipt.block

    tx, block = run(fail())
    assert refused(http, claim(http, tx, poor), 402, "TX_FAILED") == (
        f"transaction {tx} failed in block {block}; it moved nothing"
    )


def test_the_client_pays_with_it(gateway: LiveGateway, devnet: DevnetInfo) -> None:
    tx = send(devnet, amount=PRICE + 50_000)
    with Client(gateway.url, key=devnet.accounts.buyer, verify=False) as client:
        answer = client.infer(MODEL, [[1.0, 2.0, 3.0]], max_price="0.25", transfer=MadeTransfer(tx))
    receipt = answer.receipt_file.receipt
    claim = claim_of(receipt.payment, receipt.request_digest, receipt.nonce_salt)
    assert (claim.transaction, receipt.payment.amount) == (tx, PRICE + 50_000)
    assert answer.label == "yes"


def test_the_command_line_wants_a_hash(
    gateway: LiveGateway, devnet: DevnetInfo, tmp_path: Path
) -> None:
    key = tmp_path / "buyer.key"
    key.write_text(devnet.accounts.buyer.secret().hex())
    key.chmod(0o600)
    result = CliRunner().invoke(
        app,
        [
            *("call", gateway.url, MODEL, "--input", "[[1.0, 2.0, 3.0]]", "--max-price", "0.25"),
            *("--key-file", str(key), "--transfer", "0x12", "--json"),
            *("--receipt", str(tmp_path / "receipt.json"), "--state", str(tmp_path / "state")),
        ],
    )
    assert result.exit_code == 1
    assert "DIGEST_MALFORMED" in result.stdout
