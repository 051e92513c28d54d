"""Orders of an escrow from the buyer's money to the server's: real proofs, contracts, gateways."""

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from market_contracts import (
    FEE_BPS,
    MarketContracts,
    admit_server,
    at,
    deploy_market,
    order_request,
    register_model,
)
from typer.testing import CliRunner

from inferproof.app.key_budgets import accept, give
from inferproof.app.order_proofs import order_numbers
from inferproof.app.publishing import install_model
from inferproof.app.router_proofs import contract_key
from inferproof.app.stores import open_stores
from inferproof.chain.escrow import Escrow, accept_data
from inferproof.chain.rpc import Rpc
from inferproof.cli.main import app
from inferproof.inference.request import request_tensors
from inferproof.payments.escrow import ORDER_HEADER, SignedOrder, order_header
from inferproof.payments.parts import payment_parts
from inferproof.protocol.commitments import input_commitment
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.escrow import server_share
from inferproof.protocol.signature import SigningKey
from inferproof.protocol.verifier_bundle import VerifierBundle
from inferproof.proving.registry import get_system
from inferproof.proving.sumcheck.private_key import read_key
from inferproof.settings import Settings, variable
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.testing.live import LiveGateway
from inferproof.testing.market import LocalChain
from inferproof.types.digest import Digest
from inferproof.types.escrow import ContractAssurance, Order, OrderStatus
from inferproof.types.receipt import Receipt
from inferproof.verify.policy import Policy
from inferproof.verify.receipt import Tools, verify_receipt

pytestmark = [pytest.mark.slow, pytest.mark.native]

T = TypeVar("T")
PRICE, BOND, BONDS = 300_000, 101_001, 5_000_000


@dataclass
class Orders:
    """A chain with the market's contracts, a registered model, and servers."""

    chain: LocalChain
    folder: Path
    contracts: MarketContracts
    bundle: VerifierBundle
    stack: ExitStack

    def on_chain(self, work: Callable[[Rpc], Awaitable[T]]) -> T:
        async def run() -> T:
            async with Rpc(self.chain.devnet.rpc_url) as rpc:
                return await work(rpc)

        return asyncio.run(run())

    @property
    def buyer(self) -> SigningKey:
        return self.chain.devnet.accounts.buyer

    @property
    def body(self) -> bytes:
        example = self.chain.models[0].card.input.examples[0].value
        return json.dumps({"input": example}).encode()

    def order(self, salt: Digest, **changes: Any) -> Order:
        """An order of the example's input, which any server may accept."""
        tensors = request_tensors(self.bundle.preprocessing, self.body)
        now = self.on_chain(lambda rpc: rpc.head()).timestamp
        order = Order(
            buyer=self.buyer.address,
            token=self.chain.devnet.token.address,
            price=PRICE,
            bond=BOND,
            model=self.bundle.commitment,
            input_commitment=input_commitment(salt.raw, tensors),
            inputs=Digest(keccak256(order_numbers(self.bundle, tensors))),
            assurance=ContractAssurance.ZK_PRIVATE,
            accept_by=now + 600,
            input_by=now + 700,
            deliver_by=now + 1800,
            rescue_by=now + 3600,
            salt=Digest(secrets.token_bytes(32)),
        )
        return replace(order, **changes)

    def make(self, order: Order) -> Digest:
        self.on_chain(lambda rpc: order_request(rpc, self.contracts, order, self.buyer))
        return self.escrow_id(order)

    def escrow_id(self, order: Order) -> Digest:
        return self.escrow_of(None).id_of(order)

    def escrow_of(self, rpc: Any) -> Escrow:
        return Escrow(rpc, self.contracts.escrow, self.chain.devnet.chain_id)

    def status(self, order: Order) -> OrderStatus:
        job = self.escrow_id(order)
        return self.on_chain(lambda rpc: self.escrow_of(rpc).slot(job)).status

    def balance(self, key: SigningKey) -> int:
        token = self.chain.devnet.token.address
        return self.on_chain(lambda rpc: self.escrow_of(rpc).balance(key.address, token))

    def accept(self, order: Order, key: SigningKey) -> None:
        """By a server that is no gateway, and delivers nothing."""
        data = accept_data(order, acknowledged=True)
        self.on_chain(lambda rpc: self.escrow_of(rpc).send(key, data, "accept"))

    def wait_for(self, order: Order, *wanted: OrderStatus, within_s: float = 120) -> OrderStatus:
        end = time.monotonic() + within_s
        while (status := self.status(order)) not in wanted:
            assert time.monotonic() < end, f"it is {status.name}, and not {wanted}"
            time.sleep(0.5)
        return status

    def header(self, order: Order, salt: Digest) -> dict[str, str]:
        unsigned = SignedOrder(self.chain.devnet.token, self.contracts.escrow, order, b"")
        signed = replace(unsigned, signature=self.buyer.sign(unsigned.id))
        return {
            ORDER_HEADER: order_header(signed, salt),
            "content-type": "application/json",
            "prefer": "respond-async",
        }


