"""The kill suite: `make kill`. Real processes die by SIGKILL at every step boundary and at random.

    every boundary    SQLite and PostgreSQL, one process that does all; on PostgreSQL also a gateway
                      with two workers; after each death the dead are started again, or the other
                      worker takes over, and the job is brought to its end
    several processes PostgreSQL, two processes that take requests, one that settles and a worker:
                      every boundary of the first two, and some of the others
    random times      many jobs at once, and now and then a process dies
    a real proof      ezkl, killed while it proves and after its proof was kept
    a private model   SQLite, one process; PostgreSQL, two workers, of which one has a copy of the
                      compiled model: every boundary of a private proof and of what counts
                      openings of keys and private inputs, each phase of the proof, while an epoch
                      is made, and at random times; then no two proofs share randomness, and no slot
                      was given twice
    orders            SQLite and PostgreSQL, one process that serves the orders of an escrow, by
                      real proofs that its contracts verify: every boundary from the request to
                      the delivery's block, beside another server, late, replaced, taken back, and
                      of keeping money for bonds; then each order was accepted and delivered once,
                      and the escrow owes to the atomic unit what its rules say
    chain deploy      the command, at each transaction that it sends and at the file that it writes;
                      run again it ends with the same addresses, and one transaction for each step
    an ended mode     SQLite and PostgreSQL, one process: paid jobs wait about active models of each
                      mode that has ended; each step of suspending these and refunding those

At the end the books of each market are checked against its chain, to the atomic unit. Boundaries
come from the protocols by introspection (inferproof.testing.boundaries); one without a story in
`stories`, or one that its story does not come to, fails. Exit status 1 then, and for any promise
that was not kept.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from deploy_stories import DEPLOYED, deploys
from ended_stories import CASE as ENDED_CASE
from ended_stories import SUSPENDING, ended_boundaries
from kill_market import END_S, PRIVATE, Bought, KillMarket, open_market
from order_stories import DELIVERING, order_boundaries, order_case
from postgres_server import HOW, Databases, PostgresServer, available
from private_stories import (
    INPUT,
    MANY,
    OF_INPUTS,
    OPENING,
    Witness,
    case,
    control,
    many,
    phases,
    private_boundaries,
    restored_folder,
    while_made,
)
from stories import BEHIND, CASES, SECOND, TAKING, WORKING, Case

from inferproof.errors import InferproofError
from inferproof.testing.boundaries import Boundary, boundaries, unknown_questions
from inferproof.testing.deployment import Nursery
from inferproof.testing.devnet import FUNDS
from inferproof.testing.kill_server import FAULTY, REFUSED, SLOW

RANDOM_JOBS = 24
RANDOM_S = 12.0
DEPLOYMENT = "chain deploy"
"""The layout that is no market."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The processes of a market. With `private` its jobs are about a model whose openings are
    counted, with `ended` about models whose mode has ended, with `orders` they are orders of an
    escrow."""

    name: str
    workers: int = 0
    processes: int = 0
    private: bool = False
    ended: bool = False
    orders: bool = False
    kinds: tuple[str, ...] = ("sqlite", "postgres")

    def wanted(self, kind: str) -> list[Boundary]:
        """The boundaries at which its processes die, over this kind of database."""
        if self.private:
            return private_boundaries(boundaries())
        if self.ended:
            return ended_boundaries(boundaries())
        if self.orders:
            return order_boundaries(boundaries(), kind)
        known = [b for b in (*boundaries(), *SECOND) if b.effect in CASES]
        if self.workers:
            return [b for b in known if b.effect in WORKING]
        if self.processes:
            return [*(b for b in known if b.effect in TAKING), *BEHIND]
        return known


LAYOUTS = (
    Layout("alone"),
    Layout("with two workers", workers=2, kinds=("postgres",)),
    Layout("in several processes", processes=2, kinds=("postgres",)),
    Layout("with a private model", private=True, kinds=("sqlite",)),
    Layout("with a private model and two workers", private=True, workers=2, kinds=("postgres",)),
    Layout("with models of an ended mode", ended=True),
    Layout("with orders of an escrow", orders=True),
)


@dataclass
class Report:
    """What one market went through."""

    name: str
    covered: list[Boundary] = field(default_factory=list)
    missed: list[Boundary] = field(default_factory=list)
    how: dict[Boundary, Case] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    found: str = ""
    """What proofs that came out showed."""
    kills: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    took_s: float = 0.0


def every_boundary(
    market: KillMarket,
    wanted: list[Boundary],
    report: Report,
    case: Callable[[Boundary], Case] = lambda at: CASES[at.effect],
) -> None:
    """One job, and one death, for each boundary."""
    for at in wanted:
        began = time.monotonic()
        case(at).story(market, at)
        report.how[at] = case(at)
        reached = market.deployment.fired
        market.kills += reached
        (report.covered if reached else report.missed).append(at)
        market.deployment.disarm()
        market.deployment.revive()
        _say(f"{report.name}: {at} {'' if reached else 'NOT REACHED '}{_since(began)}")


def random_times(market: KillMarket, seed: int, model: str = "tiny") -> None:
    """Many jobs at once while processes die."""
    chance = random.Random(seed)  # noqa: S311 - a test that can be repeated
    moods = [REFUSED, FAULTY, SLOW] + [1.0] * 5
    jobs = [_random_job(market, moods[n % len(moods)], model) for n in range(RANDOM_JOBS)]
    end, sent = time.monotonic() + RANDOM_S, iter(jobs)
    while time.monotonic() < end:
        for _, job in zip(range(4), sent, strict=False):
            market.send(job)
        time.sleep(chance.uniform(0.05, 0.9))
        market.deployment.kill(chance.choice(market.deployment.roles))
        market.kills += 1
        market.deployment.revive()
    for job in jobs:
        market.bring_to_end(job)


def _random_job(market: KillMarket, mood: float, model: str) -> Bought:
    # A job whose every attempt is killed is refunded, which is right as well.
    ends = "refunded" if mood == REFUSED else "done/refunded"
    return market.buy(mood, ends=ends, model=model)


def real_proofs(market: KillMarket) -> None:
    """Killed while it proves it is proven again; killed after its proof was kept it is not."""
    for at, proofs in (("execution.prove:before", 2), ("queue.checkpoint:after", 1)):
        job = market.buy(model="tiny-real")
        market.arm(Boundary.read(at))
        market.send(job)
        if not market.wait_for_death(END_S):
            raise AssertionError(f"nobody died at {at} of a real proof")
        market.kills += 1
        market.bring_to_end(job)
        if market.proofs_of(job) != proofs:
            raise AssertionError(f"{at}: {market.proofs_of(job)} proofs, not {proofs}")


def private_proofs(
    market: KillMarket, wanted: list[Boundary], report: Report, options: argparse.Namespace
) -> None:
    """One death for each boundary of a private proof, its phases too; deaths while epochs are made
    and at random; a folder that is brought back. Whatever came out is looked at."""
    witness = Witness(market)
    many(market, MANY)
    every_boundary(market, wanted, report, case)
    found = [at for at in phases(market) if not options.only or options.only in str(at)]
    every_boundary(market, found, report, case)
    of_inputs = [at for at in OF_INPUTS if not options.only or options.only in str(at)]
    every_boundary(market, of_inputs, report, lambda _: INPUT)
    witness.look()
    if not options.only:
        while_made(market)
        random_times(market, options.seed, PRIVATE)
        witness.look()
        restored_folder(market, witness)
    report.found = witness.check()
    control(market, witness)


def run_market(
    kind: str,
    layout: Layout,
    database_url: str | None,
    nursery: Nursery,
    options: argparse.Namespace,
) -> Report:
    """One market from its first job to its books."""
    name, began = f"{kind} {layout.name}", time.monotonic()
    report, real = Report(name), bool(layout.workers) and not layout.private
    folder = Path(options.folder) / name.replace(" ", "-")
    try:
        with open_market(
            name,
            folder,
            database_url,
            nursery,
            workers=layout.workers,
            processes=layout.processes,
            ezkl=real,
            private=layout.private or layout.ended,
            orders=layout.orders,
        ) as market:
            try:
                wanted = [
                    b for b in layout.wanted(kind) if not options.only or options.only in str(b)
                ]
                if layout.private:
                    private_proofs(market, wanted, report, options)
                elif layout.ended:
                    every_boundary(market, wanted, report, lambda _: ENDED_CASE)
                elif layout.orders:
                    every_boundary(market, wanted, report, order_case)
                else:
                    every_boundary(market, wanted, report)
                    if not options.only:
                        random_times(market, options.seed)
                        if real:
                            real_proofs(market)
                if market.orders is not None:
                    report.ends = market.orders.check()
                else:
                    report.ends = market.check_books(FUNDS)
                market.check_taking(TAKING)
            finally:
                report.kills = market.kills
    except (AssertionError, RuntimeError, OSError, httpx.HTTPError, InferproofError) as problem:
        report.problems.append(f"{name}: {type(problem).__name__} {problem}")
    report.took_s = time.monotonic() - began
    return report


def run_deployment(options: argparse.Namespace) -> Report:
    """The contracts of a release, brought to a chain by a command that dies at each step."""
    report, began = Report(DEPLOYMENT), time.monotonic()
    try:
        for at, died in deploys(Path(options.folder) / "chain-deploy"):
            report.how[at] = DEPLOYED
            report.kills += died
            (report.covered if died else report.missed).append(at)
    except (AssertionError, RuntimeError, OSError, httpx.HTTPError, InferproofError) as problem:
        report.problems.append(f"{report.name}: {type(problem).__name__} {problem}")
    report.took_s = time.monotonic() - began
    _say(f"{report.name}: killed {report.kills} times, {report.took_s:.0f} s")
    return report


@contextmanager
def databases(kinds: list[str]) -> Iterator[dict[str, object]]:
    """A maker of addresses for each kind of database."""
    if "postgres" not in kinds:
        yield {"sqlite": lambda: None}
        return
    if not available():
        sys.exit(f"there is no PostgreSQL; {HOW}")
    with PostgresServer() as server:
        made = Databases(server.url)
        yield {"sqlite": lambda: None, "postgres": made.fresh}


def main() -> int:
    """0 when every promise was kept at every boundary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=["sqlite", "postgres"], help="one of them alone")
    parser.add_argument("--only", help="boundaries whose name holds this, and nothing else")
    parser.add_argument(
        "--layout",
        choices=[*(layout.name for layout in LAYOUTS), DEPLOYMENT],
        help="one of them alone",
    )
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--folder", help="where to keep data and logs")
    options = parser.parse_args()
    began = time.monotonic()
    kinds = [options.database] if options.database else ["sqlite", "postgres"]
    layouts = [each for each in LAYOUTS if options.layout in (None, each.name)]
    known = {*CASES, *OPENING, *SUSPENDING, *DELIVERING}
    problems = [f"no case for {b}" for b in boundaries() if b.effect not in known]
    problems += [f"{name} is no longer part of a protocol" for name in unknown_questions()]
    with tempfile.TemporaryDirectory(prefix="inferproof-kill-") as kept:
        options.folder = options.folder or kept
        # Where models that are compiled here are counted until a market counts them.
        os.environ["INFERPROOF_HOME"] = str(Path(options.folder) / "home")
        with databases(kinds) as made, Nursery() as nursery, ThreadPoolExecutor(2) as pool:
            # Before the first market begins: alembic keeps its state for all threads.
            markets = [
                (kind, layout, made[kind]())
                for layout in layouts
                for kind in kinds
                if kind in layout.kinds
            ]
            running = [pool.submit(run_market, *each, nursery, options) for each in markets]
            if options.layout in (None, DEPLOYMENT) and not options.only:
                running.append(pool.submit(run_deployment, options))
            reports = [each.result() for each in running]
        for report in reports:
            problems += report.problems
            problems += [f"{report.name}: {b} was not reached" for b in report.missed]
    _show(reports, len(kinds), problems, time.monotonic() - began)
    return 1 if problems else 0


