"""How many orders a second the storage alone reserves, durably: `python -m bench.storage`.

Each order is three rows: reservation, job, settlement. Buyers wait for their answer before they
send the next order, so the batches are what the load makes them.
"""

import argparse
import asyncio
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

from bench.measure import scratch
from inferproof.protocol.encoding import keccak256
from inferproof.protocol.quote import quote_digest
from inferproof.storage.ports.jobs import ValidatedOrder
from inferproof.storage.sql.engine import sqlite_url
from inferproof.testing.memory_store import open_stores
from inferproof.testing.samples import GATEWAY, Sample
from inferproof.types.digest import Digest


def orders_of(run: str, count: int) -> list[ValidatedOrder]:
    """Orders that differ in payment and job id."""
    sample = Sample()
    quote, payment = sample.quote(), sample.payment()
    first = ValidatedOrder(
        job_id=Digest(bytes(32)),
        model_id="sample",
        model_version="1.0.0",
        model_commitment=quote.model_commitment,
        request=sample.request,
        request_digest=sample.request_digest(),
        payment=payment,
        quote=quote,
        quote_signature=GATEWAY.sign(quote_digest(quote)),
        salt=bytes(32),
        nonce_salt=None,
        payment_id=None,
        first_block=7,
        created_at=1000,
        deadline=5000,
    )

    def digest(text: str) -> Digest:
        return Digest(keccak256(f"{run} {text}".encode()))

    return [
        replace(
            first,
            job_id=digest(f"job {number}"),
            payment=replace(payment, nonce=digest(f"nonce {number}")),
        )
        for number in range(count)
    ]


async def reserve_all(url: str, count: int, buyers: int, *, ask: bool) -> tuple[float, list[float]]:
    """Orders a second, and each order's seconds. With `ask` each order is looked for before."""
    waiting = iter(orders_of(str(time.time_ns()), count))
    seconds: list[float] = []
    async with open_stores(url) as stores:

        async def buyer() -> None:
            for order in waiting:
                begun = time.perf_counter()
                if ask:
                    await stores.orders.jobs.find_payment(order.payment)
                await stores.orders.jobs.reserve(order)
                seconds.append(time.perf_counter() - begun)

        begun = time.perf_counter()
        await asyncio.gather(*(buyer() for _ in range(buyers)))
        return count / (time.perf_counter() - begun), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", help="default: a SQLite file of its own")
    parser.add_argument("--orders", type=int, default=4000)
    parser.add_argument("--buyers", type=int, default=100)
    parser.add_argument("--ask", action="store_true", help="look for each payment before")
    given = parser.parse_args()
    with scratch("storage") as folder:
        url = given.url or sqlite_url(Path(folder) / "orders.db")
        rate, seconds = asyncio.run(reserve_all(url, given.orders, given.buyers, ask=given.ask))
    cuts = statistics.quantiles(seconds, n=100)
    sys.stdout.write(
        f"{rate:,.0f} orders/s, {given.buyers} buyers; ms: p50 {cuts[49] * 1e3:.1f}, "
        f"p95 {cuts[94] * 1e3:.1f}, p99 {cuts[98] * 1e3:.1f}\n"
    )


if __name__ == "__main__":
    main()
