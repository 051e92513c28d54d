"""From payment to verified answer, and what may be repeated."""

import asyncio
from dataclasses import replace

import pytest
from service_parts import BODY, PATH, PRICE, TREASURY, Services, World, nonce, pay

from inferproof.errors import Conflict, NotFound, Reason
from inferproof.protocol.commitments import JOB_TAG, job_id, request_digest
from inferproof.protocol.encoding import tagged_digest
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import PAYER
from inferproof.types.digest import ZERO_DIGEST, Digest
from inferproof.types.job import JobState
from inferproof.types.payment import SettlementState
from inferproof.types.receipt import Request

SALT = bytes([7]) * 32


async def test_a_paid_request_is_settled_proven_and_answered(services: Services) -> None:
    job = await services.accept(
        binding_salt=bytes([1]) * 32, payment=pay(services.world, salt=bytes([1]) * 32)
    )
    assert job.state is JobState.RESERVED
    await services.settler.settle_once()
    settled = await services.gateway.job(job.id)
    assert settled.state is JobState.QUEUED
    assert settled.settlement.state is SettlementState.SETTLED
    assert services.world.ledger.balances[TREASURY] == PRICE
    await services.worker.work_once()
    done = await services.gateway.job(job.id)
    assert done.state is JobState.DONE
    assert done.answer is not None
    assert done.answer.label == "yes"
    assert done.answer.outputs[0].values == (3, -4)
    assert [t.stage for t in done.answer.timings] == [
        "preprocess", "load", "witness", "prove", "verify", "store",
    ]  # fmt: skip
    receipt = await services.gateway.receipt(job.id, attach=True)
    record = await services.gateway.verify(receipt)
    assert record.verified, record.message
    assert record.job_id == job.id
    assert len(record.steps) == 12
    assert await services.gateway.verification(record.id) == record
    assert services.metrics.payments == {"reserved": 1, "settled": 1}
    model = await services.gateway.model("sample")
    assert (model.statistics.calls, model.statistics.done) == (1, 1)
    assert model.statistics.prove_ms == 10


async def test_receipt_without_attachments_is_completed_from_the_store(services: Services) -> None:
    job = await services.accept()
    await services.settler.settle_once()
    await services.worker.work_once()
    bare = await services.gateway.receipt(job.id)
    assert (await services.gateway.verify(bare)).verified
    done = await services.gateway.job(job.id)
    assert done.answer is not None
    assert len(await services.gateway.proof(done.answer.proof_digest)) > 100


async def test_a_damaged_receipt_is_a_record_of_rejection(services: Services) -> None:
    record = await services.gateway.verify(b"{}")
    assert not record.verified
    assert record.reason == "FIELD_MALFORMED"
    assert record.job_id is None


async def test_five_sends_of_one_payment_are_one_job_and_one_settlement(
    services: Services,
) -> None:
    payment = pay(services.world)
    views = await asyncio.gather(*(services.accept(payment=payment) for _ in range(5)))
    assert len({view.id for view in views}) == 1
    await services.settler.settle_once()
    await services.settler.settle_once()
    assert services.world.ledger.balances[TREASURY] == PRICE
    assert await services.worker.work_once() is not None
    assert await services.worker.work_once() is None
    assert services.world.system.proofs == 1
    assert services.metrics.payments["reserved"] == 1
    assert services.metrics.payments["repeated"] == 4
    again = await services.accept(payment=payment)
    assert again.state is JobState.DONE


async def test_five_payments_are_five_jobs(services: Services) -> None:
    views = await asyncio.gather(
        *(services.accept(payment=pay(services.world, nonce=nonce(i))) for i in range(5))
    )
    assert len({view.id for view in views}) == 5
    await services.settler.settle_once()
    assert services.world.ledger.balances[TREASURY] == 5 * PRICE


async def test_the_same_nonce_for_another_request_is_a_conflict(services: Services) -> None:
    payment = pay(services.world)
    await services.accept(payment=payment)
    other = Request("POST", PATH, b'{"input":[9,9,9]}')
    with rejects(
        Reason.PAYMENT_REPLAYED,
        "this authorization already pays for another request; sign one with a fresh nonce",
        kind=Conflict,
    ):
        await services.accept(payment=payment, request=other)


async def test_another_request_is_a_conflict_before_its_binding_is_looked_at(
    services: Services,
) -> None:
    payment = pay(services.world, salt=SALT)
    await services.accept(payment=payment, binding_salt=SALT)
    other = Request("POST", PATH, b'{"input":[9,9,9]}')
    for salt in (SALT, bytes([2]) * 32, bytes(32), None):
        with rejects(
            Reason.PAYMENT_REPLAYED,
            "this authorization already pays for another request; sign one with a fresh nonce",
            kind=Conflict,
        ):
            await services.accept(payment=payment, request=other, binding_salt=salt)


async def test_requests_that_race_with_one_payment_are_one_job(services: Services) -> None:
    payment = pay(services.world)
    requests = [Request("POST", PATH, b'{"input":[%d,0,0]}' % number) for number in range(5)]
    results = await asyncio.gather(
        *(services.accept(payment=payment, request=request) for request in requests),
        return_exceptions=True,
    )
    refused = [r for r in results if isinstance(r, BaseException)]
    assert len(refused) == 4
    for error in refused:
        assert isinstance(error, Conflict)
        assert error.reason is Reason.PAYMENT_REPLAYED
    depth = await services.stores.orders.ledger.depth()
    assert sum(depth.values()) == 1


