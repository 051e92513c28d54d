"""Builds all changes of a folder's contracts at once: a contract that can be any of its mutants.

Compiling takes most of the time that a mutant takes, so there is one compilation. Each place is
made a choice between what stands there and its changes, by a number that is read from the last word
of the contract's own code. Tests deploy the contract as ever, and then put a number behind its
code; the number comes from the environment. No optimiser runs: what is done is what was written.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mutant_places import Mutant, masked, matching, mutants

ROOT = Path(__file__).resolve().parent
NUMBER = "src/Mutant.sol"
_NUMBER_SOURCE = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev The number behind the code; none, where tests put none there.
function mutant() pure returns (uint256 which) {
    assembly ("memory-safe") {
        let free := mload(0x40)
        codecopy(free, sub(codesize(), 32), 32)
        which := mload(free)
    }
}

function mutated(uint256 first, uint256 last) pure returns (bool) {
    uint256 number = mutant();
    return number >= first && number <= last;
}

/// @dev In place of OpenZeppelin's guard, which cannot be left out by number.
abstract contract Door {
    error ReentrancyGuardReentrantCall();

    bool private transient inside;

    modifier nonReentrantBut(uint256 number) {
        if (mutant() != number) {
            if (inside) revert ReentrancyGuardReentrantCall();
            inside = true;
        }
        _;
        if (mutant() != number) inside = false;
    }
}
"""
_YUL_NUMBER = """function theMutant() -> which {
                let free := mload(0x40)
                codecopy(free, sub(codesize(), 32), 32)
                which := mload(free)
            }
            """
_IMPORT = re.compile(r'^import\s[^;]*?"([^"]+)";', re.MULTILINE | re.DOTALL)
_MADE = re.compile(r"(\w+) = new (?:Escrow|Payouts)\([^;]*\);")
_PUT = 'vm.etch(address({0}), bytes.concat(address({0}).code, vm.envBytes32("MUTANT")));'
_SETTINGS = {
    "evmVersion": "cancun",
    "optimizer": {"enabled": False},
    "outputSelection": {"*": {"*": ["abi"]}},
}
_FOUNDRY = """[profile.default]
src = "src"
test = "test"
libs = ["node_modules"]
remappings = ["@openzeppelin/=node_modules/@openzeppelin/"]
solc = "./solc.sh"
offline = true
evm_version = "cancun"
optimizer = false
code_size_limit = 1000000
bytecode_hash = "none"
cbor_metadata = false
[fuzz]
runs = 32
seed = "0x1"
[invariant]
runs = 8
depth = 32
fail_on_revert = true
"""
_COMPILER = """#!/bin/sh
# Forge asks about sources that have not changed each time it is run: it is answered as before.
cd "$(dirname "$0")" || exit 1
mkdir -p answers
case "$*" in
  *--version*) name=answers/version; [ -f $name ] || node solc.cjs --version > $name ;;
  *) cat > asked; name=answers/$(sha256sum < asked | cut -c 1-64)
     [ -f "$name" ] || node solc.cjs < asked > "$name" ;;
esac
cat "$name"
"""


