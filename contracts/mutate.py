"""Changes the contracts of money, place by place, and runs their tests on each change.

    python contracts/mutate.py [--room escrow] [--seed 1] [--max 20] [--list]

A mutant is one change of one line: another comparison, + for -, a condition or a statement left
out, another number, another payee. It is *killed* where a test fails, *survived* where none does,
and *refused* where the compiler notices. Which changes there are follows from the sources alone;
`--seed` says which of them are tried, `--max` how many. Tests run on a copy of the folder, with
less fuzzing than by default, and without those that measure gas: a mutant is found by what it does.

The operators are those of gambit and of slither-mutate, on lines in place of syntax trees.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ROOMS = ("escrow", "revenue")
FEWER = {"FOUNDRY_FUZZ_RUNS": "32", "FOUNDRY_INVARIANT_RUNS": "8", "FOUNDRY_INVARIANT_DEPTH": "32"}
LONGEST_S = 600.0
"""A mutant that takes as long never ends."""
NOT_CODE = re.compile(r"^\s*(//|/\*|\*|import |pragma |error |event |using |struct |\})")
SWAPPED = {
    "<=": ("<", ">"),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">="),
    ">": (">=", "<="),
    "&&": ("||",),
    "||": ("&&",),
    "+=": ("-=",),
    "-=": ("+=",),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "|": ("&",),
    "&": ("|",),
    "true": ("false",),
    "false": ("true",),
    "!": ("",),
}
_SYMBOL = re.compile(
    r"<=|>=|==|!=|&&|\|\||\+=|-=|=>|->|<<|>>|\+\+|--|[<>+\-*/|&!]|\b(?:true|false)\b"
)
_NUMBER = re.compile(r"(?<![\w.])\d[\d_]*(?![\w.])")
PAYEES = (
    ("order.buyer", "acceptor"),
    ("acceptor", "order.buyer"),
    ("deliverer", "order.buyer"),
    ("msg.sender", "slot.server"),
    ("slot.server", "msg.sender"),
    ("item.to", "msg.sender"),
    ("shares.deliverer", "shares.buyer"),
    ("shares.buyer", "shares.deliverer"),
    ("shares.acceptor", "shares.buyer"),
    ("shares.fee", "shares.buyer"),
    ("order.price", "order.bond"),
    ("order.acceptBy", "order.inputBy"),
    ("order.inputBy", "order.deliverBy"),
    ("order.deliverBy", "order.rescueBy"),
    ("order.rescueBy", "order.deliverBy"),
)
"""Who is paid, what is counted and which time goes: one for another."""
_STATEMENT = re.compile(r"^\s*(?!return\b|\})[\w.\[\]+(-][^{}]*;\s*(//.*)?$")
_REQUIRE = re.compile(r"^\s*require\(")


@dataclass(frozen=True, order=True)
class Mutant:
    """One change: the lines from `first` on, `count` of them, become `text`. Lines from 1."""

    file: str
    first: int
    count: int
    what: str
    text: str

    def applied(self, source: str) -> str:
        lines = source.splitlines()
        lines[self.first - 1 : self.first - 1 + self.count] = [self.text]
        return "\n".join(lines) + "\n"


def mutants(file: str, source: str) -> list[Mutant]:
    """All changes of a source, in the order of its lines; none twice."""
    lines = source.splitlines()
    found: dict[Mutant, None] = {}
    for number, line in enumerate(lines, start=1):
        code = line.split("//")[0]
        if NOT_CODE.match(line) or not code.strip():
            continue
        for what, text in _on_line(code, source):
            found[Mutant(file, number, 1, what, text)] = None
        for count, what in _left_out(lines, number):
            found[Mutant(file, number, count, what, "")] = None
    return list(found)


def _on_line(code: str, source: str) -> Iterator[tuple[str, str]]:
    if '"' in code:
        return  # what is said is not what is done
    for match in _SYMBOL.finditer(code):
        for other in SWAPPED.get(match[0], ()):
            yield f"{match[0]} to {other or 'nothing'}", _replaced(code, match, other)
    for match in _NUMBER.finditer(code):
        for other in (str(int(match[0].replace("_", "")) + 1), "0"):
            if other != match[0]:
                yield f"{match[0]} to {other}", _replaced(code, match, other)
    for one, other in PAYEES:
        if other.split(".")[0] not in source:
            continue
        for match in re.finditer(rf"(?<![\w.]){re.escape(one)}(?![\w.])", code):
            yield f"{one} to {other}", _replaced(code, match, other)


def _left_out(lines: list[str], number: int) -> Iterator[tuple[int, str]]:
    """A statement that begins on this line, and how many lines it has."""
    line = lines[number - 1]
    before = lines[number - 2].split("//")[0].rstrip() if number > 1 else ""
    if before and before[-1] not in ";{}" and not before.lstrip().startswith(("/", "*")):
        return  # it goes on from the line before
    if _REQUIRE.match(line):
        count = 1
        while not lines[number + count - 2].rstrip().endswith(";"):
            count += 1
        yield count, "require left out"
    elif _STATEMENT.match(line) and ("(" in line or "=" in line):
        yield 1, "statement left out"


def _replaced(code: str, match: re.Match[str], other: str) -> str:
    return code[: match.start()] + other + code[match.end() :]


def all_mutants(rooms: tuple[str, ...]) -> list[Mutant]:
    files = [path for room in rooms for path in sorted((ROOT / "src" / room).glob("*.sol"))]
    return [
        mutant
        for path in files
        for mutant in mutants(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
    ]


class Workshop:
    """A copy of the folder in which one mutant after another is tried."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "contracts"
        self.folder.mkdir()
        for name in ("src", "test", "out", "cache"):
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.folder / name)
        for name in ("foundry.toml", "package.json", "solc.cjs"):
            shutil.copy(ROOT / name, self.folder / name)
        (self.folder / "node_modules").symlink_to(ROOT / "node_modules")
        (folder / "vectors").symlink_to(ROOT.parent / "vectors")
        forges = sorted(ROOT.glob("node_modules/@foundry-rs/forge-*/bin/forge*"))
        if not forges:
            raise SystemExit("there is no forge; run `make -C contracts tools`")
        self.forge = str(forges[0])

    def verdict(self, mutant: Mutant) -> str:
        """What the tests of its folder, or the compiler, make of the change."""
        room = Path(mutant.file).parent.name
        path = self.folder / mutant.file
        source = path.read_text(encoding="utf-8")
        path.write_text(mutant.applied(source), encoding="utf-8")
        try:
            return self.tested(room)
        finally:
            path.write_text(source, encoding="utf-8")

    def tested(self, room: str) -> str:
        command = [self.forge, "test", "--match-path", f"test/{room}/*", "--fail-fast"]
        command += ["--no-match-path", "test/*/Gas.t.sol"]
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env={**os.environ, **FEWER},
                capture_output=True,
                text=True,
                timeout=LONGEST_S,
            )
        except subprocess.TimeoutExpired:
            return "killed"
        if done.returncode == 0:
            return "survived"
        told = done.stdout + done.stderr
        return "refused" if "Compil" in told and "Ran " not in told else "killed"


