"""The states of a paid job."""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands. The transitions between states are in protocol/lifecycle.py."""

    RESERVED = "reserved"
    """The authorization is reserved and durable; nothing was sent to the chain."""
    SETTLING = "settling"
    """A settlement was stored in the outbox; money may move at any moment."""
    QUEUED = "queued"
    """The payment is settled; the job waits for a worker."""
    RUNNING = "running"
    """A worker holds the lease and computes."""
    DONE = "done"
    """Answer, verified proof and receipt are stored."""
    FAILED = "failed"
    """No answer will come; the money is owed back."""
    REFUNDING = "refunding"
    """A refund was stored in the outbox."""
    REFUNDED = "refunded"
    """The refund is settled."""
    WITHDRAWN = "withdrawn"
    """The payer cancelled before the money came. The job waits until the authorization is over,
    or until somebody settles it."""
    VOID = "void"
    """The settlement failed for good; no money moved and none is owed."""
