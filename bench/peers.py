"""ezkl beside the native prover: measured within limits, and kept until it is asked for again."""

import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.limits import Ended, Limit, Limits, run_within
from bench.machine import Watch, commit, describe_machine, ezkl_version, today
from bench.measure import BenchFailed, say
from bench.native import Row
from bench.native_models import NativeModel

PEER = [sys.executable, "-m", "bench.peer_ezkl"]
LIMITS = Limits(seconds=900.0, gigabytes=12.0)
SHORT, ALL, NONE = "short", "all", "none"
"""Which are measured: those that take seconds, each, or none; or the names of some, by commas."""

Run = Callable[[list[str], Limits], Ended]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which models ezkl is measured on, and within what limits for each."""

    which: str = SHORT
    limits: Limits = LIMITS

    @property
    def names(self) -> frozenset[str]:
        """The models that are asked for by name."""
        words = frozenset(self.which.split(","))
        return frozenset() if self.which in (SHORT, ALL, NONE) else words

    def measures(self, row: Row, name: str) -> bool:
        """Whether a model is measured; the others keep their figures."""
        return self.which == ALL or (self.which == SHORT and row.ezkl) or name in self.names


def measure_peers(
    rows: Sequence[Row],
    native: Mapping[str, Any],
    kept: Mapping[str, Any] | None,
    asked: Asked,
    work: Path,
    run: Run = run_within,
) -> dict[str, Any]:
    """A row for each model: measured now where asked for, else as it was kept, if it was.

    `native` has the rows of the same models in the same order.
    Raises: BenchFailed where it has not, and for a name that no model has.
    """
    names = [row["model"] for row in native["rows"]]
    if len(names) != len(rows):
        raise BenchFailed("the native prover was measured on other models: measure it first")
    if unknown := asked.names - set(names):
        raise BenchFailed(f"no model is called {', '.join(sorted(unknown))}")
    before = {row["model"]: row for row in kept["rows"]} if kept else {}
    measured = []
    for row, ours in zip(rows, native["rows"], strict=True):
        if not asked.measures(row, ours["model"]):
            if ours["model"] in before:
                measured.append(before[ours["model"]])
            continue
        # Keys take gigabytes: each model's are gone before the next.
        with TemporaryDirectory(dir=work) as name:
            model = row.make(Path(name))
            error = ours.get("max_error", 0.0)
            measured.append(measure_peer(model, error, asked.limits, Path(name), run))
    return {"rows": measured}


def measure_peer(
    model: NativeModel, error: float, limits: Limits, work: Path, run: Run = run_within
) -> dict[str, Any]:
    """What was reached of ezkl's figures, and the reason where that is not all."""
    files = model.files
    say(
        f"{files.name}: ezkl beside it, for {limits.seconds:,g} s "
        f"and {limits.gigabytes:g} GB at most"
    )
    given = (files.model, files.calibration, model.fresh, work / f"{files.name}.ezkl", error)
    watch, made_from = Watch(), commit()
    ended = run([*PEER, *map(str, given)], limits)
    lines = _lines(ended.printed)
    failed = _reason(ended, limits, lines)
    if failed:
        say(f"{files.name}: ezkl {failed}")
    figures = {name: value for line in lines for name, value in line.items()}
    return {
        "model": files.name,
        "date": today(),
        "commit": made_from,
        "machine": describe_machine(),
        "ezkl": ezkl_version(),
        "limits": limits.json(),
        "wall_s": ended.wall_s,
        "others": watch.others(),
        "reason": failed,
        **{name: value for name, value in figures.items() if name not in ("stage", "failed")},
    }


def _lines(printed: str) -> list[dict[str, Any]]:
    """What the peer told; a line that its end cut in two is none."""
    whole = printed[: printed.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines()]


def _reason(ended: Ended, limits: Limits, lines: list[dict[str, Any]]) -> str | None:
    """Why figures are missing, of what was seen alone; None where none are."""
    stage = next((line["stage"] for line in reversed(lines) if "stage" in line), "starting")
    after = f"after {ended.wall_s:,.0f} s"
    if ended.passed is Limit.TIME:
        return f"was stopped {after}, its limit, while {stage}"
    if ended.passed is Limit.MEMORY:
        return (
            f"was stopped for memory at {limits.gigabytes:g} GB, its limit, {after}, while {stage}"
        )
    told = next((line["failed"] for line in lines if "failed" in line), None)
    if told is not None:
        return f"failed {after}, while {stage}: “{told}”"
    if ended.status == 0:
        return None
    how = (
        f"ended by signal {signal.Signals(-ended.status).name}, which was not ours,"
        if ended.status < 0
        else f"ended with status {ended.status}"
    )
    last = next((line for line in reversed(ended.complaint.splitlines()) if line.strip()), "")
    said = f"; its last words: “{last.strip()[:300]}”" if last else ""
    return f"{how} {after}, while {stage}{said}"
