"""Decisions are numbered, listed and each under a page; their links lead somewhere."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
DECISIONS = sorted((DOCS / "adr").glob("[0-9]*.md"))
PAGE = 500
"""Words of a page."""
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([a-z0-9-]+))?\)")


@pytest.mark.parametrize("file", DECISIONS, ids=lambda file: file.stem)
def test_a_decision_is_a_page(file: Path) -> None:
    text = file.read_text("utf-8")
    assert len(text.split()) <= PAGE
    number, title = int(file.name[:4]), text.splitlines()[0]
    assert title.startswith(f"# {number}. ")
    listed = (DOCS / "adr/README.md").read_text("utf-8")
    assert f"{number}. [{title.partition('. ')[2]}]({file.name})" in listed


def test_they_are_numbered_without_a_gap() -> None:
    assert [int(file.name[:4]) for file in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize(
    "file",
    [*DECISIONS, DOCS / "adr/README.md", DOCS / "measurements.md"],
    ids=lambda file: file.stem,
)
def test_links_lead_somewhere(file: Path) -> None:
    for place, anchor in LINK.findall(file.read_text("utf-8")):
        if place.startswith("http"):
            continue
        target = (file.parent / place).resolve() if place else file
        assert target.exists(), place
        if anchor:
            assert f'id="{anchor}"' in target.read_text("utf-8"), anchor
