"""What the market took of deliveries: of those of before it is not known, so the chain is asked."""

import asyncio

import pytest
from order_book_suite import ASSET, BLOCK, digest, order
from sqlalchemy import Connection, text
from test_migrations import OLD, number_of

from inferproof.storage.sql.address import read_address
from inferproof.storage.sql.dump import load, revision_of
from inferproof.storage.sql.engines import writing_engine
from inferproof.storage.sql.migrate import upgrade
from inferproof.storage.sql.revenue import SqlRevenue
from inferproof.testing.memory_store import open_stores
from inferproof.types.escrow import OrderDeliveryState
from inferproof.types.job import JobState

DONE, FAILED = (order(number_of(state)).job_id for state in (JobState.DONE, JobState.FAILED))
STATES = {DONE: OrderDeliveryState.DELIVERED, FAILED: OrderDeliveryState.ENDED}


def fill(connection: Connection) -> None:
    """Jobs of before, of which one comes to be delivered and one not to be."""
    load(connection, "0001", OLD)
    upgrade(connection, "0017")
    assert revision_of(connection) == "0017"
    for job_id, state in STATES.items():
        is_there = state is OrderDeliveryState.DELIVERED
        connection.execute(
            text("UPDATE jobs SET deliver_by = 1000 WHERE job_id = :job"), {"job": job_id.hex}
        )
        connection.execute(
            text(
                "INSERT INTO order_deliveries "
                "(job, deliver_by, state, tx, block, attempts, retry_at, updated_at) "
                "SELECT number, 1000, :state, :tx, :block, 1, 500, 7 FROM jobs WHERE job_id = :job"
            ),
            {
                "job": job_id.hex,
                "state": state.value,
                "tx": digest("delivered").hex if is_there else None,
                "block": BLOCK.number if is_there else None,
            },
        )


@pytest.fixture
def before(empty_url: str) -> str:
    """The address of a database as version 0017 left it."""

    async def work() -> None:
        engine = writing_engine(read_address(empty_url))
        async with engine.begin() as connection:
            await connection.run_sync(fill)
        await engine.dispose()

    asyncio.run(work())
    return empty_url


async def test_what_was_delivered_is_looked_for_again_and_the_rest_stays(before: str) -> None:
    async with open_stores(before) as stores:
        deliveries = stores.orders.deliveries
        found = {each.job_id: each for each in await deliveries.of_jobs(ASSET, limit=9)}
        again, ended = found[DONE], found[FAILED]
        assert (again.state, again.transaction, again.block) == (
            OrderDeliveryState.OPEN,
            None,
            None,
        )
        assert (again.fee, ended.fee) == (None, None)
        assert ended.state is OrderDeliveryState.ENDED
        assert [each.job_id for each in await deliveries.due(ASSET, now=0, limit=9)] == [DONE]


async def test_it_brings_revenue_once_its_fee_is_known(before: str) -> None:
    async with open_stores(before) as stores:
        revenue = SqlRevenue(stores.database)
        assert DONE not in {each.job_id for each in await revenue.to_enter(ASSET, limit=99)}
        await stores.orders.deliveries.delivered(
            DONE, None, digest("delivered"), BLOCK, fee=9, now=8
        )
        network = ASSET.network
        await stores.orders.outbox.unwatch(network, below=BLOCK.number + 1)
        (settled,) = await revenue.to_enter(ASSET, limit=99)
        price = (await stores.orders.jobs.job(DONE)).order.payment.amount
        assert (settled.job_id, settled.price) == (DONE, price - 9)
