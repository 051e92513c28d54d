"""The commands of the guide's pages about the market on a chain, as they are written there: one
chain, a gateway that serves orders, and a second one that `inferproof provider run` starts."""

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, TypeVar

import httpx
import pytest
from market_contracts import at
from typer.testing import CliRunner

from inferproof.app.key_budgets import accept, give
from inferproof.app.ordering import BuyerChain
from inferproof.app.publishing import install_model
from inferproof.app.stores import open_stores
from inferproof.chain.abi import calldata
from inferproof.chain.escrow import Escrow, accept_data, open_escrow
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.cli.devnet import write_key
from inferproof.cli.main import app
from inferproof.client import Client
from inferproof.client.orders import OrderTerms, order_in
from inferproof.protocol.escrow import server_share
from inferproof.proving.sumcheck.private_key import read_key
from inferproof.settings import Settings, variable
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.testing.devnet import dev_key
from inferproof.testing.market import Market
from inferproof.types.digest import Address, Digest
from inferproof.types.escrow import Order, OrderStatus
from inferproof.types.payment import Authorization

pytestmark = [pytest.mark.slow, pytest.mark.native]

T = TypeVar("T")
GUIDE = Path(__file__).resolve().parents[2] / "docs/guide"
COMMAND = [sys.executable, "-c", "from inferproof.cli.main import run; run()"]
STATE = Path("inferproof-buyer")
PRICE, FEE_BPS, BOND = 250_000, 250, 50_000
STAKES = 10_000_000
LATE_S = 10
"""How long a server has that is to be late, on a machine that is slow and full."""
START_S, ORDER_S = 180.0, 180.0


def commands(page: str, name: str) -> list[str]:
    """The lines of a page that begin with this command, in their order."""
    text = (GUIDE / page).read_text("utf-8")
    return re.findall(rf"^\$ inferproof ({name} .*)$", text, re.MULTILINE)


def run(line: str, known: dict[str, str]) -> dict[str, Any]:
    """What the command tells, in JSON, once its variables stand for what is known."""
    words = shlex.split(Template(line).substitute(known))
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, (words, result.output)
    told: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return told


class _Stopped(Exception):
    """The buyer is stopped."""


class _StopsLocking(BuyerChain):
    """Is stopped before the money is locked, or after it."""

    after = True

    def place(self, escrow: Address, order: Order, authorization: Authorization) -> None:
        if self.after:
            super().place(escrow, order, authorization)
        raise _Stopped


@dataclass
class Shown:
    """The market, and what the guide's variables stand for."""

    market: Market
    folder: Path
    stack: ExitStack
    known: dict[str, str] = field(default_factory=dict)

    def key(self, name: str, index: int) -> str:
        return str(write_key(self.folder / "keys", name, dev_key(index).secret()))

    def on_chain(self, work: Callable[[Rpc, Escrow], Awaitable[T]]) -> T:
        async def done() -> T:
            async with Rpc(self.market.devnet.rpc_url) as rpc:
                return await work(rpc, await open_escrow(rpc, self.market.devnet.escrow))

        return asyncio.run(done())

    def status(self, order: Digest) -> OrderStatus:
        return self.on_chain(lambda _, escrow: escrow.slot(order)).status

    def wait_for(self, order: Digest, status: OrderStatus) -> None:
        end = time.monotonic() + ORDER_S
        while self.status(order) is not status:
            assert time.monotonic() < end, f"it is {self.status(order).name}"
            time.sleep(0.3)

    def pass_until(self, second: int) -> None:
        """Returns once chain and machine are behind this second: the chain's clock may be late."""
        self.on_chain(lambda rpc, _: at(rpc, second))

    def balance(self, holder: Address) -> int:
        token = self.market.devnet.token.address
        return self.on_chain(lambda _, escrow: escrow.balance(holder, token))

    def stopped(self, *, locked: bool = True, **terms: Any) -> Digest:
        """An order of a buyer who was stopped, as its state folder has it."""
        info = self.market.devnet
        chain = _StopsLocking(info.rpc_url, info.accounts.buyer)
        chain.after = locked
        with Client(self.market.url, key=info.accounts.buyer, state=STATE) as client:
            before, listing = set(client.open_jobs), self.market.models[0]
            with pytest.raises(_Stopped):
                client.request(
                    listing.card.id,
                    listing.card.input.examples[0].value,
                    max_price="0.25",
                    escrow=info.escrow,
                    chain=chain,
                    terms=OrderTerms(**terms),
                )
            (job,) = set(client.open_jobs) - before
            return job

    def terms(self, order: Digest) -> Order:
        info = self.market.devnet
        with Client(self.market.url, key=info.accounts.buyer, state=STATE) as client:
            return order_in(client.open_call(order)).order


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("guides")
    with ExitStack() as stack:
        market = stack.enter_context(
            Market(folder / "market", zoo=("fraud",), for_contracts=True, escrow=True)
        )
        stack.enter_context(_inside(folder))
        info = market.devnet
        made = Shown(market, folder, stack)
        example = market.models[0].card.input.examples[0].value
        (folder / "payment.json").write_text(json.dumps(example))
        made.known = {
            "RPC": info.rpc_url,
            "URL": market.url,
            "MARKET": info.market.hex,
            "ESCROW": info.escrow.hex,
            "TOKEN": info.token.address.hex,
            "SERVER": info.accounts.gateway.address.hex,
            "OTHER": dev_key(6).address.hex,
        }
        yield made


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


