"""Every route says how large a body may be, and nothing large is parsed by the event loop."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from api_fakes import error_of
from fastapi import APIRouter
from service_parts import World, running

from inferproof.api.body import AT_ONCE, NO_BODY, BodyLimits, body_limit, undeclared
from inferproof.api.context import ApiSettings, Services
from inferproof.api.create import all_routes, create_app
from inferproof.services.models import registry
from inferproof.services.receipts import service

LARGE = 8 * 2**20
JOB = "0x" + "01" * 32
SETTINGS = ApiSettings(
    version="1", body_limit=1 << 21, verify_limit=1 << 22, submission_limit=1 << 23
)


def limit(method: str, path: str) -> int:
    return BodyLimits(all_routes(), SETTINGS).of({"method": method, "path": path})


def test_every_route_that_takes_a_body_says_how_large() -> None:
    assert undeclared(all_routes()) == []


def test_a_route_that_does_not_is_found_and_takes_none() -> None:
    router = APIRouter(prefix="/v2")

    @router.post("/forgotten")
    async def forgotten() -> None: ...

    @router.put("/declared/{name}")
    @body_limit(5)
    async def declared() -> None: ...

    @router.get("/read")
    async def read() -> None: ...

    assert undeclared(router.routes) == ["/v2/forgotten"]
    limits = BodyLimits(router.routes, SETTINGS)
    assert limits.of({"method": "POST", "path": "/v2/forgotten"}) == NO_BODY
    assert limits.of({"method": "PUT", "path": "/v2/declared/a"}) == 5
    assert limits.of({"method": "GET", "path": "/v2/read"}) == NO_BODY


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/models/a@1/infer", 1 << 21),
        ("/v1/verify", 1 << 22),
        ("/v1/models", 1 << 23),
        ("/v1/models/a/approve", NO_BODY),
        ("/v1/models/a/suspend", NO_BODY),
        ("/v1/quotes", 4096),
        (f"/v1/jobs/{JOB}/cancel", 4096),
        ("/facilitator/verify", AT_ONCE),
        ("/facilitator/settle", AT_ONCE),
        ("/nothing", NO_BODY),
    ],
)
def test_what_each_route_takes(path: str, expected: int) -> None:
    assert limit("POST", path) == expected
    assert limit("GET", path) == NO_BODY


@pytest.mark.parametrize("told", [True, False], ids=["told", "streamed"])
async def test_a_cancellation_of_megabytes_is_refused_unread(
    services: Services, told: bool
) -> None:
    """8 MiB of JSON took 2.5 s of the event loop, for a job that nobody knew."""
    sent = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < LARGE:
            sent += 1024
            yield b"[" * 1024

    content: Any = b"[" * LARGE if told else stream()
    given = replace(services, settings=replace(services.settings, body_limit=2 * LARGE))
    transport = httpx.ASGITransport(create_app(given))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http:
        response = await http.post(f"/v1/jobs/{JOB}/cancel", content=content)
    assert response.status_code == 413
    assert error_of(response)["facts"] == {"limit": 4096}
    assert sent <= 8192


async def test_a_body_that_nobody_asked_for_is_refused(http: httpx.AsyncClient) -> None:
    for method, path in (("GET", "/v1/models"), ("GET", "/health"), ("POST", "/nothing")):
        answer = await http.request(method, path, content=b" " * (NO_BODY + 1))
        assert answer.status_code == 413, path
        answer = await http.request(method, path, content=b"{}")
        assert answer.status_code in (200, 404), path


async def test_what_is_large_is_parsed_in_a_thread(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Submissions, and files to be verified; inputs are in tests of the intake."""
    threads: list[int] = []

    def noted(module: Any, name: str) -> None:
        known = getattr(module, name)

        def call(*given: Any) -> Any:
            threads.append(threading.get_ident())
            return known(*given)

        monkeypatch.setattr(module, name, call)

    noted(registry, "read_submission")
    noted(service, "decode_proof_file")
    noted(service, "decode_receipt_file")
    large = b'{"body":"' + b"x" * AT_ONCE
    async with running(World(tmp_path)) as services:
        for work in (
            services.gateway.submit_model(large, b""),
            services.gateway.verify(large),
            services.gateway.verify(large + b'"inferproof/proof/1"}'),
        ):
            await asyncio.gather(work, return_exceptions=True)
    assert len(threads) >= 3
    assert threading.get_ident() not in threads
