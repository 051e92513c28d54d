"""What new orders write by the short way is what the general way writes."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from order_book_suite import digest, order
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from inferproof.errors import InferproofError
from inferproof.storage.ports.jobs import Order, QueueRoom, Reservation
from inferproof.storage.sql.jobs import SqlOrderBook
from inferproof.storage.sql.mapping import job_values, reservation_values
from inferproof.storage.sql.new_rows import FromRow
from inferproof.storage.sql.order_rows import ORDERS, order_row, plain_quote_text, quote_text
from inferproof.storage.sql.queue_quota import QueueQuota
from inferproof.storage.sql.tables import metadata
from inferproof.storage.sql.writer import InGroups
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.types.digest import ZERO_DIGEST, Address, Digest
from inferproof.types.money import Money
from inferproof.types.payment import Quote
from inferproof.types.receipt import Request

TEXTS = st.text(max_size=40)
UINT64 = st.integers(0, 2**63 - 1)
UINT256 = st.integers(0, 2**256 - 1)
DIGESTS = st.binary(min_size=32, max_size=32).map(Digest) | st.just(ZERO_DIGEST)
ADDRESSES = st.binary(min_size=20, max_size=20).map(Address)
BYTES = st.binary(max_size=80)
BASE = order()
MARKS = '"expiresAt":0,"issuedAt":0,"requestDigest":"' + ZERO_DIGEST.hex


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    """Any quote."""
    price = BASE.quote.price
    asset = replace(price.asset, address=draw(ADDRESSES), symbol=draw(TEXTS))
    numbers = ("prove_ms", "peak_bytes", "proof_bytes", "verify_gas", "issued_at", "expires_at")
    return replace(
        BASE.quote,
        model_id=draw(TEXTS),
        model_commitment=draw(DIGESTS),
        proof_system=draw(TEXTS),
        provider=draw(ADDRESSES),
        price=Money(draw(UINT256), asset),
        payee=draw(ADDRESSES),
        request_digest=draw(DIGESTS),
        **{name: draw(UINT64) for name in numbers},
    )


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Any order that an authorization pays for."""
    quote = draw(quotes())
    payment = replace(
        BASE.authorization,
        asset=quote.price.asset,
        payer=draw(ADDRESSES),
        payee=draw(ADDRESSES),
        amount=draw(UINT256),
        valid_after=draw(UINT256),
        valid_before=draw(UINT256),
        nonce=draw(DIGESTS),
        signature=draw(BYTES),
    )
    return Order(
        job_id=draw(DIGESTS),
        model_id=draw(TEXTS),
        model_version=draw(TEXTS),
        model_commitment=draw(DIGESTS),
        request=Request(draw(TEXTS), draw(TEXTS), draw(BYTES)),
        request_digest=draw(DIGESTS),
        payment=payment,
        quote=quote,
        quote_signature=draw(BYTES),
        salt=draw(BYTES),
        nonce_salt=draw(st.none() | DIGESTS),
        payment_id=draw(st.none() | TEXTS),
        first_block=draw(UINT64),
        created_at=draw(UINT64),
        deadline=draw(UINT64),
        api_key=draw(st.none() | TEXTS),
        webhook=draw(st.none() | TEXTS),
    )


@given(quotes())
@example(replace(BASE.quote, model_id=MARKS, proof_system=MARKS, model_commitment=ZERO_DIGEST))
def test_a_quote_has_the_same_text(quote: Quote) -> None:
    assert quote_text(quote) == plain_quote_text(quote)


@given(orders(), st.integers(0, 2**62))
def test_an_order_has_the_same_rows(order: Order, turn: int) -> None:
    values = dict(zip(ORDERS.names, order_row(order, turn), strict=True))
    made = [
        {
            name: values[given] if isinstance(given, FromRow) else _literal(given)
            for name, given in place.columns.items()
        }
        for place in ORDERS.places
    ]
    assert made == [reservation_values(order), job_values(order, turn)]


def _literal(sql: str) -> str | int:
    return sql[1:-1] if sql.startswith("'") else int(sql)


ROOM = QueueRoom(total=9, each=4)


@st.composite
def asked_for(draw: st.DrawFn) -> list[list[Order]]:
    """Orders that come together, several times: some again, some with a payment id in common."""
    made = []
    for number in draw(st.lists(st.integers(0, 14), min_size=1, max_size=16)):
        base = order(number)
        payer = Address(bytes([1 + number % 3]) * 20)
        changes: dict[str, Any] = {"payment": replace(base.authorization, payer=payer)}
        if draw(st.booleans()):
            changes["payment_id"] = f"id {number % 4}"
        if draw(st.integers(0, 5)) == 0:
            changes |= {"request_digest": digest("other"), "job_id": digest(f"other {number}")}
        made.append(replace(base, **changes))
    cut = draw(st.integers(0, len(made)))
    return [made[:cut], made[cut:]]


async def outcome(stores: Stores, groups: Sequence[Sequence[Order]], *, short: bool) -> Any:
    """What each order came to in an empty database, and what is in its tables afterwards."""
    await stores.database.write(_empty)
    book = SqlOrderBook(stores.database)
    book._room = QueueQuota(clock=lambda: 0.0)  # whether it counts again must not be chance
    if not short:
        book._reserving = InGroups(book._reserving.together, _leave_all)
    # The first of all is counted for, which the short way leaves to the general one.
    told: list[Any] = [await book.reserve(order(99))]
    for asked in groups:
        told += await asyncio.gather(
            *(book.reserve(one, room=ROOM) for one in asked), return_exceptions=True
        )
    return list(map(_plain, told)), await stores.database.read(_all_rows)


async def _leave_all(_: AsyncConnection, asked: Sequence[Any]) -> Sequence[None]:
    return [None] * len(asked)


async def _empty(connection: AsyncConnection) -> None:
    for table in reversed(metadata.sorted_tables):
        await connection.execute(delete(table))


async def _all_rows(connection: AsyncConnection) -> Any:
    return {
        table.name: sorted(map(str, (await connection.execute(select(table))).all()))
        for table in metadata.sorted_tables
    }


def _plain(told: object) -> object:
    if isinstance(told, Reservation):
        return told
    assert isinstance(told, InferproofError), told
    return told.code, told.message


def test_both_ways_come_to_the_same() -> None:
    with asyncio.Runner() as runner:
        context = open_stores()
        stores = runner.run(context.__aenter__())

        @given(asked_for())
        def check(groups: list[list[Order]]) -> None:
            one = runner.run(outcome(stores, groups, short=True))
            assert one == runner.run(outcome(stores, groups, short=False))

        try:
            check()
        finally:
            runner.run(context.__aexit__(None, None, None))
