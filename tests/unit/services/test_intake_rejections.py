"""Whatever cannot be paid for or answered is refused before anything is reserved."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from service_parts import (
    BODY,
    CARD,
    MODEL,
    PATH,
    PRICE,
    TREASURY,
    Services,
    World,
    nonce,
    pay,
    running,
)

from inferproof.errors import (
    Conflict,
    InputRejected,
    NotFound,
    PaymentRejected,
    Reason,
    RequestRejected,
    Unavailable,
)
from inferproof.protocol.commitments import bound_nonce, request_digest
from inferproof.protocol.quote import quote_digest
from inferproof.services.orders.base import SignedQuote
from inferproof.storage.sql.engine import MEMORY
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import ASSET, PAYER, STRANGER
from inferproof.types.digest import Address
from inferproof.types.job import JobState
from inferproof.types.receipt import Request

SALT = bytes([7]) * 32


async def nothing_reserved(services: Services) -> bool:
    return not any((await services.stores.orders.ledger.depth()).values())


async def test_payment_id_must_be_well_formed(services: Services) -> None:
    for bad in ("short", "x" * 129, "order 000000000001", "ordér-00000000001"):
        with rejects(
            Reason.PAYMENT_ID_MALFORMED,
            "a payment id is 16 to 128 letters, digits, - and _",
            kind=PaymentRejected,
        ):
            await services.accept(payment_id=bad)
    assert await nothing_reserved(services)


async def test_announced_binding_is_checked(services: Services) -> None:
    payment = pay(services.world, salt=SALT)
    other = bytes([8]) * 32
    expected = bound_nonce(request_digest("POST", PATH, b'{"input":[1.5,-2,0.25]}'), other)
    with rejects(
        Reason.PAYMENT_NONCE_BINDING,
        f"the authorization's nonce is {payment.nonce}; "
        f"bound to this request with this salt it is {expected}",
        kind=PaymentRejected,
    ):
        await services.accept(payment=payment, binding_salt=other)
    assert await nothing_reserved(services)
    assert (await services.accept(payment=payment, binding_salt=SALT)).state is JobState.RESERVED


async def test_a_salt_of_zero_is_refused(services: Services) -> None:
    payment = pay(services.world, salt=bytes(32))
    with rejects(
        Reason.PAYMENT_SALT_ZERO,
        "the salt of the nonce is zero; draw 32 random bytes",
        kind=PaymentRejected,
    ):
        await services.accept(payment=payment, binding_salt=bytes(32))
    assert await nothing_reserved(services)


async def test_binding_to_another_request_is_refused(services: Services) -> None:
    payment = pay(services.world, salt=SALT)
    with pytest.raises(PaymentRejected):
        await services.accept(
            payment=payment, binding_salt=SALT, request=Request("POST", PATH, b'{"input":[0,0,0]}')
        )
    assert await nothing_reserved(services)


async def test_unknown_model(services: Services) -> None:
    with rejects(Reason.MODEL_UNKNOWN, "there is no model nothing", kind=NotFound):
        await services.accept(model="nothing")


async def test_suspended_model_takes_no_call_and_keeps_its_jobs(services: Services) -> None:
    job = await services.accept()
    await services.gateway.suspend("sample@1.0.0")
    with rejects(
        Reason.MODEL_NOT_ACTIVE,
        "model sample@1.0.0 is suspended; it takes no calls",
        kind=Conflict,
    ):
        await services.accept(payment=pay(services.world, nonce=nonce(2)))
    await services.settler.settle_once()
    await services.worker.work_once()
    assert (await services.gateway.job(job.id)).state is JobState.DONE


async def test_input_is_read_before_money_is_taken(services: Services) -> None:
    body = b'{"input":[' + b"1," * 500 + b"1]}"
    with rejects(
        Reason.INPUT_TOO_LARGE,
        f"input request body is {len(body)} bytes, the limit is 1000",
        kind=InputRejected,
    ):
        await services.accept(request=Request("POST", PATH, body))
    assert await nothing_reserved(services)


async def test_payer_without_money(services: Services) -> None:
    services.world.ledger.balances[PAYER.address] = PRICE - 1
    with rejects(
        Reason.PAYMENT_BALANCE,
        "the payer has 0.249999 USDC, the price is 0.25 USDC",
        kind=PaymentRejected,
    ):
        await services.accept()
    services.world.ledger.balances[PAYER.address] = PRICE
    assert (await services.accept()).state is JobState.RESERVED


async def test_a_balance_is_promised_once(services: Services) -> None:
    """Else a payer with the price of one order has us pay for any number of failed settlements."""
    world = services.world
    world.ledger.balances[PAYER.address] = 2 * PRICE - 1
    first = pay(world, nonce=nonce(1))
    await services.accept(payment=first)
    message = (
        "the payer has 0.499999 USDC, of which 0.25 USDC are promised to orders that have not "
        "settled yet; the price is 0.25 USDC"
    )
    for _ in range(2):
        with rejects(Reason.PAYMENT_PROMISED, message, kind=PaymentRejected):
            await services.accept(payment=pay(world, nonce=nonce(2)))
        await services.accept(payment=first)  # the same payment again is not another
    world.ledger.balances[PAYER.address] = 2 * PRICE
    await services.accept(payment=pay(world, nonce=nonce(2)))
    await services.settler.settle_once()
    world.ledger.balances[PAYER.address] = PRICE
    await services.accept(payment=pay(world, nonce=nonce(3)))  # what settled is promised no more


async def test_a_balance_is_promised_once_to_many_at_once(services: Services) -> None:
    world = services.world
    world.ledger.balances[PAYER.address] = 3 * PRICE
    orders = [services.accept(payment=pay(world, nonce=nonce(i // 2))) for i in range(20)]
    results = await asyncio.gather(*orders, return_exceptions=True)
    jobs = {result.id for result in results if not isinstance(result, BaseException)}
    assert len(jobs) == 3
    for result in results:
        if isinstance(result, BaseException):
            assert isinstance(result, PaymentRejected)
            assert result.reason is Reason.PAYMENT_PROMISED


async def test_the_whole_balance_pays_for_one_header_sent_five_times(services: Services) -> None:
    services.world.ledger.balances[PAYER.address] = PRICE
    payment = pay(services.world)
    jobs = await asyncio.gather(*[services.accept(payment=payment) for _ in range(5)])
    assert len({job.id for job in jobs}) == 1


async def test_an_authorization_without_an_end(world: World) -> None:
    world.longest_payment_s = 1200
    async with running(world, url=MEMORY) as services:
        end = world.clock.now + 1201
        message = (
            f"the authorization ends at {end}, more than 1200 seconds after {world.clock.now}; "
            "sign one that ends sooner"
        )
        with rejects(Reason.PAYMENT_TOO_LONG, message, kind=PaymentRejected):
            await services.accept(payment=pay(world, valid_before=end))
        await services.accept(payment=pay(world, valid_before=end - 1))


async def test_nonce_used_on_chain(services: Services) -> None:
    payment = pay(services.world)
    services.world.ledger.cancel(payment.payer, payment.nonce)
    with rejects(
        Reason.PAYMENT_NONCE_USED,
        f"the authorization's nonce {payment.nonce} is used up on the chain; sign a new one",
        kind=PaymentRejected,
    ):
        await services.accept(payment=payment)
    assert await nothing_reserved(services)


async def test_chain_that_is_down_is_retryable(services: Services) -> None:
    services.world.ledger.down = True
    with pytest.raises(Unavailable):
        await services.accept()
    assert await nothing_reserved(services)


async def test_full_queue_is_told_before_money_is_taken(world: World) -> None:
    world.queue_limit = 2
    async with running(world, url=MEMORY) as services:
        first = pay(world, nonce=nonce(1))
        await services.accept(payment=first)
        await services.accept(payment=pay(world, nonce=nonce(2)))
        message = "2 jobs are waiting, the limit is 2; nothing was charged, come back"
        with rejects(Reason.QUEUE_FULL, message, kind=Unavailable):
            await services.accept(payment=pay(world, nonce=nonce(3)))
        with rejects(Reason.QUEUE_FULL, message, kind=Unavailable):
            await services.gateway.quote("sample")
        await services.accept(payment=first)  # a repeat takes no room
        await services.settler.settle_once()
        await services.worker.work_once()
        await services.accept(payment=pay(world, nonce=nonce(3)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": PRICE - 1}, Reason.PAYMENT_AMOUNT),
        ({"amount": PRICE + 1}, Reason.PAYMENT_AMOUNT),
        ({"payee": STRANGER.address}, Reason.PAYMENT_PAYEE),
        ({"asset": replace(ASSET, address=Address(b"\x77" * 20))}, Reason.PAYMENT_ASSET),
        ({"valid_before": 1_800_000_029}, Reason.PAYMENT_EXPIRED),
        ({"valid_after": 1_800_000_000}, Reason.PAYMENT_NOT_YET_VALID),
    ],
)
async def test_other_terms(services: Services, changes: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(PaymentRejected) as caught:
        await services.accept(payment=pay(services.world, **changes))
    assert caught.value.reason is reason
    assert await nothing_reserved(services)
    assert services.metrics.payments[reason.code] == 1


async def test_foreign_signature(services: Services) -> None:
    payment = replace(pay(services.world, key=STRANGER), payer=PAYER.address)
    with pytest.raises(PaymentRejected) as caught:
        await services.accept(payment=payment)
    assert caught.value.reason is Reason.PAYMENT_SIGNATURE


async def test_quotes(services: Services) -> None:
    gateway = services.gateway
    quote = await gateway.quote("sample")
    assert quote.quote.price.amount == PRICE
    assert quote.quote.payee == TREASURY
    assert (quote.quote.prove_ms, quote.quote.verify_gas) == (900, 520_000)
    assert quote.quote.expires_at == services.world.clock.now + 300
    job = await services.accept(quote=quote)
    assert job.quote == quote
    assert job.quote.id == quote_digest(quote.quote)


async def test_a_quote_for_another_request_is_refused(services: Services) -> None:
    digest = request_digest("POST", PATH, b"another")
    quote = await services.gateway.quote("sample", digest)
    with pytest.raises(RequestRejected) as caught:
        await services.accept(quote=quote)
    assert caught.value.reason is Reason.QUOTE_OTHER_REQUEST


async def test_a_quote_ends(services: Services) -> None:
    quote = await services.gateway.quote("sample")
    services.world.clock.now += 300
    with pytest.raises(RequestRejected) as caught:
        await services.accept(quote=quote)
    assert caught.value.reason is Reason.QUOTE_EXPIRED


async def test_a_quote_of_our_own_making_is_refused(services: Services) -> None:
    quote = (await services.gateway.quote("sample")).quote
    cheap = replace(quote, price=replace(quote.price, amount=1))
    forged = SignedQuote(cheap, STRANGER.sign(quote_digest(cheap)))
    with pytest.raises(RequestRejected) as caught:
        await services.accept(quote=forged, payment=pay(services.world, amount=1))
    assert caught.value.reason is Reason.QUOTE_SIGNATURE
    assert await nothing_reserved(services)


async def test_unknown_things(services: Services) -> None:
    gateway, name = services.gateway, nonce(99)
    with rejects(Reason.JOB_UNKNOWN, f"there is no job {name}", kind=NotFound):
        await gateway.job(name)
    with rejects(Reason.PROOF_UNKNOWN, f"there is no proof {name}", kind=NotFound):
        await gateway.proof(name)
    with rejects(Reason.VERIFICATION_UNKNOWN, "there is no verification 12", kind=NotFound):
        await gateway.verification(12)
    job = await services.accept()
    with rejects(
        Reason.RECEIPT_NOT_READY,
        f"job {job.id} is reserved; only a job that is done has a receipt",
        kind=NotFound,
    ):
        await gateway.receipt(job.id)


@pytest.mark.parametrize("rule", ["cut", "refuse"])
async def test_a_card_may_refuse_inputs_beyond_the_range(
    world: World, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    monkeypatch.setitem(CARD["input"], "out_of_range", rule)
    world.system.beyond = 2
    async with running(world, url=MEMORY) as services:
        if rule == "cut":
            await services.gateway.check_input(MODEL, Request("POST", PATH, BODY))
            return
        message = (
            "2 of the input's values lie beyond the range that the model was calibrated for, and "
            "its card refuses such inputs"
        )
        with rejects(Reason.INPUT_BEYOND_RANGE, message, kind=InputRejected):
            await services.gateway.check_input(MODEL, Request("POST", PATH, BODY))
        with rejects(Reason.INPUT_BEYOND_RANGE, message, kind=InputRejected):
            await services.accept()
        assert await nothing_reserved(services)
        world.system.beyond = 0
        assert (await services.accept()).state is JobState.RESERVED