def _show(reports: list[Report], kinds: int, problems: list[str], took_s: float) -> None:
    for report in reports:
        ends = ", ".join(f"{state} {count}" for state, count in sorted(report.ends.items()))
        print(
            f"{report.name}: {len(set(report.covered))} boundaries, {report.kills} kills, "
            f"{sum(report.ends.values())} jobs ({ends}), {report.took_s:.0f} s"
        )
        if report.found:
            print(f"  {report.found}")
    covered = sorted({b for report in reports for b in report.covered})
    print("covered, and how each was brought about:")
    how = {at: each for report in reports for at, each in report.how.items()}
    for at in covered:
        print(f"  {at!s:<34} {how[at].story.__name__}: {how[at].how}")
    for problem in problems:
        print(f"FAILED {problem}")
    jobs: Counter[str] = sum((report.ends for report in reports), Counter())
    kills = sum(report.kills for report in reports)
    bad = len(problems)
    print(
        f"kill: {len(covered)} boundaries × {kinds} databases, {kills} kills, "
        f"jobs {sum(jobs.values())} lost {bad} doubled {bad} unpaid {bad} "
        f"refunded {jobs['refunded']}, {took_s:.0f} s"
        if not bad
        else f"kill: {bad} promises not kept, {kills} kills, {took_s:.0f} s"
    )


def _say(line: str) -> None:
    print(line, flush=True)


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
