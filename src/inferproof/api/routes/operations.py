"""Health, readiness, metrics."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.responses import Response

from inferproof.api import schemas as s
from inferproof.api.context import Served
from inferproof.api.routes.describe import errors
from inferproof.api.wire import json_response
from inferproof.errors import NotFound, Reason
from inferproof.observability.metrics import CONTENT_TYPE, Metrics
from inferproof.observability.readiness import Readiness

router = APIRouter(tags=["operations"])


@router.get("/health", response_model=s.Health, operation_id="health", summary="Is it alive")
async def health(served: Served) -> Response:
    """200 while the process answers; says nothing about what it depends on."""
    return health_response(served.settings.version)


@router.get(
    "/ready",
    response_model=s.Readiness,
    responses={503: {"model": s.Readiness, "description": "At least one check fails."}},
    operation_id="ready",
    summary="Can it take paid calls",
)
async def ready(served: Served) -> Response:
    """200 when every check holds: database, disk, chain, token, gas, models, proof systems, and
    Redis where there is one; and the services that run in this process. An answer holds for a
    second."""
    return await ready_response(served.readiness, served.metrics)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **errors(404)},
)
async def metrics(served: Served) -> Response:
    """Prometheus text format. A gateway in several processes answers 404 here: each of them has
    its metrics at a port of its own."""
    if served.settings.several_processes:
        raise NotFound(Reason.METRICS_ELSEWHERE)
    return await metrics_response(served.metrics, served.refresh)


def health_response(version: str) -> Response:
    """Says that the process answers."""
    return json_response(s.Health(version=version).model_dump())


async def ready_response(readiness: Readiness, metrics: Metrics) -> Response:
    """What each check found; the metrics are told of it too."""
    found = await readiness.find()
    metrics.ready({name: finding.ok for name, finding in found.items()})
    report = s.Readiness(
        ready=all(finding.ok for finding in found.values()),
        checks={name: s.Check(ok=each.ok, detail=each.detail) for name, each in found.items()},
    )
    return json_response(report.model_dump(), status=200 if report.ready else 503)


async def metrics_response(
    metrics: Metrics, refresh: Callable[[], Awaitable[None]] | None
) -> Response:
    """The metrics of this process; `refresh` brings its gauges up to date first."""
    if refresh is not None:
        await refresh()
    return Response(metrics.render(), media_type=CONTENT_TYPE)
