"""Nobody makes a gateway pay for settlements that fail: what waits is screened, and bounded."""

import asyncio

import pytest
from service_parts import PRICE, Services, World, nonce, pay, running

from inferproof.errors import PaymentRejected, Reason, TooMany
from inferproof.services.orders.base import ExposureTerms
from inferproof.storage.sql.engine import MEMORY
from inferproof.testing.cash import CashChain
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET, PAYER, STRANGER
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.payment import SettlementState

LONG = 2**40


async def bought(services: Services, count: int, first: int = 0) -> list[Digest]:
    payments = [
        pay(services.world, nonce=nonce(n), valid_before=LONG) for n in range(first, first + count)
    ]
    return [(await services.accept(payment=payment)).id for payment in payments]


async def states(services: Services) -> dict[JobState, int]:
    return {s: n for s, n in (await services.stores.orders.ledger.depth()).items() if n}


async def test_a_drain_ahead_of_settlement_costs_nothing(services: Services) -> None:
    await bought(services, 50)
    services.world.ledger.balances[PAYER.address] = 0
    await services.settler.settle_once()
    assert not services.world.ledger.included
    assert await states(services) == {JobState.RESERVED: 50}
    await services.settler.settle_once()
    assert not services.world.ledger.included


async def test_what_the_balance_still_covers_is_settled(services: Services) -> None:
    ids = await bought(services, 5)
    services.world.ledger.balances[PAYER.address] = 3 * PRICE - 1
    await services.settler.settle_once()
    (included,) = services.world.ledger.included.values()
    assert [item.state.value for item in included.items.values()] == ["settled"] * 2
    assert await states(services) == {JobState.QUEUED: 2, JobState.RESERVED: 3}
    assert (await services.gateway.job(ids[0])).state is JobState.QUEUED


async def test_one_payers_drain_costs_no_other_payer(services: Services) -> None:
    world = services.world
    world.ledger.credit(STRANGER.address, PRICE)
    await bought(services, 3)
    theirs = await services.accept(payment=pay(world, nonce=nonce(9), key=STRANGER))
    world.ledger.balances[PAYER.address] = 0
    await services.settler.settle_once()
    assert (await services.gateway.job(theirs.id)).state is JobState.QUEUED
    assert await states(services) == {JobState.QUEUED: 1, JobState.RESERVED: 3}


async def test_unfunded_payments_do_not_hold_up_later_ones(services: Services) -> None:
    world = services.world
    await bought(services, 60)
    world.ledger.balances[PAYER.address] = 0
    await services.settler.settle_once()
    world.ledger.credit(STRANGER.address, PRICE)
    theirs = await services.accept(payment=pay(world, nonce=nonce(99), key=STRANGER))
    await services.settler.settle_once()
    assert (await services.gateway.job(theirs.id)).state is JobState.QUEUED


async def test_a_payment_that_was_screened_out_is_void_when_it_is_over(services: Services) -> None:
    payment = pay(services.world)
    job = await services.accept(payment=payment)
    services.world.ledger.balances[PAYER.address] = 0
    await services.settler.settle_once()
    services.world.clock.now = payment.valid_before + 10
    await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert (view.state, view.settlement.state) == (JobState.VOID, SettlementState.FAILED)
    assert view.failure is not None
    assert view.failure.code == "SETTLEMENT_EXPIRED"
    assert not services.world.ledger.included


async def test_a_payment_that_was_screened_out_and_is_settled_by_others_buys_its_job(
    services: Services,
) -> None:
    payment, ledger = pay(services.world), services.world.ledger
    job = await services.accept(payment=payment)
    funds = ledger.balances.pop(PAYER.address)
    await services.settler.settle_once()
    ledger.credit(PAYER.address, funds)
    stranger = CashChain(ledger, STRANGER.address)
    theirs = await stranger.sign_settlement([payment], 0)
    await stranger.submit(theirs.raw)
    services.world.clock.now += 30
    await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert (view.state, view.settlement.transaction) == (JobState.QUEUED, theirs.tx)


async def test_a_payment_that_was_screened_out_can_be_cancelled(services: Services) -> None:
    job = await services.accept()
    services.world.ledger.balances[PAYER.address] = 0
    await services.settler.settle_once()
    assert (await services.cancel(job.id)).state is JobState.WITHDRAWN


# -- accounts with code ------------------------------------------------------------------------


async def test_an_account_whose_code_refuses_is_refused_at_acceptance(services: Services) -> None:
    services.world.ledger.codes[PAYER.address] = False
    with rejects(
        Reason.AUTHORIZATION_REFUSED,
        "the token refuses the authorization: refused",
        kind=PaymentRejected,
    ):
        await services.accept()
    assert await states(services) == {}


async def test_an_account_whose_code_agrees_settles_alone(services: Services) -> None:
    world = services.world
    world.ledger.credit(STRANGER.address, PRICE)
    world.ledger.codes[STRANGER.address] = True
    await bought(services, 2)
    await services.accept(payment=pay(world, nonce=nonce(9), key=STRANGER))
    await services.settler.settle_once()
    assert sorted(len(i.items) for i in world.ledger.included.values()) == [1, 2]
    assert await states(services) == {JobState.QUEUED: 3}


