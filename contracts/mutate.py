"""Changes the contracts of money, place by place, and runs their tests on each change.

    python contracts/mutate.py [--room escrow] [--max 40] [--seed 1]

A mutant is one change: another comparison, + for -, a statement or a condition left out, another
number, payee, time or outcome (`mutant_places.py`). It is *killed* where a test of its folder
fails, *survived* where none does, and *refused* where the compiler notices. Survivors are compared
with MUTANTS.md: one that is not answered there fails, as does an answer to what a test kills. With
`--max` only so many of a folder are tried, drawn by `--seed`; without, all, which takes minutes.

All mutants of a folder are compiled as one contract, without the optimiser (`mutant_build.py`).
Examples and fuzz run first, 32 runs each; invariants only where these notice nothing, 16 runs of 96
steps for the escrow and 8 of 32 for revenue. Tests of gas are left out: a mutant is found by what
it does.
"""

import argparse
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from mutant_build import ROOT, Build
from mutant_places import Mutant

ROOMS = ("escrow", "revenue")
ANSWERS = ROOT / "MUTANTS.md"
MOST_CPU_S = 120
"""Tests that take as much of a processor do not end: a mutant that never returns is killed."""
_ROW = re.compile(r"^\| `([\w.]+)` \| `(.+?)` \| `(.+?)` \| (\S.*\S) \|$")

Name = tuple[str, str, str]
"""Contract and function, the line that is changed, and how: see `Mutant.name`."""


def answers(text: str) -> dict[Name, str]:
    """The answers of MUTANTS.md. Raises: ValueError for one that stands there twice."""
    found: dict[Name, str] = {}
    for line in text.splitlines():
        row = _ROW.match(line)
        if row is None:
            continue
        place, code, change, answer = (part.replace("\\|", "|") for part in row.groups())
        if (place, code, change) in found:
            raise ValueError(f"{change} in {place} is answered twice")
        found[place, code, change] = answer
    return found


def problems(
    survived: Iterable[Mutant], killed: Iterable[Mutant], rest: Iterable[Name], answered: set[Name]
) -> list[str]:
    """What survived and is not answered; what is answered and was killed, or is no mutant at all.

    `rest` are the names of mutants that were not tried.
    """
    alive, dead = {each.name for each in survived}, {each.name for each in killed}
    return [
        *(f"not answered: {_row(name)}" for name in sorted(alive - answered)),
        *(f"answered, and killed: {_row(name)}" for name in sorted(answered & dead)),
        *(
            f"answered, and no mutant: {_row(name)}"
            for name in sorted(answered - alive - dead - set(rest))
        ),
    ]


def _row(name: Name) -> str:
    place, code, change = (part.replace("|", "\\|") for part in name)
    return f"| `{place}` | `{code}` | `{change}` |"


class Tests:
    """The tests of a build, which are run on one mutant after another."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.told = ""
        """What forge said last."""
        forges = sorted(ROOT.glob("node_modules/@foundry-rs/forge-*/bin/forge*"))
        if not forges:
            raise SystemExit("there is no forge; run `make -C contracts tools`")
        self.command = [str(forges[0]), "test", "--match-path", f"test/{build.room}/*"]
        self.command += ["--no-match-path", "test/*/Gas.t.sol", "--fail-fast", "--threads", "1"]

    def pass_with(self, number: int) -> bool:
        """Whether no test notices the mutant of this number; 0 is none."""
        return self._pass(number, "--no-match-test") and self._pass(number, "--match-test")

    def _pass(self, number: int, which: str) -> bool:
        """Examples and fuzz, or invariants. Raises: ValueError where they were not run."""
        done = subprocess.run(
            [*self.command, which, "invariant"],
            cwd=self.build.folder,
            env={**os.environ, "MUTANT": f"0x{number:064x}"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S)),
            capture_output=True,
            text=True,
            check=False,
        )
        self.told = (done.stdout + done.stderr)[-3000:]
        for kept in ("fuzz", "invariant"):  # what failed for one mutant is not tried on the next
            shutil.rmtree(self.build.folder / "cache" / kept, ignore_errors=True)
        if done.returncode > 0 and "[FAIL" not in done.stdout:  # below 0: it took too long
            raise ValueError(f"forge did not test:\n{self.told}")
        return done.returncode == 0


def tried(room: str, most: int | None, seed: int, answered: set[Name]) -> tuple[Counter[str], int]:
    """How many mutants of a folder became what, and how many answers are not as MUTANTS.md says."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        build = Build(Path(folder), room)
        tests = Tests(build)
        if not tests.pass_with(0):
            raise ValueError(f"tests of {room} fail without any change:\n{tests.told}")
        numbers = sorted(build.mutants)
        if most is not None and most < len(numbers):
            numbers = sorted(random.Random(seed).sample(numbers, most))  # noqa: S311 - no secret
        verdicts: dict[int, bool] = {}
        for number in numbers:
            verdicts[number] = tests.pass_with(number)
            if verdicts[number]:  # told at once: all take minutes
                mutant = build.mutants[number]
                print(f"survived: {mutant.file}:{mutant.line} {_row(mutant.name)}", flush=True)
    survived = [build.mutants[number] for number in numbers if verdicts[number]]
    killed = [build.mutants[number] for number in numbers if not verdicts[number]]
    rest = [each.name for number, each in build.mutants.items() if number not in verdicts]
    contracts = {each.place.within.split(".")[0] for each in build.mutants.values()}
    its = {name for name in answered if name[0].split(".")[0] in contracts}
    wrong = problems(survived, killed, rest, its)
    for problem in wrong:
        print(problem, file=sys.stderr)
    counted = {"killed": len(killed), "survived": len(survived), "refused": len(build.refused)}
    return Counter(counted), len(wrong)


def main() -> int:
    """0 where MUTANTS.md answers just what survives."""
    parser = argparse.ArgumentParser(description="Do tests notice a change of escrow and revenue?")
    parser.add_argument("--room", choices=ROOMS, help="only the contracts of this folder")
    parser.add_argument("--max", type=int, help="how many of a folder; by default all")
    parser.add_argument("--seed", type=int, default=1, help="which are drawn with --max")
    given = parser.parse_args()
    answered = set(answers(ANSWERS.read_text(encoding="utf-8")))
    all_wrong = 0
    for room in (given.room,) if given.room else ROOMS:
        begun = time.monotonic()
        counts, wrong = tried(room, given.max, given.seed, answered)
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        print(f"{room}: {told}; {time.monotonic() - begun:.0f} s", flush=True)
        all_wrong += wrong
    print(f"{all_wrong} mutants are not as MUTANTS.md says")
    return 1 if all_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