def woven(source: str, numbered: Mapping[int, Mutant], up: str) -> str:
    """A source in which each place is a choice; `up` leads from its folder to `src`.

    Changes of one place have numbers that follow one another; some between may be missing.
    """
    by_place: dict[Any, dict[int, Mutant]] = {}
    for number, mutant in numbered.items():
        by_place.setdefault(mutant.place, {})[number] = mutant
    edits: list[tuple[int, int, int, str]] = []
    constants = []
    for place, its in by_place.items():
        whole = source[place.start : place.end]
        if place.kind == "guarded":
            (number,) = its
            edits.append((place.start, 0, place.start, f"{{ if (mutant() != {number}) {{ "))
            edits.append((place.end, 2, place.end, " } }"))
            continue
        if place.kind == "guard":
            (number,) = its
            edits.append((place.start, 1, place.end, f"nonReentrantBut({number})"))
            continue
        changed = {number: _changed(whole, place.start, each) for number, each in its.items()}
        if place.kind == "constant":
            start = source.rindex("\n", 0, place.start) + 1
            head = source[start : place.start].split()
            constants.append(head[3])
            seen = "public" if head[1] == "public" else "internal"
            text = f"function {head[3]}() {seen} pure returns ({head[0]}) "
            text += f"{{ return {_chosen(whole, changed)}; }}"
            edits.append((start, 1, place.end + 1, text))
            continue
        edits.append((place.start, 1, place.end, _choice(place.kind, whole, changed)))
    edits += _yul_heads(source, by_place)
    for start, _, end, text in sorted(edits, key=lambda edit: edit[:2], reverse=True):
        source = source[:start] + text + source[end:]
    for name in constants:
        source = re.sub(rf"(?<!function )\b{name}\b(?!\()", f"{name}()", source)
    source = source.replace("is ReentrancyGuardTransient", "is Door")
    wanted = f'import {{Door, mutant, mutated}} from "{up}Mutant.sol";'
    return re.sub(r"^(pragma [^;]*;)", rf"\1\n{wanted}", source, count=1, flags=re.MULTILINE)


def _changed(whole: str, start: int, mutant: Mutant) -> str:
    text = whole[: mutant.start - start] + mutant.text + whole[mutant.end - start :]
    return re.sub(r"//[^\n]*", "", text)


def _marked(number: int, text: str) -> str:
    return f"/*m{number}*/{text}/*e{number}*/"


def _choice(kind: str, whole: str, changed: Mapping[int, str]) -> str:
    """A place of this kind as a choice. Text of a change begins and ends with its number."""
    if kind == "condition":
        return _chosen(whole, changed)
    if kind == "yul":
        let = re.match(r"let (\w+) := ", whole)
        head, cut = (f"let {let[1]} ", len("let ")) if let else ("", 0)
        cases = [
            f"case {number} {{ {_marked(number, text[cut:])} }}" for number, text in changed.items()
        ]
        return f"{head}switch theMutant() {' '.join(cases)} default {{ {whole[cut:]} }}"
    head, cut, left = "", 0, ""
    if kind == "declaration":
        head, left, cut = _declared(whole)
    options = [
        f"if (mutant() == {number}) {{ {left}{_marked(number, text[cut:])} }}"
        for number, text in changed.items()
    ]
    first, last = min(changed), max(changed)
    kept = f"if (!mutated({first}, {last})) {{ {left}{whole[cut:]} }}"
    options[-1] = options[-1][options[-1].index(") {") + 2 :]
    return f"{head}{{ {' else '.join([kept, *options])} }}"


def _declared(whole: str) -> tuple[str, str, int]:
    """A declaration's variables, what is assigned to, and where the assignment's rest begins."""
    code = masked(whole)
    if whole[0] != "(":
        equals = re.search(r"(?<![=<>!])=(?![=>])", code)
        if equals is None:
            raise ValueError(f"a declaration without a value: {whole}")
        variable = whole[: equals.start()].strip()
        return f"{variable}; ", f"{variable.split()[-1]} ", equals.start()
    end = matching(code, 0)
    parts = [part.strip() for part in whole[1:end].split(",")]
    head = "".join(f"{part}; " for part in parts if part)
    names = ", ".join(part.split()[-1] if part else "" for part in parts)
    return head, f"({names})", end + 1


def _chosen(whole: str, changed: Mapping[int, str]) -> str:
    *others, (_, last) = changed.items()
    text = f"(!mutated({min(changed)}, {max(changed)}) ? ({whole}) : "
    text += "".join(f"mutant() == {number} ? ({_marked(number, one)}) : " for number, one in others)
    return f"{text}({_marked(max(changed), last)}))"


def _yul_heads(source: str, places: Iterable[Any]) -> list[tuple[int, int, int, str]]:
    """Where each block of assembly with a place begins, what reads the number."""
    code = masked(source)
    starts = set()
    for place in places:
        if place.kind == "yul":
            starts.add(code.index("{", code.rindex("assembly", 0, place.start)) + 1)
    return [(start, 0, start, f"\n            {_YUL_NUMBER}") for start in starts]


