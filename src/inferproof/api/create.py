"""The FastAPI app from services that were built elsewhere."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from inferproof.api.body import BodyLimits
from inferproof.api.context import Services
from inferproof.api.errors import install_error_handlers
from inferproof.api.middleware import Middleware
from inferproof.api.routes import discovery, events, infer, models, operations, results, revenue
from inferproof.api.routes.describe import structures
from inferproof.observability.metrics import Metrics
from inferproof.observability.readiness import Readiness
from inferproof.payments.transfer.wire import SignedClaim
from inferproof.payments.x402.wire import PaymentPayload, PaymentRequired

DESCRIPTION = """\
Machine-learning answers that prove themselves. Call a model; pay with x402; get the output, a \
proof and a signed receipt that anyone can check again, offline.

Every error is `{"error": {"code", "message", "facts"}}`. Codes never change once released.
"""
SUBJECTS = (models, results, events, discovery, revenue, operations)
TAGS = [
    {"name": "models", "description": "The registry, and signed prices."},
    {"name": "inference", "description": "The paid call."},
    {"name": "results", "description": "Jobs, receipts, proofs and verifications; all free."},
    {"name": "discovery", "description": "For agents and catalogues."},
    {"name": "facilitator", "description": "x402 verification and settlement for other servers."},
    {"name": "operations", "description": "Health, readiness, metrics, revenue."},
]


def create_api(services: Services) -> FastAPI:
    """the app without its middleware: what the OpenAPI description is made from."""
    app = FastAPI(
        title="inferproof",
        version=services.settings.version,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        license_info={"name": "MIT"},
        redoc_url=None,
        redirect_slashes=False,  # a payment is bound to the path as it was sent
        routes=[infer.ROUTE],
    )
    app.state.services = services
    install_error_handlers(app)
    for subject in SUBJECTS:
        app.include_router(subject.router)
    _complete_openapi(app)
    return app


def all_routes() -> list[BaseRoute]:
    """Every route that is ours: FastAPI's own pages take no bodies."""
    return [infer.ROUTE, *(route for subject in SUBJECTS for route in subject.router.routes)]


def create_app(services: Services) -> ASGIApp:
    """The whole app, ready to be served."""
    settings = services.settings
    return Middleware(
        create_api(services),
        limits=BodyLimits(all_routes(), settings),
        on_request=services.metrics.http,
        tracer=services.tracer,
        admission=services.admission,
        body_timeout_s=settings.body_timeout_s,
    )


def create_operations(
    version: str,
    metrics: Metrics,
    readiness: Readiness,
    refresh: Callable[[], Awaitable[None]] | None,
    run: Callable[[Callable[[], Awaitable[Response]]], Awaitable[Response]],
) -> ASGIApp:
    """An app that tells of one process and takes no other requests. `run` finds the answers out
    where the process works, which need not be where the app is served."""

    async def alive() -> Response:
        return operations.health_response(version)

    async def health(_: Request) -> Response:
        return await run(alive)

    async def ready(_: Request) -> Response:
        return await run(lambda: operations.ready_response(readiness, metrics))

    async def shown(_: Request) -> Response:
        return await run(lambda: operations.metrics_response(metrics, refresh))

    routes = [Route("/health", health), Route("/ready", ready), Route("/metrics", shown)]
    return Starlette(routes=routes)


def _complete_openapi(app: FastAPI) -> None:
    make = app.openapi

    def openapi() -> dict[str, Any]:
        schema = make()
        schema["paths"][infer.ROUTE.path] = {"post": infer.OPERATION}
        components = schema.setdefault("components", {})
        schemes = components.setdefault("securitySchemes", {})
        schemes["admin"] = {"type": "http", "scheme": "bearer"}
        components["schemas"] |= structures(PaymentRequired, PaymentPayload, SignedClaim)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
