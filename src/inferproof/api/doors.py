"""Two doors to one app: the paid call's own, and FastAPI's for everything else.

FastAPI describes the paid call like every other, and would serve it the same. Its layers take as
long as checking a payment does, so the one call that comes by the thousand a second goes around
them, to the same function.
"""

import re

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from inferproof.api.context import Services
from inferproof.api.errand import PaidRoute
from inferproof.api.routes.infer import infer
from inferproof.api.routes.parameters import MODEL_NAME

_PAID = re.compile(f"/v1/models/({MODEL_NAME.strip('^$')})/infer")


class Doors:
    """Leads each request to its door. What is no paid call, well formed, FastAPI answers."""

    def __init__(self, api: FastAPI, services: Services) -> None:
        self._api: ASGIApp = api
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _PAID.fullmatch(scope["path"]) if scope["method"] == "POST" else None
        if found is None:
            await self._api(scope, receive, send)
            return
        scope["route"] = PaidRoute
        response = await infer(self._services, Request(scope, receive, send), found[1])
        await response(scope, receive, send)
