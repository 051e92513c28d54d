"""A gateway whose list of models follows the reputation that providers have on a real chain."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import numpy as np
import pytest
from live_parts import MODEL, Installed, settings_for

from inferproof.app.publishing import install_model
from inferproof.chain.abi import calldata
from inferproof.chain.escrow import open_escrow
from inferproof.chain.market import Role, open_market
from inferproof.chain.rpc import Rpc
from inferproof.chain.transactions import transact
from inferproof.protocol.reputation import Outcome
from inferproof.testing.devnet import Devnet, DevnetInfo
from inferproof.testing.live import LiveGateway
from inferproof.testing.tiny import compile_tiny
from inferproof.testing.toy_proofs import ToySystem
from inferproof.types.digest import Address

T = TypeVar("T")
OTHER = "tiny-other"
WITHIN_S = 60.0
VOLUME = 10**8


@pytest.fixture(scope="module")
def chain() -> Iterator[DevnetInfo]:
    """A chain of its own, whose owner records outcomes as an escrow does."""
    with Devnet() as running:
        yield running.info


def on_chain(chain: DevnetInfo, work: Callable[[Rpc], Awaitable[T]]) -> T:
    async def run() -> T:
        async with Rpc(chain.rpc_url) as rpc:
            return await work(rpc)

    return asyncio.run(run())


def record(chain: DevnetInfo, server: Address, outcome: Outcome) -> None:
    async def work(rpc: Rpc) -> None:
        owner, signature = chain.accounts.owner, "record(address,uint8,address,uint128)"
        await (await open_market(rpc, chain.market)).grant(Role.RECORDER, owner.address, owner)
        reputation = await (await open_escrow(rpc, chain.escrow)).reputation()
        data = calldata(signature, server, int(outcome), chain.token.address, VOLUME)
        await transact(rpc, owner, to=reputation, data=data, what=signature)

    on_chain(chain, work)


def ranked(live: LiveGateway) -> list[str]:
    listed = httpx.get(f"{live.url}/v1/models").raise_for_status().json()["models"]
    return [each["name"].partition("@")[0] for each in listed]


def wait_until_ranked(live: LiveGateway, *names: str) -> None:
    end = time.monotonic() + WITHIN_S
    while ranked(live) != [*names]:
        assert time.monotonic() < end, f"the list is {ranked(live)}, and not {names}"
        time.sleep(0.05)


def test_who_serves_orders_comes_before_who_misses_them(
    chain: DevnetInfo, tiny: Installed, toy: dict[str, ToySystem], tmp_path: Path
) -> None:
    first, second = chain.accounts.provider, chain.accounts.gateway
    served = settings_for(
        chain, tmp_path / "gateway", escrow_address=chain.escrow.hex, reputation_poll_s=0.1
    )
    other = tmp_path / "other"
    compile_tiny(other, OTHER, toy["toy"], np.ones((2, 1, 3), dtype=np.float32))
    for card, compiled, key in (
        (tiny.card, tiny.compiled, first),
        (other / "card.toml", other / "compiled", second),
    ):
        asyncio.run(install_model(served, card, compiled, key=key, more_systems=toy))
    with LiveGateway(served, more_systems=toy) as live:
        assert ranked(live) == [MODEL, OTHER], "nothing is known of either: the older one is first"
        record(chain, second.address, Outcome.VALID)
        wait_until_ranked(live, OTHER, MODEL)
        record(chain, first.address, Outcome.VALID)
        record(chain, second.address, Outcome.MISSED)
        wait_until_ranked(live, MODEL, OTHER)
        newest = httpx.get(f"{live.url}/v1/models", params={"order": "newest"}).json()["models"]
        assert newest[0]["name"].startswith(OTHER), "other orders do not ask for reputations"
