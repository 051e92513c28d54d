"""What the routes work with: services that app built, and this door's own settings."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from inferproof.api.admission import Admission
from inferproof.api.streams import Streams
from inferproof.errors import Reason, RequestRejected
from inferproof.observability.base import Tracer
from inferproof.observability.metrics import Metrics
from inferproof.observability.readiness import Readiness
from inferproof.payments.x402.facilitator import Facilitator
from inferproof.services.orders.base import Gateway
from inferproof.services.revenue.service import RevenueService

AT_A_TIME = 4
"""Verifications for callers that run at once; others wait their turn."""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """How this door is set. Units: seconds, bytes. `admin_token` None closes the admin routes;
    `public_url` None takes the origin from the request."""

    version: str
    public_url: str | None = None
    payment_timeout_s: int = 600
    admin_token: str | None = field(default=None, repr=False)
    sync_wait_s: float = 25.0
    body_limit: int = 8 * 2**20
    verify_limit: int = 16 * 2**20
    submission_limit: int = 16 * 2**20
    body_timeout_s: float = 20.0
    several_processes: bool = False
    """Whether others answer on the same port: then /metrics here would be those of any of them."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the routes call. Without a facilitator its routes say that it is closed."""

    gateway: Gateway
    metrics: Metrics
    settings: ApiSettings
    facilitator: Facilitator | None = None
    readiness: Readiness = field(default_factory=Readiness)
    refresh: Callable[[], Awaitable[None]] | None = None
    """Brings gauges up to date before they are shown."""
    tracer: Tracer | None = None
    revenue: RevenueService | None = None
    admission: Admission | None = None
    """Counts and limits requests; None limits nothing."""
    streams: Streams = field(default_factory=Streams)
    verifying: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_A_TIME))


def services(request: Request) -> Services:
    """The services of the app that serves this request."""
    found = request.app.state.services
    assert isinstance(found, Services)  # noqa: S101 - set by create_app
    return found


async def _services(request: Request) -> Services:
    return services(request)  # FastAPI calls what is not async in a thread


Served = Annotated[Services, Depends(_services)]


def origin(request: Request, settings: ApiSettings) -> str:
    """The scheme and host under which the caller reached us, without a slash at the end."""
    if settings.public_url is not None:
        return settings.public_url.rstrip("/")
    return f"{request.url.scheme}://{request.url.netloc}"


def require_admin(request: Request) -> None:
    """Returns when the request carries the admin token, compared in constant time.

    Raises: RequestRejected ADMIN_ONLY.
    """
    expected = services(request).settings.admin_token
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest((expected or "").encode(), given.strip().encode())
    if expected is None or scheme.lower() != "bearer" or not same:
        raise RequestRejected(Reason.ADMIN_ONLY)


def sent_path(request: Request) -> str:
    """The path as it was sent, percent-encoded, without the query: what payments are bound to."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    return bytes(raw).partition(b"?")[0].decode("latin-1")
