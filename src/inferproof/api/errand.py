"""One request as its middleware knows it, and what was done of it before it came there."""

import os
import time
from collections.abc import Callable, Mapping

from inferproof.api.headers import GIVEN_ID
from inferproof.observability.base import About, Tracer, read_traceparent
from inferproof.services.gateway.base import JobView
from inferproof.services.limits.service import Standing

ERRAND = "inferproof.errand"
"""Where the scope carries the Errand of a request that came the short way first."""

OnRequest = Callable[[str, str, int, float], None]
"""Called with method, route template, status and seconds."""


class PaidRoute:
    """What FastAPI calls the route, for metrics and traces."""

    path = "/v1/models/{model}/infer"


class Errand:
    """A request's name and times; how its caller stands, once it was admitted; what its order came
    to, once it was taken or refused. `at_once` says that the caller does not wait."""

    __slots__ = (
        *("about", "at_once", "is_admitted", "outcome", "request_id", "standing"),
        "_started",
    )

    def __init__(self, about: About, request_id: str) -> None:
        self.about = about
        self.request_id = request_id
        self.at_once = False
        self.is_admitted = False
        self.standing: Standing | None = None
        self.outcome: JobView | Exception | None = None
        self._started = time.perf_counter()

    @classmethod
    def of(cls, headers: Mapping[bytes, bytes]) -> "Errand":
        """The errand of a request with these headers, which begins now."""
        given, parent = headers.get(b"x-request-id", b""), headers.get(b"traceparent")
        name = given.decode() if GIVEN_ID.fullmatch(given) else os.urandom(8).hex()
        caller = None if parent is None else read_traceparent(parent)
        return cls(About(request=name, caller=caller, started_ns=time.time_ns()), name)

    def result(self) -> JobView:
        """The job. Raises: what refused the order."""
        if isinstance(self.outcome, Exception):
            raise self.outcome
        assert self.outcome is not None  # noqa: S101 - asked for where there is one
        return self.outcome

    def report(
        self, on_request: OnRequest, tracer: Tracer | None, method: str, route: str, status: int
    ) -> None:
        """Tells metrics and tracer that the request was answered now."""
        on_request(method, route, status, time.perf_counter() - self._started)
        if tracer is not None and self.about.job is not None:
            name, end_ns = f"{method} {route}", time.time_ns()
            tracer.request(self.about, name=name, status=status, end_ns=end_ns)
