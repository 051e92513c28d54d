"""Prometheus metrics of one gateway, in a registry of their own.

| metric | labels | counts |
|---|---|---|
| inferproof_proofs_total | system, model | verified proofs that were published |
| inferproof_failures_total | code | jobs that failed, by reason |
| inferproof_stage_seconds | stage | how long each stage of a job took |
| inferproof_payments_total | outcome | payments by how they ended |
| inferproof_webhooks_total | outcome | attempts of webhooks: delivered, failed, dead |
| inferproof_refunds_total | outcome | refunds by how they ended |
| inferproof_retries_total | code | attempts that will be made again, by reason |
| inferproof_leases_lost_total | | jobs that a worker found taken by another |
| inferproof_queue_depth | | paid jobs that wait |
| inferproof_jobs | state | jobs by state |
| inferproof_oldest_job_seconds | state | how long ago the oldest job in a state was ordered |
| inferproof_open_transactions | | stored transactions that may still enter the chain |
| inferproof_oldest_transaction_seconds | | how long ago the oldest of them was stored |
| inferproof_figures_timestamp_seconds | | when the five before were read |
| inferproof_account_coin_wei | | what the gateway's account holds for gas |
| inferproof_account_tokens | | what it holds for refunds, in atomic units |
| inferproof_account_timestamp_seconds | | when the two before were read |
| inferproof_refusals_total | limit | calls and connections that met a limit |
| inferproof_http_seconds | method, route, status | time to answer a request |
| inferproof_verifications_total | kind, outcome | proofs and receipts checked for callers |
| inferproof_books_discrepancies | | where the last check of the books disagreed |
| inferproof_books_checked_seconds | | when the books were last checked, in Unix time |
| inferproof_ready | check | 1 where a readiness check holds, as /ready last found it |
| inferproof_build_info | version, python | 1 |
"""

import platform
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics import MetricWrapperBase

from inferproof import __version__
from inferproof.errors import Reason
from inferproof.protocol.lifecycle import FINAL
from inferproof.storage.ports.ledger import Figures
from inferproof.types.job import JobState

CONTENT_TYPE = CONTENT_TYPE_LATEST

