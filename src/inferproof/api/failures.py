"""What a job that failed means for the call that waited for it."""

from dataclasses import dataclass

from inferproof.errors import Reason
from inferproof.services.orders.base import JobView
from inferproof.types.job import JobState

INPUT_AT_FAULT = ("INPUT_", "OUTPUT_NOT_FINITE")
"""How the codes begin that find fault with what the buyer sent: 422, the same again fails."""
OURS = ("PROOF_", "JOB_STATEMENT", "ARTIFACT_", "MODEL_", "INTERNAL_", "MISCONFIGURED")
"""How the codes begin that only a bug or a damaged model of ours can cause: 500."""


@dataclass(frozen=True, slots=True)
class JobFailure:
    """A stored failure as this door tells it; `status` 402 asks for another payment."""

    status: int
    code: str
    message: str
    facts: dict[str, object]


def job_failure(job: JobView) -> JobFailure:
    """The failure of a job that is over and not done, with job id, state and refund as facts.

    A payment that failed for good moved no money: 402. Otherwise the money is on its way back.
    What its payer cancelled is a conflict (409), and asks for no other payment.
    """
    failure, refund = job.failure, job.refund
    assert failure is not None  # noqa: S101 - what JobView promises of these states
    facts: dict[str, object] = dict(failure.facts)
    facts |= {"job_id": job.id.hex, "state": job.state.value}
    if refund is not None:
        facts["refund"] = {
            "state": refund.state.value,
            "transaction": refund.transaction.hex if refund.transaction else None,
        }
    return JobFailure(_status(job.state, failure.code), failure.code, failure.message, facts)


def _status(state: JobState, code: str) -> int:
    if code == Reason.JOB_CANCELLED.code:
        return 409
    if state is JobState.VOID:
        return 402
    if code.startswith(INPUT_AT_FAULT):
        return 422
    return 500 if code.startswith(OURS) else 503