@pytest.mark.parametrize(("first", "second"), [(SALT, SALT), (None, SALT), (None, None)])
async def test_a_repeat_is_the_stored_job(
    services: Services, first: bytes | None, second: bytes | None
) -> None:
    payment = pay(services.world, salt=SALT)
    job = await services.accept(payment=payment, binding_salt=first)
    again = await services.accept(payment=payment, binding_salt=second)
    assert again.id == job.id
    assert services.metrics.payments == {"reserved": 1, "repeated": 1}


@pytest.mark.parametrize("guess", [None, bytes([8]) * 32])
async def test_a_repeat_without_the_salt_that_was_announced_is_a_conflict(
    services: Services, guess: bytes | None
) -> None:
    """The authorization is on the chain: whoever guesses the request still lacks the salt."""
    payment = pay(services.world, salt=SALT)
    await services.accept(payment=payment, binding_salt=SALT)
    with rejects(
        Reason.PAYMENT_REPLAYED,
        "this authorization already pays for another request; sign one with a fresh nonce",
        kind=Conflict,
    ):
        await services.accept(payment=payment, binding_salt=guess)


async def test_the_job_id_is_made_of_request_and_salt(services: Services) -> None:
    """Who watches the chain has network, token, payer and nonce, and no more."""
    payment = pay(services.world, salt=SALT)
    seen = (payment.asset.network, payment.asset.address, payment.payer, payment.nonce)
    request = request_digest("POST", PATH, BODY)
    job = await services.accept(payment=payment, binding_salt=SALT)
    assert job.id == job_id(*seen, request, Digest(SALT))
    guesses = [
        job_id(*seen, request, None),
        job_id(*seen, ZERO_DIGEST, None),
        job_id(*seen, ZERO_DIGEST, Digest(SALT)),
        tagged_digest(JOB_TAG, seen[0].caip2.encode(), *(part.raw for part in seen[1:])),
    ]
    for guess in guesses:
        with pytest.raises(NotFound):
            await services.gateway.job(guess)


async def test_the_same_nonce_on_other_terms_is_a_conflict(services: Services) -> None:
    await services.accept(payment=pay(services.world))
    changed = pay(services.world, valid_before=services.world.clock.now + 500)
    with pytest.raises(Conflict):
        await services.accept(payment=changed)


async def test_two_requests_racing_for_one_nonce(services: Services) -> None:
    payment = pay(services.world, nonce=nonce(1))
    bodies = [b'{"input":[%d,0,0]}' % i for i in range(6)]
    results = await asyncio.gather(
        *(services.accept(payment=payment, request=Request("POST", PATH, body)) for body in bodies),
        return_exceptions=True,
    )
    assert sum(not isinstance(r, BaseException) for r in results) == 1
    assert sum(isinstance(r, Conflict) for r in results) == 5


async def test_a_repeat_is_answered_after_time_and_money_are_gone(services: Services) -> None:
    payment = pay(services.world)
    job = await services.accept(payment=payment)
    await services.settler.settle_once()
    services.world.clock.now += 10_000
    services.world.ledger.balances[PAYER.address] = 0
    again = await services.accept(payment=payment)
    assert again.id == job.id


async def test_a_repeat_must_still_be_signed(services: Services) -> None:
    payment = pay(services.world)
    await services.accept(payment=payment)
    forged = replace(payment, signature=bytes(64) + b"\x1b")
    with rejects(
        Reason.SIGNATURE_MALFORMED, "the signature is not 65 bytes of r, s and v with a low s"
    ):
        await services.accept(payment=forged)


async def test_payment_id_names_one_request(services: Services) -> None:
    first = await services.accept(
        payment=pay(services.world, nonce=nonce(1)), payment_id="order-0000000001"
    )
    second = await services.accept(
        payment=pay(services.world, nonce=nonce(2)), payment_id="order-0000000001"
    )
    assert second.id == first.id
    with rejects(
        Reason.PAYMENT_ID_REUSED,
        "payment id order-0000000001 was used for another request; choose a new one",
        kind=Conflict,
    ):
        await services.accept(
            payment=pay(services.world, nonce=nonce(3)),
            request=Request("POST", PATH, b'{"input":[0,0,0]}'),
            payment_id="order-0000000001",
        )
    await services.settler.settle_once()
    assert services.world.ledger.balances[TREASURY] == PRICE


async def test_payment_ids_race(services: Services) -> None:
    results = await asyncio.gather(
        *(
            services.accept(
                payment=pay(services.world, nonce=nonce(i)), payment_id="order-0000000001"
            )
            for i in range(4)
        )
    )
    assert len({view.id for view in results}) == 1


async def test_waiting_ends_when_the_job_does(services: Services) -> None:
    job = await services.accept()
    waiting = asyncio.create_task(services.gateway.wait(job.id, 60))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await services.settler.settle_once()
    await services.worker.work_once()
    assert (await waiting).state is JobState.DONE
    early = await services.gateway.wait(job.id, 0)
    assert early.state is JobState.DONE


async def test_run_loops_bring_a_job_to_its_answer(services: Services) -> None:
    tasks = [
        asyncio.create_task(services.settler.run()),
        asyncio.create_task(services.worker.run()),
    ]
    try:
        job = await services.accept()
        view = await services.gateway.wait(job.id, 60)
        assert view.state is JobState.DONE
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_files_serve_like_memory(world: World) -> None:
    from service_parts import running

    async with running(world) as services:
        job = await services.accept()
    async with running(world) as services:
        assert (await services.gateway.job(job.id)).state is JobState.RESERVED
        assert (await services.accept(request=Request("POST", PATH, BODY))).id == job.id
