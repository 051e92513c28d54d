"""How often a job's private input was opened: counted durably, under a name that its secret gives.

Every attempt opens one tree, which serves ATTEMPTS of them and no more; who fails has lost one. The
count is kept where openings of keys are (ADR 33), by the same rules: unknown is spent.
"""

from inferproof.errors import Conflict, Reason
from inferproof.protocol.input_opening import ATTEMPTS, attempts_name
from inferproof.proving.openings import Openings


def begin_attempts(openings: Openings, secret: bytes) -> None:
    """Begins to count the attempts of a job, whose secret the caller drew just now.

    Raises: Conflict OPENINGS_COUNTED for one that was drawn before; Unavailable.
    """
    openings.register(attempts_name(secret), ATTEMPTS, reserved=0)


def take_attempt(openings: Openings, secret: bytes) -> int:
    """The number of an attempt, durably taken: nobody else ever has it.

    Raises: Conflict INPUT_ATTEMPTS_SPENT for the ninth, INPUT_ATTEMPTS_UNKNOWN where the count was
    not begun here, was copied or lost; Conflict OPENINGS_DAMAGED; Unavailable.
    """
    try:
        # Nobody but the store knows how many were taken; what a copy of it says it does not give.
        return openings.take(attempts_name(secret), seen=0).slot
    except Conflict as error:
        if error.reason is Reason.OPENINGS_SPENT:
            raise Conflict(Reason.INPUT_ATTEMPTS_SPENT, limit=ATTEMPTS) from None
        if error.reason in (Reason.OPENINGS_UNKNOWN, Reason.OPENINGS_COPIED):
            raise Conflict(Reason.INPUT_ATTEMPTS_UNKNOWN, code=error.code) from None
        raise


def forget_attempts(openings: Openings, secret: bytes) -> None:
    """Lets go of the count: of a job that is over, there is no attempt afterwards.

    Raises: Unavailable.
    """
    openings.forget(attempts_name(secret))
