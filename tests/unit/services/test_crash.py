"""A crash between any two steps: whatever is stopped where, it ends well exactly once.

The steps are counted by running the whole story once, so a new step is a new case by itself.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from service_parts import PRICE, TREASURY, Services, World, build, pay

from inferproof.errors import InputRejected, Reason
from inferproof.storage.db.engine import MEMORY, sqlite_url
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.testing.samples import PAYER
from inferproof.types.job import JobState
from inferproof.types.payment import Authorization

FUNDS = 100 * PRICE
WRITES = frozenset(
    [
        "reserve",
        "send_settlement",
        "replace",
        "settled",
        "uncertain",
        "void",
        "note_sent",
        "note_nonce_spent",
        "claim",
        "claim_early",
        "leave_early",
        "checkpoint",
        "release",
        "finish",
        "give_up",
        "send_refund",
        "refunded",
        "refund_lost",
        "cancel",
    ]
)


class Crash(BaseException):
    """The process ends here."""


class Boundary:
    """Counts the moments just before and just after each effect, and crashes at one of them."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.count = 0
        self.names: list[str] = []

    def passed(self, name: str) -> None:
        self.names.append(name)
        self.count += 1
        if self.count == self.at:
            raise Crash


class Watched:
    """Everything of a target, with a boundary around the named methods."""

    def __init__(self, target: Any, boundary: Boundary, methods: frozenset[str]) -> None:
        self._target = target
        self._boundary = boundary
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._target, name)
        if name not in self._methods:
            return member

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._boundary.passed(f"before {name}")
            result = await member(*args, **kwargs)
            self._boundary.passed(f"after {name}")
            return result

        return call


def watched(world: World, stores: Stores, boundary: Boundary) -> Services:
    orders: Any = Watched(stores.orders, boundary, WRITES)
    services = build(world, Stores(stores.database, orders, stores.models, stores.verifications))
    services.settler._chain = Watched(  # type: ignore[assignment]
        services.settler._chain, boundary, frozenset({"submit"})
    )
    put = services.worker._steps.compute.blobs.put

    def watched_put(data: bytes) -> Any:
        name = put(data)
        boundary.passed("after blob")
        return name

    services.worker._steps.compute.blobs.put = watched_put  # type: ignore[method-assign]
    return services


async def story(services: Services, payment: Authorization) -> JobState:
    """What a buyer, the settler and the worker do until the job is over for good."""
    job = await services.accept(payment=payment)
    for _ in range(12):
        await services.settler.settle_once()
        await services.worker.recover()
        await services.worker.work_once()
        state = (await services.gateway.job(job.id)).state
        if state in (JobState.DONE, JobState.REFUNDED, JobState.VOID):
            return state
        services.world.clock.now += 40
    raise AssertionError(f"it hangs in {state}")


async def tell(
    folder: Path, boundary: Boundary, faults: list[BaseException], *, reopen: str | None = None
) -> tuple[World, JobState]:
    """The story with a crash in it; with the URL `reopen` the database is closed and opened too."""
    world = World(folder)
    world.system.faults = faults
    # Lasts for the whole story: how a payment ends that ran out is told in test_settler.
    payment = pay(world, valid_before=world.clock.now + 10_000)
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(reopen or MEMORY))
        await build(world, stores).register()
        try:
            return world, await story(watched(world, stores, boundary), payment)
        except Crash:
            world.clock.now += 40
        if reopen:
            await stack.aclose()
            stores = await stack.enter_async_context(open_stores(reopen))
        return world, await story(build(world, stores), payment)


def check(world: World, state: JobState, expected: JobState) -> None:
    assert state is expected
    paid = PRICE if expected is JobState.DONE else 0
    assert world.ledger.balances == {PAYER.address: FUNDS - paid, TREASURY: paid}
    moved = [i for i in world.ledger.included.values() if i.succeeded]
    assert len(moved) == (1 if expected is JobState.DONE else 2)


STORIES = {
    "answered": (JobState.DONE, list),
    "refunded": (
        JobState.REFUNDED,
        lambda: [InputRejected(Reason.INPUT_NOT_FINITE, name="x") for _ in range(9)],
    ),
}


def boundaries(name: str, folder: Path) -> list[str]:
    expected, faults = STORIES[name]
    boundary = Boundary()
    world, state = asyncio.run(tell(folder, boundary, faults()))
    check(world, state, expected)
    return boundary.names


@pytest.mark.parametrize(
    "kind",
    ["file", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])],
)
@pytest.mark.parametrize("name", STORIES)
def test_every_boundary(
    name: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected, faults = STORIES[name]
    names = boundaries(name, tmp_path / "count")
    effects = {"reserve", "send_settlement", "submit", "settled", "claim"}
    effects |= {"finish"} if name == "answered" else {"give_up", "send_refund", "refunded"}
    assert {f"{when} {effect}" for when in ("before", "after") for effect in effects} <= set(names)
    for at in range(1, len(names) + 1):
        folder = tmp_path / str(at)
        folder.mkdir()
        boundary = Boundary(at)
        url = None
        if kind == "postgres":
            url = request.getfixturevalue("postgres").fresh()
        elif at % 6 == 0:
            url = sqlite_url(folder / "orders.db")
        world, state = asyncio.run(tell(folder, boundary, faults(), reopen=url))
        assert boundary.count == at, names[at - 1]
        check(world, state, expected)
