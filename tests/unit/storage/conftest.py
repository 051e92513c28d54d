"""Stores in memory, in a file and on PostgreSQL."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from postgres_server import KINDS, Databases

from inferproof.storage.sql.engine import sqlite_url
from inferproof.testing.memory_store import Stores, open_stores


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, url_of_kind: Callable[[str], str]) -> str:
    """The address of a fresh database."""
    return url_of_kind(request.param)


@pytest.fixture(params=KINDS[1:])
def shared_url(request: pytest.FixtureRequest, url_of_kind: Callable[[str], str]) -> str:
    """The address of a fresh database that several processes may open."""
    return url_of_kind(request.param)


@pytest.fixture(params=KINDS[2:])
def server_url(request: pytest.FixtureRequest, url_of_kind: Callable[[str], str]) -> str:
    """The address of a fresh database that several gateways may serve with at a time."""
    return url_of_kind(request.param)


@pytest.fixture(params=KINDS[1:])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without a table."""
    if request.param == "postgres":
        databases: Databases = request.getfixturevalue("postgres")
        return databases.empty()
    return sqlite_url(tmp_path / "orders.db")


@pytest.fixture
async def stores(url: str) -> AsyncIterator[Stores]:
    async with open_stores(url) as stores:
        yield stores
