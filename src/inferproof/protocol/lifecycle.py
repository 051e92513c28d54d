"""The life cycle of a paid job, as a table of named transitions.

                                                     redeem
                                                        │
                                                        ▼
    reserve ─► RESERVED ─send_settlement─► SETTLING ─settled─► QUEUED ◄─release─┐
                  │ void                      │ void             │ │           │
                  ▼                           │                  │ └─claim─► RUNNING ─finish─► DONE
                 VOID ◄───────────────────────┘          give_up │           │
                                                                 ▼           │ give_up
                              ┌──────────────send_refund────── FAILED ◄──────┘
                              ▼                                  ▲
                          REFUNDING ─────────refund_lost─────────┘
                              └──refunded─► REFUNDED

Whoever has seen an authorization may submit it, also before us: a job whose payment somebody else
settled goes from RESERVED to QUEUED by `settled`, without a transaction of ours.

A job begins in one of two ways: `reserve` takes an authorization, which is still to be settled;
`redeem` takes a transfer that the chain holds already, and records it as the settlement.

    cancelled by the payer, before and after the money came:

    RESERVED or SETTLING ─cancel─► WITHDRAWN ─void─► VOID
                                       └─settled─► FAILED
    QUEUED or RUNNING ─cancel─► FAILED

An authorization that was handed out can be settled by whoever has seen it until it is over, and
the payee has the money then. So a job that was cancelled before is not void yet: it is refunded
when it is settled after all.

A database that was restored from a backup may have forgotten that it refunded a job, which the
chain is asked before each refund:

    FAILED ─refund_found─► REFUNDED

Money rule: a job becomes runnable only by `settled` or `redeem`, and a job whose money was taken
ends in DONE or REFUNDED.

A chain may take back a block, and with it what a job rests on:

    QUEUED or RUNNING ─unsettled─► SETTLING      the settlement is to be included again
    REFUNDED ─unrefunded─► REFUNDING             the refund is to be included again
    FAILED ─unowed─► VOID                        the settlement never came back: nothing is owed
"""

from enum import StrEnum

from inferproof.errors import Conflict, Reason
from inferproof.types.job import JobState


class Transition(StrEnum):
    """What may happen to a job."""

    SEND_SETTLEMENT = "send_settlement"
    SETTLED = "settled"
    VOID = "void"
    CLAIM = "claim"
    RELEASE = "release"
    FINISH = "finish"
    GIVE_UP = "give_up"
    SEND_REFUND = "send_refund"
    REFUND_LOST = "refund_lost"
    REFUNDED = "refunded"
    REFUND_FOUND = "refund_found"
    UNSETTLED = "unsettled"
    UNREFUNDED = "unrefunded"
    UNOWED = "unowed"
    CANCEL = "cancel"


RESERVE = "reserve"
REDEEM = "redeem"
STARTS = {RESERVE: JobState.RESERVED, REDEEM: JobState.QUEUED}
"""How the history of a job begins. No transitions: they leave no state."""

TRANSITIONS: dict[tuple[JobState, Transition], JobState] = {
    (JobState.RESERVED, Transition.SEND_SETTLEMENT): JobState.SETTLING,
    (JobState.RESERVED, Transition.VOID): JobState.VOID,
    (JobState.RESERVED, Transition.SETTLED): JobState.QUEUED,
    (JobState.SETTLING, Transition.VOID): JobState.VOID,
    (JobState.SETTLING, Transition.SETTLED): JobState.QUEUED,
    (JobState.QUEUED, Transition.CLAIM): JobState.RUNNING,
    (JobState.QUEUED, Transition.GIVE_UP): JobState.FAILED,
    (JobState.RUNNING, Transition.RELEASE): JobState.QUEUED,
    (JobState.RUNNING, Transition.FINISH): JobState.DONE,
    (JobState.RUNNING, Transition.GIVE_UP): JobState.FAILED,
    (JobState.FAILED, Transition.SEND_REFUND): JobState.REFUNDING,
    (JobState.REFUNDING, Transition.REFUND_LOST): JobState.FAILED,
    (JobState.REFUNDING, Transition.REFUNDED): JobState.REFUNDED,
    (JobState.FAILED, Transition.REFUND_FOUND): JobState.REFUNDED,
    (JobState.QUEUED, Transition.UNSETTLED): JobState.SETTLING,
    (JobState.RUNNING, Transition.UNSETTLED): JobState.SETTLING,
    (JobState.REFUNDED, Transition.UNREFUNDED): JobState.REFUNDING,
    (JobState.FAILED, Transition.UNOWED): JobState.VOID,
    (JobState.RESERVED, Transition.CANCEL): JobState.WITHDRAWN,
    (JobState.SETTLING, Transition.CANCEL): JobState.WITHDRAWN,
    (JobState.QUEUED, Transition.CANCEL): JobState.FAILED,
    (JobState.RUNNING, Transition.CANCEL): JobState.FAILED,
    (JobState.WITHDRAWN, Transition.VOID): JobState.VOID,
    (JobState.WITHDRAWN, Transition.SETTLED): JobState.FAILED,
}

TAKEN_BACK = frozenset({Transition.UNSETTLED, Transition.UNREFUNDED, Transition.UNOWED})
"""What happens only where a chain took back a block that it had shown."""

FINAL = frozenset({JobState.DONE, JobState.REFUNDED, JobState.VOID})
"""States that nothing leaves, but for a refund whose block the chain took back."""

WORKABLE = frozenset({JobState.RESERVED, JobState.SETTLING, JobState.QUEUED, JobState.RUNNING})
"""States in which a job may be computed; it is finished in RUNNING alone."""

UNPAID = frozenset({JobState.RESERVED, JobState.SETTLING, JobState.WITHDRAWN, JobState.VOID})
"""States in which the buyer's money was not taken, as far as is known."""

PAID = frozenset(JobState) - UNPAID
"""States in which the buyer's money was taken (and, in REFUNDED, given back)."""


def after(state: JobState, transition: Transition) -> JobState:
    """The state that the transition leads to.

    Raises: Conflict JOB_TRANSITION_ILLEGAL when the state does not allow it.
    """
    following = TRANSITIONS.get((state, transition))
    if following is None:
        raise Conflict(
            Reason.JOB_TRANSITION_ILLEGAL, state=state.value, transition=transition.value
        )
    return following


def sources(transition: Transition) -> frozenset[JobState]:
    """The states that allow the transition."""
    return frozenset(state for state, allowed in TRANSITIONS if allowed is transition)