async def test_an_account_that_gets_code_after_acceptance_is_tried_first(
    services: Services,
) -> None:
    await bought(services, 3)
    services.world.ledger.codes[PAYER.address] = False
    await services.settler.settle_once()
    assert not services.world.ledger.included
    assert await states(services) == {JobState.RESERVED: 3}


# -- how much may wait -------------------------------------------------------------------------


async def test_a_payer_without_history_may_have_few_unsettled(world: World) -> None:
    world.exposure = ExposureTerms(orders=3, amount=100 * PRICE)
    async with running(world, url=MEMORY) as services:
        await bought(services, 3)
        message = (
            "4 payments of this payer, 1 USDC with this one, would wait for their settlement; the "
            "limit for this payer is 3 of 25 USDC, and grows with each that settles; nothing was "
            "charged, come back when some are settled"
        )
        with rejects(Reason.PAYER_EXPOSURE, message, kind=TooMany):
            await bought(services, 1, first=3)
        await services.settler.settle_once()
        await bought(services, 6, first=3)  # three settled: six may wait
        with pytest.raises(TooMany):
            await bought(services, 1, first=9)


async def test_their_sum_is_bounded_too(world: World) -> None:
    world.exposure = ExposureTerms(orders=100, amount=2 * PRICE)
    async with running(world, url=MEMORY) as services:
        await bought(services, 2)
        with pytest.raises(TooMany) as caught:
            await bought(services, 1, first=2)
        assert caught.value.reason is Reason.PAYER_EXPOSURE
        await services.settler.settle_once()
        await bought(services, 4, first=2)
        with pytest.raises(TooMany):
            await bought(services, 1, first=6)


async def test_many_at_once_are_bounded_too(world: World) -> None:
    world.exposure = ExposureTerms(orders=5, amount=100 * PRICE)
    async with running(world, url=MEMORY) as services:
        orders = [bought(services, 1, first=n) for n in range(20)]
        results = await asyncio.gather(*orders, return_exceptions=True)
        refused = [r for r in results if isinstance(r, BaseException)]
        assert len(refused) == 15
        assert all(isinstance(r, TooMany) for r in refused)


async def test_another_payer_has_a_limit_of_its_own(world: World) -> None:
    world.exposure = ExposureTerms(orders=1, amount=100 * PRICE)
    world.ledger.credit(STRANGER.address, PRICE)
    async with running(world, url=MEMORY) as services:
        await bought(services, 1)
        await services.accept(payment=pay(world, nonce=nonce(9), key=STRANGER))


async def test_failed_payments_are_no_history(world: World) -> None:
    world.exposure = ExposureTerms(orders=2, amount=100 * PRICE)
    async with running(world, url=MEMORY) as services:
        await bought(services, 2)
        world.ledger.balances[PAYER.address] = 0
        await services.settler.settle_once()
        world.ledger.balances[PAYER.address] = 100 * PRICE
        with pytest.raises(TooMany):
            await bought(services, 1, first=2)


async def test_settled_amounts_are_told_up_to_a_limit(services: Services) -> None:
    world = services.world
    world.ledger.credit(STRANGER.address, PRICE)
    payer = (ASSET.network.caip2, ASSET.address, PAYER.address)
    await bought(services, 3)
    await services.accept(payment=pay(world, nonce=nonce(9), key=STRANGER))
    assert await services.stores.orders.ledger.settled_amounts(payer, limit=10) == []
    await services.settler.settle_once()
    assert await services.stores.orders.ledger.settled_amounts(payer, limit=10) == [PRICE] * 3
    assert await services.stores.orders.ledger.settled_amounts(payer, limit=2) == [PRICE] * 2


# -- submitted by somebody else before it came here --------------------------------------------


async def test_a_payment_that_a_stranger_submitted_first_buys_its_job(services: Services) -> None:
    payment, ledger = pay(services.world), services.world.ledger
    stranger = CashChain(ledger, STRANGER.address)
    theirs = await stranger.sign_settlement([payment], 0)
    await stranger.submit(theirs.raw)
    job = await services.accept(payment=payment)
    assert job.state is JobState.RESERVED
    await services.settler.settle_once()
    view = await services.gateway.job(job.id)
    assert (view.state, view.settlement.transaction) == (JobState.QUEUED, theirs.tx)
    assert len(ledger.included) == 1
    assert (await services.accept(payment=payment)).id == job.id


async def test_a_payment_that_a_stranger_submitted_while_it_waited_costs_no_gas(
    services: Services,
) -> None:
    payment = pay(services.world)
    job = await services.accept(payment=payment)
    stranger = CashChain(services.world.ledger, STRANGER.address)
    theirs = await stranger.sign_settlement([payment], 0)
    await stranger.submit(theirs.raw)
    await services.settler.settle_once()
    assert (await services.gateway.job(job.id)).state is JobState.QUEUED
    assert set(services.world.ledger.included) == {theirs.tx}


async def test_a_nonce_that_its_payer_cancelled_buys_nothing(services: Services) -> None:
    payment = pay(services.world)
    services.world.ledger.cancel(payment.payer, payment.nonce)
    with pytest.raises(PaymentRejected) as caught:
        await services.accept(payment=payment)
    assert caught.value.reason is Reason.PAYMENT_NONCE_USED
