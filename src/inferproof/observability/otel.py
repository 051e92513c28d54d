"""Traces over OpenTelemetry, sent to a collector by OTLP over HTTP. Needs the extra `otel`.

A span is made when its stage is over. Spans are sent in batches by a thread of the exporter; when
the collector does not keep up, or is down, they are dropped: a gateway never waits for it.
"""

from collections.abc import Mapping
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from inferproof.observability.base import About, Caller, Fact
from inferproof.observability.ids import trace_ids
from inferproof.types.digest import Digest

EXPORT_S = 5
"""How long one batch may take; also bounds how long a gateway that ends waits for its last."""

_FIRST: ContextVar[tuple[int, int] | None] = ContextVar("inferproof_first_span", default=None)


class _Ids(RandomIdGenerator):
    """Random ids, but for the first span of a job's trace."""

    def generate_trace_id(self) -> int:
        first = _FIRST.get()
        return super().generate_trace_id() if first is None else first[0]

    def generate_span_id(self) -> int:
        first = _FIRST.get()
        return super().generate_span_id() if first is None else first[1]


class OtelTracer:
    """Implements telemetry.base.Tracer. `ratio` is the share of jobs that are traced."""

    def __init__(self, processor: SpanProcessor, *, ratio: float = 1.0, version: str = "") -> None:
        self._provider = TracerProvider(
            sampler=TraceIdRatioBased(ratio),
            resource=Resource.create({"service.name": "inferproof", "service.version": version}),
            id_generator=_Ids(),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("inferproof", version)

    @classmethod
    def to(cls, endpoint: str, *, ratio: float, version: str) -> "OtelTracer":
        """A tracer that sends to the collector's address, such as http://host:4318/v1/traces."""
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_S)
        return cls(BatchSpanProcessor(exporter), ratio=ratio, version=version)

    def close(self) -> None:
        """Sends what is left, for as long as one batch may take. It blocks."""
        self._provider.shutdown()

    def request(self, about: About, *, name: str, status: int, end_ns: int) -> None:
        if about.job is None:
            return
        facts: dict[str, Fact] = {"http.response.status_code": status, "job": about.job.hex}
        if about.request is not None:
            facts["request"] = about.request
        parent: SpanContext | None = _first_span(about.job)
        first, links = False, []
        if about.caller is not None:
            # In the caller's trace, which is another one than the job's.
            links, parent = [Link(_first_span(about.job))], _remote(about.caller)
        elif about.new_order:
            first, parent = True, None
        self._record(
            name,
            about.started_ns,
            end_ns,
            facts,
            parent=parent,
            first=about.job if first else None,
            links=links,
            kind=SpanKind.SERVER,
            failed=f"HTTP {status}" if status >= 500 else None,
        )

    def accepted(self, job: Digest, about: About | None, *, start_ns: int, end_ns: int) -> None:
        alone = about is None or about.caller is not None
        links = [Link(_remote(about.caller))] if about is not None and about.caller else []
        self._record(
            "accept",
            start_ns,
            end_ns,
            {"job": job.hex},
            parent=None if alone else _first_span(job),
            first=job if alone else None,
            links=links,
        )

    def stage(
        self,
        job: Digest,
        name: str,
        *,
        start_ns: int,
        end_ns: int,
        facts: Mapping[str, Fact] | None = None,
        failed: str | None = None,
        parent: object | None = None,
    ) -> SpanContext:
        above = parent if isinstance(parent, SpanContext) else _first_span(job)
        told = {"job": job.hex, **(facts or {})}
        return self._record(name, start_ns, end_ns, told, parent=above, failed=failed)

    def _record(
        self,
        name: str,
        start_ns: int,
        end_ns: int,
        facts: Mapping[str, Fact],
        *,
        parent: SpanContext | None = None,
        first: Digest | None = None,
        links: list[Link] | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        failed: str | None = None,
    ) -> SpanContext:
        context = Context()
        if parent is not None:
            context = set_span_in_context(NonRecordingSpan(parent), context)
        token = _FIRST.set(None if first is None else trace_ids(first))
        try:
            span = self._tracer.start_span(
                name, context, kind=kind, attributes=dict(facts), links=links, start_time=start_ns
            )
        finally:
            _FIRST.reset(token)
        if failed is not None:
            span.set_status(Status(StatusCode.ERROR, failed))
            span.set_attribute("reason", failed)
        span.end(max(start_ns, end_ns))
        return span.get_span_context()


def _first_span(job: Digest) -> SpanContext:
    trace, span = trace_ids(job)
    return SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _remote(caller: Caller) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(caller.trace, caller.span, is_remote=True, trace_flags=flags)