# -- deploying -------------------------------------------------------------------------------------


def test_deploying(shown: Shown) -> None:
    """By another owner than the devnet's, so that there is something to deploy."""
    known = shown.known | {"KEY": shown.key("owner", 7), "OWNER": dev_key(7).address.hex}
    planned, done, verified = (run(line, known) for line in commands("deploying.md", "chain"))
    assert (planned["dry_run"], planned["told"]) == (True, [])
    addresses = {name: each["address"] for name, each in planned["contracts"].items()}
    assert {name: each["address"] for name, each in done["contracts"].items()} == addresses
    assert verified["verified"] == addresses
    assert 0 < done["gas"] < 1.1 * planned["gas"]
    assert f"server {shown.known['SERVER']}" in done["told"]
    again = run(commands("deploying.md", "chain")[1], known)
    assert (again["gas"], again["told"]) == (0, [])


# -- the market ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def administered(shown: Shown) -> dict[str, dict[str, Any]]:
    """What each command of the page tells, but of the last, which takes out what orders bring."""
    known = shown.known | {"KEY": shown.key("admin", 0)}
    *lines, fees = commands("market.md", "market")
    assert fees.startswith("market withdraw-fees")
    told = {line.split()[1]: run(line, known) for line in lines}
    told["now"] = run(lines[0], known)
    # As servers of the other pages find it: their reputation is new.
    run('market admission --least-score 0 --bond-factor 1 --rpc "$RPC" --market "$MARKET" '
        '--key-file "$KEY"', known)  # fmt: skip
    return told


def test_administration(administered: dict[str, dict[str, Any]]) -> None:
    assert set(administered) == {
        *("show", "fee", "admission", "token", "server", "pause", "unpause", "grant", "revoke"),
        "now",
    }
    now = administered["now"]
    assert (now["fee_bps"], now["paused"]) == (FEE_BPS, False)


# -- serving ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other(shown: Shown) -> Iterator[str]:
    """The address of a second gateway, which `inferproof provider run` starts."""
    info, listing, key = shown.market.devnet, shown.market.models[0], dev_key(8)
    with httpx.Client() as http:
        port = _free_port()
        given = info.settings(shown.folder / "other") | {
            "port": port,
            "gateway_key": key.secret().hex(),
            "batch_settler_address": None,
            "payouts_address": None,
            "escrow_address": info.escrow.hex,
            "escrow_margin_s": 2,
        }
        given = {name: value for name, value in given.items() if value is not None}
        settings = Settings.load(**given)

        async def admit(rpc: Rpc, escrow: Escrow) -> None:
            owner, token = info.accounts.owner, info.token.address
            for to, call, arguments in (
                (info.market, "setServer(address,bool)", (key.address, True)),
                (token, "mint(address,uint256)", (key.address, STAKES)),
            ):
                data = calldata(call, *arguments)
                await transact(rpc, owner, to=to, data=data, what=call)
            await escrow.deposit(token, STAKES, key)

        async def sell() -> None:
            async with open_stores(settings) as stores:
                taker = await stores.openings.store(read_key(listing.compiled).name)
                slots = await give(LocalOpeningBudgets(), listing.compiled, taker, 4)
                await accept(stores.openings, slots)
            await install_model(settings, listing.card.folder, listing.compiled, key=key)

        shown.on_chain(admit)
        asyncio.run(sell())
        environment = {variable(name): str(value) for name, value in given.items()}
        dry, line = commands("serving-orders.md", "provider")
        order = shown.stopped(any_server=True)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            rows = {row["order"]: row for row in run(dry, {})["orders"]}
        assert (rows[order.hex]["standing"], rows[order.hex]["earns"]) == ("servable", "0.24375")
        with (shown.folder / "other.log").open("wb") as log:
            process = subprocess.Popen(
                [*COMMAND, *shlex.split(line)],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(http, url, process, shown.folder / "other.log")
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) in (0, 128 + signal.SIGTERM, -signal.SIGTERM)


