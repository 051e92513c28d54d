"""Databases of released schemas, with a job in every state, brought forward with the data in place.

`tests/data/schema_0001.json` was written by the first schema's own version.
"""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from order_book_suite import ANSWER, WHY, digest, order, send_settlement, transaction
from sqlalchemy import Connection

from inferproof.storage.ports.jobs import Outcome, RefundState
from inferproof.storage.ports.outbox import OutboxKind
from inferproof.storage.sql.address import read_address
from inferproof.storage.sql.dump import load, revision_of
from inferproof.storage.sql.engines import writing_engine
from inferproof.storage.sql.migrate import known_revisions
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.testing.samples import GATEWAY
from inferproof.types.job import JobState
from inferproof.types.payment import SettlementState

FILE = Path(__file__).resolve().parents[2] / "data" / "schema_0001.json"
OLD: dict[str, list[dict[str, Any]]] = json.loads(FILE.read_text("utf-8"))
STATES = [JobState(row["state"]) for row in OLD["jobs"]]


@pytest.fixture
def old(empty_url: str) -> str:
    """The address of a database as version 0001 left it."""
    asyncio.run(_fill(empty_url))
    return empty_url


async def _fill(url: str) -> None:
    def work(connection: Connection) -> None:
        load(connection, "0001", OLD)
        assert revision_of(connection) == "0001"

    engine = writing_engine(read_address(url))
    async with engine.begin() as connection:
        await connection.run_sync(work)
    await engine.dispose()


def number_of(state: JobState) -> int:
    return next(n for n in range(20) if order(n).job_id.hex == _job_ids()[state])


def _job_ids() -> dict[JobState, str]:
    return {JobState(row["state"]): row["job_id"] for row in OLD["jobs"]}


async def test_the_file_has_a_job_in_every_state_of_its_time() -> None:
    assert set(STATES) == set(JobState) - {JobState.WITHDRAWN}
    assert "0001" in known_revisions()


async def test_every_job_is_what_it_was(old: str) -> None:
    async with open_stores(old) as stores:
        for state in STATES:
            job = await stores.orders.jobs.job(order(number_of(state)).job_id)
            assert job.state is state
            assert job.order == order(number_of(state))
        done = await stores.orders.jobs.job(order(number_of(JobState.DONE)).job_id)
        # Of before sizes and values beyond the range were kept.
        assert done.answer == replace(ANSWER, proof_size=None, out_of_range=None)
        failed = await stores.orders.jobs.job(order(number_of(JobState.FAILED)).job_id)
        assert (failed.failure, failed.refund and failed.refund.state) == (WHY, RefundState.DUE)
        figures = await stores.orders.ledger.figures()
        assert [figures.jobs[state] for state in STATES] == [1] * len(STATES)
        assert figures.open_transactions == 2


async def test_every_job_goes_on(old: str) -> None:
    """Money first: what was reserved settles, what runs is freed, what failed is refunded."""
    async with open_stores(old) as stores:
        await _settle(stores, JobState.RESERVED, send=True)
        await _settle(stores, JobState.SETTLING, send=False)
        (lost,) = await stores.orders.queue.expired_leases(now=10_000)
        assert lost.order.job_id == order(number_of(JobState.RUNNING)).job_id
        await stores.orders.queue.release(lost.order.job_id, lost.fence, now=10_000)
        finished = set()
        while (job := await stores.orders.queue.claim(now=10_001, lease_until=10_031)) is not None:
            await stores.orders.queue.finish(job.order.job_id, job.fence, ANSWER, now=10_002)
            finished.add(job.order.job_id)
        going_on = (JobState.RESERVED, JobState.SETTLING, JobState.QUEUED, JobState.RUNNING)
        assert finished == {order(number_of(state)).job_id for state in going_on}
        failed = order(number_of(JobState.FAILED)).job_id
        await stores.orders.settlements.send_refund(failed, transaction(500), now=10_003)
        for job_id in (failed, order(number_of(JobState.REFUNDING)).job_id):
            job = await stores.orders.settlements.refunded(
                job_id, digest("given back"), 50, now=10_004
            )
            assert job.state is JobState.REFUNDED
        network, sender = transaction(1).network, GATEWAY.address
        for item in await stores.orders.outbox.open_outbox(network, sender):
            assert item.kind is OutboxKind.SETTLEMENT, "settled by another, its number is still due"


async def test_no_payment_is_taken_twice(old: str) -> None:
    async with open_stores(old) as stores:
        for state in STATES:
            again = await stores.orders.jobs.reserve(order(number_of(state)))
            assert (again.outcome, again.job.state) == (Outcome.SAME, state)
        new = await stores.orders.jobs.reserve(order(77))
        assert new.outcome is Outcome.NEW


async def _settle(stores: Stores, state: JobState, *, send: bool) -> None:
    job_id = order(number_of(state)).job_id
    if send:
        await send_settlement(stores.orders, job_id, transaction(600), now=9_000)
    job = await stores.orders.settlements.settled(job_id, digest("settled now"), 49, now=9_001)
    assert (job.state, job.settlement.state) == (JobState.QUEUED, SettlementState.SETTLED)
