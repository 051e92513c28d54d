"""Metrics in memory, for tests to read."""

from collections import Counter
from collections.abc import Mapping

from inferproof.types.job import JobState


class MemoryMetrics:
    """Implements services.metrics.Metrics."""

    def __init__(self) -> None:
        self.proofs: Counter[tuple[str, str]] = Counter()
        self.stages: dict[str, list[float]] = {}
        self.payments: Counter[str] = Counter()
        self.refunds: Counter[str] = Counter()
        self.webhooks: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.leases_lost = 0
        self.depth: dict[JobState, int] = {}
        self.discrepancies: list[int] = []
        self.events = 0
        self.rollbacks = 0
        self.lag: list[int] = []

    def proof(self, system: str, model: str) -> None:
        self.proofs[system, model] += 1

    def stage(self, stage: str, seconds: float) -> None:
        self.stages.setdefault(stage, []).append(seconds)

    def payment(self, outcome: str) -> None:
        self.payments[outcome] += 1

    def refund(self, outcome: str) -> None:
        self.refunds[outcome] += 1

    def webhook(self, outcome: str) -> None:
        self.webhooks[outcome] += 1

    def failure(self, code: str) -> None:
        self.failures[code] += 1

    def books(self, discrepancies: int) -> None:
        self.discrepancies.append(discrepancies)

    def retry(self, code: str) -> None:
        self.retries[code] += 1

    def lease_lost(self) -> None:
        self.leases_lost += 1

    def queue(self, depth: Mapping[JobState, int]) -> None:
        self.depth = dict(depth)

    def indexed(self, events: int) -> None:
        self.events += events

    def index_rollback(self) -> None:
        self.rollbacks += 1

    def index_lag(self, blocks: int) -> None:
        self.lag.append(blocks)
