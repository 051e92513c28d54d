"""The benchmark measures what it says, and its report is its results and nothing else."""

import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from bench import machine  # noqa: E402
from bench.burst import weigh  # noqa: E402
from bench.gas import EARLIER  # noqa: E402
from bench.measure import BenchFailed, Spread, percentile, run_json, scratch, spread  # noqa: E402
from bench.orders import Result, summary  # noqa: E402
from bench.report import render  # noqa: E402
from bench.run import FULL, QUICK, possible  # noqa: E402

BENCH = ROOT / "bench"


def figures(prove_s: float) -> dict[str, Any]:
    def of(value: float) -> dict[str, float | int]:
        return Spread(value, 0.9 * value, 1.1 * value, 3).json()

    return {
        "compile_s": 2.0,
        "compile_peak_mb": 200.0,
        "key_bytes": int(1e7 * prove_s),
        "max_error": 0.01,
        "agreement": 1.0,
        "witness_s": of(0.1),
        "prove_s": of(prove_s),
        "prove_peak_mb": 100.0 * prove_s,
        "proof_bytes": 3072,
        "file_bytes": 5000,
        "verify_s": of(0.005),
        "verify_command_s": of(0.5),
        "verify_peak_mb": 150.0,
        "logrows": 12,
        "rows": 2000,
        "scale": 8,
        "decomposition": [1024, 2],
        "load_s": of(0.01),
    }


def scenario(proving: str, p50: float) -> dict[str, Any]:
    stages = dict.fromkeys(
        (
            *("offer", "settle and queue", "preprocess", "load", "prove"),
            *("verify", "store", "fetch", "buyer"),
        ),
        p50 / 10,
    )
    return {
        "proving": proving,
        "concurrency": 1,
        "calls": 4,
        "errors": 0,
        "error_codes": [],
        "calls_per_s": 1 / p50,
        "latency_s": dict.fromkeys(("p50", "p95", "p99", "fastest", "slowest"), p50),
        "stages_s": stages,
        "samples_s": [p50] * 4,
    }


def burst(database: str) -> dict[str, Any]:
    run = {
        "database": database,
        "proving": "none",
        "orders": 100,
        "answered_s": {"p50": 1.5, "p95": 2.5, "p99": 3.5, "slowest": 4.5},
        "per_s": 21.5,
        "cpu_ms": {"gateway": 20.0, "worker": 30.0},
        "lost": 0,
        "doubled": 0,
        "unpaid": 0,
    }
    return {"date": "2026-11-21 12:00 UTC", "others": 0.02, "runs": [run]}


@pytest.fixture
def results() -> dict[str, Any]:
    return {
        "schema": "inferproof/bench/1",
        "date": "2026-11-21 12:00 UTC",
        "quick": False,
        "machine": {"cpu": "A CPU", "cores": 2, "memory_bytes": 2**34, "system": "Linux"},
        "versions": {"python": "3.11.7"},
        "load_before": 0.1,
        "gateway_others": 0.01,
        "took_s": 300.0,
        "models": [
            {
                "model": "fraud",
                "parameters": 1234,
                "proofs_per_round": 3,
                "others": 0.02,
                "inferproof": figures(0.5),
                "ezkl": figures(2.5),
            }
        ],
        "gateway": [scenario("none", 0.2), scenario("sumcheck", 0.9)],
    }


def test_orders_at_once_are_reported_where_they_were_measured(results: dict[str, Any]) -> None:
    assert "all at once" not in render(results)
    report = render({**results, "burst": burst("postgres")})
    assert "| postgres | without | 100 | 1.50 s | 2.50 s | 3.50 s | 4.50 s | 21.5 |" in report
    assert "| 20 ms | 30 ms | 0 / 0 / 0 |" in report


def orders(p95: float, *, accepted: int = 22_500, lost: int = 0) -> Result:
    return Result(
        database="sqlite",
        processes=1,
        rate=1500,
        seconds=15.0,
        orders=22_500,
        accepted=accepted,
        accepted_per_s=1499.9,
        latency_ms={"p50": 5.04, "p95": p95, "p99": 40.0},
        errors={},
        cpu_ms={"gateway": 0.512},
        settled_per_s=601.2,
        challenges_per_s=900.0,
        challenge_cpu_ms=0.9,
        lost=lost,
        doubled=0,
    )


