"""Gas of contracts beside that of the last release: what is worse, missing or unknown fails."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from bench import gas  # noqa: E402
from bench.gas import Fault, compare, read_measured, render_gas, taken_over  # noqa: E402
from bench.measure import BenchFailed  # noqa: E402

BOUNDS = {
    ("registry", "register"): 220_000,
    ("escrow", "a buyer's first request, with permit"): 170_000,
    ("escrow", "request, with permit"): 170_000,
    ("escrow", "a server's first accept"): 110_000,
    ("escrow", "accept"): 110_000,
    ("escrow", "a server's first deliver"): 140_000,
    ("escrow", "deliver"): 140_000,
    ("escrow", "a buyer's first refund of an open order"): 80_000,
    ("escrow", "refund of an open order"): 80_000,
    ("escrow", "refund of an order that failed"): 80_000,
    ("revenue", "pay 50 new payees, with an authorization: each"): 45_000,
}
"""What was promised of the market."""


def kept(**figures: tuple[int, int | None]) -> dict[str, Any]:
    made = {name: {"gas": took, "bound": bound} for name, (took, bound) in figures.items()}
    return {"schema": gas.SCHEMA, "release": "1.0", "figures": {"escrow": made}}


def faults(earlier: dict[str, Any], **now: int) -> dict[str, Fault | None]:
    found = compare(earlier, {("escrow", name): took for name, took in now.items()})
    return {each.name: each.fault for each in found}


@pytest.mark.parametrize(
    ("now", "fault"),
    [(1, None), (100_000, None), (105_000, None), (105_001, Fault.WORSE), (10**6, Fault.WORSE)],
)
def test_a_figure_may_be_five_percent_worse(now: int, fault: Fault | None) -> None:
    assert faults(kept(accept=(100_000, None)), accept=now) == {"accept": fault}


def test_a_figure_fails_at_its_bound_however_little_worse_it_is() -> None:
    earlier = kept(accept=(109_999, 110_000))
    assert faults(earlier, accept=110_000) == {"accept": None}
    assert faults(earlier, accept=110_001) == {"accept": Fault.BOUND}


def test_a_missing_and_an_unknown_figure_fail() -> None:
    earlier = kept(accept=(100, None), refund=(100, None))
    assert faults(earlier, accept=100, deliver=5) == {
        "accept": None,
        "deliver": Fault.UNKNOWN,
        "refund": Fault.MISSING,
    }


def test_what_is_taken_over_keeps_its_bound() -> None:
    earlier = kept(accept=(100, 300), refund=(100, None))
    now = {("escrow", "accept"): 250, ("escrow", "deliver"): 7}
    assert taken_over(compare(earlier, now), "2.0") == {
        "schema": gas.SCHEMA,
        "release": "2.0",
        "figures": {
            "escrow": {"accept": {"gas": 250, "bound": 300}, "deliver": {"gas": 7, "bound": None}}
        },
    }


def test_nothing_is_taken_over_that_is_over_its_bound() -> None:
    found = compare(kept(accept=(100, 300)), {("escrow", "accept"): 301})
    with pytest.raises(BenchFailed, match=r"^over their bounds: accept$"):
        taken_over(found, "2.0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Snapshots as forge writes them, and figures to compare with."""
    for group in gas.GROUPS:
        (tmp_path / f"{group}.json").write_text("{}")
    (tmp_path / "escrow.json").write_text('{"accept": "76116"}')
    (tmp_path / "gas.json").write_text(json.dumps(kept(accept=(76_000, 110_000))))
    return tmp_path


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    given = ["--measured", str(folder), "--earlier", str(folder / "gas.json"), *words]
    monkeypatch.setattr(sys, "argv", ["bench.gas", *given])
    return gas.main()


def test_the_command_prints_a_table_and_fails_for_a_worse_figure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, monkeypatch) == 0
    assert "| escrow: accept | 76,000 | 76,116 | +0.2 % | 110,000 |  |" in capsys.readouterr().out
    (folder / "escrow.json").write_text('{"accept": "90000", "deliver": "5"}')
    assert run(folder, monkeypatch) == 1
    out, err = capsys.readouterr()
    assert "| 76,000 | 90,000 | +18.4 % | 110,000 | more than 5 % worse |" in out
    assert "| escrow: deliver | – | 5 | – | – | not in gas.json: take it over with --write |" in out
    assert "failed: escrow: accept: more than 5 % worse" in err
    assert run(folder, monkeypatch, "--write") == 0
    assert run(folder, monkeypatch) == 0


def test_without_a_measurement_nothing_is_compared(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "revenue.json").unlink()
    with pytest.raises(BenchFailed, match=r"revenue\.json is not there: run make -C contracts"):
        read_measured(folder)
    assert run(folder, monkeypatch) == 1
    assert "run make -C contracts test" in capsys.readouterr().err


def test_the_bounds_are_those_that_were_promised() -> None:
    figures = json.loads(gas.EARLIER.read_text())["figures"]
    for (group, name), bound in BOUNDS.items():
        assert figures[group][name]["bound"] == bound
    within = [f for names in figures.values() for f in names.values() if f["bound"] is not None]
    assert all(figure["gas"] <= figure["bound"] for figure in within)


def test_the_report_has_a_section_where_there_are_figures() -> None:
    assert render_gas(None) == ""
    told = render_gas(kept(accept=(76_116, 110_000), refund=(5, None)))
    assert "## Gas of the market\n\nWhat transactions take at 1.0: " in told
    assert told.endswith("| escrow | accept | 76,116 | 110,000 |\n| escrow | refund | 5 | – |")
