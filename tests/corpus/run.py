"""Tries every model of the corpus and writes docs/reference/corpus.md; fails on a regression.

    python tests/corpus/run.py FOLDER [BEGIN ...] [--jobs N] [--resume] [--accept]
    python tests/corpus/run.py FOLDER [BEGIN ...] --plan

FOLDER is what make.py wrote; with BEGIN only models whose names begin so. A model that was proven
before (results.json) and is not now, a crash, a model that outlives
its time and one that was tried before and is not made any more are regressions; --accept writes the
results down whatever they are. What was found so far lies in FOLDER, where --resume takes it up.
With --plan models get no key and no proof, and nothing is written down.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results.json"
"""What became of each model."""
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
    asked.add_argument("--plan", action="store_true", help="ask for plans alone")
    asked.add_argument("--accept", action="store_true", help="write the results down")
    asked.add_argument("--resume", action="store_true", help="go on where a run was cut off")
    asked.add_argument("--jobs", type=int, default=1, help="so many at a time; times are worse")
    given = asked.parse_args()
    wanted = tuple(given.begin) or ("",)
    files = in_turn(p for p in given.folder.glob("*.onnx") if p.name.startswith(wanted))
    found = _found(files, given)
    if given.plan:
        return _planned(found)
    before = read()
    for name in [name for name, one in found.items() if one["outcome"] == UNRUNNABLE]:
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
        PAGE.write_text(page(read()))
        _draw(read())
    return 1 if worse and not given.accept else 0


def read() -> Results:
    """What is written down."""
    found: Results = json.loads(RESULTS.read_text())
    return found


def in_turn(files: Iterable[Path]) -> list[Path]:
    """The files, of each family the smallest first, and families in turn: a run that is cut off has
    tried something of all."""
    places: Counter[str] = Counter()
    keys = {}
    for file in sorted(files, key=lambda file: (file.stat().st_size, file.name)):
        family = _family(file.name)
        keys[file] = (places[family], family)
        places[family] += 1
    return sorted(keys, key=lambda file: keys[file])


def _family(name: str) -> str:
    return name.split(".", 1)[0]


def _found(files: list[Path], given: argparse.Namespace) -> Results:
    """What becomes of the files, by name, with what a run that was cut off found of them."""
    kept = given.folder / f"tried{'-plan' * given.plan}.json"
    stored: Results = json.loads(kept.read_text()) if given.resume and kept.exists() else {}
    names = {file: file.name.removesuffix(".onnx") for file in files}
    found = {name: stored[name] for name in names.values() if name in stored}
    left = [file for file in files if names[file] not in found]
    with ThreadPoolExecutor(given.jobs) as pool:
        ones = pool.map(lambda file: tried(file, plan=given.plan), left)
        for place, (file, one) in enumerate(zip(left, ones, strict=True), len(found) + 1):
            found[names[file]] = one
            kept.write_text(json.dumps(stored | found, indent=1, sort_keys=True) + "\n")
            print(f"[{place}/{len(files)}] {names[file]}: {_told(one)}", flush=True)
    return found


def tried(file: Path, *, plan: bool = False) -> dict[str, Any]:
    """What became of one model, in a process of its own."""
    command = [sys.executable, str(HERE / "one.py"), str(file), str(file.with_suffix(".npz"))]
    command += ["--plan"] * plan
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return {"outcome": "slow", "why": f"not done in {LIMIT_S} s"}
    if done.returncode:
        return {"outcome": "crashed", "why": (done.stderr.strip().splitlines() or ["?"])[-1][:300]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _planned(found: Results) -> int:
    """Says how many models can be proven; 1 where it refuses one that could be lowered."""
    outcomes = Counter(one["outcome"] for one in found.values())
    print(", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()))
    return 0 if outcomes.keys() <= {"planned", UNRUNNABLE} else 1


def regressions(before: Results, found: Results) -> Iterable[str]:
    """A line for each model that does worse than it did, that crashed, or that is not there."""
    for name, one in found.items():
        was = before.get(name, {}).get("outcome")
        if one["outcome"] in ("crashed", "slow") or (was == "proven" and one["outcome"] != was):
            yield f"{name} was {was or 'not tried'}, now {_told(one)}"
    for name in sorted(before.keys() - found.keys()):
        yield f"{name} was {before[name]['outcome']}, now not made (not-exported.json says why)"


def _told(one: dict[str, Any]) -> str:
    if one["outcome"] == "planned":
        return f"{one['nodes']} nodes, {one['bits']:.1f} bits, planned in {one['plan_s']:g} s"
    if one["outcome"] != "proven":
        reason = " ".join(filter(None, (one.get("reason"), one["why"])))
        return f"{one['outcome']}: {reason}"
    return f"proven in {one['prove_ms']:g} ms, agreement {one['agreement']:.1%}"


def _draw(results: Results) -> None:
    from plot import draw

    overheads: dict[str, list[float]] = {}
    for name, one in sorted(results.items()):
        if "prove_ms" in one:
            overheads.setdefault(_family(name), []).append(_overhead(one))
    draw(overheads, PICTURE)


def page(results: Results) -> str:
    """The results as a page: a table of families, and one of models for each."""
    families: dict[str, list[str]] = {}
    for name in sorted(results):
        families.setdefault(_family(name), []).append(name)
    lines = [
        "# Corpus",
        "",
        "Models as common tools export them, each compiled, proven and verified with default "
        "options. Made by `make corpus` from the scripts in `tests/corpus/`; *agreement* is the "
        "share of rows, not seen in calibration, whose every answer is the float model's, "
        "*error* the largest one relative to the largest output, *overhead* the time of a proof "
        "over that of a plain run by ONNX Runtime on one thread. A proof is counted with its "
        "links, which the verifier knows by then.",
        "",
    ]
    lines += _head(_FAMILY)
    for family, names in families.items():
        lines.append(_summary(f"[{family}](#{family})", names, results))
    lines.append(_summary("all", list(results), results))
    if any("prove_ms" in one for one in results.values()):
        lines += ["", "![What a proof costs over a plain run, by family](corpus.png)"]
    for family, names in families.items():
        lines += ["", f"## {family}", "", *_head(_MODEL)]
        lines += [_row(name, results) for name in names]
    return "\n".join(lines) + "\n"


_FAMILY = [
    *("family", "models", "proven", "agreement, mean", "prove, median ms", "proof, median kB"),
    "overhead, median",
]
_MODEL = ["model", "prove ms", "verify ms", "proof kB", "overhead", "agreement", "error"]


def _head(heads: list[str]) -> list[str]:
    return [_cells(heads), "|---" * len(heads) + "|"]


def _cells(cells: Iterable[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def _summary(label: str, names: list[str], results: Results) -> str:
    done = [one for name in names if (one := results[name])["outcome"] == "proven"]
    timed = [one for one in done if "prove_ms" in one]
    share = f"{len(done)} ({len(done) / len(names):.0%})" if done else "0"
    cells = [label, str(len(names)), share, "", "", "", ""]
    if done:
        cells[3] = f"{statistics.mean(one['agreement'] for one in done):.2%}"
    if timed:
        cells[4:] = (
            f"{statistics.median(one['prove_ms'] for one in timed):.2f}",
            f"{statistics.median(one['proof_bytes'] for one in timed) / 1e3:.0f}",
            f"{statistics.median(_overhead(one) for one in timed):,.0f} ×",
        )
    return _cells(cells)


def _overhead(one: dict[str, Any]) -> float:
    return float(one["prove_ms"]) / max(float(one["plain_ms"]), 1e-3)


def _row(name: str, results: Results) -> str:
    one, label = results[name], name.split(".", 1)[1]
    if one["outcome"] != "proven":
        why = " ".join(one["why"].split()).replace("|", "\\|")
        return _cells([label, f"{one['outcome']}: {why}", "", "", "", "", ""])
    error = "" if one["error"] is None else f"{one['error']:.2%}"
    return _cells([label, *_costs(one), f"{one['agreement']:.1%}", error])


def _costs(one: dict[str, Any]) -> list[str]:
    """What a proof took; nothing of a model that was not measured since proofs changed."""
    if "prove_ms" not in one:
        return ["", "", "", ""]
    size, overhead = f"{one['proof_bytes'] / 1e3:.0f}", f"{_overhead(one):,.0f} ×"
    return [f"{one['prove_ms']:g}", f"{one['verify_ms']:g}", size, overhead]


if __name__ == "__main__":
    raise SystemExit(main())