@dataclass
class Server:
    """A gateway that serves orders with a key of its own."""

    key: SigningKey
    live: LiveGateway
    given: dict[str, object] = field(default_factory=dict)

    def send(self, orders: Orders, order: Order, salt: Digest, body: bytes | None = None) -> Any:
        return httpx.post(
            f"{self.live.url}/v1/models/{orders.chain.models[0].card.id}/infer",
            content=orders.body if body is None else body,
            headers=orders.header(order, salt),
            timeout=60,
        )

    def job(self, order: Digest) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.live.url}/v1/jobs/{order.hex}").json()
        return found

    def verified(self, orders: Orders, job: Digest) -> tuple[Receipt, str]:
        """Its receipt, as a verifier has it that knows neither server nor escrow, and what the
        chain says of its settlement."""
        url = f"{self.live.url}/v1/receipts/{job.hex}?attach=true"
        tools = Tools(get_system, request_tensors, payment_parts())
        receipt = verify_receipt(httpx.get(url).content, Policy(), tools).file.receipt
        tx = receipt.settlement.transaction
        assert tx is not None
        found = orders.on_chain(lambda rpc: rpc.receipt(tx))
        assert found is not None
        return receipt, tools.payments["escrow"].verify_on_chain(receipt, found)

    def wait(self, order: Digest, *states: str, within_s: float = 120) -> dict[str, Any]:
        end = time.monotonic() + within_s
        while (job := self.job(order)).get("state") not in states:
            assert time.monotonic() < end, job
            time.sleep(0.3)
        return job


def settings_of(
    orders: Orders, name: str, **changes: object
) -> tuple[SigningKey, Settings, dict[str, object]]:
    """A gateway whose provider and server are one key, and which sells the model."""
    info, listing = orders.chain.devnet, orders.chain.models[0]
    key = SigningKey(keccak256(f"inferproof test server {name}".encode()))
    orders.on_chain(lambda rpc: admit_server(rpc, info, orders.contracts, key, BONDS))
    given = info.settings(orders.folder / name) | {
        "gateway_key": key.secret().hex(),
        "batch_settler_address": None,
        "payouts_address": None,
        "escrow_address": orders.contracts.escrow.hex,
        "escrow_margin_s": 2,
    }
    given |= changes
    settings = Settings.load(**given)

    async def sell() -> None:
        async with open_stores(settings) as stores:
            taker = await stores.openings.store(read_key(listing.compiled).name)
            slots = await give(LocalOpeningBudgets(), listing.compiled, taker, 4)
            await accept(stores.openings, slots)
        await install_model(settings, listing.card.folder, listing.compiled, key=key)

    asyncio.run(sell())
    return key, settings, given


def serve(orders: Orders, name: str) -> Server:
    """It runs, until the tests of this module end."""
    key, settings, given = settings_of(orders, name)
    return Server(key, orders.stack.enter_context(LiveGateway(settings)), given)


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orders]:
    folder = tmp_path_factory.mktemp("orders")
    with ExitStack() as stack:
        chain = stack.enter_context(LocalChain(folder, zoo=("fraud",), for_contracts=True))
        bundle = get_system("sumcheck").verifier(chain.models[0].compiled)
        key = contract_key(bundle)

        async def build() -> MarketContracts:
            async with Rpc(chain.devnet.rpc_url) as rpc:
                contracts = await deploy_market(rpc, chain.devnet, key.verifier)
                provider = chain.devnet.accounts.provider
                await register_model(rpc, chain.devnet, bundle, PRICE, provider)
                return contracts

        yield Orders(chain, folder, asyncio.run(build()), bundle, stack)


