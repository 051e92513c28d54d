"""The drawing of a job's life in the guide is the table in the code, edge by edge."""

import re
from pathlib import Path

from inferproof.protocol.lifecycle import FINAL, PAID, RESERVE, TRANSITIONS
from inferproof.types.job import JobState

GUIDE = (Path(__file__).resolve().parents[2] / "docs/guide/lifecycle.md").read_text("utf-8")
EDGE = re.compile(r"    (\S+) --> (\S+?)(?:: (\w+))?")


def drawn() -> list[tuple[str, str, str]]:
    """Every line of the drawing as state, state, name."""
    (drawing,) = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", GUIDE, re.DOTALL)
    edges = []
    for line in drawing.splitlines():
        found = EDGE.fullmatch(line)
        assert found, f"not an edge: {line}"
        edges.append((found[1], found[2], found[3] or ""))
    return edges


def test_the_drawing_is_the_table() -> None:
    between = {(a, b, name) for a, b, name in drawn() if "[*]" not in (a, b)}
    assert between == {
        (state.name, target.name, transition.value)
        for (state, transition), target in TRANSITIONS.items()
    }


def test_nothing_is_drawn_twice() -> None:
    assert len(set(drawn())) == len(drawn())


def test_it_begins_with_a_reservation_and_ends_in_the_final_states() -> None:
    assert [(b, name) for a, b, name in drawn() if a == "[*]"] == [
        (JobState.RESERVED.name, RESERVE)
    ]
    ends = [a for a, b, _ in drawn() if b == "[*]"]
    assert set(ends) == {state.name for state in FINAL}


def test_every_state_is_explained_with_its_money() -> None:
    rows = dict(re.findall(r"^\| ([A-Z]+) \| (.*?) \|", GUIDE, re.MULTILINE))
    assert set(rows) == {state.name for state in JobState}
    taken = {
        name for name, money in rows.items() if not money.startswith(("not taken", "may move"))
    }
    assert taken == {state.name for state in PAID}
