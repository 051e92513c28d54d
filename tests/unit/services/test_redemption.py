"""Paying by an earlier transfer: each refusal, and that a transfer is spent once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from service_parts import (
    BODY,
    MODEL,
    PATH,
    PRICE,
    TREASURY,
    Services,
    World,
    claim_to,
    pay,
    running,
)

from inferproof.errors import Conflict, InputRejected, PaymentRejected, Reason, Unavailable
from inferproof.protocol.commitments import request_digest
from inferproof.protocol.receipt import decode_receipt_file
from inferproof.testing.cash_transfers import authorization_log, transfer_log
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET, PAYER, PAYMENTS, STRANGER
from inferproof.types.digest import Address, Digest
from inferproof.types.job import JobState
from inferproof.types.payment import SettlementState
from inferproof.types.receipt import Request

OTHER = Address(b"\x77" * 20)


@pytest.fixture
async def services(world: World) -> AsyncIterator[Services]:
    async with running(world) as services:
        yield services


def paid(world: World, *amounts: int) -> Digest:
    """A transfer to the treasury that is deep enough."""
    tx = world.transfers.transfer(PAYER.address, TREASURY, *(amounts or (PRICE,)))
    world.transfers.confirm()
    return tx


def final(world: World, *logs: Any, **options: Any) -> Digest:
    tx = world.transfers.put(*logs, **options)
    world.transfers.confirm()
    return tx


def moved(payer: Address = PAYER.address, payee: Address = TREASURY, amount: int = PRICE) -> Any:
    return transfer_log(ASSET.address, payer, payee, amount)


# -- it pays ------------------------------------------------------------------------------------


async def test_a_transfer_pays_at_once(world: World, services: Services) -> None:
    tx = paid(world)
    job = await services.redeem(claim_to(tx))
    assert job.state is JobState.QUEUED
    assert job.settlement.state is SettlementState.SETTLED
    assert (job.settlement.transaction, job.settlement.block) == (
        tx,
        world.transfers.made[tx].block,
    )
    assert (job.payment.amount, job.payment_shown["log_index"]) == (PRICE, 0)
    await services.worker.work_once()
    done = await services.gateway.job(job.id)
    assert done.state is JobState.DONE
    assert await services.gateway.verify(await services.gateway.receipt(job.id, attach=True))
    receipt = decode_receipt_file(await services.gateway.receipt(job.id), PAYMENTS).receipt
    assert receipt.payment == job.payment
    assert services.metrics.payments["redeemed"] == 1
    history = [step.transition for step in await services.stores.orders.jobs.events(job.id)]
    assert history[:2] == ["redeem", "claim"]


async def test_the_receipt_of_a_transfer_verifies(world: World, services: Services) -> None:
    job = await services.redeem(claim_to(paid(world, PRICE + 1)))
    await services.worker.work_once()
    record = await services.gateway.verify(await services.gateway.receipt(job.id, attach=True))
    assert (record.verified, record.message) == (True, None)


async def test_the_same_claim_is_the_same_job(world: World, services: Services) -> None:
    claim = claim_to(paid(world, PRICE, PRICE))
    first = await services.redeem(claim)
    again = await services.redeem(claim)
    assert again.id == first.id
    # Without asking the chain, and whatever became of the transfer since.
    world.ledger.down = True
    world.clock.now += 10**6
    assert (await services.redeem(claim)).id == first.id


async def test_transfers_of_one_transaction_pay_in_their_order(
    world: World, services: Services
) -> None:
    tx = paid(world, PRICE, PRICE - 1, PRICE + 5)
    first = await services.redeem(claim_to(tx, salt=b"\x01" * 32))
    second = await services.redeem(claim_to(tx, salt=b"\x02" * 32))
    indexes = [job.payment_shown["log_index"] for job in (first, second)]
    assert indexes == [0, 2]
    with rejects(
        Reason.PAYMENT_ALREADY_USED,
        f"the transfer in any log of transaction {tx} already pays for another call; pay for this "
        "one with another",
        kind=Conflict,
    ):
        await services.redeem(claim_to(tx, salt=b"\x03" * 32))


async def test_a_named_log_is_the_one_that_pays(world: World, services: Services) -> None:
    tx = paid(world, PRICE, PRICE, PRICE)
    named = await services.redeem(claim_to(tx, log_index=1, salt=b"\x01" * 32))
    assert named.payment_shown["log_index"] == 1
    with rejects(
        Reason.PAYMENT_ALREADY_USED,
        f"the transfer in log 1 of transaction {tx} already pays for another call; pay for this "
        "one with another",
        kind=Conflict,
    ):
        await services.redeem(claim_to(tx, log_index=1, salt=b"\x02" * 32))
    others = [await services.redeem(claim_to(tx, salt=bytes([n]) * 32)) for n in (3, 4)]
    assert [job.payment_shown["log_index"] for job in others] == [0, 2]


async def test_it_is_found_among_other_events(world: World, services: Services) -> None:
    other_token = Address(b"\x44" * 20)
    tx = final(
        world,
        transfer_log(other_token, PAYER.address, TREASURY, PRICE),
        moved(payer=STRANGER.address),
        moved(payee=OTHER),
        moved(amount=PRICE - 1),
        replace(moved(), data=b""),
        replace(moved(), topics=moved().topics[:2]),
        moved(amount=PRICE + 7),
    )
    job = await services.redeem(claim_to(tx))
    assert (job.payment_shown["log_index"], job.payment.amount) == (6, PRICE + 7)


# -- races --------------------------------------------------------------------------------------


async def test_of_two_claims_at_once_one_is_paid(world: World, services: Services) -> None:
    tx = paid(world)
    claims = [claim_to(tx, salt=bytes([n]) * 32) for n in range(1, 9)]
    results = await asyncio.gather(*map(services.redeem, claims), return_exceptions=True)
    taken = [r for r in results if not isinstance(r, BaseException)]
    assert len(taken) == 1
    refused = [r.reason for r in results if isinstance(r, Conflict)]
    assert refused == [Reason.PAYMENT_ALREADY_USED] * 7


async def test_claims_at_once_to_several_transfers_take_one_each(
    world: World, services: Services
) -> None:
    tx = paid(world, PRICE, PRICE, PRICE)
    claims = [claim_to(tx, salt=bytes([n]) * 32) for n in range(1, 6)]
    # Each twice: a repeat must not take a second transfer.
    results = await asyncio.gather(*map(services.redeem, claims * 2), return_exceptions=True)
    jobs = {r.id: r for r in results if not isinstance(r, BaseException)}
    assert sorted(job.payment_shown["log_index"] for job in jobs.values()) == [0, 1, 2]
    depth = await services.stores.orders.ledger.depth()
    assert depth[JobState.QUEUED] == 3


async def test_one_claim_at_once_is_one_job(world: World, services: Services) -> None:
    claim = claim_to(paid(world, PRICE, PRICE))
    jobs = await asyncio.gather(*(services.redeem(claim) for _ in range(8)))
    assert len({job.id for job in jobs}) == 1
    assert (await services.stores.orders.ledger.depth())[JobState.QUEUED] == 1


async def test_a_claim_that_was_first_meanwhile_is_the_same_job(
    world: World, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claim_to(paid(world))
    first = await services.redeem(claim)
    jobs = services.gateway._intake._jobs
    find, looked = jobs.find, []

    async def too_early(job_id: Digest) -> Any:
        looked.append(job_id)
        return None if len(looked) == 1 else await find(job_id)

    monkeypatch.setattr(jobs, "find", too_early)
    assert (await services.redeem(claim)).id == first.id
    assert looked == [first.id, first.id]
    # Another claim to the transfer comes to nothing, however often it looks.
    with pytest.raises(Conflict) as caught:
        await services.redeem(claim_to(claim.transaction, salt=b"\x01" * 32))
    assert caught.value.reason is Reason.PAYMENT_ALREADY_USED


# -- the eight codes ----------------------------------------------------------------------------


async def test_no_such_transaction(services: Services) -> None:
    tx = Digest(b"\x0e" * 32)
    with rejects(
        Reason.TX_NOT_FOUND,
        f"no block of eip155:31337 holds transaction {tx}; check its hash and its network, or "
        "send the same again once it is included",
        kind=PaymentRejected,
    ):
        await services.redeem(claim_to(tx))
    assert services.metrics.payments["TX_NOT_FOUND"] == 1


async def test_a_transaction_that_failed(world: World, services: Services) -> None:
    tx = final(world, moved(), succeeded=False)
    block = world.transfers.made[tx].block
    with rejects(
        Reason.TX_FAILED,
        f"transaction {tx} failed in block {block}; it moved nothing",
        kind=PaymentRejected,
    ):
        await services.redeem(claim_to(tx))


async def test_too_few_confirmations(world: World, services: Services) -> None:
    tx = world.transfers.transfer(PAYER.address, TREASURY, PRICE)
    for depth in (1, 2):
        with rejects(
            Reason.INSUFFICIENT_CONFIRMATIONS,
            f"transaction {tx} is {depth} blocks deep, 3 are required; send the same again later",
            kind=Unavailable,
        ):
            await services.redeem(claim_to(tx))
        world.transfers.confirm(1)
    assert (await services.redeem(claim_to(tx))).state is JobState.QUEUED


async def test_no_transfer_of_the_payer(world: World, services: Services) -> None:
    tx = final(world, moved(payer=STRANGER.address))
    with rejects(
        Reason.NO_TRANSFER_EVENT,
        f"in any log of transaction {tx} there is no transfer of token {ASSET.address} by "
        f"{PAYER.address}; what an authorization moved does not count",
        kind=PaymentRejected,
    ):
        await services.redeem(claim_to(tx))
    with rejects(
        Reason.NO_TRANSFER_EVENT,
        f"in log 4 of transaction {tx} there is no transfer of token {ASSET.address} by "
        f"{STRANGER.address}; what an authorization moved does not count",
        kind=PaymentRejected,
    ):
        await services.redeem(claim_to(tx, key=STRANGER, log_index=4))


async def test_a_transfer_to_somebody_else(world: World, services: Services) -> None:
    tx = final(world, moved(payee=OTHER))
    with rejects(
        Reason.WRONG_RECIPIENT,
        f"the transfer in transaction {tx} went to {OTHER}, the payee is {TREASURY}",
        kind=PaymentRejected,
    ):
        await services.redeem(claim_to(tx))


async def test_transfers_that_are_too_small(world: World, services: Services) -> None:
    tx = paid(world, PRICE - 1, PRICE - 2)
    with rejects(
        Reason.INSUFFICIENT_AMOUNT,
        "the transfer is of 0.249999 USDC, the price is 0.25 USDC; several transfers are not "
        "added up",
        kind=PaymentRejected,
    ):
        await services.redeem(claim_to(tx))


async def test_a_chain_that_does_not_answer(world: World, services: Services) -> None:
    tx = paid(world)
    world.ledger.down = True
    with rejects(
        Reason.VERIFICATION_ERROR,
        f"transaction {tx} cannot be looked at now; nothing was spent, send the same again: the "
        "chain at cash does not answer: the test switched it off; check the address and that the "
        "node runs",
        kind=Unavailable,
    ):
        await services.redeem(claim_to(tx))
    world.ledger.down = False
    assert (await services.redeem(claim_to(tx))).state is JobState.QUEUED


async def test_a_block_that_is_being_replaced(world: World, services: Services) -> None:
    tx = paid(world)
    world.transfers.replaced.add(tx)
    with rejects(
        Reason.VERIFICATION_ERROR,
        f"transaction {tx} cannot be looked at now; nothing was spent, send the same again: the "
        f"block that held transaction {tx} was replaced while it was looked at",
        kind=Unavailable,
    ):
        await services.redeem(claim_to(tx))


async def test_an_old_transfer(world: World, services: Services) -> None:
    tx, now = final(world, moved(), age_s=86_401), world.clock.now
    with rejects(
        Reason.TRANSFER_TOO_OLD,
        f"the transfer is of {now - 86_401}, more than 86400 seconds before {now}; ask the payee "
        "for it",
        kind=PaymentRejected,
    ):
        await services.redeem(claim_to(tx))
    assert await services.redeem(claim_to(final(world, moved(), age_s=86_400)))


# -- thieves ------------------------------------------------------------------------------------


async def test_a_stranger_who_saw_the_transaction(world: World, services: Services) -> None:
    tx = paid(world)
    with rejects(
        Reason.CLAIM_SIGNATURE,
        f"the transfer claim is not signed by its payer {PAYER.address}",
        kind=PaymentRejected,
    ):
        await services.redeem(claim_to(tx, key=STRANGER, payer=PAYER.address))
    with pytest.raises(PaymentRejected) as caught:
        await services.redeem(claim_to(tx, key=STRANGER))
    assert caught.value.reason is Reason.NO_TRANSFER_EVENT


async def test_a_claim_that_was_signed_for_another_request(
    world: World, services: Services
) -> None:
    claim, other = claim_to(paid(world)), b'{"input":[4,5,6]}'
    expected = request_digest("POST", PATH, other)
    with rejects(
        Reason.CLAIM_OTHER_REQUEST,
        f"the transfer claim is for request {claim.request}, this is request {expected}",
        kind=PaymentRejected,
    ):
        await services.redeem(claim, request=Request("POST", PATH, other))
    forged = replace(claim, request=expected)
    with pytest.raises(PaymentRejected) as caught:
        await services.redeem(forged, request=Request("POST", PATH, other))
    assert caught.value.reason is Reason.CLAIM_SIGNATURE


@pytest.mark.parametrize(
    "changes",
    [{"transaction": Digest(b"\x01" * 32)}, {"log_index": 1}, {"salt": Digest(b"\x01" * 32)}],
)
async def test_every_field_of_the_claim_is_signed(
    world: World, services: Services, changes: dict[str, Any]
) -> None:
    claim = claim_to(paid(world, PRICE, PRICE))
    with pytest.raises(PaymentRejected) as caught:
        await services.redeem(replace(claim, **changes))
    assert caught.value.reason is Reason.CLAIM_SIGNATURE


async def test_what_an_authorization_moved_pays_for_no_second_call(
    world: World, services: Services
) -> None:
    payment = pay(world)
    job = await services.accept(payment=payment)
    tx = final(
        world,
        authorization_log(ASSET.address, PAYER.address, payment.nonce),
        moved(),
    )
    with pytest.raises(PaymentRejected) as caught:
        await services.redeem(claim_to(tx))
    assert caught.value.reason is Reason.NO_TRANSFER_EVENT
    assert (await services.gateway.job(job.id)).state is JobState.RESERVED


async def test_an_authorization_with_the_nonce_of_a_spent_transfer(
    world: World, services: Services
) -> None:
    job = await services.redeem(claim_to(paid(world)))
    with rejects(
        Reason.PAYMENT_REPLAYED,
        "this authorization already pays for another request; sign one with a fresh nonce",
        kind=Conflict,
    ):
        await services.accept(payment=pay(world, nonce=job.payment.nonce))


async def test_a_claim_to_another_payee_or_asset(world: World, services: Services) -> None:
    tx = paid(world)
    with pytest.raises(PaymentRejected) as caught:
        await services.redeem(claim_to(tx, payee=OTHER))
    assert caught.value.reason is Reason.PAYMENT_PAYEE
    with pytest.raises(PaymentRejected) as caught:
        await services.redeem(claim_to(tx, asset=replace(ASSET, address=OTHER)))
    assert caught.value.reason is Reason.PAYMENT_ASSET


# -- what else must hold ------------------------------------------------------------------------


async def test_a_gateway_that_takes_none(world: World) -> None:
    world.takes_transfers = False
    async with running(world) as services:
        with rejects(
            Reason.TRANSFERS_CLOSED,
            "this gateway takes no payment by earlier transfer; sign an authorization",
            kind=PaymentRejected,
        ):
            await services.redeem(claim_to(paid(world)))


async def test_a_refused_input_spends_nothing(world: World, services: Services) -> None:
    tx, body = paid(world), b"x" * 2000
    with pytest.raises(InputRejected):
        await services.redeem(claim_to(tx, body=body), request=Request("POST", PATH, body))
    assert (await services.redeem(claim_to(tx))).state is JobState.QUEUED


async def test_a_full_queue_spends_nothing(world: World) -> None:
    world.queue_limit = 1
    async with running(world) as services:
        await services.redeem(claim_to(paid(world)))
        tx = paid(world)
        with pytest.raises(Unavailable) as caught:
            await services.redeem(claim_to(tx, salt=b"\x01" * 32))
        assert caught.value.reason is Reason.QUEUE_FULL


async def test_a_quoted_price_holds(world: World, services: Services) -> None:
    request = request_digest("POST", PATH, BODY)
    quote = await services.gateway.quote(MODEL, request)
    job = await services.redeem(claim_to(paid(world)), quote=quote)
    assert job.quote == quote
    stale = await services.gateway.quote(MODEL, request)
    world.clock.now += 301
    with pytest.raises(Exception, match="the quote does not hold"):
        await services.redeem(claim_to(paid(world)), quote=stale)


async def test_a_job_that_fails_gives_all_of_it_back(world: World, services: Services) -> None:
    before = world.ledger.balances[PAYER.address]
    tx = paid(world, PRICE + 12_345)
    job = await services.redeem(claim_to(tx))
    assert world.ledger.balances[PAYER.address] == before - PRICE - 12_345
    world.system.faults = [InputRejected(Reason.INPUT_NOT_FINITE, name="x")]
    await services.worker.work_once()
    assert (await services.gateway.job(job.id)).state is JobState.FAILED
    for _ in range(3):
        await services.settler.settle_once()
    refunded = await services.gateway.job(job.id)
    assert refunded.state is JobState.REFUNDED
    assert world.ledger.balances[PAYER.address] == before
    # And it stays spent: what was given back pays for nothing more.
    assert (await services.redeem(claim_to(tx))).id == job.id
    with pytest.raises(Conflict) as caught:
        await services.redeem(claim_to(tx, salt=b"\x01" * 32))
    assert caught.value.reason is Reason.PAYMENT_ALREADY_USED