def main() -> None:
    parser = argparse.ArgumentParser(description="Do tests notice a change of escrow and revenue?")
    parser.add_argument("--room", choices=ROOMS, help="only the contracts of this folder")
    parser.add_argument("--seed", type=int, default=1, help="which mutants are tried")
    parser.add_argument("--max", type=int, help="how many; by default all, which takes hours")
    parser.add_argument("--list", action="store_true", help="show which, and try none")
    given = parser.parse_args()
    found = all_mutants((given.room,) if given.room else ROOMS)
    count = len(found) if given.max is None else min(given.max, len(found))
    drawn = sorted(random.Random(given.seed).sample(found, count))  # noqa: S311 - no secret
    if given.list:
        for mutant in drawn:
            print(_shown(mutant))
        return
    with tempfile.TemporaryDirectory() as folder:
        workshop, verdicts = Workshop(Path(folder)), Counter[str]()
        if any(workshop.tested(room) != "survived" for room in ROOMS):
            raise SystemExit("the tests fail without any change")
        for mutant in drawn:
            begun = time.monotonic()
            verdict = workshop.verdict(mutant)
            verdicts[verdict] += 1
            print(f"{verdict} {_shown(mutant)} ({time.monotonic() - begun:.0f} s)", flush=True)
    told = ", ".join(f"{verdicts[each]} {each}" for each in ("killed", "survived", "refused"))
    print(f"{count} of {len(found)} mutants: {told}")


def _shown(mutant: Mutant) -> str:
    return f"{mutant.file}:{mutant.first}: {mutant.what}: {mutant.text.strip()}"


if __name__ == "__main__":
    main()