STAGE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""From a cached answer to a proof of a large network."""
HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Described(NamedTuple):
    """What a metric is."""

    name: str
    kind: str
    labels: Sequence[str]
    help: str | None


class Metrics:
    """All metrics. Implements services.metrics.Metrics, so that services know no Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.ready_at = 0.0
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
        self._webhooks = Counter(
            "inferproof_webhooks",
            "Attempts of webhooks by outcome.",
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
        self._refusals = Counter(
            "inferproof_refusals",
            "Calls and connections that met a limit.",
            ("limit",),
            registry=self.registry,
        )
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
        self._retries = Counter(
            "inferproof_retries",
            "Attempts that ended and will be made again.",
            ("code",),
            registry=self.registry,
        )
        self._leases_lost = Counter(
            "inferproof_leases_lost",
            "Jobs that a worker found taken by another.",
            registry=self.registry,
        )
        self._watched = _Watched(self.registry)
        self._paid: dict[str, Counter] = {}
        self._answered: dict[tuple[str, str, int], Histogram] = {}
        for state in JobState:
            self._jobs.labels(state.value).set(0)
        # Prometheus sees no increase in a counter that is born with its first event.
        for outcome in ("delivered", "failed", "dead"):
            self._webhooks.labels(outcome)
        for outcome in ("due", "sent", "settled", "lost", "found"):
            self._refunds.labels(outcome)
        for code in (Reason.JOB_FAULT, Reason.LEASE_EXPIRED):
            self._retries.labels(code.code)

    def refused(self, limit: str) -> None:
        """Counts what met a limit: a bucket's name, or what is bounded."""
        self._refusals.labels(limit).inc()

    def proof(self, system: str, model: str) -> None:
        """Counts a verified proof that was published."""
        self._proofs.labels(system, model).inc()

    def webhook(self, outcome: str) -> None:
        """Counts an attempt of a webhook; outcome is delivered, failed or dead."""
        self._webhooks.labels(outcome).inc()

    def failure(self, code: str) -> None:
        """Counts a job that failed for this reason."""
        self._failures.labels(code).inc()

    def stage(self, stage: str, seconds: float) -> None:
        """Records how long a stage took."""
        self._stages.labels(stage).observe(seconds)

    def payment(self, outcome: str) -> None:
        """Counts a payment; outcome is reserved, repeated, settled, void or a reason's code."""
        counter = self._paid.get(outcome)
        if counter is None:  # labels() takes longer than the rest
            counter = self._paid[outcome] = self._payments.labels(outcome)
        counter.inc()

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

    def retry(self, code: str) -> None:
        """Counts an attempt that ended for this reason and will be made again."""
        self._retries.labels(code).inc()

    def lease_lost(self) -> None:
        """Counts a job that a worker found taken by another."""
        self._leases_lost.inc()

    def orders(self, figures: Figures, now: int) -> None:
        """Sets what the order book says at this time."""
        self.queue(figures.jobs)
        self._watched.orders(figures, now)

    def account(self, coin: int, tokens: int, now: int) -> None:
        """Sets what the gateway's account holds. Units: wei, atomic units."""
        self._watched.account(coin, tokens, now)

    def ready(self, checks: Mapping[str, bool]) -> None:
        """Sets what the readiness checks found."""
        self.ready_at = time.time()
        for name, holds in checks.items():
            self._ready.labels(name).set(int(holds))

    def http(self, method: str, route: str, status: int, seconds: float) -> None:
        """Records a request. `route` is the template, never the path: labels must stay few."""
        times = self._answered.get((method, route, status))
        if times is None:
            times = self._answered[method, route, status] = self._http.labels(
                method, route, str(status)
            )
        times.observe(seconds)

    def described(self) -> list[Described]:
        """Every metric, by name."""
        found = []
        for collector in self.registry._collector_to_names:
            assert isinstance(collector, MetricWrapperBase)  # noqa: S101 - all that we register
            kind, name = str(collector._type), collector._name
            ended = f"{name}_total" if kind == "counter" else name
            found.append(Described(ended, kind, collector._labelnames, collector._documentation))
        return sorted(found, key=lambda metric: metric.name)

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)


class _Watched:
    """Gauges of the order book and of the account."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._oldest = Gauge(
            "inferproof_oldest_job_seconds",
            "Seconds since the oldest job in a state was ordered; 0 where there is none.",
            ("state",),
            registry=registry,
        )
        self._open = Gauge(
            "inferproof_open_transactions",
            "Stored transactions that may still enter the chain.",
            registry=registry,
        )
        self._open_since = Gauge(
            "inferproof_oldest_transaction_seconds",
            "Seconds since the oldest of them was stored; 0 where there is none.",
            registry=registry,
        )
        self._read_at = Gauge(
            "inferproof_figures_timestamp_seconds",
            "When the order book's figures were read.",
            registry=registry,
        )
        self._coin = Gauge(
            "inferproof_account_coin_wei",
            "What the gateway's account holds for gas.",
            registry=registry,
        )
        self._tokens = Gauge(
            "inferproof_account_tokens",
            "What the gateway's account holds for refunds, in atomic units of the token.",
            registry=registry,
        )
        self._account_at = Gauge(
            "inferproof_account_timestamp_seconds",
            "When the account's balances were read.",
            registry=registry,
        )
        build = Gauge(
            "inferproof_build_info",
            "1, for the version that runs.",
            ("version", "python"),
            registry=registry,
        )
        build.labels(__version__, platform.python_version()).set(1)

    def orders(self, figures: Figures, now: int) -> None:
        for state in JobState:
            if state not in FINAL:
                since = figures.oldest.get(state)
                self._oldest.labels(state.value).set(0 if since is None else max(0, now - since))
        self._open.set(figures.open_transactions)
        since = figures.open_since
        self._open_since.set(0 if since is None else max(0, now - since))
        self._read_at.set(now)

    def account(self, coin: int, tokens: int, now: int) -> None:
        self._coin.set(coin)
        self._tokens.set(tokens)
        self._account_at.set(now)
