"""What the services count. The API shows it to Prometheus; tests read it in memory."""

from collections.abc import Mapping
from typing import Protocol

from inferproof.types.job import JobState


class Metrics(Protocol):
    """Counters, times and gauges. Labels are few and fixed; no id is ever a label."""

    def proof(self, system: str, model: str) -> None:
        """One verified proof was published."""
        ...

    def stage(self, stage: str, seconds: float) -> None:
        """One stage of a job took this long: settle, queue, load, witness, prove, verify, store."""
        ...

    def payment(self, outcome: str) -> None:
        """One payment was reserved, repeated, settled, void, or rejected with a reason's code."""
        ...

    def refund(self, outcome: str) -> None:
        """One refund became due, sent, settled or lost."""
        ...

    def webhook(self, outcome: str) -> None:
        """One attempt of a webhook was delivered, failed, or was the last: dead."""
        ...

    def failure(self, code: str) -> None:
        """One job failed for this reason."""
        ...

    def books(self, discrepancies: int) -> None:
        """The books were checked, and disagree in so many places."""
        ...

    def retry(self, code: str) -> None:
        """One attempt ended for this reason and will be made again."""
        ...

    def lease_lost(self) -> None:
        """One worker found that another has its job."""
        ...

    def queue(self, depth: Mapping[JobState, int]) -> None:
        """How many jobs are in each state now."""
        ...

    def indexed(self, events: int) -> None:
        """So many events of contracts were read."""
        ...

    def index_rollback(self) -> None:
        """The chain changed, and events that were read were taken back."""
        ...

    def index_lag(self, blocks: int) -> None:
        """So many blocks of the chain are not read yet."""
        ...