def _wait_until_ready(
    http: httpx.Client, url: str, process: "subprocess.Popen[bytes]", log: Path
) -> None:
    end = time.monotonic() + START_S
    while True:
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < end, log.read_text()[-3000:]
        try:
            if http.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.3)


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


# -- buying ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("administered")
def test_buying(shown: Shown) -> None:
    known = shown.known | {"KEY": shown.key("buyer", 2)}
    new, show = commands("escrow-buyer.md", "request")[:2]
    (verify,) = commands("escrow-buyer.md", "verify")
    gateway = shown.market.devnet.accounts.gateway.address
    before = shown.balance(gateway)
    answer = run(new, known)
    assert (answer["verified"], answer["label"], answer["paid"]) == (True, "legitimate", "0.25")
    order = Digest.from_hex(answer["job_id"])
    shown.wait_for(order, OrderStatus.PAID)
    assert shown.balance(gateway) == before + server_share(PRICE, FEE_BPS)
    told = run(show, known)
    assert (told["order"], told["status"]) == (order.hex, "paid")
    assert told["served_by"] == gateway.hex
    verified = run(verify, known)
    assert verified["verified"] is True
    assert order.hex in json.dumps(verified)


@pytest.mark.usefixtures("administered")
def test_what_becomes_of_orders(shown: Shown, other: str) -> None:
    """Each command on an order that is for it: open, over, late, not locked yet."""
    info = shown.market.devnet
    buyer, late = info.accounts.buyer, info.accounts.provider
    known = shown.known | {"KEY": shown.key("buyer", 2), "OTHER_URL": other}
    lines = {line.split()[1]: line for line in commands("escrow-buyer.md", "request")[2:]}
    assert set(lines) == {"cancel", "refund", "rescue", "resume", "withdraw"}

    def done(name: str, order: Digest) -> dict[str, Any]:
        return run(lines[name], known | {"ORDER": order.hex})

    had = shown.balance(buyer.address)
    cancelled = shown.stopped()
    done("cancel", cancelled)
    assert shown.status(cancelled) is OrderStatus.CANCELLED
    assert shown.balance(buyer.address) == had + PRICE

    over = shown.stopped(accept_s=LATE_S)
    shown.pass_until(shown.terms(over).accept_by)
    done("refund", over)
    assert shown.status(over) is OrderStatus.REFUNDED
    assert shown.balance(buyer.address) == had + 2 * PRICE

    resumed = shown.stopped(locked=False)
    assert shown.status(resumed) is OrderStatus.NONE
    assert done("resume", resumed)["verified"] is True
    shown.wait_for(resumed, OrderStatus.PAID)

    async def take(_: Rpc, escrow: Escrow) -> None:
        token = info.token.address
        await escrow.deposit(token, STAKES, late)
        await escrow.send(late, accept_data(shown_order, acknowledged=True), "accept")

    rescued = shown.stopped(any_server=True, accept_s=3 * LATE_S, deliver_s=LATE_S)
    shown_order = shown.terms(rescued)
    shown.on_chain(take)
    shown.pass_until(shown_order.deliver_by)
    assert done("rescue", rescued)["verified"] is True
    shown.wait_for(rescued, OrderStatus.RESCUED)
    back = had + 2 * PRICE + BOND - BOND // 2
    assert shown.balance(buyer.address) == back
    rescuer = STAKES + server_share(PRICE, FEE_BPS) + BOND // 2
    assert shown.balance(dev_key(8).address) == rescuer

    assert done("withdraw", cancelled)["transaction"] is not None
    assert shown.balance(buyer.address) == 0
    assert done("withdraw", cancelled) == {"transaction": None, "gas": 0}


@pytest.mark.usefixtures("administered")
def test_fees(shown: Shown) -> None:
    """Of an order that is paid, and of those of the tests before it."""
    new, *_ = commands("escrow-buyer.md", "request")
    bought = run(new, shown.known | {"KEY": shown.key("buyer", 2)})
    shown.wait_for(Digest.from_hex(bought["job_id"]), OrderStatus.PAID)
    *_, line = commands("market.md", "market")
    known = shown.known | {"KEY": shown.key("admin", 0)}
    fees = int(run(line, known)["amount"])
    assert fees > 0
    assert fees % (PRICE - server_share(PRICE, FEE_BPS)) == 0
    assert run(line, known)["amount"] == "0"