@pytest.fixture(scope="module")
def server(orders: Orders) -> Server:
    return serve(orders, "first")


def salt() -> Digest:
    return Digest(secrets.token_bytes(32))


def test_an_order_is_accepted_proven_delivered_and_paid(orders: Orders, server: Server) -> None:
    secret = salt()
    order = orders.order(secret)
    bonds, bought = orders.balance(server.key), orders.balance(orders.buyer)
    job = orders.make(order)
    taken = server.send(orders, order, secret)
    assert taken.status_code == 202, taken.text
    assert taken.json()["job_id"] == job.hex
    done = server.wait(job, "done", "failed", "void")
    assert done["state"] == "done", done
    orders.wait_for(order, OrderStatus.PAID)
    assert orders.balance(server.key) == bonds + server_share(PRICE, FEE_BPS)
    assert orders.balance(orders.buyer) == bought
    receipt, how = server.verified(orders, job)
    assert receipt.payment.nonce == receipt.statement.job_id == job
    assert how == f", which accepts order {job} for {server.key.address}"


# -- late servers -------------------------------------------------------------------------------


@pytest.fixture
def late(orders: Orders) -> SigningKey:
    """A server that accepts and then does nothing."""
    key = SigningKey(secrets.token_bytes(32))
    info = orders.chain.devnet
    orders.on_chain(lambda rpc: admit_server(rpc, info, orders.contracts, key, BONDS))
    return key


def soon(orders: Orders, secret: Digest, **changes: int) -> Order:
    """An order whose server has a few seconds to deliver."""
    now = orders.on_chain(lambda rpc: rpc.head()).timestamp
    times = {"accept_by": now + 6, "input_by": now + 7, "deliver_by": now + 8}
    return orders.order(secret, **(times | {n: now + s for n, s in changes.items()}))


def test_a_late_server_is_rescued_by_another_from_its_bond(
    orders: Orders, server: Server, late: SigningKey
) -> None:
    secret = salt()
    order = soon(orders, secret)
    bonds, bought = orders.balance(server.key), orders.balance(orders.buyer)
    job = orders.make(order)
    orders.accept(order, late)
    early = server.send(orders, order, secret)
    assert (early.status_code, early.json()["error"]["code"]) == (503, "ORDER_TAKEN")
    orders.on_chain(lambda rpc: at(rpc, order.deliver_by))
    taken = server.send(orders, order, secret)
    assert taken.status_code == 202, taken.text
    assert server.wait(job, "done", "failed", "void")["state"] == "done"
    orders.wait_for(order, OrderStatus.RESCUED)
    assert orders.balance(server.key) == bonds + server_share(PRICE, FEE_BPS) + BOND // 2
    assert orders.balance(orders.buyer) == bought + BOND - BOND // 2
    assert orders.balance(late) == BONDS - BOND
    _, how = server.verified(orders, job)
    assert how == f", which accepts order {job} for {late.address}"


def test_a_deadline_that_is_missed_is_refunded_by_anybody(orders: Orders) -> None:
    """Also by the books of the server that missed it: it gives nothing back itself."""
    secret, stranger = salt(), SigningKey(secrets.token_bytes(32))
    key, settings, _ = settings_of(orders, "slow", prove_limit_s=0.001)
    order = soon(orders, secret, rescue_by=20)
    bought = orders.balance(orders.buyer)
    job = orders.make(order)
    with LiveGateway(settings) as live:
        slow = Server(key, live)
        assert slow.send(orders, order, secret).status_code == 202
        orders.wait_for(order, OrderStatus.ACCEPTED)
        assert slow.wait(job, "failed")["failure"]["code"] == "JOB_ATTEMPTS"
        assert orders.balance(key) == BONDS - BOND
        orders.on_chain(lambda rpc: at(rpc, order.rescue_by + 1))

        async def refund(rpc: Rpc) -> None:
            await rpc.request("anvil_setBalance", stranger.address.hex, hex(10**20))
            await orders.escrow_of(rpc).refund(order, stranger)

        orders.on_chain(refund)
        slow.wait(job, "refunded")
    assert orders.status(order) is OrderStatus.REFUNDED
    assert orders.balance(orders.buyer) == bought + PRICE + BOND
    assert orders.balance(key) == BONDS - BOND


