"""How large the body of a request may be: each route says so for itself.

    @router.post("/jobs/{job_id}/cancel", ...)
    @body_limit(4 * KIB)
    async def cancel_job(...)

A body is refused as soon as its head or its bytes tell that it is too large, so a limit is what one
caller can make this process hold. A route that declares none takes `NO_BODY`, which is right for
those that read none; a test finds a route that takes a method with a body and declares no limit.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from inferproof.api.context import ApiSettings

KIB = 1024
NO_BODY = KIB
"""What is read over of a body that nobody asked for, such as `{}`."""
AT_ONCE = 64 * KIB
"""The most that is parsed by the event loop, where it takes a millisecond from all callers; larger
bodies are parsed in a thread."""
BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})

Limit = int | Callable[[ApiSettings], int]
Endpoint = TypeVar("Endpoint", bound=Callable[..., object])

_ATTRIBUTE = "body_limit"


def body_limit(limit: Limit) -> Callable[[Endpoint], Endpoint]:
    """Declares the limit of a route, in bytes; or what finds it in the settings."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, limit)
        return endpoint

    return declare


def undeclared(routes: Iterable[BaseRoute]) -> list[str]:
    """The paths of routes that take bodies and declare no limit."""
    return [route.path for route in _with_bodies(routes) if not hasattr(route.endpoint, _ATTRIBUTE)]


class BodyLimits:
    """The limits of an app's routes."""

    def __init__(self, routes: Iterable[BaseRoute], settings: ApiSettings) -> None:
        self._limits = []
        for route in _with_bodies(routes):
            declared: Limit = getattr(route.endpoint, _ATTRIBUTE, NO_BODY)
            limit = declared if isinstance(declared, int) else declared(settings)
            self._limits.append((route.path_regex, limit))

    def of(self, scope: Scope) -> int:
        """The limit of the route that the request goes to. Units: bytes."""
        if scope["method"] in BODILESS:
            return NO_BODY
        path = scope["path"]
        return next((limit for regex, limit in self._limits if regex.match(path)), NO_BODY)


def _with_bodies(routes: Iterable[BaseRoute]) -> Iterable[Route]:
    for route in routes:
        if isinstance(route, Route) and set(route.methods or ()) - BODILESS:
            yield route
