"""Tries every model of the corpus and writes docs/reference/corpus.md; fails on a regression.

    python tests/corpus/run.py FOLDER [BEGIN ...] [--mode private] [--jobs N] [--resume] [--accept]
    python tests/corpus/run.py FOLDER [BEGIN ...] [--mode private] --plan

FOLDER is what make.py wrote; with BEGIN only models whose names begin so. A model that was proven
before (results.json, or private.json for that mode) and is not now, a crash, a model that outlives
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
RESULTS = {"clear": HERE / "results.json", "private": HERE / "private.json"}
"""What became of each model, by mode."""
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
    asked.add_argument("--mode", choices=RESULTS, default="clear", help="of the proofs")
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
    before = read(given.mode)
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
        RESULTS[given.mode].write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
        PAGE.write_text(page(read("clear"), read("private")))
        _draw(read("clear"))
    return 1 if worse and not given.accept else 0


def read(mode: str) -> Results:
    """What is written down of a mode."""
    path = RESULTS[mode]
    return json.loads(path.read_text()) if path.exists() else {}


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
    kept = given.folder / f"tried-{given.mode}{'-plan' * given.plan}.json"
    stored: Results = json.loads(kept.read_text()) if given.resume and kept.exists() else {}
    names = {file: file.name.removesuffix(".onnx") for file in files}
    found = {name: stored[name] for name in names.values() if name in stored}
    left = [file for file in files if names[file] not in found]
    with ThreadPoolExecutor(given.jobs) as pool:
        ones = pool.map(lambda file: tried(file, given.mode, plan=given.plan), left)
        for place, (file, one) in enumerate(zip(left, ones, strict=True), len(found) + 1):
            found[names[file]] = one
            kept.write_text(json.dumps(stored | found, indent=1, sort_keys=True) + "\n")
            print(f"[{place}/{len(files)}] {names[file]}: {_told(one)}", flush=True)
    return found


def tried(file: Path, mode: str, *, plan: bool = False) -> dict[str, Any]:
    """What became of one model, in a process of its own."""
    command = [sys.executable, str(HERE / "one.py"), str(file), str(file.with_suffix(".npz"))]
    command += ["--mode", mode, *["--plan"] * plan]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return {"outcome": "slow", "why": f"not done in {LIMIT_S} s"}
    if done.returncode:
        return {"outcome": "crashed", "why": (done.stderr.strip().splitlines() or ["?"])[-1][:300]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _planned(found: Results) -> int:
    """Says how many models the mode takes; 1 where it refuses one that could be lowered."""
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
        if one["outcome"] == "proven":
            overheads.setdefault(_family(name), []).append(_overhead(one))
    draw(overheads, PICTURE)


def page(results: Results, private: Results) -> str:
    """The results as a page: a table of families, and one of models for each. `private` is what
    became of the same models in that mode; empty where none was tried."""
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
        "over that of a plain run by ONNX Runtime on one thread.",
        "",
        *([_PRIVATE, ""] if private else []),
    ]
    lines += _head(_FAMILY, _FAMILY_PRIVATE, private)
    for family, names in families.items():
        lines.append(_summary(f"[{family}](#{family})", names, results, private))
    lines.append(_summary("all", list(results), results, private))
    lines += ["", "![What a proof costs over a plain run, by family](corpus.png)"]
    for family, names in families.items():
        lines += ["", f"## {family}", "", *_head(_MODEL, _MODEL_PRIVATE, private)]
        lines += [_row(name, results, private) for name in names]
    return "\n".join(lines) + "\n"


_PRIVATE = (
    "*Private* is the same in mode `private` (`make corpus MODE=private`): a proof is counted with "
    "its links, which the verifier knows by then."
)
_FAMILY = ["family", "models", "proven", "agreement, mean", "prove, median ms", "overhead, median"]
_FAMILY_PRIVATE = ["private: proven", "prove, median ms", "proof, median kB"]
_MODEL = ["model", "prove ms", "verify ms", "proof kB", "overhead", "agreement", "error"]
_MODEL_PRIVATE = ["private: prove ms", "verify ms", "proof kB"]


def _head(heads: list[str], of_private: list[str], private: Results) -> list[str]:
    heads = heads + of_private if private else heads
    return [_cells(heads), "|---" * len(heads) + "|"]


def _cells(cells: Iterable[str]) -> str:
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def _summary(label: str, names: list[str], results: Results, private: Results) -> str:
    share, done = _done(names, results)
    cells = [label, str(len(names)), share, "", "", ""]
    if done:
        cells[3:] = (
            f"{statistics.mean(one['agreement'] for one in done):.2%}",
            f"{statistics.median(one['prove_ms'] for one in done):.2f}",
            f"{statistics.median(_overhead(one) for one in done):,.0f} ×",
        )
    share, done = _done(names, private)
    own = [share, "", ""]
    if done:
        own[1:] = (
            f"{statistics.median(one['prove_ms'] for one in done):.2f}",
            f"{statistics.median(one['proof_bytes'] for one in done) / 1e3:.0f}",
        )
    return _cells(cells + own if private else cells)


def _done(names: list[str], results: Results) -> tuple[str, list[dict[str, Any]]]:
    """How many of the models that were tried were proven, and what was measured of these."""
    tried_ones = [results[name] for name in names if name in results]
    done = [one for one in tried_ones if one["outcome"] == "proven"]
    return (f"{len(done)} ({len(done) / len(tried_ones):.0%})" if done else "0"), done


def _overhead(one: dict[str, Any]) -> float:
    return float(one["prove_ms"]) / max(float(one["plain_ms"]), 1e-3)


def _row(name: str, results: Results, private: Results) -> str:
    one, cells = results[name], ["", "", ""]
    if one["outcome"] == "proven":
        error = "" if one["error"] is None else f"{one['error']:.2%}"
        cells = [f"{_overhead(one):,.0f} ×", f"{one['agreement']:.1%}", error]
    cells = [name.split(".", 1)[1], *_costs(one), *cells]
    return _cells(cells + _costs(private.get(name)) if private else cells)


def _costs(one: dict[str, Any] | None) -> list[str]:
    """Times and size of a proof, or why there is none; nothing of a model that was not tried."""
    if one is None:
        return ["", "", ""]
    if one["outcome"] != "proven":
        why = " ".join(one["why"].split()).replace("|", "\\|")
        return [f"{one['outcome']}: {why}", "", ""]
    return [f"{one['prove_ms']:g}", f"{one['verify_ms']:g}", f"{one['proof_bytes'] / 1e3:.0f}"]


if __name__ == "__main__":
    raise SystemExit(main())
