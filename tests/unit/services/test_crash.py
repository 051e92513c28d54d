"""A crash between any two steps: whatever is stopped where, it ends well exactly once.

The steps are counted by running the whole story once, so a new step is a new case by itself.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from service_parts import PRICE, TREASURY, Services, World, build, nonce, pay

from inferproof.errors import InputRejected, Reason
from inferproof.protocol.lifecycle import FINAL
from inferproof.storage.sql.engine import MEMORY, sqlite_url
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.testing.samples import PAYER
from inferproof.types.job import JobState
from inferproof.types.payment import Authorization

FUNDS = 100 * PRICE
WRITES = frozenset(
    [
        "reserve",
        "send_settlements",
        "included",
        "settled",
        "uncertain",
        "doubt",
        "refuse",
        "void",
        "lost",
        "replace",
        "fill",
        "drop",
        "note_sent",
        "note_nonce_spent",
        "take_back",
        "unwatch",
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
    parts = ("jobs", "settlements", "outbox", "queue")
    ports: dict[str, Any] = {
        name: Watched(getattr(stores.orders, name), boundary, WRITES) for name in parts
    }
    orders = replace(stores.orders, **ports)
    world.seen_by_settler = lambda chain: Watched(chain, boundary, frozenset({"submit"}))
    services = build(world, Stores(stores.database, orders, stores.models, stores.verifications))
    world.seen_by_settler = lambda chain: chain
    put = services.worker._steps.compute.blobs.put

    def watched_put(data: bytes) -> Any:
        name = put(data)
        boundary.passed("after blob")
        return name

    services.worker._steps.compute.blobs.put = watched_put  # type: ignore[method-assign]
    return services


async def story(services: Services, payments: Sequence[Authorization]) -> set[JobState]:
    """What buyers, the settler and the worker do until each job is over for good."""
    jobs = [await services.accept(payment=payment) for payment in payments]
    for _ in range(12 + len(payments)):
        await services.settler.settle_once()
        await services.worker.recover()
        await services.worker.work_once()
        states = {(await services.gateway.job(job.id)).state for job in jobs}
        if states <= FINAL:
            return states
        services.world.clock.now += 40
    raise AssertionError(f"it hangs in {states}")


async def tell(
    folder: Path,
    boundary: Boundary,
    faults: list[BaseException],
    *,
    count: int = 1,
    reopen: str | None = None,
) -> tuple[World, set[JobState]]:
    """The story with a crash in it; with the URL `reopen` the database is closed and opened too.

    `count` payments are settled in one transaction."""
    world = World(folder)
    world.system.faults = faults
    # Lasts for the whole story: how a payment ends that ran out is told in test_settler.
    last = world.clock.now + 10_000
    payments = [pay(world, nonce=nonce(n), valid_before=last) for n in range(count)]
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(reopen or MEMORY))
        await build(world, stores).register()
        try:
            return world, await story(watched(world, stores, boundary), payments)
        except Crash:
            world.clock.now += 40
        if reopen:
            await stack.aclose()
            stores = await stack.enter_async_context(open_stores(reopen))
        return world, await story(build(world, stores), payments)


def check(world: World, states: set[JobState], expected: JobState, count: int) -> None:
    assert states == {expected}
    paid = count * PRICE if expected is JobState.DONE else 0
    assert world.ledger.balances == {PAYER.address: FUNDS - paid, TREASURY: paid}
    settled = {key for key, inclusion in world.ledger.used.items() if inclusion is not None}
    assert len(settled) == count
    refunds = [i for i in world.ledger.included.values() if i.succeeded and not i.items]
    assert len(refunds) == (0 if expected is JobState.DONE else count)


STORIES = {
    "answered": (JobState.DONE, list),
    "refunded": (
        JobState.REFUNDED,
        lambda: [InputRejected(Reason.INPUT_NOT_FINITE, name="x") for _ in range(20)],
    ),
}


def boundaries(name: str, folder: Path, count: int) -> list[str]:
    expected, faults = STORIES[name]
    boundary = Boundary()
    world, states = asyncio.run(tell(folder, boundary, faults(), count=count))
    check(world, states, expected, count)
    return boundary.names


@pytest.mark.parametrize(
    "kind",
    ["file", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])],
)
@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["answered", pytest.param("refunded", marks=pytest.mark.slow)])
def test_every_boundary(
    name: str, count: int, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    expected, faults = STORIES[name]
    names = boundaries(name, tmp_path / "count", count)
    effects = {"reserve", "send_settlements", "submit", "included", "claim"}
    effects |= {"finish"} if name == "answered" else {"give_up", "send_refund", "refunded"}
    assert {f"{when} {effect}" for when in ("before", "after") for effect in effects} <= set(names)
    if name == "answered":  # however many payments: one transaction
        assert names.count("before submit") == 1
    for at in range(1, len(names) + 1):
        folder = tmp_path / str(at)
        folder.mkdir()
        boundary = Boundary(at)
        url = None
        if kind == "postgres":
            url = request.getfixturevalue("postgres").fresh()
        elif at % 6 == 0:
            url = sqlite_url(folder / "orders.db")
        world, states = asyncio.run(tell(folder, boundary, faults(), count=count, reopen=url))
        assert boundary.count == at, names[at - 1]
        check(world, states, expected, count)
