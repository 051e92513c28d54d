"""Thousands of paid jobs on a local chain, while processes are killed and the chain fails.

    JOBS=10000 SEED=1 DATABASE=sqlite SETTLE=batch PROCESSES=0 EZKL=0 make soak
    ESCROW=200 SEED=1 make soak      orders in an escrow and two nodes: see `escrow`

Real processes, started again whenever they are killed: on SQLite the one that does everything, on
PostgreSQL a gateway, which may be several, and its workers; anvil with a block each second and
three confirmations; both databases with durable commits. The buyers use our own client, and every
answer is proven by sumcheck, but for EZKL of them. At the end the buyers, the chain and the
gateway's books must agree on every payment. Exits with 0 when the last line is
`jobs N lost 0 doubled 0 unpaid 0 refunded K` and nothing else was wrong.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import ROOT, say
from bench.soak.buyers import Crowd
from bench.soak.chaos import Chaos
from bench.soak.escrow import soak_orders
from bench.soak.journal import Bought
from bench.soak.plan import make_plan
from bench.soak.verdict import judge, report
from bench.soak.world import ZOO, World, open_world
from inferproof.proving.registry import require_native
from inferproof.testing.market import LocalChain

CACHE = ROOT / ".inferproof" / "soak"
PAYERS = 200
SAY_S = 10.0
SECONDS_FOR_EACH = 0.5
"""A run that takes longer than this for each job, and START_S, is given up."""
START_S = 240.0


async def run(given: argparse.Namespace, chain: LocalChain, folder: Path) -> int:
    """The exit status."""
    plan = make_plan(
        *(given.jobs, given.seed, given.ezkl), processes=given.processes, alone=not given.workers
    )
    async with open_world(
        chain,
        folder,
        database=given.database,
        payers=min(PAYERS, max(10, given.jobs // 10)),
        workers=given.workers,
        processes=given.processes,
        concurrency=given.concurrency,
        jobs=given.jobs,
        batches=not given.single,
    ) as world:
        orders = [Bought(number, kind) for number, kind in enumerate(plan.kinds)]
        over: list[Bought] = []
        chaos = Chaos(world, plan, lambda: len(over))
        began = time.monotonic()
        await _sell(given, world, orders, over, chaos, folder)
        wall_s = time.monotonic() - began
        verdict = await judge(world, orders)
    print(report(plan, orders, verdict, chaos.happened, wall_s))
    print(verdict.line)
    return 0 if verdict.good else 1


async def _sell(
    given: argparse.Namespace,
    world: World,
    orders: list[Bought],
    over: list[Bought],
    chaos: Chaos,
    folder: Path,
) -> None:
    """Returns when every order is over, or its time is; `over` has those that are."""
    journal = folder / "journal"
    journal.mkdir()
    goods, payers, transfers = world.goods, world.payers, world.transfers
    crowd = Crowd(lambda: world.url, goods, journal, payers, transfers, given.seed)
    waiting = iter(orders)

    async def buyer() -> None:
        for order in waiting:
            await crowd.buy(order)
            over.append(order)

    limit = START_S + SECONDS_FOR_EACH * len(orders)
    others = [
        asyncio.create_task(work)
        for work in (chaos.run(), chaos.keep_alive(), _tell(over, len(orders)))
    ]
    buying = asyncio.gather(*(buyer() for _ in range(given.buyers)))
    try:
        async with asyncio.timeout(limit):
            while not buying.done():
                await asyncio.wait([buying, *others], return_when=asyncio.FIRST_COMPLETED)
                for task in [t for t in others if t.done()]:
                    others.remove(task)
                    task.result()  # a disaster that could not be brought about ends the run
            await buying
    except TimeoutError:
        say(f"given up after {limit:.0f} s")
    finally:
        buying.cancel()
        for task in others:
            task.cancel()
        await asyncio.gather(buying, *others, return_exceptions=True)
        await crowd.close()
        await asyncio.to_thread(world.deployment.revive)


async def _tell(over: list[Bought], of: int) -> None:
    while True:
        await asyncio.sleep(SAY_S)
        say(f"{len(over)} of {of} orders are over")


def main() -> int:
    """The exit status: 0 when nothing was lost, doubled or unpaid, and the books balance."""
    parser = argparse.ArgumentParser(prog="bench.soak", description="Soak a gateway in disasters.")
    environment = os.environ
    parser.add_argument("--jobs", type=int, default=int(environment.get("JOBS") or 10_000))
    parser.add_argument("--seed", type=int, default=int(environment.get("SEED") or 1))
    parser.add_argument(
        "--database",
        choices=("sqlite", "postgres"),
        default=environment.get("DATABASE") or "sqlite",
    )
    parser.add_argument(
        "--ezkl",
        type=int,
        default=int(environment.get("EZKL") or 0),
        help="orders that are proven by ezkl; every other is by sumcheck",
    )
    parser.add_argument("--buyers", type=int, help="orders under way at a time")
    parser.add_argument(
        "--processes",
        type=int,
        default=int(environment.get("PROCESSES") or 0),
        help="processes that take requests, beside one that settles; 0: one for all",
    )
    parser.add_argument(
        "--workers", type=int, help="worker processes; none on SQLite, whose gateway works itself"
    )
    parser.add_argument("--concurrency", type=int, default=4, help="jobs of each at a time")
    parser.add_argument(
        "--single",
        action="store_true",
        default=environment.get("SETTLE") == "single",
        help="settle each payment by a transaction of its own, not in batches",
    )
    parser.add_argument(
        "--escrow",
        type=int,
        default=int(environment.get("ESCROW") or 0),
        help="so many orders in an escrow in place of jobs, served by two nodes",
    )
    parser.add_argument("--keep", action="store_true", help="keep logs and database, and say where")
    given = parser.parse_args()
    on_sqlite = given.database == "sqlite"
    if on_sqlite and (given.workers or given.processes):
        parser.error("SQLite is for one process; several need DATABASE=postgres")
    if given.workers is None:
        given.workers = 0 if on_sqlite else 2
    given.buyers = given.buyers or max(64, min(400, given.jobs // 25))
    require_native("sumcheck")
    folder = Path(tempfile.mkdtemp(prefix="inferproof-soak-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    try:
        if given.escrow:
            return soak_orders(given.escrow, given.seed, folder)
        say("starting a chain, and compiling what is not compiled yet")
        with LocalChain(CACHE, zoo=(ZOO,), also_ezkl=given.ezkl > 0) as chain:
            return asyncio.run(run(given, chain, folder))
    finally:
        if given.keep:
            say(f"kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
