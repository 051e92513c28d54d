"""The crates of native/ import each other as ARCHITECTURE.md says."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ROW = re.compile(r"^\| ([a-z0-9_, ]+) \| ([a-z0-9_, ]+|–) \|$", re.MULTILINE)


def imports_as_told(text: str) -> dict[str, set[str]]:
    """The crates that each crate imports, by the table that begins with `| crate | imports |`."""
    table = text.partition("| crate | imports |")[2].partition("\n\n")[0]
    return {
        crate: set() if imported == "–" else set(imported.split(", "))
        for crates, imported in ROW.findall(table)
        for crate in crates.split(", ")
    }


def imports_as_built() -> dict[str, set[str]]:
    """The same, by the manifests of the crates."""
    manifests = {path.parent.name: path for path in (ROOT / "native").glob("*/Cargo.toml")}
    return {
        crate: set(tomllib.loads(path.read_text(encoding="utf-8")).get("dependencies", {}))
        & set(manifests)
        for crate, path in manifests.items()
    }


def test_the_table_of_crates_is_true() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert imports_as_told(text) == imports_as_built()


@pytest.mark.parametrize("row", ["| layers | commitment |", "| extra | graph |"])
def test_another_table_is_noticed(row: str) -> None:
    text = f"| crate | imports |\n| --- | --- |\n{row}\n\n"
    assert imports_as_told(text) != imports_as_built()
