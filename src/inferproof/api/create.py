"""The FastAPI app from services that were built elsewhere."""

from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from inferproof.api.context import Services
from inferproof.api.edge import Edge
from inferproof.api.errors import install_error_handlers
from inferproof.api.routes import discovery, events, infer, models, operations, results
from inferproof.api.routes.describe import structures
from inferproof.payments.transfer.wire import SignedClaim
from inferproof.payments.x402.wire import PaymentPayload, PaymentRequired

DESCRIPTION = """\
Machine-learning answers that prove themselves. Call a model; pay with x402; get the output, a \
proof and a signed receipt that anyone can check again, offline.

Every error is `{"error": {"code", "message", "facts"}}`. Codes never change once released.
"""
SMALL_BODY = 64 * 1024
"""A payment travels in a header of 16 KiB at most; as JSON with its terms it stays below this."""
TAGS = [
    {"name": "models", "description": "The registry, and signed prices."},
    {"name": "inference", "description": "The paid call."},
    {"name": "results", "description": "Jobs, receipts, proofs and verifications; all free."},
    {"name": "discovery", "description": "For agents and catalogues."},
    {"name": "facilitator", "description": "x402 verification and settlement for other servers."},
    {"name": "operations", "description": "Health, readiness, metrics."},
]


def create_api(services: Services) -> FastAPI:
    """The app without its edge: what the OpenAPI description is made from."""
    app = FastAPI(
        title="inferproof",
        version=services.settings.version,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        license_info={"name": "MIT"},
        redoc_url=None,
        redirect_slashes=False,  # a payment is bound to the path as it was sent
    )
    app.state.services = services
    install_error_handlers(app)
    for subject in (infer, models, results, events, discovery, operations):
        app.include_router(subject.router)
    _complete_openapi(app)
    return app


def create_app(services: Services) -> ASGIApp:
    """The whole app, ready to be served."""
    settings = services.settings
    return Edge(
        create_api(services),
        body_limit=settings.body_limit,
        limits={
            "/v1/verify": settings.verify_limit,
            "/v1/models": settings.submission_limit,
            "/v1/quotes": SMALL_BODY,
            "/facilitator/verify": SMALL_BODY,
            "/facilitator/settle": SMALL_BODY,
        },
        on_request=services.metrics.http,
        tracer=services.tracer,
        gate=services.gate,
        body_timeout_s=settings.body_timeout_s,
    )


def _complete_openapi(app: FastAPI) -> None:
    make = app.openapi

    def openapi() -> dict[str, Any]:
        schema = make()
        components = schema.setdefault("components", {})
        schemes = components.setdefault("securitySchemes", {})
        schemes["admin"] = {"type": "http", "scheme": "bearer"}
        components["schemas"] |= structures(PaymentRequired, PaymentPayload, SignedClaim)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
