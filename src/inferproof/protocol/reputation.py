"""How a server's reputation follows from what became of its orders, as the contract has it.

Whole numbers throughout, so that every language has the same score. Source: specs/escrow.md,
section 7; contracts/src/reputation/ReputationRules.sol.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

HALF_LIFE_S = 30 * 86_400
"""Seconds in which an amount halves."""
BEST_SCORE = 10_000
PENALTY = 4
"""What is failed in weighs this many times what is earned by."""
BASE = 100_000_000
"""Millionths of a dollar. Who has earned as much, and failed in nothing, has half of the best
score."""
WEIGHT_ONE = 10**18
"""The weight of a token whose atomic unit is a millionth of a dollar."""
_PLACES = 64
_ONE = 1 << _PLACES
_LN2 = 12_786_308_645_202_655_659
"""ln 2 with 64 binary places, rounded down."""
_TERMS = 18
"""(ln 2)^19 / 19! is below 2^-66: less than rounding leaves out."""
_GONE = 56
"""After so many half-lives nothing is left of 56 bits."""
_MOST_AMOUNT = 2**56 - 1


class Outcome(IntEnum):
    """What became of an order, for one of its servers; the numbers are the contract's."""

    VALID = 0
    """Delivered by who accepted it, in time."""
    LATE = 1
    """Delivered by who accepted it, in the rescue window."""
    MISSED = 2
    """Accepted and not delivered by who accepted it: its proof was refused, or never came."""
    RESCUED = 3
    """Delivered in the place of who accepted it."""


@dataclass(frozen=True)
class Reputation:
    """What is kept of a server: counts, and amounts in millionths of a dollar as of `at`, in Unix
    seconds."""

    good: int = 0
    bad: int = 0
    at: int = 0
    valid: int = 0
    late: int = 0
    missed: int = 0
    rescued: int = 0


_MOST = {"valid": 2**32 - 1, "late": 2**24 - 1, "missed": 2**24 - 1, "rescued": 2**24 - 1}
"""Counts end at what the contract has place for."""


def value_of(amount: int, weight: int) -> int:
    """What atomic units of a token count, in millionths of a dollar, by its listed weight."""
    return amount * weight // WEIGHT_ONE


def left(elapsed_s: int) -> int:
    """What is left of 2^64 after some seconds: 2^(64 - elapsed / 30 days), four off at most."""
    halvings, rest = divmod(elapsed_s, HALF_LIFE_S)
    if halvings >= _GONE:
        return 0
    x = _LN2 * rest // HALF_LIFE_S
    share = _ONE
    for n in range(_TERMS, 0, -1):
        share = _ONE - x * share // (n << _PLACES)
    return share >> halvings


def _decayed(reputation: Reputation, time: int) -> tuple[int, int]:
    if not reputation.good and not reputation.bad:
        return 0, 0
    share = left(time - reputation.at)
    return reputation.good * share >> _PLACES, reputation.bad * share >> _PLACES


def following(reputation: Reputation, outcome: Outcome, value: int, time: int) -> Reputation:
    """What is kept of a server after one more order.

    `value` is in millionths of a dollar, zero where the order counts nothing; `time` is in Unix
    seconds and not before the reputation's.
    """
    good, bad = _decayed(reputation, time)
    if outcome in (Outcome.VALID, Outcome.RESCUED):
        good += value
    else:
        bad += value // PENALTY if outcome is Outcome.LATE else value
    name = outcome.name.lower()
    counted = {name: min(getattr(reputation, name) + 1, _MOST[name])}
    amounts = {"good": min(good, _MOST_AMOUNT), "bad": min(bad, _MOST_AMOUNT)}
    return replace(reputation, at=time, **amounts, **counted)


def score(reputation: Reputation, time: int) -> int:
    """From 0, as a server that has done nothing has, to 10,000, as of a time in Unix seconds."""
    good, bad = _decayed(reputation, time)
    return BEST_SCORE * good // (good + PENALTY * bad + BASE)
