"""Health, readiness, metrics."""

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from inferproof.api import schemas as s
from inferproof.api.context import ReadyCheck, Served
from inferproof.api.metrics import CONTENT_TYPE
from inferproof.api.routes.describe import errors
from inferproof.api.wire import json_response
from inferproof.errors import InferproofError

router = APIRouter(tags=["operations"])

CHECK_LIMIT_S = 5.0
"""A check that takes longer has failed: probes of orchestrators wait about as long."""


@router.get("/health", response_model=s.Health, operation_id="health", summary="Is it alive")
async def health(served: Served) -> Response:
    """200 while the process answers; says nothing about what it depends on."""
    return json_response(s.Health(version=served.settings.version).model_dump())


@router.get(
    "/ready",
    response_model=s.Readiness,
    responses={503: {"model": s.Readiness, "description": "At least one check fails."}},
    operation_id="ready",
    summary="Can it take paid calls",
)
async def ready(served: Served) -> Response:
    """200 when every check holds: database, disk, chain, token, gas, models, proof systems,
    services, and Redis where there is one. An answer holds for a second."""

    async def find() -> s.Readiness:
        names = list(served.checks)
        results = await asyncio.gather(*(_run(served.checks[name]) for name in names))
        checks = dict(zip(names, results, strict=True))
        served.metrics.ready({name: check.ok for name, check in checks.items()})
        return s.Readiness(ready=all(check.ok for check in results), checks=checks)

    report = await served.readings.take(served.settings.ready_kept_s, find)
    return json_response(report.model_dump(), status=200 if report.ready else 503)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **errors()},
)
async def metrics(served: Served) -> Response:
    """Prometheus text format."""
    if served.refresh is not None:
        await served.refresh()
    text = await served.exposition() if served.exposition else served.metrics.render()
    return Response(text, media_type=CONTENT_TYPE)


async def _run(check: ReadyCheck) -> s.Check:
    try:
        async with asyncio.timeout(CHECK_LIMIT_S):
            return s.Check(ok=True, detail=await check())
    except InferproofError as error:
        return s.Check(ok=False, detail=f"{error.code}: {error.message}")
    except TimeoutError:
        return s.Check(ok=False, detail=f"no answer within {CHECK_LIMIT_S:g} seconds")
