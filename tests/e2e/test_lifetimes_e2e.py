"""Whole processes' worth of parts give everything back: descriptors, threads, children, tasks."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from lifetimes import cancelled_everywhere, leaves_nothing, lifetime
from live_parts import MODEL, Installed, settings_for

from inferproof.app.gateway import build
from inferproof.app.publishing import install_model
from inferproof.app.reconciliation import open_books
from inferproof.app.worker import build_worker
from inferproof.chain.rpc import Rpc
from inferproof.client import AsyncClient, Client
from inferproof.errors import NotFound, Reason, Unavailable
from inferproof.proving.pool import WorkerPool
from inferproof.proving.program import Limits, Program
from inferproof.settings import Settings
from inferproof.storage.blobs.local import LocalBlobs
from inferproof.testing.devnet import Devnet, DevnetInfo
from inferproof.testing.live import LiveGateway
from inferproof.testing.toy_proofs import ToySystem
from inferproof.types.digest import Digest

INPUT = [[1.0, 2.0, 3.0]]
TASKS = "inferproof.testing.worker_tasks"


@pytest.fixture
def settings(
    tmp_path: Path, devnet: DevnetInfo, tiny: Installed, toy: dict[str, ToySystem]
) -> Settings:
    """Those of a gateway that serves the tiny model and runs everything by itself."""
    settings = settings_for(devnet, tmp_path / "data", books_check_s=1, blobs_days=1)
    key = devnet.accounts.provider
    asyncio.run(install_model(settings, tiny.card, tiny.compiled, key=key, more_systems=toy))
    return settings


def test_a_gateway_and_its_clients(
    settings: Settings, toy: dict[str, ToySystem], devnet: DevnetInfo
) -> None:
    key = devnet.accounts.buyer

    async def awaited(url: str) -> None:
        async with AsyncClient(url, key=key, verify=False) as client:
            assert (await client.infer(MODEL, INPUT, max_price="1")).label == "yes"

    def life() -> None:
        with LiveGateway(settings, more_systems=toy) as gateway:
            with Client(gateway.url, key=key, verify=False) as client:
                assert client.infer(MODEL, INPUT, max_price="1").label == "yes"
            lifetime(lambda: awaited(gateway.url))

    life()  # libraries that are loaded for it keep files of their own
    with leaves_nothing():
        life()


def _gateway(settings: Settings, toy: dict[str, ToySystem]) -> Coroutine[Any, Any, None]:
    async def life() -> None:
        async with build(settings, more_systems=toy):
            await asyncio.sleep(0)

    return life()


def _worker(settings: Settings, toy: dict[str, ToySystem]) -> Coroutine[Any, Any, None]:
    async def life() -> None:
        async with build_worker(settings, more_systems=toy):
            await asyncio.sleep(0)

    return life()


def _books(settings: Settings, toy: dict[str, ToySystem]) -> Coroutine[Any, Any, None]:
    async def life() -> None:
        async with open_books(settings) as books:
            assert (await books.check()).balanced

    return life()


@pytest.mark.parametrize("life", [_gateway, _worker, _books])
def test_what_is_built_is_taken_down_wherever_it_is_cancelled(
    life: Callable[[Settings, dict[str, ToySystem]], Coroutine[Any, Any, None]],
    settings: Settings,
    toy: dict[str, ToySystem],
) -> None:
    with leaves_nothing():
        lifetime(lambda: life(settings, toy))
    assert cancelled_everywhere(lambda: life(settings, toy), every=7) > 4


def test_a_node_that_is_asked(devnet: DevnetInfo) -> None:
    async def life() -> None:
        async with Rpc(devnet.rpc_url) as rpc:
            await rpc.chain_id()
            await rpc.batch([("eth_chainId", []), ("eth_blockNumber", [])])

    with leaves_nothing():
        lifetime(life)
    assert cancelled_everywhere(life) > 4


def test_a_node_that_is_not_there() -> None:
    async def life() -> None:
        async with Rpc("http://127.0.0.1:9") as rpc:
            with pytest.raises(Unavailable):
                await rpc.batch([("eth_chainId", [])])

    with leaves_nothing():
        lifetime(life)


def test_a_pool_whose_tasks_end_in_every_way() -> None:
    with leaves_nothing():
        pool = WorkerPool(2)
        try:
            pool.run(f"{TASKS}:echo", {}, time_limit_s=60)
            for task, args in (("panic", {}), ("leave", {"status": 3}), ("die", {"signal": 9})):
                with pytest.raises(Unavailable):
                    pool.run(f"{TASKS}:{task}", args, time_limit_s=60)
            with pytest.raises(Unavailable) as stopped:
                pool.run(f"{TASKS}:sleep", {"seconds": 60}, time_limit_s=60, cancelled=lambda: True)
            assert stopped.value.reason is Reason.PROVER_CANCELLED
        finally:
            pool.close()


def test_a_program_that_ends_in_every_way() -> None:
    with leaves_nothing():
        for code in ("print('{}')", "import sys; sys.exit(9)", "import time; time.sleep(60)"):
            program = Program((sys.executable, "-c", code), Limits())
            try:
                program.run("info", {}, cancelled=lambda code=code: "sleep" in code)
            except Unavailable:
                assert "print" not in code


def test_a_store_of_blobs(tmp_path: Path) -> None:
    with leaves_nothing():
        blobs = LocalBlobs(tmp_path / "blobs")
        name = blobs.put(b"something")
        assert blobs.get(name) == b"something"
        assert blobs.old(2**40) == [name]
        assert blobs.remove(name, 2**40)
        with pytest.raises(NotFound):
            blobs.get(Digest(bytes(32)))


def test_a_chain_of_our_own() -> None:
    with leaves_nothing(), Devnet() as devnet:
        assert devnet.pid is not None
