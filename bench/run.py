"""`make bench`: measures, and writes RESULTS.md, results.json and plots/.

python bench/run.py [--quick] [--out DIR]
python bench/run.py --native | --ezkl | --burst | --orders [--out DIR]     only that section anew
python bench/run.py [--ezkl] --peers short|all|none|MODEL,… --peer-seconds N --peer-gb N
python bench/run.py --render DIR     writes RESULTS.md and plots anew from its results.json
"""

import argparse
import importlib.util
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from bench.burst import Burst, measure_bursts  # noqa: E402
from bench.gas import EARLIER  # noqa: E402
from bench.gateway import Scenario, measure_calls, open_shop  # noqa: E402
from bench.limits import Limits  # noqa: E402
from bench.machine import (  # noqa: E402
    Watch,
    describe_machine,
    describe_versions,
    load_average,
    today,
)
from bench.measure import BenchFailed, say  # noqa: E402
from bench.models import BenchModel, dense_model, zoo_model  # noqa: E402
from bench.native import ALL, FEW, Row, measure_native  # noqa: E402
from bench.offline import Effort, measure_model  # noqa: E402
from bench.orders import Result, summary  # noqa: E402
from bench.orders import measure as measure_orders  # noqa: E402
from bench.peers import LIMITS, SHORT, Asked, measure_peers  # noqa: E402
from bench.plots import draw  # noqa: E402
from bench.report import render  # noqa: E402
from bench.settler import measure as measure_settler  # noqa: E402
from inferproof.errors import InferproofError  # noqa: E402

SCHEMA = "inferproof/bench/1"
POSTGRES = "orders on PostgreSQL"
HOW_POSTGRES = (
    "install PostgreSQL (Debian/Ubuntu: apt-get install postgresql; macOS: brew install "
    "postgresql) and the extra postgres"
)

Make = Callable[[Path], BenchModel]


