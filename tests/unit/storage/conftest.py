"""Stores in memory, in a file and on PostgreSQL."""

from collections.abc import AsyncIterator, Callable

import pytest
from postgres_server import KINDS

from inferproof.testing.memory_store import Stores, open_stores


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, url_of_kind: Callable[[str], str]) -> str:
    """The address of a fresh database."""
    return url_of_kind(request.param)


@pytest.fixture(params=KINDS[1:])
def shared_url(request: pytest.FixtureRequest, url_of_kind: Callable[[str], str]) -> str:
    """The address of a fresh database that several processes may open."""
    return url_of_kind(request.param)


@pytest.fixture
async def stores(url: str) -> AsyncIterator[Stores]:
    async with open_stores(url) as stores:
        yield stores
