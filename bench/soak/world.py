"""Everything that the buyers meet: a chain, the door to it, a database, a gateway, its workers."""

import asyncio
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measure import ROOT, say
from bench.soak.buyers import Goods
from bench.soak.plan import Kind
from bench.soak.proxy import Proxy
from bench.soak.transfers import Transfers
from inferproof.app.openings import local_openings
from inferproof.app.publishing import install_model
from inferproof.chain.abi import calldata
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import Fees, require_success, sign_tx, wait_receipt
from inferproof.models.card import ModelCard, load_card
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.proving.sumcheck.system import SumcheckSystem
from inferproof.settings import Settings
from inferproof.testing.deployment import Deployment, Nursery, environment_of
from inferproof.testing.devnet import DevnetInfo
from inferproof.testing.limits import WIDE
from inferproof.testing.market import Listing, LocalChain
from inferproof.testing.tiny import PRICE, compile_tiny

ZOO = "fraud"
BLOCK_S = 1
CONFIRMATIONS = 3
REORG_DEPTH = CONFIRMATIONS - 1
"""What a gateway must live through: nothing that it counts on is dropped."""
LEASE_S = 6
PAYMENT_S = 60
"""How long an authorization lasts: an order that was cancelled in time is void after it."""
FUNDS = 10**12
COIN = 10**20
"""What each payer has for the fees of its own transfers, in wei."""
FEES = Fees(cap=10**11, tip=1)


@dataclass
class World:
    """A running market. `environment` are the settings of its processes, and of the command line
    that checks its books; `transfers` are those that its buyers make."""

    info: DevnetInfo
    node: int
    proxy: Proxy
    deployment: Deployment
    environment: dict[str, str]
    goods: Goods
    payers: list[SigningKey]
    transfers: Transfers

    @property
    def url(self) -> str:
        return self.deployment.url

    async def silence_node(self, seconds: float) -> None:
        """The node takes connections and answers nothing."""
        os.kill(self.node, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(self.node, signal.SIGCONT)

    async def lose_node(self, seconds: float) -> None:
        """Nobody listens where the node was."""
        await self.proxy.shut()
        await asyncio.sleep(seconds)
        await self.proxy.open()

    async def reorganise(self) -> None:
        """The newest blocks are replaced by empty ones; their transactions are lost."""
        async with Rpc(self.info.rpc_url) as rpc:
            await rpc.request("anvil_reorg", REORG_DEPTH, [])


@asynccontextmanager
async def open_world(
    chain: LocalChain,
    folder: Path,
    *,
    database: str,
    payers: int,
    workers: int,
    processes: int,
    concurrency: int,
    jobs: int,
    batches: bool,
) -> AsyncIterator[World]:
    """A market in `folder` on the chain, all of whose processes end with the block. `database`
    is sqlite or postgres."""
    with _database(database, folder) as url:
        info, node = chain.devnet, chain.pid
        proxy = Proxy(info.rpc_url)
        await proxy.open()
        given = _settings(info, proxy, folder, url, jobs, batches=batches)
        if not workers:
            given["workers"] = concurrency
        environment = environment_of(given)
        goods = await _install(Settings.load(**given), chain.models[0], folder, info)
        keys = [SigningKey(keccak256(b"soak payer %d" % n)) for n in range(payers)]
        async with Rpc(info.rpc_url) as rpc:
            await fund(rpc, info, keys)
            await rpc.request("evm_setIntervalMining", BLOCK_S)
        say("starting the gateway and its workers")
        with Nursery() as nursery:
            deployment = Deployment(
                folder / "market",
                environment,
                workers=workers,
                concurrency=concurrency,
                processes=processes,
                nursery=nursery,
            )
            try:
                await asyncio.to_thread(deployment.revive)
                async with Rpc(info.rpc_url) as rpc:
                    transfers = Transfers(
                        rpc, info.chain_id, info.token, info.accounts.gateway.address, PRICE
                    )
                    yield World(info, node, proxy, deployment, environment, goods, keys, transfers)
            finally:
                await asyncio.to_thread(deployment.kill, *deployment.roles)
                await proxy.shut()


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder / 'orders.db'}"
        return
    sys.path.insert(0, str(ROOT / "tests" / "suites"))
    from postgres_server import PostgresServer

    with PostgresServer(fsync=True) as server:
        yield server.url


def _settings(
    info: DevnetInfo, proxy: Proxy, folder: Path, database: str, jobs: int, *, batches: bool
) -> dict[str, object]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]  # the same after each restart
    values = info.settings(folder / "data") | {
        "port": port,
        "database_url": database,
        "rpc_url": proxy.url,
        "confirmations": CONFIRMATIONS,
        **WIDE,
        "queue_limit": 10 * jobs + 1000,
        "lease_s": LEASE_S,
        "shutdown_s": 5,
        "payment_timeout_s": PAYMENT_S,
        "settle_margin_s": 10,
        "books_check_s": 20,
    }
    if not batches:
        del values["batch_settler_address"]
    return values


async def _install(settings: Settings, zoo: Listing, folder: Path, info: DevnetInfo) -> Goods:
    provider = info.accounts.provider
    inputs = tuple(example.value for example in zoo.card.input.examples)
    await install_model(settings, zoo.card.folder, zoo.compiled, key=provider)
    sold = {Kind.ZOO: (zoo.card.id, inputs)}
    if zoo.by_ezkl is not None:
        card = _by_ezkl(zoo.card, folder / "by-ezkl")
        await install_model(settings, card.folder, zoo.by_ezkl, key=provider)
        sold[Kind.EZKL] = (card.id, inputs)
    tiny = folder / "model"
    await asyncio.to_thread(_compile, tiny)
    await install_model(settings, tiny, tiny / "compiled", key=provider)
    return Goods("soak", sold)


def _by_ezkl(card: ModelCard, folder: Path) -> ModelCard:
    """The card under another name, for the model as ezkl proves it."""
    shutil.copytree(card.folder, folder)
    path = folder / "card.toml"
    text = path.read_text(encoding="utf-8")
    for old, new in (
        (f'id = "{card.id}"', f'id = "{card.id}-by-ezkl"'),
        (f'system = "{card.proof.system}"', 'system = "ezkl"'),
    ):
        if text.count(old) != 1:
            raise ValueError(f"{path} does not have {old} exactly once")
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return load_card(folder)


def _compile(folder: Path) -> None:
    system = SumcheckSystem(openings=local_openings)
    try:
        compile_tiny(folder, "soak", system)
    finally:
        system.close()


async def fund(rpc: Rpc, info: DevnetInfo, payers: list[SigningKey]) -> None:
    owner = info.accounts.owner
    nonce = await rpc.nonce(owner.address)
    for number, payer in enumerate(payers):
        signed = sign_tx(
            owner,
            chain_id=info.chain_id,
            nonce=nonce + number,
            fees=FEES,
            gas=100_000,
            to=info.token.address,
            data=calldata("mint(address,uint256)", payer.address, FUNDS),
        )
        await rpc.send_raw(signed.raw)
        await rpc.request("anvil_setBalance", payer.address.hex, hex(COIN))
    require_success(await wait_receipt(rpc, signed.tx))