def test_of_several_runs_the_median_is_told_and_every_order_that_one_lost() -> None:
    runs = [orders(24.0), orders(31.5, lost=2), orders(20.2, accepted=22_490)]
    told = summary(runs)
    assert told["latency_ms"]["p95"] == 24.0
    assert told["p95s_ms"] == [24.0, 31.5, 20.2]
    assert (told["lost"], told["doubled"], told["missed"]) == (2, 0, 10)
    assert summary(runs[:2])["latency_ms"]["p95"] == 24.0


def test_orders_at_a_rate_are_reported_where_they_were_measured(results: dict[str, Any]) -> None:
    assert "Taking paid orders" not in render(results)
    runs = [orders(24.0, accepted=22_499), orders(31.5), orders(20.2, lost=1)]
    settler = {"orders": 4000, "batch": 80, "per_second": 640.0, "processor_ms_each": 0.71}
    told = {"date": "2026-11-21 12:00 UTC", "others": 0.02, "settler": settler}
    made = [summary(runs), summary(runs[1:2])]
    report = render({**results, "orders": {**told, "runs": made}})
    start, end = "| sqlite | 1 | 1,500 | 1,500 | 5.0 ms |", "40.0 ms |"
    p95 = "24.0 ms (20.2 to 31.5 in 3 runs)"
    assert f"{start} {p95} | {end} 1 | 0.51 ms | 601 | 1 / 0 |" in report
    assert f"{start} 31.5 ms | {end} 0 | 0.51 ms | 601 | 0 / 0 |" in report
    assert "640 settlements a second, 0.71 ms of processor time each" in report


def test_without_postgresql_only_its_orders_are_left_out(results: dict[str, Any]) -> None:
    plan = possible(FULL, postgres=False)
    assert {burst.database for burst in plan.bursts} == {"sqlite"}
    assert plan.offers == tuple(o for o in FULL.offers if o.database == "sqlite") != ()
    assert (plan.models, plan.native, plan.settled) == (FULL.models, FULL.native, FULL.settled)
    assert plan.left_out is not None
    assert plan.left_out.startswith("orders on PostgreSQL; install PostgreSQL (")
    report = render({**results, "burst": {**burst("sqlite"), "left_out": plan.left_out}})
    assert "**Not run**: orders on PostgreSQL; install PostgreSQL (" in report
    assert "Not run" not in render({**results, "burst": {**burst("sqlite"), "left_out": None}})


def test_nothing_is_left_out_of_a_plan_that_this_machine_can_run() -> None:
    assert possible(FULL, postgres=True) is FULL
    assert possible(QUICK, postgres=False) is QUICK


COUNTED = {"jobs": 3, "done": 3, "payments": 3, "settled": 3}


@pytest.mark.parametrize(
    ("answered", "paid", "counted", "expected"),
    [
        (3, [1, 1, 1], {}, (0, 0, 0)),
        (2, [1, 1, 1], {}, (1, 0, 0)),
        (3, [1, 1, 1], {"done": 2}, (1, 0, 0)),
        (3, [1, 2, 1], {}, (0, 1, 0)),
        (3, [1, 1, 1], {"jobs": 4, "payments": 4}, (0, 1, 0)),
        (3, [1, 1, 1], {"payments": 2}, (0, 1, 0)),
        (3, [1, 0, 1], {}, (0, 0, 1)),
        (3, [1, 1, 1], {"settled": 2}, (0, 0, 1)),
    ],
    ids=[
        *("whole", "no answer", "not done", "paid twice", "two jobs", "one payment for two"),
        *("free answer", "not settled"),
    ],
)
def test_orders_at_once_are_counted_in_three_places(
    answered: int, paid: list[float], counted: dict[str, int], expected: tuple[int, int, int]
) -> None:
    assert weigh(3, answered, paid, {**COUNTED, **counted}) == expected


