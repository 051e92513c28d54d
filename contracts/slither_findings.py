"""Runs slither on the contracts, and compares what it finds with the answers in SLITHER.md.

    python slither_findings.py        as `make -C contracts slither` does

Slither is installed into a folder of its own, `.tools/slither`, at one version. Findings of impact
low and above count. One without an answer fails, and so does an answer that nothing asks for.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

VERSION = "0.11.6"
HERE = Path(__file__).resolve().parent
TOOL = HERE.parent / ".tools" / "slither"
ANSWERS = HERE / "SLITHER.md"
RUN_S = 900
OPTIONS = (
    *("--exclude-dependencies", "--filter-paths", "node_modules"),
    *("--exclude-informational", "--exclude-optimization"),
)
_ROW = re.compile(r"^\| `([a-z0-9-]+)` \| `([A-Za-z0-9_.]+)` \| (\S.*\S) \|$")

Finding = tuple[str, str]
"""A check's name, and where it was found: contract, function and, of a variable, its name."""


def answers(text: str) -> dict[Finding, str]:
    """The answers of SLITHER.md. Raises: ValueError for one that stands there twice."""
    found: dict[Finding, str] = {}
    for line in text.splitlines():
        row = _ROW.match(line)
        if row is None:
            continue
        check, place, answer = row.groups()
        if (check, place) in found:
            raise ValueError(f"{check} in {place} is answered twice")
        found[check, place] = answer
    return found


def findings(told: Mapping[str, Any]) -> dict[Finding, str]:
    """What slither's JSON tells, with its own words. Raises: ValueError where it failed."""
    if told.get("success") is not True:
        raise ValueError(f"slither failed: {told.get('error')}")
    results = told.get("results", {}).get("detectors", [])
    return {(each["check"], _place(each["elements"][0])): each["description"] for each in results}


def problems(found: Mapping[Finding, str], answered: Iterable[Finding]) -> list[str]:
    """What is found and not answered, and what is answered and not found."""
    known = set(answered)
    new = [
        f"not answered: {check} in {place}\n{found[check, place]}"
        for check, place in sorted(found.keys() - known)
    ]
    gone = [
        f"answered, and not found any more: {check} in {place}"
        for check, place in sorted(known - found.keys())
    ]
    return new + gone


def _place(element: Mapping[str, Any]) -> str:
    names = [element["name"]]
    while (element := element.get("type_specific_fields", {}).get("parent", {})) and (
        element["type"] in ("contract", "function")
    ):
        names.append(element["name"])
    return ".".join(reversed(names))


def _slither() -> Path:
    """The program, installed where it is not. Raises: subprocess.CalledProcessError."""
    program = TOOL / "bin" / "slither"
    marker = TOOL / VERSION
    if not marker.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(TOOL)], check=True)
        pip = [str(TOOL / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"slither-analyzer=={VERSION}"], check=True)
        marker.touch()
    return program


def _run() -> dict[str, Any]:
    (forge,) = HERE.glob("node_modules/@foundry-rs/forge-*/bin")
    with tempfile.TemporaryDirectory(prefix="slither-") as name:
        out = Path(name) / "found.json"
        environment = {**os.environ, "PATH": f"{forge}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(  # its exit status is the number of findings
            [str(_slither()), ".", *OPTIONS, "--json", str(out)],
            cwd=HERE,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        if not out.exists():
            raise ValueError(f"slither told nothing:\n{(done.stdout + done.stderr)[-3000:]}")
        told: dict[str, Any] = json.loads(out.read_text())
    return told


def main() -> int:
    """0 where every finding is answered, and every answer is to a finding."""
    found = findings(_run())
    wrong = problems(found, answers(ANSWERS.read_text(encoding="utf-8")))
    for problem in wrong:
        print(problem, file=sys.stderr)
    print(f"slither {VERSION}: {len(found)} places, {len(wrong)} of them not as SLITHER.md says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
