"""A chain with an escrow, two provider nodes that serve its orders, and a server that does not."""

import asyncio
import os
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from bench.measure import say
from bench.soak.escrow_verdict import Kept
from bench.soak.proxy import Proxy
from bench.soak.world import BLOCK_S, COIN, CONFIRMATIONS, LEASE_S, REORG_DEPTH, fund
from inferproof.app.key_budgets import accept, give
from inferproof.app.publishing import install_model
from inferproof.app.stores import open_stores
from inferproof.chain.escrow import Escrow, open_escrow
from inferproof.chain.market import open_market
from inferproof.chain.rpc import Rpc
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.signature import SigningKey
from inferproof.proving.sumcheck.private_key import read_key
from inferproof.settings import Settings
from inferproof.storage.openings.local import LocalOpeningBudgets
from inferproof.testing.deployment import Deployment, Nursery, environment_of
from inferproof.testing.devnet import DevnetInfo, dev_key
from inferproof.testing.limits import WIDE
from inferproof.testing.market import Listing, LocalChain
from inferproof.types.digest import Digest

STAKES = 100_000_000
"""What each server puts into the escrow for bonds, in atomic units."""
FEE_BPS = 250
OPENINGS = 300
"""Openings of the model's key that each node's order book counts: one for each process."""
WORKERS = 2


@dataclass
class Node:
    """A provider node: one process, its own key, database and way to the chain. While it is `held`
    nobody starts it again."""

    name: str
    key: SigningKey
    folder: Path
    proxy: Proxy
    deployment: Deployment
    held: bool = False

    def books(self) -> list[Kept]:
        """Its own records of orders, as they are in its database."""
        query = (
            "SELECT jobs.job_id, jobs.state, order_deliveries.state FROM order_deliveries "
            "JOIN jobs ON jobs.number = order_deliveries.job"
        )
        url = f"file:{self.folder / 'orders.db'}?mode=ro"
        with closing(sqlite3.connect(url, uri=True, timeout=30)) as database:
            rows = database.execute(query).fetchall()
        return [Kept(Digest.from_hex(job), state, delivery) for job, state, delivery in rows]


@dataclass
class OrderWorld:
    """A running market of orders. `idle` accepts and never delivers; each of `payers` makes one
    order, and each of `strangers` may end one that is over."""

    info: DevnetInfo
    pid: int
    rpc: Rpc
    escrow: Escrow
    listing: Listing
    nodes: tuple[Node, ...]
    idle: SigningKey
    payers: tuple[SigningKey, ...]
    strangers: tuple[SigningKey, ...]

    async def silence_chain(self, seconds: float) -> None:
        """The chain's node takes connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(self.pid, signal.SIGCONT)

    async def lose_chain(self, seconds: float) -> None:
        """Nobody listens where the nodes look for the chain."""
        for node in self.nodes:
            await node.proxy.shut()
        await asyncio.sleep(seconds)
        for node in self.nodes:
            await node.proxy.open()

    async def reorganise(self) -> None:
        """The newest blocks are replaced by empty ones; their transactions are lost."""
        await self.rpc.request("anvil_reorg", REORG_DEPTH, [])


@asynccontextmanager
async def open_order_world(
    chain: LocalChain, folder: Path, *, orders: int
) -> AsyncIterator[OrderWorld]:
    """Everything in `folder`, on a chain that was opened with an escrow; all processes end with
    the block."""
    info, listing = chain.devnet, chain.models[0]
    idle = dev_key(8)
    payers, strangers = (
        tuple(SigningKey(keccak256(b"soak %s %d" % (who, n))) for n in range(orders))
        for who in (b"buyer", b"stranger")
    )
    keys = {"first": info.accounts.gateway, "second": info.accounts.provider}
    proxies = {name: Proxy(info.rpc_url) for name in keys}
    async with Rpc(info.rpc_url) as rpc:
        escrow = await open_escrow(rpc, info.escrow)
        market = await open_market(rpc, info.market)
        await fund(rpc, info, [idle, *payers])
        for stranger in strangers:
            await rpc.request("anvil_setBalance", stranger.address.hex, hex(COIN))
        await market.set_server(idle.address, True, info.accounts.owner)
        await market.set_fee(FEE_BPS, info.accounts.owner)
        for key in (idle, *keys.values()):
            await escrow.deposit(info.token.address, STAKES, key)
        with Nursery() as nursery:
            nodes = []
            try:
                for name, key in keys.items():
                    await proxies[name].open()
                    node = await _node(name, key, proxies[name], folder, chain, nursery)
                    nodes.append(node)
                await rpc.request("evm_setIntervalMining", BLOCK_S)
                say("starting both nodes")
                for node in nodes:
                    await asyncio.to_thread(node.deployment.revive)
                yield OrderWorld(
                    *(info, chain.pid, rpc, escrow, listing),
                    *(tuple(nodes), idle, payers, strangers),
                )
            finally:
                for node in nodes:
                    await asyncio.to_thread(node.deployment.kill, *node.deployment.roles)
                    await node.proxy.shut()


async def _node(
    name: str,
    key: SigningKey,
    proxy: Proxy,
    folder: Path,
    chain: LocalChain,
    nursery: Nursery,
) -> Node:
    """A node that has the model and is not started yet."""
    info, listing = chain.devnet, chain.models[0]
    own = folder / name
    own.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]  # the same after each restart
    given: dict[str, object] = info.settings(own / "data") | {
        "port": port,
        "database_url": f"sqlite+aiosqlite:///{own / 'orders.db'}",
        "rpc_url": proxy.url,
        "confirmations": CONFIRMATIONS,
        **WIDE,
        "gateway_key": key.secret().hex(),
        "escrow_address": info.escrow.hex,
        "escrow_margin_s": 5,
        "lease_s": LEASE_S,
        "shutdown_s": 5,
        "workers": WORKERS,
    }
    settings = Settings.load(**given)
    async with open_stores(settings) as stores:
        taker = await stores.openings.store(read_key(listing.compiled).name)
        slots = await give(LocalOpeningBudgets(), listing.compiled, taker, OPENINGS)
        await accept(stores.openings, slots)
    await install_model(settings, listing.card.folder, listing.compiled, key=key)
    deployment = Deployment(own / "node", environment_of(given), nursery=nursery)
    return Node(name, key, own, proxy, deployment)
