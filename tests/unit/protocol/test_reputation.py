"""The rules of reputation, by the vectors that the contract reads too and by what they are for."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferproof.protocol.reputation import (
    BASE,
    BEST_SCORE,
    HALF_LIFE_S,
    Outcome,
    Reputation,
    following,
    left,
    score,
    value_of,
)

VECTORS = json.loads(
    (Path(__file__).resolve().parents[3] / "vectors" / "reputation.json").read_text("ascii")
)
NOW = 1_800_000_000
KEPT = st.builds(
    Reputation,
    good=st.integers(0, 2**56 - 1),
    bad=st.integers(0, 2**56 - 1),
    at=st.just(NOW),
)
LATER = st.integers(0, 100 * HALF_LIFE_S)


@pytest.mark.parametrize("entry", VECTORS["shares"], ids=lambda e: e["description"])
def test_what_is_left_is_that_of_the_vectors(entry: dict[str, Any]) -> None:
    assert left(entry["elapsed"]) == int(entry["left"])


@pytest.mark.parametrize("entry", VECTORS["histories"], ids=lambda e: e["description"])
def test_histories_are_those_of_the_vectors(entry: dict[str, Any]) -> None:
    kept = Reputation()
    for outcome, value, time in zip(
        entry["outcomes"], entry["values"], entry["times"], strict=True
    ):
        kept = following(kept, Outcome(outcome), int(value), time)
    names = ("good", "bad", "at", "valid", "late", "missed", "rescued")
    assert kept == Reputation(**{name: int(entry[name]) for name in names})
    assert [score(kept, time) for time in entry["asked"]] == entry["scores"]


@given(st.integers(0, 50 * HALF_LIFE_S))
def test_what_is_left_is_the_power_of_a_half(elapsed: int) -> None:
    # The exponent of a float is exact to some 2^-48, and the shift rounds down.
    expected = 2.0**64 * 2.0 ** (-elapsed / HALF_LIFE_S)
    assert math.isclose(left(elapsed), expected, rel_tol=1e-13, abs_tol=5)


@given(KEPT, LATER, LATER)
def test_a_score_without_failures_only_falls_with_time(
    kept: Reputation, first: int, second: int
) -> None:
    kept = Reputation(good=kept.good, at=NOW)
    sooner, later = sorted((first, second))
    assert 0 <= score(kept, NOW + later) <= score(kept, NOW + sooner) < BEST_SCORE


@given(KEPT, LATER, st.sampled_from(Outcome), st.integers(0, 2**60))
def test_deliveries_never_lower_a_score_and_failures_never_raise_it(
    kept: Reputation, later: int, outcome: Outcome, value: int
) -> None:
    time = NOW + later
    before, after = score(kept, time), score(following(kept, outcome, value, time), time)
    if outcome in (Outcome.VALID, Outcome.RESCUED):
        assert after >= before
    else:
        assert after <= before


def test_a_hundred_dollars_are_half_of_the_best_score() -> None:
    kept = following(Reputation(), Outcome.VALID, BASE, NOW)
    assert score(kept, NOW) == BEST_SCORE // 2
    # A miss of a quarter of it takes as much away as was earned.
    missed = following(kept, Outcome.MISSED, BASE // 4, NOW)
    assert score(missed, NOW) == BEST_SCORE // 3


def test_a_token_counts_by_its_weight() -> None:
    assert value_of(250_000, 10**18) == 250_000
    # A dollar with 18 decimals.
    assert value_of(10**18, 10**6) == 1_000_000
    assert value_of(10**18, 0) == 0
