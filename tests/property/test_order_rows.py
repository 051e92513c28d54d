"""What an order's rows hold is the order, whatever it is made of."""

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from order_book_suite import order
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.payments.transfer.receipt import TRANSFER_METHOD, transfer_payment
from inferproof.payments.x402.receipt import authorization_of, authorization_payment
from inferproof.storage.ports.jobs import Outcome, ValidatedOrder
from inferproof.storage.sql.tables import metadata
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.money import Money
from inferproof.types.payment import Payment, Quote, TransferClaim, TransferPayment
from inferproof.types.receipt import Request

TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), max_size=32)
"""What a quote that is read may have: no character that only controls or ends a line."""
UINT64 = st.integers(0, 2**63 - 1)
UINT256 = st.integers(0, 2**256 - 1)
DIGESTS = st.binary(min_size=32, max_size=32).map(Digest) | st.just(ZERO_DIGEST)
ADDRESSES = st.binary(min_size=20, max_size=20).map(Address)
BYTES = st.binary(max_size=80)
BASE = order()


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    """Any quote."""
    price = BASE.quote.price
    asset = replace(price.asset, address=draw(ADDRESSES), symbol=draw(NAMES))
    numbers = ("prove_ms", "peak_bytes", "proof_bytes", "verify_gas", "issued_at", "expires_at")
    return replace(
        BASE.quote,
        model_id=draw(NAMES),
        model_commitment=draw(DIGESTS),
        proof_system=draw(NAMES),
        provider=draw(ADDRESSES),
        price=Money(draw(UINT256), asset),
        payee=draw(ADDRESSES),
        request_digest=draw(DIGESTS),
        **{name: draw(UINT64) for name in numbers},
    )


@st.composite
def payments(draw: st.DrawFn, quote: Quote, request: Digest, salt: Digest | None) -> Payment:
    """Any payment in the quote's asset: a transfer only with the salt that its claim names."""
    if salt is None or draw(st.booleans()):
        authorization = replace(
            authorization_of(BASE.payment),
            asset=quote.price.asset,
            payer=draw(ADDRESSES),
            payee=draw(ADDRESSES),
            amount=draw(UINT256),
            valid_after=draw(UINT256),
            valid_before=draw(UINT256),
            nonce=draw(DIGESTS),
            signature=draw(BYTES),
        )
        return authorization_payment(authorization)
    place = draw(UINT64)
    claim = TransferClaim(
        asset=quote.price.asset,
        payer=draw(ADDRESSES),
        payee=draw(ADDRESSES),
        transaction=draw(DIGESTS),
        log_index=draw(st.none() | st.just(place)),
        request=request,
        salt=salt,
        signature=draw(BYTES),
    )
    return transfer_payment(TransferPayment(claim, draw(UINT256), place, draw(DIGESTS)))


@st.composite
def orders(draw: st.DrawFn) -> ValidatedOrder:
    """Any order."""
    quote, request, salt = draw(quotes()), draw(DIGESTS), draw(st.none() | DIGESTS)
    return ValidatedOrder(
        job_id=draw(DIGESTS),
        model_id=draw(TEXTS),
        model_version=draw(TEXTS),
        model_commitment=draw(DIGESTS),
        request=Request(draw(TEXTS), draw(TEXTS), draw(BYTES)),
        request_digest=request,
        payment=draw(payments(quote, request, salt)),
        quote=quote,
        quote_signature=draw(BYTES),
        salt=draw(BYTES),
        nonce_salt=salt,
        payment_id=draw(st.none() | TEXTS),
        first_block=draw(UINT64),
        created_at=draw(UINT64),
        deadline=draw(UINT64),
        api_key=draw(st.none() | TEXTS),
        webhook=draw(st.none() | TEXTS),
        deliver_by=draw(st.none() | UINT64),
    )


async def written_and_read(stores: Stores, made: ValidatedOrder) -> None:
    await stores.database.write(_empty)
    transfer = made.payment.method == TRANSFER_METHOD
    jobs = stores.orders.jobs
    new = await (jobs.redeem(made, settled_in=ZERO_DIGEST) if transfer else jobs.reserve(made))
    assert new.outcome is Outcome.NEW
    assert new.job.order == made
    assert await jobs.job(made.job_id) == new.job
    assert await jobs.find_payment(made.payment) == new.job


async def _empty(connection: AsyncConnection) -> None:
    for table in reversed(metadata.sorted_tables):
        await connection.execute(delete(table))


def test_an_order_is_read_as_it_was_written() -> None:
    with asyncio.Runner() as runner:
        context = open_stores()
        stores = runner.run(context.__aenter__())

        @given(orders())
        def check(made: ValidatedOrder) -> None:
            runner.run(written_and_read(stores, made))

        try:
            check()
        finally:
            runner.run(context.__aexit__(None, None, None))
