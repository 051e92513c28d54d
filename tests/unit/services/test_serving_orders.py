"""Orders of an escrow on a real chain: each is accepted once and delivered once, whatever is
stopped where, and whoever else serves it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving_parts import (
    BOND,
    BONDS,
    PRICE,
    SHARE,
    WHY,
    Chain,
    Serving,
    answer,
    delivery,
    open_chain,
    rounds,
)
from test_crash import Boundary, Crash, Watched

from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.escrow import refund_data
from inferproof.chain.rpc import Rpc
from inferproof.errors import Reason, Unavailable
from inferproof.storage.sql.engine import MEMORY, sqlite_url
from inferproof.testing.devnet import Devnet, DevnetInfo
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest
from inferproof.types.escrow import Order, OrderDeliveryState, OrderStatus
from inferproof.types.job import JobState
from inferproof.types.payment import SettlementState

OUTBOX_WRITES = frozenset(["note_sent", "replace", "drop", "note_nonce_spent", "unwatch"])
SETTLEMENT_WRITES = frozenset(["send_settlements", "included", "settled", "refuse", "void"])
DELIVERY_WRITES = frozenset(["send", "delivered", "put_off", "reverted", "ended"])


@pytest.fixture(scope="module")
def own_devnet() -> Iterator[DevnetInfo]:
    """A chain whose clock is moved."""
    with Devnet() as running:
        yield running.info


_OPENED: list[Chain] = []


@pytest.fixture
async def chain(own_devnet: DevnetInfo) -> AsyncIterator[Chain]:
    async with Rpc(own_devnet.rpc_url) as rpc:
        if not _OPENED:
            _OPENED.append(await open_chain(rpc, own_devnet))
        yield replace(_OPENED[0], rpc=rpc)


@pytest.fixture
async def server(chain: Chain) -> Serving:
    return await Serving(chain).admit()


@pytest.fixture
async def stores() -> AsyncIterator[Stores]:
    async with open_stores() as made:
        yield made


async def test_an_order_is_accepted_answered_delivered_and_paid(
    server: Serving, stores: Stores
) -> None:
    bought, made = await server.bought(), await server.order()
    asked = server.asked(made)
    await stores.orders.jobs.reserve(asked)
    settler = server.settler(stores)
    await settler.settle_once()
    await settler.settle_once()
    assert await server.status(made) is OrderStatus.ACCEPTED
    assert await server.balance() == BONDS - BOND
    job = await stores.orders.jobs.job(asked.job_id)
    assert (job.state, job.settlement.state) == (JobState.QUEUED, SettlementState.SETTLED)
    await answer(stores, server.now)
    await settler.settle_once()
    await settler.settle_once()
    assert await server.status(made) is OrderStatus.PAID
    done = await delivery(stores, server)
    assert done.state is OrderDeliveryState.DELIVERED
    assert done.transaction is not None
    assert done.fee == PRICE - SHARE
    assert await server.balance() == BONDS + SHARE
    assert await server.bought() == bought


async def test_the_fee_is_told_by_the_transaction_that_delivered_alone(
    server: Serving, stores: Stores
) -> None:
    made = await server.order()
    asked = server.asked(made)
    await stores.orders.jobs.reserve(asked)
    settler = server.settler(stores)
    for _ in range(2):
        await settler.settle_once()
    await answer(stores, server.now)
    for _ in range(2):
        await settler.settle_once()
    done, acceptance = await delivery(stores, server), server.method.settle(asked.payment)
    assert done.transaction is not None
    other = server.method.settle(server.asked(await server.order()).payment)
    assert acceptance is not None
    assert other is not None
    assert await server.account.fee_taken(acceptance, done.transaction) == PRICE - SHARE
    accepted = await server.account.accepted_in(acceptance.id, 0)
    assert accepted is not None
    for order, tx in (
        (other, done.transaction),
        (acceptance, accepted.tx),
        (acceptance, Digest(b"\x77" * 32)),
    ):
        message = f"the block that held transaction {tx} was replaced while it was looked at"
        with rejects(Reason.CHAIN_CHANGED, message, kind=Unavailable):
            await server.account.fee_taken(order, tx)


# -- crashes ------------------------------------------------------------------------------------


async def tell(server: Serving, made: Order, boundary: Boundary, url: str) -> None:
    """The story with a crash in it, after which the database is opened anew."""
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(url))
        await stores.orders.jobs.reserve(server.asked(made))
        orders = stores.orders
        watched: Any = replace(
            orders,
            outbox=Watched(orders.outbox, boundary, OUTBOX_WRITES),
            settlements=Watched(orders.settlements, boundary, SETTLEMENT_WRITES),
            deliveries=Watched(orders.deliveries, boundary, DELIVERY_WRITES),
        )
        account: Any = SettlementAccount(server.token, server.key, orders=server.account)
        account = Watched(account, boundary, frozenset(["submit"]))
        try:
            await rounds([server.settler(stores, watched, account)], server, stores)
        except Crash:
            server.now += 40
        if url != MEMORY:
            await stack.aclose()
            stores = await stack.enter_async_context(open_stores(url))
        await rounds([server.settler(stores)], server, stores)
        assert (await delivery(stores, server)).state is OrderDeliveryState.DELIVERED
    assert await server.status(made) is OrderStatus.PAID
    assert await server.balance() == BONDS + SHARE
    # Two transactions of the settler's, after the two that filled its balance.
    assert await server.chain.rpc.nonce(server.key.address) == 4


async def test_a_crash_at_any_step_stakes_one_bond_and_delivers_once(
    chain: Chain, server: Serving, tmp_path: Path
) -> None:
    whole = Boundary()
    await tell(server, await server.order(), whole, MEMORY)
    effects = {"send_settlements", "submit", "note_sent", "included", "send", "delivered"}
    assert {f"{side} {name}" for side in ("before", "after") for name in effects} <= set(
        whole.names
    )
    for at in range(1, len(whole.names) + 1):
        one = await Serving(chain).admit()
        boundary = Boundary(at)
        await tell(one, await one.order(), boundary, sqlite_url(tmp_path / f"{at}.db"))
        assert boundary.count == at, whole.names[at - 1]


# -- several servers ----------------------------------------------------------------------------


async def test_who_is_slower_stakes_nothing_proves_nothing_and_ends_void(
    chain: Chain, server: Serving, stores: Stores
) -> None:
    other = await Serving(chain).admit()
    made = await server.order()
    asked = server.asked(made)
    await stores.orders.jobs.reserve(asked)
    await other.accept(made)
    settler = server.settler(stores)
    await rounds([settler], server, stores)
    job = await stores.orders.jobs.job(asked.job_id)
    assert job.state is JobState.RESERVED, "the other may be late"
    async with open_stores() as others:
        await others.orders.jobs.reserve(other.asked(made))
        await rounds([other.settler(others)], other, others)
    assert await server.status(made) is OrderStatus.PAID
    server.now += 60
    await rounds([settler], server, stores)
    job = await stores.orders.jobs.job(asked.job_id)
    assert (job.state, job.attempts) == (JobState.VOID, 0)
    assert job.failure is not None
    assert (job.failure.code, job.failure.message) == (
        "ORDER_LOST",
        f"order {asked.job_id} is paid, and this server has no part in it",
    )
    assert await server.balance() == BONDS
    assert await other.balance() == BONDS + SHARE
    assert (await delivery(stores, server)).state is OrderDeliveryState.ENDED


async def test_who_was_slower_rescues_the_order_of_who_is_late(
    chain: Chain, server: Serving, stores: Stores
) -> None:
    other, bought = await Serving(chain).admit(), await server.bought()
    made = await server.order()
    await stores.orders.jobs.reserve(server.asked(made))
    await other.accept(made)
    settler = server.settler(stores)
    await rounds([settler], server, stores, times=2)
    await chain.go_on(made.deliver_by - await chain.now() + 1)
    server.now = await chain.now()
    await rounds([settler], server, stores)
    assert await server.status(made) is OrderStatus.RESCUED
    assert await server.balance() == BONDS + SHARE + BOND // 2
    assert await other.balance() == BONDS - BOND
    assert await server.bought() == bought + BOND - BOND // 2
    done = await delivery(stores, server)
    assert (done.state, done.job_state) == (OrderDeliveryState.DELIVERED, JobState.DONE)
    assert done.fee == PRICE - SHARE, "half of the late one's bond is no part of the price"


async def test_an_answer_that_another_delivered_meanwhile_ends(
    chain: Chain, server: Serving, stores: Stores
) -> None:
    other = await Serving(chain).admit()
    made = await server.order()
    asked = server.asked(made)
    await stores.orders.jobs.reserve(asked)
    settler = server.settler(stores)
    await settler.settle_once()
    await settler.settle_once()
    await chain.go_on(made.deliver_by - await chain.now() + 1)
    async with open_stores() as others:
        found = await other.account.accepted_in(asked.job_id, 0)
        assert found is not None
        rescue = replace(other.asked(made), first_block=found.block)
        await others.orders.jobs.redeem(rescue, settled_in=found.tx)
        other.now = await chain.now()
        await rounds([other.settler(others)], other, others)
    assert await server.status(made) is OrderStatus.RESCUED
    await answer(stores, server.now)
    await rounds([settler], server, stores)
    ended = await delivery(stores, server)
    assert ended.state is OrderDeliveryState.ENDED
    assert ended.failure is not None
    assert ended.failure.message == (
        f"order {asked.job_id} is rescued, and this server has no part in it"
    )
    assert await server.balance() == BONDS - BOND


# -- too late -----------------------------------------------------------------------------------


async def test_an_order_that_nobody_accepted_in_time_is_void(
    chain: Chain, server: Serving, stores: Stores
) -> None:
    made = await server.order()
    asked = server.asked(made)
    await stores.orders.jobs.reserve(asked)
    await chain.go_on(made.accept_by - await chain.now() + 1)
    server.now = await chain.now() + 1
    await rounds([server.settler(stores)], server, stores)
    job = await stores.orders.jobs.job(asked.job_id)
    assert job.state is JobState.VOID
    assert await server.status(made) is OrderStatus.OPEN
    assert await chain.rpc.nonce(server.key.address) == 2, "nothing was sent"


async def test_an_answer_that_comes_too_late_is_not_delivered(
    chain: Chain, server: Serving, stores: Stores
) -> None:
    made = await server.order()
    asked = server.asked(made)
    await stores.orders.jobs.reserve(asked)
    settler = server.settler(stores)
    await settler.settle_once()
    await settler.settle_once()
    await chain.go_on(made.rescue_by - await chain.now() + 1)
    await answer(stores, server.now)
    await rounds([settler], server, stores)
    ended = await delivery(stores, server)
    assert ended.state is OrderDeliveryState.ENDED
    assert ended.failure is not None
    assert ended.failure.message == (
        f"order {asked.job_id} could be delivered until {made.rescue_by}; its buyer is refunded, "
        "with the bond"
    )


async def test_a_failed_job_is_refunded_by_the_escrow_alone(
    chain: Chain, server: Serving, stores: Stores
) -> None:
    bought, made = await server.bought(), await server.order()
    asked = server.asked(made)
    await stores.orders.jobs.reserve(asked)
    settler = server.settler(stores)
    await settler.settle_once()
    await settler.settle_once()
    assert (await answer(stores, server.now, WHY)) is not None
    await rounds([settler], server, stores)
    assert (await stores.orders.jobs.job(asked.job_id)).state is JobState.FAILED
    assert await chain.rpc.nonce(server.key.address) == 3, "it sends no refund"
    await chain.go_on(made.rescue_by - await chain.now() + 1)
    await chain.escrow.send(chain.devnet.accounts.provider, refund_data(made), "refund")
    server.now += 60
    await rounds([settler], server, stores)
    job = await stores.orders.jobs.job(asked.job_id)
    assert job.state is JobState.REFUNDED
    assert job.refund is not None
    found = await server.account.refunded_in(asked.job_id, 0)
    assert found is not None
    assert job.refund.transaction == found.tx
    assert await server.bought() == bought + PRICE + BOND
    assert await server.balance() == BONDS - BOND


async def test_a_failed_job_that_another_delivered_is_void(
    chain: Chain, server: Serving, stores: Stores
) -> None:
    other = await Serving(chain).admit()
    made = await server.order()
    asked = server.asked(made)
    await stores.orders.jobs.reserve(asked)
    settler = server.settler(stores)
    await settler.settle_once()
    await settler.settle_once()
    assert (await answer(stores, server.now, WHY)) is not None
    await chain.go_on(made.deliver_by - await chain.now() + 1)
    async with open_stores() as others:
        found = await other.account.accepted_in(asked.job_id, 0)
        assert found is not None
        await others.orders.jobs.redeem(
            replace(other.asked(made), first_block=found.block), settled_in=found.tx
        )
        other.now = await chain.now()
        await rounds([other.settler(others)], other, others)
    server.now += 60
    await rounds([settler], server, stores)
    assert (await stores.orders.jobs.job(asked.job_id)).state is JobState.VOID


# -- without ------------------------------------------------------------------------------------


async def test_a_settler_without_an_escrow_says_so(server: Serving, stores: Stores) -> None:
    made = await server.order()
    await stores.orders.jobs.reserve(server.asked(made))
    bare = SettlementAccount(server.token, server.key)
    message = (
        "the job serves an order of an escrow, and this process is given none; set "
        "INFERPROOF_ESCROW_ADDRESS"
    )
    with rejects(Reason.ORDERS_NOT_SERVED, message, kind=Unavailable):
        await server.settler(stores, chain=bare).settle_once()


# -- bonds --------------------------------------------------------------------------------------


async def test_what_is_kept_for_bonds_is_filled_up(server: Serving, stores: Stores) -> None:
    await server.mint(700)
    settler = server.settler(stores, keep=BONDS + 500)
    await rounds([settler], server, stores)
    assert await server.balance() == BONDS + 500
    assert await server.token.balance(server.key.address) == 200
    nonce = await server.chain.rpc.nonce(server.key.address)
    await rounds([settler], server, stores)
    assert await server.chain.rpc.nonce(server.key.address) == nonce == 4


async def test_it_is_filled_with_what_there_is(
    server: Serving, stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    settler = server.settler(stores, keep=BONDS + 500)
    await rounds([settler], server, stores)
    assert caplog.text.count(f"{server.key.address} lacks the tokens for bonds") == 1
    await server.mint(300)
    await rounds([settler], server, stores)
    assert await server.balance() == BONDS + 300


async def test_what_is_earned_above_that_is_taken_out(server: Serving, stores: Stores) -> None:
    settler = server.settler(stores, keep=1_000)
    await rounds([settler], server, stores)
    assert await server.balance() == 1_000
    assert await server.token.balance(server.key.address) == BONDS - 1_000
    kept = server.settler(stores, keep=BONDS)
    await rounds([kept], server, stores)
    assert await server.balance() == BONDS


async def test_a_crash_at_any_step_fills_once(
    chain: Chain, server: Serving, tmp_path: Path
) -> None:
    async def told(one: Serving, boundary: Boundary, url: str) -> None:
        await one.mint(700)
        async with AsyncExitStack() as stack:
            stores = await stack.enter_async_context(open_stores(url))
            outbox: Any = Watched(stores.orders.outbox, boundary, OUTBOX_WRITES | {"fill"})
            watched = replace(stores.orders, outbox=outbox)
            try:
                await rounds([one.settler(stores, watched, keep=BONDS + 500)], one, stores)
            except Crash:
                one.now += 40
            if url != MEMORY:
                await stack.aclose()
                stores = await stack.enter_async_context(open_stores(url))
            await rounds([one.settler(stores, keep=BONDS + 500)], one, stores)
        assert await one.balance() == BONDS + 500
        assert await one.token.balance(one.key.address) == 200

    whole = Boundary()
    await told(server, whole, MEMORY)
    for at in range(1, len(whole.names) + 1):
        await told(
            await Serving(chain).admit(), Boundary(at), sqlite_url(tmp_path / f"bond {at}.db")
        )
