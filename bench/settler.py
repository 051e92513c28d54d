"""How many payments the whole settler settles in a second, and what it takes of a processor.

python -m bench.settler [--orders N] [--batch N] [--database URL]

Reserved orders wait in a database; then the settler runs as in a gateway: it signs, stores, sends,
reads receipts and moves jobs on, against a local chain that makes a block of 30 million gas each
second. Every run checks the payee's balance and the states of the jobs.

Units: the rate is of payments in the blocks after the first and before the last, for each second
between them. Processor time is this process's own, while it settles; the chain is another one.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.measure import BenchFailed, say
from bench.settlement import BLOCK_GAS, BLOCK_S, PRICE, Shop
from inferproof.chain.accounts import SettlementAccount
from inferproof.chain.batch import BatchTerms
from inferproof.chain.rpc import Rpc
from inferproof.payments.x402.method import ExactMethod, ExactTerms
from inferproof.payments.x402.receipt import authorization_payment
from inferproof.protocol.encoding import keccak256
from inferproof.services.event_bus import EventBus
from inferproof.services.settlement.service import Settler, SettlerSettings
from inferproof.storage.ports.jobs import ValidatedOrder
from inferproof.storage.ports.orders import Orders
from inferproof.storage.sql.engine import sqlite_url
from inferproof.testing.devnet import Devnet
from inferproof.testing.memory_store import open_stores
from inferproof.testing.metrics import MemoryMetrics
from inferproof.testing.samples import Sample
from inferproof.types.digest import Digest
from inferproof.types.job import JobState
from inferproof.types.money import Money

WAIT_S = 180.0
TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Result:
    """One run. `by_block` is settled payments in each block."""

    orders: int
    batch: int
    per_second: float
    by_block: list[int]
    seconds: float
    processor_s: float
    processor_ms_each: float


def order_of(shop: Shop, template: ValidatedOrder, number: int) -> ValidatedOrder:
    """A reserved order with a payment of its own."""
    (payment,) = shop.authorizations(1)
    return replace(
        template,
        job_id=Digest(keccak256(b"bench job %d" % number)),
        payment=authorization_payment(payment),
        quote=replace(template.quote, price=Money(PRICE, payment.asset)),
    )


def template() -> ValidatedOrder:
    """What the orders have in common."""
    sample = Sample()
    quote = sample.quote()
    return ValidatedOrder(
        job_id=Digest(bytes(32)),
        model_id="sample",
        model_version="1.0.0",
        model_commitment=quote.model_commitment,
        request=sample.request,
        request_digest=sample.request_digest(),
        payment=sample.payment(),
        quote=quote,
        quote_signature=bytes(65),
        salt=bytes(32),
        nonce_salt=None,
        payment_id=None,
        first_block=1,
        created_at=int(time.time()),
        deadline=2**40,
    )


async def reserve(orders: Orders, made: list[ValidatedOrder]) -> None:
    for at in range(0, len(made), TOGETHER):
        await asyncio.gather(*map(orders.jobs.reserve, made[at : at + TOGETHER]))


async def settle(settler: Settler, orders: Orders, count: int) -> tuple[float, float]:
    """Seconds and processor seconds until all are queued. Raises: BenchFailed."""
    started, used = time.monotonic(), time.process_time()
    task = asyncio.create_task(settler.run())
    try:
        while (await orders.ledger.depth())[JobState.QUEUED] < count:
            if task.done():
                task.result()
            if time.monotonic() > started + WAIT_S:
                raise BenchFailed(f"after {WAIT_S:g} s: {await orders.ledger.depth()}")
            await asyncio.sleep(0.25)
        return time.monotonic() - started, time.process_time() - used
    finally:
        task.cancel()
        await asyncio.wait([task])


async def run(count: int, batch: int, url: str) -> Result:
    """One run. Raises: BenchFailed when the books do not agree; InferproofError."""
    with Devnet() as devnet:
        info = devnet.info
        async with Rpc(info.rpc_url) as rpc, open_stores(url) as stores:
            shop = Shop(rpc, info, info.batch_settler)
            await shop.fund()
            await rpc.request("evm_setBlockGasLimit", hex(BLOCK_GAS))
            say(f"{count} orders are signed and reserved")
            made = [order_of(shop, template(), n) for n in range(count)]
            await reserve(stores.orders, made)
            payee = info.accounts.provider.address
            before = await shop.token.balance(payee)
            await rpc.request("evm_setAutomine", False)
            await rpc.request("evm_setIntervalMining", BLOCK_S)
            terms = BatchTerms(info.batch_settler, batch) if batch > 1 else None
            account = SettlementAccount(shop.token, info.accounts.gateway, batch=terms)
            settler = Settler(
                jobs=stores.orders.jobs,
                settlements=stores.orders.settlements,
                outbox=stores.orders.outbox,
                chain=account,
                methods={"exact": ExactMethod(info.token, account, ExactTerms())},
                settings=SettlerSettings(),
                clock=lambda: int(time.time()),
                metrics=MemoryMetrics(),
                event_bus=EventBus(),
                leader=stores.database.leader_lock("bench"),
            )
            seconds, used = await settle(settler, stores.orders, count)
            moved = await shop.token.balance(payee) - before
            if moved != count * PRICE:
                raise BenchFailed(f"{count} payments were settled, {moved} units arrived")
            settled = [await stores.orders.jobs.job(order.job_id) for order in made]
            blocks = Counter(job.settlement.block or 0 for job in settled)
    by_block = [blocks[number] for number in sorted(blocks)]
    full = by_block[1:-1]
    span = (sorted(blocks)[-2] - sorted(blocks)[0]) * BLOCK_S if full else 0
    rate = sum(full) / span if span else 0.0
    return Result(count, batch, rate, by_block, seconds, used, 1000 * used / count)


def measure(count: int, batch: int = 80, url: str | None = None) -> Result:
    """One run, on a SQLite file of its own where no database is named. Raises: as `run`."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(count, batch, url or sqlite_url(Path(folder) / "orders.db")))


def main() -> int:
    """The exit status: 0, or 1 with a sentence on standard error."""
    parser = argparse.ArgumentParser(description="Measure the settler on a local chain.")
    parser.add_argument("--orders", type=int, default=4_000)
    parser.add_argument("--batch", type=int, default=80, help="payments in a transaction")
    parser.add_argument("--database", help="address of an empty database; SQLite by default")
    given = parser.parse_args()
    try:
        result = measure(given.orders, given.batch, given.database)
    except BenchFailed as error:
        say(f"failed: {error}")
        return 1
    print(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
