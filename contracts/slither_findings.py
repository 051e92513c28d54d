"""Compares what slither finds in the contracts with the answers in SLITHER.md.

    python contracts/slither_findings.py [--slither PROGRAM]

A finding without an answer fails with its text, and so does an answer without a finding. slither is
installed as requirements-slither.txt has it, in an environment of its own, unless a program is
named; it runs on a copy of the sources, takes a minute, and needs the npm tools
(`make -C contracts tools`).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
ANSWERS = ROOT / "SLITHER.md"
REQUIREMENTS = ROOT / "requirements-slither.txt"
ENVIRONMENT = ROOT.parent / ".tools" / "slither"
WHAT = ("--exclude-dependencies", "--filter-paths", "node_modules")
WHICH = ("--exclude-informational", "--exclude-optimization")
"""Style and gas are not asked about: the formatter and `bench.gas` are."""
_ROW = re.compile(r"^\| `([a-z0-9-]+)` \| `([\w.]+)` \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Place:
    """What was found, and where: contract, function, and the variable where it is about one."""

    check: str
    where: str

    def __str__(self) -> str:
        return f"{self.check} in {self.where}"


def findings(report: Mapping[str, Any]) -> list[tuple[Place, str]]:
    """Each finding of slither's JSON output, and its text. Raises: SystemExit if it failed."""
    if not report["success"]:
        raise SystemExit(f"slither failed: {report['error']}")
    found = report["results"].get("detectors", [])
    return [(Place(each["check"], _where(each["elements"])), each["description"]) for each in found]


def answers(text: str) -> list[Place]:
    """Each row of the table. Raises: SystemExit for one that is not a check, a place, a reason."""
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    found = [Place(row[1], row[2]) for row in _ROW.finditer(text)]
    if len(found) != len(rows):
        wrong = next(line for line in rows if not _ROW.match(line))
        raise SystemExit(f"SLITHER.md has a row that is no answer: {wrong}")
    return found


def differences(found: Sequence[tuple[Place, str]], answered: Sequence[Place]) -> list[str]:
    """What stands on one side alone, where a place may have several findings of one check."""
    wrong, left = [], Counter(answered)
    for place, text in found:
        if left[place]:
            left[place] -= 1
        else:
            wrong.append(f"not answered: {place}\n{text.strip()}")
    return wrong + [f"answered, and not found: {place}" for place in sorted(left.elements())]


def _where(elements: Sequence[Mapping[str, Any]]) -> str:
    names, place = [], elements[0]
    while place["type"] in ("contract", "function", "variable"):
        names.insert(0, place["name"])
        if place["type"] == "contract":
            break
        place = place["type_specific_fields"]["parent"]
    return ".".join(names)


def installed() -> Path:
    """slither's program in its environment, which is made if need be."""
    stamp, program = ENVIRONMENT / "requirements.txt", ENVIRONMENT / "bin" / "slither"
    if not stamp.is_file() or stamp.read_bytes() != REQUIREMENTS.read_bytes():
        print(f"installing {REQUIREMENTS.name} into {ENVIRONMENT}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], check=True)
        pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True)
        shutil.copyfile(REQUIREMENTS, stamp)
    return program


def report_of(slither: Path) -> dict[str, Any]:
    """What slither says of the contracts, in a copy of their sources."""
    forges = sorted(ROOT.glob("node_modules/@foundry-rs/forge-*/bin"))
    if not forges:
        raise SystemExit("there is no forge; run `make -C contracts tools`")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "src", folder / "src")
        for file in ("foundry.toml", "package.json", "solc.cjs"):
            shutil.copy(ROOT / file, folder / file)
        (folder / "node_modules").symlink_to(ROOT / "node_modules")
        path = os.pathsep.join([str(forges[0]), os.environ["PATH"]])
        command = [str(slither), ".", *WHAT, *WHICH, "--json", "found.json"]
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        if not (folder / "found.json").is_file():
            raise SystemExit(f"slither failed:\n{done.stderr[-4000:]}")
        report: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description="Are all findings of slither answered?")
    parser.add_argument("--slither", type=Path, help="the program, in place of the pinned one")
    named: Path | None = parser.parse_args().slither
    found = findings(report_of(named or installed()))
    wrong = differences(found, answers(ANSWERS.read_text(encoding="utf-8")))
    for text in wrong:
        print(text, end="\n\n")
    print(f"{len(found)} findings, {len(wrong)} of findings and answers without the other")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
