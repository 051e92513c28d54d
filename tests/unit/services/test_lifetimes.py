"""What each service holds while it runs is given back when it ends, wherever it is stopped."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest
from lifetimes import cancelled_everywhere, leaves_nothing, lifetime
from service_parts import Services, World, nonce, pay, running

from inferproof.services.notifier.service import Notifier, NotifierSettings
from inferproof.services.reconciliation.service import Reconciler
from inferproof.services.sweeper import Sweeper
from inferproof.storage.blobs.local import LocalBlobs
from inferproof.storage.sql.blob_names import SqlBlobNames
from inferproof.storage.sql.retention import SqlUnpaidJobs
from inferproof.testing.cash import CashBooks
from inferproof.testing.samples import GATEWAY

Run = Coroutine[Any, Any, None]
SOON_S = 0.001


def _settler(services: Services) -> Run:
    return services.settler.run()


def _worker(services: Services) -> Run:
    return services.worker.run()


def _notifier(services: Services) -> Run:
    class Receiver:
        async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
            return 204

    return Notifier(
        deliveries=services.stores.deliveries,
        sender=Receiver(),
        key=GATEWAY,
        settings=NotifierSettings(look_again_s=SOON_S),
        clock=services.world.clock,
        chance=lambda: 0.0,
        metrics=services.metrics,
        leader=services.stores.database.leader_lock("notifier"),
    ).run()


def _sweeper(services: Services) -> Run:
    sweeper = Sweeper(
        blobs=LocalBlobs(services.world.folder / "blobs"),
        names=SqlBlobNames(services.stores.database),
        jobs=SqlUnpaidJobs(services.stores.database),
        blobs_days=1,
        jobs_days=1,
        clock=services.world.clock,
    )
    return sweeper.run(services.stores.database.leader_lock("sweeper"), SOON_S)


def _books(services: Services) -> Run:
    books = Reconciler(
        ledger=services.stores.orders.ledger,
        chain=CashBooks(services.world.ledger),
        metrics=services.metrics,
    )
    return books.run(SOON_S, services.stores.database.leader_lock("books"))


SERVICES: dict[str, Callable[[Services], Run]] = {
    "settler": _settler,
    "worker": _worker,
    "notifier": _notifier,
    "sweeper": _sweeper,
    "books": _books,
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_life(name: str, tmp_path: Path, migrated_file: Path) -> None:
    (tmp_path / "orders.db").write_bytes(migrated_file.read_bytes())

    async def life() -> None:
        async with running(World(tmp_path)) as services:
            await services.accept()
            task = asyncio.create_task(SERVICES[name](services), name=name)
            if name != "worker":  # which takes no turn: several may work
                await _has_its_turn(services, name)
            await asyncio.sleep(10 * SOON_S)
            task.cancel()
            assert isinstance(
                (await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError
            )
            if name != "worker":
                assert await services.stores.database.leader_lock(name).held()

    with leaves_nothing():
        lifetime(life)


async def _has_its_turn(services: Services, name: str) -> None:
    other = services.stores.database.leader_lock(name)
    async with asyncio.timeout(60):
        while await other.held():
            await other.release()
            await asyncio.sleep(SOON_S)


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"worker"}))
def test_a_life_that_is_cancelled_wherever_it_waits(
    name: str, tmp_path: Path, migrated_file: Path
) -> None:
    (tmp_path / "orders.db").write_bytes(migrated_file.read_bytes())

    async def life() -> None:
        async with running(World(tmp_path)) as services:
            await SERVICES[name](services)

    assert cancelled_everywhere(life, every=3, most=10) == 20


def test_a_job_that_is_cancelled_wherever_it_waits(tmp_path: Path, migrated_file: Path) -> None:
    (tmp_path / "orders.db").write_bytes(migrated_file.read_bytes())
    world = World(tmp_path)

    async def life() -> None:
        world.drawn += 1
        async with running(world) as services:
            await services.accept(payment=pay(world, nonce=nonce(world.drawn)))
            await services.settler.settle_once()
            await services.worker.work_once()

    assert cancelled_everywhere(life, every=5) > 10
