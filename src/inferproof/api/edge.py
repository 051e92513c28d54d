"""The outermost layer: request id, body limit, security headers, latency, last resort.

Plain ASGI, since it stands before every paid call. Whatever escapes the app ends here as a
logged 500 that tells nothing.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import nullcontext

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inferproof.api.errors import BodyRefused, BodyTooLarge, BodyTooSlow, error_response
from inferproof.api.gate import Gate, standing_headers
from inferproof.api.headers import DOCS_POLICY, ON_ALL, PREFLIGHT
from inferproof.api.request_context import OnRequest, RequestContext
from inferproof.errors import InferproofError, Reason
from inferproof.telemetry.base import Tracer, answered, asked

log = logging.getLogger("inferproof.api")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

SLOWEST_BODY = 16 * 1024
"""Bytes a second that a body must come at once its first time is over: a slow mobile line's."""

COUNTED = (Reason.OVERLOADED, Reason.LIMITER_UNAVAILABLE)
"""Refusals that come in floods. They are counted; a log of each would be another flood."""


class Edge:
    """Wraps the app. `limits` gives a path a body limit of its own."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_limit: int,
        limits: Mapping[str, int],
        on_request: OnRequest,
        tracer: Tracer | None = None,
        gate: Gate | None = None,
        body_timeout_s: float = 20.0,
    ) -> None:
        self._app = app
        self._body_limit = body_limit
        self._limits = limits
        self._on_request = on_request
        self._tracer = tracer
        self._gate = gate
        self._body_timeout_s = body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limits.get(scope["path"], self._body_limit)
        call = _Call(scope, receive, send, limit, self._body_timeout_s)
        token = asked(call.context.about)
        try:
            await self._serve(call)
        finally:
            answered(token)
            route = getattr(scope.get("route"), "path", "(none)")
            method = scope["method"] if scope["method"] in _METHODS else "(other)"
            call.context.report(self._on_request, self._tracer, method, route, call.status)

    async def _serve(self, call: "_Call") -> None:
        try:
            with nullcontext() if self._gate is None else self._gate.under_way(call.scope):
                await self._admitted(call)
        except BodyRefused as error:
            await call.answer(error.failure)
        except InferproofError as error:
            await call.answer(error, logged=error.reason in COUNTED)
        except Exception:  # the edge of a request: a bug is answered, and logged
            log.exception("a request failed by our fault")
            await call.answer(
                InferproofError(Reason.INTERNAL_ERROR, request_id=call.request_id), logged=True
            )

    async def _admitted(self, call: "_Call") -> None:
        call.check_length()
        if call.is_preflight:
            response = Response(status_code=204, headers=PREFLIGHT)
            await response(call.scope, call.receive, call.send)
            return
        if self._gate is not None:
            call.context.standing = await self._gate.admit(call.scope)
        await self._app(call.scope, call.receive, call.send)


class _Call:
    """One request on its way through."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        limit: int,
        timeout_s: float,
    ) -> None:
        self.scope = scope
        self.status = 500
        self._receive = receive
        self._send = send
        self._limit = limit
        self._timeout_s = timeout_s
        self._read = 0
        self._more = True
        self._began = asyncio.get_running_loop().time()
        self._started = False
        headers = dict(scope["headers"])
        self._length = headers.get(b"content-length", b"")
        self.context = RequestContext(headers)
        self.request_id = self.context.request_id
        self.is_preflight = (
            scope["method"] == "OPTIONS" and b"access-control-request-method" in headers
        )
        scope["inferproof.request_id"] = self.request_id

    def check_length(self) -> None:
        if self._length.isdigit() and int(self._length[:20]) > self._limit:
            raise BodyTooLarge(self._limit)

    async def receive(self) -> Message:
        if not self._more:  # what is waited for now is that the caller goes away
            return await self._receive()
        end = self._began + self._timeout_s + self._read / SLOWEST_BODY
        try:
            async with asyncio.timeout_at(end):
                message = await self._receive()
        except TimeoutError:
            raise BodyTooSlow(self._timeout_s, SLOWEST_BODY) from None
        if message["type"] == "http.request":
            self._more = message.get("more_body", False)
            self._read += len(message.get("body", b""))
            if self._read > self._limit:
                raise BodyTooLarge(self._limit)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self.status = message["status"]
            headers = list(message["headers"])
            given = {name for name, _ in headers}
            headers += [pair for pair in ON_ALL if pair[0] not in given]
            headers.append((b"x-request-id", self.request_id.encode()))
            if self.context.standing is not None:
                headers += standing_headers(self.context.standing)
            message["headers"] = headers
            if self.scope["path"] == "/docs":
                MutableHeaders(scope=message)["Content-Security-Policy"] = DOCS_POLICY
            if self.status in (408, 413):  # the rest of the body is not read
                MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)

    async def answer(self, error: InferproofError, *, logged: bool = False) -> None:
        if self._started:
            return  # half an answer is out; the server ends the connection
        response = error_response(error, request_id=self.request_id, logged=logged)
        await response(self.scope, self.receive, self.send)
