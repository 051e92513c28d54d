"""Two processes that write to one database all the time: none is refused or waits for long."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from order_book_suite import ANSWER, brought_to, digest, order, transaction

from inferproof.storage.base import KeptProof, OrderBook
from inferproof.testing.memory_store import open_stores
from inferproof.types.job import JobState

SUITES = str(Path(__file__).resolve().parents[2] / "suites")
ORDERS = 80
AT_A_TIME = 10
LONGEST_S = 4.0
"""Less than the five seconds after which a statement that cannot write fails."""


async def bring_through(orders: OrderBook, number: int) -> float:
    """One order from its reservation to whatever job its claim got; the longest of its writes."""
    longest = 0.0

    async def timed(work: Any) -> Any:
        nonlocal longest
        began = time.perf_counter()
        result = await work
        longest = max(longest, time.perf_counter() - began)
        return result

    job_id = order(number).job_id
    await timed(orders.reserve(order(number)))
    await timed(orders.send_settlement(job_id, transaction(number), now=2))
    await timed(orders.settled(job_id, digest("settled"), 42, now=3))
    job = await timed(orders.claim(now=4, lease_until=10**9))
    if job is not None:  # the other process may have taken the last one
        proof = KeptProof(digest("blob"), ())
        await timed(orders.checkpoint(job.order.job_id, job.fence, proof, now=5))
        await timed(orders.finish(job.order.job_id, job.fence, ANSWER, now=6))
    return longest


async def work(url: str, first: int) -> float:
    """The longest write of this process, among all that it does at once."""
    async with open_stores(url) as stores:
        gate = asyncio.Semaphore(AT_A_TIME)

        async def one(number: int) -> float:
            async with gate:
                return await bring_through(stores.orders, number)

        return max(await asyncio.gather(*(one(first + n) for n in range(ORDERS))))


async def test_two_processes_share_a_database(shared_url: str) -> None:
    async with open_stores(shared_url) as stores:
        code = (
            f"import sys; sys.path[:0] = [{SUITES!r}, {str(Path(__file__).parent)!r}]\n"
            "import asyncio, test_two_processes as t\n"
            f"print(asyncio.run(t.work({shared_url!r}, int(sys.argv[1]))))\n"
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
        assert all(json.loads(each.stdout) < LONGEST_S for each in ran), ran
        while (job := await stores.orders.claim(now=9, lease_until=10**9)) is not None:
            await stores.orders.finish(job.order.job_id, job.fence, ANSWER, now=9)
        depth = await stores.orders.depth()
        assert depth[JobState.DONE] == 2 * ORDERS
        assert sum(depth.values()) == 2 * ORDERS
        assert await brought_to(stores.orders, JobState.DONE, 1)
