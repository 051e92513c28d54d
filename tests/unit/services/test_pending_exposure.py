"""What is kept in memory of the backlog is never less than what a payer promised."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from service_parts import PRICE, Services, World, nonce, pay, running

from inferproof.errors import PaymentRejected, Reason, Unavailable
from inferproof.payments.x402.receipt import authorization_payment
from inferproof.services.orders import pending_exposure
from inferproof.services.orders.pending_exposure import PendingExposure
from inferproof.storage.ports.ledger import Backlog
from inferproof.testing.samples import PAYER
from inferproof.types.job import JobState
from inferproof.types.payment import Payment

WALLET = PAYER.address


class Book:
    """An order book that counts how often it is asked."""

    def __init__(self, backlog: Backlog) -> None:
        self.backlog_now = backlog
        self.asked = 0
        self.down = False
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def backlog(self) -> Backlog:
        self.asked += 1
        self.begun.set()
        told = self.backlog_now
        await self.go.wait()
        if self.down:
            raise Unavailable(Reason.STORAGE_UNAVAILABLE, why="the test switched it off")
        return told


def paid(world: World, **changes: Any) -> Payment:
    return authorization_payment(pay(world, **changes))


def promised(pending: PendingExposure, world: World) -> int:
    with pending.taking(paid(world, nonce=nonce(99))) as pending_payment:
        return sum(pending.to_others(pending_payment))


async def test_it_is_not_asked_for_each_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_exposure, "LOOK_AGAIN_S", 3600.0)
    book, world = Book(Backlog(3, {})), World(tmp_path)
    pending = PendingExposure(book)
    assert [await pending.depth(10) for _ in range(5)] == [3] * 5
    assert book.asked == 1
    pending.reserved(paid(world, nonce=nonce(1)))
    assert promised(pending, world) == PRICE
    assert await pending.depth(10) == 4
    assert book.asked == 1


async def test_who_would_be_refused_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_exposure, "LOOK_AGAIN_S", 3600.0)
    book = Book(Backlog(10, {}))
    pending = PendingExposure(book)
    assert await pending.depth(11) == 10
    book.backlog_now = Backlog(2, {})
    assert await pending.depth(10) == 2


async def test_what_is_reserved_while_it_looks_is_kept(tmp_path: Path) -> None:
    book, world = Book(Backlog(0, {})), World(tmp_path)
    pending = PendingExposure(book)
    book.go.clear()
    looking = asyncio.create_task(pending.look())
    await book.begun.wait()
    pending.reserved(paid(world, nonce=nonce(1)))
    book.go.set()
    await looking
    assert promised(pending, world) == PRICE
    assert pending.holds(paid(world, nonce=nonce(1)))
    assert not pending.holds(paid(world, nonce=nonce(2)))
    await pending.look()
    assert promised(pending, world) == 0


async def test_a_book_that_is_down_is_asked_again_and_not_guessed(tmp_path: Path) -> None:
    book = Book(Backlog(1, {}))
    pending = PendingExposure(book)
    book.down = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            await pending.depth(10)
    book.down = False
    assert await pending.depth(10) == 1


async def test_a_restart_knows_what_was_promised_before(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ledger.balances[WALLET] = 2 * PRICE - 1
    async with running(world) as services:
        await services.accept(payment=pay(world, nonce=nonce(1)))
    async with running(world) as services:
        with pytest.raises(PaymentRejected) as caught:
            await services.accept(payment=pay(world, nonce=nonce(2)))
        assert caught.value.reason is Reason.PAYMENT_PROMISED


async def test_a_repeated_payment_is_its_job_whatever_changed(services: Services) -> None:
    payment = pay(services.world)
    first = await services.accept(payment=payment)
    services.world.ledger.down = True  # known to be unsettled: the chain is not asked
    assert (await services.accept(payment=payment)).id == first.id
    services.world.ledger.down = False
    await services.settler.settle_once()
    await services.worker.work_once()
    services.world.clock.now += 10**6
    await services.gateway.suspend("sample@1.0.0")
    services.world.ledger.balances[WALLET] = 0
    again = await services.accept(payment=payment)
    assert (again.id, again.state) == (first.id, JobState.DONE)
    with pytest.raises(PaymentRejected):
        await services.accept(payment=replace(payment, signature=bytes(65)))
