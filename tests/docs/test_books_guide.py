"""The guide tells an operator what to think of each way the books can disagree."""

import re
from pathlib import Path

from inferproof.types.reconciliation import Fault

GUIDE = (Path(__file__).resolve().parents[2] / "docs/guide/books.md").read_text("utf-8")


def test_every_fault_is_in_the_guide_once() -> None:
    _, _, table = GUIDE.partition("## When they disagree")
    told = re.findall(r"`([A-Z_]+)`", table)
    assert sorted(told) == sorted(fault.name for fault in Fault)
