"""One request as the edge knows it: its name, its times, how its caller stands."""

import os
import time
from collections.abc import Callable, Mapping

from inferproof.api.headers import GIVEN_ID
from inferproof.services.limits.service import Standing
from inferproof.telemetry.base import About, Tracer, read_traceparent

OnRequest = Callable[[str, str, int, float], None]
"""Called with method, route template, status and seconds."""


class RequestContext:
    """What logs, traces, metrics and headers say of a request; it begins when this is made.
    `standing` is known once its caller was admitted."""

    __slots__ = ("_started", "about", "request_id", "standing")

    def __init__(self, headers: Mapping[bytes, bytes]) -> None:
        given, parent = headers.get(b"x-request-id", b""), headers.get(b"traceparent")
        caller = None if parent is None else read_traceparent(parent)
        self.request_id = given.decode() if GIVEN_ID.fullmatch(given) else os.urandom(8).hex()
        self.about = About(request=self.request_id, caller=caller, started_ns=time.time_ns())
        self.standing: Standing | None = None
        self._started = time.perf_counter()

    def report(
        self, on_request: OnRequest, tracer: Tracer | None, method: str, route: str, status: int
    ) -> None:
        """Tells metrics and tracer that the request was answered now."""
        on_request(method, route, status, time.perf_counter() - self._started)
        if tracer is not None and self.about.job is not None:
            name, end_ns = f"{method} {route}", time.time_ns()
            tracer.request(self.about, name=name, status=status, end_ns=end_ns)
