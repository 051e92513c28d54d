"""The kill suite: `make kill`. Real processes die by SIGKILL at every step boundary and at random.

    every boundary    SQLite and PostgreSQL, one process that does all; on PostgreSQL also a gateway
                      with two workers; after each death the dead are started again, or the other
                      worker takes over, and the job is brought to its end
    several processes PostgreSQL, two processes that take requests, one that settles and a worker:
                      every boundary of the first two, and some of the others
    random times      many jobs at once, and now and then a process dies
    a real proof      ezkl, killed while it proves and after its proof was kept

At the end the books of each market are checked against its chain, to the atomic unit. Boundaries
come from the protocols by introspection (inferproof.testing.boundaries); one without a story in
`stories`, or one that its story does not come to, fails. Exit status 1 then, and for any promise
that was not kept.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from kill_market import END_S, KillMarket, open_market
from postgres_server import HOW, Databases, PostgresServer, available
from stories import BEHIND, CASES, SECOND, TAKING, WORKING

from inferproof.errors import InferproofError
from inferproof.testing.boundaries import Boundary, boundaries, unknown_questions
from inferproof.testing.deployment import Nursery
from inferproof.testing.devnet import FUNDS
from inferproof.testing.kill_server import FAULTY, REFUSED, SLOW

RANDOM_JOBS = 24
RANDOM_S = 12.0


@dataclass(frozen=True, slots=True)
class Layout:
    """The processes of a market."""

    name: str
    workers: int = 0
    processes: int = 0
    kinds: tuple[str, ...] = ("sqlite", "postgres")

    def wanted(self) -> list[Boundary]:
        """The boundaries at which its processes die."""
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
)


@dataclass
class Report:
    """What one market went through."""

    name: str
    covered: list[Boundary] = field(default_factory=list)
    missed: list[Boundary] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    kills: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    took_s: float = 0.0


def every_boundary(market: KillMarket, wanted: list[Boundary], report: Report) -> None:
    """One job, and one death, for each boundary."""
    for at in wanted:
        began = time.monotonic()
        CASES[at.effect].story(market, at)
        reached = market.deployment.fired
        market.kills += reached
        (report.covered if reached else report.missed).append(at)
        market.deployment.disarm()
        market.deployment.revive()
        _say(f"{report.name}: {at} {'' if reached else 'NOT REACHED '}{_since(began)}")


def random_times(market: KillMarket, seed: int) -> None:
    """Many jobs at once while processes die."""
    chance = random.Random(seed)  # noqa: S311 - a test that can be repeated
    moods = [REFUSED, FAULTY, SLOW] + [1.0] * 5
    jobs = [_random_job(market, moods[n % len(moods)]) for n in range(RANDOM_JOBS)]
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


def _random_job(market: KillMarket, mood: float):
    # A job whose every attempt is killed is refunded, which is right as well.
    return market.buy(mood, ends="refunded" if mood == REFUSED else "done/refunded")


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


def run_market(
    kind: str,
    layout: Layout,
    database_url: str | None,
    nursery: Nursery,
    options: argparse.Namespace,
) -> Report:
    """One market from its first job to its books."""
    name, began = f"{kind} {layout.name}", time.monotonic()
    report, real = Report(name), bool(layout.workers)
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
        ) as market:
            try:
                wanted = [b for b in layout.wanted() if not options.only or options.only in str(b)]
                every_boundary(market, wanted, report)
                if not options.only:
                    random_times(market, options.seed)
                    if real:
                        real_proofs(market)
                report.ends = market.check_books(FUNDS)
                market.check_taking(TAKING)
            finally:
                report.kills = market.kills
    except (AssertionError, RuntimeError, OSError, httpx.HTTPError, InferproofError) as problem:
        report.problems.append(f"{name}: {type(problem).__name__} {problem}")
    report.took_s = time.monotonic() - began
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
        "--layout", choices=[layout.name for layout in LAYOUTS], help="one of them alone"
    )
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--folder", help="where to keep data and logs")
    options = parser.parse_args()
    began = time.monotonic()
    kinds = [options.database] if options.database else ["sqlite", "postgres"]
    layouts = [each for each in LAYOUTS if options.layout in (None, each.name)]
    problems = [f"no case for {b}" for b in boundaries() if b.effect not in CASES]
    problems += [f"{name} is no longer part of a protocol" for name in unknown_questions()]
    with tempfile.TemporaryDirectory(prefix="inferproof-kill-") as kept:
        options.folder = options.folder or kept
        with databases(kinds) as made, Nursery() as nursery, ThreadPoolExecutor(2) as pool:
            # Before the first market begins: alembic keeps its state for all threads.
            markets = [
                (kind, layout, made[kind]())
                for layout in layouts
                for kind in kinds
                if kind in layout.kinds
            ]
            reports = list(pool.map(lambda each: run_market(*each, nursery, options), markets))
        for report in reports:
            problems += report.problems
            problems += [f"{report.name}: {b} was not reached" for b in report.missed]
    _show(reports, len(kinds), problems, time.monotonic() - began)
    return 1 if problems else 0


def _show(reports: list[Report], kinds: int, problems: list[str], took_s: float) -> None:
    for report in reports:
        ends = ", ".join(f"{state} {count}" for state, count in sorted(report.ends.items()))
        print(
            f"{report.name}: {len(report.covered)} boundaries, {report.kills} kills, "
            f"{sum(report.ends.values())} jobs ({ends}), {report.took_s:.0f} s"
        )
    covered = sorted({b for report in reports for b in report.covered})
    print("covered, and how each was brought about:")
    for boundary in covered:
        case = CASES[boundary.effect]
        print(f"  {boundary!s:<34} {case.story.__name__}: {case.how}")
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
