"""The table of parameters of the weight opening, and the bits that follow from it.

The bits are added up by tests/reference/soundness.py and must agree with the native report.
"""

import json
from math import ceil, log2

import pytest

from inferproof.proving.sumcheck.library import library
from inferproof.second_verifier.field import P
from reference.schedule import CLEAR_PROFILES, Schedule, schedule
from reference.soundness import FIELD, bits, list_size, opening, pin, query_error
from reference.vectors import Vector, files, load
from reference.verifier import VerifyingKey

MOST_BLOCKS = 4096 * 9
MOST_COORDINATES = 4096 * 4 * 24
MOST_ROUNDS = 48
each_vector = pytest.mark.parametrize(
    "vector", [load(path) for path in files()], ids=lambda vector: vector.name
)
each_row = pytest.mark.parametrize(
    "plan",
    [schedule(n, profile) for profile in CLEAR_PROFILES for n in range(13, 29)],
    ids=lambda plan: f"{plan.profile}-{plan.variables}",
)


@each_row
def test_every_row_folds_down_to_a_short_polynomial(plan: Schedule) -> None:
    assert plan.folds[0] == plan.first_fold
    most = max(plan.folds) if plan.later_fold is None else plan.later_fold
    assert (plan.later_fold is None) == (plan.profile == "small")
    assert all(0 < fold <= most for fold in plan.folds[1:])
    assert 0 <= plan.last_variables <= 6
    assert len(plan.rates) == len(plan.samples) == len(plan.queries) == plan.rounds + 1
    for code in range(plan.rounds):
        # A later domain is at most half of the one before.
        before = plan.remaining(code) + plan.rates[code]
        assert plan.remaining(code + 1) + plan.rates[code + 1] < before
    # The field has roots of unity of order 2^24; indices are drawn from 31 bits.
    assert all(0 < plan.log_leaves(code) <= 24 for code in range(plan.rounds + 1))
    assert all(rate >= 1 for rate in plan.rates)


@each_row
def test_every_row_reaches_100_bits_with_as_many_claims_as_a_key_may_have(plan: Schedule) -> None:
    blocks = [28] * MOST_BLOCKS
    assert bits(plan, blocks, MOST_COORDINATES, 4096, MOST_ROUNDS) > 100
    assert min(-error for error in opening(plan, 2 * MOST_BLOCKS).values()) > plan.term_bits
    # Who searches for a root whose pin fails needs far more work than for any other term.
    assert -pin(plan, 28) > 130
    assert all(queries.work <= plan.work_bits for queries in plan.queries)


@each_row
def test_queries_samples_and_work_are_the_least_that_reach_their_terms(plan: Schedule) -> None:
    for code, queries in enumerate(plan.queries):
        of_one = -query_error(plan, code)
        assert queries.count == ceil((plan.term_bits - plan.work_bits) / of_one)
        assert queries.work == max(0, ceil(plan.term_bits - queries.count * of_one))
        assert plan.samples[code] == int(plan.johnson)


def test_sizes_of_field_and_lists() -> None:
    assert P == 2130706433
    assert 154 < FIELD < 155
    default, conservative = schedule(14, 1), schedule(14, 2)
    assert list_size(default, 0) == pytest.approx(log2(80))
    assert list_size(conservative, 0) == 0


@pytest.mark.native
@each_vector
def test_the_native_report_says_the_same(vector: Vector) -> None:
    key = VerifyingKey(vector.key)
    report = json.loads(library().VerifyingKey(vector.key).security())
    own = bits(
        key.schedule,
        [block.variables for block in key.stack.blocks],
        sum(contraction.coordinates for contraction in key.contractions),
        len(key.contractions),
        max(key.variables),
    )
    assert 100 < report["provable_bits"] <= own + 0.01
    assert own - report["provable_bits"] < 0.1
