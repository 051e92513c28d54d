"""Work that waits, and the leases by which workers share it."""

from collections.abc import Sequence
from typing import Protocol

from inferproof.storage.ports.jobs import Answer, Failure, Job, Kept, KeptProof
from inferproof.types.digest import Digest


class Queue(Protocol):
    """Claims of jobs and what comes of them. Each change of state is one transition of
    protocol.lifecycle, made by a guarded update inside one transaction.

    Raises: Conflict JOB_TRANSITION_ILLEGAL where the state does not allow the transition,
    Conflict FENCE_STALE where another worker claimed the job since, NotFound JOB_UNKNOWN.
    """

    async def runnable(self, *, now: int) -> bool:
        """Whether `claim` would find a job. Cheap, and it writes nothing."""
        ...

    async def claim(self, *, now: int, lease_until: int) -> Job | None:
        """QUEUED → RUNNING for the job whose turn it is, with the next fence; None when none waits.

        Payers take turns: the first waiting job of each comes before the second of any, as far
        as they waited at the same time. The jobs of one payer keep their order.
        A job that a worker computes ahead of its settlement is left to it while its lease lasts.
        """
        ...

    async def startable(self) -> bool:
        """Whether `claim_early` would find a job. Cheap, and it writes nothing."""
        ...

    async def claim_early(self, *, lease_until: int) -> Job | None:
        """A lease, with the next fence, on the oldest job that is reserved or settling and that
        nobody claimed before; None when there is none. No transition: such a job can be computed
        and cannot be finished."""
        ...

    async def leave_early(self, job_id: Digest, fence: int) -> None:
        """Ends the lease of `claim_early`. Raises: Conflict FENCE_STALE when it was lost."""
        ...

    async def heartbeat(self, job_id: Digest, fence: int, *, lease_until: int) -> None:
        """A longer lease. Raises: Conflict FENCE_STALE when the lease was lost."""
        ...

    async def checkpoint(
        self, job_id: Digest, fence: int, done: KeptProof | Answer, *, now: int
    ) -> None:
        """Keeps what a step gave, in place of what an earlier claim kept of it, until the job
        ends. Raises: Conflict FENCE_STALE when the lease was lost."""
        ...

    async def kept(self, job_id: Digest) -> Kept:
        """What the claims of this job kept; nothing for a job that ended."""
        ...

    async def release(self, job_id: Digest, fence: int, *, now: int, counts: bool = True) -> Job:
        """RUNNING → QUEUED. Where it does not count, the attempt is as if it had not been made:
        a worker that is told to stop is no fault of the job."""
        ...

    async def finish(self, job_id: Digest, fence: int, answer: Answer, *, now: int) -> Job:
        """RUNNING → DONE, with the answer."""
        ...

    async def give_up(self, job_id: Digest, fence: int, failure: Failure, *, now: int) -> Job:
        """QUEUED or RUNNING → FAILED, with a refund that is due."""
        ...

    async def expired_leases(self, *, now: int) -> Sequence[Job]:
        """RUNNING jobs whose lease has ended."""
        ...

    async def overdue(self, *, now: int) -> Sequence[Job]:
        """QUEUED jobs whose deadline has passed."""
        ...