class Build:
    """A folder with the contracts of one room, woven, and its tests."""

    def __init__(self, folder: Path, room: str) -> None:
        self.folder = folder / "contracts"
        self.room = room
        (folder / "vectors").symlink_to(ROOT.parent / "vectors")
        self.folder.mkdir()
        for name in ("package.json", "solc.cjs"):
            shutil.copy(ROOT / name, self.folder / name)
        (self.folder / "node_modules").symlink_to(ROOT / "node_modules")
        self.write("foundry.toml", _FOUNDRY)
        self.write("solc.sh", _COMPILER)
        (self.folder / "solc.sh").chmod(0o755)
        self.write(NUMBER, _NUMBER_SOURCE)
        for path in _needed(sorted(ROOT.glob(f"test/{room}/*.sol"))):
            text = (ROOT / path).read_text(encoding="utf-8")
            self.write(path, _prepared(text) if path.startswith("test/") else text)
        self.sources = {
            str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
            for path in sorted((ROOT / "src" / room).glob("*.sol"))
        }
        found = [each for file, source in self.sources.items() for each in mutants(file, source)]
        self.mutants = dict(enumerate(found, start=1))
        self.refused: list[Mutant] = []
        self.weave()

    def write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def weave(self) -> None:
        """Leaves out what the compiler refuses, until it takes the rest."""
        while True:
            texts = {}
            for file, source in self.sources.items():
                its = {n: each for n, each in self.mutants.items() if each.file == file}
                texts[file] = woven(source, its, "../") if its else source
                self.write(file, texts[file])
            bad = self.complaints(texts)
            if not bad:
                return
            self.refused += [self.mutants.pop(number) for number in sorted(bad)]

    def complaints(self, texts: Mapping[str, str]) -> set[int]:
        """The numbers of changes that the compiler refuses. Raises: ValueError for other errors."""
        bad = set()
        for error in self.compiled().get("errors", []):
            if error["severity"] != "error":
                continue
            at = error.get("sourceLocation", {})
            text = texts.get(at.get("file"), "")
            number = _around(text, at.get("start", 0))
            if number is None:
                raise ValueError(error["formattedMessage"])
            bad.add(number)
        return bad

    def compiled(self) -> dict[str, Any]:
        """What the compiler says of the sources, in its standard JSON."""
        contents = {}
        for path in _needed(self.folder.glob("src/**/*.sol"), self.folder):
            name = path.removeprefix("node_modules/")
            contents[name] = {"content": (self.folder / path).read_text(encoding="utf-8")}
        asked = {"language": "Solidity", "sources": contents, "settings": _SETTINGS}
        done = subprocess.run(
            ["node", "solc.cjs"],
            cwd=self.folder,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=True,
        )
        told: dict[str, Any] = json.loads(done.stdout)
        return told


def _around(text: str, at: int) -> int | None:
    """The number of the change in which an offset lies."""
    for match in re.finditer(r"/\*m(\d+)\*/", text):
        if match.start() <= at <= text.index(f"/*e{match[1]}*/"):
            return int(match[1])
    return None


def _needed(paths: Iterable[Path], root: Path = ROOT) -> list[str]:
    """These sources and all that they import, from the folder of the contracts on."""
    waiting, found = [str(path.relative_to(root)) for path in paths], []
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.append(path)
        for match in _IMPORT.finditer((root / path).read_text(encoding="utf-8")):
            if match[1].startswith("."):
                waiting.append(os.path.normpath(PurePosixPath(path).parent / match[1]))
            else:
                waiting.append(f"node_modules/{match[1]}")
    return found


def _prepared(text: str) -> str:
    """A test that puts the number behind what it deploys, and behind its own code."""
    text = text.replace("invariant.runs = 48", "invariant.runs = 16")
    text = _MADE.sub(lambda match: f"{match[0]}\n        {_PUT.format(match[1])}", text)
    text = text.replace(
        "function setUp() public {", f"function setUp() public {{\n        {_PUT.format('this')}"
    )
    asked = "function envBytes32(string calldata name) external view returns (bytes32);"
    return text.replace("interface Vm {", f"interface Vm {{\n    {asked}")
