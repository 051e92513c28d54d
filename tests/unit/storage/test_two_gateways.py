"""Two gateways on one PostgreSQL: one job an order, one worker a job, one settler a key."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from order_book_suite import ANSWER, WHY, brought_to, digest, order, send_settlement, transaction

from inferproof.errors import Conflict, Reason
from inferproof.storage.ports.jobs import Outcome
from inferproof.storage.ports.models import ModelFilter, ModelRecord, ModelStatus
from inferproof.storage.sql.engine import MEMORY, Database
from inferproof.testing.memory_store import Stores, open_stores
from inferproof.testing.rejections import rejects
from inferproof.testing.samples import GATEWAY
from inferproof.types.digest import Address
from inferproof.types.job import JobState

SUITES = str(Path(__file__).resolve().parents[2] / "suites")
Pair = tuple[Stores, Stores]


def model(number: int, provider: Address = GATEWAY.address) -> ModelRecord:
    return ModelRecord(
        id="sample",
        version=f"1.0.{number}",
        commitment=digest("model"),
        provider=provider,
        proof_system="none",
        title="Sample",
        category="testing",
        input_type="vector",
        output_type="vector",
        card_price=1,
        status=ModelStatus.PENDING,
        document=b"{}",
        signature=b"",
        bundle_blob=digest("bundle"),
        created_at=1,
        updated_at=1,
    )


@pytest.fixture
async def pair(server_url: str) -> AsyncIterator[Pair]:
    async with open_stores(server_url) as one, open_stores(server_url) as two:
        yield one, two


async def test_one_payment_is_one_job(pair: Pair) -> None:
    # Opposite orders: each batch waits for rows of the other.
    numbers = range(60)
    results = await asyncio.gather(
        *(pair[0].orders.jobs.reserve(order(n)) for n in numbers),
        *(pair[1].orders.jobs.reserve(order(n)) for n in reversed(numbers)),
    )
    new = [r.job.order.job_id for r in results if r.outcome is Outcome.NEW]
    assert sorted(new) == sorted(order(n).job_id for n in numbers)
    assert (await pair[0].orders.ledger.depth())[JobState.RESERVED] == 60


async def test_one_payment_for_two_requests_is_refused_to_one(pair: Pair) -> None:
    other = order(1, job_id=digest("other"), request_digest=digest("another request"))
    results = await asyncio.gather(
        pair[0].orders.jobs.reserve(order(1)),
        pair[1].orders.jobs.reserve(other),
        return_exceptions=True,
    )
    (conflict,) = [r for r in results if isinstance(r, Conflict)]
    assert conflict.reason is Reason.PAYMENT_REPLAYED
    assert (await pair[0].orders.ledger.depth())[JobState.RESERVED] == 1


async def test_one_payment_id_is_one_job(pair: Pair) -> None:
    results = await asyncio.gather(
        *(pair[n % 2].orders.jobs.reserve(order(n, payment_id="same")) for n in range(10))
    )
    assert [r.outcome for r in results].count(Outcome.NEW) == 1
    assert len({r.job.order.job_id for r in results}) == 1


async def test_one_job_is_claimed_once(pair: Pair) -> None:
    for number in range(20):
        await brought_to(pair[0].orders, JobState.QUEUED, number)
    claims = await asyncio.gather(
        *(pair[n % 2].orders.queue.claim(now=9, lease_until=39) for n in range(30))
    )
    jobs = [job.order.job_id for job in claims if job is not None]
    assert sorted(jobs) == sorted(order(n).job_id for n in range(20))


async def test_the_other_gateways_claim_makes_a_fence_stale(pair: Pair) -> None:
    one, two = (stores.orders for stores in pair)
    first = await brought_to(one, JobState.RUNNING)
    job_id = first.order.job_id
    await two.queue.release(job_id, first.fence, now=40)
    second = await two.queue.claim(now=41, lease_until=71)
    assert second is not None
    assert second.fence == first.fence + 1
    message = f"claim {first.fence} of job {job_id} is over; another claim was made since"
    for stale in (
        one.queue.finish(job_id, first.fence, ANSWER, now=42),
        one.queue.give_up(job_id, first.fence, WHY, now=42),
        one.queue.release(job_id, first.fence, now=42),
        one.queue.heartbeat(job_id, first.fence, lease_until=99),
    ):
        with rejects(Reason.FENCE_STALE, message, kind=Conflict):
            await stale
    done = await two.queue.finish(job_id, second.fence, ANSWER, now=43)
    assert await one.jobs.job(job_id) == done


async def test_one_of_two_settlements_is_stored(pair: Pair) -> None:
    await pair[0].orders.jobs.reserve(order())
    results: list[Any] = await asyncio.gather(
        *(
            send_settlement(stores.orders, order().job_id, transaction(n), now=2)
            for n, stores in enumerate(pair)
        ),
        return_exceptions=True,
    )
    (conflict,) = [r for r in results if isinstance(r, Conflict)]
    assert conflict.reason is Reason.JOB_TRANSITION_ILLEGAL
    (item,) = [r for r in results if not isinstance(r, Conflict)]
    assert await pair[1].orders.outbox.open_outbox(item.network, item.sender) == [item]


async def test_batches_that_wait_for_each_other_both_end(pair: Pair) -> None:
    numbers = range(30)
    for number in numbers:
        await brought_to(pair[0].orders, JobState.SETTLING, number)
    results = await asyncio.gather(
        *(pair[0].orders.settlements.uncertain([order(n).job_id], now=9) for n in numbers),
        *(
            pair[1].orders.settlements.uncertain([order(n).job_id], now=9)
            for n in reversed(numbers)
        ),
    )
    assert len(results) == 60


async def test_a_model_id_has_one_owner(pair: Pair) -> None:
    records = [model(n, provider=Address(bytes([n]) * 20)) for n in range(1, 9)]
    results = await asyncio.gather(
        *(pair[n % 2].models.add(record) for n, record in enumerate(records)),
        return_exceptions=True,
    )
    refused = [r for r in results if isinstance(r, Conflict)]
    assert [r.reason for r in refused] == [Reason.MODEL_OWNED] * 7


async def test_a_version_sent_to_both_is_there_once(pair: Pair) -> None:
    results = await asyncio.gather(*(pair[n % 2].models.add(model(1)) for n in range(6)))
    assert [r.name for r in results] == [model(1).name] * 6
    assert len(await pair[0].models.list(ModelFilter(status=None))) == 1


@pytest.mark.postgres
async def test_a_database_is_migrated_once(postgres: Any) -> None:
    url = postgres.empty()
    async with AsyncExitStack() as stack:
        opened = await asyncio.gather(*(Database.open(url) for _ in range(4)))
        for database in opened:
            stack.push_async_callback(database.close)
        assert postgres.sql("SELECT count(*) FROM alembic_version", url) == 1


class TestLeaderLocks:
    async def test_one_gateway_has_it(self, pair: Pair) -> None:
        mine, theirs = (stores.database.leader_lock("settler of x") for stores in pair)
        other = pair[1].database.leader_lock("settler of y")
        try:
            assert await mine.held()
            assert not await theirs.held()
            assert await mine.held()
            assert await other.held()
            await mine.release()
            assert await theirs.held()
            assert not await mine.held()
        finally:
            for leader in (mine, theirs, other):
                await leader.release()

    async def test_in_memory(self) -> None:
        async with open_stores(MEMORY) as stores, open_stores(MEMORY) as unrelated:
            mine, theirs = (stores.database.leader_lock("x") for _ in range(2))
            assert await mine.held()
            assert not await theirs.held()
            assert await unrelated.database.leader_lock("x").held()
            await theirs.release()
            assert not await theirs.held()
            await mine.release()
            assert await theirs.held()

    @pytest.mark.slow
    async def test_it_ends_with_its_process(self, server_url: str, tmp_path: Path) -> None:
        script = (
            "import asyncio, sys\n"
            "from inferproof.storage.sql.engine import Database\n"
            "async def main():\n"
            "    database = await Database.open(sys.argv[1])\n"
            "    leader = database.leader_lock('x')\n"
            "    print(await leader.held(), flush=True)\n"
            "    await asyncio.sleep(600)\n"
            "asyncio.run(main())\n"
        )
        with subprocess.Popen(  # noqa: ASYNC220 - it only starts
            [sys.executable, "-c", script, server_url], stdout=subprocess.PIPE, cwd=tmp_path
        ) as process:
            assert process.stdout is not None
            try:
                assert await asyncio.to_thread(process.stdout.readline) == b"True\n"
                async with open_stores(server_url) as stores:
                    leader = stores.database.leader_lock("x")
                    assert not await leader.held()
                    process.kill()
                    process.wait()
                    async with asyncio.timeout(60):
                        while not await leader.held():  # noqa: ASYNC110 - as the settler does
                            await asyncio.sleep(0.05)
                    await leader.release()
            finally:
                process.kill()


@pytest.mark.slow
async def test_two_processes_and_one_job_for_each_payment(server_url: str, tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from order_book_suite import order\n"
        "from inferproof.testing.memory_store import open_stores\n"
        "async def main():\n"
        "    async with open_stores(sys.argv[1]) as stores:\n"
        "        found = await asyncio.gather(*(stores.orders.jobs.reserve(order(n)) "
        "for n in range(100)))\n"
        "        print(sum(r.outcome == 'new' for r in found), flush=True)\n"
        "asyncio.run(main())\n"
    )
    start = [sys.executable, "-c", f"import sys; sys.path.insert(0, {SUITES!r})\n{script}"]
    processes = [
        await asyncio.create_subprocess_exec(
            *start, server_url, stdout=asyncio.subprocess.PIPE, cwd=tmp_path
        )
        for _ in range(2)
    ]
    told = [(await process.communicate())[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(map(int, told)) == 100