# -- several servers ----------------------------------------------------------------------------


def test_of_two_servers_one_proves_and_the_other_is_void(orders: Orders, server: Server) -> None:
    second, secret = serve(orders, "second"), salt()
    order = orders.order(secret)
    before = [orders.balance(each.key) for each in (server, second)]
    job = orders.make(order)
    servers = (server, second)
    with ThreadPoolExecutor(len(servers)) as both:
        answers = list(both.map(lambda each: each.send(orders, order, secret), servers))
    refused = [answer.json()["error"]["code"] for answer in answers if answer.status_code != 202]
    assert len(refused) < len(servers)
    # a server that looks when the other has accepted, or was paid already
    assert set(refused) <= {"ORDER_TAKEN", "ORDER_STATUS"}
    orders.wait_for(order, OrderStatus.PAID)
    after = [orders.balance(each.key) for each in servers]
    earned = sorted(now - then for now, then in zip(after, before, strict=True))
    assert earned == [0, server_share(PRICE, FEE_BPS)]
    slower = servers[earned.index(0) if after[0] == before[0] else 1]
    if slower.job(job).get("job_id") == job.hex:
        void = slower.wait(job, "void")
        assert void["failure"]["message"] == (
            f"order {job} is paid, and this server has no part in it"
        )


# -- refused ------------------------------------------------------------------------------------


def test_what_a_server_does_not_take(orders: Orders, server: Server) -> None:
    secret = salt()
    order = orders.order(secret)

    def refused(order: Order, body: bytes | None = None) -> tuple[int, str]:
        answer = server.send(orders, order, secret, body)
        return answer.status_code, answer.json()["error"]["code"]

    assert refused(order) == (503, "ORDER_UNKNOWN")
    job = orders.make(order)
    changed = json.dumps({"input": orders.chain.models[0].card.input.examples[1].value}).encode()
    assert refused(order, changed) == (422, "ORDER_INPUT")
    assert refused(replace(order, bond=10_000_001)) == (402, "ORDER_BOND")
    assert refused(replace(order, server=orders.buyer.address)) == (402, "ORDER_SERVER")
    assert refused(replace(order, price=1)) == (402, "ORDER_PRICE")
    orders.on_chain(lambda rpc: orders.escrow_of(rpc).cancel(order, orders.buyer))
    assert refused(order) == (402, "ORDER_STATUS")
    assert server.job(job)["error"]["code"] == "JOB_UNKNOWN"
    rushed = soon(orders, secret, accept_by=3, input_by=3, deliver_by=4)
    orders.make(rushed)
    assert refused(rushed) == (402, "ORDER_LATE")


# -- a dry run ----------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_be_served_and_earned(
    orders: Orders, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = salt()
    good, dear = orders.order(secret), orders.order(secret, bond=10_000_001)
    jobs = [orders.make(order) for order in (good, dear)]
    for name, value in server.given.items():
        if value is not None:
            monkeypatch.setenv(variable(name), str(value))
    result = CliRunner().invoke(app, ["provider", "run", "--dry-run", "--json"])
    assert result.exit_code == 0, result.output
    rows = {row["order"]: row for row in json.loads(result.stdout)["orders"]}
    served, refused = (rows[job.hex] for job in jobs)
    assert (served["standing"], served["earns"], served["why"]) == ("servable", "0.2925", None)
    assert served["model"] == f"{orders.chain.models[0].card.id}@1.0.0"
    assert served["has_input"] is False
    assert (refused["standing"], refused["reason"]) == ("refused", "ORDER_BOND")
    assert (
        refused["why"] == "the order's bond is 10.000001 devUSDC, and this server stakes 10 at most"
    )
    shown = CliRunner().invoke(app, ["provider", "run", "--dry-run"])
    assert "waits for its input" in shown.stdout
    monkeypatch.delenv(variable("escrow_address"))
    without = CliRunner().invoke(app, ["provider", "run", "--json"])
    assert json.loads(without.stdout) == {
        "reason": "SETTING_WRONG",
        "message": "the setting INFERPROOF_ESCROW_ADDRESS is wrong: it is not set; a provider "
        "serves the orders of an escrow",
    }
    for order in (good, dear):
        orders.on_chain(lambda rpc, o=order: orders.escrow_of(rpc).cancel(o, orders.buyer))
