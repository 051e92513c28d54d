"""Tries every model of the corpus and writes docs/reference/corpus.md; fails on a regression.

    python tests/corpus/run.py FOLDER [BEGIN ...] [--jobs N] [--accept]

FOLDER is what make.py wrote; with BEGIN only models whose names begin so. A model that was proven
before (tests/corpus/results.json) and is not now, a crash, a model that outlives its time and one
that was tried before and is not made any more are regressions; --accept writes the results down
whatever they are.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results.json"
PAGE = ROOT / "docs/reference/corpus.md"
PICTURE = ROOT / "docs/reference/corpus.png"
LIMIT_S = 300
UNRUNNABLE = "unrunnable"
"""What ONNX Runtime itself does not run is counted nowhere: its tool wrote no sound file."""
Results = dict[str, dict[str, Any]]


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    asked.add_argument("begin", nargs="*", help="only models whose names begin so")
    asked.add_argument("--accept", action="store_true", help="write the results down")
    asked.add_argument("--jobs", type=int, default=1, help="so many at a time; times are worse")
    given = asked.parse_args()
    before: Results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    wanted = tuple(given.begin) or ("",)
    files = sorted(p for p in given.folder.glob("*.onnx") if p.name.startswith(wanted))
    found: Results = {}
    with ThreadPoolExecutor(given.jobs) as pool:
        for place, (file, one) in enumerate(zip(files, pool.map(tried, files), strict=True), 1):
            name = file.name.removesuffix(".onnx")
            found[name] = one
            print(f"[{place}/{len(files)}] {name}: {_told(one)}", flush=True)
    lost = [name for name, one in found.items() if one["outcome"] == UNRUNNABLE]
    for name in lost:
        before.pop(name, None)
        del found[name]
    asked_for = {name: one for name, one in before.items() if name.startswith(wanted)}
    worse = list(regressions(asked_for, found))
    for line in worse:
        print(f"regression: {line}")
    proven = sum(one["outcome"] == "proven" for one in found.values())
    print(f"{proven} of {len(found)} proven, {len(worse)} regressions")
    if given.accept or not worse:
        kept = before | found if given.begin else found
        RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
        PAGE.write_text(page(kept))
        _draw(kept)
    return 1 if worse and not given.accept else 0


def tried(file: Path) -> dict[str, Any]:
    """What became of one model, in a process of its own."""
    command = [sys.executable, str(HERE / "one.py"), str(file), str(file.with_suffix(".npz"))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return {"outcome": "slow", "why": f"not done in {LIMIT_S} s"}
    if done.returncode:
        return {"outcome": "crashed", "why": (done.stderr.strip().splitlines() or ["?"])[-1][:300]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def regressions(before: Results, found: Results) -> Iterable[str]:
    """A line for each model that does worse than it did, that crashed, or that is not there."""
    for name, one in found.items():
        was = before.get(name, {}).get("outcome")
        if one["outcome"] in ("crashed", "slow") or (was == "proven" and one["outcome"] != was):
            yield f"{name} was {was or 'not tried'}, now {_told(one)}"
    for name in sorted(before.keys() - found.keys()):
        yield f"{name} was {before[name]['outcome']}, now not made (not-exported.json says why)"


def _told(one: dict[str, Any]) -> str:
    if one["outcome"] != "proven":
        reason = " ".join(filter(None, (one.get("reason"), one["why"])))
        return f"{one['outcome']}: {reason}"
    return f"proven in {one['prove_ms']:g} ms, agreement {one['agreement']:.1%}"


def _draw(results: Results) -> None:
    from plot import draw

    overheads: dict[str, list[float]] = {}
    for name, one in sorted(results.items()):
        if one["outcome"] == "proven":
            overheads.setdefault(name.split(".", 1)[0], []).append(_overhead(one))
    draw(overheads, PICTURE)


def page(results: Results) -> str:
    """The results as a page: a table of families, and one of models for each."""
    families: dict[str, Results] = {}
    for name, one in sorted(results.items()):
        families.setdefault(name.split(".", 1)[0], {})[name.split(".", 1)[1]] = one
    lines = [
        "# Corpus",
        "",
        "Models as common tools export them, each compiled, proven and verified with default "
        "options. Made by `make corpus` from the scripts in `tests/corpus/`; *agreement* is the "
        "share of rows, not seen in calibration, whose every answer is the float model's, "
        "*error* the largest one relative to the largest output, *overhead* the time of a proof "
        "over that of a plain run by ONNX Runtime on one thread.",
        "",
        "| family | models | proven | agreement, mean | prove, median ms | overhead, median |",
        "|---|---|---|---|---|---|",
    ]
    for family, models in families.items():
        lines.append(_summary(f"[{family}](#{family})", models))
    lines.append(_summary("all", results))
    lines += ["", "![What a proof costs over a plain run, by family](corpus.png)"]
    for family, models in families.items():
        lines += ["", f"## {family}", ""]
        lines += ["| model | prove ms | verify ms | proof kB | overhead | agreement | error |"]
        lines += ["|---|---|---|---|---|---|---|"]
        lines += [_row(name, one) for name, one in models.items()]
    return "\n".join(lines) + "\n"


def _summary(label: str, models: Results) -> str:
    done = [one for one in models.values() if one["outcome"] == "proven"]
    if not done:
        return f"| {label} | {len(models)} | 0 | | | |"
    return (
        f"| {label} | {len(models)} | {len(done)} ({len(done) / len(models):.0%}) "
        f"| {statistics.mean(one['agreement'] for one in done):.2%} "
        f"| {statistics.median(one['prove_ms'] for one in done):.2f} "
        f"| {statistics.median(_overhead(one) for one in done):,.0f} × |"
    )


def _overhead(one: dict[str, Any]) -> float:
    return float(one["prove_ms"]) / max(float(one["plain_ms"]), 1e-3)


def _row(name: str, one: dict[str, Any]) -> str:
    if one["outcome"] != "proven":
        why = " ".join(one["why"].split()).replace("|", "\\|")
        return f"| {name} | {one['outcome']}: {why} | | | | | |"
    error = "" if one["error"] is None else f"{one['error']:.2%}"
    return (
        f"| {name} | {one['prove_ms']:g} | {one['verify_ms']:g} | {one['proof_bytes'] / 1e3:.0f} "
        f"| {_overhead(one):,.0f} × | {one['agreement']:.1%} | {error} |"
    )


if __name__ == "__main__":
    raise SystemExit(main())