def test_a_spread_is_median_and_extremes() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0]) == Spread(2.5, 1.0, 10.0, 4)


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 1), (50, 50), (95, 95), (99, 99), (100, 100)]
)
def test_percentiles_are_by_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([float(i) for i in range(100, 0, -1)], percent) == expected


def test_the_percentiles_of_one_figure_are_that_figure() -> None:
    assert {percentile([7.0], p) for p in (50, 95, 99)} == {7.0}


def test_a_command_answers_with_its_last_line() -> None:
    script = "import json, sys; print('noise'); print(json.dumps(json.load(sys.stdin)))"
    ran = run_json([sys.executable, "-c", script], {"a": 1})
    assert ran.answer == {"a": 1}
    assert 0 < ran.wall_s < 60


def test_memory_of_a_small_command_is_small() -> None:
    # Linux counts in it what the process that started it ever held, so that is a small one too.
    script = (
        "import sys; from bench.measure import run_json\n"
        "print(run_json([sys.executable, '-c', 'print({})']).peak_mb)"
    )
    asked = [sys.executable, "-c", script]
    said = subprocess.run(asked, cwd=ROOT, capture_output=True, check=True, text=True)
    assert 1 < float(said.stdout) < 1000


def test_memory_of_a_command_is_that_of_its_largest_process() -> None:
    child = "x = bytearray(300_000_000)"
    script = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print({{}})"
    )
    assert run_json([sys.executable, "-c", script]).peak_mb > 290


def test_a_command_that_fails_is_no_measurement() -> None:
    with pytest.raises(BenchFailed, match=r"ended with 3: .*why it failed"):
        run_json([sys.executable, "-c", "import sys; print('why it failed'); sys.exit(3)"])


def test_the_report_has_both_sides_and_their_ratios(results: dict[str, Any]) -> None:
    report = render(results)
    assert "| fraud | 1,234 | inferproof | 12 | 2.0 s | 0.50 s (0.45–0.55) | 5.0 ms" in report
    assert "|  |  | plain ezkl | 12 | 2.0 s | 2.50 s (2.25–2.75) | 5.0 ms" in report
    assert "| 5 × | 1 × | 5 × | 5 × |" in report
    assert "| sumcheck | 1 | 4 | 0 | 900 ms | 900 ms | 900 ms | 900 ms | 1.1 | 4.5 × |" in report
    assert "**State**: quiet. The load was 0.10" in report
    assert "is 20% of its median" in report


def test_a_time_of_one_round_has_no_range_and_is_not_to_be_quoted(
    results: dict[str, Any],
) -> None:
    assert "do not quote it" not in render(results)
    results["models"][0]["ezkl"]["prove_s"] = Spread(2.5, 2.5, 2.5, 1).json()
    report = render(results)
    assert "| 2.50 s | 5.0 ms (4.5–5.5) |" in report
    assert "comes from one round: do not quote it." in report
    results["models"][0]["inferproof"]["prove_s"] = Spread(0.5, 0.5, 0.5, 1).json()
    assert "one round only" in render(results)


def test_the_report_says_when_the_machine_was_busy(results: dict[str, Any]) -> None:
    results["gateway_others"] = 0.2
    report = render(results)
    assert "**not quiet**" in report
    assert "fraud 2%, gateway 20%." in report


def test_the_report_does_not_call_quiet_what_it_could_not_see(results: dict[str, Any]) -> None:
    results["gateway_others"] = results["models"][0]["others"] = None
    report = render(results)
    assert "quiet" not in report
    assert "what others took meanwhile is not known" in report


@pytest.mark.parametrize(("own", "others"), [(14.0, 0.3), (20.0, 0.0), (21.0, 0.0), (10.0, 0.5)])
def test_what_is_not_ours_others_took(
    monkeypatch: pytest.MonkeyPatch, own: float, others: float
) -> None:
    def clock(busy: float | None, ours: float, wall: float) -> None:
        monkeypatch.setattr(machine, "_busy_s", lambda: busy)
        monkeypatch.setattr(machine, "_own_s", lambda: ours)
        monkeypatch.setattr("time.monotonic", lambda: wall)

    monkeypatch.setattr("os.cpu_count", lambda: 2)
    clock(busy=100.0, ours=10.0, wall=1000.0)
    watch = machine.Watch()
    clock(busy=110.0, ours=own, wall=1010.0)
    assert watch.others() == pytest.approx(others)
    clock(busy=None, ours=own, wall=1010.0)
    assert watch.others() is None


