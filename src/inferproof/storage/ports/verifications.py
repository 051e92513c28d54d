"""What was verified here, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferproof.types.digest import Digest


@dataclass(frozen=True, slots=True)
class VerificationStep:
    """One numbered step of a verification that was reached."""

    number: int
    name: str
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class VerificationRecord:
    """One verification and how it ended. `subject` is the SHA-256 of the bytes that were given;
    `reason` and `message` are present when it was rejected, `job_id` and `assurance` when it
    was verified."""

    id: int
    subject: Digest
    kind: str
    verified: bool
    at: int
    steps: tuple[VerificationStep, ...] = ()
    job_id: Digest | None = None
    assurance: str | None = None
    reason: str | None = None
    message: str | None = None


class Verifications(Protocol):
    """Every verification made here, stored and queryable."""

    async def record(self, record: VerificationRecord) -> VerificationRecord:
        """The stored record, with its number in `id`; the one given is ignored."""
        ...

    async def get(self, number: int) -> VerificationRecord:
        """Raises: NotFound VERIFICATION_UNKNOWN."""
        ...

    async def of_job(self, job_id: Digest) -> Sequence[VerificationRecord]:
        """The verifications of a job's receipts, newest first."""
        ...
