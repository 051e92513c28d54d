"""The ledger follows from the orders of a gateway, whatever they were paid by."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import service_parts
from service_parts import (
    PRICE,
    PROVIDER_KEY,
    TREASURY,
    Services,
    World,
    claim_to,
    nonce,
    pay,
    running,
)

from inferproof.errors import Conflict, InputRejected, Misconfigured, Reason
from inferproof.services.models.catalog import Catalog
from inferproof.services.revenue.service import RevenueService, RevenueSettings
from inferproof.storage.ports.revenue import Period
from inferproof.storage.sql.revenue import SqlRevenue
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET, PAYER
from inferproof.types.digest import Address
from inferproof.types.job import JobState
from inferproof.types.revenue import Balance, Unpaid

DEVELOPER = PROVIDER_KEY.address
SHARE = PRICE * 7 // 10
CONTRACT = Address(b"\xcc" * 20)
ALL = Period()


class Contract:
    """What the contract says of numbers. Nothing is signed where payouts are only planned."""

    payer, contract = TREASURY, CONTRACT

    def __init__(self, used: frozenset[int] = frozenset()) -> None:
        self.used = used

    async def is_used(self, number: int) -> bool:
        return number in self.used


def ledger_of(services: Services, **changes: Any) -> RevenueService:
    settings = RevenueSettings(ASSET, TREASURY, least=1, size=50)
    return RevenueService(
        revenue=SqlRevenue(services.stores.database),
        catalog=Catalog(services.stores.models),
        settings=replace(settings, **changes),
        clock=services.world.clock,
    )


@pytest.fixture
async def memory(world: World) -> AsyncIterator[Services]:
    async with running(world) as services:
        yield services


async def through(services: Services, job_id: Any, *states: JobState) -> None:
    """Until the job is in one of the states, and so deep that nothing takes it back."""
    for _ in range(20):
        await services.settler.settle_once()
        await services.worker.work_once()
        if (await services.gateway.job(job_id)).state in states:
            break
        services.world.clock.now += 1
    else:
        raise AssertionError("it hangs")
    for _ in range(15):
        services.world.ledger.mine()
    await services.settler.settle_once()


async def test_an_answered_order_brings_its_shares(memory: Services) -> None:
    job = await memory.accept()
    ledger = ledger_of(memory)
    (line,) = await ledger.lines(ALL)
    assert (line.unpaid, line.shares.price) == (Unpaid.OPEN, 0)
    for _ in range(3):
        await memory.settler.settle_once()
        await memory.worker.work_once()
    assert (await memory.gateway.job(job.id)).state is JobState.DONE
    (line,) = await ledger.lines(ALL)
    assert line.unpaid is Unpaid.NOT_DEEP
    await through(memory, job.id, JobState.DONE)
    (line,) = await ledger.lines(ALL)
    assert (line.unpaid, line.facts.method) == (Unpaid.WAITS, "exact")
    assert (line.shares.developer, line.shares.platform) == (SHARE, PRICE - SHARE)
    assert await ledger.balances() == [Balance(DEVELOPER, SHARE, 1)]
    assert await ledger.enter() == 0


async def test_a_transfer_that_was_made_before_is_in_the_same_ledger(memory: Services) -> None:
    world = memory.world
    first = await memory.accept(payment=pay(world, nonce=nonce(1)))
    await through(memory, first.id, JobState.DONE)
    tx = world.transfers.transfer(PAYER.address, TREASURY, PRICE)
    world.transfers.confirm()
    second = await memory.redeem(claim_to(tx))
    await through(memory, second.id, JobState.DONE)
    ledger = ledger_of(memory)
    lines = await ledger.lines(ALL)
    assert [line.facts.method for line in lines] == ["exact", "transfer"]
    assert {line.unpaid for line in lines} == {Unpaid.WAITS}
    assert await ledger.balances() == [Balance(DEVELOPER, 2 * SHARE, 2)]


async def test_a_refunded_order_brings_nothing(memory: Services) -> None:
    memory.world.system.faults = [InputRejected(Reason.INPUT_NOT_FINITE, name="x")] * 20
    job = await memory.accept()
    await through(memory, job.id, JobState.REFUNDED)
    ledger = ledger_of(memory)
    (line,) = await ledger.lines(ALL)
    assert (line.unpaid, line.shares.price) == (Unpaid.GIVEN_BACK, 0)
    assert await ledger.balances() == []


@pytest.mark.parametrize(
    ("revenue", "developer", "share"),
    [
        ({"developer_bps": 3_333, "platform_bps": 6_667}, DEVELOPER, 83_325),
        (
            {"developer_bps": 10_000, "platform_bps": 0, "pay_to": "0x" + "Ab" * 20},
            Address(b"\xab" * 20),
            PRICE,
        ),
        (None, DEVELOPER, SHARE),
    ],
)
async def test_the_card_says_whose_what_is(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    revenue: dict[str, Any] | None,
    developer: Address,
    share: int,
) -> None:
    card = {key: value for key, value in service_parts.CARD.items() if key != "revenue"}
    if revenue is not None:
        card["revenue"] = revenue
    monkeypatch.setattr(service_parts, "CARD", card)
    async with running(world) as services:
        job = await services.accept()
        await through(services, job.id, JobState.DONE)
        assert await ledger_of(services).balances() == [Balance(developer, share, 1)]


async def test_shares_of_nothing_and_of_the_platform_have_their_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for revenue, expected in (
        ({"developer_bps": 0, "platform_bps": 10_000}, Unpaid.ZERO),
        ({"developer_bps": 1, "platform_bps": 9_999, "pay_to": TREASURY.hex}, Unpaid.OWN),
    ):
        monkeypatch.setattr(service_parts, "CARD", service_parts.CARD | {"revenue": revenue})
        folder = world.folder / expected.value
        folder.mkdir()
        async with running(World(folder)) as services:
            job = await services.accept()
            await through(services, job.id, JobState.DONE)
            ledger = ledger_of(services)
            (line,) = await ledger.lines(ALL)
            assert line.unpaid is expected
            planned = await ledger.plan(Contract(), 9, dry=True)
            assert planned.payouts == []
            owns = [(balance.developer, why) for balance, why in planned.left]
            assert owns == ([(TREASURY, Unpaid.OWN)] if expected is Unpaid.OWN else [])


# -- planning ------------------------------------------------------------------------------------


async def earned(services: Services) -> RevenueService:
    job = await services.accept()
    await through(services, job.id, JobState.DONE)
    return ledger_of(services)


async def test_a_plan_takes_all_that_is_due_once(memory: Services) -> None:
    ledger = await earned(memory)
    dry = await ledger.plan(Contract(), 9, dry=True)
    planned = await ledger.plan(Contract(), 9, dry=False)
    assert planned == dry
    (payout,) = planned.payouts
    assert (payout.number, payout.payer, payout.contract) == (1, TREASURY, CONTRACT)
    assert (payout.total, payout.first_block) == (SHARE, 9)
    assert await ledger.payouts() == [payout]
    (line,) = await ledger.lines(ALL)
    assert line.unpaid is Unpaid.UNDER_WAY
    again = await ledger.plan(Contract(), 9, dry=False)
    assert (again.payouts, again.left) == ([], [])


async def test_too_little_waits_and_says_so(memory: Services) -> None:
    await earned(memory)
    ledger = ledger_of(memory, least=SHARE + 1)
    planned = await ledger.plan(Contract(), 9, dry=False)
    assert planned.payouts == []
    assert planned.left == [(Balance(DEVELOPER, SHARE, 1), Unpaid.SMALL)]
    (line,) = await ledger.lines(ALL)
    assert line.unpaid is Unpaid.SMALL


async def test_without_a_contract_nothing_is_planned(memory: Services) -> None:
    ledger = await earned(memory)
    with rejects(
        Reason.PAYOUTS_NOT_SET,
        "no contract makes payouts; deploy one with inferproof chain deploy, and set "
        "INFERPROOF_PAYOUTS_ADDRESS to its address",
        kind=Misconfigured,
    ):
        await ledger.plan(None, 9, dry=False)


async def test_a_number_that_the_chain_knows_is_not_used_again(memory: Services) -> None:
    ledger = await earned(memory)
    with rejects(
        Reason.PAYOUT_ELSEWHERE,
        f"the contract {CONTRACT} has paid payout 1 of {TREASURY} already, and not as this "
        "database says; it seems restored from an older copy: see docs/guide/revenue.md",
        kind=Conflict,
    ):
        await ledger.plan(Contract(frozenset({1})), 9, dry=False)
    assert await ledger.payouts() == []
    assert (await ledger.plan(Contract(frozenset({2})), 9, dry=False)).payouts
