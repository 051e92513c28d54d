"""Two processes that write to one PostgreSQL all the time: no write is refused."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from order_book_suite import ANSWER, brought_to, digest, order, send_settlement, transaction

from inferproof.storage.ports.jobs import KeptProof
from inferproof.storage.ports.orders import Orders
from inferproof.testing.memory_store import open_stores
from inferproof.types.job import JobState

SUITES = str(Path(__file__).resolve().parents[2] / "suites")
ORDERS = 50
AT_A_TIME = 10


async def bring_through(orders: Orders, number: int) -> None:
    """One order from its reservation to its settlement, and some order to its answer."""
    job_id = order(number).job_id
    await orders.jobs.reserve(order(number))
    await send_settlement(orders, job_id, transaction(number), now=2)
    await orders.settlements.settled(job_id, digest("settled"), 42, now=3)
    job = await orders.queue.claim(now=4, lease_until=10**9)
    if job is not None:  # the other process may have taken the last one
        proof = KeptProof(digest("blob"), ())
        await orders.queue.checkpoint(job.order.job_id, job.fence, proof, now=5)
        await orders.queue.finish(job.order.job_id, job.fence, ANSWER, now=6)


async def work(url: str, first: int) -> None:
    """What one process does, several orders at once."""
    async with open_stores(url) as stores:
        gate = asyncio.Semaphore(AT_A_TIME)

        async def one(number: int) -> None:
            async with gate:
                await bring_through(stores.orders, number)

        await asyncio.gather(*(one(first + n) for n in range(ORDERS)))


@pytest.mark.slow
async def test_two_processes_share_a_database(server_url: str) -> None:
    async with open_stores(server_url) as stores:
        code = (
            f"import sys; sys.path[:0] = [{SUITES!r}, {str(Path(__file__).parent)!r}]\n"
            "import asyncio, test_two_processes as t\n"
            f"asyncio.run(t.work({server_url!r}, int(sys.argv[1])))\n"
        )
        ran = await asyncio.gather(
            *(
                asyncio.to_thread(
                    subprocess.run,
                    [sys.executable, "-c", code, str(first)],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                for first in (1000, 2000)
            )
        )
        assert all(each.returncode == 0 for each in ran), [each.stderr for each in ran]
        while (job := await stores.orders.queue.claim(now=9, lease_until=10**9)) is not None:
            await stores.orders.queue.finish(job.order.job_id, job.fence, ANSWER, now=9)
        depth = await stores.orders.ledger.depth()
        assert depth[JobState.DONE] == 2 * ORDERS
        assert sum(depth.values()) == 2 * ORDERS
        assert await brought_to(stores.orders, JobState.DONE, 1)
