"""The life cycle: money decides which ways a job may go."""

import pytest

from inferproof.errors import Conflict, Reason
from inferproof.protocol import lifecycle
from inferproof.protocol.lifecycle import (
    FINAL,
    PAID,
    REDEEM,
    RESERVE,
    STARTS,
    TAKEN_BACK,
    TRANSITIONS,
    UNPAID,
    Transition,
    after,
    sources,
)
from inferproof.testing.rejections import rejects
from inferproof.types.job import JobState

ALL = [(state, transition) for state in JobState for transition in Transition]


def _reachable(start: JobState, without: frozenset[Transition] = TAKEN_BACK) -> set[JobState]:
    seen, todo = {start}, [start]
    while todo:
        here = todo.pop()
        for (state, transition), following in TRANSITIONS.items():
            if state is here and transition not in without and following not in seen:
                seen.add(following)
                todo.append(following)
    return seen


@pytest.mark.parametrize(("state", "transition"), ALL)
def test_each_state_and_transition(state: JobState, transition: Transition) -> None:
    if (state, transition) in TRANSITIONS:
        assert after(state, transition) is TRANSITIONS[state, transition]
        return
    with rejects(
        Reason.JOB_TRANSITION_ILLEGAL,
        f"a job that is {state.value} does not allow {transition.value}",
        kind=Conflict,
    ):
        after(state, transition)


def test_nothing_leaves_a_final_state_but_a_refund_that_the_chain_took_back() -> None:
    leaving = [(s, t) for s, t in TRANSITIONS if s in FINAL]
    assert leaving == [(JobState.REFUNDED, Transition.UNREFUNDED)]


def test_every_state_that_is_not_final_has_a_way_out_and_is_reached() -> None:
    assert {s for s, t in TRANSITIONS if t not in TAKEN_BACK} == set(JobState) - FINAL
    assert _reachable(JobState.RESERVED) == set(JobState)


@pytest.mark.parametrize("state", sorted(PAID))
def test_a_paid_job_can_end_and_ends_in_done_or_refunded(state: JobState) -> None:
    ends = _reachable(state) & FINAL
    assert ends
    assert ends <= {JobState.DONE, JobState.REFUNDED}


def test_a_job_that_fails_is_refunded_and_never_done() -> None:
    assert _reachable(JobState.FAILED) & FINAL == {JobState.REFUNDED}


def test_a_job_begins_unpaid_or_with_money_that_moved() -> None:
    assert STARTS == {RESERVE: JobState.RESERVED, REDEEM: JobState.QUEUED}
    assert STARTS[RESERVE] in UNPAID
    assert STARTS[REDEEM] in PAID
    assert _reachable(STARTS[REDEEM]) & FINAL == {JobState.DONE, JobState.REFUNDED}


def test_only_a_settled_payment_makes_a_job_runnable() -> None:
    unsettled = _reachable(JobState.RESERVED, frozenset({Transition.SETTLED}))
    assert unsettled == UNPAID


def test_only_the_chain_makes_a_paid_state_unpaid() -> None:
    unpaid = {t for (s, t), following in TRANSITIONS.items() if s in PAID and following not in PAID}
    assert unpaid == {Transition.UNSETTLED, Transition.UNOWED}
    assert unpaid < TAKEN_BACK


def test_what_the_chain_took_back_does_not_run() -> None:
    assert sources(Transition.UNSETTLED) == {JobState.QUEUED, JobState.RUNNING}
    for state in sources(Transition.UNSETTLED):
        assert after(state, Transition.UNSETTLED) is JobState.SETTLING


def test_the_drawing_shows_every_state_and_transition() -> None:
    drawing = lifecycle.__doc__ or ""
    words = drawing.replace("─", " ").replace("│", " ").split()
    assert [t.value for t in Transition if t.value not in words] == []
    assert [start for start in STARTS if start not in words] == []
    assert [s.name for s in JobState if s.name not in words] == []
