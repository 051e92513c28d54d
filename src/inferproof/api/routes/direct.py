"""A route that is described like every other, and called without FastAPI's machinery.

For the paid call alone: solving its three parameters takes longer than checking its payment.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inferproof.api.context import Services, services
from inferproof.api.routes.parameters import MODEL_NAME
from inferproof.errors import Reason, RequestRejected

_NAME = re.compile(MODEL_NAME)

Endpoint = Callable[[Services, Request, str], Awaitable[Response]]


class Direct(APIRoute):
    """Its endpoint takes the services, the request and the name of the path's model."""

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._call = endpoint

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)  # which refuses it
            return
        request, model = Request(scope, receive, send), scope["path_params"]["model"]
        if _NAME.fullmatch(model) is None:
            problem = f"String should match pattern '{MODEL_NAME}'"
            raise RequestRejected(Reason.REQUEST_INVALID, where="path.model", problem=problem)
        response = await self._call(services(request), request, model)
        await response(scope, receive, send)
