"""The app in front of a gateway in memory."""

from collections.abc import AsyncIterator

import httpx
import pytest
from api_fakes import ADMIN_TOKEN, FakeGateway

from inferproof.api.context import ApiSettings, Services
from inferproof.api.create import create_app
from inferproof.observability.metrics import Metrics


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def services(gateway: FakeGateway, metrics: Metrics) -> Services:
    settings = ApiSettings(
        version="0.1.0",
        admin_token=ADMIN_TOKEN,
        sync_wait_s=5.0,
        body_limit=4096,
        verify_limit=8192,
        submission_limit=8192,
    )
    return Services(gateway=gateway, metrics=metrics, settings=settings)


@pytest.fixture
async def http(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        yield client
