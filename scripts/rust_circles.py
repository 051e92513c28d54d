"""Finds circles between the modules of each crate of native/: modules that use one another.

A module is a file below `src`, a folder with its `mod.rs`, or the crate's root (`lib.rs`). What a
module uses is read from paths that begin with `crate::` or `super::`, comments, strings and test
modules aside. Only the first step into the crate counts: `crate::simd::leaves` is a use of `simd`,
whose own parts are one room. The root re-exports what is below it, so `crate::Name` is followed to
the module that `lib.rs` takes the name from. What `lib.rs` defines itself is below its modules, as
any Rust parent is, and takes no part in a circle.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[1] / "native"
ROOT = "lib"

_NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"', re.DOTALL)
_TESTS = re.compile(r"#\[cfg\(test\)\]\s*(?:#\[[^\n]*\]\s*)*mod \w+\s*\{.*?^\}", re.DOTALL | re.M)
_PATH = re.compile(r"\b(crate|(?:super::)*super)::(\{[^;]*?\};|\w+)", re.DOTALL)
_EXPORT = re.compile(r"^\s*pub(?:\([^)]*\))? use (?:self::|crate::)?(\w+)::([^;]+);", re.M)
_NAME = re.compile(r"\w+")


def _code(path: Path) -> str:
    return _TESTS.sub("", _NOISE.sub(" ", path.read_text(encoding="utf-8")))


def _first_names(part: str) -> Iterator[str]:
    """The first name of each path in `a`, or in `{a::b, c::{d, e}}`."""
    depth, fresh = 0, True
    for piece in re.findall(r"\w+|::|[{},]", part):
        if piece == "{":
            depth += 1
            fresh = fresh and depth == 1
        elif piece == "}":
            depth -= 1
        elif piece == ",":
            fresh = depth <= 1
        elif piece != "::" and fresh:
            fresh = False
            yield piece


def uses(crate: Path) -> dict[str, set[str]]:
    """What each module directly below the root of a crate uses of the same crate."""
    source = crate / "src"
    root = _code(source / "lib.rs")
    files = {path: path.relative_to(source).with_suffix("").parts for path in source.rglob("*.rs")}
    # A file `tests.rs` holds the tests of its folder's module.
    files = {path: parts for path, parts in files.items() if parts[-1] != "tests"}
    modules = {parts[0] for parts in files.values()} - {ROOT}
    origin = {
        name: module
        for module, names in _EXPORT.findall(root)
        if module in modules
        for name in _NAME.findall(names)
    }
    found: dict[str, set[str]] = {name: set() for name in modules}
    for path, parts in files.items():
        own = parts[0]
        # Steps upwards that lead to the crate's root; `mod.rs` is its folder.
        depth = len(parts) - (parts[-1] == "mod")
        if own == ROOT:
            continue
        for start, rest in _PATH.findall(_code(path)):
            if start != "crate" and start.count("super") < depth:
                continue
            for name in _first_names(rest):
                if used := name if name in modules else origin.get(name):
                    found[own].add(used)
        found[own].discard(own)
    return found


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of a circle in order, the first one again at the end; empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def main(native: Path = NATIVE) -> int:
    failed = 0
    for manifest in sorted(native.glob("*/Cargo.toml")):
        crate = manifest.parent
        if (crate / "src/lib.rs").is_file() and (found := circle(uses(crate))):
            print(f"{crate.name}: modules use one another: {' -> '.join(found)}")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else NATIVE))
