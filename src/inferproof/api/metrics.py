"""Prometheus metrics of one gateway, in a registry of their own.

| metric | labels | counts |
|---|---|---|
| inferproof_proofs_total | system, model | verified proofs that were published |
| inferproof_failures_total | code | jobs that failed, by reason |
| inferproof_stage_seconds | stage | how long each stage of a job took |
| inferproof_payments_total | outcome | payments by how they ended |
| inferproof_refunds_total | outcome | refunds by how they ended |
| inferproof_queue_depth | | paid jobs that wait |
| inferproof_jobs | state | jobs by state |
| inferproof_http_seconds | method, route, status | time to answer a request |
| inferproof_verifications_total | kind, outcome | proofs and receipts checked for callers |
| inferproof_books_discrepancies | | where the last check of the books disagreed |
| inferproof_books_checked_seconds | | when the books were last checked, in Unix time |
| inferproof_ready | check | 1 where a readiness check holds |
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from inferproof.types.job import JobState

CONTENT_TYPE = CONTENT_TYPE_LATEST

STAGE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""From a cached answer to a proof of a large network."""
HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """All metrics. Implements services.metrics.Metrics, so that services know no Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._proofs = Counter(
            "inferproof_proofs",
            "Verified proofs that were published.",
            ("system", "model"),
            registry=self.registry,
        )
        self._failures = Counter(
            "inferproof_failures", "Jobs that failed.", ("code",), registry=self.registry
        )
        self._stages = Histogram(
            "inferproof_stage_seconds",
            "Seconds that a stage of a job took.",
            ("stage",),
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        self._payments = Counter(
            "inferproof_payments",
            "Payments by outcome.",
            ("outcome",),
            registry=self.registry,
        )
        self._refunds = Counter(
            "inferproof_refunds", "Refunds by outcome.", ("outcome",), registry=self.registry
        )
        self._queue = Gauge(
            "inferproof_queue_depth", "Paid jobs that wait for a worker.", registry=self.registry
        )
        self._jobs = Gauge("inferproof_jobs", "Jobs by state.", ("state",), registry=self.registry)
        self._http = Histogram(
            "inferproof_http_seconds",
            "Seconds to answer a request.",
            ("method", "route", "status"),
            buckets=HTTP_BUCKETS,
            registry=self.registry,
        )
        self._verifications = Counter(
            "inferproof_verifications",
            "Proofs and receipts checked for callers.",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self._ready = Gauge(
            "inferproof_ready",
            "1 where a readiness check holds.",
            ("check",),
            registry=self.registry,
        )
        self._books = Gauge(
            "inferproof_books_discrepancies",
            "Discrepancies that the last check of the books found.",
            registry=self.registry,
        )
        self._books_at = Gauge(
            "inferproof_books_checked_seconds",
            "Unix time of the last check of the books; 0 before the first.",
            registry=self.registry,
        )
        for state in JobState:
            self._jobs.labels(state.value).set(0)

    def proof(self, system: str, model: str) -> None:
        """Counts a verified proof that was published."""
        self._proofs.labels(system, model).inc()

    def failure(self, code: str) -> None:
        """Counts a job that failed for this reason."""
        self._failures.labels(code).inc()

    def stage(self, stage: str, seconds: float) -> None:
        """Records how long a stage took."""
        self._stages.labels(stage).observe(seconds)

    def payment(self, outcome: str) -> None:
        """Counts a payment; outcome is reserved, repeated, settled, void or a reason's code."""
        self._payments.labels(outcome).inc()

    def refund(self, outcome: str) -> None:
        """Counts a refund; outcome is due, sent, settled or lost."""
        self._refunds.labels(outcome).inc()

    def verification(self, kind: str, outcome: str) -> None:
        """Counts a check; kind is `proof` or `receipt`, outcome `verified` or a reason's code."""
        self._verifications.labels(kind, outcome).inc()

    def queue(self, depth: Mapping[JobState, int]) -> None:
        """Sets the number of jobs in each state; those QUEUED are the queue."""
        for state in JobState:
            self._jobs.labels(state.value).set(depth.get(state, 0))
        self._queue.set(depth.get(JobState.QUEUED, 0))

    def books(self, discrepancies: int) -> None:
        """Sets what a check of the books found, and when."""
        self._books.set(discrepancies)
        self._books_at.set_to_current_time()

    def ready(self, checks: Mapping[str, bool]) -> None:
        """Sets what the readiness checks found."""
        for name, holds in checks.items():
            self._ready.labels(name).set(int(holds))

    def http(self, method: str, route: str, status: int, seconds: float) -> None:
        """Records a request. `route` is the template, never the path: labels must stay few."""
        self._http.labels(method, route, str(status)).observe(seconds)

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)
