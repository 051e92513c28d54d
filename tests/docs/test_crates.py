"""Each crate opens with what it computes, where things are and what is left to its caller."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOTS = {path.parents[1].name: path for path in sorted((ROOT / "native").glob("*/src/lib.rs"))}

MODULE = re.compile(r"^(?:pub )?mod (\w+);", re.MULTILINE)
ROW = re.compile(r"^//! \| `(\w+)` \| .+ \|$", re.MULTILINE)


@pytest.mark.parametrize("crate", ROOTS)
def test_a_crate_says_its_formula_its_modules_and_its_soundness(crate: str) -> None:
    text = ROOTS[crate].read_text(encoding="utf-8")
    head = re.match(r"(?://!.*\n)+", text)
    assert head is not None
    assert re.search(r"^//! ```text\n(?://! +\S.*\n)+//! ```$", head[0], re.MULTILINE)
    assert ROW.findall(head[0]) == sorted(MODULE.findall(text))
    assert re.search(r"^//! # Soundness\n//!\n//! (?:\w|\[`)", head[0], re.MULTILINE)


def test_all_crates_are_looked_at() -> None:
    assert len(ROOTS) > 10