@dataclass(frozen=True, slots=True)
class Offer:
    """Orders at a rate, to so many processes, in so many runs."""

    database: str
    processes: int
    rate: int
    seconds: float = 15.0
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how often."""

    models: tuple[tuple[Make, Effort], ...]
    native: tuple[Row, ...]
    scenarios: tuple[Scenario, ...]
    bursts: tuple[Burst, ...]
    offers: tuple[Offer, ...]
    settled: int
    """How many orders the settler alone is given."""
    left_out: str | None = None
    """What this machine lacks the means for, and why."""


def _zoo(folder: str) -> Make:
    return lambda work: zoo_model(folder, work)


def _dense(*sizes: int) -> Make:
    return lambda work: dense_model(sizes, work)


SMALL = Effort(rounds=3, repeat=2, verifies=5, limit_s=45)
LARGE = Effort(rounds=3, repeat=1, verifies=5, limit_s=60)
FULL = Plan(
    models=(
        (_zoo("sentiment"), SMALL),
        (_zoo("token_risk"), SMALL),
        (_zoo("fraud"), SMALL),
        (_dense(784, 128, 10), LARGE),
    ),
    native=ALL,
    scenarios=(
        Scenario(proving=False, concurrency=1, calls=200, warm_up=5, limit_s=40),
        Scenario(proving=True, concurrency=1, calls=50, warm_up=3, limit_s=50),
        Scenario(proving=False, concurrency=8, calls=200, warm_up=5, limit_s=30),
        Scenario(proving=True, concurrency=8, calls=64, warm_up=3, limit_s=50),
    ),
    bursts=tuple(
        Burst(database, proving, orders=100)
        for database in ("sqlite", "postgres")
        for proving in (False, True)
    ),
    offers=(
        Offer("sqlite", processes=0, rate=500),
        Offer("sqlite", processes=0, rate=900, runs=3),
        Offer("postgres", processes=1, rate=1500, runs=3),
        Offer("postgres", processes=2, rate=1500),
        Offer("postgres", processes=2, rate=2500, runs=3),
    ),
    settled=4000,
)
"""Sized for twenty minutes on two cores. The limits hold all but the bursts there on slower
ones, with fewer runs."""
ONCE = Effort(rounds=1, repeat=0, verifies=1, limit_s=10)
QUICK = Plan(
    models=((_zoo("token_risk"), ONCE), (_dense(16, 16, 4), ONCE)),
    native=FEW,
    scenarios=(
        Scenario(proving=False, concurrency=1, calls=3, warm_up=1, limit_s=30),
        Scenario(proving=True, concurrency=1, calls=2, warm_up=1, limit_s=30),
        Scenario(proving=False, concurrency=4, calls=4, warm_up=0, limit_s=30),
        Scenario(proving=True, concurrency=4, calls=4, warm_up=0, limit_s=30),
    ),
    bursts=(Burst("sqlite", proving=False, orders=4),),
    offers=(Offer("sqlite", processes=0, rate=50, seconds=2.0),),
    settled=2400,
)


def possible(plan: Plan, *, postgres: bool) -> Plan:
    """The plan, without what needs a PostgreSQL server where there is none."""
    bursts = tuple(burst for burst in plan.bursts if postgres or burst.database != "postgres")
    offers = tuple(offer for offer in plan.offers if postgres or offer.database != "postgres")
    if (bursts, offers) == (plan.bursts, plan.offers):
        return plan
    return replace(plan, bursts=bursts, offers=offers, left_out=f"{POSTGRES}; {HOW_POSTGRES}")


def _has_postgres() -> bool:
    sys.path.insert(0, str(HERE.parent / "tests" / "suites"))
    from postgres_server import find_programs

    return importlib.util.find_spec("asyncpg") is not None and find_programs() is not None


def measure(
    plan: Plan, asked: Asked, kept: dict[str, Any] | None, *, quick: bool
) -> dict[str, Any]:
    """All figures, with those of ezkl that were `kept` and are not asked for.

    Raises: BenchFailed; InferproofError where the market does not start.
    """
    began, before = time.monotonic(), load_average()
    head = {
        "schema": SCHEMA,
        "date": today(),
        "quick": quick,
        "machine": describe_machine(),
        "versions": describe_versions(),
    }
    models = []
    with tempfile.TemporaryDirectory(prefix="inferproof-bench-") as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as another user
        for make, effort in plan.models:
            # Keys take hundreds of megabytes: each model's are gone before the next.
            with tempfile.TemporaryDirectory(dir=name) as work:
                watch = Watch()
                model = measure_model(make(Path(work)), Path(work), effort)
                models.append({**model, "others": watch.others()})
        native = measure_native(plan.native, Path(name))
        peers = measure_peers(plan.native, native, kept, asked, Path(name))
        watch = Watch()
        with open_shop(Path(name)) as shop:
            gateway = [measure_calls(shop, scenario) for scenario in plan.scenarios]
        others = watch.others()
        bursts = measure_burst(plan, Path(name))
        orders = measure_offers(plan)
    return {
        **head,
        "load_before": before,
        "gateway_others": others,
        "took_s": time.monotonic() - began,
        "models": models,
        "native": native,
        "peers": peers,
        "gateway": gateway,
        "burst": bursts,
        "orders": orders,
    }


def measure_burst(plan: Plan, work: Path) -> dict[str, Any]:
    """The figures of orders that come all at once, with what is to be known of the moment."""
    watch = Watch()
    runs = measure_bursts(plan.bursts, work)
    return {
        "date": today(),
        "others": watch.others(),
        "left_out": plan.left_out,
        "runs": runs,
    }


def measure_offers(plan: Plan) -> dict[str, Any]:
    """The figures of orders at a fixed rate, and of the settler alone.

    Several runs of one offer take turns with the others': a machine has better and worse minutes.
    """
    watch = Watch()
    made: dict[Offer, list[Result]] = {offer: [] for offer in plan.offers}
    for turn in range(max(offer.runs for offer in plan.offers)):
        for offer, runs in made.items():
            if turn < offer.runs:
                given = (offer.database, offer.rate, offer.seconds)
                runs.append(measure_orders(*given, processes=offer.processes))
    settler = measure_settler(plan.settled)
    return {
        "date": today(),
        "others": watch.others(),
        "left_out": plan.left_out,
        "runs": [summary(runs) for runs in made.values()],
        "settler": asdict(settler),
    }


def write(results: dict[str, Any], out: Path) -> None:
    """RESULTS.md, results.json and the plots, in the folder."""
    out.mkdir(parents=True, exist_ok=True)
    rounded = _rounded(results)
    (out / "results.json").write_text(json.dumps(rounded, indent=1, ensure_ascii=False) + "\n")
    _draw(rounded, out)


def _draw(results: dict[str, Any], out: Path) -> None:
    (out / "RESULTS.md").write_text(render(results, json.loads(EARLIER.read_text())))
    shutil.rmtree(out / "plots", ignore_errors=True)
    draw(results, out / "plots")


def _kept_peers(out: Path) -> dict[str, Any] | None:
    """ezkl's figures of earlier runs, which long ones keep."""
    path = out / "results.json"
    kept: dict[str, Any] | None = (
        json.loads(path.read_text()).get("peers") if path.exists() else None
    )
    return kept