def test_work_of_a_living_child_is_ours() -> None:
    spin = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    before = machine.cpu_s(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", spin], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        alive = machine.cpu_s(os.getpid())
        assert machine.cpu_s(child.pid) >= 0.25
    child.wait()
    assert machine.cpu_s(child.pid) == 0
    assert alive - before >= 0.25
    # Sums of hundredths, in another order.
    assert machine.cpu_s(os.getpid()) >= alive - 1e-6


def test_the_report_shows_failed_calls(results: dict[str, Any]) -> None:
    failed = deepcopy(results["gateway"][1])
    failed |= {"errors": 4, "error_codes": ["GATEWAY_LOST"], "latency_s": None, "stages_s": None}
    results["gateway"][1] = failed
    assert "| sumcheck | 1 | 4 | 4 (GATEWAY_LOST) | – | – | – | – | 1.1 | – |" in render(results)


def test_the_committed_report_is_that_of_the_committed_results() -> None:
    results = json.loads((BENCH / "results.json").read_text())
    assert not results["quick"]
    gas = json.loads((BENCH / "gas.json").read_text())
    assert (BENCH / "RESULTS.md").read_text() == render(results, gas)
    assert {m["model"] for m in results["models"]} >= {
        *("sentiment", "token_risk", "fraud", "mlp-784-128-10")
    }
    for plot in ("prove.png", "memory.png", "latency.png"):
        assert 5_000 < (BENCH / "plots" / plot).stat().st_size < 100_000


@pytest.mark.native
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_quick_run_measures_everything_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH / "run.py"), "--quick", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert [m["model"] for m in results["models"]] == ["token_risk", "mlp-16-16-4"]
    for model in results["models"]:
        for peer in ("inferproof", "ezkl"):
            assert model[peer]["prove_s"]["median"] > model[peer]["witness_s"]["median"] > 0
            assert model[peer]["verify_s"]["median"] > 0
            assert model[peer]["key_bytes"] > model[peer]["proof_bytes"] > 2000
            assert model[peer]["prove_peak_mb"] > 20
        assert model["inferproof"]["logrows"] < model["ezkl"]["logrows"]
    expected = [("none", 1, 3), ("sumcheck", 1, 2), ("none", 4, 4), ("sumcheck", 4, 4)]
    got = [(s["proving"], s["concurrency"], s["calls"]) for s in results["gateway"]]
    assert got == expected
    assert [s["errors"] for s in results["gateway"]] == [0, 0, 0, 0]
    for measured in results["gateway"]:
        assert len(measured["samples_s"]) == measured["calls"]
        assert measured["stages_s"]["verify"] > 0
    gas = json.loads(EARLIER.read_text())
    assert (tmp_path / "RESULTS.md").read_text() == render(results, gas)
    assert "quick run" in (tmp_path / "RESULTS.md").read_text()
    (native,) = results["native"]["rows"]
    assert native["prove_s"]["median"] > native["witness_s"]["median"] > 0
    assert native["security"]["default"] >= 100
    (peer,) = results["peers"]["rows"]
    assert (peer["model"], peer["reason"], peer["compared"]) == (native["model"], None, 21)
    assert peer["prove_s"]["median"] > 10 * native["prove_s"]["median"]
    names = {p.name for p in (tmp_path / "plots").iterdir()}
    assert names == {*("prove.png", "memory.png", "latency.png", "native.png", "native_phases.png")}


def test_a_run_that_is_killed_leaves_nothing_that_git_would_take() -> None:
    with scratch("orders") as name:
        folder = Path(name)
        assert folder.is_dir()
        (place,) = folder.relative_to(ROOT).parts[:-1]
    assert not folder.exists()
    assert f"{place}/" in (ROOT / ".gitignore").read_text().splitlines()
