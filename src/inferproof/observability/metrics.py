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
| inferproof_openings_left | model | openings left of the key of a model that has a budget |
| inferproof_index_events_total | | events of contracts that were read |
| inferproof_index_rollbacks_total | | times that the chain took back events that were read |
| inferproof_index_lag_blocks | | blocks that are not read yet, as the last look found |
| inferproof_ready | check | 1 where a readiness check holds, as /ready last found it |
| inferproof_build_info | version, python | 1 |
"""

import platform
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

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
    help: str


class _Declared:
    """Makes metrics, and keeps what each is. They are shown once they are registered."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.known: list[Described] = []

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        self.known.append(Described(f"{name}_total", "counter", labels, text))
        return Counter(name, text, labels, registry=self.registry)

    def histogram(
        self, name: str, text: str, labels: Sequence[str], buckets: Sequence[float]
    ) -> Histogram:
        self.known.append(Described(name, "histogram", labels, text))
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def gauge(
        self, name: str, text: str, labels: Sequence[str] = (), *, shown: bool = True
    ) -> Gauge:
        self.known.append(Described(name, "gauge", labels, text))
        return Gauge(name, text, labels, registry=self.registry if shown else None)


class Metrics:
    """All metrics. Implements services.metrics.Metrics, so that services know no Prometheus.

    Of a gateway in several processes each has its own. Counters add up; what only one process
    reads is shown by that one alone, once `watch` was called.
    """

    def __init__(self) -> None:
        self._declared = _Declared()
        self.registry = self._declared.registry
        declared = self._declared
        self._proofs = declared.counter(
            "inferproof_proofs", "Verified proofs that were published.", ("system", "model")
        )
        self._failures = declared.counter("inferproof_failures", "Jobs that failed.", ("code",))
        self._stages = declared.histogram(
            "inferproof_stage_seconds",
            "Seconds that a stage of a job took.",
            ("stage",),
            STAGE_BUCKETS,
        )
        self._payments = declared.counter(
            "inferproof_payments", "Payments by outcome.", ("outcome",)
        )
        self._webhooks = declared.counter(
            "inferproof_webhooks", "Attempts of webhooks by outcome.", ("outcome",)
        )
        self._refunds = declared.counter("inferproof_refunds", "Refunds by outcome.", ("outcome",))
        self._queue = declared.gauge("inferproof_queue_depth", "Paid jobs that wait for a worker.")
        self._jobs = declared.gauge("inferproof_jobs", "Jobs by state.", ("state",))
        self._refusals = declared.counter(
            "inferproof_refusals", "Calls and connections that met a limit.", ("limit",)
        )
        self._http = declared.histogram(
            "inferproof_http_seconds",
            "Seconds to answer a request.",
            ("method", "route", "status"),
            HTTP_BUCKETS,
        )
        self._verifications = declared.counter(
            "inferproof_verifications",
            "Proofs and receipts checked for callers.",
            ("kind", "outcome"),
        )
        self._ready = declared.gauge(
            "inferproof_ready", "1 where a readiness check holds.", ("check",)
        )
        self._books = declared.gauge(
            "inferproof_books_discrepancies",
            "Discrepancies that the last check of the books found.",
        )
        self._books_at = declared.gauge(
            "inferproof_books_checked_seconds",
            "Unix time of the last check of the books; 0 before the first.",
        )
        self._openings = declared.gauge(
            "inferproof_openings_left",
            "Openings left of the key of a model; none for keys without a budget.",
            ("model",),
        )
        self._retries = declared.counter(
            "inferproof_retries", "Attempts that ended and will be made again.", ("code",)
        )
        self._leases_lost = declared.counter(
            "inferproof_leases_lost", "Jobs that a worker found taken by another."
        )
        self._index = _Index(declared)
        self._watched = _Watched(declared)
        build = declared.gauge(
            "inferproof_build_info", "1, for the version that runs.", ("version", "python")
        )
        build.labels(__version__, platform.python_version()).set(1)
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

    def openings(self, left: Mapping[str, int]) -> None:
        """Sets how many openings the keys of these models have left."""
        for model, count in left.items():
            self._openings.labels(model).set(count)

    def retry(self, code: str) -> None:
        """Counts an attempt that ended for this reason and will be made again."""
        self._retries.labels(code).inc()

    def lease_lost(self) -> None:
        """Counts a job that a worker found taken by another."""
        self._leases_lost.inc()

    def indexed(self, events: int) -> None:
        """Counts events of contracts that were read."""
        self._index.events.inc(events)

    def index_rollback(self) -> None:
        """Counts a change of the chain that took back events."""
        self._index.rollbacks.inc()

    def index_lag(self, blocks: int) -> None:
        """Sets how many blocks are not read yet."""
        self._index.show_lag(blocks, self.registry)

    def orders(self, figures: Figures, now: int) -> None:
        """Sets what the order book says at this time."""
        self.queue(figures.jobs)
        self._watched.orders(figures, now)

    def account(self, coin: int, tokens: int, now: int) -> None:
        """Sets what the gateway's account holds. Units: wei, atomic units."""
        self._watched.account(coin, tokens, now)

    def ready(self, checks: Mapping[str, bool]) -> None:
        """Sets what the readiness checks found."""
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
        return sorted(self._declared.known, key=lambda metric: metric.name)

    def watch(self) -> None:
        """Shows the gauges of order book and account: in the process that reads them, and in no
        other, where they would stand at zero for ever."""
        for gauge in self._watched.gauges:
            self.registry.register(gauge)

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)


class _Index:
    """What reading events counts. The lag is shown by the process that reads, and by no other."""

    def __init__(self, declared: _Declared) -> None:
        self.events = declared.counter(
            "inferproof_index_events", "Events of contracts that were read."
        )
        self.rollbacks = declared.counter(
            "inferproof_index_rollbacks", "Times that the chain took back events that were read."
        )
        self._lag = declared.gauge(
            "inferproof_index_lag_blocks",
            "Blocks of the chain whose events are not read yet.",
            shown=False,
        )
        self._shown = False

    def show_lag(self, blocks: int, registry: CollectorRegistry) -> None:
        if not self._shown:
            registry.register(self._lag)
            self._shown = True
        self._lag.set(blocks)


class _Watched:
    """Gauges of the order book and of the account."""

    def __init__(self, declared: _Declared) -> None:
        self._oldest = declared.gauge(
            "inferproof_oldest_job_seconds",
            "Seconds since the oldest job in a state was ordered; 0 where there is none.",
            ("state",),
            shown=False,
        )
        self._open = declared.gauge(
            "inferproof_open_transactions",
            "Stored transactions that may still enter the chain.",
            shown=False,
        )
        self._open_since = declared.gauge(
            "inferproof_oldest_transaction_seconds",
            "Seconds since the oldest of them was stored; 0 where there is none.",
            shown=False,
        )
        self._read_at = declared.gauge(
            "inferproof_figures_timestamp_seconds",
            "When the order book's figures were read.",
            shown=False,
        )
        self._coin = declared.gauge(
            "inferproof_account_coin_wei", "What the gateway's account holds for gas.", shown=False
        )
        self._tokens = declared.gauge(
            "inferproof_account_tokens",
            "What the gateway's account holds for refunds, in atomic units of the token.",
            shown=False,
        )
        self._account_at = declared.gauge(
            "inferproof_account_timestamp_seconds",
            "When the account's balances were read.",
            shown=False,
        )
        self.gauges = (
            *(self._oldest, self._open, self._open_since, self._read_at),
            *(self._coin, self._tokens, self._account_at),
        )

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