def _rounded(value: Any) -> Any:
    """The same with six digits a figure: the others are noise."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def main() -> int:
    """The exit status: 0, or 1 with a sentence on standard error."""
    parser = argparse.ArgumentParser(description="Measure inferproof on this machine.")
    parser.add_argument("--quick", action="store_true", help="once each, within a minute")
    parser.add_argument("--out", type=Path, default=HERE, help="where the results are written")
    parser.add_argument(
        "--burst", action="store_true", help="measure only orders at once; the rest stays as it is"
    )
    parser.add_argument(
        "--orders", action="store_true", help="measure only orders at a rate; the rest stays"
    )
    parser.add_argument(
        "--native", action="store_true", help="measure only the native prover; the rest stays"
    )
    parser.add_argument(
        "--ezkl", action="store_true", help="measure only ezkl beside the native prover"
    )
    parser.add_argument(
        "--peers",
        default=SHORT,
        metavar="WHICH",
        help="the models that ezkl is measured on: short (those that take it seconds), all, none, "
        "or names by commas; the others keep their figures",
    )
    parser.add_argument(
        "--peer-seconds",
        type=float,
        default=LIMITS.seconds,
        metavar="N",
        help="for ezkl on one model, from its settings to the last figure",
    )
    parser.add_argument(
        "--peer-gb",
        type=float,
        default=LIMITS.gigabytes,
        metavar="N",
        help="of resident memory for ezkl",
    )
    parser.add_argument("--render", type=Path, metavar="DIR", help="only write DIR's report anew")
    given = parser.parse_args()
    if given.render is not None:
        _draw(json.loads((given.render / "results.json").read_text()), given.render)
        return 0
    plan = possible(QUICK if given.quick else FULL, postgres=_has_postgres())
    if plan.left_out and not (given.native or given.ezkl):
        say(f"NOT RUN: {plan.left_out}")
    asked = Asked(given.peers, Limits(given.peer_seconds, given.peer_gb))
    try:
        if given.burst:
            results = json.loads((given.out / "results.json").read_text())
            with tempfile.TemporaryDirectory(prefix="inferproof-bench-") as name:
                Path(name).chmod(0o755)  # PostgreSQL runs as another user
                results["burst"] = measure_burst(plan, Path(name))
        elif given.orders:
            results = json.loads((given.out / "results.json").read_text())
            results["orders"] = measure_offers(plan)
        elif given.native:
            results = json.loads((given.out / "results.json").read_text())
            with tempfile.TemporaryDirectory(prefix="inferproof-bench-") as name:
                results["native"] = measure_native(plan.native, Path(name))
        elif given.ezkl:
            results = json.loads((given.out / "results.json").read_text())
            with tempfile.TemporaryDirectory(prefix="inferproof-bench-") as name:
                results["peers"] = measure_peers(
                    plan.native, results["native"], results.get("peers"), asked, Path(name)
                )
        else:
            results = measure(plan, asked, _kept_peers(given.out), quick=given.quick)
    except (BenchFailed, InferproofError) as error:
        say(f"failed: {error}")
        return 1
    write(results, given.out)
    say(f"written to {given.out / 'RESULTS.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
