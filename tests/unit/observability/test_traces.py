"""One trace for each paid call, over the queue and whoever works on it."""

from collections.abc import Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from paid_calls import caller
from service_parts import World, build

from inferproof.app.reporting import open_tracer
from inferproof.errors import InputRejected, MissingPart, Reason
from inferproof.observability.base import read_traceparent
from inferproof.observability.ids import trace_ids
from inferproof.observability.otel import OtelTracer
from inferproof.services.traced import traced
from inferproof.settings import Settings
from inferproof.testing.memory_store import open_stores
from inferproof.testing.rejections import rejects
from inferproof.types.digest import Digest

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Traces:
    """What a collector would have."""

    def __init__(self, ratio: float = 1.0) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracer = OtelTracer(SimpleSpanProcessor(self._exporter), ratio=ratio, version="1")

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def one(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]


@asynccontextmanager
async def traced_world(world: World, traces: Traces) -> Any:
    async with open_stores(world.url) as stores:
        services = build(world, replace(stores, orders=traced(stores.orders, traces.tracer)))
        await services.register()
        async with caller(services, tracer=traces.tracer) as buyer:
            yield buyer


def ids(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


def parent(span: ReadableSpan) -> tuple[int, int] | None:
    return None if span.parent is None else (span.parent.trace_id, span.parent.span_id)


def linked(span: ReadableSpan) -> list[tuple[int, int]]:
    return [(link.context.trace_id, link.context.span_id) for link in span.links]


def job_of(response: httpx.Response) -> Digest:
    return Digest.from_hex(
        response.json()["job"]["id"]
        if "job" in response.json()
        else response.headers["Location"].rpartition("/")[2]
    )


async def test_one_trace_from_the_request_to_the_answer(world: World) -> None:
    traces = Traces()
    async with traced_world(world, traces) as buyer:
        answer = await buyer.send(await buyer.header())
        assert answer.status_code == 202
        await buyer.finish()
        job = job_of(answer)
        assert (await buyer.http.get(f"/v1/jobs/{job}")).json()["state"] == "done"
    request = traces.one("POST /v1/models/{model}/infer")
    assert ids(request) == trace_ids(job)
    assert request.parent is None
    above = {ids(span)[1]: span.name for span in traces.spans}
    tree = {span.name: above[span.parent.span_id] for span in traces.spans if span.parent}
    compute = ("preprocess", "load", "witness", "prove", "verify", "store", "finish")
    assert tree == {
        **dict.fromkeys(("accept", "settle", "queue", "attempt"), request.name),
        **dict.fromkeys(compute, "attempt"),
    }
    for span in traces.spans:
        assert ids(span)[0] == trace_ids(job)[0]
        assert span.attributes is not None
        assert span.attributes["job"] == job.hex
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time
        assert span.status.is_ok or span.status.is_unset
    attempt = traces.one("attempt").attributes
    assert attempt is not None
    assert (attempt["attempt"], attempt["fence"], attempt["model"]) == (1, 1, "sample")


async def test_another_process_goes_on_with_the_same_trace(world: World) -> None:
    first, second = Traces(), Traces()
    async with traced_world(world, first) as buyer:
        job = job_of(await buyer.send(await buyer.header()))
    async with traced_world(world, second) as buyer:
        await buyer.finish()
    assert "accept" in first.names
    assert {"settle", "queue", "attempt", "finish"} <= set(second.names)
    assert {ids(span)[0] for span in (*first.spans, *second.spans)} == {trace_ids(job)[0]}


async def test_a_caller_that_is_traced_finds_its_call_and_the_job(world: World) -> None:
    traces = Traces()
    async with traced_world(world, traces) as buyer:
        buyer.headers["traceparent"] = CALLER
        job = job_of(await buyer.send(await buyer.header()))
    known = read_traceparent(CALLER.encode())
    assert known is not None
    request, accept = traces.one("POST /v1/models/{model}/infer"), traces.one("accept")
    assert parent(request) == (known.trace, known.span)
    assert linked(request) == [trace_ids(job)]
    assert ids(accept) == trace_ids(job)
    assert linked(accept) == [(known.trace, known.span)]


async def test_a_repeated_payment_adds_its_request_and_no_second_beginning(world: World) -> None:
    traces = Traces()
    async with traced_world(world, traces) as buyer:
        header = await buyer.header()
        job = job_of(await buyer.send(header))
        await buyer.send(header)
    assert traces.names.count("accept") == 1
    first, again = [s for s in traces.spans if s.name == "POST /v1/models/{model}/infer"]
    assert ids(first) == trace_ids(job)
    assert parent(again) == trace_ids(job)
    assert ids(again)[1] != ids(first)[1]


async def test_a_failed_job_says_why_by_its_code_alone(world: World) -> None:
    traces = Traces()
    async with traced_world(world, traces) as buyer:
        await buyer.send(await buyer.header())
        world.system.faults = [InputRejected(Reason.INPUT_NOT_FINITE, name="marked")]
        await buyer.finish()
        for _ in range(3):
            await buyer.services.settler.settle_once()
    attempt = traces.one("attempt")
    assert not attempt.status.is_ok
    assert attempt.attributes is not None
    assert attempt.attributes["reason"] == "INPUT_NOT_FINITE"
    assert traces.one("refund").attributes is not None
    assert "marked" not in "".join(span.to_json() for span in traces.spans)


async def test_what_is_not_paid_for_is_not_traced(world: World) -> None:
    traces = Traces()
    async with traced_world(world, traces) as buyer:
        buyer.headers["traceparent"] = CALLER
        await buyer.challenge()
        await buyer.http.get("/health", headers={"traceparent": CALLER})
    assert traces.spans == ()


async def test_a_share_of_nothing_traces_nothing(world: World) -> None:
    traces = Traces(ratio=0.0)
    async with traced_world(world, traces) as buyer:
        await buyer.send(await buyer.header())
        await buyer.finish()
    assert traces.spans == ()


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        b"00-00000000000000000000000000000000-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        b"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        b"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        b"\xff" * 55,
    ],
)
def test_what_is_no_traceparent_is_ignored(header: bytes) -> None:
    assert read_traceparent(header) is None


def test_a_later_version_of_the_header_is_read() -> None:
    found = read_traceparent(b"01-" + CALLER[3:].encode() + b"-more")
    assert found == read_traceparent(CALLER.encode())


async def test_without_the_library_a_set_endpoint_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    settings = Settings(otel_endpoint="http://127.0.0.1:4318/v1/traces")
    async with AsyncExitStack() as stack:
        with rejects(
            Reason.MISSING_LIBRARY,
            "traces needs the Python package opentelemetry-sdk; install it with: "
            "pip install 'inferproof[otel]'",
            kind=MissingPart,
        ):
            open_tracer(settings, stack)
        assert open_tracer(Settings(), stack) is None


async def test_a_collector_that_is_down_costs_nobody_anything(world: World) -> None:
    settings = Settings(otel_endpoint="http://127.0.0.1:9/v1/traces")
    async with AsyncExitStack() as stack:
        tracer = open_tracer(settings, stack)
        assert tracer is not None
        job = Digest(b"\x01" * 32)
        tracer.stage(job, "settle", start_ns=1, end_ns=2)
