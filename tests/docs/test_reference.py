"""The generated reference is what the code says."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "reference.py"))


@pytest.mark.parametrize("name", ["reasons", "commands", "metrics"])
def test_the_reference_is_fresh(name: str) -> None:
    file = {"reasons": "reasons.md", "commands": "cli.md", "metrics": "metrics.md"}[name]
    text = (ROOT / "docs" / "reference" / file).read_text("utf-8")
    assert text == SCRIPT[name](), f"docs/reference/{file} is stale; run scripts/reference.py"


def test_a_changed_catalogue_would_be_seen() -> None:
    text = (ROOT / "docs" / "reference" / "reasons.md").read_text("utf-8")
    assert text.replace("PROOF_INVALID", "PROOF_FINE") != SCRIPT["reasons"]()
