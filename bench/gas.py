"""Gas of the market's contracts beside that of the last release.

    make -C contracts test       measures: tests write their figures into contracts/out/snapshots
    python -m bench.gas          compares them with gas.json, and prints the table
    python -m bench.gas --write  takes the new figures over, as a release does

A figure is what a whole transaction takes (execution, 21,000, call data), or that part which its
name says, with cold storage. It fails where it is over its bound, more than 5 % above the earlier
one, or in one of the two lists alone, so that nothing drops out of sight. A bound is kept by hand
in gas.json; null is none.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench.measure import BenchFailed, say
from bench.tables import table

HERE = Path(__file__).resolve().parent
EARLIER = HERE / "gas.json"
MEASURED = HERE.parent / "contracts" / "out" / "snapshots"
GROUPS = ("registry", "escrow", "access", "revenue")
"""Files of forge's snapshots that are figures of the market."""
SCHEMA = "inferproof/bench-gas/1"
WORSE_PERCENT = 5
HEAD = ("what", "earlier", "now", "change", "at most", "")

Figures = dict[tuple[str, str], int]


class Fault(StrEnum):
    """Why a figure fails."""

    WORSE = f"more than {WORSE_PERCENT} % worse"
    BOUND = "over its bound"
    MISSING = "not measured"
    UNKNOWN = "not in gas.json: take it over with --write"


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure, by group and name. Units: gas."""

    group: str
    name: str
    earlier: int | None
    now: int | None
    bound: int | None

    @property
    def fault(self) -> Fault | None:
        """Why it fails, or None."""
        if self.now is None:
            return Fault.MISSING
        if self.bound is not None and self.now > self.bound:
            return Fault.BOUND
        if self.earlier is None:
            return Fault.UNKNOWN
        worse = 100 * self.now > (100 + WORSE_PERCENT) * self.earlier
        return Fault.WORSE if worse else None

    def row(self) -> list[str]:
        """The cells of its line in the table."""
        change = "–"
        if self.now is not None and self.earlier is not None:
            change = f"{100 * (self.now - self.earlier) / self.earlier:+.1f} %"
        numbers = [_number(self.earlier), _number(self.now), change, _number(self.bound)]
        return [f"{self.group}: {self.name}", *numbers, self.fault or ""]


def compare(kept: Mapping[str, Any], measured: Figures) -> list[Compared]:
    """All figures of gas.json and of the measurement, in the order of the groups and names."""
    earlier: dict[tuple[str, str], dict[str, Any]] = {
        (group, name): figure
        for group, figures in kept["figures"].items()
        for name, figure in figures.items()
    }
    nothing = {"gas": None, "bound": None}
    return [
        Compared(
            *key,
            earlier=earlier.get(key, nothing)["gas"],
            now=measured.get(key),
            bound=earlier.get(key, nothing)["bound"],
        )
        for key in _in_order(earlier.keys() | measured.keys())
    ]


def read_measured(folder: Path) -> Figures:
    """What forge's tests wrote. Raises: BenchFailed where a group is not there."""
    found: Figures = {}
    for group in GROUPS:
        path = folder / f"{group}.json"
        if not path.exists():
            raise BenchFailed(f"{path} is not there: run make -C contracts test")
        for name, gas in json.loads(path.read_text()).items():
            found[group, name] = int(gas)
    return found


def taken_over(compared: list[Compared], version: str) -> dict[str, Any]:
    """gas.json with the new figures and the bounds that were there; what was not measured is left
    out. Raises: BenchFailed where one is over its bound."""
    over = [each.name for each in compared if each.fault is Fault.BOUND]
    if over:
        raise BenchFailed(f"over their bounds: {', '.join(over)}")
    figures: dict[str, dict[str, Any]] = {}
    for each in compared:
        if each.now is not None:
            figures.setdefault(each.group, {})[each.name] = {"gas": each.now, "bound": each.bound}
    return {"schema": SCHEMA, "release": version, "figures": figures}


def render_gas(kept: Mapping[str, Any] | None) -> str:
    """The section of RESULTS.md; nothing where there are no figures."""
    if kept is None:
        return ""
    rows = [
        [group, name, f"{figure['gas']:,}", _number(figure["bound"])]
        for group, figures in kept["figures"].items()
        for name, figure in figures.items()
    ]
    return "\n".join(
        [
            "## Gas of the market",
            "",
            f"What transactions take at {kept['release']}: execution, 21,000 and call data, "
            "with cold storage. A delivery is without what its verifier takes. Of access it is "
            "what the escrow's call takes inside of a transaction; of payouts, the part of each of "
            f"50. `make check` fails where one becomes more than {WORSE_PERCENT} % worse than "
            "here, or passes its bound.",
            "",
            table(("subject", "what", "gas", "at most"), rows, left=2),
        ]
    )


def _in_order(keys: set[tuple[str, str]]) -> list[tuple[str, str]]:
    places = {group: place for place, group in enumerate(GROUPS)}
    return sorted(keys, key=lambda key: (places.get(key[0], len(GROUPS)), key))


def _number(gas: int | None) -> str:
    return "–" if gas is None else f"{gas:,}"


def main() -> int:
    """The exit status: 0, or 1 where a figure fails."""
    parser = argparse.ArgumentParser(description="Compare the gas of the market's contracts.")
    parser.add_argument("--write", action="store_true", help="take the new figures over")
    parser.add_argument("--measured", type=Path, default=MEASURED, help="forge's snapshots")
    parser.add_argument("--earlier", type=Path, default=EARLIER, help="the figures to compare with")
    given = parser.parse_args()
    try:
        compared = compare(json.loads(given.earlier.read_text()), read_measured(given.measured))
        rows = [each.row() for each in compared]
        sys.stdout.write(table(HEAD, rows, left=1) + "\n")
        if given.write:
            _write(taken_over(compared, _version()), given.earlier)
            return 0
    except BenchFailed as error:
        say(f"failed: {error}")
        return 1
    failed = [each for each in compared if each.fault]
    for each in failed:
        say(f"failed: {each.group}: {each.name}: {each.fault}")
    return 1 if failed else 0


def _version() -> str:
    from bench.machine import describe_versions

    return describe_versions()["inferproof"]


def _write(kept: dict[str, Any], path: Path) -> None:
    """gas.json, and the report beside it where there is one."""
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    results = path.parent / "results.json"
    if results.exists():
        from bench.report import render

        report = render(json.loads(results.read_text()), kept)
        (path.parent / "RESULTS.md").write_text(report)


if __name__ == "__main__":
    sys.exit(main())
