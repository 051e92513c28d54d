"""What nothing names goes once it is old; what a row names stays."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from order_book_suite import ANSWER, WHY, brought_to, order
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from waiting import until

from inferproof.errors import NotFound
from inferproof.payments.x402.receipt import authorization_of
from inferproof.services.sweeper import DAY_S, Sweeper
from inferproof.storage.blobs.local import LocalBlobs
from inferproof.storage.ports.jobs import KeptProof
from inferproof.storage.sql.blob_names import NAMING, SqlBlobNames
from inferproof.storage.sql.retention import SqlUnpaidJobs
from inferproof.storage.sql.tables import metadata
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.types.digest import Digest
from inferproof.types.job import JobState

DAYS = 7
NOW = 1_700_000_000
LONG_AGO = NOW - DAYS * DAY_S - 1


@pytest.fixture
async def stores(url: str) -> AsyncIterator[Stores]:
    async with open_stores(url) as opened:
        yield opened


def put(folder: Path, data: bytes, at: int = LONG_AGO) -> Digest:
    name = LocalBlobs(folder).put(data)
    os.utime(folder / name.raw.hex()[:2] / f"{name.raw.hex()}.blob", (at, at))
    return name


def sweeper_of(stores: Stores, folder: Path) -> Sweeper:
    names = SqlBlobNames(stores.database)
    return Sweeper(
        blobs=LocalBlobs(folder),
        names=names,
        jobs=SqlUnpaidJobs(stores.database),
        blobs_days=DAYS,
        jobs_days=DAYS,
        clock=lambda: NOW,
    )


async def test_a_kept_proof_goes_when_its_job_failed_and_no_sooner(
    stores: Stores, tmp_path: Path
) -> None:
    proof, sweeper = put(tmp_path, b"a kept proof"), sweeper_of(stores, tmp_path)
    job = await brought_to(stores.orders, JobState.RUNNING)
    await stores.orders.queue.checkpoint(job.order.job_id, job.fence, KeptProof(proof, ()), now=9)
    assert await sweeper.sweep_blobs() == 0
    await stores.orders.queue.give_up(job.order.job_id, job.fence, WHY, now=10)
    assert await sweeper.sweep_blobs() == 1
    with pytest.raises(NotFound):
        LocalBlobs(tmp_path).get(proof)


async def test_an_answers_blobs_stay_however_old(stores: Stores, tmp_path: Path) -> None:
    proof, bundle = put(tmp_path, b"a proof", 1), put(tmp_path, b"a bundle", 1)
    put(tmp_path, b"nobody's", 1)
    job = await brought_to(stores.orders, JobState.RUNNING)
    answer = replace(ANSWER, proof_blob=proof, verifier_blob=bundle)
    await stores.orders.queue.finish(job.order.job_id, job.fence, answer, now=9)
    assert await sweeper_of(stores, tmp_path).sweep_blobs() == 1
    for name in (proof, bundle):
        LocalBlobs(tmp_path).get(name)


async def test_what_is_young_or_was_stored_again_stays(stores: Stores, tmp_path: Path) -> None:
    put(tmp_path, b"young", LONG_AGO + 1)
    put(tmp_path, b"stored again")
    LocalBlobs(tmp_path).put(b"stored again")
    assert await sweeper_of(stores, tmp_path).sweep_blobs() == 0


def test_one_that_is_stored_again_after_it_was_found_old_stays(tmp_path: Path) -> None:
    blobs, name = LocalBlobs(tmp_path), put(tmp_path, b"a proof")
    assert blobs.old(LONG_AGO + 1) == [name]
    blobs.put(b"a proof")
    assert blobs.remove(name, LONG_AGO + 1) is False
    assert blobs.get(name) == b"a proof"
    assert not list(tmp_path.glob("*/.*"))


def test_what_a_crash_left_goes_and_a_write_under_way_stays(tmp_path: Path) -> None:
    put(tmp_path, b"a proof", NOW)
    (folder,) = tmp_path.iterdir()
    left, going = folder / ".aa.left", folder / ".aa.going"
    for path, at in ((left, LONG_AGO), (going, NOW)):
        path.touch()
        os.utime(path, (at, at))
    assert LocalBlobs(tmp_path).old(LONG_AGO + 1) == []
    assert (left.exists(), going.exists()) == (False, True)


async def test_it_sweeps_in_its_turn(stores: Stores, tmp_path: Path) -> None:
    name = put(tmp_path, b"nobody's")
    leader = stores.database.leader_lock("sweeper")
    task = asyncio.create_task(sweeper_of(stores, tmp_path).run(leader, every_s=0.01))
    await until(lambda: not LocalBlobs(tmp_path).old(NOW), "it has swept")
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    with pytest.raises(NotFound):
        LocalBlobs(tmp_path).get(name)


ENDED = 2
"""When `brought_to` ends a job; its authorization is over some time later."""
OVER = authorization_of(order(0).payment).valid_before


def forgetful(stores: Stores, folder: Path, now: int, days: int = 1) -> Sweeper:
    return Sweeper(
        blobs=LocalBlobs(folder),
        names=SqlBlobNames(stores.database),
        jobs=SqlUnpaidJobs(stores.database),
        blobs_days=0,
        jobs_days=days,
        clock=lambda: now,
    )


async def rows(stores: Stores) -> int:
    async def count(connection: AsyncConnection) -> int:
        tables = metadata.tables.values()
        found = [await connection.scalar(select(func.count()).select_from(t)) for t in tables]
        return sum(map(int, found))

    return await stores.database.read(count)


async def test_an_order_that_was_cancelled_leaves_nothing(stores: Stores, tmp_path: Path) -> None:
    empty = await rows(stores)
    for number in range(3):
        await stores.orders.jobs.reserve(order(number, webhook="https://example.org/hook"))
        await stores.orders.jobs.cancel(order(number).job_id, WHY, running=False, now=2)
        await stores.orders.settlements.void(order(number).job_id, WHY, now=2)
    assert await rows(stores) > empty
    assert await forgetful(stores, tmp_path, OVER + DAY_S).sweep_jobs() == 0
    assert await forgetful(stores, tmp_path, OVER + DAY_S + 1).sweep_jobs() == 3
    assert await rows(stores) == empty


@pytest.mark.parametrize("state", sorted(set(JobState) - {JobState.VOID}))
async def test_a_job_that_may_have_cost_something_stays(
    stores: Stores, tmp_path: Path, state: JobState
) -> None:
    long_after, orders = OVER + 10**6, stores.orders
    job = await brought_to(orders, state)
    if state is JobState.SETTLING:  # a transaction of ours carried it
        await orders.settlements.void(job.order.job_id, WHY, now=2)
    before = await rows(stores)
    assert await forgetful(stores, tmp_path, long_after).sweep_jobs() == 0
    assert await rows(stores) == before


async def test_jobs_are_kept_where_they_are_to_be(stores: Stores, tmp_path: Path) -> None:
    await brought_to(stores.orders, JobState.VOID)
    assert await forgetful(stores, tmp_path, OVER + 10**6, days=0).sweep_jobs() == 0
    assert await forgetful(stores, tmp_path, OVER + 10**6).sweep_jobs() == 1


def test_every_column_that_names_a_blob_is_known() -> None:
    columns = {c for table in metadata.tables.values() for c in table.columns if "blob" in c.name}
    assert columns == set(NAMING)
